"""The pod's own end: a gateway that stays silent, routes and devices inside that are gone."""

from __future__ import annotations

import msgspec
import pytest

from calitui.diagnosis.pods import containers
from calitui.facts.node import Container, NodeFacts
from calitui.trace.finding import Severity
from tests.diagnosis import scenes
from tests.diagnosis.scenes import A
from tests.trace import seed

DEFAULT = "default via 10.173.32.1 dev eth0"
VETH = "cali3683f65394b"
PROXY_OFF = f"/proc/sys/net/ipv4/conf/{VETH}/proxy_arp:0\n/proc/sys/net/ipv4/conf/all/proxy_arp:0\n"
ERROR, WARNING = Severity.ERROR, Severity.WARNING


def inside(
    facts: NodeFacts, *, links: tuple[str, str] = ("", ""), routes: str | None = None, near: str = ""
) -> NodeFacts:
    """The node with another inside of its pod."""
    ip = facts.containers[0].ip
    text = (
        "4: eth0@if7: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1440 qdisc noqueue state UP \\    link/ether 6a:00:00:00:00:01\n"
        f"4: eth0    inet {ip}/32 scope global eth0\n"
    )
    lines = f"default via 169.254.1.1 dev eth0\n169.254.1.1 dev eth0 scope link\nlocal {ip} dev eth0 table local\n"
    space = seed.namespace(text.replace(*links), lines if routes is None else routes, neighbours=near)
    return msgspec.structs.replace(facts, containers=(Container(ip, space, "4711"),))


HERE = seed.node("ipip", A)
KNOWN = "169.254.1.1 dev eth0 lladdr ee:ee:ee:ee:ee:ee REACHABLE\n"
NO_DEFAULT = seed.node("ipip", A, without=[DEFAULT])
SILENT = seed.node("ipip", A, sysctls=PROXY_OFF)
FAULTS = [
    ("no default route", NO_DEFAULT, "no-default-route", ERROR, "does not answer its pods' ARP for their gateway 169.254.1.1"),
    ("no default route, nobody looked inside", seed.without_container(NO_DEFAULT), "no-default-route", ERROR, "no default route"),
    ("no default route, the gateway still known", inside(NO_DEFAULT, near=KNOWN), "no-default-route", WARNING, "no default route"),
    ("a default route that refuses", seed.node("ipip", A, without=[DEFAULT], more=["unreachable default"]), "no-default-route", ERROR, "no default route"),
    ("a default route in a table that nothing asks", seed.node("ipip", A, without=[DEFAULT], more=[f"{DEFAULT} table 77"]), "no-default-route", ERROR, "no default route"),
    ("proxy ARP off", SILENT, "proxy-arp-off", ERROR, f"proxy_arp is off on {VETH}"),
    ("proxy ARP off, the gateway still known", inside(SILENT, near=KNOWN), "proxy-arp-off", WARNING, "proxy_arp is off"),
    ("down inside", inside(HERE, links=("<BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1440 qdisc noqueue state UP", "<BROADCAST,MULTICAST> mtu 1440 qdisc noqueue state DOWN")), "container-device-down", ERROR, "eth0 inside huang1/huangtest-69d9fddd97-2b8hr is down"),
    ("no route inside", inside(HERE, routes="local 192.168.97.1 dev eth0 table local\n"), "container-no-default-route", ERROR, "has no default route inside"),
    ("no address inside", inside(HERE, links=("192.168.97.1/32", "192.168.97.8/32")), "container-address-missing", ERROR, "no device holds its address 192.168.97.1"),
]  # fmt: skip


@pytest.mark.parametrize("whole", [True, False], ids=["audit", "trace"])
@pytest.mark.parametrize(("changed", "code", "severity", "words"), [case[1:] for case in FAULTS], ids=[case[0] for case in FAULTS])  # fmt: skip
def test_a_fault_is_named_alone(changed: NodeFacts, code: str, severity: Severity, words: str, whole: bool) -> None:
    found = scenes.found(containers.CHECKS, (scenes.audited if whole else scenes.traced)("ipip", changed))
    assert [(one.code, one.node, one.severity) for one in found] == [(code, A, severity)]
    assert words in found[0].summary
    assert found[0].evidence
    assert found[0].fix


FINE = [
    ("a route of its own for the gateway", seed.node("ipip", A, without=[DEFAULT], more=["169.254.1.1 dev eth0 scope link"])),
    ("zeroconf", seed.node("ipip", A, without=[DEFAULT], more=["169.254.0.0/16 dev eth0 scope link"])),
    ("proxy ARP on for all", seed.node("ipip", A, sysctls=PROXY_OFF.replace("all/proxy_arp:0", "all/proxy_arp:1"))),
    ("another gateway inside", inside(seed.node("ipip", A, without=[DEFAULT], sysctls=PROXY_OFF), routes="default via 10.173.32.23 dev eth0\n10.173.32.23 dev eth0 scope link\n")),
    ("proxy ARP off on a card", seed.node("ipip", A, sysctls="/proc/sys/net/ipv4/conf/eth0/proxy_arp:0\n")),
]  # fmt: skip


@pytest.mark.parametrize("changed", [case[1] for case in FINE], ids=[case[0] for case in FINE])
def test_other_ways_that_work_are_fine(changed: NodeFacts) -> None:
    assert not scenes.found(containers.CHECKS, scenes.audited("ipip", changed))
    assert not scenes.found(containers.CHECKS, scenes.traced("ipip", changed))


def test_routes_that_were_not_read_are_not_missing() -> None:
    facts = seed.node("ipip", A, without=[DEFAULT], complete=seed.EVERYTHING - {"routes"})
    scene = scenes.audited("ipip", facts)
    assert not scenes.found(containers.CHECKS, scene)
    assert ("no-default-route", A) in [(one.code, one.node) for one in scenes.unchecked(containers.CHECKS, scene)]


def test_an_audit_says_once_that_it_does_not_look_into_pods() -> None:
    nodes = [seed.without_container(facts) for facts in seed.pair("ipip")]
    said = scenes.unchecked(containers.CHECKS, scenes.audited("ipip", *nodes))
    assert {one.code for one in said} == {
        "container-device-down",
        "container-address-missing",
        "container-no-default-route",
    }
    assert len(said) == 3
    assert all(one.node is None and one.reason.startswith("2 pods were not looked into") for one in said)


def test_a_trace_says_which_pod_it_could_not_look_into() -> None:
    said = scenes.unchecked(containers.CHECKS, scenes.traced("ipip", seed.without_container(HERE)))
    assert {one.node for one in said} == {A}
    assert all("huang1/huangtest-69d9fddd97-2b8hr" in one.reason for one in said)


@pytest.mark.parametrize("name", scenes.HEALTHY)
def test_healthy_recordings_are_silent(name: str) -> None:
    for each in scenes.healthy(name):
        assert not scenes.found(containers.CHECKS, each)
