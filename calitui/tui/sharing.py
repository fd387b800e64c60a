"""What can be taken away from a screen: a copy, a file, and the page of what was not read."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec
from textual.content import Content
from textual.screen import Screen

from calitui.facts.missing import Missing
from calitui.facts.text import clean
from calitui.tui.export import ExportScreen, Formats
from calitui.tui.lines import KeyBar
from calitui.tui.text import count
from calitui.tui.unread import UnreadScreen

Result = TypeVar("Result")


class Shared(msgspec.Struct, frozen=True):
    """What a screen has to give: as Markdown, as a file of that `name` in one of `formats`, and what was not read."""

    markdown: Callable[[], str]
    name: str
    formats: Formats
    unread: tuple[Missing, ...]


class SharingScreen(Screen[Result]):
    """A screen that has something to share, or nothing yet, and a key bar to say things on."""

    def shared(self) -> Shared | None:
        """What there is to share now; each screen says it for itself."""
        return None

    def _say(self, text: str, style: str) -> None:
        self.query_one(KeyBar).say(Content.styled(clean(text), style) if text else None)

    def action_copy(self) -> None:
        """All of it as Markdown, through the terminal."""
        if (shared := self.shared()) is not None:
            text = shared.markdown()
            self.app.copy_to_clipboard(text)
            lines = count(len(text.splitlines()), "line")
            self._say(f"Copied {lines} of Markdown, if this terminal allows OSC 52 (e writes a file)", "bold $good")

    def action_export(self) -> None:
        """Write a file."""

        def written(result: str | None) -> None:
            if result:
                self._say(result, "bold $good")

        if (shared := self.shared()) is not None:
            self.app.push_screen(ExportScreen(shared.name, shared.formats), written)

    def action_unread(self) -> None:
        """Everything that was not read."""
        shared = self.shared()
        if shared is not None and shared.unread:
            self.app.push_screen(UnreadScreen(shared.unread))
        elif shared is not None:
            self._say("Everything that was asked for has been read", "bold $good")
