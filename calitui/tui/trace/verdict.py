"""The top of the trace screen: the verdict with both ends, and on what it rests.

The words are the report's, so that screen, Markdown and JSON never differ. This module must not know widgets.
"""

from __future__ import annotations

from textual.content import Content

from calitui.facts.text import clean
from calitui.report.words import SEPARATOR, verdict_line
from calitui.trace.path import Trace, Verdict
from calitui.tui.text import crop_name, moment, width_of

_LOOK = {
    Verdict.DELIVERED: ("✔", "bold $good"),
    Verdict.BROKEN: ("✖", "bold $bad"),
    Verdict.UNKNOWN: ("?", "bold $warn"),
}


def ends(source: str, destination: str, width: int) -> Content:
    """`source → destination` in at most `width` cells, both names cut alike."""
    room = max(8, width - 3)
    first, second = width_of(source), width_of(destination)
    half = room // 2
    if first + second > room:
        first = min(first, max(half, room - second))
        second = min(second, room - first)
    return Content.assemble(
        (crop_name(clean(source), first), "bold"), (" → ", "$dim"), (crop_name(clean(destination), second), "bold")
    )


def headline(trace: Trace, width: int) -> tuple[list[Content], Content]:
    """Left: the verdict in words. Right: both ends, with at least 18 cells for each name."""
    glyph, style = _LOOK[trace.verdict]
    words = clean(verdict_line(trace)).split(SEPARATOR)
    kept = 1 if trace.verdict is Verdict.DELIVERED else min(2, len(words) - 1)
    left = Content.styled(f"{glyph} {SEPARATOR.join(words[:kept])}", style)
    if kept > 1 and left.cell_length > width - 50:
        left = Content.styled(f"{glyph} {words[0]}", style)
    room = max(39, width - left.cell_length - 4)
    return [left], ends(trace.source.label, trace.destination.label, room)


def basis(trace: Trace, width: int, now: float) -> tuple[list[Content], Content]:
    """Left: what the verdict does not speak of, then how the packet is carried. Right: when it was read."""
    words = clean(verdict_line(trace)).split(SEPARATOR)
    rest = words[1:]
    routing = [word for word in rest if word.startswith("routing only")]
    others = [word for word in rest if not word.startswith("routing only")]
    parts = [Content.styled(word, "bold $warn") for word in routing]
    parts += [Content(word) for word in others]
    read = Content.styled(f"read {moment(trace.taken_at, now)}", "$dim")
    sentence = clean(trace.policies.sentence)
    taken = sum(part.cell_length + 3 for part in parts) + read.cell_length
    if sentence and routing and taken - len(routing[0]) + width_of(sentence) < width:
        parts[0] = Content.styled(sentence, "bold $warn")
    return parts, read
