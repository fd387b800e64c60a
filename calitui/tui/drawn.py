"""A pane that is drawn for the width it really has, as high as that needs."""

from __future__ import annotations

from collections.abc import Callable

from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

NARROWEST = 24
"""Cells below which nothing is arranged any more."""


class Drawn(Widget):
    """Shows what a function draws in a number of cells."""

    DEFAULT_CSS = "Drawn { width: 1fr; height: auto; }"

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        """Empty until `show`."""
        super().__init__(id=id)
        self._draw: Callable[[int], Content] | None = None
        self._drawn: tuple[int, Content] | None = None

    def show(self, draw: Callable[[int], Content]) -> None:
        """Draw anew; `draw` is asked again whenever the width changes."""
        self._draw, self._drawn = draw, None
        self.refresh(layout=True)

    def _content(self, width: int) -> Content:
        width = max(NARROWEST, width)
        if self._draw is None:
            return Content("")
        if self._drawn is None or self._drawn[0] != width:
            self._drawn = width, self._draw(width)
        return self._drawn[1]

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Lines at `width`."""
        return self._content(width).plain.count("\n") + 1

    def render(self) -> Content:
        """The page at the present width."""
        return self._content(self.content_size.width)
