"""Host-network pods and nodes as ends: the kernel's choice of source, natOutgoing, and the reply to a masqueraded packet."""

from __future__ import annotations

import msgspec

from calitui.facts.missing import Missing
from calitui.facts.node import NodeFacts
from calitui.trace.ends import resolve
from calitui.trace.path import Encapsulation, Evidence, Header, Step, Trace, Verdict
from calitui.trace.tracing import trace
from tests.trace import seed

A, B = "k8s-calico2", "k8s-calico3"
ON_A, ON_B = "kube-system/calico-node-2", "kube-system/calico-node-3"


def run(source: str, destination: str, *changed: NodeFacts, which: str = "ipip", nat: bool = True) -> Trace:
    cluster = seed.cluster("Always" if which == "ipip" else "Never")
    pools = tuple(msgspec.structs.replace(pool, nat_outgoing=nat) for pool in cluster.pools)
    cluster = msgspec.structs.replace(cluster, pools=pools)
    return trace(cluster, seed.pair(which, *changed), resolve(cluster, source), resolve(cluster, destination))


def test_host_to_host_is_underlay_only() -> None:
    found = run(ON_A, ON_B)
    assert [hop.step for hop in found.forward.hops] == [
        Step.HOST_OUT,
        Step.ROUTE,
        Step.NIC_OUT,
        Step.NIC_IN,
        Step.ROUTE,
        Step.HOST_IN,
    ]
    assert found.forward.encapsulation is Encapsulation.NONE
    assert found.verdict is Verdict.DELIVERED
    assert found.forward.hops[1].packet == (Header("any", "10.173.32.23", "10.173.32.26"),)


def test_a_host_to_a_remote_pod_uses_the_tunnels_address_as_source() -> None:
    found = run(ON_A, seed.IPIP_DESTINATION)
    assert found.forward.hops[0].step is Step.HOST_OUT
    assert found.forward.hops[1].packet == (Header("any", "192.168.97.0", "192.168.210.129"),)
    assert found.forward.encapsulation is Encapsulation.IPIP
    assert found.back.hops[0].packet == (Header("any", "192.168.210.129", "192.168.97.0"),)
    assert found.back.hops[-1].step is Step.HOST_IN
    assert found.verdict is Verdict.DELIVERED


def test_a_pod_to_a_remote_host_is_masqueraded_and_the_reply_is_translated_back() -> None:
    found = run(seed.IPIP_SOURCE, ON_B)
    out = next(hop for hop in found.forward.hops if hop.step is Step.NIC_OUT)
    assert out.packet == (Header("any", "10.173.32.23", "10.173.32.26"),)
    assert "natOutgoing" in out.explanation
    assert found.forward.hops[-1].step is Step.HOST_IN
    assert found.back.hops[0].packet[0].dst == "10.173.32.23"
    translated = next(hop for hop in found.back.hops if hop.evidence is Evidence.INFERRED)
    assert "Connection tracking" in translated.explanation
    assert found.back.hops[-1].step is Step.CONTAINER_IN
    assert found.back.hops[-1].packet[0].dst == "192.168.97.1"
    assert found.verdict is Verdict.DELIVERED


def test_without_nat_outgoing_the_pods_address_stays() -> None:
    found = run(seed.IPIP_SOURCE, ON_B, nat=False)
    assert {hop.packet[-1].src for hop in found.forward.hops} == {"192.168.97.1"}
    assert found.back.encapsulation is Encapsulation.IPIP
    assert found.verdict is Verdict.DELIVERED


def test_a_pod_to_its_own_node_stays_there() -> None:
    found = run(seed.IPIP_SOURCE, ON_A)
    assert [hop.step for hop in found.forward.hops][-2:] == [Step.ROUTE, Step.HOST_IN]
    assert {hop.packet[-1].src for hop in found.forward.hops} == {"192.168.97.1"}
    assert {hop.node for hop in found.back.hops} == {A}
    assert found.verdict is Verdict.DELIVERED


def test_an_unread_node_of_a_host_end_is_inferred_and_unknown() -> None:
    dead = NodeFacts(A, "ssh", missing=(Missing("node", "refused", A),))
    found = run(ON_A, ON_B, dead)
    assert found.forward.hops[0].evidence is Evidence.INFERRED
    assert found.verdict is Verdict.UNKNOWN
