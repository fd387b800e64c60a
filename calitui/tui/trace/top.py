"""The lines over the path: verdict, cause, on what it rests, and what a person must know beside it.

A line that has nothing to say takes no room.
"""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.content import Content

from calitui.errors import CalituiError
from calitui.trace.compare import Change
from calitui.trace.path import Trace
from calitui.tui.lines import Line
from calitui.tui.trace import log, verdict, why
from calitui.tui.trace.changes import line
from calitui.tui.trace.views import notes

MARGIN = 2
"""Cells that a line leaves free."""


class Top(Vertical):
    """Five lines at most."""

    DEFAULT_CSS = """
    Top { height: auto; }
    Top #verdict, Top #why, Top #basis { background: $bar-ground; }
    Top #notes { color: $warn; }
    """

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        for name in ("verdict", "why", "basis", "notes", "changes"):
            yield Line(id=name)

    def show(self, trace: Trace, now: float, changes: tuple[Change, ...] | None, since: str) -> None:
        """Say everything about `trace`; `now` is seconds since the epoch. `changes` is None for a first reading."""
        width = self._width
        self._line("verdict").show(*verdict.headline(trace, width))
        self._fill("why", *why.line(trace, width))
        self._line("basis").show(*verdict.basis(trace, width, now))
        more = Content.assemble(("u", "bold $link"), " shows all") if trace.unread else None
        self._fill("notes", notes(trace), more)
        self._fill("changes", *(([], None) if changes is None else line(changes, since)))

    def show_reading(self, source: str, destination: str, error: CalituiError | None) -> None:
        """While there is no trace: its ends, and whether there will be one."""
        self._line("verdict").show([log.state(error)], verdict.ends(source, destination, self._width - 14))
        self._line("basis").show([Content.styled("routes are read, nothing is changed", "$dim")])
        self._fill("why", [])
        self._fill("notes", [])
        self._fill("changes", [])

    @property
    def _width(self) -> int:
        return max(40, self.screen.size.width - MARGIN)

    def _line(self, name: str) -> Line:
        return self.query_one(f"#{name}", Line)

    def _fill(self, name: str, left: list[Content], right: Content | None = None) -> None:
        line = self._line(name)
        line.display = bool(left)
        line.show(left, right)
