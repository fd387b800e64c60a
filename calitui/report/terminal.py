"""A trace as text for a terminal or a log: the complete, accessible view.

Everything that the screens show is here in reading order, without boxes, and no meaning hangs on colour. Sentences are
wrapped to the width; routes, evidence and commands are not, so that they can be copied. Facts are drawn as plain text,
never as markup.
"""

from __future__ import annotations

from io import StringIO

from rich.console import Console
from rich.text import Text

from calitui.facts.text import clean
from calitui.report.words import (
    direction_line,
    endpoint_line,
    family_line,
    headers_line,
    moment_line,
    next_hops_line,
    reading_line,
    unread_line,
    verdict_line,
)
from calitui.trace.finding import Finding
from calitui.trace.path import Direction, Disposition, Evidence, Hop, Trace, Verdict

NARROWEST = 40
"""Columns; below that sentences are not wrapped any tighter."""
_LABEL = 12
_INDENT = 6

_VERDICT_STYLE = {Verdict.DELIVERED: "bold green", Verdict.BROKEN: "bold red", Verdict.UNKNOWN: "bold yellow"}
_EVIDENCE_STYLE = {
    Evidence.KERNEL: "green",
    Evidence.TABLE: "green",
    Evidence.OBSERVED: "green",
    Evidence.INFERRED: "yellow",
    Evidence.NOT_READ: "yellow",
}


def as_text(trace: Trace, width: int, colour: bool) -> str:
    """The trace as lines of text, ending in a newline; `width` is in columns, `colour` allows ANSI colours."""
    page = _Page(width, colour)
    page.line(Text(clean(trace.source.label), "bold"), Text(" → "), Text(clean(trace.destination.label), "bold"))
    page.prose("", verdict_line(trace), 0, _VERDICT_STYLE[trace.verdict])
    page.line()
    page.prose("source", endpoint_line(trace.source), 0)
    page.prose("destination", endpoint_line(trace.destination), 0)
    page.prose("policies", trace.policies.sentence or "not evaluated", 0)
    page.prose("read", moment_line(trace.taken_at), 0)
    for reading in trace.readings:
        page.prose("", reading_line(reading), _LABEL + 1)
    for note in trace.notes:
        page.prose("note", note, 0, "yellow")
    if trace.other_family is not None:
        page.prose("other family", family_line(trace), 0)
    for direction in trace.directions:
        _direction(page, direction)
    if trace.findings:
        page.line()
        page.line(Text("findings", "bold"))
        for finding in trace.findings:
            _finding(page, finding)
    if trace.unread:
        page.line()
        page.line(Text("not read", "bold yellow"))
        for missing in trace.unread:
            page.prose("", unread_line(missing.node, missing.what, missing.reason), 2)
    return page.text()


class _Page:
    """Lines on their way to text of a given width."""

    def __init__(self, width: int, colour: bool) -> None:
        self._out = StringIO()
        self._width = max(width, NARROWEST)
        self._console = Console(
            file=self._out,
            width=self._width,
            force_terminal=colour,
            no_color=not colour,
            color_system="standard" if colour else None,
            highlight=False,
            markup=False,
            emoji=False,
            soft_wrap=True,
            legacy_windows=False,
        )

    def line(self, *parts: Text) -> None:
        """One line as it is, however long."""
        self._console.print(Text.assemble(*parts))

    def prose(self, label: str, sentence: str, indent: int, style: str = "") -> None:
        """A labelled sentence, wrapped under itself."""
        hang = indent + (_LABEL + 1 if label else 0)
        room = max(self._width - hang, NARROWEST // 2)
        for number, part in enumerate(Text(clean(sentence), style).wrap(self._console, room)):
            part.rstrip()
            head = " " * indent + f"{label:<{_LABEL}} " if label and not number else " " * hang
            self.line(Text(head, "dim" if label else ""), part)

    def verbatim(self, label: str, line: str, indent: int) -> None:
        """A labelled line that must stay one line."""
        self.line(Text(" " * indent + f"{label:<{_LABEL}} ", "dim"), Text(clean(line)))

    def text(self) -> str:
        """Everything so far."""
        return self._out.getvalue()


def _direction(page: _Page, direction: Direction) -> None:
    page.line()
    good = direction.disposition is Disposition.DELIVERED
    doubtful = direction.disposition is Disposition.UNKNOWN
    page.prose("", direction_line(direction), 0, "bold green" if good else "bold yellow" if doubtful else "bold red")
    if not direction.hops:
        page.prose("", "no hop is known", 2)
    for hop in direction.hops:
        _hop(page, hop)


def _hop(page: _Page, hop: Hop) -> None:
    where = "  ".join(clean(part) for part in (hop.node or "node not known", hop.device) if part)
    page.line(
        Text(f"{hop.number:>3}  "),
        Text(hop.step.value, "bold"),
        Text(f"  {where}  "),
        Text(f"[{hop.evidence.value}]", _EVIDENCE_STYLE[hop.evidence]),
        *([Text(f"  ends here: {hop.ends.value}", "bold")] if hop.ends is not None else []),
    )
    if hop.explanation:
        page.prose("what", hop.explanation, _INDENT)
    if hop.reason:
        page.prose("why", hop.reason, _INDENT)
    if hop.disagreement:
        page.prose("disagreement", hop.disagreement, _INDENT, "bold yellow")
    if hop.route:
        page.verbatim("route", hop.route, _INDENT)
    if hop.next_hops:
        page.prose("next hops", next_hops_line(hop), _INDENT)
    if hop.packet:
        page.verbatim("packet", headers_line(hop.packet), _INDENT)
    if hop.mtu is not None:
        page.verbatim("mtu", str(hop.mtu), _INDENT)
    for number, line in enumerate(hop.lines):
        page.verbatim("" if number else "evidence", line, _INDENT)
    if hop.check:
        page.verbatim("see it", hop.check, _INDENT)


def _finding(page: _Page, finding: Finding) -> None:
    where = f" on {finding.node}" if finding.node else ""
    page.prose("", f"{finding.severity} {finding.code}{where}: {finding.summary}", 2)
    for line in finding.evidence:
        page.verbatim("evidence", line, _INDENT)
    if finding.fix:
        for line in finding.fix:
            page.prose("fix", line, _INDENT)
