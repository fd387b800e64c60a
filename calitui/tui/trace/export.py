"""Writing a trace to a file: the name's ending chooses the format.

The dialog only asks for a name and shows what was wrong with it; nothing is overwritten without a second Enter.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from calitui.errors import UsageError
from calitui.facts.text import clean
from calitui.report import as_json, as_markdown, as_text
from calitui.trace.path import Trace

ENDINGS = (".md", ".json", ".txt")
TEXT_WIDTH = 100
"""Columns of a text report in a file."""


def suggested(trace: Trace) -> str:
    """A file name that says what it holds."""
    names = [
        re.sub(r"[^A-Za-z0-9.-]+", "-", end.name or end.ip or "end")[:40] for end in (trace.source, trace.destination)
    ]
    return f"calitui-{names[0]}-to-{names[1]}.md"


def rendered(trace: Trace, path: Path) -> bytes:
    """The file's content.

    Raises:
        UsageError: the ending is none of `ENDINGS`.
    """
    ending = path.suffix.lower()
    if ending == ".md":
        return as_markdown(trace).encode("utf-8")
    if ending == ".json":
        return as_json(trace)
    if ending == ".txt":
        return as_text(trace, TEXT_WIDTH, False).encode("utf-8")
    raise UsageError(f"{path.name} must end in one of {', '.join(ENDINGS)}")


class ExportScreen(ModalScreen[str | None]):
    """Asks for a name; the result is what was written where, or None."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "cancel")]
    DEFAULT_CSS = """
    ExportScreen { align: center middle; background: $background 60%; }
    ExportScreen > Vertical {
        width: 90%; max-width: 100; height: auto; border: round $link; background: $surface; padding: 0 1;
        border-title-color: $link; border-title-style: bold; border-subtitle-color: $dim;
    }
    ExportScreen Input { border: none; height: 1; padding: 0; background: $panel; background-tint: transparent; }
    """

    def __init__(self, trace: Trace) -> None:
        """`trace` is written as it is now, whatever is read meanwhile."""
        super().__init__()
        self.trace = trace
        self._confirmed: str | None = None

    def compose(self) -> ComposeResult:
        """A framed field."""
        box = Vertical()
        box.border_title = Content("Export")
        box.border_subtitle = Content("Enter writes · Esc cancels")
        with box:
            yield Static("File name; .md, .json or .txt decides the format", markup=False)
            field = Input(suggested(self.trace), compact=True, select_on_focus=False)
            field.cursor_blink = False
            yield field
            yield Static("", id="state", markup=False)

    @on(Input.Submitted)
    def _submitted(self, message: Input.Submitted) -> None:
        name = message.value.strip()
        if not name:
            return
        path = Path(name).expanduser()
        try:
            data = rendered(self.trace, path)
            if path.exists() and self._confirmed != name:
                self._confirmed = name
                self._say("That file exists: Enter again overwrites it")
                return
            path.write_bytes(data)
        except UsageError as error:
            self._say(str(error))
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            self._say(f"Can't write there: {reason}")
        else:
            self.dismiss(f"Written: {path.absolute()} ({len(data):,} bytes)")

    def _say(self, text: str) -> None:
        self.query_one("#state", Static).update(Content.styled(clean(text), "bold $warn"))
