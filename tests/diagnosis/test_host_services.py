"""The connection table, and services of the host that take Calico's devices for theirs."""

from __future__ import annotations

import msgspec
import pytest

from calitui.diagnosis.devices import host_services
from calitui.facts.bird import Bird, BirdAnswer
from calitui.facts.node import ManagedDevice, NodeFacts
from calitui.nodes.parse.bird import parse_bird
from calitui.trace.finding import Severity
from tests.diagnosis import scenes
from tests.diagnosis.scenes import A
from tests.trace import seed

ERROR, WARNING, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO
FORWARD = "192.168.210.128/26 via 10.173.32.26 dev tunl0 proto bird onlink"
TUNL0 = ManagedDevice("NetworkManager", "tunl0", "/run/NetworkManager/devices/3:managed=true")
BY_NETWORKD = ManagedDevice("systemd-networkd", "tunl0", "/run/systemd/netif/links/3:ADMIN_STATE=configured")
CARD = ManagedDevice("systemd-networkd", "eth0", "/run/systemd/netif/links/2:ADMIN_STATE=configured")


@pytest.mark.parametrize(
    ("count", "most", "expected"),
    [
        ("94", "100", []),
        ("95", "100", [WARNING]),
        ("100", "100", [ERROR]),
        ("101", "100", [ERROR]),
        ("5", "0", []),
        ("rubbish", "100", []),
    ],
)
def test_the_connection_table(count: str, most: str, expected: list[Severity]) -> None:
    facts = seed.node("bgp", A)
    assert facts.host is not None
    values = {"netfilter/nf_conntrack_count": count, "netfilter/nf_conntrack_max": most}
    facts = msgspec.structs.replace(facts, host=msgspec.structs.replace(facts.host, sysctls=values))
    found = scenes.found((host_services.conntrack,), scenes.audited("bgp", facts))
    assert [(one.code, one.node, one.severity) for one in found] == [("conntrack-full", A, each) for each in expected]


def test_a_node_without_a_connection_table_is_fine() -> None:
    assert not scenes.found((host_services.conntrack,), scenes.audited("bgp"))
    assert not scenes.unchecked((host_services.conntrack,), scenes.audited("bgp"))


def bird(*lines: str) -> Bird:
    parsed = parse_bird("BIRD v0.3.3+birdv1.6.8 ready.\n" + "\n".join(lines) + "\n")
    assert isinstance(parsed, BirdAnswer)
    return Bird(4, "/var/run/calico/bird.ctl", parsed, complete=True)


LEARNED = "192.168.210.128/26 via 10.173.32.26 on eth0 [Mesh_10_173_32_26 12:00:00] * (100/0) [i]"


def managed(
    *devices: ManagedDevice, without: tuple[str, ...] = (), foreign: tuple[str, ...] = (), birds: tuple[Bird, ...] = ()
) -> NodeFacts:
    facts = seed.node("ipip", A, without=without)
    return msgspec.structs.replace(facts, managed_devices=devices, foreign_routes=foreign, birds=birds)


KEEP = ("/etc/systemd/networkd.conf:ManageForeignRoutes=no",)
CASES = [
    ("nothing is managed", managed(), None),
    ("NetworkManager has the tunnel", managed(TUNL0), INFO),
    ("networkd has the tunnel", managed(BY_NETWORKD), INFO),
    ("networkd keeps foreign routes", managed(BY_NETWORKD, foreign=KEEP), None),
    ("networkd says yes", managed(BY_NETWORKD, foreign=("/etc/systemd/networkd.conf:ManageForeignRoutes=yes",)), INFO),
    ("networkd has its own card", managed(CARD), None),
    ("routes are gone already", managed(TUNL0, without=(FORWARD,), birds=(bird(LEARNED),)), WARNING),
    ("routes by its own card are gone", managed(CARD, without=(FORWARD,), birds=(bird(LEARNED),)), WARNING),
    ("all routes are there", managed(TUNL0, birds=(bird(LEARNED),)), INFO),
    ("the route is not BGP's", managed(TUNL0, without=(FORWARD,), birds=(bird(LEARNED.replace("Mesh_10_173_32_26", "kernel1")),)), INFO),
]  # fmt: skip


@pytest.mark.parametrize("whole", [True, False], ids=["audit", "trace"])
@pytest.mark.parametrize(("changed", "severity"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_services_that_may_remove_routes(changed: NodeFacts, severity: Severity | None, whole: bool) -> None:
    scene = (scenes.audited if whole else scenes.traced)("ipip", changed)
    found = scenes.found(host_services.CHECKS, scene)
    expected = [] if severity is None else [("routes-removed-by-host-service", A, severity)]
    assert [(one.code, one.node, one.severity) for one in found] == expected
    for one in found:
        assert one.fix
        assert any("managed=true" in line or "ADMIN_STATE" in line for line in one.evidence)


def test_a_node_whose_services_were_not_read_is_unchecked() -> None:
    said = scenes.unchecked((host_services.removed_routes,), scenes.audited("bgp"))
    assert {one.node for one in said} == {scenes.A, scenes.B}


@pytest.mark.parametrize("name", scenes.HEALTHY)
def test_healthy_recordings_are_silent(name: str) -> None:
    for each in scenes.healthy(name):
        assert not scenes.alarms(host_services.CHECKS, each)
