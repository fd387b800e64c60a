"""How wide each column of the pod list is in a given viewport, and which go when there is no room.

A pod's name and address are what the list is for; age goes first, then status, then node. This module must not know
widgets.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from calitui.facts.cluster import Pod
from calitui.tui.text import fit, fit_middle

GAPS = (2, 1)
"""Cells between columns: comfortable, and where room is short."""
MARGIN = 3
"""Cells for the cursor, the mark and a blank."""
TITLES = ("NAMESPACE", "POD", "IP", "NODE", "STATUS", "AGE")
_SHORT_TITLES = ("NS", "POD", "IP", "NODE", "STATUS", "AGE")
_LARGEST = (32, 63, 39, 42, 18, 4)
_SHRINKS = ((3, 16), (0, 12), (1, 34), (4, 9), (3, 12), (1, 26), (0, 9), (2, 15), (1, 20))
"""Column and the width it may be shrunk to, in the order of sacrifice."""
_DROPS = (5, 4, 3)


class Naturals(msgspec.Struct, frozen=True):
    """The widest text in each column, in cells."""

    widths: tuple[int, ...] = (9, 20, 15, 12, 7, 4)

    @classmethod
    def of(cls, pods: Iterable[Pod]) -> Naturals:
        """Measure `pods`."""
        namespace = name = ip = node = status = 0
        for pod in pods:
            namespace = max(namespace, len(pod.namespace))
            name = max(name, len(pod.name))
            node = max(node, len(pod.node))
            status = max(status, len(pod.status))
            if pod.ips:
                ip = max(ip, len(pod.ips[0]))
        found = (namespace, name, ip, node, status, 4)
        return cls(tuple(min(max(width, 4), largest) for width, largest in zip(found, _LARGEST, strict=True)))


class Layout(msgspec.Struct, frozen=True):
    """Cells of each column, 0 where a column is not shown, and between them."""

    widths: tuple[int, ...]
    gap: int = GAPS[0]

    def line(self, cells: tuple[str, ...]) -> str:
        """One row; names are cut in the middle, words at the end."""
        parts = [
            fit_middle(text, width) if column in (0, 1, 3) else fit(text, width)
            for column, (text, width) in enumerate(zip(cells, self.widths, strict=True))
            if width
        ]
        return (" " * self.gap).join(parts)


def layout(width: int, naturals: Naturals) -> Layout:
    """Divide `width` cells."""
    widths = [max(width, len(title)) for width, title in zip(naturals.widths, TITLES, strict=True)]
    gap = GAPS[0]

    def excess() -> int:
        shown = [cells for cells in widths if cells]
        return MARGIN + sum(shown) + gap * (len(shown) - 1) - width

    def shrink(column: int, smallest: int) -> None:
        widths[column] -= max(0, min(widths[column] - smallest, excess()))

    if excess() > 0:
        gap = GAPS[1]
    shrink(0, max(naturals.widths[0], 6))
    for column, smallest in _SHRINKS[:4]:
        shrink(column, smallest)
    if excess() > 0:
        widths[_DROPS[0]] = 0
    for column, smallest in _SHRINKS[4:]:
        shrink(column, smallest)
    for column in _DROPS[1:]:
        if excess() > 0:
            widths[column] = 0
    widths[1] = max(8, widths[1] - max(0, excess()))
    return Layout(tuple(widths), gap)


def cells(pod: Pod, age: str) -> tuple[str, ...]:
    """The texts of a pod's row."""
    address = pod.ips[0] if pod.ips else "none"
    return (pod.namespace, pod.name, address, pod.node or "none", pod.status or pod.phase or "?", age)


def header(shown: Layout) -> str:
    """The titles over the columns."""
    titles = tuple(
        short if 0 < width < len(title) else title
        for title, short, width in zip(TITLES, _SHORT_TITLES, shown.widths, strict=True)
    )
    return " " * MARGIN + shown.line(titles)
