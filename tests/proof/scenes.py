"""Proofs of the article's examples, made of what a healthy path shows, so that a test can take away what is lost."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from calitui.facts.node import Counters
from calitui.facts.proof import Carried, Probe, Proof, SeenHeader, Sighting, Watch
from calitui.proof.analysis import prove
from calitui.proof.observing import OUTWARDS
from calitui.trace.path import Direction, Endpoint, Header, Hop, Step, Trace
from tests.trace import seed

A, B = "k8s-calico2", "k8s-calico3"
SENT = 3
INSIDE = (Step.CONTAINER_OUT, Step.CONTAINER_IN)
PLAIN = (Step.TUNNEL_OUT, Step.TUNNEL_IN)


def seen_header(header: Header, detail: str) -> SeenHeader:
    """A computed header as a capture shows it."""
    if header.protocol == "any":
        return SeenHeader("icmp", header.src, header.dst, 63, 84, dont_fragment=True, detail=detail)
    ports = (40000, 4789) if header.protocol == "udp" else (None, None)
    return SeenHeader(header.protocol, header.src, header.dst, 64, 104, ports[0], ports[1], detail=header.detail)


def sightings_of(direction: Direction, source: Endpoint, destination: Endpoint, kind: str) -> list[Sighting]:
    """What a capture everywhere sees of `SENT` packets that take this direction."""
    found = []
    for number in range(SENT):
        detail = f"echo {kind}, id 7, seq {number + 1}"
        for place, hop in enumerate(direction.hops):
            if hop.step not in OUTWARDS:
                continue
            packet = hop.packet[-1:] if hop.step in PLAIN else hop.packet
            inside = {Step.CONTAINER_OUT: source.ip, Step.CONTAINER_IN: destination.ip}.get(hop.step)
            found.append(
                Sighting(
                    node=hop.node or "?",
                    device=hop.device or "?",
                    time=1000.0 + number + place / 1000,
                    kind=kind,
                    headers=tuple(seen_header(header, detail) for header in packet),
                    container=inside,
                    outgoing=OUTWARDS[hop.step],
                    sequence=number + 1,
                )
            )
    return found


def watches(trace: Trace, how: str = "tcpdump") -> tuple[Watch, ...]:
    """Everything watched, all the time."""
    ends = (trace.source, trace.destination)
    hosts = tuple(Watch(name, how, complete=True) for name in (A, B))
    return hosts + tuple(Watch(end.node or "?", how, end.ip, complete=True) for end in ends)


def healthy(trace: Trace) -> Proof:
    """A proof in which everything is as computed."""
    there = sightings_of(trace.forward, trace.source, trace.destination, "request")
    back = sightings_of(trace.back, trace.destination, trace.source, "reply")
    probe = Probe(A, trace.source.ip or "", trace.destination.ip or "", count=SENT, answered=SENT)
    return Proof(1000.0, probe, watches(trace), tuple(there + back))


def lost_at(proof: Proof, trace: Trace, step: Step, *, way: str = "forward") -> Proof:
    """The proof as it is when no packet of a direction comes to the hop of that step, nor any further."""
    direction = trace.forward if way == "forward" else trace.back
    hops = direction.hops
    first = next(place for place, hop in enumerate(hops) if hop.step is step)
    kept = {(hop.node, hop.device, OUTWARDS.get(hop.step), hop.step in INSIDE) for hop in hops[:first]}
    kind = "request" if way == "forward" else "reply"

    def stays(one: Sighting) -> bool:
        if one.kind != kind:
            return way == "return" or one.kind != "reply"
        return (one.node, one.device, one.outgoing, one.container is not None) in kept

    return changed(proof, stays, answered=0)


def changed(proof: Proof, stays: Callable[[Sighting], bool], *, answered: int | None = None) -> Proof:
    """The proof with those sightings only."""
    probe = proof.probe
    if answered is not None:
        probe = msgspec.structs.replace(probe, answered=answered)
    return msgspec.structs.replace(proof, probe=probe, sightings=tuple(one for one in proof.sightings if stays(one)))


def with_watch(proof: Proof, watch: Watch) -> Proof:
    """The proof with one place watched otherwise."""
    others = tuple(one for one in proof.watches if (one.node, one.container) != (watch.node, watch.container))
    return msgspec.structs.replace(proof, watches=(*others, watch))


def counted(node: str, *rows: tuple[str, int, int], drops: int | None = None) -> Carried:
    """Devices that received and sent so many packets more."""
    before = tuple(Counters(device, rx_packets=100, tx_packets=100) for device, _, _ in rows)
    after = tuple(Counters(device, rx_packets=100 + rx, tx_packets=100 + tx) for device, rx, tx in rows)
    return Carried(node, before, after, drops)


def proved(trace: Trace, proof: Proof, which: str = "ipip") -> Trace:
    """The trace with the proof's findings."""
    return prove(trace, proof, seed.cluster("Always" if which == "ipip" else "Never"))


def codes(trace: Trace) -> list[str]:
    """The findings' codes."""
    return [one.code for one in trace.findings]


def hop(direction: Direction, step: Step) -> Hop:
    """The first hop of a step."""
    return next(one for one in direction.hops if one.step is step)


def seen(direction: Direction) -> list[bool | None]:
    """What was seen at each hop."""
    return [one.observed.seen if one.observed is not None else None for one in direction.hops]
