"""A page in a frame over the screen: one subject in full, scrollable, closed by Esc."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static


class FramedScreen(ModalScreen[None]):
    """A heading on the frame and text inside."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,enter", "dismiss", "close"),
        Binding("j", "scroll(1)", show=False),
        Binding("k", "scroll(-1)", show=False),
    ]
    DEFAULT_CSS = """
    FramedScreen { align: center middle; background: $background 60%; }
    FramedScreen > VerticalScroll {
        width: 90%; max-width: 110; height: auto; max-height: 80%;
        border: round $warn; background: $surface; padding: 0 1; scrollbar-size-vertical: 1;
        border-title-color: $warn; border-title-style: bold; border-subtitle-color: $dim;
    }
    """

    def __init__(self, heading: str, text: Content) -> None:
        """`text` is wrapped to the frame."""
        super().__init__()
        self.heading = heading
        self.text = text

    def compose(self) -> ComposeResult:
        """The frame."""
        scroll = VerticalScroll()
        scroll.border_title = Content(self.heading)
        scroll.border_subtitle = Content("Esc closes")
        with scroll:
            yield Static(self.text, markup=False)

    def action_scroll(self, step: int) -> None:
        """One line."""
        self.query_one(VerticalScroll).scroll_relative(y=step, animate=False)
