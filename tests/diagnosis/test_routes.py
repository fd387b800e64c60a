"""Each fault of the routes between nodes, and of pods' own routes, on the article's clusters: one line changed each."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calitui.diagnosis.catalogue import CATALOGUE
from calitui.diagnosis.grouping import group
from calitui.diagnosis.pods import checks as pods
from calitui.diagnosis.routes import checks as routes
from calitui.diagnosis.routes import kernel as kernel_routes
from calitui.diagnosis.routes.routing import Routing, State
from calitui.diagnosis.scene import Scene
from calitui.facts.bird import Bird, BirdAnswer
from calitui.facts.cluster import (
    Allocation,
    BGPConfiguration,
    BGPPeer,
    Block,
    Cluster,
    FelixConfiguration,
    IPPool,
    Pod,
)
from calitui.facts.missing import Missing
from calitui.facts.node import NodeFacts
from calitui.nodes.parse.bird import parse_bird
from calitui.session import demos, open_demo
from calitui.trace.finding import Finding, Severity, Unchecked
from calitui.trace.path import Trace
from calitui.trace.veth import veth_name
from tests.trace import seed

A, B, C = "k8s-calico2", "k8s-calico3", "k8s-calico4"
BLOCKS = {
    "ipip": {A: "192.168.97.0/26", B: "192.168.210.128/26"},
    "bgp": {A: "192.168.97.0/26", B: "192.168.210.192/26"},
}
FORWARD = "192.168.210.128/26 via 10.173.32.26 dev tunl0 proto bird onlink"
PLAIN = "192.168.210.192/26 via 10.173.32.26 dev eth0 proto bird"
OWN = "192.168.210.129 dev cali5ce61eb6bc2 scope link"
CHECKS = (*routes.CHECKS, kernel_routes.not_in_kernel, *pods.CHECKS)


def cluster(which: str, **changes: object) -> Cluster:
    facts = seed.cluster("Always" if which == "ipip" else "Never")
    blocks = tuple(Block(cidr, node) for node, cidr in BLOCKS[which].items())
    return msgspec.structs.replace(facts, **{"blocks": blocks, **changes})


def swap(which: str, node: str, old: str, *new: str) -> NodeFacts:
    return seed.node(which, node, without=[old], more=new)


def said(facts: Cluster, nodes: Iterable[NodeFacts], trace: Trace | None = None) -> list[Finding | Unchecked]:
    scene = Scene(facts, nodes, trace)
    return [one for check in CHECKS for one in check(scene)]


def findings(facts: Cluster, nodes: Iterable[NodeFacts], trace: Trace | None = None) -> list[Finding]:
    found = [one for one in said(facts, nodes, trace) if isinstance(one, Finding)]
    return list(group(found, CATALOGUE).findings)


class Fault(NamedTuple):
    name: str
    which: str
    changed: NodeFacts
    code: str
    node: str
    words: str
    facts: Mapping[str, object] = MappingProxyType({})


FAULTS = [
    Fault("block route gone", "ipip", seed.node("ipip", A, without=[FORWARD]), "block-route-missing", A, "no route to pods on k8s-calico3"),
    Fault("BIRD could not resolve", "bgp", swap("bgp", A, PLAIN, "unreachable 192.168.210.192/26 proto bird"), "block-route-unreachable", A, "refuses"),
    Fault("second owner", "ipip", swap("ipip", A, FORWARD, "blackhole 192.168.210.128/26 proto bird"), "block-owned-twice", A, "as if the block were its own"),
    Fault("route by hand", "ipip", swap("ipip", A, FORWARD, "192.168.210.128/26 via 10.173.32.1 dev eth0"), "foreign-route", A, "not Calico's"),
    Fault("route of another daemon", "bgp", swap("bgp", A, PLAIN, "192.168.210.192/26 via 10.173.32.1 dev eth0 proto zebra metric 20"), "foreign-route", A, "zebra"),
    Fault("prohibited by hand", "bgp", swap("bgp", A, PLAIN, "prohibit 192.168.210.192/26 proto static"), "foreign-route", A, "not Calico's"),
    Fault("not encapsulated", "ipip", swap("ipip", A, FORWARD, "192.168.210.128/26 via 10.173.32.26 dev eth0 proto bird"), "pool-mode-route-mismatch", A, "in IPIP (tunl0)"),
    Fault("encapsulated against the pool", "ipip", seed.node("ipip", A), "pool-mode-route-mismatch", "", "without a tunnel",
          {"pools": (IPPool("default", "192.168.0.0/16"),)}),
    Fault("multipath", "ipip", swap("ipip", A, FORWARD, "192.168.210.128/26 proto bird\n\tnexthop via 10.173.32.26 dev eth0 weight 1\n\tnexthop via 10.173.32.1 dev eth0 weight 1"),
          "multipath-not-encapsulated", A, "several next hops"),
    Fault("gateway on one L2", "bgp", swap("bgp", A, PLAIN, "192.168.210.192/26 via 10.173.32.1 dev eth0 proto bird"), "next-hop-is-gateway", A, "to the router 10.173.32.1"),
    Fault("another node", "ipip", swap("ipip", A, FORWARD, FORWARD.replace("32.26", "32.25")), "block-route-wrong-next-hop", A, "to k8s-calico4"),
    Fault("an address that is no node", "ipip", swap("ipip", A, FORWARD, FORWARD.replace("32.26", "32.99")), "block-route-wrong-next-hop", A, "no node of the cluster"),
    Fault("blackhole without the /32", "ipip", seed.node("ipip", B, without=[OWN]), "pod-route-missing", B, "blackhole swallows"),
    Fault("the /32 on a stale veth", "ipip", swap("ipip", B, OWN, "192.168.210.129 dev cali00000000001 scope link"), "pod-route-wrong-device", B, "instead of the pod's own device cali5ce61eb6bc2"),
    Fault("veth gone", "bgp", seed.node("bgp", B, without=["192.168.210.194 dev calif6874dae1d2 scope link"], links={"8: calif6874dae1d2": "8: cali00000000000"}),
          "pod-veth-missing", B, "no device calif6874dae1d2"),
    Fault("the pod's address on another node too", "ipip", seed.node("ipip", A, more=["192.168.210.129 dev cali00000000009 scope link"]), "pod-route-wrong-device", A, "for a pod of its own"),
    Fault("both write routes", "ipip", seed.node("ipip", A), "cluster-routes-programmed-twice", "", "each undoes",
          {"felix": (FelixConfiguration("default", {"programClusterRoutes": "Enabled"}),), "bgp": (BGPConfiguration("default", program_cluster_routes="Enabled"),)}),
    Fault("nobody writes routes", "ipip", seed.node("ipip", A, without=[FORWARD]), "cluster-routes-programmed-never", "", "Neither",
          {"felix": (FelixConfiguration("default", {"programClusterRoutes": "Disabled"}),), "bgp": (BGPConfiguration("default", program_cluster_routes="Disabled"),)}),
]  # fmt: skip


def pair(fault: Fault) -> tuple[NodeFacts, ...]:
    return seed.pair(fault.which, fault.changed)


@pytest.mark.parametrize("whole", [True, False], ids=["audit", "trace"])
@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_a_fault_is_named_alone(fault: Fault, whole: bool) -> None:
    facts = cluster(fault.which, **fault.facts)
    trace = None if whole else seed.run(fault.which, fault.changed, cluster_facts=facts)
    found = findings(facts, pair(fault), trace)
    assert [(one.code, one.node or "") for one in found] == [(fault.code, fault.node)], found
    assert fault.words in found[0].summary
    assert found[0].evidence
    assert found[0].fix


@pytest.mark.parametrize("which", ["ipip", "bgp"])
def test_the_healthy_clusters_are_silent(which: str) -> None:
    facts = cluster(which)
    assert not findings(facts, seed.pair(which))
    assert not findings(facts, seed.pair(which), seed.run(which, cluster_facts=facts))


@pytest.mark.parametrize("name", [name for name in demos() if not name.startswith("broken")])
def test_healthy_recordings_are_silent(name: str) -> None:
    audit = open_demo(name).audit(lambda _: None, threading.Event())
    ours = {entry.code for entries in (routes.ENTRIES, pods.ENTRIES) for entry in entries}
    assert not [finding for finding in audit.findings if finding.code in ours]
    assert set("".join(audit.rows)) <= set(".=-")


def test_what_was_not_read_is_not_missing() -> None:
    facts = cluster("ipip")
    cut = seed.node("ipip", A, without=[FORWARD], complete=seed.EVERYTHING - {"routes"})
    assert not findings(facts, seed.pair("ipip", cut))
    unchecked = {(one.code, one.node) for one in said(facts, seed.pair("ipip", cut)) if isinstance(one, Unchecked)}
    assert {("block-route-missing", A), ("pod-route-missing", A)} <= unchecked


def test_without_pools_or_blocks_nothing_is_expected() -> None:
    broken = seed.pair("ipip", seed.node("ipip", A, without=[FORWARD]))
    for changes in ({"pools": ()}, {"missing": (Missing("IPAM blocks", "forbidden"),)}):
        found = said(cluster("ipip", **changes), broken)
        assert not [one for one in found if isinstance(one, Finding)]
        assert any(isinstance(one, Unchecked) and one.code == "block-route-missing" for one in found)


def test_a_router_in_between_without_a_tunnel_is_said_to_be() -> None:
    """The seed's "why ipip": two networks, no tunnel, and a router that nobody told."""
    nodes = tuple(
        msgspec.structs.replace(node, bgp_address="10.9.9.26/24", internal_ips=("10.9.9.26",))
        if node.name == B
        else node
        for node in cluster("bgp").nodes
    )
    away = swap("bgp", A, PLAIN, "192.168.210.192/26 via 10.173.32.1 dev eth0 proto bird")
    facts = cluster("bgp", nodes=nodes)
    found = findings(facts, (away,))
    assert [one.code for one in found] == ["no-l2-path"]
    assert found[0].severity is Severity.WARNING
    assert "CrossSubnet" in found[0].fix[0]
    # A router that speaks BGP knows the pods.
    assert not findings(cluster("bgp", nodes=nodes, bgp_peers=(BGPPeer("tor", "10.173.32.1"),)), (away,))


def test_a_borrowed_address_falls_into_the_owners_blackhole() -> None:
    borrower = Pod("huang1", "borrower", A, ("192.168.210.150",), "Running", "Running")
    facts = cluster("ipip")
    blocks = (
        Block(BLOCKS["ipip"][A], A),
        Block(BLOCKS["ipip"][B], B, (Allocation("192.168.210.150", A, "huang1", "borrower"),)),
    )
    facts = msgspec.structs.replace(facts, pods=(*facts.pods, borrower), blocks=blocks)
    name = veth_name("huang1", "borrower")
    own = seed.node("ipip", A, more=[f"192.168.210.150 dev {name} scope link"])
    found = [one for one in findings(facts, seed.pair("ipip", own)) if one.subject == "192.168.210.150"]
    assert [(one.code, one.node) for one in found] == [("borrowed-address-blackholed", B)]
    healed = seed.node("ipip", B, more=["192.168.210.150 via 10.173.32.23 dev tunl0 proto bird onlink"])
    assert not [one for one in findings(facts, seed.pair("ipip", own, healed)) if one.subject == "192.168.210.150"]


def test_many_missing_routes_are_one_finding_on_the_node_they_have_in_common() -> None:
    facts = cluster(
        "ipip", blocks=tuple(Block(f"192.168.{number}.0/26", name) for number, name in enumerate(seed.ADDRESSES))
    )
    nodes = [msgspec.structs.replace(seed.node("ipip", A), name=name) for name in seed.ADDRESSES]
    found = [one for one in findings(facts, nodes) if one.code == "block-route-missing"]
    # Nobody has any of these routes: each node lacks three.
    assert sorted(str(one.node) for one in found) == sorted(seed.ADDRESSES)
    assert all(len(one.affected) == 3 for one in found)


def test_a_block_that_nobody_has_a_route_to_is_one_finding_on_its_owner() -> None:
    """Two nodes lack the block of a third, and nothing else."""
    own = "blackhole 192.168.97.0/26 proto bird"
    there = "192.168.97.0/26 via 10.173.32.23 dev tunl0 proto bird onlink"
    third = msgspec.structs.replace(seed.node("ipip", A, without=[FORWARD, own], more=[there]), name=C)
    facts = cluster("ipip", pods=())
    found = findings(facts, (*seed.pair("ipip", seed.node("ipip", A, without=[FORWARD])), third))
    lacking = [one for one in found if one.code == "block-route-missing" and one.subject == "192.168.210.128/26"]
    assert [(one.node, sorted(one.affected)) for one in lacking] == [(B, [A, C])]
    assert "2 nodes have no route" in lacking[0].summary


def test_with_routers_that_speak_bgp_the_default_route_may_be_meant() -> None:
    facts = cluster("bgp", bgp=(BGPConfiguration("default", mesh=False),), bgp_peers=(BGPPeer("tor", "10.173.32.1"),))
    found = findings(facts, seed.pair("bgp", seed.node("bgp", A, without=[PLAIN])))
    assert [(one.code, one.severity) for one in found] == [("block-route-missing", Severity.INFO)]


def test_bird_has_it_and_the_kernel_does_not() -> None:
    text = "192.168.210.128/26 via 10.173.32.26 on eth0 [Mesh_10_173_32_26 2026-01-01] * (100/0) [i]\n"
    bird = Bird(4, "/var/run/calico/bird.ctl", BirdAnswer(routes=parse_bird(text).routes), complete=True)
    lost = msgspec.structs.replace(seed.node("ipip", A, without=[FORWARD]), birds=(bird,))
    found = findings(cluster("ipip"), seed.pair("ipip", lost))
    assert [(one.code, one.node) for one in found] == [("route-not-in-kernel", A)]
    assert found[0].consequences
    healthy = msgspec.structs.replace(seed.node("ipip", A), birds=(bird,))
    assert not findings(cluster("ipip"), seed.pair("ipip", healthy))


def test_a_judgement_names_where_the_route_leads() -> None:
    wrong = swap("ipip", A, FORWARD, FORWARD.replace("32.26", "32.25"))
    scene = Scene(cluster("ipip"), seed.pair("ipip", wrong))
    judged = [one for one in scene.of(Routing).faults if one.state is not State.NOT_KNOWN]
    assert [(one.node, one.claim.node, one.state, one.leads_to) for one in judged] == [(A, B, State.WRONG_NEXT_HOP, C)]


GARBAGE = st.one_of(
    st.text(max_size=12), st.sampled_from(["", "0.0.0.0/0", "10.0.0.0/33", "::/0", "1.2.3.4/-1", "192.168.210.128/26"])
)


@given(cidr=GARBAGE, ip=GARBAGE, mask=GARBAGE, pool=GARBAGE)
def test_garbage_never_raises(cidr: str, ip: str, mask: str, pool: str) -> None:
    facts = cluster("ipip")
    facts = msgspec.structs.replace(
        facts,
        blocks=(*facts.blocks, Block(cidr, A, (Allocation(ip, B),)), Block(cidr, B)),
        pools=(*facts.pools, IPPool("odd", pool, ipip_mode=mask)),
        nodes=tuple(msgspec.structs.replace(node, bgp_address=mask, internal_ips=(ip,)) for node in facts.nodes),
    )
    said(facts, seed.pair("ipip"))
