"""The node x node matrix: only the cells in view are drawn, so a thousand nodes cost as much as twenty.

Labels and column heads stay while the rest scrolls.
"""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from calitui.diagnosis.audit import Audit, Reach
from calitui.trace.finding import Finding
from calitui.tui.actions import MESH, bindings
from calitui.tui.mesh.grid import Grid, corner, grid
from calitui.tui.mesh.words import MARKS, WORDS
from calitui.tui.text import crop

_STYLES = {Reach.OK: "mesh--ok", Reach.BROKEN: "mesh--broken", Reach.UNKNOWN: "mesh--unknown"}
_TROUBLE = (Reach.BROKEN.value, Reach.UNKNOWN.value)


class Matrix(ScrollView, can_focus=True):
    """Rows are where packets start, columns where they go."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "mesh--ground",
        "mesh--line",
        "mesh--cursor",
        "mesh--head",
        "mesh--ok",
        "mesh--broken",
        "mesh--unknown",
        "mesh--none",
        "mesh--mark",
        "mesh--caused",
    }
    DEFAULT_CSS = """
    Matrix { height: 1fr; scrollbar-size: 1 1; }
    Matrix > .mesh--ground { color: $foreground; background: $background; }
    Matrix > .mesh--line { background: $bar-ground; }
    Matrix > .mesh--cursor { background: $cursor-ground; text-style: bold; }
    Matrix > .mesh--head { color: $dim; text-style: bold; }
    Matrix > .mesh--ok { color: $good; }
    Matrix > .mesh--broken { color: $bad; text-style: bold; }
    Matrix > .mesh--unknown { color: $warn; text-style: bold; }
    Matrix > .mesh--none { color: $dim; }
    Matrix > .mesh--mark { color: $link; text-style: bold; }
    Matrix > .mesh--caused { text-style: underline; }
    """
    BINDINGS = bindings(MESH)
    ALLOW_SELECT = False

    class Moved(Message):
        """The cursor is on another pair."""

    class Chosen(Message):
        """A pair was double-clicked."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        """Empty until `show`."""
        super().__init__(id=id)
        self.audit: Audit | None = None
        self.row = self.column = 0
        self.grid: Grid = grid((), 80)
        self._index: dict[str, int] = {}
        self._steered = False
        self._finding = -1
        self._marked: dict[int, str] = {}

    # what is shown

    def show(self, audit: Audit) -> None:
        """Draw `audit`; the cursor is at the first broken pair until a person moves it, then stays with hers."""
        here = self.pair if self._steered else None
        known = self.audit is not None and audit.nodes == self.audit.nodes
        self.audit = audit
        self._index = {name: position for position, name in enumerate(audit.nodes)}
        if here is None:
            self.row, self.column = self._trouble(0) or (0, min(1, len(audit.nodes) - 1))
        elif not known:
            self.row, self.column = (self._index.get(name, 0) for name in here)
        self._arrange()
        self.post_message(self.Moved())

    @property
    def pair(self) -> tuple[str, str] | None:
        """The names of the nodes under the cursor: from, to."""
        if self.audit is None or not self.audit.nodes:
            return None
        return self.audit.nodes[self.row], self.audit.nodes[self.column]

    def highlight(self, finding: Finding | None) -> None:
        """Mark the node that `finding` is about, those it affects, and the pairs it breaks."""
        self._marked = {}
        self._finding = -1
        if finding is not None and self.audit is not None:
            for name in finding.affected:
                if name in self._index:
                    self._marked[self._index[name]] = "◇"
            if finding.node in self._index:
                self._marked[self._index[finding.node]] = "◆"
            places = (place for place, one in enumerate(self.audit.findings) if one is finding)
            self._finding = next(places, -1)
        self.refresh()

    @property
    def natural_height(self) -> int:
        """Lines that show everything, with the scroll bar where one is needed."""
        bar = 1 if self.grid.width > (self.size.width or self.grid.width) else 0
        return self.grid.heads + len(self.grid.names) + bar

    def _arrange(self) -> None:
        nodes = () if self.audit is None else self.audit.nodes
        self.grid = grid(nodes, (self.size.width or 80) - 1)
        self.virtual_size = Size(self.grid.width, self.grid.heads + len(nodes))
        self._keep_in_view()
        self.refresh()

    def on_resize(self) -> None:
        """Other cells fit now."""
        self._arrange()

    # keys

    def action_move(self, rows: int, columns: int) -> None:
        """Move by rows and columns."""
        self._go(self.row + rows, self.column + columns)

    def action_page(self, pages: int) -> None:
        """Move by the visible rows."""
        self._go(self.row + pages * max(1, self.size.height - self.grid.heads - 1), self.column)

    def action_first(self) -> None:
        """To the first node's pairs."""
        self._go(0, 0)

    def action_last(self) -> None:
        """To the last node's pairs."""
        size = len(self.grid.names)
        self._go(size - 1, size - 1)

    def go_to_trouble(self) -> bool:
        """To the next pair that is broken or unknown, from the top again after the last; False if there is none."""
        if self.audit is None:
            return False
        size = len(self.audit.nodes)
        found = self._trouble(self.row * size + self.column + 1) or self._trouble(0)
        if found is not None:
            self._go(*found)
        return found is not None

    def _trouble(self, start: int) -> tuple[int, int] | None:
        """The first broken pair at or after a position, row by row; an unknown one where none is broken."""
        if self.audit is None or not self.audit.nodes:
            return None
        first, offset = divmod(start, len(self.audit.nodes))
        broken = self.audit.count(Reach.BROKEN) > 0
        mark = _TROUBLE[0] if broken else _TROUBLE[1]
        for row in range(first, len(self.audit.nodes)):
            column = self.audit.rows[row].find(mark, offset if row == first else 0)
            if column >= 0:
                return row, column
        return None

    def _go(self, row: int, column: int) -> None:
        last = len(self.grid.names) - 1
        row, column = max(0, min(row, last)), max(0, min(column, last))
        if (row, column) != (self.row, self.column):
            self.row, self.column, self._steered = row, column, True
            self._keep_in_view()
            self.refresh()
            self.post_message(self.Moved())

    def _keep_in_view(self) -> None:
        shown = self.grid
        region = self.scrollable_content_region
        rows = max(1, region.height - shown.heads)
        columns = self._columns_in_view
        top, left = self.scroll_offset.y, self._first_column
        y = self.row if self.row < top else max(top, self.row - rows + 1)
        x = self.column if self.column < left else max(left, self.column - columns + 1)
        self.scroll_to(x=x * shown.cell, y=y, animate=False, force=True)

    @property
    def _first_column(self) -> int:
        """The first column in view; scrolling ends before a whole one, so a part of one is skipped."""
        return -(-self.scroll_offset.x // self.grid.cell)

    @property
    def _columns_in_view(self) -> int:
        return max(1, (self.scrollable_content_region.width - self.grid.label - 1) // self.grid.cell)

    def on_click(self, event: events.Click) -> None:
        """A click moves the cursor, a double click is Enter."""
        place = event.get_content_offset_capture(self)
        row = place.y - self.grid.heads + self.scroll_offset.y
        column = (place.x - self.grid.label) // self.grid.cell + self._first_column
        if place.y >= self.grid.heads and place.x >= self.grid.label and max(row, column) < len(self.grid.names):
            self._go(row, column)
            if event.chain == 2:
                self.post_message(self.Chosen())

    # drawing

    def render_line(self, y: int) -> Strip:
        """Draw line `y` of the viewport: a head, or the visible cells of a row."""
        ground = self.get_component_rich_style("mesh--ground")
        width = self.size.width
        row = y - self.grid.heads + self.scroll_offset.y
        if self.audit is None or row >= len(self.grid.names):
            return Strip.blank(width, ground)
        first = self._first_column
        shown = range(first, min(len(self.grid.names), first + self._columns_in_view))
        segments = self._head(y, shown, ground) if y < self.grid.heads else self._cells(self.audit, row, shown, ground)
        return Strip(segments).adjust_cell_length(width, ground)

    def _head(self, line: int, shown: range, ground: Style) -> list[Segment]:
        dim = ground + self.get_component_rich_style("mesh--head", partial=True)
        mark = ground + self.get_component_rich_style("mesh--mark", partial=True)
        segments = [Segment(corner(self.grid, line), dim)]
        for column in shown:
            under = column == self.column
            if line < len(self.grid.columns):
                text = " " + self.grid.columns[line][column]
                segments.append(Segment(text, ground + Style(bold=True) if under else dim))
            else:
                sign = ("▾" if under else " ") + self._marked.get(column, " ")
                segments.append(Segment(sign.ljust(self.grid.cell) if self.grid.cell > 2 else sign, mark))
        return segments

    def _cells(self, audit: Audit, row: int, shown: range, ground: Style) -> list[Segment]:
        arranged = self.grid
        line = ground + self.get_component_rich_style("mesh--line", partial=True) if row == self.row else ground
        mark = line + self.get_component_rich_style("mesh--mark", partial=True)
        name = line + Style(bold=True) if row == self.row else line
        pointer = ("▸" if self.has_focus else "›") if row == self.row else " "
        segments = [
            Segment(pointer, mark),
            Segment(self._marked.get(row, " "), mark),
            Segment(f"{row + 1:>{arranged.digits}} ", line + self.get_component_rich_style("mesh--head", partial=True)),
            Segment(arranged.names[row] + " ", name),
        ]
        closing = ""
        for column in shown:
            under = row == self.row and column == self.column
            reach = audit.reach(row, column)
            style = line + self.get_component_rich_style(_STYLES.get(reach, "mesh--none"), partial=True)
            if self._finding >= 0 and self._finding in audit.causes.get((row, column), ()):
                style += self.get_component_rich_style("mesh--caused", partial=True)
            if under:
                style += self.get_component_rich_style("mesh--cursor", partial=True)
            text = MARKS[reach] + (f" {WORDS[reach]}" if arranged.wordy else "")
            segments.append(Segment(closing or ("[" if under else " "), mark if under or closing else line))
            closing = ""
            if arranged.cell == 2:
                segments.append(Segment(text, style))
                closing = "]" if under else ""
            else:
                segments.append(Segment(crop(text, arranged.cell - 2), style))
                blanks = arranged.cell - 1 - len(crop(text, arranged.cell - 2))
                segments.append(Segment(("]" if under else " ").ljust(blanks), mark if under else line))
        if closing:
            segments.append(Segment(closing, mark))
        return segments
