"""The list of what could not be read, and why: one screen for the cluster's and for a trace's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from calitui.facts.missing import Missing
from calitui.facts.text import clean


class UnreadScreen(ModalScreen[None]):
    """Everything in full, scrollable."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,u,enter", "dismiss", "close"),
        Binding("j", "scroll(1)", show=False),
        Binding("k", "scroll(-1)", show=False),
    ]
    DEFAULT_CSS = """
    UnreadScreen { align: center middle; background: $background 60%; }
    UnreadScreen > VerticalScroll {
        width: 90%; max-width: 110; height: auto; max-height: 80%;
        border: round $warn; background: $surface; padding: 0 1; scrollbar-size-vertical: 1;
        border-title-color: $warn; border-title-style: bold; border-subtitle-color: $dim;
    }
    """

    def __init__(self, missing: Iterable[Missing]) -> None:
        """In the order they were missed."""
        super().__init__()
        self.missing = tuple(missing)

    def compose(self) -> ComposeResult:
        """A framed list."""
        scroll = VerticalScroll()
        scroll.border_title = Content(f"{len(self.missing)} not read")
        scroll.border_subtitle = Content("Esc closes")
        with scroll:
            yield Static(described(self.missing), markup=False)

    def action_scroll(self, step: int) -> None:
        """One line."""
        self.query_one(VerticalScroll).scroll_relative(y=step, animate=False)


def described(missing: Iterable[Missing]) -> Content:
    """One paragraph each: where and what, then why."""
    blocks = []
    for item in missing:
        where = f"{item.node}: " if item.node else ""
        blocks.append(Content.assemble((clean(f"{where}{item.what}"), "bold"), "\n", clean(item.reason)))
    return Content("\n").join(blocks)
