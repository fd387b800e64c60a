"""One direction on the screen; a click selects a hop."""

from __future__ import annotations

from textual import events
from textual.content import Content
from textual.geometry import Size
from textual.message import Message
from textual.widget import Widget

from calitui.trace.path import Direction
from calitui.tui.trace.pathlines import Marks, Row, rows


class PathView(Widget):
    """Draws a direction as wide as it is."""

    ALLOW_SELECT = False

    class Clicked(Message):
        """A hop was clicked."""

        def __init__(self, view: PathView, hop: int) -> None:
            """`hop` is an index."""
            super().__init__()
            self.view = view
            self.hop = hop

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        """Empty until `show`."""
        super().__init__(id=id)
        self.direction: Direction | None = None
        self.selected: int | None = None
        self.compact = False
        self.marks = Marks()

    def show(self, direction: Direction, selected: int | None, compact: bool, marks: Marks) -> None:
        """Draw `direction`; only a new shape costs a layout."""
        reshaped = direction is not self.direction or compact != self.compact
        self.direction, self.selected, self.compact, self.marks = direction, selected, compact, marks
        self.refresh(layout=reshaped)

    def lines(self, width: int) -> list[Row]:
        """The rows at `width` cells."""
        if self.direction is None:
            return []
        return rows(self.direction, width, self.selected, self.compact, self.marks)

    def line_of(self, hop: int) -> int:
        """The line that shows `hop`."""
        found = (number for number, row in enumerate(self.lines(80)) if row.hop == hop)
        return next(found, 0)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """One line a row."""
        return len(self.lines(80))

    def render(self) -> Content:
        """All rows."""
        return Content("\n").join([row.content for row in self.lines(max(20, self.content_size.width))])

    def on_click(self, event: events.Click) -> None:
        """Select the hop of the line."""
        drawn = self.lines(80)
        line = event.get_content_offset_capture(self).y
        if 0 <= line < len(drawn):
            hop = drawn[line].hop
            if hop is not None:
                self.post_message(self.Clicked(self, hop))
