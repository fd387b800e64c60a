"""Text for a terminal or a log, line by line: sentences are wrapped, what somebody may want to copy is not.

What is written is drawn as plain text, never as markup, and no meaning hangs on colour.
"""

from __future__ import annotations

from io import StringIO

from rich.console import Console
from rich.text import Text

from calitui.facts.text import clean

NARROWEST = 40
"""Columns; below that sentences are not wrapped any tighter."""
LABEL = 12
"""Columns of a label in front of a sentence."""
INDENT = 6
"""Columns in front of what belongs to a hop or a finding."""


class Page:
    """Lines on their way to text of a given width; `colour` allows ANSI colours."""

    def __init__(self, width: int, colour: bool) -> None:
        self._out = StringIO()
        self.width = max(width, NARROWEST)
        self._console = Console(
            file=self._out,
            width=self.width,
            force_terminal=colour,
            no_color=not colour,
            color_system="standard" if colour else None,
            highlight=False,
            markup=False,
            emoji=False,
            soft_wrap=True,
            legacy_windows=False,
        )

    def line(self, *parts: Text) -> None:
        """One line as it is, however long."""
        self._console.print(Text.assemble(*parts))

    def prose(self, label: str, sentence: str, indent: int, style: str = "") -> None:
        """A labelled sentence, wrapped under itself."""
        hang = indent + (LABEL + 1 if label else 0)
        room = max(self.width - hang, NARROWEST // 2)
        for number, part in enumerate(Text(clean(sentence), style).wrap(self._console, room)):
            part.rstrip()
            head = " " * indent + f"{label:<{LABEL}} " if label and not number else " " * hang
            self.line(Text(head, "dim" if label else ""), part)

    def verbatim(self, label: str, line: str, indent: int) -> None:
        """A labelled line that must stay one line."""
        self.line(Text(" " * indent + f"{label:<{LABEL}} ", "dim"), Text(clean(line)))

    def text(self) -> str:
        """Everything so far."""
        return self._out.getvalue()
