"""The cause on the trace screen: its line under the verdict, and where on the path it shows.

This module must not know widgets.
"""

from __future__ import annotations

from textual.content import Content

from calitui.facts.text import clean
from calitui.report.proved import OF_PROOFS, proof_line
from calitui.report.words import cause_words, named
from calitui.trace.finding import Finding, Severity
from calitui.trace.path import Trace, Verdict
from calitui.tui.findings.describe import STYLES, headed
from calitui.tui.text import count

_ROOMY = 100
"""Cells from which more words fit beside the cause."""


def told(trace: Trace) -> Finding | None:
    """The finding that the line under the verdict tells: the one that the report names, else the first."""
    cause = cause_words(trace)
    named_there = (finding for finding in trace.findings if cause.endswith(f": {named(finding)}"))
    return next(named_there, trace.findings[0] if trace.findings else None)


def line(trace: Trace, width: int) -> tuple[list[Content], Content | None]:
    """Left: the cause, else that none was found. Right: the key that shows more."""
    finding = told(trace)
    if finding is None:
        if trace.verdict is Verdict.DELIVERED or not trace.unchecked:
            return [], None
        codes = len({item.code for item in trace.unchecked})
        words = f"? why: no cause found, and {count(codes, 'cause')} could not be checked"
        return [Content.styled(words, "bold $warn")], _more("shows which")
    cause = clean(cause_words(trace))
    others = len(trace.findings) - 1
    told_as = Content.styled(cause or headed(finding), STYLES[finding.severity])
    left = Content.assemble(told_as, (" · ", "$dim"), clean(finding.summary))
    if finding.code in OF_PROOFS and (shown := clean(proof_line(trace))).endswith(f"({clean(finding.code)})"):
        left = Content.styled(f"why: {shown}", STYLES[finding.severity])
    every = f"all {others + 1} findings" if width >= _ROOMY else f"all {others + 1}"
    return [left], _more(every if others else "why")


def _more(words: str) -> Content:
    return Content.assemble(("d", "bold $link"), f" {words}")


def at(trace: Trace, direction: str, number: int) -> tuple[Finding, ...]:
    """The findings that belong to a hop."""
    return tuple(
        finding
        for finding in trace.findings
        if any(spot.direction == direction and spot.number == number for spot in finding.hops)
    )


def marks(trace: Trace, direction: str) -> dict[int, Severity]:
    """The worst severity at each hop of `direction` that has a finding, by the hop's number."""
    worst: dict[int, Severity] = {}
    order = list(Severity)
    for finding in trace.findings:
        for spot in finding.hops:
            if spot.direction == direction:
                before = worst.get(spot.number, Severity.INFO)
                worst[spot.number] = min(before, finding.severity, key=order.index)
    return worst


def place(trace: Trace, finding: Finding) -> tuple[int, int] | None:
    """Direction and index of the first hop that `finding` belongs to."""
    for spot in finding.hops:
        for number, direction in enumerate(trace.directions):
            for index, hop in enumerate(direction.hops):
                if (direction.name, hop.number) == (spot.direction, spot.number):
                    return number, index
    return None
