"""Where labels, column heads and cells of the matrix go in a number of cells of the terminal.

Few nodes have their names over the columns and words in the cells; many have numbers, the most have numbers written
downwards over cells of two. This module must not know widgets.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from calitui.facts.text import clean
from calitui.tui.text import crop_middle, fit_middle, width_of

WORDY = 11
"""Cells of a column that can hold a mark, its word and the cursor around them."""
_LEAD = 2
"""Cells for the cursor and a mark before a row's number."""
_CORNER = "from ↓ to →"


class Grid(msgspec.Struct, frozen=True):
    """`label` cells at the left (`digits` of them for the row's number), `cell` a column, `heads` lines over the rows.

    `names` are the rows' names, cut to fit; `columns` one text per column and line, each `cell - 1` wide.
    """

    digits: int
    label: int
    cell: int
    names: tuple[str, ...]
    columns: tuple[tuple[str, ...], ...]

    @property
    def heads(self) -> int:
        """Lines over the first row."""
        return len(self.columns) + 1

    @property
    def wordy(self) -> bool:
        """Whether cells hold words beside their marks."""
        return self.cell >= WORDY

    @property
    def width(self) -> int:
        """Cells of everything; one more for the cursor's right edge."""
        return self.label + self.cell * len(self.names) + 1


def grid(nodes: Sequence[str], width: int) -> Grid:
    """Arrange the matrix of `nodes` for a pane of `width` cells."""
    size = len(nodes)
    digits = len(str(max(1, size)))
    nodes = short_names(nodes)
    longest = max(map(width_of, nodes), default=0)
    name = max(len(_CORNER) - digits - 1, min(longest, max(10, width // 3 - digits - _LEAD - 2)))
    label = _LEAD + digits + 1 + name + 1
    room = max(1, (width - label - 1) // max(1, size))
    names = tuple(fit_middle(node, name) for node in nodes)
    if room > WORDY:
        cell = max(WORDY, min(room, longest + 2))
        return Grid(digits, label, cell, names, (tuple(fit_middle(node, cell - 1) for node in nodes),))
    numbers = [str(number) for number in range(1, size + 1)]
    if room > digits:
        cell = max(3, digits + 1)
        return Grid(digits, label, cell, names, (tuple(number.rjust(digits).ljust(cell - 1) for number in numbers),))
    downwards = [number.rjust(digits) for number in numbers]
    return Grid(digits, label, 2, names, tuple(tuple(number[line] for number in downwards) for line in range(digits)))


def short_names(nodes: Sequence[str]) -> tuple[str, ...]:
    """Names without the domain that all of them share: the part that tells them apart."""
    names = tuple(clean(node) for node in nodes)
    domains = {name.partition(".")[2] for name in names}
    return tuple(name.partition(".")[0] for name in names) if len(names) > 1 and len(domains) == 1 else names


def corner(shown: Grid, line: int) -> str:
    """What stands over the labels on one of the head lines."""
    return crop_middle(_CORNER, shown.label).rjust(shown.label - 1) + " " if line == 0 else " " * shown.label
