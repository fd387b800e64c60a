"""Which nodes' addresses lie inside prefixes, without looking at every pair of them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable

from calitui.diagnosis.scene import Address, network
from calitui.trace.fabric import Place


class Addressed:
    """The nodes by their addresses, in order."""

    def __init__(self, nodes: list[tuple[Place, Address]]) -> None:
        """All addresses are of one family."""
        self._nodes = sorted(nodes, key=lambda one: int(one[1]))
        self._numbers = [int(far) for _, far in self._nodes]
        self._ranges: dict[str, tuple[int, int, int]] = {}

    def inside(self, prefixes: Iterable[str], longer_than: int = -1) -> list[tuple[Place, Address]]:
        """The nodes with an address inside one of the prefixes that are longer than so many bits."""
        found: dict[int, None] = {}
        for prefix in prefixes:
            first, last, length = self._range(prefix)
            if first < last and length > longer_than:
                found |= dict.fromkeys(range(first, last))
        return [self._nodes[place] for place in found]

    def _range(self, prefix: str) -> tuple[int, int, int]:
        known = self._ranges.get(prefix)
        if known is None:
            around, known = network(prefix), (0, 0, 0)
            if around is not None:
                low, high = int(around.network_address), int(around.broadcast_address)
                known = bisect_left(self._numbers, low), bisect_right(self._numbers, high), around.prefixlen
            self._ranges[prefix] = known
        return known
