"""A slide as text: what happens and why at the left, the packet and this cluster's evidence at the right or under it.

This module must not know widgets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from textual.content import Content

from calitui.facts.text import clean
from calitui.trace.path import Header
from calitui.tui.findings.describe import STYLES, headed
from calitui.tui.text import fit, width_of
from calitui.tui.trace.packet import Naming, boxes
from calitui.tui.walkthrough.flow import flow
from calitui.walkthrough.slides import ChangeKind, Doubt, HeaderChange, Slide, Words
from calitui.walkthrough.wording import Texts

PROSE = 76
"""Cells of a line of prose at most: longer ones are hard to read, most of all on a projector."""
_LEAST_MARKED = 3
"""Characters of a value from which on it is set off in the text."""


def told(slide: Slide, texts: Texts, width: int, roomy: bool) -> Content:
    """Title, paragraphs, doubts; `roomy` puts blank lines between the paragraphs."""
    room = min(width, PROSE)
    blocks = [[Content.styled(line, "bold $link") for line in flow(texts.titled(slide.title), room)]]
    paragraphs = [_paragraph(words, texts, room) for words in slide.paragraphs]
    blocks += paragraphs if roomy else [[line for paragraph in paragraphs for line in paragraph]]
    blocks += [_doubt(doubt, texts, room) for doubt in slide.doubts]
    return Content("\n\n" if roomy else "\n").join([Content("\n").join(block) for block in blocks if block])


def shown(slide: Slide, texts: Texts, width: int, roomy: bool) -> Content:
    """The packet before and after, the cause of a broken path, the evidence, and what to type."""
    blocks = [_packet(slide, texts, width, roomy), _finding(slide, width), _fix(slide, texts, width)]
    blocks.append(_evidence(slide, texts, width))
    return Content("\n\n" if roomy else "\n").join([Content("\n").join(block) for block in blocks if block])


def _paragraph(words: Words, texts: Texts, width: int) -> list[Content]:
    """Wrapped, with the values of this cluster set off from the words around them."""
    values = sorted({clean(value) for value in words.values.values() if len(value) >= _LEAST_MARKED}, key=len)
    pattern = "|".join(re.escape(value) for value in reversed(values))
    lines = [Content(line) for line in flow(texts.told(words), width)]
    return [line.highlight_regex(pattern, style="bold") for line in lines] if pattern else lines


def _doubt(doubt: Doubt, texts: Texts, width: int) -> list[Content]:
    glyph, style = ("✖", "bold $bad") if doubt.grave else ("◆", "bold $good") if doubt.proven else ("▲", "$warn")
    lines = [Content.styled(line, style) for line in flow(f"{glyph} {texts.told(doubt.words)}", width, "  ")]
    return lines + [
        Content.styled(line, "$dim") for line in flow(f"  {clean(doubt.reason)}", width, "  ") if line.strip()
    ]


def _packet(slide: Slide, texts: Texts, width: int, roomy: bool) -> list[Content]:
    if not slide.after:
        return []
    compact = not roomy
    if not slide.changes:
        drawn = _headers(slide.after, texts, width, compact)
        return [*drawn, Content.styled(texts.of_screen("unchanged"), "$dim")] if slide.hop is not None else drawn
    marks = [
        Content.styled(line, "bold $warn")
        for change in slide.changes
        for text in _change(change, texts)
        for line in flow(text, width, "  ")
    ]
    after = _headers(slide.after, texts, width, compact)
    if not roomy:
        return [*marks, *after]
    before = _headers(slide.before, texts, width, compact)
    return [_caption("before", texts), *before, *marks, _caption("after", texts), *after]


def _caption(key: str, texts: Texts) -> Content:
    return Content.styled(texts.of_screen(key), "$dim")


def _headers(packet: tuple[Header, ...], texts: Texts, width: int, compact: bool) -> list[Content]:
    naming = Naming(texts.of_screen("outer"), texts.of_screen("inner"), texts.of_screen("own"))
    return [Content.styled(line, "$link") for line in boxes(packet, min(width, PROSE), compact, naming)]


def _change(change: HeaderChange, texts: Texts) -> list[str]:
    header, before = change.header, change.before
    if change.kind is not ChangeKind.REWRITTEN or before is None:
        return [texts.of_screen(change.kind.value, src=header.src, dst=header.dst)]
    pairs = (("rewritten-src", before.src, header.src), ("rewritten-dst", before.dst, header.dst))
    return [texts.of_screen(key, old=old, new=new) for key, old, new in pairs if old != new]


def _finding(slide: Slide, width: int) -> list[Content]:
    if slide.finding is None:
        return []
    lines = [Content.styled(line, STYLES[slide.finding.severity]) for line in flow(headed(slide.finding), width, "  ")]
    return lines + [Content(line) for line in flow(clean(slide.finding.summary), width)]


def _fix(slide: Slide, texts: Texts, width: int) -> list[Content]:
    if not slide.fix:
        return []
    styles = ("$dim" if line.lstrip().startswith("#") else "bold" for line in slide.fix)
    label = texts.of_screen("fix")
    return _labelled(label, zip(slide.fix, styles, strict=True), width)


def _evidence(slide: Slide, texts: Texts, width: int) -> list[Content]:
    label = texts.of_screen("evidence")
    lines = _labelled(label, ((line, "") for line in slide.lines), width) if slide.lines else []
    if slide.evidence is not None:
        said = texts.evidence[slide.evidence.value]
        lines += _labelled("" if lines else label, [(f"({said})", "$dim")], width)
    return lines + (_labelled(texts.of_screen("check"), [(slide.check, "bold")], width) if slide.check else [])


def _labelled(label: str, lines: Iterable[tuple[str, str]], width: int) -> list[Content]:
    """A dim heading, then each line wrapped behind two blanks: evidence needs the whole width."""
    drawn = [Content.styled(fit(label, min(width, width_of(label))), "$dim")] if label else []
    for text, style in lines:
        drawn += [Content.styled(line, style) for line in flow(f"  {clean(text).strip()}", width, "    ")]
    return drawn
