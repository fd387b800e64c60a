"""Tunnel devices on the article's clusters and the recorded VXLAN ones: one thing wrong at a time."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import pytest

from calitui.diagnosis.devices import tunnels
from calitui.diagnosis.scene import Scene
from calitui.facts.cluster import Block, Cluster, FelixConfiguration, IPPool, Node
from calitui.facts.missing import Missing
from calitui.facts.node import NodeFacts
from calitui.facts.snapshot import Snapshot
from calitui.trace.finding import Severity
from tests.diagnosis import scenes
from tests.diagnosis.scenes import A
from tests.trace import seed

ERROR, WARNING, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO
DOWN = {"<NOARP,UP,LOWER_UP>": "<NOARP>"}
BARE = {"3: tunl0    inet 192.168.97.0/32 scope global tunl0\n": ""}


class Fault(NamedTuple):
    name: str
    changed: NodeFacts
    code: str
    severity: Severity
    words: str


FAULTS = [
    Fault("down", seed.node("ipip", A, links=DOWN), "tunnel-device-down", ERROR, "tunl0 on k8s-calico2 is down"),
    Fault("missing", seed.node("ipip", A, links={"3: tunl0@NONE": "3: other0@NONE", "3: tunl0 ": "3: other0 ", " tunl0\n": " other0\n"}), "tunnel-device-missing", ERROR, "has no device tunl0"),
    Fault("no address", seed.node("ipip", A, links=BARE), "tunnel-address-missing", WARNING, "lacks the 192.168.97.0"),
    Fault("another address", seed.node("ipip", A, links={"inet 192.168.97.0/32": "inet 192.168.97.9/32"}), "tunnel-address-wrong", WARNING, "has 192.168.97.9, Calico gave it 192.168.97.0"),
    Fault("an address of another node's block", seed.node("ipip", A, links={"inet 192.168.97.0/32": "inet 192.168.210.190/32"}), "tunnel-address-wrong", ERROR, "belongs to k8s-calico3"),
]  # fmt: skip


@pytest.mark.parametrize("whole", [True, False], ids=["audit", "trace"])
@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_a_fault_is_named_alone(fault: Fault, whole: bool) -> None:
    scene = (scenes.audited if whole else scenes.traced)("ipip", fault.changed)
    found = scenes.found(tunnels.CHECKS, scene)
    assert [(one.code, one.node, one.severity) for one in found] == [(fault.code, A, fault.severity)]
    assert fault.words in found[0].summary
    assert found[0].evidence
    assert found[0].fix


def test_the_pool_and_the_device_are_the_evidence() -> None:
    (found,) = scenes.found(tunnels.CHECKS, scenes.audited("ipip", seed.node("ipip", A, links=DOWN)))
    assert found.evidence[0] == "API IPPool default: ipipMode Always"
    assert found.evidence[1].startswith("k8s-calico2: 3: tunl0@NONE: <NOARP> mtu 1440")
    assert found.fix[0] == "ssh k8s-calico2 sudo ip link set tunl0 up"


def test_felix_that_may_not_make_the_device_is_told_so() -> None:
    gone = {"3: tunl0@NONE": "3: other0@NONE", "3: tunl0 ": "3: other0 ", " tunl0\n": " other0\n"}
    felix = (FelixConfiguration("default", {"ipipEnabled": "false"}),)
    (found,) = scenes.found(tunnels.CHECKS, scenes.audited("ipip", seed.node("ipip", A, links=gone), felix=felix))
    assert "API FelixConfiguration: ipipEnabled false" in found.evidence
    assert any('"ipipEnabled":true' in line for line in found.fix)


@pytest.mark.parametrize("which", ["ipip", "bgp"])
def test_the_articles_clusters_are_silent(which: str) -> None:
    assert not scenes.found(tunnels.CHECKS, scenes.audited(which))
    assert not scenes.found(tunnels.CHECKS, scenes.traced(which))


def with_tunl0(flags: str, address: str) -> NodeFacts:
    """A node of the cluster without encapsulation that has a tunl0."""
    line = f"3: tunl0@NONE: <{flags}> mtu 1480 qdisc noqueue state UNKNOWN \\    link/ipip 0.0.0.0 brd 0.0.0.0\n"
    held = f"3: tunl0    inet {address}/32 scope global tunl0\n" if address else ""
    return seed.node("bgp", A, links={"7: calic285": f"{line}{held}7: calic285"})


def test_a_bare_tunl0_that_is_down_harms_nobody() -> None:
    assert not scenes.found(tunnels.CHECKS, scenes.audited("bgp", with_tunl0("NOARP", "")))
    assert not scenes.found(tunnels.CHECKS, scenes.audited("bgp", with_tunl0("NOARP,UP,LOWER_UP", "")))


def test_a_tunl0_left_behind_with_its_address_is_worth_knowing() -> None:
    scene = scenes.audited("bgp", with_tunl0("NOARP,UP,LOWER_UP", "192.168.97.0"))
    (found,) = scenes.found(tunnels.CHECKS, scene)
    assert (found.code, found.severity) == ("tunnel-left-behind", INFO)
    assert "the address 192.168.97.0" in found.summary


def test_a_tunl0_left_behind_that_routes_still_use_is_a_warning() -> None:
    facts = with_tunl0("NOARP,UP,LOWER_UP", "192.168.97.0")
    assert facts.host is not None
    route = seed.node("ipip", A).host
    assert route is not None
    lines = tuple(one for one in route.routes if one.device == "tunl0" and one.table == "main")
    facts = msgspec.structs.replace(
        facts, host=msgspec.structs.replace(facts.host, routes=(*facts.host.routes, *lines))
    )
    (found,) = scenes.found(tunnels.CHECKS, scenes.audited("bgp", facts))
    assert (found.code, found.severity) == ("tunnel-left-behind", WARNING)
    assert "3 routes lead into it" in found.summary
    assert any(line.endswith("dev tunl0 proto bird onlink") for line in found.evidence)


def test_without_pools_nobody_can_say_what_is_left_behind() -> None:
    lists = {"pools": (), "missing": (Missing("IPPools", "forbidden"),)}
    scene = scenes.audited("bgp", with_tunl0("NOARP,UP,LOWER_UP", "192.168.97.0"), **lists)
    assert not scenes.found(tunnels.CHECKS, scene)
    said = scenes.unchecked(tunnels.CHECKS, scene)
    assert {one.code for one in said} == {"tunnel-device-missing", "tunnel-left-behind"}
    assert all("forbidden" in one.reason for one in said)


def test_links_that_were_not_read_are_not_missing() -> None:
    facts = seed.node("ipip", A, links={"3: tunl0": "3: other0"}, complete=seed.EVERYTHING - {"links"})
    scene = scenes.audited("ipip", facts)
    assert not scenes.found((tunnels.devices,), scene)
    assert [(one.code, one.node) for one in scenes.unchecked((tunnels.devices,), scene)] == [
        ("tunnel-device-missing", A)
    ]


def test_a_trace_between_pods_of_one_node_needs_no_tunnel() -> None:
    snapshot = broken_vxlan("worker-1", flags=("BROADCAST",))
    audit, *traces = scenes.everyday(snapshot)
    assert [one.code for one in scenes.found(tunnels.CHECKS, audit)] == ["tunnel-device-down"]
    for scene in traces:
        assert scene.trace is not None
        crosses = scene.trace.source.node != scene.trace.destination.node
        touches = "worker-1" in (scene.trace.source.node, scene.trace.destination.node)
        pods = "pod" in (scene.trace.source.kind, scene.trace.destination.kind)
        found = [one.code for one in scenes.found(tunnels.CHECKS, scene)]
        assert found == (["tunnel-device-down"] if crosses and touches and pods else []), scene.trace.source


def changed_link(facts: NodeFacts, device: str, **changes: object) -> NodeFacts:
    assert facts.host is not None
    links = tuple(
        msgspec.structs.replace(link, **changes) if link.name == device else link for link in facts.host.links
    )
    return msgspec.structs.replace(facts, host=msgspec.structs.replace(facts.host, links=links))


def broken_vxlan(node: str, demo: str = "vxlan", **changes: object) -> Snapshot:
    snapshot = scenes.demo(demo)
    nodes = tuple(changed_link(one, "vxlan.calico", **changes) if one.name == node else one for one in snapshot.nodes)
    return msgspec.structs.replace(snapshot, nodes=nodes)


def test_a_mac_that_the_others_do_not_use_is_an_error() -> None:
    snapshot = broken_vxlan("worker-1", mac="66:00:00:00:00:01")
    (found,) = scenes.found(tunnels.CHECKS, Scene(snapshot.cluster, snapshot.nodes))
    assert (found.code, found.node, found.severity) == ("tunnel-mac-wrong", "worker-1", ERROR)
    assert set(found.affected) == {"control-1", "worker-2"}
    assert "API Node worker-1 projectcalico.org/VXLANTunnelMACAddr: 66:93:7f:54:d5:53" in found.evidence


def test_a_mac_without_the_others_read_is_a_warning() -> None:
    snapshot = broken_vxlan("worker-1", mac="66:00:00:00:00:01")
    nodes = [one for one in snapshot.nodes if one.name == "worker-1"]
    (found,) = scenes.found(tunnels.CHECKS, Scene(snapshot.cluster, nodes))
    assert (found.code, found.severity) == ("tunnel-mac-wrong", WARNING)


def test_a_tunnel_is_needed_across_subnets_only_where_there_are_several() -> None:
    snapshot = broken_vxlan("rack1-node1", "crosssubnet", flags=())
    found = scenes.found(tunnels.CHECKS, Scene(snapshot.cluster, snapshot.nodes))
    assert [(one.code, one.node) for one in found] == [("tunnel-device-down", "rack1-node1")]
    near = [node for node in snapshot.cluster.nodes if node.name != "rack2-node1"]
    one_rack = msgspec.structs.replace(
        snapshot.cluster,
        nodes=tuple(near),
        blocks=tuple(block for block in snapshot.cluster.blocks if block.node != "rack2-node1"),
        pods=tuple(pod for pod in snapshot.cluster.pods if pod.node != "rack2-node1"),
    )
    nodes = [facts for facts in snapshot.nodes if facts.name != "rack2-node1"]
    assert not scenes.found(tunnels.CHECKS, Scene(one_rack, nodes))


def test_windows_and_lonely_nodes_need_no_tunnel() -> None:
    ill = seed.node("ipip", A, links=DOWN)
    plain = scenes.cluster("ipip")
    windows = tuple(msgspec.structs.replace(node, labels={"kubernetes.io/os": "windows"}) for node in plain.nodes)
    assert not scenes.found((tunnels.devices,), scenes.audited("ipip", ill, nodes=windows))
    alone = tuple(node for node in plain.nodes if node.name == A)
    lists = {"nodes": alone, "blocks": plain.blocks[:1], "pods": ()}
    scene = Scene(msgspec.structs.replace(plain, **lists), [ill])
    assert not scenes.found((tunnels.devices,), scene)


def test_ebpf_keeps_no_address_on_the_device() -> None:
    felix = (FelixConfiguration("default", {"bpfEnabled": "true"}),)
    assert not scenes.found(tunnels.CHECKS, scenes.audited("ipip", seed.node("ipip", A, links=BARE), felix=felix))


@pytest.mark.parametrize("name", scenes.HEALTHY)
def test_healthy_recordings_are_silent(name: str) -> None:
    for scene in scenes.healthy(name):
        assert not scenes.found(tunnels.CHECKS, scene)


def test_an_ipv6_pool_asks_for_its_own_device() -> None:
    pool = IPPool("v6", "fd00:10::/48", vxlan_mode="Always")
    nodes = tuple(Node(name, bgp_address6=f"fd00::{number}/64") for number, name in enumerate("ab", 1))
    facts = [NodeFacts(name, "ssh", host=seed.namespace("", "")) for name in "ab"]
    blocks = (Block("fd00:10::/122", "a"), Block("fd00:10::40/122", "b"))
    scene = Scene(Cluster(pools=(pool,), nodes=nodes, blocks=blocks), facts)
    assert {one.subject for one in scenes.found(tunnels.CHECKS, scene)} == {"vxlan-v6.calico"}
