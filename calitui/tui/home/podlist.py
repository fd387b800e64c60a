"""The virtual list of pods: only the lines in view are ever drawn, so its size does not matter.

The cursor belongs to a pod, not to a line: it stays with its pod while the list changes around it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import var
from textual.scroll_view import ScrollView
from textual.strip import Strip

from calitui.facts.cluster import Pod
from calitui.tui.actions import LIST, bindings
from calitui.tui.home.columns import Layout, Naturals, cells, layout
from calitui.tui.home.roster import Key, order, place
from calitui.tui.text import age

MARKS = ("S", "D")


class PodList(ScrollView, can_focus=True):
    """Rows of pods with a cursor and the marks of source and destination."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"pods--row", "pods--cursor", "pods--mark", "pods--quiet"}
    BINDINGS = bindings(LIST)
    ALLOW_SELECT = False

    class CursorMoved(Message):
        """The cursor is on another pod, or the columns have other widths."""

    class Chosen(Message):
        """A row was double-clicked."""

    cursor: var[int] = var(0)

    def __init__(self, now: Callable[[], float], *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        """`now` is seconds since the epoch that ages are counted to."""
        super().__init__(id=id)
        self._now = now
        self.rows: list[Pod] = []
        self.naturals = Naturals()
        self.marked: dict[Key, str] = {}
        self.columns: Layout = layout(80, self.naturals)

    @property
    def current(self) -> Pod | None:
        """The pod under the cursor."""
        return self.rows[self.cursor] if 0 <= self.cursor < len(self.rows) else None

    def show(self, rows: list[Pod], naturals: Naturals) -> None:
        """Replace the rows (sorted); the cursor stays with its pod, or takes the place where it was."""
        current = self.current
        offset = self.cursor - self.scroll_offset.y
        self.rows, self.naturals = rows, naturals
        self.virtual_size = Size(0, len(rows))
        index = place(rows, order(current))[0] if current is not None else 0
        self.cursor = max(0, min(index, len(rows) - 1))
        self._divide()
        self.scroll_to(y=max(0, self.cursor - offset), animate=False, force=True)
        self._keep_in_view()
        self.refresh()
        self.post_message(self.CursorMoved())

    def mark(self, marked: dict[Key, str]) -> None:
        """Which pods carry which letter."""
        self.marked = marked
        self.refresh()

    def _divide(self) -> None:
        width = self.scrollable_content_region.width or self.size.width
        self.columns = layout(width - 1, self.naturals)

    def on_resize(self) -> None:
        """Other columns fit now."""
        self._divide()
        self._keep_in_view()
        self.refresh()
        self.post_message(self.CursorMoved())

    def action_cursor(self, step: int) -> None:
        """Move by `step` rows."""
        self._go(self.cursor + step)

    def action_first(self) -> None:
        """To the first row."""
        self._go(0)

    def action_last(self) -> None:
        """To the last row."""
        self._go(len(self.rows) - 1)

    def action_page(self, pages: float) -> None:
        """Move by a part of the visible height."""
        self._go(self.cursor + round(pages * max(1, self.size.height - 1)))

    def _go(self, index: int) -> None:
        before = self.cursor
        self.cursor = max(0, min(index, len(self.rows) - 1))
        if before == self.cursor:
            return
        top = self.scroll_offset.y
        self._keep_in_view()
        if self.scroll_offset.y == top:
            self._refresh_row(before)
            self._refresh_row(self.cursor)
        else:
            self.refresh()
        self.post_message(self.CursorMoved())

    def _refresh_row(self, index: int) -> None:
        self.refresh(Region(0, index - self.scroll_offset.y, self.size.width, 1))

    def _keep_in_view(self) -> None:
        height = max(1, self.size.height)
        top = self.scroll_offset.y
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, force=True)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False, force=True)

    def on_click(self, event: events.Click) -> None:
        """A click moves the cursor, a double click is Enter."""
        index = self.scroll_offset.y + event.get_content_offset_capture(self).y
        if 0 <= index < len(self.rows):
            self._go(index)
            if event.chain == 2:
                self.post_message(self.Chosen())

    def render_line(self, y: int) -> Strip:
        """Draw the row that is on line `y` of the viewport."""
        width = self.size.width
        index = self.scroll_offset.y + y
        ground = self.get_component_rich_style("pods--row")
        if index >= len(self.rows):
            return Strip.blank(width, ground)
        pod = self.rows[index]
        under = index == self.cursor
        style = ground
        if under:
            style = self.get_component_rich_style("pods--cursor")
        elif pod.is_finished or not pod.ips:
            style = self.get_component_rich_style("pods--quiet")
        letter = self.marked.get(order(pod), " ")
        created = age(None if pod.created is None else self._now() - pod.created)
        text = self.columns.line(cells(pod, created))
        marking = style + self.get_component_rich_style("pods--mark", partial=True) if letter != " " else style
        return Strip(
            [
                Segment("▸" if under else " ", style),
                Segment(letter, marking),
                Segment(" ", style),
                Segment(text, marking if letter != " " else style),
            ]
        ).adjust_cell_length(width, style)
