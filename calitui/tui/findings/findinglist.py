"""The virtual list of findings: only the lines in view are drawn. The cursor stays with its finding."""

from __future__ import annotations

from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from calitui.trace.finding import Finding, Severity
from calitui.tui.actions import LIST, bindings
from calitui.tui.findings.lines import Columns, Item, columns, line

_LEAD = 4
"""Cells for the cursor, a blank, the glyph and a blank."""


class FindingList(ScrollView, can_focus=True):
    """Findings, and at the end what could not be checked."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "findings--row",
        "findings--cursor",
        "findings--faint",
        "findings--error",
        "findings--warning",
        "findings--info",
    }
    DEFAULT_CSS = """
    FindingList { height: 1fr; overflow-x: hidden; scrollbar-size-vertical: 1; }
    FindingList > .findings--row { color: $foreground; background: $background; }
    FindingList > .findings--cursor { color: $foreground; background: $cursor-ground; text-style: bold; }
    FindingList > .findings--faint { color: $foreground; background: $bar-ground; }
    FindingList > .findings--error { color: $bad; text-style: bold; }
    FindingList > .findings--warning { color: $warn; text-style: bold; }
    FindingList > .findings--info { color: $link; text-style: bold; }
    """
    BINDINGS = bindings(LIST)
    ALLOW_SELECT = False

    class Moved(Message):
        """The cursor is on another item."""

    class Chosen(Message):
        """A line was double-clicked."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        """Empty until `show`."""
        super().__init__(id=id)
        self.items: list[Item] = []
        self.cursor = 0
        self.shape = Columns(0, 0, 1)

    @property
    def current(self) -> Item | None:
        """The item under the cursor."""
        return self.items[self.cursor] if 0 <= self.cursor < len(self.items) else None

    def height_for(self, width: int) -> int:
        """Lines that show every item in `width` cells."""
        return max(1, len(self.items) * columns(self.items, width - _LEAD).high)

    def show(self, items: list[Item]) -> None:
        """Replace the items; the cursor stays with its finding as far as it is still there."""
        here = self.current
        self.items = items
        same = (number for number, item in enumerate(items) if here is not None and _same(item, here))
        self.cursor = next(same, max(0, min(self.cursor, len(items) - 1)))
        self._arrange()
        self.post_message(self.Moved())

    def go_to(self, finding: Finding) -> None:
        """Put the cursor on `finding`."""
        for number, item in enumerate(self.items):
            if item.finding == finding:
                self._go(number)

    def _arrange(self) -> None:
        width = self.scrollable_content_region.width or self.size.width
        self.shape = columns(self.items, width - _LEAD)
        self.virtual_size = Size(0, len(self.items) * self.shape.high)
        self._keep_in_view()
        self.refresh()

    def on_resize(self) -> None:
        """Other columns fit now."""
        self._arrange()

    def on_focus(self) -> None:
        """The cursor looks different."""
        self.refresh()

    def on_blur(self) -> None:
        """The cursor looks different."""
        self.refresh()

    def action_cursor(self, step: int) -> None:
        """Move by `step` items."""
        self._go(self.cursor + step)

    def action_first(self) -> None:
        """To the first item."""
        self._go(0)

    def action_last(self) -> None:
        """To the last item."""
        self._go(len(self.items) - 1)

    def action_page(self, pages: float) -> None:
        """Move by a part of the visible height."""
        self._go(self.cursor + round(pages * max(1, self.size.height // self.shape.high - 1)))

    def _go(self, index: int) -> None:
        before = self.cursor
        self.cursor = max(0, min(index, len(self.items) - 1))
        if before != self.cursor:
            self._keep_in_view()
            self.refresh()
            self.post_message(self.Moved())

    def _keep_in_view(self) -> None:
        height, top = max(1, self.size.height), self.scroll_offset.y
        first = self.cursor * self.shape.high
        if first < top:
            self.scroll_to(y=first, animate=False, force=True)
        elif first + self.shape.high > top + height:
            self.scroll_to(y=first + self.shape.high - height, animate=False, force=True)

    def on_click(self, event: events.Click) -> None:
        """A click moves the cursor, a double click is Enter."""
        index = (self.scroll_offset.y + event.get_content_offset_capture(self).y) // self.shape.high
        if 0 <= index < len(self.items):
            self._go(index)
            if event.chain == 2:
                self.post_message(self.Chosen())

    def render_line(self, y: int) -> Strip:
        """Draw line `y` of the viewport."""
        width = self.size.width
        index, row = divmod(self.scroll_offset.y + y, self.shape.high)
        ground = self.get_component_rich_style("findings--row")
        if index >= len(self.items):
            return Strip.blank(width, ground)
        item = self.items[index]
        under = index == self.cursor
        style = ground
        if under:
            style = self.get_component_rich_style("findings--cursor" if self.has_focus else "findings--faint")
        name = f"findings--{item.severity or Severity.WARNING}"
        mark = style + self.get_component_rich_style(name, partial=True)
        cursor = ("▸" if self.has_focus else "›") if under and row == 0 else " "
        segments = [
            Segment(f"{cursor} ", style),
            Segment(f"{item.glyph if row == 0 else ' '} ", mark),
            Segment(line(item, self.shape, row, max(1, width - _LEAD)), style),
        ]
        return Strip(segments).adjust_cell_length(width, style)


def _same(one: Item, other: Item) -> bool:
    if one.finding is None or other.finding is None:
        return one.finding is other.finding
    first, second = one.finding, other.finding
    return (first.code, first.node, first.subject) == (second.code, second.node, second.subject)
