"""Routes that deliver are no delivery where something else is sure to lose the packet: such a direction ends there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from calitui.diagnosis.entry import Entry
from calitui.trace.finding import Finding, Severity
from calitui.trace.path import Direction, Disposition, Trace, Verdict


def stopped(trace: Trace, findings: Iterable[Finding], catalogue: Mapping[str, Entry]) -> Trace:
    """The trace with each direction ended at the first hop where an error that loses every packet shows."""
    sure = [one for one in findings if one.severity is Severity.ERROR and _loses(one, catalogue)]
    directions = tuple(_ended(way, sure) for way in trace.directions)
    if directions == trace.directions:
        return trace
    return msgspec.structs.replace(trace, directions=directions, verdict=Verdict.BROKEN)


def _loses(finding: Finding, catalogue: Mapping[str, Entry]) -> bool:
    entry = catalogue.get(finding.code)
    return entry is not None and entry.loses


def _ended(way: Direction, findings: list[Finding]) -> Direction:
    if way.disposition not in (Disposition.DELIVERED, Disposition.UNKNOWN):
        return way
    numbers = {hop.number for hop in way.hops}
    stops = {
        spot.number: one
        for one in findings
        for spot in one.hops
        if spot.direction == way.name and spot.number in numbers
    }
    if not stops:
        return way
    number = min(stops)
    hops = tuple(
        msgspec.structs.replace(hop, ends=Disposition.DROPPED, reason=stops[number].summary)
        if hop.number == number
        else hop
        for hop in way.hops
        if hop.number <= number
    )
    return msgspec.structs.replace(way, disposition=Disposition.DROPPED, hops=hops, path_mtu=None)
