"""Writing a trace or an audit to a file: the name's ending chooses the format.

The dialog only asks for a name and shows what was wrong with it; nothing is overwritten without a second Enter.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from calitui.diagnosis.audit import Audit
from calitui.errors import UsageError
from calitui.facts.text import clean
from calitui.report import as_json, as_markdown, as_text, audit_json, audit_markdown, audit_text
from calitui.trace.path import Trace

TEXT_WIDTH = 100
"""Columns of a text report in a file."""

Formats = Mapping[str, Callable[[], bytes]]
"""What makes a file's content, by the ending of its name."""


def trace_formats(trace: Trace) -> Formats:
    """How a trace may be written, and the packets of its proof."""
    formats: dict[str, Callable[[], bytes]] = {
        ".md": lambda: as_markdown(trace).encode("utf-8"),
        ".json": lambda: as_json(trace),
        ".txt": lambda: as_text(trace, TEXT_WIDTH, False).encode("utf-8"),
    }
    packets = trace.proof.sightings if trace.proof is not None else ()
    if any(one.frame for one in packets):
        # The library for captures is needed here only.
        from calitui.proof.pcap import to_pcap, to_pcapng

        formats |= {".pcap": lambda: to_pcap(packets), ".pcapng": lambda: to_pcapng(packets)}
    return formats


def audit_formats(audit: Audit) -> Formats:
    """How an audit may be written."""
    return {
        ".md": lambda: audit_markdown(audit).encode("utf-8"),
        ".json": lambda: audit_json(audit),
        ".txt": lambda: audit_text(audit, TEXT_WIDTH, False).encode("utf-8"),
    }


def suggested(trace: Trace) -> str:
    """A file name that says what it holds."""
    names = [
        re.sub(r"[^A-Za-z0-9.-]+", "-", end.name or end.ip or "end")[:40] for end in (trace.source, trace.destination)
    ]
    return f"calitui-{names[0]}-to-{names[1]}.md"


def rendered(formats: Formats, path: Path) -> bytes:
    """The file's content.

    Raises:
        UsageError: the ending is none of those in `formats`.
    """
    content = formats.get(path.suffix.lower())
    if content is None:
        raise UsageError(f"{path.name} must end in one of {', '.join(formats)}")
    return content()


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

    def __init__(self, name: str, formats: Formats) -> None:
        """`name` is proposed. What `formats` write was fixed before, whatever is read meanwhile."""
        super().__init__()
        self.suggestion = name
        self.formats = formats
        self._confirmed: str | None = None

    def compose(self) -> ComposeResult:
        """A framed field."""
        box = Vertical()
        box.border_title = Content("Export")
        box.border_subtitle = Content("Enter writes · Esc cancels")
        with box:
            endings = " or ".join(", ".join(self.formats).rsplit(", ", 1))
            yield Static(f"File name; {endings} decides the format", markup=False)
            field = Input(self.suggestion, compact=True, select_on_focus=False)
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
            data = rendered(self.formats, path)
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
