"""Each fault ends the direction at the hop where it happens, with its own disposition."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
import pytest

from calitui.facts.missing import Missing
from calitui.facts.node import Address, NodeFacts
from calitui.trace.ends import resolve
from calitui.trace.path import Disposition, Evidence, Step, Verdict
from calitui.trace.tracing import detours, trace
from tests.trace import seed

A, B = "k8s-calico2", "k8s-calico3"
FORWARD = "192.168.210.128/26 via 10.173.32.26 dev tunl0 proto bird onlink"
BGP_FORWARD = "192.168.210.192/26 via 10.173.32.26 dev eth0 proto bird"
DEFAULT = "default via 10.173.32.1 dev eth0"


class Fault(NamedTuple):
    name: str
    which: str
    facts: NodeFacts
    step: Step
    node: str
    ends: Disposition
    words: str


def swap(which: str, node: str, old: str, new: str) -> NodeFacts:
    return seed.node(which, node, without=[old], more=[new])


FAULTS = [
    Fault("blackhole", "ipip", swap("ipip", A, FORWARD, "blackhole 192.168.210.128/26 proto bird"),
          Step.ROUTE, A, Disposition.BLACKHOLE, "thrown away"),
    Fault("blackhole without the /32", "ipip", seed.node("ipip", B, without=["192.168.210.129 dev cali5ce61eb6bc2 scope link"]),
          Step.ROUTE, B, Disposition.BLACKHOLE, "a pod's /32 should be longer"),
    Fault("unreachable", "bgp", swap("bgp", A, BGP_FORWARD, "unreachable 192.168.210.192/26 proto bird"),
          Step.ROUTE, A, Disposition.UNREACHABLE, "BIRD"),
    Fault("prohibit", "bgp", swap("bgp", A, BGP_FORWARD, "prohibit 192.168.210.192/26"),
          Step.ROUTE, A, Disposition.PROHIBITED, "ICMP"),
    Fault("no route at all", "bgp",
          seed.node("bgp", A, without=[DEFAULT, BGP_FORWARD], more=["default dev eth0 table 77", "169.254.1.1 dev eth0"]),
          Step.ROUTE, A, Disposition.NO_ROUTE, "No route matches"),
    Fault("only the default route", "bgp", seed.node("bgp", A, without=[BGP_FORWARD]),
          Step.ROUTE, A, Disposition.UNKNOWN, "only the default route"),
    Fault("outer next hop is no node", "ipip", swap("ipip", A, FORWARD, FORWARD.replace("32.26", "32.99")),
          Step.ROUTE, A, Disposition.UNKNOWN, "10.173.32.99 is no node"),
    Fault("next hop is another node", "ipip", swap("ipip", A, FORWARD, FORWARD.replace("32.26", "32.25")),
          Step.ROUTE, A, Disposition.WRONG_NODE, "k8s-calico4"),
    Fault("the block is sent away by its owner", "ipip",
          seed.node("ipip", B, without=["192.168.210.129 dev cali5ce61eb6bc2 scope link", "blackhole 192.168.210.128/26 proto bird"],
                    more=["192.168.210.128/26 via 10.173.32.25 dev tunl0 proto bird onlink"]),
          Step.ROUTE, B, Disposition.WRONG_NODE, "sends it away"),
    Fault("the block is sent back where it came from", "ipip",
          seed.node("ipip", B, without=["192.168.210.129 dev cali5ce61eb6bc2 scope link"],
                    more=["192.168.210.129 via 10.173.32.23 dev tunl0 proto bird onlink"]),
          Step.ROUTE, B, Disposition.LOOP, "back to k8s-calico2"),
    Fault("source veth missing", "bgp", seed.node("bgp", A, links={"calic285cddbb40": "cali00000000000"}, containers=False),
          Step.VETH_IN, A, Disposition.DROPPED, "cable is missing"),
    Fault("destination veth missing", "bgp", seed.node("bgp", B, links={"8: calif6874dae1d2": "8: cali00000000000"}, containers=False),
          Step.VETH_OUT, B, Disposition.DROPPED, "cable is missing"),
    Fault("destination veth down", "bgp",
          seed.node("bgp", B, links={"<BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1440 qdisc noqueue state UP": "<NO-CARRIER,BROADCAST,MULTICAST,UP> mtu 1440 qdisc noqueue state LOWERLAYERDOWN"}),
          Step.VETH_OUT, B, Disposition.DROPPED, "LOWERLAYERDOWN"),
    Fault("tunl0 down on the way out", "ipip", seed.node("ipip", A, links={"<NOARP,UP,LOWER_UP>": "<NOARP>"}),
          Step.TUNNEL_OUT, A, Disposition.DROPPED, "tunl0 is down"),
    Fault("tunl0 down on the way in", "ipip", seed.node("ipip", B, links={"<NOARP,UP,LOWER_UP>": "<NOARP>"}),
          Step.TUNNEL_IN, B, Disposition.DROPPED, "nothing takes the outer header off"),
    Fault("NIC down", "bgp", seed.node("bgp", A, links={"eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc fq state UP": "eth0: <BROADCAST,MULTICAST> mtu 1500 qdisc fq state DOWN"}),
          Step.NIC_OUT, A, Disposition.DROPPED, "eth0 is down"),
    Fault("next hop does not answer ARP", "bgp", seed.node("bgp", A, neighbours="10.173.32.26 dev eth0  FAILED\n"),
          Step.NIC_OUT, A, Disposition.NO_NEIGHBOUR, "did not answer"),
    Fault("node address is on no device", "bgp", seed.node("bgp", B, links={"inet 10.173.32.26/24": "inet 10.173.32.77/24"}),
          Step.NIC_IN, B, Disposition.WRONG_NODE, "no device of k8s-calico3 holds 10.173.32.26"),
    Fault("outer packet routed into the tunnel again", "ipip",
          seed.node("ipip", A, more=["10.173.32.26 dev tunl0 scope link"]),
          Step.TUNNEL_OUT, A, Disposition.LOOP, "into tunl0 again"),
    Fault("forwarding off", "bgp",
          seed.node("bgp", A, sysctls="/proc/sys/net/ipv4/conf/calic285cddbb40/forwarding:0\n"),
          Step.ROUTE, A, Disposition.DROPPED, "forwarding is off"),
    Fault("proxy ARP off", "bgp",
          seed.node("bgp", A, sysctls="/proc/sys/net/ipv4/conf/calic285cddbb40/proxy_arp:0\n"),
          Step.VETH_IN, A, Disposition.NO_NEIGHBOUR, "proxy_arp"),
    Fault("no default route, so proxy ARP is silent", "bgp", seed.node("bgp", A, without=[DEFAULT]),
          Step.VETH_IN, A, Disposition.NO_NEIGHBOUR, "no default route"),
    Fault("the route points at another pod's veth", "bgp",
          seed.node("bgp", B, without=["192.168.210.194 dev calif6874dae1d2 scope link"], more=["192.168.210.194 dev cali00000000bad scope link"],
                    links={"8: calif6874dae1d2@if4": "8: cali00000000bad@if4"}, containers=False),
          Step.CONTAINER_IN, B, Disposition.UNKNOWN, "not read"),
    Fault("the pod's address is the node's own", "ipip",
          seed.node("ipip", B, more=["local 192.168.210.129 dev tunl0 table local proto kernel scope host"]),
          Step.ROUTE, B, Disposition.WRONG_NODE, "address of k8s-calico3 itself"),
    Fault("reverse path filter", "bgp",
          seed.node("bgp", B, answers=[seed.answer("192.168.210.194", "192.168.97.2", "eth0", "", "RTNETLINK answers: Invalid cross-device link")]),
          Step.ROUTE, B, Disposition.DROPPED, "reverse path"),
    Fault("reverse path filter, as newer kernels say it", "bgp",
          seed.node("bgp", B, answers=[seed.answer("192.168.210.194", "192.168.97.2", "eth0", "", "RTNETLINK answers: Invalid argument")]),
          Step.ROUTE, B, Disposition.DROPPED, "reverse path"),
    Fault("a rule that refuses", "bgp",
          seed.node("bgp", A, rules=seed.RULES + "50:\tfrom 192.168.97.0/26 unreachable\n",
                    answers=[seed.answer("192.168.210.194", "192.168.97.2", "calic285cddbb40", "", "RTNETLINK answers: Network is unreachable")]),
          Step.ROUTE, A, Disposition.UNREACHABLE, "rule refuses"),
    Fault("a rule that looks at ports", "bgp",
          seed.node("bgp", A, rules=seed.RULES + "50:\tfrom all ipproto tcp dport 80 lookup 77\n",
                    more=["default via 10.173.32.25 dev eth0 table 77"]),
          Step.CONTAINER_IN, B, Disposition.UNKNOWN, "delivered"),
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_direction_ends_where_the_fault_is(fault: Fault) -> None:
    found = seed.run(fault.which, fault.facts)
    last = found.forward.hops[-1]
    assert (last.step, last.node) == (fault.step, fault.node)
    assert found.forward.disposition is fault.ends
    assert fault.words in f"{last.explanation} {last.reason} {last.ends}"
    assert found.verdict is (Verdict.UNKNOWN if fault.ends is Disposition.UNKNOWN else Verdict.BROKEN)


def test_the_return_path_is_computed_although_the_forward_path_fails() -> None:
    found = seed.run("bgp", FAULTS[2].facts)
    assert found.back.disposition is Disposition.DELIVERED
    assert found.back.hops[-1].step is Step.CONTAINER_IN


def test_a_node_that_could_not_be_read_leaves_a_hop_and_the_destinations_own_view() -> None:
    dead = NodeFacts(A, "ssh", missing=(Missing("node", "connection refused by 10.173.32.23:22", A),))
    found = seed.run("ipip", dead)
    assert found.verdict is Verdict.UNKNOWN
    unread = [hop for hop in found.forward.hops if hop.evidence is Evidence.NOT_READ]
    assert [hop.node for hop in unread] == [A]
    assert unread[0].reason == "connection refused by 10.173.32.23:22"
    assert found.forward.hops[-1].node == B
    assert found.forward.hops[-1].step is Step.CONTAINER_IN
    assert dead.missing[0] in found.unread


def test_an_unread_destination_ends_in_a_hop_that_says_so() -> None:
    dead = NodeFacts(B, "ssh", missing=(Missing("node", "no answer within 5 s", B),))
    found = seed.run("ipip", dead)
    assert found.forward.disposition is Disposition.UNKNOWN
    assert found.forward.hops[-1].evidence is Evidence.NOT_READ
    assert found.forward.hops[-1].reason == "no answer within 5 s"
    assert found.forward.path_mtu is None


def test_a_blackhole_on_the_destination_is_known_although_the_source_was_not_read() -> None:
    dead = NodeFacts(A, "ssh", missing=(Missing("node", "refused", A),))
    broken = seed.node("ipip", B, without=["192.168.210.129 dev cali5ce61eb6bc2 scope link"])
    found = seed.run("ipip", dead, broken)
    assert found.forward.disposition is Disposition.BLACKHOLE
    assert found.verdict is Verdict.BROKEN


def test_absent_routes_are_no_evidence_when_the_section_was_cut() -> None:
    cut = seed.node("ipip", A, without=[FORWARD], complete=seed.EVERYTHING - {"routes"})
    found = seed.run("ipip", cut)
    assert found.verdict is Verdict.UNKNOWN
    assert found.forward.hops[2].evidence is Evidence.NOT_READ


def test_a_veth_of_another_name_makes_the_path_unknown_not_delivered() -> None:
    fault = next(fault for fault in FAULTS if fault.name == "the route points at another pod's veth")
    found = seed.run("bgp", fault.facts)
    veth = next(hop for hop in found.forward.hops if hop.step is Step.VETH_OUT)
    assert veth.disagreement
    assert "calif6874dae1d2" in veth.disagreement
    assert found.forward.disposition is Disposition.UNKNOWN


def test_a_pod_that_the_routes_place_on_another_node_is_reported_there() -> None:
    cluster = seed.cluster("Always")
    moved = tuple(
        msgspec.structs.replace(pod, node="k8s-calico4") if pod.name.startswith("hhh") else pod for pod in cluster.pods
    )
    found = seed.run("ipip", cluster_facts=msgspec.structs.replace(cluster, pods=moved))
    assert found.forward.disposition is Disposition.WRONG_NODE
    assert found.forward.hops[-1].step is Step.ROUTE


def test_behind_a_router_the_path_is_unknown_and_the_destinations_view_is_shown() -> None:
    routed = swap("bgp", A, BGP_FORWARD, "192.168.210.192/26 via 10.173.32.99 dev eth0 proto bird")
    found = seed.run("bgp", routed)
    assert found.forward.disposition is Disposition.UNKNOWN
    assert "10.173.32.99 is no node" in (found.forward.hops[2].reason or "")
    arrival = next(hop for hop in found.forward.hops if hop.step is Step.NIC_IN)
    assert (arrival.node, arrival.device, arrival.evidence) == (B, "eth0", Evidence.INFERRED)
    assert found.forward.hops[-1].step is Step.CONTAINER_IN
    assert found.verdict is Verdict.UNKNOWN


def test_behind_a_router_a_blackhole_on_the_destination_is_still_known() -> None:
    routed = swap("bgp", A, BGP_FORWARD, "192.168.210.192/26 via 10.173.32.99 dev eth0 proto bird")
    lost = seed.node("bgp", B, without=["192.168.210.194 dev calif6874dae1d2 scope link"])
    assert seed.run("bgp", routed, lost).forward.disposition is Disposition.BLACKHOLE


def test_without_the_rules_a_lookup_is_inferred_and_the_path_unknown() -> None:
    found = seed.run("bgp", seed.node("bgp", A, complete=seed.EVERYTHING - {"rules"}))
    hop = found.forward.hops[2]
    assert hop.evidence is Evidence.INFERRED
    assert "policy rules of k8s-calico2 were not read" in (hop.reason or "")
    assert found.forward.disposition is Disposition.UNKNOWN
    assert found.forward.hops[-1].step is Step.CONTAINER_IN


def test_a_blackhole_that_kernel_and_tables_agree_on_is_no_disagreement() -> None:
    said = seed.answer("192.168.210.129", "192.168.97.1", "cali3683f65394b", "", "RTNETLINK answers: Invalid argument")
    lost = seed.node("ipip", A, without=[FORWARD], more=["blackhole 192.168.210.128/26 proto bird"], answers=[said])
    hop = seed.run("ipip", lost).forward.hops[-1]
    assert (hop.ends, hop.evidence, hop.disagreement) == (Disposition.BLACKHOLE, Evidence.KERNEL, None)


def test_a_rule_that_can_not_be_judged_leaves_the_direction_unknown() -> None:
    fault = next(fault for fault in FAULTS if fault.name == "a rule that looks at ports")
    hop = seed.run("bgp", fault.facts).forward.hops[2]
    assert hop.evidence is Evidence.INFERRED
    assert "dport 80" in (hop.reason or "")


def test_a_third_node_that_knows_the_way_is_a_detour_and_one_that_does_not_ends_it() -> None:
    """Only what the third node does tells whether the packet arrives."""
    astray = swap("ipip", A, FORWARD, FORWARD.replace("32.26", "32.25"))
    third = msgspec.structs.replace(
        seed.node(
            "ipip", A, without=["local 10.173.32.23 dev eth0 table local proto kernel scope host src 10.173.32.23"]
        ),
        name="k8s-calico4",
        containers=(),
    )
    host = third.host
    assert host is not None
    own = msgspec.structs.replace(
        host,
        links=tuple(
            msgspec.structs.replace(link, addresses=(Address("10.173.32.25", 24),)) if link.name == "eth0" else link
            for link in host.links
        ),
    )
    knowing = msgspec.structs.replace(third, host=own)
    facts = seed.cluster("Always")
    source, destination = (resolve(facts, name) for name in (seed.IPIP_SOURCE, seed.IPIP_DESTINATION))
    unread = trace(facts, seed.pair("ipip", astray), source, destination)
    assert unread.forward.disposition is Disposition.WRONG_NODE
    assert detours(unread) == ("k8s-calico4",)
    known = trace(facts, (*seed.pair("ipip", astray), knowing), source, destination)
    assert known.forward.disposition is Disposition.DELIVERED
    assert "k8s-calico4" in {hop.node for hop in known.forward.hops}
    assert detours(known) == ()
    swallowing = msgspec.structs.replace(
        knowing,
        host=msgspec.structs.replace(
            own, routes=tuple(r for r in own.routes if not r.prefix.startswith("192.168.210.128"))
        ),
    )
    lost = trace(facts, (*seed.pair("ipip", astray), swallowing), source, destination)
    assert lost.forward.disposition is not Disposition.DELIVERED
