"""A trace as text for a terminal or a log: the complete, accessible view.

Everything that the screens show is here in reading order, without boxes, and no meaning hangs on colour. Sentences are
wrapped to the width; routes, evidence and commands are not, so that they can be copied. Facts are drawn as plain text,
never as markup.
"""

from __future__ import annotations

from rich.text import Text

from calitui.facts.text import clean
from calitui.report.findings import STYLE, mark_line, marks, write_finding, write_unchecked
from calitui.report.page import INDENT, LABEL, Page
from calitui.report.proof import write_proof
from calitui.report.proved import beside, mark, proof_line, seen_line
from calitui.report.since import Since, write_since
from calitui.report.sizes import write_sizes
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
from calitui.trace.finding import Finding, Spot
from calitui.trace.path import Direction, Disposition, Evidence, Hop, Trace, Verdict
from calitui.trace.sizes import path_mtu

_VERDICT_STYLE = {Verdict.DELIVERED: "bold green", Verdict.BROKEN: "bold red", Verdict.UNKNOWN: "bold yellow"}
_EVIDENCE_STYLE = {
    Evidence.KERNEL: "green",
    Evidence.TABLE: "green",
    Evidence.OBSERVED: "green",
    Evidence.INFERRED: "yellow",
    Evidence.NOT_READ: "yellow",
}
_SEEN_STYLE = {True: "bold green", False: "bold red", None: "yellow"}


def as_text(trace: Trace, width: int, colour: bool, since: Since | None = None) -> str:
    """The trace as lines of text, ending in a newline; `width` is in columns, `colour` allows ANSI colours."""
    page = Page(width, colour)
    page.line(Text(clean(trace.source.label), "bold"), Text(" → "), Text(clean(trace.destination.label), "bold"))
    if trace.proof is not None:
        page.prose("", proof_line(trace), 0, _VERDICT_STYLE[trace.verdict])
    page.prose("", beside(trace, verdict_line(trace)), 0, _VERDICT_STYLE[trace.verdict])
    page.line()
    page.prose("source", endpoint_line(trace.source), 0)
    page.prose("destination", endpoint_line(trace.destination), 0)
    page.prose("policies", trace.policies.sentence or "not evaluated", 0)
    page.prose("read", moment_line(trace.taken_at), 0)
    for reading in trace.readings:
        page.prose("", reading_line(reading), LABEL + 1)
    for note in trace.notes:
        page.prose("note", note, 0, "yellow")
    if trace.other_family is not None:
        page.prose("other family", family_line(trace), 0)
    if trace.findings:
        page.line()
        page.line(Text("findings", "bold"))
        for finding in trace.findings:
            write_finding(page, finding)
    write_proof(page, trace)
    belongs = marks(trace.findings)
    for direction in trace.directions:
        _direction(page, trace, direction, belongs)
    if trace.unread:
        page.line()
        page.line(Text("not read", "bold yellow"))
        for missing in trace.unread:
            page.prose("", unread_line(missing.node, missing.what, missing.reason), 2)
    write_unchecked(page, trace.unchecked)
    if since is not None:
        write_since(page, since, trace)
    return page.text()


def _direction(page: Page, trace: Trace, direction: Direction, belongs: dict[Spot, list[Finding]]) -> None:
    page.line()
    good = direction.disposition is Disposition.DELIVERED
    doubtful = direction.disposition is Disposition.UNKNOWN
    page.prose("", direction_line(direction), 0, "bold green" if good else "bold yellow" if doubtful else "bold red")
    if not direction.hops:
        page.prose("", "no hop is known", 2)
    for hop in direction.hops:
        _hop(page, hop, belongs.get(Spot(direction.name, hop.number), []), seen_line(trace, direction, hop))
    write_sizes(page, path_mtu(direction))


def _hop(page: Page, hop: Hop, findings: list[Finding], seen: str) -> None:
    where = "  ".join(clean(part) for part in (hop.node or "node not known", hop.device) if part)
    page.line(
        Text(f"{hop.number:>3}  "),
        Text(hop.step.value, "bold"),
        Text(f"  {where}  "),
        Text(f"[{hop.evidence.value}]", _EVIDENCE_STYLE[hop.evidence]),
        *([Text(f" [{mark(hop)}]", _SEEN_STYLE[hop.observed.seen])] if hop.observed is not None else []),
        *([Text(f"  ends here: {hop.ends.value}", "bold")] if hop.ends is not None else []),
    )
    if seen:
        page.prose("observed", seen, INDENT)
    if hop.explanation:
        page.prose("what", hop.explanation, INDENT)
    if hop.reason:
        page.prose("why", hop.reason, INDENT)
    for finding in findings:
        page.prose("finding", mark_line(finding), INDENT, STYLE[finding.severity])
    if hop.disagreement:
        page.prose("disagreement", hop.disagreement, INDENT, "bold yellow")
    if hop.route:
        page.verbatim("route", hop.route, INDENT)
    if hop.next_hops:
        page.prose("next hops", next_hops_line(hop), INDENT)
    if hop.packet:
        page.verbatim("packet", headers_line(hop.packet), INDENT)
    if hop.mtu is not None:
        page.verbatim("mtu", str(hop.mtu), INDENT)
    for number, line in enumerate(hop.lines):
        page.verbatim("" if number else "evidence", line, INDENT)
    if hop.check:
        page.verbatim("see it", hop.check, INDENT)
