"""What changed between an earlier reading of the same pair and this one, in each form."""

from __future__ import annotations

from datetime import datetime

import msgspec
from rich.text import Text

from calitui.facts.text import clean
from calitui.report.escaping import prose
from calitui.report.page import Page
from calitui.report.words import counted, moment, moment_line
from calitui.trace.compare import Change, compare
from calitui.trace.path import Trace

_LINES = frozenset({"route", "hop"})
_WORDS = {"finding": "new finding", "finding-gone": "finding gone", "mtu": "MTU"}


class Since(msgspec.Struct, frozen=True):
    """An earlier trace of the same pair, and the name of the recording it is from."""

    origin: str
    trace: Trace


class ChangeReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One difference. `kind` is `verdict`, `hop`, `route`, `mtu`, `finding`, `finding-gone` or `reading`; `number` is
    of the newer path's hop.
    """

    kind: str
    direction: str | None
    number: int | None
    before: str | None
    after: str | None


class SinceReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What changed since the recording `origin`, taken at `taken_at`."""

    origin: str
    taken_at: datetime | None
    changes: tuple[ChangeReport, ...]


def since_report(since: Since, now: Trace) -> SinceReport:
    """The differences as scripts read them."""
    changes = tuple(
        ChangeReport(
            clean(one.kind),
            clean(one.direction) if one.direction else None,
            one.number,
            clean(one.before) or None,
            clean(one.after) or None,
        )
        for one in compare(since.trace, now)
    )
    return SinceReport(clean(since.origin), moment(since.trace.taken_at), changes)


def write_since(page: Page, since: Since, now: Trace) -> None:
    """The differences as text."""
    changes = compare(since.trace, now)
    page.line()
    page.prose("", _head(since, len(changes)), 0, "bold")
    for change in changes:
        place, before, after = _parts(change)
        page.line(Text(f"  {place}"))
        for sign, text in (("-", before), ("+", after)):
            if text and change.kind in _LINES:
                page.line(Text(f"      {sign} {text}"))
            elif text:
                page.prose("", f"{sign} {text}", 6)


def since_blocks(since: Since, now: Trace) -> list[str]:
    """The same as Markdown blocks."""
    changes = compare(since.trace, now)
    lines = []
    for place, before, after in map(_parts, changes):
        told = f"{prose(before)} → {prose(after)}" if before and after else prose(after or f"{before} (before)")
        lines.append(f"- {prose(place)}: {told}")
    head = _head(since, len(changes))
    return [f"### {prose(head[:1].upper() + head[1:])}", *(["\n".join(lines)] if lines else [])]


def _head(since: Since, number: int) -> str:
    said = counted(number, "change") if number else "nothing changed"
    return f"{said} since {clean(since.origin)}, read {moment_line(since.trace.taken_at)}"


def _parts(change: Change) -> tuple[str, str, str]:
    hop = f"hop {change.number}" if change.number is not None else ""
    words = (change.direction or "", hop, _WORDS.get(change.kind, change.kind))
    return clean(" ".join(word for word in words if word)), clean(change.before), clean(change.after)
