"""Fitting text into cells: the rules by which names and lines are shortened so that the telling part survives.

A pod's name ends in the hash that tells it from its siblings, so names are cut in the middle; routes begin with what
decides, so lines are cut at the end. This module must not know widgets or facts.
"""

from __future__ import annotations

import textwrap
from datetime import datetime

from rich.cells import cell_len, set_cell_size

ELLIPSIS = "…"


def width_of(text: str) -> int:
    """Terminal cells that `text` takes."""
    return len(text) if text.isascii() else cell_len(text)


def crop(text: str, width: int) -> str:
    """At most `width` cells of `text`, cut at the end."""
    if width_of(text) <= width:
        return text
    if width <= 1:
        return ELLIPSIS[:width]
    return set_cell_size(text, width - 1).rstrip() + ELLIPSIS


def crop_middle(text: str, width: int) -> str:
    """At most `width` cells of `text`, cut in the middle; the end keeps a little more than the start."""
    if width_of(text) <= width:
        return text
    if width <= 3:
        return crop(text, width)
    tail = width // 2
    head = width - 1 - tail
    if text.isascii():
        return text[:head] + ELLIPSIS + text[-tail:]
    return set_cell_size(text, head).rstrip() + ELLIPSIS + set_cell_size(text[::-1], tail)[::-1].lstrip()


def crop_name(label: str, width: int) -> str:
    """`namespace/name` in at most `width` cells: the name keeps its suffix, the namespace its start."""
    namespace, slash, name = label.partition("/")
    if width_of(label) <= width or not slash:
        return crop_middle(label, width)
    shown = crop_middle(namespace, max(3, width // 3))
    rest = width - width_of(shown) - 1
    return crop_middle(label, width) if rest < 8 else f"{shown}/{crop_middle(name, rest)}"


def fit(text: str, width: int) -> str:
    """Exactly `width` cells: cut at the end or padded with blanks."""
    return _pad(crop(text, width), width)


def fit_middle(text: str, width: int) -> str:
    """Exactly `width` cells: cut in the middle or padded with blanks."""
    return _pad(crop_middle(text, width), width)


def _pad(text: str, width: int) -> str:
    return text + " " * (width - width_of(text))


def wrap(text: str, width: int, indent: str = "") -> list[str]:
    """Lines of at most `width` cells, later ones behind `indent`. Never empty."""
    return textwrap.wrap(text, max(width, 8), subsequent_indent=indent, break_on_hyphens=False) or [""]


def age(seconds: float | None) -> str:
    """An age as kubectl prints it, in at most four characters: `45s`, `12m`, `5h`, `3d`, `2y`; `?` when unknown."""
    if seconds is None:
        return "?"
    whole = max(0, int(seconds))
    if whole < 120:
        return f"{whole}s"
    if whole < 3 * 3600:
        return f"{whole // 60}m"
    if whole < 2 * 86400:
        return f"{whole // 3600}h"
    if whole < 2 * 365 * 86400:
        return f"{whole // 86400}d"
    return f"{whole // (365 * 86400)}y"


def clock(timestamp: float) -> str:
    """Local time of day, `18:20:31`."""
    when = _local(timestamp)
    return when.strftime("%H:%M:%S") if when else "an unknown time"


def moment(timestamp: float, now: float) -> str:
    """Time of day, with the date when it is not today's."""
    when, today = _local(timestamp), _local(now)
    if when is None:
        return "at an unknown time"
    same = today is not None and when.date() == today.date()
    return when.strftime("%H:%M:%S" if same else "%Y-%m-%d %H:%M")


def _local(timestamp: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(timestamp).astimezone()
    except (OverflowError, OSError, ValueError):
        return None


def count(number: int, one: str, many: str | None = None) -> str:
    """`1 pod`, `12,000 pods`."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
