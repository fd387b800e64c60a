"""Slides of every demo and of every broken variant of the article's clusters."""

from __future__ import annotations

import threading
from itertools import pairwise

import msgspec
import pytest

from calitui.facts.cluster import IPPool
from calitui.facts.missing import Missing
from calitui.facts.node import NodeFacts
from calitui.session import demos, open_demo
from calitui.trace.ends import resolve
from calitui.trace.finding import Finding, Severity, Spot
from calitui.trace.path import Disposition, Evidence, Header, Observed, Step, Trace, Verdict
from calitui.trace.tracing import trace
from calitui.walkthrough.slides import ChangeKind, Kind, Slide, Walkthrough
from calitui.walkthrough.steps import walkthrough
from calitui.walkthrough.wording import Language, texts
from tests.trace import seed, test_dataplanes
from tests.trace.test_faults import FAULTS, A, B, Fault

DEMOS = tuple(demos())


def demo_trace(name: str) -> tuple[Trace, tuple[IPPool, ...]]:
    session = open_demo(name)
    pair = session.telling_pair()
    assert pair is not None
    found = session.trace(pair.source, pair.destination, lambda _: None, threading.Event())
    return found, session.cluster().pools


def said(slide: Slide, language: Language = Language.EN) -> str:
    known = texts(language)
    doubts = [f"{known.told(doubt.words)} {doubt.reason}" for doubt in slide.doubts]
    return "\n".join([known.titled(slide.title), *map(known.told, slide.paragraphs), *doubts])


def keys(slide: Slide) -> list[str]:
    return [words.key for words in slide.paragraphs]


def at(found: Walkthrough, step: Step, trace_: Trace, direction: int = 0, last: bool = False) -> Slide:
    numbers = [index for index, hop in enumerate(trace_.directions[direction].hops) if hop.step is step]
    return found.slides[found.at(direction, numbers[-1 if last else 0])]


def well_formed(found: Trace, pools: tuple[IPPool, ...] = ()) -> Walkthrough:
    """What holds of every walkthrough; returns it."""
    told = walkthrough(found, pools)
    assert told.slides[0].kind is Kind.OPENING
    assert told.slides[-1].kind is Kind.CLOSING
    assert [slide.direction for slide in told.slides] == sorted(slide.direction for slide in told.slides)
    for number, direction in enumerate(found.directions):
        hops = [slide for slide in told.slides if slide.direction == number and slide.kind is Kind.HOP]
        assert [slide.hop for slide in hops] == list(range(len(direction.hops)))
        reached = [station.hop for station in told.lines[number].stations if station.hop is not None]
        assert reached == list(range(len(direction.hops)))
        for before, after in pairwise(hops):
            assert before.after == after.before, "what is after a step is before the next"
        for slide in hops:
            assert bool(slide.changes) == (slide.before != slide.after)
            assert slide.lines or not direction.hops[slide.hop or 0].lines
    for slide in told.slides:
        assert slide.paragraphs
        assert slide.station is None or slide.station < len(told.lines[slide.direction].stations)
        for language in Language:
            words = said(slide, language)
            assert "{" not in words
            assert "None" not in words
    return told


@pytest.mark.parametrize("name", DEMOS)
def test_every_demo_can_be_walked(name: str) -> None:
    found, pools = demo_trace(name)
    told = well_formed(found, pools)
    text = "\n".join(said(slide) for slide in told.slides)
    assert "?" not in text.replace("Why?", "")


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_every_fault_can_be_walked_and_is_told(fault: Fault) -> None:
    found = seed.run(fault.which, fault.facts)
    told = well_formed(found)
    ending = next(slide for slide in told.slides if slide.kind is Kind.ENDING)
    assert ending.direction == 0
    assert f"lost.{fault.ends.value}" in keys(ending) or "ending.unknown" in keys(ending)
    last = told.slides[told.at(0, len(found.forward.hops) - 1)]
    lost = [doubt for doubt in last.doubts if doubt.grave]
    assert bool(lost) == (fault.ends is not Disposition.UNKNOWN)
    turn = next(slide for slide in told.slides if slide.kind is Kind.TURN)
    assert keys(turn)[-1] == ("turn.unknown" if fault.ends is Disposition.UNKNOWN else "turn.hypothetical")
    closing = f"closing.{(Verdict.UNKNOWN if fault.ends is Disposition.UNKNOWN else Verdict.BROKEN).value}"
    assert closing in keys(told.slides[-1])


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_hops_that_were_never_reached_are_on_the_line_as_such(fault: Fault) -> None:
    found = seed.run(fault.which, fault.facts)
    line = walkthrough(found).lines[0]
    arrived = found.forward.hops[-1].step is Step.CONTAINER_IN
    assert bool(line.unreached) != arrived
    assert line.stations[-1].step is Step.CONTAINER_IN
    steps = [station.step for station in line.stations]
    assert steps.count(Step.CONTAINER_IN) == 1
    assert steps.count(Step.NIC_IN) == 1
    assert steps.count(Step.TUNNEL_IN) == (1 if fault.which == "ipip" else 0)


def test_ipip_is_explained_where_it_happens() -> None:
    found = seed.run("ipip")
    told = well_formed(found)
    assert {"mode.ipip", "mode.ipip-why"} <= set(keys(told.slides[0]))
    assert "L2" in said(told.slides[0])
    assert "L3" in said(told.slides[0])
    out = at(told, Step.CONTAINER_OUT, found)
    assert {"pod-out.gateway", "pod-out.slash32", "pod-out.scope-link"} == set(keys(out))
    veth = at(told, Step.VETH_IN, found)
    assert "huang1.huangtest-69d9fddd97-2b8hr" in said(veth)
    assert {"veth-in.name", "veth-in.proxy-arp"} <= set(keys(veth))
    route = at(told, Step.ROUTE, found)
    assert keys(route) == ["route.match", "route.tunnel", "route.bird", "route.onlink"]
    wrap = at(told, Step.TUNNEL_OUT, found)
    assert [change.kind for change in wrap.changes] == [ChangeKind.PUT_ON]
    assert wrap.changes[0].header == Header("ipip", "10.173.32.23", "10.173.32.26")
    assert (len(wrap.before), len(wrap.after)) == (1, 2)
    assert "wrap.protocol-4" in keys(wrap)
    assert "1440" in said(wrap)
    between = next(slide for slide in told.slides if slide.kind is Kind.UNDERLAY)
    assert keys(between) == ["underlay.ipip", "underlay.link"]
    assert between.check == "ssh k8s-calico3 sudo tcpdump -ni eth0 'ip proto 4 and src host 10.173.32.23'"
    assert between.evidence is Evidence.INFERRED
    unwrap = at(told, Step.TUNNEL_IN, found)
    assert [change.kind for change in unwrap.changes] == [ChangeKind.TAKEN_OFF]
    pod = at(told, Step.ROUTE, found, last=True)
    assert keys(pod) == ["route.pod", "route.scope-link", "route.blackhole-wins"]


def test_without_encapsulation_nothing_is_wrapped_and_l2_is_the_reason() -> None:
    found = seed.run("bgp")
    told = well_formed(found)
    assert "mode.none" in keys(told.slides[0])
    assert keys(at(told, Step.ROUTE, found)) == ["route.match", "route.direct", "route.bird"]
    assert all(not slide.changes for slide in told.slides)
    assert "underlay.plain" in [key for slide in told.slides for key in keys(slide)]


def test_a_device_that_is_down_puts_no_header_on_and_takes_none_off() -> None:
    for name, step in (("tunl0 down on the way out", Step.TUNNEL_OUT), ("tunl0 down on the way in", Step.TUNNEL_IN)):
        fault = next(fault for fault in FAULTS if fault.name == name)
        found = seed.run(fault.which, fault.facts)
        slide = at(walkthrough(found), step, found)
        assert not slide.changes
        assert keys(slide) == ["wrap.fails" if step is Step.TUNNEL_OUT else "unwrap.fails"]


def test_a_next_hop_that_is_no_node_is_not_called_the_node() -> None:
    routed = seed.node("bgp", A, without=[seed.BGP_CALICO2[2]], more=[
        seed.BGP_CALICO2[2].replace("10.173.32.26", "10.173.32.99")])  # fmt: skip
    found = seed.run("bgp", routed)
    told = well_formed(found)
    assert "mode.none-routed" in keys(told.slides[0])
    assert "route.router" in keys(at(told, Step.ROUTE, found))
    assert "route.direct" not in keys(at(told, Step.ROUTE, found))
    between = next(slide for slide in told.slides if slide.kind is Kind.UNDERLAY and slide.direction == 0)
    assert keys(between) == ["underlay.plain", "underlay.router"]
    assert "10.173.32.99" in said(between)


def test_nothing_is_claimed_of_a_node_that_was_not_read() -> None:
    dead = NodeFacts(A, "ssh", missing=(Missing("node", "connection refused by 10.173.32.23:22", A),))
    found = seed.run("ipip", dead)
    told = well_formed(found)
    unread = next(slide for slide in told.slides if slide.evidence is Evidence.NOT_READ)
    assert keys(unread) == ["not-read"]
    assert unread.doubts[0].reason == "connection refused by 10.173.32.23:22"
    far = told.slides[told.at(0, len(found.forward.hops) - 1)]
    assert "doubt.blind" in [doubt.words.key for doubt in far.doubts]
    assert keys(told.slides[-1])[0] == "closing.unknown"


def test_an_inferred_step_says_so() -> None:
    found = seed.run("ipip", seed.node("ipip", A, containers=False))
    slide = at(walkthrough(found), Step.CONTAINER_OUT, found)
    assert slide.doubts[0].words.key == "doubt.inferred"
    assert "was not read" in slide.doubts[0].reason


def test_vxlan_is_explained_by_vtep_neighbour_and_forwarding_tables() -> None:
    found, pools = demo_trace("vxlan")
    told = well_formed(found, pools)
    wrap = at(told, Step.TUNNEL_OUT, found)
    assert {"wrap.vxlan-search", "wrap.vxlan", "wrap.mtu"} <= set(keys(wrap))
    assert "4789" in said(wrap)
    assert any("self permanent" in line for line in wrap.lines)
    assert {"route.vtep", "route.onlink", "route.felix-silent"} <= set(keys(at(told, Step.ROUTE, found)))


def test_a_pool_of_cross_subnet_says_why_it_tunnels_and_why_not() -> None:
    session = open_demo("crosssubnet")
    pools = session.cluster().pools
    ends = {"rack1": "shop/orders-szmvbfsrbd-5m9kh", "rack2": "shop/search-ttt2smqlx6-fpgtw"}
    for rack, key in (("rack1", "mode.cross-subnet-direct"), ("rack2", "mode.cross-subnet-tunnel")):
        found = session.trace("shop/cart-hdbfl74txm-8nzwv", ends[rack], lambda _: None, threading.Event())
        assert key in keys(well_formed(found, pools).slides[0])
        assert "CrossSubnet" not in said(walkthrough(found).slides[0]), "unknown pools are not guessed"


def test_wireguard_hides_what_is_inside() -> None:
    one, two = (
        test_dataplanes.facts(
            name,
            f"10.65.{third}.0/26 dev wireguard.cali table 1 scope link",
            device=test_dataplanes.WIREGUARD,
            rules=test_dataplanes.WIREGUARD_RULES,
        )
        for name, third in ((test_dataplanes.ONE, 2), (test_dataplanes.TWO, 1))
    )
    found = test_dataplanes.run(test_dataplanes.NEVER, one, two)
    told = well_formed(found)
    assert {"mode.wireguard", "mode.wireguard-why"} <= set(keys(told.slides[0]))
    assert "route.wireguard" in keys(at(told, Step.ROUTE, found))
    assert "wrap.wireguard" in keys(at(told, Step.TUNNEL_OUT, found))


def test_equal_next_hops_are_all_named() -> None:
    both = (
        "10.65.2.0/26 proto bird\n\tnexthop via 10.0.0.12 dev eth0 weight 1 \n\tnexthop via 10.0.0.1 dev eth0 weight 1 "
    )
    one = test_dataplanes.facts(test_dataplanes.ONE, both)
    two = test_dataplanes.facts(test_dataplanes.TWO, "10.65.1.0/26 via 10.0.0.11 dev eth0 proto bird")
    found = test_dataplanes.run(test_dataplanes.NEVER, one, two)
    slide = at(well_formed(found), Step.ROUTE, found)
    assert {"route.ecmp", "route.ecmp-open"} <= set(keys(slide))
    assert "10.0.0.12, 10.0.0.1" in said(slide)


def test_two_pods_of_one_node_need_no_underlay() -> None:
    session = open_demo("vxlan")
    found = session.trace("shop/cart-hdbfl74txm-8nzwv", "shop/web-fsrjcd5gnf-j99jg", lambda _: None, threading.Event())
    told = well_formed(found, session.cluster().pools)
    assert keys(told.slides[0])[0] == "opening.same-node"
    assert "mode.local" in keys(told.slides[0])
    assert not [slide for slide in told.slides if slide.kind is Kind.UNDERLAY]
    assert len(told.lines[0].machines) == 1
    assert "route.same-node" in keys(at(told, Step.ROUTE, found))


@pytest.mark.parametrize("ends", [("{pod}", "10.173.32.24"), ("10.173.32.24", "{pod}"), ("{pod}", "8.8.8.8")])
def test_ends_that_are_no_pods_can_be_walked(ends: tuple[str, str]) -> None:
    snapshot = open_demo("ipip").record(lambda _: None, threading.Event())
    first, second = (resolve(snapshot.cluster, end.format(pod=seed.IPIP_SOURCE)) for end in ends)
    found = trace(snapshot.cluster, snapshot.nodes, first, second)
    told = well_formed(found, snapshot.cluster.pools)
    text = [key for slide in told.slides for key in keys(slide)]
    if first.kind == "pod":
        assert "nic-out.snat" in text
        assert "opening.addresses" not in keys(told.slides[0])
        rewritten = [change for slide in told.slides for change in slide.changes]
        assert ChangeKind.REWRITTEN in [change.kind for change in rewritten]
    if second.kind == "external":
        assert "nic-out.leaves" in text
    else:
        assert "host-in" in text
        assert "host-out" in text


def test_the_reply_to_a_masqueraded_packet_gets_its_address_back() -> None:
    snapshot = open_demo("ipip").record(lambda _: None, threading.Event())
    first, second = (resolve(snapshot.cluster, end) for end in (seed.IPIP_SOURCE, "10.173.32.24"))
    found = trace(snapshot.cluster, snapshot.nodes, first, second)
    told = walkthrough(found)
    undone = next(slide for slide in told.slides if "route.un-snat" in keys(slide))
    assert [(change.header.dst, change.before and change.before.dst) for change in undone.changes] == [
        ("192.168.97.1", "10.173.32.23")
    ]


def test_ipv6_speaks_of_link_local_gateways_and_neighbour_discovery() -> None:
    session = open_demo("dualstack")
    pair = session.telling_pair()
    assert pair is not None
    found = session.trace(pair.source, pair.destination, lambda _: None, threading.Event(), 6)
    told = well_formed(found, session.cluster().pools)
    assert {"pod-out.gateway6", "pod-out.slash128"} == set(keys(at(told, Step.CONTAINER_OUT, found)))
    assert "veth-in.link-local" in keys(at(told, Step.VETH_IN, found))


def test_the_finding_of_the_lost_hop_is_told_with_what_to_type() -> None:
    fault = next(fault for fault in FAULTS if fault.name == "blackhole without the /32")
    found = seed.run(fault.which, fault.facts)
    mine = Finding(
        code="pod-route-missing",
        severity=Severity.ERROR,
        node=B,
        summary="no route to the pod",
        evidence=(f"{B} ip route: blackhole",),
        fix=("kubectl delete pod x",),
        hops=(Spot("forward", found.forward.hops[-1].number),),
    )
    other = msgspec.structs.replace(mine, code="mtu-too-big", hops=(Spot("return", 1),))
    told = walkthrough(msgspec.structs.replace(found, findings=(other, mine)))
    ending = next(slide for slide in told.slides if slide.kind is Kind.ENDING)
    assert ending.finding is mine
    assert ending.fix == ("kubectl delete pod x",)
    assert "ending.cause" in keys(ending)
    assert told.slides[-1].finding is mine
    unrelated = walkthrough(msgspec.structs.replace(found, findings=(other,)))
    ending = next(slide for slide in unrelated.slides if slide.kind is Kind.ENDING)
    assert ending.finding is None
    assert "ending.no-cause" in keys(ending)


def test_what_a_live_proof_saw_is_told_at_the_hop_and_between_the_machines() -> None:
    found = seed.run("ipip")

    def proven(arrived: bool | None) -> Walkthrough:
        hops = tuple(
            msgspec.structs.replace(
                hop, observed=Observed(seen=True if hop.number <= 5 else arrived, count=3, reason="r")
            )
            for hop in found.forward.hops
        )
        forward = msgspec.structs.replace(found.forward, hops=hops)
        return well_formed(msgspec.structs.replace(found, directions=(forward, found.back)))

    for arrived, key in ((True, "observed.crossed"), (False, "observed.vanished"), (None, "doubt.underlay")):
        told = proven(arrived)
        between = next(slide for slide in told.slides if slide.kind is Kind.UNDERLAY)
        assert [doubt.words.key for doubt in between.doubts] == [key]
        assert between.evidence is (Evidence.OBSERVED if arrived else Evidence.INFERRED)
        arrival = told.slides[told.at(0, 5)].doubts[0]
        assert (arrival.proven, arrival.grave) == (arrived is True, arrived is False)
    assert "doubt.underlay" in [doubt.words.key for slide in walkthrough(found).slides for doubt in slide.doubts]


def test_a_direction_without_hops_is_told_as_such() -> None:
    found = seed.run("ipip")
    empty = msgspec.structs.replace(found.forward, hops=(), disposition=Disposition.UNKNOWN)
    told = well_formed(msgspec.structs.replace(found, directions=(empty, found.back), verdict=Verdict.UNKNOWN))
    ending = next(slide for slide in told.slides if slide.kind is Kind.ENDING)
    assert keys(ending)[0] == "ending.no-hop"


def test_text_of_the_cluster_stays_text() -> None:
    found = seed.run("ipip")
    evil = "\x1b[31m[bold]{node}[/bold]\u202e"
    source = msgspec.structs.replace(found.source, name=evil)
    first = msgspec.structs.replace(found.forward.hops[0], node=evil, reason=evil)
    forward = msgspec.structs.replace(found.forward, hops=(first, *found.forward.hops[1:]))
    told = walkthrough(msgspec.structs.replace(found, source=source, directions=(forward, found.back)))
    words = "\n".join(texts(Language.EN).told(one) for slide in told.slides for one in slide.paragraphs)
    assert "\x1b" not in words
    assert "\u202e" not in words
    assert "[bold]{node}[/bold]" in words


@pytest.mark.parametrize("name", DEMOS)
def test_a_demo_begins_with_the_same_pair_of_nodes_apart(name: str) -> None:
    found, _ = demo_trace(name)
    assert found.source.node != found.destination.node
    assert open_demo(name).telling_pair() == open_demo(name).telling_pair()


@pytest.mark.parametrize(
    ("name", "source", "destination"),
    [("ipip", seed.IPIP_SOURCE, seed.IPIP_DESTINATION), ("bgp", seed.BGP_SOURCE, seed.BGP_DESTINATION)],
)
def test_the_articles_demos_begin_with_its_own_pair(name: str, source: str, destination: str) -> None:
    pair = open_demo(name).telling_pair()
    assert pair is not None
    assert (pair.source, pair.destination) == (source, destination)
