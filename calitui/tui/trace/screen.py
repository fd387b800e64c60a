"""The trace screen: one path both ways, hop by hop, with the detail of the selected one.

From 110 columns the detail stands beside both directions, from 170 the directions stand beside each other; below, one
direction is shown at a time with the detail under it.
"""

from __future__ import annotations

from collections.abc import Callable

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.widgets import Static

from calitui.errors import CalituiError, Cancelled
from calitui.report import as_markdown
from calitui.report.proved import all_answered, loss, proof_line
from calitui.session import Session
from calitui.trace.compare import Change, compare
from calitui.trace.finding import Finding
from calitui.trace.path import Trace, Verdict
from calitui.tui.actions import EVERYWHERE, TRACE, bindings
from calitui.tui.export import suggested, trace_formats
from calitui.tui.findings.screen import FindingsScreen
from calitui.tui.lines import KeyBar
from calitui.tui.messages import TraceFailed, TraceProgress, TraceRead, WalkthroughWanted
from calitui.tui.sharing import Shared, SharingScreen
from calitui.tui.text import clock
from calitui.tui.trace import log, why
from calitui.tui.trace.changes import ChangesScreen
from calitui.tui.trace.keys import labels
from calitui.tui.trace.panes import HopPane, Paths
from calitui.tui.trace.pathview import PathView
from calitui.tui.trace.proving import ProofScreen
from calitui.tui.trace.reader import Reader
from calitui.tui.trace.top import Top
from calitui.tui.trace.views import asked_again, first_look, over_other_family, swapped

MEDIUM = 110
WIDE = 170


class TraceScreen(SharingScreen[None]):
    """Reads a trace, shows it, reads it again."""

    CSS_PATH = "trace.tcss"
    BINDINGS = bindings(TRACE)

    def __init__(self, session: Session, source: str, destination: str, now: Callable[[], float]) -> None:
        """`source` and `destination` as the session takes them."""
        super().__init__()
        self.source, self.destination = source, destination
        self.session, self.now = session, now
        self.reader = Reader(session, self)
        self.trace: Trace | None = None
        self.before: Trace | None = None
        self.direction = 0
        self.selected = [0, 0]
        self.log_lines: list[Content] = []
        self.error: CalituiError | None = None
        self.mode = ""

    def shared(self) -> Shared | None:
        """The trace, once there is one."""
        trace = self.trace
        if trace is None:
            return None
        return Shared(lambda: as_markdown(trace), suggested(trace), trace_formats(trace), trace.unread)

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        yield Top()
        with VerticalScroll(id="log", can_focus=False):
            yield Static("", id="log-text", markup=False)
        with Horizontal(id="body"):
            yield Paths(id="paths")
            yield HopPane(id="detail-scroll")
        yield KeyBar(TRACE, EVERYWHERE)

    def on_mount(self) -> None:
        """Read at once."""
        self._read()

    def on_unmount(self) -> None:
        """Nobody waits any more."""
        self.reader.stop()

    def on_resize(self) -> None:
        """Choose the arrangement for the width."""
        width = self.size.width
        self.mode = "-wide" if width >= WIDE else "-medium" if width >= MEDIUM else "-narrow"
        for mode in ("-narrow", "-medium", "-wide"):
            self.set_class(mode == self.mode, mode)
        self._show()

    # reading

    def _read(self) -> None:
        self.error = None
        self.log_lines = []
        self.reader.read(self.source, self.destination)
        if self.trace is not None:
            self._say("◌ reading again · Esc stops", "bold $warn")
        self._show()

    @on(TraceProgress)
    def _progressed(self, message: TraceProgress) -> None:
        if message.run != self.reader.run:
            return
        line = log.line(message.progress)
        self.log_lines = [*self.log_lines[-log.MOST_LINES :], line]
        if self.trace is not None:
            self._say(f"◌ reading again: {line.plain} · Esc stops", "bold $warn")
        else:
            self._show_log()

    @on(TraceRead)
    def _arrived(self, message: TraceRead) -> None:
        if message.run != self.reader.run:
            return
        old = self.trace
        again = old is not None
        # What packets showed is not gone because none were sent this time.
        self.before = None if old is None or old.proof is not None else old
        self.reader.busy = False
        self.trace = message.trace
        if old is not None and old.family != message.trace.family:
            self.trace = over_other_family(message.trace) or message.trace
        self.source, self.destination = asked_again(self.trace, self.source, self.destination)
        if not again:
            self.direction, self.selected = first_look(self.trace)
        self._say(f"Read again at {clock(self.now())}" if again else "", "bold $good")
        self._show()

    @on(TraceFailed)
    def _failed(self, message: TraceFailed) -> None:
        if message.run != self.reader.run:
            return
        self.reader.busy = False
        self.error = message.error
        stopped = isinstance(message.error, Cancelled)
        why = "Stopped" if stopped else str(message.error)
        if self.trace is not None:
            self._say(f"{why}; this is still the path of {clock(self.trace.taken_at)}", "bold $warn")
        self._show()

    # drawing

    def _show(self) -> None:
        """Draw everything from the present state."""
        trace = self.trace
        self.set_class(trace is None, "-reading")
        self._rename_keys()
        if trace is None:
            self._show_log()
            return
        changes = self._changes()
        self.query_one(Top).show(trace, self.now(), changes, self._since())
        self.selected = [
            max(0, min(index, len(direction.hops) - 1))
            for index, direction in zip(self.selected, trace.directions, strict=True)
        ]
        compact = self.mode == "-narrow"
        self.query_one(Paths).show(trace, self.direction, self.selected, changes or (), compact=compact)
        self._show_detail()

    def _changes(self) -> tuple[Change, ...] | None:
        """What is not as it was at the reading before, None where there was none of this question."""
        return None if self.before is None or self.trace is None else compare(self.before, self.trace)

    def _since(self) -> str:
        return clock(self.before.taken_at) if self.before is not None else ""

    def _show_detail(self) -> None:
        if self.trace is not None:
            roomy = self.mode != "-narrow" or self.has_class("-detail")
            self.query_one(HopPane).show(self.trace, self.direction, self.selected[self.direction], roomy)

    def _show_log(self) -> None:
        """The place of the path while there is none."""
        self.query_one(Top).show_reading(self.source, self.destination, self.error)
        self.query_one("#log-text", Static).update(log.page(self.log_lines, self.error))
        self.query_one("#log", VerticalScroll).scroll_end(animate=False)

    def _rename_keys(self) -> None:
        whole, busy = self.has_class("-detail"), self.reader.busy
        self.query_one(KeyBar).rename(labels(self.trace, self.direction, busy=busy, whole_detail=whole))

    def on_key(self) -> None:
        """A message has been read once a key is pressed; while reading it stays."""
        if not self.reader.busy:
            self.query_one(KeyBar).say(None)

    # keys

    def _select(self, direction: int, hop: int) -> None:
        self.direction = direction
        self.selected[direction] = hop
        self.query_one(HopPane).scroll_home(animate=False)
        self._show()

    def action_hop(self, step: int) -> None:
        """The next or previous hop; where both directions are shown, the other one follows at the end."""
        if self.trace is None:
            return
        hop = self.selected[self.direction] + step
        hops = len(self.trace.directions[self.direction].hops)
        if 0 <= hop < hops:
            self._select(self.direction, hop)
        elif self.mode == "-medium" and (hop >= hops) == (self.direction == 0):
            other = 1 - self.direction
            self._select(other, 0 if step > 0 else len(self.trace.directions[other].hops) - 1)

    def action_first(self) -> None:
        """The first hop."""
        if self.trace is not None:
            self._select(self.direction, 0)

    def action_last(self) -> None:
        """The last hop."""
        if self.trace is not None:
            self._select(self.direction, len(self.trace.directions[self.direction].hops) - 1)

    def action_direction(self) -> None:
        """The other direction."""
        if self.trace is not None:
            other = 1 - self.direction
            self._select(other, self.selected[other])

    @on(PathView.Clicked)
    def _clicked(self, message: PathView.Clicked) -> None:
        self._select(self.query_one(Paths).views.index(message.view), message.hop)

    def action_detail(self) -> None:
        """The detail on the whole screen, and back."""
        if self.trace is not None:
            self.toggle_class("-detail")
            self._rename_keys()
            self._show_detail()

    def action_scroll(self, pages: float) -> None:
        """Scroll the detail."""
        pane = self.query_one("#detail-scroll" if self.trace is not None else "#log", VerticalScroll)
        pane.scroll_relative(y=round(pages * max(2, pane.size.height)), animate=False)

    def action_walkthrough(self) -> None:
        """The path told step by step."""
        if self.trace is not None:
            self.post_message(WalkthroughWanted(self.trace))

    def go_to(self, trace: Trace, place: tuple[int, int]) -> None:
        """Select a hop, by direction and index, if this is still the trace it belongs to."""
        if self.trace is trace:
            self._select(*place)

    def action_prove(self) -> None:
        """Send packets along the path, after a dialog that says what will run where."""
        trace = self.trace
        if trace is None or self.reader.busy:
            return

        def proved(found: Trace | None) -> None:
            if found is not None and self.trace is trace:
                self.trace, self.before = found, None
                if found.verdict is not Verdict.DELIVERED:
                    self.direction, self.selected = first_look(found)
                self._show()
                if not all_answered(found) and loss(found) is None:
                    self._say(proof_line(found), "bold $warn")

        self.app.push_screen(ProofScreen(self.session, trace), proved)

    def action_swap(self) -> None:
        """Seen from the other end: between two pods the facts are the same, else it is read anew."""
        self.source, self.destination = self.destination, self.source
        turned = None if self.trace is None else swapped(self.trace)
        if turned is None:
            self._read()
            return
        self.trace = turned
        self.before = None if self.before is None else swapped(self.before)
        self.selected.reverse()
        self.direction = 0
        if self.reader.busy:
            self._read()
        self._show()

    def action_family(self) -> None:
        """The same pair over the other IP family."""
        if self.trace is None:
            return
        other = over_other_family(self.trace)
        if other is None:
            self._say("Only one IP family: one end has no address of the other", "bold $warn")
            return
        self.trace = other
        self.before = None if self.before is None else over_other_family(self.before)
        self.direction, self.selected = first_look(other)
        self._show()

    def action_again(self) -> None:
        """Read again; the old path stays."""
        if not self.reader.busy:
            self._read()

    def action_why(self) -> None:
        """All findings, and what could not be checked."""
        trace = self.trace
        if trace is None:
            return
        way = trace.directions[self.direction]
        here = why.at(trace, way.name, way.hops[self.selected[self.direction]].number) if way.hops else ()

        def wanted(finding: Finding | None) -> None:
            place = why.place(trace, finding) if finding is not None and self.trace is trace else None
            if place is not None:
                self._select(*place)

        subject = f"{trace.source.label} → {trace.destination.label}"
        screen = FindingsScreen(subject, trace.findings, trace.unchecked, here[0] if here else None)
        self.app.push_screen(screen, wanted)

    def action_changes(self) -> None:
        """Everything that changed since the reading before."""
        changes = self._changes()
        if changes is not None:
            self.app.push_screen(ChangesScreen(changes, self._since()))
        elif self.trace is not None:
            self._say("There is no reading before this one: r reads again", "bold $warn")

    def action_back(self) -> None:
        """Stop reading, else leave the detail, else go back."""
        if self.reader.busy:
            self.reader.stop()
            if self.trace is not None:
                self._say("Stopping", "bold $warn")
            else:
                self.log_lines.append(Content.styled("stopping", "$dim"))
                self._show_log()
        elif self.has_class("-detail"):
            self.action_detail()
        else:
            self.dismiss()
