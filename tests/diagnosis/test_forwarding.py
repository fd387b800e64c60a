"""Forwarding that is off: of a node, of a device, of IPv6."""

from __future__ import annotations

import msgspec
import pytest

from calitui.diagnosis.devices import forwarding
from calitui.diagnosis.scene import Scene
from calitui.facts.node import NodeFacts
from calitui.trace.ends import resolve
from calitui.trace.finding import Severity
from calitui.trace.tracing import trace
from tests.diagnosis import scenes
from tests.diagnosis.scenes import A
from tests.trace import seed

ON = "/proc/sys/net/ipv4/ip_forward:1\n/proc/sys/net/ipv4/conf/all/forwarding:1\n"
OFF = "/proc/sys/net/ipv4/ip_forward:0\n/proc/sys/net/ipv4/conf/all/forwarding:0\n"


def device(name: str) -> str:
    return f"{ON}/proc/sys/net/ipv4/conf/{name}/forwarding:0\n"


CASES = [
    ("the node", "ipip", OFF, ["ip-forward-off"]),
    ("the node, no tunnel", "bgp", OFF, ["ip-forward-off"]),
    ("the pod's veth", "ipip", device("cali3683f65394b"), ["device-forwarding-off"]),
    ("the tunnel", "ipip", device("tunl0"), ["device-forwarding-off"]),
    ("the card, no tunnel", "bgp", device("eth0"), ["device-forwarding-off"]),
    ("the card under a tunnel", "ipip", device("eth0"), []),
    ("another device", "ipip", device("docker0"), []),
    ("all on", "ipip", ON, []),
]


@pytest.mark.parametrize("whole", [True, False], ids=["audit", "trace"])
@pytest.mark.parametrize(("which", "sysctls", "codes"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_is_off_is_named(which: str, sysctls: str, codes: list[str], whole: bool) -> None:
    make = scenes.audited if whole else scenes.traced
    found = scenes.found(forwarding.CHECKS, make(which, seed.node(which, A, sysctls=sysctls)))
    assert [(one.code, one.node, one.severity) for one in found] == [(code, A, Severity.ERROR) for code in codes]


def test_the_setting_is_the_evidence_and_the_fix() -> None:
    (found,) = scenes.found(forwarding.CHECKS, scenes.audited("ipip", seed.node("ipip", A, sysctls=OFF)))
    assert found.evidence == ("k8s-calico2 sysctl: net.ipv4.ip_forward = 0",)
    assert found.fix[0] == "ssh k8s-calico2 sudo sysctl -w net.ipv4.ip_forward=1"


def test_a_node_without_pods_need_not_forward() -> None:
    plain = scenes.cluster("bgp")
    facts = seed.node("bgp", A, sysctls=OFF, links={"calic285cddbb40": "dummy0000000000"})
    lists = {"blocks": plain.blocks[1:], "pods": plain.pods[1:]}
    facts_b = seed.node("bgp", scenes.B)
    pods = tuple(pod for pod in plain.pods if pod.host_network or pod.node != A)
    scene = Scene(msgspec.structs.replace(plain, **{**lists, "pods": pods}), [facts, facts_b])
    assert not scenes.found(forwarding.CHECKS, scene)


def test_a_host_that_only_sends_need_not_forward() -> None:
    plain = scenes.cluster("ipip")
    nodes = seed.pair("ipip", seed.node("ipip", A, sysctls=OFF))
    ends = resolve(plain, "kube-system/calico-node-2"), resolve(plain, seed.IPIP_DESTINATION)
    assert not scenes.found(forwarding.CHECKS, Scene(plain, nodes, trace(plain, nodes, *ends)))


def without_v6(facts: NodeFacts) -> NodeFacts:
    assert facts.host is not None
    settings = {**facts.host.sysctls, "ipv6/conf/all/forwarding": "0"}
    return msgspec.structs.replace(facts, host=msgspec.structs.replace(facts.host, sysctls=settings))


def test_ipv6_off_matters_where_pods_have_ipv6() -> None:
    dual, single = scenes.demo("dualstack"), scenes.demo("bgp")
    ill = tuple(without_v6(facts) if facts.name == "worker-1" else facts for facts in dual.nodes)
    assert scenes.kinds(forwarding.CHECKS, Scene(dual.cluster, ill)) == [
        ("ipv6-forwarding-off", "worker-1", Severity.ERROR)
    ]
    assert not scenes.found(forwarding.CHECKS, Scene(single.cluster, [without_v6(facts) for facts in single.nodes]))


def test_settings_that_were_not_read_are_unchecked() -> None:
    scene = scenes.audited("ipip", seed.node("ipip", A, complete=seed.EVERYTHING - {"sysctls"}))
    assert [(one.code, one.node) for one in scenes.unchecked(forwarding.CHECKS, scene)] == [("ip-forward-off", A)]


@pytest.mark.parametrize("name", scenes.HEALTHY)
def test_healthy_recordings_are_silent(name: str) -> None:
    for each in scenes.healthy(name):
        assert not scenes.found(forwarding.CHECKS, each)
