"""The detail of the selected hop on the screen, drawn for the width it really has."""

from __future__ import annotations

from textual.content import Content
from textual.geometry import Size
from textual.widget import Widget

from calitui.trace.path import Hop, Trace
from calitui.tui.trace.detail import detail

NARROWEST = 24
"""Cells below which nothing is arranged any more."""


class DetailView(Widget):
    """As high as its hop needs."""

    def __init__(self, *, id: str | None = None) -> None:  # noqa: A002 - Textual's name
        """Empty until `show`."""
        super().__init__(id=id)
        self._trace: Trace | None = None
        self._hop: Hop | None = None
        self._roomy = False

    def show(self, trace: Trace, hop: Hop | None, roomy: bool) -> None:
        """Draw `hop` of `trace`; None where a direction has no hop at all."""
        self._trace, self._hop, self._roomy = trace, hop, roomy
        self.refresh(layout=True)

    def _content(self, width: int) -> Content:
        if self._trace is None:
            return Content("")
        if self._hop is None:
            return Content.styled("No hop of this direction could be computed.", "$warn")
        return detail(self._trace, self._hop, max(NARROWEST, width), self._roomy)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        """Lines at `width`."""
        return self._content(width).plain.count("\n") + 1

    def render(self) -> Content:
        """The hop at the present width."""
        return self._content(self.content_size.width)
