"""The words of a live proof: what became of the packets, where they were seen, and how that fits the routes.

What was not watched all the time is never called missing.
"""

from __future__ import annotations

import msgspec

from calitui.diagnosis import proof_entries
from calitui.facts.proof import Probe, Sighting
from calitui.facts.text import clean
from calitui.report.words import SEPARATOR, counted, named
from calitui.trace.finding import Finding, Severity, Spot
from calitui.trace.path import Direction, Hop, Step, Trace

_CARRIED = {"ipip": "IPIP", "ipv6": "IPv6 in IPv4"}
_NOWHERE = {Step.ROUTE, Step.HOST_OUT, Step.HOST_IN}
"""Steps that are on no interface: whether packets passed is told by those around it."""
_INSIDE = {Step.CONTAINER_OUT, Step.CONTAINER_IN}
OF_PROOFS = frozenset(entry.code for entry in proof_entries.ENTRIES)
"""Codes of findings that only packets show; their summaries tell the whole."""
_LEADS = ("why: ", "but: ", "found: ")
_TELLING = (Severity.ERROR, Severity.WARNING)


class Loss(msgspec.Struct, frozen=True):
    """The first hop of a direction from which on the packets were not seen any more, and the last that saw them."""

    direction: Direction
    hop: Hop
    before: Hop | None


def loss(trace: Trace) -> Loss | None:
    """Where packets were lost: on the way there, else on the way back."""
    return next((one for way in trace.directions if (one := _loss(way)) is not None), None)


def _loss(direction: Direction) -> Loss | None:
    before = lost = None
    for hop in direction.hops:
        if hop.observed is None or hop.observed.seen is None:
            continue
        if hop.observed.seen or elsewhere(hop):
            before, lost = hop, None
        elif lost is None:
            lost = hop
    return None if lost is None else Loss(direction, lost, before)


def all_answered(trace: Trace) -> bool:
    """Whether packets were sent and every one of them was answered."""
    probe = trace.proof.probe if trace.proof is not None else None
    return probe is not None and 0 < probe.count <= probe.answered


def proof_line(trace: Trace) -> str:
    """The proof in one line, "" without one: `proved: 3 of 3 packets delivered and answered`.

    Of a loss it says between which places: `left k8s-calico2 eth0 as IPIP, never arrived at k8s-calico3 eth0: the
    underlay drops protocol 4 (underlay-drops-ipip)`.
    """
    proof = trace.proof
    if proof is None:
        return ""
    probe = proof.probe
    if probe.error:
        return f"not proved, no packet could be sent: {clean(probe.error)}"
    if not probe.count:
        return "not proved: no packet was sent"
    if probe.answered >= probe.count:
        return f"proved: {probe.answered} of {counted(probe.count, 'packet')} delivered and answered"
    lost = loss(trace)
    if probe.answered:
        return f"{probe.answered} of {counted(probe.count, 'packet')} answered: some are lost on the way"
    if lost is None:
        return _unanswered(trace, probe)
    found = cause(trace, lost)
    if found is not None and found.code in OF_PROOFS:
        return _told(found)
    why = named(found) if found is not None else ""
    if not why and lost.hop.observed is not None:
        why = clean(lost.hop.observed.reason).rstrip(".")
    return loss_line(trace, lost) + (f": {why}" if why else "")


def _told(found: Finding) -> str:
    """A finding's sentence to go on with, a name at its beginning as it is."""
    sentence = clean(found.summary).rstrip(".")
    if sentence.partition(" ")[0].isalpha():
        sentence = sentence[:1].lower() + sentence[1:]
    return f"{sentence} ({clean(found.code)})"


def _unanswered(trace: Trace, probe: Probe) -> str:
    last = trace.forward.hops[-1] if trace.forward.hops else None
    arrived = last is not None and last.observed is not None and last.observed.seen
    words = f"0 of {counted(probe.count, 'packet')} answered"
    found = [one for one in trace.findings if one.code in OF_PROOFS and one.severity in _TELLING]
    if found:
        return f"{words}: {_told(found[0])}"
    if arrived:
        return f"{words}: delivered, but no answer was seen"
    return f"{words}: where they are lost was not watched"


def loss_line(trace: Trace, lost: Loss) -> str:
    """Between which places the packets were lost, as a sentence without its end."""
    forward = lost.direction is trace.forward
    what = "" if forward else "the reply "
    hop, before = lost.hop, lost.before
    if before is None:
        who = trace.source if forward else trace.destination
        sent = "no packet" if forward else "the packets arrived, but no reply"
        return f"{sent} left {clean(who.label)}"
    if before.node != hop.node:
        return f"{what}left {place(before)}{_form(before)}, never arrived at {place(hop)}"
    return f"{what}was seen at {place(before)}{_form(before)}, never at {place(hop)}"


def cause(trace: Trace, lost: Loss) -> Finding | None:
    """The error, else the warning, that belongs to the hop of a loss or to the hop before it."""
    near = [Spot(lost.direction.name, one.number) for one in (lost.hop, lost.before) if one is not None]
    found = [one for spot in near for one in trace.findings if spot in one.hops]
    return next((one for severity in _TELLING for one in found if one.severity is severity), None)


def place(hop: Hop) -> str:
    """`k8s-calico2 eth0`; inside of a container `k8s-calico2 container's eth0`."""
    passed_by = hop.observed.device if hop.observed is not None else None
    device = passed_by or hop.device or hop.step.value
    inside = "container's " if hop.step in _INSIDE else ""
    return clean(f"{hop.node or 'node not known'} {inside}{device}")


def _form(hop: Hop) -> str:
    """` as IPIP` where the packet was seen in an outer one."""
    headers = hop.observed.headers if hop.observed is not None else ()
    if len(headers) < 2:
        return ""
    outer = headers[0]
    return f" as {_CARRIED.get(outer.protocol) or clean((outer.detail or outer.protocol.upper()).split(' ')[0])}"


def elsewhere(hop: Hop) -> bool:
    """Whether the packet was not seen on the hop's device, but passed by another one."""
    return hop.observed is not None and hop.observed.seen is False and hop.observed.device is not None


def mark(hop: Hop) -> str:
    """What a proof says of a hop in two words, "" without one: `seen`, `not seen`, `elsewhere`, `not watched`."""
    if hop.observed is None:
        return ""
    if elsewhere(hop):
        return "elsewhere"
    return {True: "seen", False: "not seen", None: "not watched"}[hop.observed.seen]


def seen_line(trace: Trace, direction: Direction, hop: Hop) -> str:
    """What was seen at a hop: `seen here: 3 requests, 3 replies`, or why nothing; "" without a proof."""
    observed = hop.observed
    if observed is None:
        return ""
    reason = clean(observed.reason).rstrip(".")
    if observed.seen is None:
        return "not watched" + (f": {reason}" if reason else "")
    own, other = ("request", "reply") if direction.name == trace.forward.name else ("reply", "request")
    if not observed.seen:
        return f"no {own} was seen here" + (f": {reason}" if reason else "")
    if hop.step in _NOWHERE:
        return f"passed here: {counted(observed.count, own)}" + (f"; {reason}" if reason else "")
    kinds = counts(trace, hop)
    words = [counted(observed.count, own)]
    words += [counted(kinds[kind], kind) for kind in (other, "error") if kinds.get(kind)]
    where = f" on {clean(observed.device)}" if observed.device and observed.device != hop.device else ""
    return f"seen here{where}: {', '.join(words)}" + (f"; {reason}" if reason else "")


def counts(trace: Trace, hop: Hop) -> dict[str, int]:
    """How many packets of the probe were seen at a hop's device, by kind, both directions together."""
    kinds: dict[str, set[object]] = {}
    for number, one in enumerate(sightings_at(trace, hop)):
        kinds.setdefault(one.kind, set()).add(number if one.sequence is None else f"seq {one.sequence}")
    return {kind: len(seen) for kind, seen in kinds.items()}


def sightings_at(trace: Trace, hop: Hop) -> list[Sighting]:
    """The packets of the probe (not of its size probes) that were seen at a hop's device, by time."""
    if trace.proof is None or hop.observed is None:
        return []
    device = hop.observed.device or hop.device
    inside = hop.step in _INSIDE
    found = [
        one
        for one in trace.proof.sightings
        if one.node == hop.node and one.device == device and (one.container is not None) is inside and one.size is None
    ]
    return sorted(found, key=lambda one: one.time)


def sent_line(probe: Probe) -> str:
    """What was sent: `3 ICMP packets from 192.168.97.1 to 192.168.210.129, sent on k8s-calico2, 3 answered`."""
    port = f" port {probe.port}" if probe.port is not None else ""
    what = counted(probe.count, f"{clean(probe.protocol).upper()} packet")
    return clean(f"{what} from {probe.source} to {probe.destination}{port}, {probe.answered} answered")


def beside(trace: Trace, words: str) -> str:
    """The parts of a verdict's line that a proof's line leaves to say: not the cause that this one names already.

    Packets that were answered have passed all policies there are.
    """
    if trace.proof is None:
        return words
    told = proof_line(trace)
    parts = [part for part in words.split(SEPARATOR) if not (part.startswith(_LEADS) and _code(part) in told)]
    return SEPARATOR.join(part for part in parts if not (all_answered(trace) and part.startswith("routing only")))


def _code(part: str) -> str:
    """The code in brackets at the end of a cause."""
    return part[part.rfind("(") :]
