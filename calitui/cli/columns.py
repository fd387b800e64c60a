"""Aligned columns as kubectl prints them; quick enough for ten thousand rows."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

GAP = "   "


def columns(rows: Sequence[tuple[str, ...]]) -> str:
    """Rows as lines, every column as wide as its widest text, the last one unpadded.

    Displayed widths are measured only for text beyond ASCII: measuring all of it would cost more than the rest.
    """
    lengths = [
        [len(text) if text.isascii() else cell_len(text) for text in column] for column in zip(*rows, strict=True)
    ]
    widths = [max(column) for column in lengths]
    lines = []
    for number, row in enumerate(rows):
        cells = [text + " " * (widths[at] - lengths[at][number]) for at, text in enumerate(row[:-1])]
        lines.append(GAP.join((*cells, row[-1])).rstrip())
    return "\n".join(lines) + "\n"
