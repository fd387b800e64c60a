"""The matrix of an audit as lines of text: rows send, columns receive, columns are numbered."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size

from calitui.diagnosis.audit import Audit, Reach
from calitui.facts.text import clean

MOST_NODES = 40
"""Rows and columns that a person can follow; of a larger cluster only those are drawn that are not all OK."""
_WIDEST_NAME = 30
LEGEND = ". ok   x broken   ? unknown   = itself   - no addresses of pods there"
_BAD = (Reach.BROKEN.value, Reach.UNKNOWN.value)


def matrix(audit: Audit, width: int) -> list[str]:
    """The lines, the column numbers first; empty where it does not fit `width` columns, or nothing is worth drawing."""
    everything = list(range(len(audit.nodes)))
    rows, columns = everything, everything
    if not any(audit.count(reach) for reach in (Reach.OK, Reach.BROKEN, Reach.UNKNOWN)):
        return []
    if len(everything) > MOST_NODES:
        rows = [at for at in everything if any(mark in audit.rows[at] for mark in _BAD)]
        bad = [[at for at, mark in enumerate(audit.rows[row]) if mark in _BAD] for row in rows]
        columns = sorted({at for ats in bad for at in ats})
    if not 0 < len(rows) <= MOST_NODES or not 0 < len(columns) <= MOST_NODES:
        return []
    names = [clean(audit.nodes[at]) for at in rows]
    name_width = min(_WIDEST_NAME, max(cell_len(name) for name in names))
    digits = len(str(len(everything)))
    left = digits + 1 + name_width + 2
    gap = " " if left + 2 * len(columns) <= width else ""
    if left + len(columns) > width:
        return []
    numbers = [f"{at + 1:>{digits}}" for at in columns]
    lines = [" " * left + gap.join(number[place] for number in numbers) for place in range(digits)]
    lines = [line.rstrip() for line in lines]
    for at, name in zip(rows, names, strict=True):
        marks = gap.join(audit.rows[at][column] for column in columns)
        lines.append(f"{at + 1:>{digits}} {_fitted(name, name_width)}  {marks}")
    missing = [at for at in columns if at not in set(rows)]
    lines += [f"{at + 1:>{digits}} {_fitted(clean(audit.nodes[at]), _WIDEST_NAME).rstrip()}" for at in missing]
    return lines


def _fitted(name: str, width: int) -> str:
    return set_cell_size(name, width) if cell_len(name) <= width else set_cell_size(name, width - 1) + "…"
