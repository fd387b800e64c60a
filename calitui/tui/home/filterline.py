"""The field a filter is typed into: letters are letters there, arrows still move the list."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input


class FilterInput(Input):
    """One line without a frame and without a blinking cursor."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "clear", show=False),
        Binding("up", "move(-1)", show=False),
        Binding("down", "move(1)", show=False),
        Binding("pageup", "move(-1.0)", show=False),
        Binding("pagedown", "move(1.0)", show=False),
    ]

    class Left(Message):
        """Esc: no filter after all."""

    class Moved(Message):
        """An arrow was meant for the list: `step` is rows, or a float for pages."""

        def __init__(self, step: float) -> None:
            """As the binding says."""
            super().__init__()
            self.step = step

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        """Empty."""
        super().__init__(
            placeholder="text, regex, !not, -l app=web, -f fuzzy", id=id, compact=True, select_on_focus=False
        )
        self.cursor_blink = False

    def action_leave(self) -> None:
        """Give up filtering."""
        self.post_message(self.Left())

    def action_move(self, step: float) -> None:
        """Move in the list."""
        self.post_message(self.Moved(step))
