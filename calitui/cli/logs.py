"""The log file: what libraries say and the tracebacks that a terminal never sees."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path

from calitui import __version__
from calitui.facts.text import clean

LARGEST = 1024 * 1024
"""Bytes; a log that has grown beyond starts anew."""


def path() -> Path:
    """Where the log is; XDG first, also on macOS."""
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "calitui" / "log"


def to_file() -> None:
    """Send the loggers of libraries and Python's warnings to the log: they would print over data and screens."""
    logging.captureWarnings(True)
    root = logging.getLogger()
    if not any(isinstance(handler, _LogFile) for handler in root.handlers):
        root.addHandler(_LogFile(level=logging.WARNING))


def unexpected(error: BaseException) -> str:
    """Write the traceback down and return the line for a person."""
    what = clean(f"{type(error).__name__}: {error}".rstrip(": "))[:200]
    trace = "".join(traceback.format_exception(error))
    try:
        _append(f"calitui {__version__}, Python {sys.version.split()[0]}\n{trace}")
    except OSError as denied:
        return f"unexpected {what}. The traceback could not be written to {path()}: {denied.strerror}"
    return f"unexpected {what}. This is a defect of calitui; the traceback is in {path()}"


def _append(text: str) -> None:
    where = path()
    where.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = not where.exists() or where.stat().st_size > LARGEST
    descriptor = os.open(where, os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if fresh else os.O_APPEND), 0o600)
    with os.fdopen(descriptor, "a", encoding="utf-8", errors="backslashreplace") as log:
        log.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {text.rstrip()}\n")


class _LogFile(logging.Handler):
    """Opens the file only when there is something to say."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            _append(f"{record.levelname} {record.name}: {self.format(record)}")
        except OSError:
            return
