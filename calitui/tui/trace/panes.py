"""The two panes of the trace screen: both directions, and the detail of the selected hop."""

from __future__ import annotations

from functools import partial

from textual.app import ComposeResult
from textual.containers import ScrollableContainer, VerticalScroll
from textual.content import Content

from calitui.trace.compare import Change
from calitui.trace.finding import Finding
from calitui.trace.path import Hop, Trace
from calitui.tui.drawn import Drawn
from calitui.tui.trace import why
from calitui.tui.trace.changes import changed_hops
from calitui.tui.trace.detail import detail
from calitui.tui.trace.pathlines import Marks
from calitui.tui.trace.pathview import PathView


class Paths(ScrollableContainer, can_focus=False):
    """Forward and return; the selected hop is always in view."""

    def compose(self) -> ComposeResult:
        """Whether the other direction shows is the screen's layout."""
        yield PathView(id="forward")
        yield PathView(id="back")

    @property
    def views(self) -> tuple[PathView, PathView]:
        """In the order of a trace's directions."""
        return self.query_one("#forward", PathView), self.query_one("#back", PathView)

    def show(
        self, trace: Trace, direction: int, selected: list[int], changes: tuple[Change, ...], *, compact: bool
    ) -> None:
        """Draw `trace`; `selected` is an index of each direction's hops, `direction` where the cursor is."""
        for number, view in enumerate(self.views):
            way = trace.directions[number]
            view.set_class(number != direction, "-other")
            marks = Marks(why.marks(trace, way.name), changed_hops(changes, way.name))
            view.show(way, selected[number] if number == direction else None, compact, marks)
        self._reveal(self.views[direction], selected[direction])

    def _reveal(self, view: PathView, hop: int) -> None:
        line = view.virtual_region.y + view.line_of(hop)
        height = max(1, self.size.height)
        if line < self.scroll_offset.y or line >= self.scroll_offset.y + height:
            self.scroll_to(y=max(0, line - height // 2), animate=False)


class HopPane(VerticalScroll, can_focus=False):
    """Everything about one hop, its findings first."""

    def compose(self) -> ComposeResult:
        """A page that is as long as it needs to be."""
        yield Drawn(id="detail")

    def show(self, trace: Trace, direction: int, index: int, roomy: bool) -> None:
        """Draw the hop at `index` of a direction."""
        way = trace.directions[direction]
        hop = way.hops[index] if way.hops else None
        found = why.at(trace, way.name, hop.number) if hop is not None else ()
        self.query_one(Drawn).show(partial(_drawn, trace, hop, roomy, found))


def _drawn(trace: Trace, hop: Hop | None, roomy: bool, found: tuple[Finding, ...], width: int) -> Content:
    if hop is None:
        return Content.styled("No hop of this direction could be computed.", "$warn")
    return detail(trace, hop, width, roomy, found)
