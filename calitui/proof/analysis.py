"""A computed path and a live proof of it put together: what each hop saw, where packets were lost, and what that means.

What was seen is truer than what was computed: a direction whose packets arrived is delivered, one whose packets were
lost is dropped at the first hop that they missed. What nobody watched stays as it was computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from calitui.facts.cluster import Cluster
from calitui.facts.proof import Proof
from calitui.proof import differing, losing
from calitui.proof.chains import owner
from calitui.proof.losing import Loss, loss
from calitui.proof.observing import OUTWARDS, Scene, observe, passed
from calitui.proof.sizes import size_findings, size_note
from calitui.trace.finding import Finding, Severity
from calitui.trace.path import Direction, Disposition, Evidence, Hop, Observed, Step, Trace, Verdict

_HARMLESS = (Disposition.DELIVERED, Disposition.UNKNOWN)
_BADNESS = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}


class _Way(msgspec.Struct, frozen=True):
    """What became of one direction; `delivered` is whether its packets were seen to arrive, or were answered."""

    direction: Direction
    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    delivered: bool = False


def prove(trace: Trace, proof: Proof, cluster: Cluster) -> Trace:
    """The trace with what a proof saw at each hop, its findings before others, and the verdict that follows.

    A proof of the other family's pair goes to `other_family`. One of another pair raises ValueError.
    """
    other = trace.other_family
    pair = (proof.probe.source, proof.probe.destination)
    if pair != (trace.source.ip, trace.destination.ip):
        if other is not None and pair == (other.source.ip, other.destination.ip):
            return msgspec.structs.replace(trace, other_family=prove(other, proof, cluster))
        raise ValueError(f"a proof of {pair[0]} to {pair[1]}, not of {trace.source.ip} to {trace.destination.ip}")
    named = _with_owners(proof, cluster)
    there = Scene(trace.forward, trace.source, trace.destination, named, "request")
    back = Scene(trace.back, trace.destination, trace.source, named, "reply")
    forward = _forward(there, trace)
    ways = (forward, _return(back, trace, arrived=forward.delivered))
    directions = tuple(way.direction for way in ways)
    found = [one for way in ways for one in way.findings]
    if forward.delivered:
        found += size_findings(trace.forward, named)
    found.sort(key=lambda one: _BADNESS[one.severity])
    sizes = size_note(trace.forward, named)
    notes = (_result(named), *(note for way in ways for note in way.notes), *((sizes,) if sizes else ()))
    return msgspec.structs.replace(
        trace,
        verdict=_verdict(directions),
        directions=directions,
        findings=(*found, *trace.findings),
        notes=(*trace.notes, *notes),
        proof=named,
    )


def _with_owners(proof: Proof, cluster: Cluster) -> Proof:
    """With the owners of Calico's chains that the rules' counts do not name yet."""
    rules = tuple(
        one
        if one.policy
        else msgspec.structs.replace(one, policy=owner(one.chain.rpartition(" ")[2], cluster, (one.text,)))
        for one in proof.rules
    )
    return msgspec.structs.replace(proof, rules=rules)


def _result(proof: Proof) -> str:
    probe = proof.probe
    if probe.error and not probe.count:
        return f"Nothing was sent: {probe.error}"
    what = "packet was" if probe.count == 1 else "packets were"
    return f"{probe.count} {what} sent from {probe.source} to {probe.destination}, {probe.answered} answered."


def _forward(scene: Scene, trace: Trace) -> _Way:
    if not scene.proof.probe.count:
        return _Way(_unseen(scene.direction, f"nothing was sent: {scene.proof.probe.error or 'why was not told'}"))
    observed = observe(scene)
    delivered = bool(scene.arrived or scene.proof.probe.answered) or _taken_in(scene.direction, observed)
    findings = [*differing.another_way(scene, observed, delivered), *differing.rewritten(scene, observed)]
    if delivered:
        findings = [*differing.arrived_anyway(scene), *findings, *differing.not_answered(scene)]
        return _Way(_delivered(scene, observed), tuple(findings), tuple(_few(scene, observed)), delivered=True)
    return _lost(scene, observed, trace, findings)


def _return(scene: Scene, trace: Trace, *, arrived: bool) -> _Way:
    way = scene.direction
    if not arrived:
        return _Way(_unseen(way, "no reply to see: the requests were not seen to arrive"))
    if not scene.sightings and not scene.proof.probe.answered:
        watch = scene.inside(scene.source)
        known = scene.source.kind == "pod" and watch is not None and watch.complete
        reason = "no reply was made" if known else "no reply was seen, and where it is made was not watched"
        ends = Disposition.UNKNOWN if way.disposition is Disposition.DELIVERED else way.disposition
        return _Way(msgspec.structs.replace(_unseen(way, reason), disposition=ends))
    observed = observe(scene)
    findings = list(differing.another_way(scene, observed, bool(scene.proof.probe.answered)))
    if scene.proof.probe.answered or scene.arrived:
        return _Way(_delivered(scene, observed), (*differing.arrived_anyway(scene), *findings))
    return _lost(scene, observed, trace, findings)


def _taken_in(way: Direction, observed: Sequence[Observed]) -> bool:
    """Whether the destination is a node itself and took the packets in."""
    return bool(way.hops) and way.hops[-1].step is Step.HOST_IN and bool(observed[-1].seen)


def _few(scene: Scene, observed: Sequence[Observed]) -> Iterator[str]:
    """Where some of the packets are missing though others passed; only where captures ran all the time."""
    sent = scene.proof.probe.count
    partly = {watch.node for watch in scene.proof.watches if not watch.complete}
    for hop, one in zip(scene.direction.hops, observed, strict=True):
        if hop.node in partly:
            continue
        if one.seen and hop.step in OUTWARDS and one.headers and one.count < sent:
            yield f"{losing.place(hop)} saw {one.count} of {sent} packets."
            return


def _lost(scene: Scene, observed: tuple[Observed, ...], trace: Trace, findings: list[Finding]) -> _Way:
    way = scene.direction
    lost = loss(scene, observed)
    end = next((place for place, hop in enumerate(way.hops) if hop.ends not in (None, *_HARMLESS)), None)
    if end is not None and way.disposition not in _HARMLESS and _is_as_computed(way.hops, observed, lost, end):
        return _confirmed(scene, observed, end, findings)
    if lost is None:
        note = "Not answered; where the packets were lost was not seen, since not every place was watched."
        marked = _marked(way, observed)
        if way.disposition is Disposition.DELIVERED:  # that no answer came speaks against it
            marked = msgspec.structs.replace(marked, disposition=Disposition.UNKNOWN)
        return _Way(marked, tuple(findings), () if findings else (note,))
    found = losing.finding(scene, lost, observed, trace)
    hops = [_with(hop, one) for hop, one in zip(way.hops, observed, strict=True)]
    for place, hop in enumerate(hops):
        ends = Disposition.DROPPED if place == lost.at else None
        hops[place] = msgspec.structs.replace(hop, ends=ends)
    hops[lost.at] = msgspec.structs.replace(hops[lost.at], reason=found.summary)
    direction = msgspec.structs.replace(way, disposition=Disposition.DROPPED, hops=tuple(hops), path_mtu=None)
    return _Way(direction, (found, *findings))


def _is_as_computed(hops: Sequence[Hop], observed: Sequence[Observed], lost: Loss | None, end: int) -> bool:
    """Whether packets came to just where they were computed to be lost."""
    before = [place for place in range(end) if hops[place].step in OUTWARDS]
    if not before or not passed(observed[before[-1]]):
        return False
    if lost is None:
        return hops[end].step not in OUTWARDS or passed(observed[end])
    if hops[end].step is Step.NIC_IN and "is down" not in (hops[end].reason or ""):
        return False  # the computed loss is behind this card, and the packets did not come to it
    return lost.at == end


def _confirmed(scene: Scene, observed: tuple[Observed, ...], end: int, findings: list[Finding]) -> _Way:
    """Packets that were computed to be lost, and were seen to come as far and no further."""
    way = scene.direction
    hop = way.hops[end]
    places = [place for place, one in enumerate(observed) if passed(one) and way.hops[place].step in OUTWARDS]
    came = losing.place(way.hops[max(places)])
    words = f"the packets came as far as {came} and were not seen behind it"
    marked = list(observed)
    seen = observed[end].seen if hop.step in OUTWARDS else False
    marked[end] = msgspec.structs.replace(observed[end], seen=seen, reason=f"confirmed: {words}")
    said = f"Confirmed: {words}; computed was {way.disposition.value.replace('-', ' ')} at hop {hop.number}."
    return _Way(_marked(way, tuple(marked)), tuple(findings), (said,))


def _delivered(scene: Scene, observed: tuple[Observed, ...]) -> Direction:
    way = scene.direction
    hops = [_with(hop, one) for hop, one in zip(way.hops, observed, strict=True)]
    hops = [msgspec.structs.replace(hop, ends=None) for hop in hops]
    if way.disposition is not Disposition.DELIVERED and scene.arrived and hops and hops[-1].step not in _ENDS:
        first = scene.arrived[0]
        seen = Observed(seen=True, count=len(scene.arrived), headers=first.headers)
        hops.append(
            Hop(
                number=hops[-1].number + 1,
                step=Step.CONTAINER_IN,
                node=first.node,
                device=first.device,
                evidence=Evidence.OBSERVED,
                explanation="The packet was seen to arrive here; how it came was not computed.",
                observed=seen,
            )
        )
    if hops:
        hops[-1] = msgspec.structs.replace(hops[-1], ends=Disposition.DELIVERED)
    return msgspec.structs.replace(way, disposition=Disposition.DELIVERED, blind_at=None, hops=tuple(hops))


_ENDS = (Step.CONTAINER_IN, Step.HOST_IN)


def _unseen(way: Direction, reason: str) -> Direction:
    return _marked(way, tuple(Observed(seen=None, reason=reason) for _ in way.hops))


def _marked(way: Direction, observed: Sequence[Observed]) -> Direction:
    hops = tuple(_with(hop, one) for hop, one in zip(way.hops, observed, strict=True))
    return msgspec.structs.replace(way, hops=hops)


def _with(hop: Hop, one: Observed) -> Hop:
    """A hop that a packet was captured at rests on that; one that was counted, or lies between, on what it did."""
    evidence = Evidence.OBSERVED if one.seen and one.headers else hop.evidence
    return msgspec.structs.replace(hop, observed=one, evidence=evidence)


def _verdict(directions: tuple[Direction, ...]) -> Verdict:
    dispositions = {way.disposition for way in directions}
    if dispositions == {Disposition.DELIVERED}:
        return Verdict.DELIVERED
    return Verdict.UNKNOWN if dispositions <= set(_HARMLESS) else Verdict.BROKEN
