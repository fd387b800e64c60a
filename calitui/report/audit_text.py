"""An audit as text for a terminal or a log: verdict, causes, who can't reach whom, what could not be judged."""

from __future__ import annotations

from rich.text import Text

from calitui.diagnosis.audit import Audit, Reach
from calitui.facts.text import clean
from calitui.report.audit_matrix import LEGEND, matrix
from calitui.report.audit_words import AuditVerdict, by_code, headline, pairs_line, stretches, unread_lines, verdict
from calitui.report.findings import finding_line, write_finding, write_unchecked
from calitui.report.page import INDENT, Page
from calitui.report.words import counted, listed, moment_line

MOST_WHOLE = 3
"""Findings of one code that are told whole; of the rest the sentence."""
MOST_LINES = 20
"""Lines of one list before the rest is counted."""
REST = "-o json has them all"

_STYLE = {
    AuditVerdict.OK: "bold green",
    AuditVerdict.BROKEN: "bold red",
    AuditVerdict.UNKNOWN: "bold yellow",
}


def audit_text(audit: Audit, width: int, colour: bool) -> str:
    """The audit as lines of text, ending in a newline; `width` is in columns, `colour` allows ANSI colours."""
    page = Page(width, colour)
    page.prose("", headline(audit), 0, _STYLE[verdict(audit)])
    page.line()
    page.prose("read", moment_line(audit.taken_at), 0)
    page.prose("pairs", pairs_line(audit), 0)
    page.prose("pods", f"{counted(audit.pods, 'pod')} in {counted(audit.blocks, 'block')}", 0)
    _findings(page, audit)
    _matrix(page, audit)
    _stretches(page, audit, Reach.BROKEN, "cannot reach")
    _stretches(page, audit, Reach.UNKNOWN, "not judged")
    if unread := unread_lines(audit, MOST_LINES):
        page.line()
        page.line(Text("not read", "bold yellow"))
        for line in unread:
            page.prose("", line, 2)
    write_unchecked(page, audit.unchecked)
    return page.text()


def _findings(page: Page, audit: Audit) -> None:
    if not audit.findings:
        return
    page.line()
    page.line(Text("findings", "bold"))
    for group in by_code(audit.findings):
        for finding in group[:MOST_WHOLE]:
            write_finding(page, finding)
        rest = group[MOST_WHOLE:]
        if rest:
            page.prose("", f"{counted(len(rest), 'more finding')} of {clean(group[0].code)}:", 2)
        for finding in rest[:MOST_LINES]:
            page.prose("", finding_line(finding), INDENT)
        if len(rest) > MOST_LINES:
            page.prose("", f"and {len(rest) - MOST_LINES} more; {REST}", INDENT)


def _matrix(page: Page, audit: Audit) -> None:
    lines = matrix(audit, page.width - 2)
    if not lines:
        return
    page.line()
    page.line(Text("matrix", "bold"), Text("  rows send, columns receive"))
    for line in lines:
        page.line(Text("  " + line))
    page.prose("", LEGEND, 2)


def _stretches(page: Page, audit: Audit, reach: Reach, title: str) -> None:
    found = stretches(audit, reach)
    if not found:
        return
    page.line()
    page.line(Text(title, "bold"))
    for one in found[:MOST_LINES]:
        page.prose("", f"{listed(list(one.sources))} → {listed(list(one.destinations))}: {one.why}", 2)
    if len(found) > MOST_LINES:
        page.prose("", f"and {len(found) - MOST_LINES} more; {REST}", 2)
