"""The trace screen: one path both ways, hop by hop, with the detail of the selected one.

From 110 columns the detail stands beside both directions, from 170 the directions stand beside each other; below, one
direction is shown at a time with the detail under it.
"""

from __future__ import annotations

from collections.abc import Callable

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, ScrollableContainer, VerticalScroll
from textual.content import Content
from textual.screen import Screen
from textual.widgets import Static

from calitui.errors import CalituiError, Cancelled
from calitui.facts.text import clean
from calitui.report import as_markdown
from calitui.session import Session
from calitui.trace.path import Trace
from calitui.tui.actions import EVERYWHERE, TRACE, bindings
from calitui.tui.lines import KeyBar, Line
from calitui.tui.messages import TraceFailed, TraceProgress, TraceRead
from calitui.tui.text import clock, count
from calitui.tui.trace import log, verdict, words
from calitui.tui.trace.detailview import DetailView
from calitui.tui.trace.export import ExportScreen
from calitui.tui.trace.pathview import PathView
from calitui.tui.trace.reader import Reader
from calitui.tui.trace.views import asked_again, first_look, notes, over_other_family, swapped
from calitui.tui.unread import UnreadScreen

MEDIUM = 110
WIDE = 170


class TraceScreen(Screen[None]):
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
        self.direction = 0
        self.selected = [0, 0]
        self.log_lines: list[Content] = []
        self.error: CalituiError | None = None
        self.mode = ""

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        yield Line(id="verdict")
        yield Line(id="basis")
        yield Line(id="notes")
        with VerticalScroll(id="log", can_focus=False):
            yield Static("", id="log-text", markup=False)
        with Horizontal(id="body"):
            with ScrollableContainer(id="paths", can_focus=False):
                yield PathView(id="forward")
                yield PathView(id="back")
            with VerticalScroll(id="detail-scroll", can_focus=False):
                yield DetailView(id="detail")
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
        width = max(40, self.size.width - 2)
        self.set_class(trace is None, "-reading")
        self._rename_keys()
        if trace is None:
            self._show_log()
            return
        self.query_one("#verdict", Line).show(*verdict.headline(trace, width))
        self.query_one("#basis", Line).show(*verdict.basis(trace, width, self.now()))
        self._show_notes(trace)
        self.selected = [
            max(0, min(index, len(direction.hops) - 1))
            for index, direction in zip(self.selected, trace.directions, strict=True)
        ]
        for number, view in enumerate(self._views()):
            chosen = number == self.direction
            view.set_class(not chosen, "-other")
            view.show(trace.directions[number], self.selected[number] if chosen else None, self.mode == "-narrow")
        self._scroll_to_hop()
        self._show_detail()

    def _views(self) -> tuple[PathView, PathView]:
        return self.query_one("#forward", PathView), self.query_one("#back", PathView)

    def _show_detail(self) -> None:
        if self.trace is not None:
            hops = self.trace.directions[self.direction].hops
            hop = hops[self.selected[self.direction]] if hops else None
            roomy = self.mode != "-narrow" or self.has_class("-detail")
            self.query_one(DetailView).show(self.trace, hop, roomy)

    def _scroll_to_hop(self) -> None:
        paths = self.query_one("#paths", ScrollableContainer)
        view = self._views()[self.direction]
        line = view.virtual_region.y + view.line_of(self.selected[self.direction])
        height = max(1, paths.size.height)
        if line < paths.scroll_offset.y or line >= paths.scroll_offset.y + height:
            paths.scroll_to(y=max(0, line - height // 2), animate=False)

    def _show_notes(self, trace: Trace) -> None:
        parts = notes(trace)
        self.set_class(bool(parts), "-notes")
        more = Content.assemble(("u", "bold $link"), " shows all") if trace.unread else None
        self.query_one("#notes", Line).show(parts, more)

    def _show_log(self) -> None:
        """The place of the path while there is none."""
        names = verdict.ends(self.source, self.destination, max(40, self.size.width - 2) - 14)
        self.query_one("#verdict", Line).show([log.state(self.error)], names)
        self.query_one("#basis", Line).show([Content.styled("routes are read, nothing is changed", "$dim")])
        self.query_one("#log-text", Static).update(log.page(self.log_lines, self.error))
        self.query_one("#log", VerticalScroll).scroll_end(animate=False)

    def _rename_keys(self) -> None:
        bar = self.query_one(KeyBar)
        if self.trace is None:
            busy = self.reader.busy
            gone = dict.fromkeys(("detail", "copy", "export", "unread", "direction", "family"), "")
            bar.rename(gone | {"back": "stop" if busy else "back", "again": "" if busy else "read again"})
        else:
            other = self.trace.directions[1 - self.direction]
            state = words.ending(other).split()[0]
            notes = "unread" if self.trace.unread else ""
            family = self.trace.other_family
            bar.rename(
                {"family": f"IPv{family.family}" if family is not None else ""}
                | {
                    "direction": f"{other.name} {state}",
                    "unread": notes,
                    "detail": "path" if self.has_class("-detail") else "detail",
                }
            )

    def _say(self, text: str, style: str) -> None:
        self.query_one(KeyBar).say(Content.styled(clean(text), style) if text else None)

    def on_key(self) -> None:
        """A message has been read once a key is pressed; while reading it stays."""
        if not self.reader.busy:
            self.query_one(KeyBar).say(None)

    # keys

    def _select(self, direction: int, hop: int) -> None:
        self.direction = direction
        self.selected[direction] = hop
        self.query_one("#detail-scroll", VerticalScroll).scroll_home(animate=False)
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
        self._select(self._views().index(message.view), message.hop)

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

    def action_swap(self) -> None:
        """Seen from the other end: between two pods the facts are the same, else it is read anew."""
        self.source, self.destination = self.destination, self.source
        turned = None if self.trace is None else swapped(self.trace)
        if turned is None:
            self._read()
            return
        self.trace = turned
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
        self.direction, self.selected = first_look(other)
        self._show()

    def action_again(self) -> None:
        """Read again; the old path stays."""
        if not self.reader.busy:
            self._read()

    def action_copy(self) -> None:
        """The whole trace as Markdown, through the terminal."""
        if self.trace is not None:
            text = as_markdown(self.trace)
            self.app.copy_to_clipboard(text)
            lines = count(len(text.splitlines()), "line")
            self._say(f"Copied {lines} of Markdown, if this terminal allows OSC 52 (e writes a file)", "bold $good")

    def action_export(self) -> None:
        """Write a file."""

        def written(result: str | None) -> None:
            if result:
                self._say(result, "bold $good")

        if self.trace is not None:
            self.app.push_screen(ExportScreen(self.trace), written)

    def action_unread(self) -> None:
        """Everything that was not read."""
        if self.trace is not None and self.trace.unread:
            self.app.push_screen(UnreadScreen(self.trace.unread))
        elif self.trace is not None:
            self._say("Everything that was asked for has been read", "bold $good")

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
