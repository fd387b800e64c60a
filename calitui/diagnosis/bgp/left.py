"""What becomes of the routes that a BGP session should bring when the session is down.

A session is no end in itself: packets are lost only where a node's kernel lacks the route, and BIRD and the kernel keep
routes for a while (graceful restart, `persist`) after the session that brought them.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from functools import cached_property

import msgspec

from calitui.diagnosis.bgp.birds import Birds
from calitui.diagnosis.bgp.expected import Wanted
from calitui.diagnosis.bgp.sessions import Peering, Session, Told
from calitui.diagnosis.expectation import Expectation
from calitui.diagnosis.routes.routing import exact_routes
from calitui.diagnosis.scene import Scene, network
from calitui.facts.node import Route

_BIRD = ("bird", "12")


class Kept(IntEnum):
    """What a node has of a route that a session should bring, the worst last."""

    NOTHING_TO_BRING = 0
    UNREAD = 1
    BY_ANOTHER = 2
    """There, by another session or by Felix."""
    STALE = 3
    """There, BIRD's, and no session that is up brings it."""
    ABSENT = 4


class Remainder(msgspec.Struct, frozen=True):
    """The worst of what a node has: for `prefix` of `owner`, with the line of the route where there is one."""

    kept: Kept
    node: str = ""
    prefix: str = ""
    owner: str = ""
    line: str = ""


NOTHING = Remainder(Kept.NOTHING_TO_BRING)


class Remains:
    """What sessions' ends have of routes; `Scene.of(Remains)` makes it once."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._wanted = scene.of(Wanted)
        self._peering = scene.of(Peering)
        self._tables: dict[tuple[str, int], dict[str, Route]] = {}
        self._brought: dict[tuple[str, int], dict[str, set[str]]] = {}

    def of(self, sessions: Iterable[Session]) -> Remainder:
        """The worst at any end of some sessions."""
        worst = NOTHING
        for session in sessions:
            for node, peer in ((session.node, session.peer_node), (session.peer_node, session.node)):
                if node is not None and worst.kept < Kept.ABSENT:
                    worst = max(worst, self._at(node, peer, session.family), key=lambda one: one.kept)
        return worst

    def _at(self, node: str, peer: str | None, family: int) -> Remainder:
        if self._wanted.is_node_of_its_own(peer):
            owners: Iterable[str | None] = (peer,)
        else:
            owners = (owner for owner in self._blocks[family] if owner not in (node, peer))
        worst = NOTHING
        for owner in owners:
            for prefix in self._blocks[family].get(owner or "", ()):
                found = self._one(node, family, prefix, owner or "")
                worst = max(worst, found, key=lambda one: one.kept)
                if worst.kept is Kept.ABSENT:
                    return worst
        return worst

    def _one(self, node: str, family: int, prefix: str, owner: str) -> Remainder:
        place = self._scene.place(node)
        if place is None or not place.read("routes6" if family == 6 else "routes"):
            return Remainder(Kept.UNREAD, node, prefix, owner)
        if (node, family) not in self._tables:
            self._tables[node, family] = exact_routes(place, family)
        route = self._tables[node, family].get(prefix)
        if route is None or route.kind == "unreachable":
            return Remainder(self._without(node, prefix), node, prefix, owner)
        command = "ip -6 route" if family == 6 else "ip route"
        kept = Kept.STALE if self._is_stale(node, family, route) else Kept.BY_ANOTHER
        return Remainder(kept, node, prefix, owner, Scene.line(node, command, route.text))

    def _without(self, node: str, prefix: str) -> Kept:
        """Whether packets find their way although the main table has no route of just this prefix: by a shorter one
        within the pool, or by the table that WireGuard's rule leads to.
        """
        place, around = self._scene.place(node), network(prefix)
        if place is None or around is None:
            return Kept.UNREAD
        inside = around.network_address + min(1, around.num_addresses - 1)
        match = place.fib.lookup(str(inside))
        route = match.route if match is not None else None
        if route is None or route.kind != "unicast" or route.prefix in ("0.0.0.0/0", "::/0"):
            return Kept.ABSENT
        return Kept.BY_ANOTHER

    def _is_stale(self, node: str, family: int, route: Route) -> bool:
        """Whether a route is BIRD's and no session that is up brings it."""
        if route.protocol not in _BIRD or route.kind != "unicast":
            return False
        told = self._peering.told.get((node, family))
        if told is None:
            return self._scene.of(Birds).is_stopped(node, family)
        up = {protocol.name for protocol in told.peers.values() if protocol.info == "Established"}
        if told.answer is None or not told.complete:
            return not up
        if (node, family) not in self._brought:
            self._brought[node, family] = _protocols(told)
        return not self._brought[node, family].get(route.prefix, set()) & up

    @cached_property
    def _blocks(self) -> dict[int, dict[str, tuple[str, ...]]]:
        """By family and node the prefixes that its BIRD announces and that others' BIRDs write into their kernels."""
        pools = {pool.name for pool in self._wanted.pools_by_bird}
        expectation = self._scene.of(Expectation)
        cluster = self._scene.cluster
        owned = {block.cidr: block.node for block in cluster.blocks if block.node and not block.deleted}
        for affinity in cluster.affinities:
            if affinity.state == "confirmed" and not affinity.deleted:
                owned.setdefault(affinity.cidr, affinity.node)
        pending = {one.cidr for one in cluster.affinities if one.state not in ("", "confirmed") and not one.deleted}
        found: dict[int, dict[str, list[str]]] = {4: {}, 6: {}}
        for cidr, node in owned.items():
            around = network(cidr)
            pool = expectation.pool(cidr) if around is not None else None
            if around is not None and cidr not in pending and pool is not None and pool.name in pools:
                found[around.version].setdefault(node or "", []).append(str(around))
        return {family: {node: tuple(cidrs) for node, cidrs in of.items()} for family, of in found.items()}


def _protocols(told: Told) -> dict[str, set[str]]:
    """By prefix the protocols that BIRD has it from."""
    found: dict[str, set[str]] = {}
    for route in told.answer.routes if told.answer is not None else ():
        found.setdefault(route.prefix, set()).add(route.protocol)
    return found
