"""What can be taken away from a trace: a copy, a file, and the page of what was not read."""

from __future__ import annotations

from textual.content import Content
from textual.screen import Screen

from calitui.facts.text import clean
from calitui.report import as_markdown
from calitui.trace.path import Trace
from calitui.tui.export import ExportScreen, suggested, trace_formats
from calitui.tui.lines import KeyBar
from calitui.tui.text import count
from calitui.tui.unread import UnreadScreen


class SharingScreen(Screen[None]):
    """A screen with a trace, or none yet, and a key bar to say things on."""

    trace: Trace | None = None

    def _say(self, text: str, style: str) -> None:
        self.query_one(KeyBar).say(Content.styled(clean(text), style) if text else None)

    def action_copy(self) -> None:
        """The whole trace as Markdown, through the terminal."""
        if self.trace is not None:
            text = as_markdown(self.trace)
            self.app.copy_to_clipboard(text)
            lines = count(len(text.splitlines()), "line")
            self._say(f"Copied {lines} of Markdown, if this terminal allows OSC 52 (e writes a file)", "bold $good")

    def action_export(self) -> None:
        """Write a file."""

        def written(result: str | None) -> None:
            if result:
                self._say(result, "bold $good")

        if self.trace is not None:
            self.app.push_screen(ExportScreen(suggested(self.trace), trace_formats(self.trace)), written)

    def action_unread(self) -> None:
        """Everything that was not read."""
        if self.trace is not None and self.trace.unread:
            self.app.push_screen(UnreadScreen(self.trace.unread))
        elif self.trace is not None:
            self._say("Everything that was asked for has been read", "bold $good")
