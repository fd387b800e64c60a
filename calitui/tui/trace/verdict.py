"""The top of the trace screen: the verdict with both ends, and on what it rests.

The words are the report's, so that screen, Markdown and JSON never differ. This module must not know widgets.
"""

from __future__ import annotations

from textual.content import Content

from calitui.facts.text import clean
from calitui.report.proved import all_answered, beside, proof_line
from calitui.report.words import SEPARATOR, cause_words, verdict_line
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
    words = _parts(trace)
    forms = [words[0], words[0].rpartition(" on ")[0] or words[0]]
    if trace.proof is not None and _proved(trace):
        glyph, forms = "◉", [clean(proof_line(trace)), f"proved: {trace.proof.probe.answered} packets answered"]
    elif trace.verdict is not Verdict.DELIVERED and len(words) > 2:
        forms.insert(0, SEPARATOR.join(words[:2]))
    least = min(39, width_of(trace.source.label) + width_of(trace.destination.label) + 3)
    text = next((form for form in forms if width_of(form) + 4 + least <= width), forms[-1])
    left = Content.styled(f"{glyph} {text}", style)
    return [left], ends(trace.source.label, trace.destination.label, max(least, width - left.cell_length - 2))


def basis(trace: Trace, width: int, now: float) -> tuple[list[Content], Content]:
    """Left: what the verdict does not speak of, then how the packet is carried. Right: when it was read."""
    rest = _parts(trace) if _proved(trace) else _parts(trace)[1:]
    routing = [word for word in rest if word.startswith("routing only")]
    others = [word for word in rest if not word.startswith("routing only")]
    family = [f"IPv{trace.family}"] if trace.family == 6 or trace.other_family is not None else []
    texts = [*routing, *family, *others]
    when = moment(trace.taken_at, now)
    taken = sum(width_of(text) + 3 for text in texts)
    sentence = clean(trace.policies.sentence)
    if sentence and routing and taken - len(routing[0]) + width_of(sentence) + len(when) + 7 < width:
        texts[0] = sentence
    read = f"read {when}" if taken + len(when) + 5 <= width else when
    parts = [Content.styled(text, "bold $warn" if number < len(routing) else "") for number, text in enumerate(texts)]
    return parts, Content.styled(read, "$dim")


def _proved(trace: Trace) -> bool:
    """Whether packets are what the headline tells of."""
    return trace.verdict is Verdict.DELIVERED and all_answered(trace)


def _parts(trace: Trace) -> list[str]:
    """The parts of the report's line, without the cause: that has a line of its own."""
    cause = clean(cause_words(trace))
    return [part for part in clean(beside(trace, verdict_line(trace))).split(SEPARATOR) if part != cause]
