"""The mesh screen: which node can route to which, both ways of the selected pair, and the findings behind it.

From 110 columns the findings stand beside the matrix, below it otherwise. What is read arrives in parts and is drawn at
most four times a second.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from calitui.diagnosis.audit import Audit
from calitui.errors import CalituiError, Cancelled
from calitui.facts.text import clean
from calitui.report import audit_markdown
from calitui.session import Progress, Session
from calitui.tui.actions import AUDIT, EVERYWHERE, bindings
from calitui.tui.background import post, start
from calitui.tui.blocks import page
from calitui.tui.drawn import Drawn
from calitui.tui.export import audit_formats
from calitui.tui.findings.describe import concise, unsure
from calitui.tui.findings.findinglist import FindingList
from calitui.tui.findings.lines import items
from calitui.tui.findings.screen import FindingsScreen
from calitui.tui.lines import KeyBar, Line, joined
from calitui.tui.mesh import words
from calitui.tui.mesh.auditor import Auditor
from calitui.tui.mesh.keys import labels
from calitui.tui.mesh.matrix import Matrix
from calitui.tui.messages import AuditFailed, AuditNews, AuditRead, Refused, TraceWanted
from calitui.tui.sharing import Shared, SharingScreen
from calitui.tui.text import clock, moment
from calitui.tui.trace import log

MEDIUM = 110
QUIET = 0.25
"""Seconds between two drawings of what is still being read."""
_LEAST = 5
"""Lines below which the selected finding is only in the list."""


class MeshScreen(SharingScreen[Audit | None]):
    """Reads an audit, shows it, reads it again. Its result is the last complete one, to be shown at once next time."""

    CSS_PATH = "mesh.tcss"
    BINDINGS = bindings(AUDIT)
    AUTO_FOCUS = "Matrix"

    def __init__(self, session: Session, now: Callable[[], float], last: Audit | None = None) -> None:
        """`last` is shown instead of reading; it is None the first time."""
        super().__init__()
        self.session, self.now = session, now
        self.auditor = Auditor(session, self)
        self.audit: Audit | None = None
        self.complete: Audit | None = last
        self.error: CalituiError | None = None
        self.progress: Progress | None = None
        self._read_so_far = 0
        self._waiting = False

    def shared(self) -> Shared | None:
        """The audit, once there is one."""
        audit = self.audit
        if audit is None:
            return None
        return Shared(lambda: audit_markdown(audit), "calitui-audit.md", audit_formats(audit), audit.unread)

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        yield Line(id="title")
        yield Line(id="worst")
        yield Static("", id="empty", markup=False)
        with Horizontal(id="body"):
            with Vertical(id="left"):
                yield Matrix(id="matrix")
                with VerticalScroll(id="pair-scroll", can_focus=False):
                    yield Drawn(id="pair")
            with Vertical(id="right"):
                yield FindingList(id="findings")
                with VerticalScroll(id="finding-scroll", can_focus=False):
                    yield Drawn(id="finding")
        yield KeyBar(AUDIT, EVERYWHERE)

    def on_mount(self) -> None:
        """Show the last audit, or read."""
        if self.complete is not None:
            self._take(self.complete)
        else:
            self._read()

    def on_unmount(self) -> None:
        """Nobody waits any more."""
        self.auditor.stop()

    def on_resize(self) -> None:
        """Choose the arrangement for the width."""
        self.set_class(self.size.width < MEDIUM, "-narrow")
        self._arrange()
        self._show()

    # reading

    def _read(self) -> None:
        self.error = self.progress = None
        self._read_so_far = 0
        self.auditor.read()
        self._show()

    @on(AuditNews)
    def _heard(self, message: AuditNews) -> None:
        if message.run == self.auditor.run and self.auditor.busy and not self._waiting:
            self._draw_news()

    def _draw_news(self) -> None:
        progress, audit = self.auditor.take()
        self.progress = progress or self.progress
        if audit is not None:
            self._read_so_far = len(audit.read)
            if self.complete is None:
                self._take(audit)
        self._show()
        self._waiting = True
        self.set_timer(QUIET, self._wake)

    def _wake(self) -> None:
        self._waiting = False
        if self.auditor.busy and self.auditor.has_news:
            self._draw_news()

    @on(AuditRead)
    def _arrived(self, message: AuditRead) -> None:
        if message.run != self.auditor.run:
            return
        again = self.complete is not None
        self.auditor.busy = False
        self.complete = message.audit
        self._take(message.audit)
        self._show()
        if again:
            self._say(f"Read again at {clock(self.now())}", "bold $good")

    @on(AuditFailed)
    def _failed(self, message: AuditFailed) -> None:
        if message.run != self.auditor.run:
            return
        self.auditor.busy = False
        self.error = message.error
        if self.audit is not None:
            why = "Stopped" if isinstance(message.error, Cancelled) else str(message.error)
            kept = "this is still the audit of" if self.complete is not None else "this is what was read until"
            self._say(f"{why}; {kept} {clock(self.audit.taken_at)}", "bold $warn")
        self._show()

    # drawing

    def _take(self, audit: Audit) -> None:
        """Show `audit` from now on."""
        self.audit = audit
        self.query_one(Matrix).show(audit)
        self.query_one(FindingList).show(items(audit.findings, audit.unchecked))
        self._arrange()

    def _arrange(self) -> None:
        """The matrix gets what it needs, as far as the rest keeps a minimum."""
        narrow = self.has_class("-narrow")
        matrix, findings = self.query_one(Matrix), self.query_one(FindingList)
        body = max(8, self.size.height - 3)
        high = max(4, min(matrix.natural_height, body - (8 if narrow else 10)))
        matrix.styles.height = high
        free = body - high - 4 if narrow else body
        listed = max(
            2,
            min(
                findings.height_for(self.size.width * (100 if narrow else 42) // 100 - 1), max(free // 2, free - _LEAST)
            ),
        )
        room_for_text = not narrow or free - listed >= _LEAST
        findings.styles.height = listed if room_for_text else None
        self.query_one("#finding-scroll").display = room_for_text

    def _show(self) -> None:
        audit = self.audit
        self.set_class(audit is None, "-empty")
        self._rename_keys()
        title = self.query_one("#title", Line)
        if audit is None:
            state = log.state(self.error)
            title.show([state, Content("all nodes")], Content(clean(self.session.origin)))
            lines = [log.line(self.progress)] if self.progress is not None else []
            self.query_one("#worst", Line).show([Content.styled("routes are read, nothing is changed", "$dim")])
            self.query_one("#empty", Static).update(log.page(lines, self.error))
            return
        worst = words.worst(audit)
        if self.auditor.busy:
            state = Content.styled(f"◌ reading, {self._read_so_far:,} of {len(audit.nodes):,} nodes", "bold $warn")
            parts = [state, *words.tally(audit)[1:]]
            what = log.line(self.progress) if self.progress is not None else Content("")
            if joined(parts).cell_length + what.cell_length + 4 > self.size.width:
                worst, what = [what, *worst], Content("")
            title.show(parts, what)
        else:
            stopped = [] if audit.complete else [Content.styled("■ stopped", "bold $warn")]
            title.show([*stopped, *words.tally(audit)], Content.styled(moment(audit.taken_at, self.now()), "$dim"))
        self.query_one("#worst", Line).show(worst)
        self._show_pair()

    @on(Matrix.Moved)
    def _moved(self) -> None:
        """The pair in words; its first cause is selected in the list."""
        matrix, audit = self.query_one(Matrix), self.audit
        if audit is None:
            return
        causes = audit.causes.get((matrix.row, matrix.column), ())
        if causes and matrix.has_focus:
            self.query_one(FindingList).go_to(audit.findings[causes[0]])
        self._show_pair()

    def _show_pair(self) -> None:
        matrix, audit = self.query_one(Matrix), self.audit
        if audit is None or matrix.audit is not audit:
            return
        if not audit.nodes:
            self.query_one("#pair", Drawn).show(lambda _: Content("The cluster has no node that this account may see."))
            return
        roomy = not self.has_class("-narrow")
        draw = partial(words.pair, audit, matrix.row, matrix.column, roomy=roomy)
        self.query_one("#pair", Drawn).show(draw)

    @on(FindingList.Moved)
    def _selected(self) -> None:
        item = self.query_one(FindingList).current
        finding = None if item is None else item.finding
        self.query_one(Matrix).highlight(finding)
        roomy = not self.has_class("-narrow")

        def draw(width: int) -> Content:
            if item is None:
                return Content("")
            return page(concise(finding, width, roomy) if finding else unsure(item.unchecked, width), roomy)

        self.query_one("#finding", Drawn).show(draw)
        self.query_one("#finding-scroll", VerticalScroll).scroll_home(animate=False)

    def _rename_keys(self) -> None:
        on_findings = self.query_one(FindingList).has_focus
        self.query_one(KeyBar).rename(labels(self.audit, busy=self.auditor.busy, on_findings=on_findings))

    def on_descendant_focus(self) -> None:
        """Enter means something else now."""
        self._rename_keys()

    @on(Refused)
    def _refused(self, message: Refused) -> None:
        self._say(message.words, "bold $warn")

    def on_key(self) -> None:
        """A message has been read once a key is pressed."""
        self.query_one(KeyBar).say(None)

    # keys

    @on(Matrix.Chosen)
    @on(FindingList.Chosen)
    def action_open(self) -> None:
        """What Enter means where the cursor is."""
        if self.audit is None:
            return
        if self.query_one(FindingList).has_focus:
            self.action_why()
        else:
            self._trace()

    def _trace(self) -> None:
        pair = self.query_one(Matrix).pair
        if pair is None:
            return

        def work() -> None:
            ends = words.pods_between(self.session.cluster().pods, *pair)
            post(self, Refused(ends) if isinstance(ends, str) else TraceWanted(*ends))

        def failed(error: CalituiError) -> None:
            post(self, Refused(str(error)))

        start("pods", work, failed)

    def action_other_pane(self) -> None:
        """From the nodes to the findings and back."""
        matrix = self.query_one(Matrix)
        (self.query_one(FindingList) if matrix.has_focus else matrix).focus()

    def action_next_trouble(self) -> None:
        """The next pair that is not OK."""
        if self.audit is not None and not self.query_one(Matrix).go_to_trouble():
            self._say("No pair is broken or unknown", "bold $good")

    def action_why(self) -> None:
        """All findings, and what could not be checked."""
        audit = self.audit
        if audit is not None:
            item = self.query_one(FindingList).current
            start_at = item.finding if item is not None else None
            subject = f"{self.session.origin}, all nodes"
            self.app.push_screen(FindingsScreen(subject, audit.findings, audit.unchecked, start_at))

    def action_again(self) -> None:
        """Read again; the old audit stays until the new one is complete."""
        if not self.auditor.busy:
            self._read()

    def action_back(self) -> None:
        """Stop reading, else go back."""
        if self.auditor.busy:
            self.auditor.stop()
            self._say("Stopping", "bold $warn")
        else:
            self.dismiss(self.complete)
