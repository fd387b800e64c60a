"""Ways to look at a trace: from the other end, where to look first, what to say beside it.

This module must not know widgets.
"""

from __future__ import annotations

import msgspec
from textual.content import Content

from calitui.facts.text import clean
from calitui.report.words import SEPARATOR, verdict_line
from calitui.trace.finding import Finding, Spot
from calitui.trace.path import Disposition, Trace, Verdict
from calitui.tui.findings.describe import GLYPHS
from calitui.tui.trace import why


def swapped(trace: Trace) -> Trace | None:
    """`trace` with source and destination exchanged, or None where that is another question.

    Between two pods both directions were computed on their own from one reading, so this only renames them. Where an
    end is no pod, the reply goes to a masqueraded or chosen address, and a new connection the other way would not.
    Packets that were sent went one way, their answers the other: a proof can't be turned.
    """
    if trace.source.kind != "pod" or trace.destination.kind != "pod" or trace.proof is not None:
        return None
    return msgspec.structs.replace(
        trace,
        source=trace.destination,
        destination=trace.source,
        directions=tuple(
            msgspec.structs.replace(direction, name=name)
            for direction, name in zip(reversed(trace.directions), _NAMES, strict=True)
        ),
        findings=tuple(_turned(finding) for finding in trace.findings),
        other_family=None if trace.other_family is None else swapped(trace.other_family),
    )


_NAMES = ("forward", "return")


def _turned(finding: Finding) -> Finding:
    other = dict(zip(_NAMES, reversed(_NAMES), strict=True))
    hops = tuple(Spot(other.get(spot.direction, spot.direction), spot.number) for spot in finding.hops)
    return msgspec.structs.replace(finding, hops=hops)


def over_other_family(trace: Trace) -> Trace | None:
    """The same pair over the other IP family, None where one end has no address of it."""
    other = trace.other_family
    if other is None:
        return None
    return msgspec.structs.replace(other, other_family=msgspec.structs.replace(trace, other_family=None))


def asked_again(trace: Trace, source: str, destination: str) -> tuple[str, str]:
    """What to ask for the next time: names where there are some, as addresses may change owner."""
    first = trace.source.label if trace.source.name else source
    second = trace.destination.label if trace.destination.name else destination
    return first, second


def first_look(trace: Trace) -> tuple[int, list[int]]:
    """Direction and hops to select first: the cause where not all is delivered, else the hop that ends a way badly."""
    selected = [0] * len(trace.directions)
    troubled: list[int] = []
    for number, direction in enumerate(trace.directions):
        for index, hop in enumerate(direction.hops):
            if hop.ends not in (None, Disposition.DELIVERED):
                selected[number] = index
                troubled.append(number)
                break
    if trace.verdict is not Verdict.DELIVERED:
        told = why.told(trace)
        first = [told] if told is not None else []
        causes = (why.place(trace, finding) for finding in (*first, *trace.findings))
        cause = next((place for place in causes if place is not None), None)
        if cause is not None:
            selected[cause[0]] = cause[1]
            return cause[0], selected
    return (troubled[0] if troubled else 0), selected


def notes(trace: Trace) -> list[Content]:
    """One line: the other IP family, findings, limits of the answer, what was not read. Empty when there is neither.

    Findings are those that no hop shows and that the line of the cause does not tell.
    """
    pathless = [one for one in trace.findings if one != why.told(trace) and why.place(trace, one) is None]
    parts = [Content(clean(f"{GLYPHS[one.severity]} {one.severity}: {one.summary}")) for one in pathless]
    parts += [Content(clean(note)) for note in trace.notes]
    other = trace.other_family
    if other is not None:
        verdict = clean(verdict_line(other)).split(SEPARATOR)[0]
        parts.insert(0, Content.assemble((f"IPv{other.family}: {verdict}", "bold"), " (6 switches)"))
    unread = [
        Content(clean(f"{item.node}: {item.what} — {item.reason}" if item.node else f"{item.what} — {item.reason}"))
        for item in trace.unread
    ]
    if unread:
        unread[0] = Content.assemble((f"▲ {len(unread)} not read: ", "bold $warn"), unread[0])
    return parts + unread
