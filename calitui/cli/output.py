"""stdout is data, stderr is talk; who reads them may go away or be full at any time."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from calitui.errors import CalituiError, Exit
from calitui.facts.text import clean

FORMS = ("text", "json", "markdown")
"""What a report can be printed as."""
WIDTH_OF_A_PIPE = 100
"""Columns of wrapped sentences where no terminal tells."""


def data(text: str | bytes) -> None:
    """Write to stdout. A reader that went away (`| head`) is no failure: the rest goes nowhere.

    Raises:
        CalituiError: stdout can't be written, a full disk for one.
    """
    raw = text.encode("utf-8", "backslashreplace") if isinstance(text, str) else text
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(raw)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        _to_nowhere()
    except OSError as error:
        _to_nowhere()
        raise CalituiError(f"stdout can't be written: {error.strerror}") from None


def say(line: str) -> None:
    """One line on stderr, made harmless, with our name before it."""
    _stderr(f"calitui: {clean(line)}")


def note(line: str) -> None:
    """One line on stderr that is no complaint."""
    _stderr(clean(line))


def colour() -> bool:
    """Whether stdout may be coloured: NO_COLOR forbids it, FORCE_COLOR allows it, else a capable terminal does."""
    if os.environ.get("NO_COLOR"):
        return False
    if forced := os.environ.get("FORCE_COLOR"):
        return forced != "0"
    return sys.stdout.isatty() and os.environ.get("TERM") not in (None, "", "dumb")


def width() -> int:
    """Columns that sentences may take."""
    return shutil.get_terminal_size((WIDTH_OF_A_PIPE, 24)).columns if sys.stdout.isatty() else WIDTH_OF_A_PIPE


def close(code: int) -> int:
    """Flush what is left; `code`, or the code of an output that can't be written."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _to_nowhere()
    except (OSError, ValueError) as error:
        _to_nowhere()
        say(f"stdout can't be written: {error}")
        return code or Exit.UNREADABLE
    return code


def _stderr(line: str) -> None:
    try:
        sys.stderr.write(line + "\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        return


def _to_nowhere() -> None:
    """Point stdout at the null device, so that the interpreter's own last flush doesn't complain."""
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
