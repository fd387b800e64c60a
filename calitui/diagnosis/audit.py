"""The shape of an audit: which node can't route to which, and why, for a whole cluster."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from calitui.facts.missing import Missing
from calitui.trace.finding import Finding, Unchecked


class Reach(StrEnum):
    """Whether one node can send pods' packets to another's pods, by what both hold. The value is its mark."""

    OK = "."
    BROKEN = "x"
    UNKNOWN = "?"
    ITSELF = "="
    NOTHING = "-"
    """The other node has no block, so there is nothing to route to."""


class Audit(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster at one moment.

    `nodes` are all of the cluster's, in the order of the matrix; `read` those that were read. `rows` has one text per
    node, one `Reach` mark per other node: `rows[i][j]` is from `nodes[i]` to `nodes[j]`. `causes` maps a pair `(i, j)`
    that is not OK to positions in `findings`; one without has its reason in `reasons`. `findings` are grouped by cause,
    the worst first. `complete` is False while nodes are still being read.
    """

    taken_at: float
    nodes: tuple[str, ...]
    read: frozenset[str]
    rows: tuple[str, ...]
    causes: dict[tuple[int, int], tuple[int, ...]] = {}
    reasons: dict[tuple[int, int], str] = {}
    findings: tuple[Finding, ...] = ()
    unchecked: tuple[Unchecked, ...] = ()
    unread: tuple[Missing, ...] = ()
    pods: int = 0
    blocks: int = 0
    complete: bool = True

    def reach(self, source: int, destination: int) -> Reach:
        """From the node at one position of `nodes` to the one at another."""
        return Reach(self.rows[source][destination])

    def count(self, reach: Reach) -> int:
        """How many ordered pairs of nodes are like that."""
        return sum(row.count(reach.value) for row in self.rows)
