"""The findings screen: all findings of a trace or an audit, and everything about the one under the cursor.

From 110 columns the list stands beside the text; below, over it, and Enter gives the text the whole screen.
"""

from __future__ import annotations

from collections.abc import Iterable

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.screen import Screen

from calitui.facts.text import clean
from calitui.trace.finding import Finding, Severity, Unchecked
from calitui.tui.actions import EVERYWHERE, FINDINGS, bindings
from calitui.tui.blocks import page
from calitui.tui.drawn import Drawn
from calitui.tui.findings.describe import GLYPHS, STYLES, unsure, whole
from calitui.tui.findings.findinglist import FindingList
from calitui.tui.findings.lines import items
from calitui.tui.lines import KeyBar, Line, joined
from calitui.tui.text import count, crop_middle

MEDIUM = 110


class FindingsScreen(Screen[Finding | None]):
    """Its result is the finding whose hop the person wants to see, or None."""

    CSS_PATH = "findings.tcss"
    BINDINGS = bindings(FINDINGS)
    AUTO_FOCUS = "FindingList"

    def __init__(
        self,
        subject: str,
        findings: Iterable[Finding],
        unchecked: Iterable[Unchecked] = (),
        start: Finding | None = None,
    ) -> None:
        """`subject` says of what; the cursor begins at `start`."""
        super().__init__()
        self.subject = subject
        self.findings = tuple(findings)
        self.unchecked = tuple(unchecked)
        self.start = start

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        yield Line(id="title")
        with Horizontal(id="body"):
            yield FindingList(id="list")
            with VerticalScroll(id="text-scroll", can_focus=False):
                yield Drawn(id="text")
        yield KeyBar(FINDINGS, EVERYWHERE)

    def on_mount(self) -> None:
        """Fill the list."""
        listed = self.query_one(FindingList)
        listed.show(items(self.findings, self.unchecked))
        if self.start is not None:
            listed.go_to(self.start)
        self._show()

    def on_resize(self) -> None:
        """Choose the arrangement for the width."""
        narrow = self.size.width < MEDIUM
        self.set_class(narrow, "-narrow")
        listed = self.query_one(FindingList)
        listed.styles.height = (
            min(max(3, self.size.height // 3), listed.height_for(self.size.width - 1)) if narrow else None
        )
        told = tally(self.findings)
        room = self.size.width - joined(told).cell_length - 4
        self.query_one("#title", Line).show(told, Content(crop_middle(clean(self.subject), max(8, room))))
        self._show()

    @property
    def current(self) -> Finding | None:
        """The finding under the cursor."""
        item = self.query_one(FindingList).current
        return None if item is None else item.finding

    @on(FindingList.Moved)
    def _show(self) -> None:
        item = self.query_one(FindingList).current

        def draw(width: int) -> Content:
            if item is None:
                return Content("Nothing wrong was found in what was read.")
            if item.finding is None:
                return page(unsure(item.unchecked, width), roomy=True)
            return page(whole(item.finding, width), roomy=True)

        self.query_one("#text", Drawn).show(draw)
        self.query_one("#text-scroll", VerticalScroll).scroll_home(animate=False)
        self._rename_keys()

    def _rename_keys(self) -> None:
        finding = self.current
        words = {
            "detail": "list" if self.has_class("-detail") else "whole text",
            "copy_fix": "copy fix" if finding is not None and finding.fix else "",
            "show_hop": "show hop" if finding is not None and finding.hops else "",
        }
        if not self.has_class("-narrow") and not self.has_class("-detail"):
            words["detail"] = ""
        self.query_one(KeyBar).rename(words)

    def on_key(self) -> None:
        """A message has been read once a key is pressed."""
        self.query_one(KeyBar).say(None)

    def _say(self, text: str, style: str) -> None:
        self.query_one(KeyBar).say(Content.styled(clean(text), style))

    @on(FindingList.Chosen)
    def action_detail(self) -> None:
        """The text on the whole screen, and back."""
        self.toggle_class("-detail")
        if not self.has_class("-detail"):
            self.query_one(FindingList).focus()
        self._rename_keys()

    def action_scroll(self, pages: float) -> None:
        """Scroll the text."""
        pane = self.query_one("#text-scroll", VerticalScroll)
        pane.scroll_relative(y=round(pages * max(2, pane.size.height)), animate=False)

    def action_line(self, step: int) -> None:
        """Scroll the text by a line, where the list is not there to move in."""
        self.query_one("#text-scroll", VerticalScroll).scroll_relative(y=step, animate=False)

    def action_copy_fix(self) -> None:
        """What to type, verbatim, through the terminal."""
        finding = self.current
        if finding is None or not finding.fix:
            self._say("There is nothing to type here", "bold $warn")
            return
        self.app.copy_to_clipboard("\n".join(clean(line) for line in finding.fix) + "\n")
        lines = count(len(finding.fix), "line")
        self._say(f"Copied {lines} to type, if this terminal allows OSC 52; calitui types nothing", "bold $good")

    def action_show_hop(self) -> None:
        """Back to the path, at the hop that this finding belongs to."""
        finding = self.current
        if finding is not None and finding.hops:
            self.dismiss(finding)
        else:
            self._say("This finding belongs to no hop of a path", "bold $warn")

    def action_back(self) -> None:
        """Leave the whole text, else go back."""
        if self.has_class("-detail"):
            self.action_detail()
        else:
            self.dismiss(None)


def tally(findings: Iterable[Finding]) -> list[Content]:
    """`2 errors · 1 warning`, each with its glyph."""
    severities = [finding.severity for finding in findings]
    parts = []
    for severity in Severity:
        number = severities.count(severity)
        if number:
            words = count(number, severity.value, "infos" if severity is Severity.INFO else None)
            parts.append(Content.styled(f"{GLYPHS[severity]} {words}", STYLES[severity]))
    return parts or [Content.styled("no findings", "bold")]
