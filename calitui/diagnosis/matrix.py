"""The audit of a cluster: every check on everything, and the picture of who can route to whom."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property

from calitui.diagnosis.audit import Audit, Reach
from calitui.diagnosis.catalogue import CATALOGUE
from calitui.diagnosis.diagnose import examine
from calitui.diagnosis.entry import Cut
from calitui.diagnosis.expectation import Carriage, Claim
from calitui.diagnosis.grouping import Grouped, key
from calitui.diagnosis.routes.routing import Judged, Routing, State
from calitui.diagnosis.scene import Scene
from calitui.facts.cluster import Cluster
from calitui.facts.node import NodeFacts
from calitui.trace.finding import Finding, Severity

Pair = tuple[int, int]


def audit(cluster: Cluster, nodes: Iterable[NodeFacts], *, complete: bool = True) -> Audit:
    """Judge a whole cluster by the nodes that were read; `complete` is False while more are coming."""
    scene = Scene(cluster, nodes)
    grouped, unchecked = examine(scene)
    picture = _Picture(scene, grouped)
    moments = [facts.read_at for facts in scene.facts.values() if facts.read_at]
    return Audit(
        taken_at=min(moments, default=cluster.read_at),
        nodes=scene.nodes,
        read=frozenset(name for name in scene.nodes if scene.place(name) is not None),
        rows=picture.rows,
        causes=picture.causes,
        reasons=picture.reasons,
        findings=grouped.findings,
        unchecked=unchecked,
        unread=(*cluster.missing, *(entry for facts in scene.facts.values() for entry in facts.missing)),
        pods=len(scene.pods),
        blocks=len(scene.blocks),
        complete=complete,
    )


class _Picture:
    """The matrix under construction: marks by pair, then causes."""

    def __init__(self, scene: Scene, grouped: Grouped) -> None:
        self._scene = scene
        self._grouped = grouped
        self._index = {name: position for position, name in enumerate(scene.nodes)}
        self.causes: dict[Pair, tuple[int, ...]] = {}
        self.reasons: dict[Pair, str] = {}
        routing = scene.of(Routing)
        self._expectation = routing.expectation
        self._why = self._expectation.unknowable()
        self._claims = self._expectation.claims
        size = len(scene.nodes)
        usual = Reach.UNKNOWN if self._why is not None else Reach.OK
        self._marks = [bytearray(usual.value.encode() * size) for _ in range(size)]
        self._without_claims()
        if self._why is None:
            for judged in routing.faults:
                self._take(judged)
        self._cut_off()
        for position in range(size):
            self._marks[position][position] = ord(Reach.ITSELF.value)

    @cached_property
    def rows(self) -> tuple[str, ...]:
        """The marks as text."""
        return tuple(row.decode() for row in self._marks)

    def _without_claims(self) -> None:
        owning = {claim.node for claim in self._claims}
        for name, column in self._index.items():
            if name not in owning:
                for row in self._marks:
                    row[column] = ord(Reach.NOTHING.value)

    def _take(self, judged: Judged) -> None:
        pair = (self._index[judged.node], self._index[judged.claim.node])
        if judged.state is State.NOT_KNOWN:
            if self._reach(pair) is not Reach.BROKEN:
                self._mark(pair, Reach.UNKNOWN)
                self.reasons.setdefault(pair, judged.reason)
            return
        # Whether a router knows the pods can't be read, so a bare packet may get there.
        bare = judged.state in (State.BARE, State.BY_DEFAULT)
        if not bare or self._reach(pair) is not Reach.BROKEN:
            self._mark(pair, Reach.UNKNOWN if bare else Reach.BROKEN)
        self.reasons.setdefault(pair, f"route to {judged.claim.cidr}: {judged.state.value}")
        if (position := self._cause(judged.node, judged.claim)) is not None:
            self._blame(pair, position)

    def _cause(self, node: str, claim: Claim) -> int | None:
        """The finding that stands for a judgement: about one of its two nodes, or about the pool of both."""
        found = self._by_pair.get((node, claim.node))
        if found is not None:
            return found
        return next((place for place, nodes in self._wide if node in nodes and claim.node in nodes), None)

    @cached_property
    def _wide(self) -> list[tuple[int, frozenset[str]]]:
        """The findings about no node in particular, with the nodes they affect."""
        findings = enumerate(self._grouped.findings)
        return [(place, frozenset(one.affected)) for place, one in findings if one.node is None and one.affected]

    @cached_property
    def _by_pair(self) -> dict[tuple[str, str], int]:
        found: dict[tuple[str, str], int] = {}
        for position, finding in enumerate(self._grouped.findings):
            entry = CATALOGUE.get(finding.code)
            about = {finding.code, *(entry.explains if entry is not None else ())}
            if finding.node is None or not about & _ROUTE_CODES:
                continue
            for other in finding.affected:
                found.setdefault((finding.node, other), position)
                found.setdefault((other, finding.node), position)
        return found

    def _cut_off(self) -> None:
        """Mark the pairs that faults of one node cut off, whatever the routes say."""
        for finding in self._grouped.every:
            entry = CATALOGUE.get(finding.code)
            if entry is None or entry.cuts is None or finding.severity is not Severity.ERROR:
                continue
            position = self._grouped.positions[key(finding)]
            for pair in self._cut_by(finding, entry.cuts):
                if pair[0] != pair[1] and self._reach(pair) is not Reach.NOTHING:
                    self._mark(pair, Reach.BROKEN)
                    self.reasons.setdefault(pair, finding.summary)
                    self._blame(pair, position)

    def _cut_by(self, finding: Finding, cut: Cut) -> Iterator[Pair]:
        node = self._index.get(finding.node or "")
        if node is None:
            return
        wide = cut in (Cut.ALL, Cut.TUNNELLED) or (cut is Cut.OF_ADDRESS and self._holds_address(finding))
        for name in self._index if wide else finding.affected:
            other = self._index.get(name)
            if other is None or (cut is Cut.TUNNELLED and (finding.node or "", name) not in self._tunnelled):
                continue
            if cut is not Cut.IN:
                yield node, other
            if cut is not Cut.OUT:
                yield other, node

    def _holds_address(self, finding: Finding) -> bool:
        place = self._scene.place(finding.node or "")
        link = place.link(finding.subject) if place is not None else None
        own = {self._expectation.address(finding.node or "", family) for family in (4, 6)}
        return link is not None and any(held.ip in own for held in link.addresses)

    @cached_property
    def _tunnelled(self) -> frozenset[tuple[str, str]]:
        """The pairs of nodes that talk through a tunnel, in both orders, where a fault of tunnels may cut them."""
        cutting = {entry.code for entry in CATALOGUE.values() if entry.cuts is Cut.TUNNELLED}
        suspects = {one.node for one in self._grouped.every if one.code in cutting and one.node is not None}
        found: set[tuple[str, str]] = set()
        for claim in self._claims:
            for name in self._scene.nodes if claim.node in suspects else suspects:
                expected = self._expectation.route(name, claim) if name != claim.node else None
                if expected is not None and expected.carriage is not Carriage.PLAIN:
                    found |= {(name, claim.node), (claim.node, name)}
        return frozenset(found)

    def _reach(self, pair: Pair) -> Reach:
        return Reach(chr(self._marks[pair[0]][pair[1]]))

    def _mark(self, pair: Pair, reach: Reach) -> None:
        self._marks[pair[0]][pair[1]] = ord(reach.value)

    def _blame(self, pair: Pair, position: int) -> None:
        known = self.causes.get(pair, ())
        if position not in known:
            self.causes[pair] = (*known, position)


_ROUTE_CODES = frozenset(
    {
        "block-route-missing",
        "block-route-unreachable",
        "block-owned-twice",
        "foreign-route",
        "multipath-not-encapsulated",
        "pool-mode-route-mismatch",
        "next-hop-is-gateway",
        "no-l2-path",
        "block-route-wrong-next-hop",
    }
)
