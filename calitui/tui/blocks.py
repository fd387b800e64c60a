"""Paragraphs of a pane: a label at the left, its words beside it. This module must not know widgets."""

from __future__ import annotations

from collections.abc import Iterable

from textual.content import Content

from calitui.tui.text import wrap

LABEL = 10
"""Cells of the labels at the left."""


def labelled(label: str, text: str, width: int, style: str = "", indent: str = "") -> list[Content]:
    """`text` wrapped beside `label`, later lines behind `indent`."""
    return [
        Content.assemble(((label if number == 0 else "").ljust(LABEL), "$dim"), (line, style))
        for number, line in enumerate(wrap(text, max(10, width - LABEL), indent))
    ]


def listed(label: str, texts: Iterable[str], width: int, style: str = "") -> list[Content]:
    """Each of `texts` begins a line of its own, what it wraps to is indented; the label stands at the first."""
    lines: list[Content] = []
    for number, text in enumerate(texts):
        lines += labelled("" if number else label, text, width, style, "  ")
    return lines


def plain(text: str, width: int, style: str = "", indent: str = "") -> list[Content]:
    """`text` over the whole width."""
    return [Content.styled(line, style) for line in wrap(text, width, indent)]


def page(blocks: Iterable[list[Content]], roomy: bool) -> Content:
    """The blocks that are not empty, one under the other; `roomy` puts blank lines between them."""
    return Content("\n\n" if roomy else "\n").join([Content("\n").join(block) for block in blocks if block])
