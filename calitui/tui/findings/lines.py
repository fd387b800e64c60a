"""A finding as one line, or as two where a pane is narrow: glyph, code, node, summary.

This module must not know widgets.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from calitui.facts.text import clean
from calitui.trace.finding import Finding, Severity, Unchecked
from calitui.tui.findings.describe import GLYPHS
from calitui.tui.text import count, crop, fit, fit_middle, width_of

ONE_LINE = 72
"""Cells from which a finding fits into one line."""
_CODE, _NODE = 30, 18
"""Cells that code and node take at most in that line."""


class Item(msgspec.Struct, frozen=True):
    """A finding, or (`finding` None) everything that could not be checked, as the last line."""

    glyph: str
    code: str
    node: str
    summary: str
    finding: Finding | None = None
    unchecked: tuple[Unchecked, ...] = ()

    @property
    def severity(self) -> Severity | None:
        """None for what could not be checked."""
        return None if self.finding is None else self.finding.severity


def items(findings: Iterable[Finding], unchecked: Sequence[Unchecked]) -> list[Item]:
    """In the order they are told."""
    found = [
        Item(GLYPHS[one.severity], clean(one.code), clean(one.node or "cluster"), clean(one.summary), one)
        for one in findings
    ]
    if unchecked:
        codes, nodes = len({one.code for one in unchecked}), len({one.node for one in unchecked if one.node})
        where = f" on {count(nodes, 'node')}" if nodes else ""
        words = f"{count(codes, 'cause')} could be neither found nor ruled out{where}"
        found.append(Item("?", "could not check", "", words, unchecked=tuple(unchecked)))
    return found


class Columns(msgspec.Struct, frozen=True):
    """Cells of code and node; `high` is lines an item."""

    code: int
    node: int
    high: int


def columns(shown: Iterable[Item], width: int) -> Columns:
    """What fits in `width` cells."""
    code = node = 0
    for item in shown:
        code, node = max(code, width_of(item.code)), max(node, width_of(item.node))
    if width < ONE_LINE:
        return Columns(min(code, max(8, width - 4 - min(node, width // 3))), min(node, width // 3), 2)
    return Columns(min(code, _CODE), min(node, _NODE), 1)


def line(item: Item, shape: Columns, row: int, width: int) -> str:
    """Line `row` of `item` behind its glyph, in exactly `width` cells."""
    node = fit(item.node, shape.node) if "." in item.node else fit_middle(item.node, shape.node)
    head = f"{fit(item.code, shape.code)} {node}"
    if shape.high == 1:
        return fit(f"{head} {item.summary}", width)
    return fit(head if row == 0 else crop(item.summary, width), width)
