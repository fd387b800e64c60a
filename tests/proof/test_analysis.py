"""What a proof says of a path: hops seen, where packets are lost, and the verdict."""

from __future__ import annotations

import msgspec
import pytest

from calitui.facts.proof import Probe, Proof, RuleCount, Sighting, Watch
from calitui.proof.observing import OUTWARDS
from calitui.trace.finding import Finding, Severity, Spot
from calitui.trace.path import Disposition, Evidence, Header, Step, Trace, Verdict
from tests.proof.scenes import A, B, changed, codes, counted, healthy, hop, lost_at, proved, seen, with_watch
from tests.trace import seed

CHAIN = "filter cali-tw-cali5ce61eb6bc2"
DROP = RuleCount(B, CHAIN, "-A cali-tw-cali5ce61eb6bc2 -j DROP", 3, "drop")


@pytest.mark.parametrize("which", ["ipip", "bgp"])
def test_a_healthy_path_is_seen_at_every_hop(which: str) -> None:
    trace = seed.run(which)
    found = proved(trace, healthy(trace), which)
    for way in found.directions:
        assert seen(way) == [True] * len(way.hops)
        assert all(one.evidence is Evidence.OBSERVED for one in way.hops if one.step in OUTWARDS)
        assert {one.observed.count for one in way.hops if one.observed} == {3}
    assert found.verdict is Verdict.DELIVERED
    assert found.findings == ()
    assert found.notes[-1] == f"3 packets were sent from {trace.source.ip} to {trace.destination.ip}, 3 answered."
    assert found.proof is not None


def test_the_headers_before_and_after_the_tunnel_are_kept() -> None:
    trace = seed.run("ipip")
    there = proved(trace, healthy(trace)).forward
    inner, outer = (hop(there, step).observed for step in (Step.TUNNEL_OUT, Step.NIC_OUT))
    assert inner is not None
    assert outer is not None
    assert [one.protocol for one in inner.headers] == ["icmp"]
    assert [(one.protocol, one.src, one.dst) for one in outer.headers] == [
        ("ipip", "10.173.32.23", "10.173.32.26"),
        ("icmp", "192.168.97.1", "192.168.210.129"),
    ]


LOSSES = [
    (Step.CONTAINER_OUT, "dropped-in-node", "Packets were sent and never left k8s-calico2 eth0 in the container"),
    (
        Step.VETH_IN,
        "dropped-in-node",
        "Left k8s-calico2 eth0 in the container and never arrived at k8s-calico2 cali368",
    ),
    (Step.TUNNEL_OUT, "dropped-in-node", "Came in to k8s-calico2 cali3683f65394b and never left k8s-calico2 tunl0"),
    (Step.NIC_OUT, "dropped-in-node", "Left k8s-calico2 tunl0 and never left k8s-calico2 eth0"),
    (
        Step.NIC_IN,
        "underlay-drops-ipip",
        "Left k8s-calico2 eth0 as IPIP, never arrived at k8s-calico3 eth0: the underlay drops protocol 4.",
    ),
    (Step.TUNNEL_IN, "dropped-in-node", "Came in to k8s-calico3 eth0 as IPIP and never arrived at k8s-calico3 tunl0"),
    (Step.VETH_OUT, "dropped-in-node", "Came in to k8s-calico3 tunl0 and never left k8s-calico3 cali5ce61eb6bc2"),
    (Step.CONTAINER_IN, "dropped-in-node", "Left k8s-calico3 cali5ce61eb6bc2 and never arrived at k8s-calico3 eth0 in"),
]


@pytest.mark.parametrize(("step", "code", "words"), LOSSES, ids=[step for step, _, _ in LOSSES])
def test_the_first_hop_that_missed_the_packets_is_the_answer(step: Step, code: str, words: str) -> None:
    trace = seed.run("ipip")
    found = proved(trace, lost_at(healthy(trace), trace, step))
    assert found.verdict is Verdict.BROKEN
    assert found.forward.disposition is Disposition.DROPPED
    assert codes(found) == [code]
    (finding,) = found.findings
    assert finding.summary.startswith(words)
    missed = hop(found.forward, step)
    assert finding.hops == (Spot("forward", missed.number),)
    assert missed.ends is Disposition.DROPPED
    assert [one for one in found.forward.hops if one.ends] == [missed]
    assert found.back.disposition is Disposition.DELIVERED, "no reply says nothing of its way"
    assert set(seen(found.back)) == {None}


@pytest.mark.parametrize(
    "step", [Step.VETH_IN, Step.TUNNEL_OUT, Step.NIC_OUT, Step.NIC_IN, Step.TUNNEL_IN, Step.VETH_OUT, Step.CONTAINER_IN]
)
def test_a_lost_reply_names_its_hop(step: Step) -> None:
    trace = seed.run("ipip")
    found = proved(trace, lost_at(healthy(trace), trace, step, way="return"))
    assert codes(found) == ["reply-lost"]
    assert found.findings[0].hops == (Spot("return", hop(found.back, step).number),)
    assert found.forward.disposition is Disposition.DELIVERED
    assert found.back.disposition is Disposition.DROPPED
    assert found.verdict is Verdict.BROKEN


def test_plain_packets_that_the_underlay_drops() -> None:
    trace = seed.run("bgp")
    found = proved(trace, lost_at(healthy(trace), trace, Step.NIC_IN), "bgp")
    assert codes(found) == ["underlay-drops-plain"]
    assert "the underlay drops packets of 192.168.97.2" in found.findings[0].summary


def test_vxlan_that_the_underlay_drops() -> None:
    trace = _as_vxlan(seed.run("ipip"))
    found = proved(trace, lost_at(healthy(trace), trace, Step.NIC_IN))
    assert codes(found) == ["underlay-drops-vxlan"]
    assert found.findings[0].summary == (
        "Left k8s-calico2 eth0 as VXLAN, never arrived at k8s-calico3 eth0: the underlay drops UDP port 4789."
    )


def _as_vxlan(trace: Trace) -> Trace:
    def outer(header: Header) -> Header:
        return (
            Header("udp", header.src, header.dst, "VXLAN port 4789 VNI 4096") if header.protocol == "ipip" else header
        )

    replace = msgspec.structs.replace
    ways = tuple(
        replace(way, hops=tuple(replace(one, packet=tuple(outer(header) for header in one.packet)) for one in way.hops))
        for way in trace.directions
    )
    return replace(trace, directions=ways)


def test_the_rule_that_dropped_is_named_with_its_owner() -> None:
    trace = seed.run("ipip")
    other = RuleCount(B, "filter FORWARD", "-A FORWARD -j ACCEPT", 3, "accept")
    busy = RuleCount(B, "filter INPUT", "-A INPUT -j DROP", 40, "drop")
    elsewhere = RuleCount(A, "filter INPUT", "-A INPUT -j DROP", 3, "drop")
    proof = msgspec.structs.replace(lost_at(healthy(trace), trace, Step.VETH_OUT), rules=(other, busy, DROP, elsewhere))
    (found,) = proved(trace, proof).findings
    assert (
        f"a rule in chain {CHAIN} of pod huang2/hhh-6897d64fcd-kqsj4 on k8s-calico3 dropped 3 packets." in found.summary
    )
    assert [line for line in found.evidence if "more)" in line] == [
        f"k8s-calico3 {CHAIN}: {DROP.text} (3 packets more)",
        "k8s-calico3 filter INPUT: -A INPUT -j DROP (40 packets more)",
    ]
    assert found.node == B


@pytest.mark.parametrize("way", ["forward", "return"])
def test_the_reverse_path_filter_is_named_by_its_counter(way: str) -> None:
    trace = seed.run("ipip")
    node = B if way == "forward" else A
    proof = lost_at(healthy(trace), trace, Step.VETH_OUT, way=way)
    proof = msgspec.structs.replace(proof, carried=(counted(node, drops=3),))
    (found,) = proved(trace, proof).findings
    assert f"{node}'s reverse path filter (rp_filter) dropped 3 packets meanwhile" in found.summary
    assert found.code == ("dropped-in-node" if way == "forward" else "reply-lost")


@pytest.mark.parametrize(("drops", "named"), [(None, True), (0, False)])
def test_a_strict_reverse_path_filter_is_named_unless_its_counter_stood_still(drops: int | None, named: bool) -> None:
    known = Finding(code="rp-filter-strict", severity=Severity.ERROR, node=B, summary="It is strict.")
    trace = msgspec.structs.replace(seed.run("ipip"), findings=(known,))
    proof = lost_at(healthy(trace), trace, Step.VETH_OUT)
    proof = msgspec.structs.replace(proof, carried=(counted(B, drops=drops),))
    first = proved(trace, proof).findings[0]
    assert ("is strict and its route back" in first.summary) is named


def test_an_icmp_error_about_the_probe_is_evidence() -> None:
    trace = seed.run("ipip")
    proof = lost_at(healthy(trace), trace, Step.VETH_OUT)
    header = proof.sightings[0].headers[-1]
    said = msgspec.structs.replace(header, src="10.173.32.26", dst="192.168.97.1")
    error = Sighting(A, "eth0", 1001.0, "error", (said,), detail="communication administratively prohibited")
    proof = msgspec.structs.replace(proof, sightings=(*proof.sightings, error))
    assert (
        "k8s-calico2 eth0: 10.173.32.26 says communication administratively prohibited"
        in proved(trace, proof).findings[0].evidence
    )


# places that nobody watched


def test_what_was_not_watched_is_not_lost() -> None:
    trace = seed.run("ipip")
    proof = with_watch(changed(healthy(trace), lambda one: one.node == A), Watch(B, "tcpdump", reason="no tcpdump"))
    proof = with_watch(proof, Watch(B, "tcpdump", "192.168.210.129", reason="no tcpdump"))
    found = proved(trace, proof)
    assert codes(found) == []
    assert found.verdict is Verdict.DELIVERED, "it was answered"
    assert seen(found.forward) == [True, True, True, True, True, None, None, None, None, None]
    one = hop(found.forward, Step.NIC_IN).observed
    assert one is not None
    assert one.reason == "k8s-calico3 was not watched all the time: no tcpdump"


def test_packets_lost_behind_a_place_that_nobody_watched() -> None:
    trace = seed.run("ipip")
    proof = changed(healthy(trace), lambda one: one.kind == "request" and one.node == A, answered=0)
    proof = with_watch(proof, Watch(B, "tcpdump", reason="ended early"))
    found = proved(trace, proof)
    assert codes(found) == ["lost-on-the-way"]
    assert "k8s-calico3 tunl0" in found.findings[0].summary


def test_no_answer_and_nothing_watched_behind_is_not_known() -> None:
    trace = seed.run("ipip")
    proof = changed(healthy(trace), lambda one: one.kind == "request" and one.node == A, answered=0)
    proof = msgspec.structs.replace(proof, watches=tuple(one for one in proof.watches if one.node == A))
    found = proved(trace, proof)
    assert codes(found) == []
    assert found.notes[-1].startswith("Not answered; where the packets were lost was not seen")
    assert found.forward.disposition is Disposition.UNKNOWN, "no answer came: that speaks against what was computed"
    assert found.verdict is Verdict.UNKNOWN


def test_nothing_sent_is_nothing_seen() -> None:
    trace = seed.run("ipip")
    probe = Probe(A, "192.168.97.1", "192.168.210.129", error="the network namespace is gone")
    found = proved(trace, Proof(1.0, probe))
    assert set(seen(found.forward)) == {None}
    assert found.verdict is trace.verdict
    assert found.notes[-1] == "Nothing was sent: the network namespace is gone"


def test_counters_tell_with_less_certainty() -> None:
    trace = seed.run("ipip")
    proof = changed(healthy(trace), lambda one: False)
    for place in (A, B):
        proof = with_watch(proof, Watch(place, "counters", complete=True))
    rows = (("cali3683f65394b", 3, 3), ("tunl0", 3, 3), ("eth0", 57, 80))
    theirs = (("cali5ce61eb6bc2", 0, 2), ("tunl0", 3, 0), ("eth0", 40, 40))
    proof = msgspec.structs.replace(proof, carried=(counted(A, *rows), counted(B, *theirs)))
    there = proved(trace, proof).forward
    said = {one.step: one.observed for one in there.hops if one.observed and one.step in OUTWARDS}
    assert said[Step.VETH_IN].seen is True
    assert "whose they are was not seen" in said[Step.VETH_IN].reason
    assert said[Step.NIC_OUT].seen is None
    assert said[Step.NIC_OUT].count == 80
    assert said[Step.VETH_OUT].seen is None
    assert hop(there, Step.VETH_IN).evidence is Evidence.TABLE


# what differs from what was computed


def test_a_rewritten_source_is_told_with_the_node() -> None:
    trace = seed.run("ipip")

    def rewrite(one: Sighting) -> Sighting:
        if one.kind != "request" or one.node != A or one.device == "cali3683f65394b" or one.container:
            return one if one.kind != "request" or one.node == A else _from(one, "10.173.32.23")
        return _from(one, "10.173.32.23")

    proof = healthy(trace)
    rule = RuleCount(A, "nat POSTROUTING", "-A POSTROUTING -j MASQUERADE", 1, "snat")
    proof = msgspec.structs.replace(proof, sightings=tuple(map(rewrite, proof.sightings)), rules=(rule,))
    found = proved(trace, proof)
    assert codes(found) == ["source-rewritten"]
    assert "their source is changed on k8s-calico2" in found.findings[0].summary
    assert found.findings[0].hops == (Spot("forward", hop(found.forward, Step.TUNNEL_OUT).number),)
    assert any("MASQUERADE" in line for line in found.findings[0].evidence)
    assert found.verdict is Verdict.DELIVERED


def _from(one: Sighting, source: str) -> Sighting:
    inner = msgspec.structs.replace(one.headers[-1], src=source)
    return msgspec.structs.replace(one, headers=(*one.headers[:-1], inner))


def test_a_pod_that_does_not_answer() -> None:
    trace = seed.run("ipip")
    proof = changed(healthy(trace), lambda one: one.kind == "request", answered=0)
    found = proved(trace, proof)
    assert codes(found) == ["not-answered"]
    assert found.forward.disposition is Disposition.DELIVERED
    assert found.verdict is Verdict.UNKNOWN, "nothing is known of the way back"


def test_a_path_that_was_computed_to_break_and_delivers() -> None:
    whole = seed.run("ipip")
    route = "192.168.210.128/26 via 10.173.32.26 dev tunl0 proto bird onlink"
    trace = seed.run("ipip", seed.node("ipip", A, without=[route], more=["blackhole 192.168.210.128/26"]))
    assert trace.verdict is Verdict.BROKEN
    found = proved(trace, healthy(whole))
    assert codes(found)[0] == "prediction-wrong"
    assert found.forward.disposition is Disposition.DELIVERED
    assert found.verdict is Verdict.DELIVERED
    last = found.forward.hops[-1]
    assert (last.step, last.ends, last.evidence) == (Step.CONTAINER_IN, Disposition.DELIVERED, Evidence.OBSERVED)


def test_a_path_that_was_computed_to_break_and_does_is_confirmed() -> None:
    whole = seed.run("ipip")
    route = "192.168.210.128/26 via 10.173.32.26 dev tunl0 proto bird onlink"
    trace = seed.run("ipip", seed.node("ipip", A, without=[route], more=["blackhole 192.168.210.128/26"]))
    assert trace.forward.disposition is Disposition.BLACKHOLE
    found = proved(trace, lost_at(healthy(whole), whole, Step.TUNNEL_OUT))
    assert codes(found) == []
    assert found.forward.disposition is Disposition.BLACKHOLE
    ending = found.forward.hops[-1]
    assert ending.observed is not None
    assert ending.observed.seen is False
    assert ending.observed.reason.startswith("confirmed: the packets came as far as k8s-calico2 cali3683f65394b in")
    assert any(note.startswith("Confirmed: ") for note in found.notes)


def test_packets_lost_before_the_place_where_they_were_computed_to_be() -> None:
    whole = seed.run("ipip")
    without = seed.node("ipip", B, without=["192.168.210.129 dev cali5ce61eb6bc2 scope link"])
    trace = seed.run("ipip", without)
    found = proved(trace, lost_at(healthy(whole), whole, Step.NIC_IN))
    assert codes(found) == ["underlay-drops-ipip"]


def test_another_device_than_computed() -> None:
    trace = seed.run("bgp")

    def moved(one: Sighting) -> Sighting:
        is_it = one.node == A and one.device == "eth0" and one.container is None and one.kind == "request"
        return msgspec.structs.replace(one, device="eth1") if is_it else one

    proof = healthy(trace)
    proof = msgspec.structs.replace(proof, sightings=tuple(map(moved, proof.sightings)))
    found = proved(trace, proof, "bgp")
    assert codes(found) == ["prediction-wrong"]
    assert found.findings[0].summary == "Packets took eth1 of k8s-calico2, not eth0 as computed."
    one = hop(found.forward, Step.NIC_OUT).observed
    assert one is not None
    assert (one.seen, one.device) == (False, "eth1")


def test_another_tunnel_than_computed() -> None:
    trace = seed.run("ipip")

    def bare(one: Sighting) -> Sighting:
        is_it = one.device == "eth0" and one.container is None and one.kind == "request"
        return msgspec.structs.replace(one, headers=one.headers[-1:]) if is_it else one

    proof = healthy(trace)
    kept = (one for one in proof.sightings if one.device != "tunl0" or one.kind == "reply")
    proof = msgspec.structs.replace(proof, sightings=tuple(map(bare, kept)))
    found = proved(trace, proof)
    assert set(codes(found)) == {"prediction-wrong"}
    assert any("eth0 as they are, they were to be inside of IPIP" in one.summary for one in found.findings)
    assert found.verdict is Verdict.DELIVERED


def test_a_proof_of_another_pair_is_refused() -> None:
    trace = seed.run("ipip")
    with pytest.raises(ValueError, match="a proof of"):
        proved(seed.run("bgp"), healthy(trace))


def test_a_proof_of_the_other_family_goes_to_its_trace() -> None:
    trace = seed.run("ipip")
    both = msgspec.structs.replace(seed.run("bgp"), other_family=trace)
    found = proved(both, healthy(trace))
    assert found.proof is None
    assert found.other_family is not None
    assert found.other_family.proof is not None


def test_packets_that_some_miss_are_told() -> None:
    trace = seed.run("ipip")
    proof = changed(
        healthy(trace), lambda one: not (one.node == B and one.kind == "request" and one.sequence == 2), answered=2
    )
    found = proved(trace, proof)
    assert found.verdict is Verdict.DELIVERED
    assert "k8s-calico3 eth0 in saw 2 of 3 packets." in found.notes
