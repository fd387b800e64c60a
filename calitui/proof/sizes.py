"""The largest packet that passed against the one that was computed, as findings and in words."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from calitui.diagnosis.proof_entries import NO_ICMP, SMALLER
from calitui.facts.proof import Proof, SizeProbe
from calitui.proof.losing import place
from calitui.proof.sizing import bounds
from calitui.trace.finding import Finding, Spot
from calitui.trace.mtu import PathMtu
from calitui.trace.path import Direction, Hop, Step
from calitui.trace.sizes import path_mtu

_SAID = re.compile(r"mtu|frag|too (?:big|long|large)", re.IGNORECASE)


def size_findings(direction: Direction, proof: Proof) -> Iterator[Finding]:
    """What the size probes of a direction say that its devices' MTUs don't."""
    low, _ = bounds(proof.sizes)
    computed = path_mtu(direction)
    if low is None:
        return
    lost = sorted(
        (
            one
            for one in proof.sizes
            if not one.passed and one.size > low and (computed.sends is None or one.size <= computed.sends)
        ),
        key=lambda one: one.size,
    )
    if not lost:
        return
    expected = computed.carries if computed.carries is not None else computed.at_most
    smaller = expected is not None and lost[0].size <= expected
    silent = [one for one in lost if not _was_told(one, proof)]
    if silent and (smaller or not _is_known_silent(computed, silent[0])):
        entry, how = NO_ICMP, "and nobody says so: no ICMP error came back"
    elif smaller:
        entry, how = SMALLER, "and an ICMP error says so"
    else:
        return
    hop = _last_seen(direction, proof, lost[0].size)
    against = f", {expected} would by the devices' MTUs" if smaller else ""
    found = entry.found(
        hop.node if hop is not None else direction.hops[0].node,
        f"Packets of {low} bytes pass{against}; those of {lost[0].size} bytes are lost {how}.",
        subject=f"{low} bytes",
        evidence=[*map(_line, proof.sizes), *([f"{place(hop)}: packets of {lost[0].size} bytes"] if hop else [])],
        fix=[
            f"# pods' devices need an MTU of {low} or less: spec.calicoNetwork.mtu of the Installation, or veth_mtu",
            "# or let ICMP (fragmentation needed, packet too big) pass through the network between the nodes",
        ],
        affected=[one.node for one in direction.hops if one.node],
    )
    spot = hop or next((one for one in direction.hops if one.step is Step.NIC_OUT), direction.hops[0])
    yield msgspec.structs.replace(found, hops=(Spot(direction.name, spot.number),))


def size_note(direction: Direction, proof: Proof) -> str | None:
    """The result in a sentence, None without one."""
    low, high = bounds(proof.sizes)
    if not proof.sizes:
        return None
    if low is None:
        return f"No packet that may not be fragmented passed: {proof.sizes[0].size} bytes and less were tried."
    carries = path_mtu(direction).carries
    against = "what passes could not be computed" if carries is None else f"{carries} bytes were computed"
    edge = ""
    if high is not None:
        edge = f", {high} do not" if high - low == 1 else f", {high} do not, what lies between was not tried"
    return f"The largest packet that passed has {low} bytes{edge}; {against}."


def _was_told(one: SizeProbe, proof: Proof) -> bool:
    """Whether the sender was told, by its own kernel or by an ICMP error that was seen anywhere."""
    return bool(_SAID.search(one.said)) or any(
        seen.kind == "error" and seen.size in (one.size, 0) for seen in proof.sightings if seen.size is not None
    )


def _is_known_silent(computed: PathMtu, one: SizeProbe) -> bool:
    return any(squeeze.station.silent and squeeze.smallest <= one.size for squeeze in computed.squeezes)


def _last_seen(direction: Direction, proof: Proof, size: int) -> Hop | None:
    """The last hop where a size probe that was lost is seen."""
    seen = {
        (one.node, one.container is not None, one.device, one.outgoing)
        for one in proof.sightings
        if one.size == size and one.kind == "request"
    }
    outwards = {Step.CONTAINER_OUT, Step.TUNNEL_OUT, Step.NIC_OUT, Step.VETH_OUT}
    inside = {Step.CONTAINER_OUT, Step.CONTAINER_IN}
    found = (
        hop
        for hop in reversed(direction.hops)
        if (hop.node, hop.step in inside, hop.device, hop.step in outwards) in seen
    )
    return next(found, None)


def _line(one: SizeProbe) -> str:
    return f"{one.size} bytes, not to be fragmented: {'passed' if one.passed else one.said or 'no answer'}"
