"""Each node's route to each other node's pods, expected against seen: prefix, next hop and device, nothing else.

A judgement is data; `routes.py` makes findings of them, `matrix.py` a picture. In an audit there are nodes x blocks of
them, so the usual case, exactly the expected route, is decided by one look into an index.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from functools import cached_property

import msgspec

from calitui.diagnosis.expectation import Carriage, Claim, Expectation, Expected
from calitui.diagnosis.scene import Network, Scene, network
from calitui.facts.node import NextHop, Route
from calitui.trace.fabric import Place
from calitui.trace.fib import table_name

_TUNNELS = {Carriage.IPIP: ("tunl0", "ipip"), Carriage.VXLAN: ("vxlan.calico", "vxlan")}
_CALICO = frozenset({"bird", "12", "80", "", "boot"})
_DEFAULTS = {4: "0.0.0.0/0", 6: "::/0"}
_BY_HAND = frozenset({"", "boot"})


class State(StrEnum):
    """How the route a node has compares with the one it should have."""

    AS_EXPECTED = "as expected"
    MISSING = "missing"
    BY_DEFAULT = "missing, and the routers may know"
    BLACKHOLE = "blackhole"
    UNREACHABLE = "unreachable"
    WRONG_NEXT_HOP = "wrong next hop"
    GATEWAY = "next hop is the gateway"
    WRONG_DEVICE = "wrong device"
    MULTIPATH = "several next hops"
    FOREIGN = "somebody else's"
    BARE = "through a router without a tunnel"
    NOT_KNOWN = "not known"


class Judged(msgspec.Struct, frozen=True):
    """One node's route to one claim of another. `route` is what it has, None if nothing; `leads_to` the node that the
    next hop belongs to where it is another than the owner, `detour` whether that one is known to send packets on to the
    owner. `reason` says why nothing is known.
    """

    node: str
    claim: Claim
    state: State
    expected: Expected | None = None
    route: Route | None = None
    leads_to: str | None = None
    reason: str = ""
    detour: bool = False


class Routing:
    """All judgements of a scene; `Scene.of(Routing)` makes it once."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.expectation = scene.of(Expectation)

    @cached_property
    def faults(self) -> tuple[Judged, ...]:
        """Every judgement but those that are as expected."""
        return tuple(judged for node in self._scene.nodes for judged in self._of(node))

    def _of(self, node: str) -> Iterator[Judged]:
        place = self._scene.place(node)
        claims = [claim for claim in self.expectation.claims if claim.node != node]
        if place is None:
            reason = self._scene.why_unread(node)
            yield from (Judged(node, claim, State.NOT_KNOWN, reason=reason) for claim in claims)
            return
        tables = {family: exact_routes(place, family) for family in {claim.family for claim in claims}}
        for claim in claims:
            section = "routes6" if claim.family == 6 else "routes"
            expected = self.expectation.route(node, claim)
            route = tables[claim.family].get(claim.cidr)
            if expected is not None and route is not None and _is_usual(route, expected):
                continue
            if not place.read(section):
                reason = f"{section}: {self._scene.why_unread(node, section)}"
                yield Judged(node, claim, State.NOT_KNOWN, expected, reason=reason)
                continue
            judged = self._judge(place, claim, expected, route)
            if judged.state is not State.AS_EXPECTED:
                yield judged

    def _judge(self, place: Place, claim: Claim, expected: Expected | None, route: Route | None) -> Judged:
        node = place.node
        if expected is None:
            reason = "no pool, mask or address tells what the route should be"
            return Judged(node, claim, State.NOT_KNOWN, reason=reason)
        route = route or _covering(place, claim)
        if route is None:
            told = (
                not self.expectation.is_full_mesh and expected.carriage is Carriage.PLAIN and _has_default(place, claim)
            )
            return Judged(node, claim, State.BY_DEFAULT if told else State.MISSING, expected)
        if route.kind == "blackhole":
            return Judged(node, claim, State.BLACKHOLE, expected, route)
        if route.kind != "unicast":
            state = State.UNREACHABLE if route.protocol in _CALICO else State.FOREIGN
            return Judged(node, claim, state, expected, route)
        hops = route.next_hops or (NextHop(route.gateway, route.device),)
        if len(hops) > 1 and expected.carriage is Carriage.IPIP and not all(_by_tunnel(place, hop) for hop in hops):
            return Judged(node, claim, State.MULTIPATH, expected, route)
        verdicts = [self._hop(place, hop, expected) for hop in hops]
        state, leads_to = next((one for one in verdicts if one[0] is not State.AS_EXPECTED), verdicts[0])
        if state not in (State.AS_EXPECTED, State.BARE, State.NOT_KNOWN) and self._is_foreign(node, route, expected):
            state = State.FOREIGN
        reason = "no mask tells whether the two nodes share a network" if state is State.NOT_KNOWN else ""
        detour = leads_to is not None and self._knows(leads_to, claim)
        return Judged(node, claim, state, expected, route, leads_to, reason, detour)

    def _hop(self, place: Place, hop: NextHop, expected: Expected) -> tuple[State, str | None]:
        """What one next hop is: the right one, or what is wrong with it and whose it is."""
        link = place.link(hop.device)
        kind = link.kind if link is not None else ""
        if kind == "wireguard" or (hop.device or "").startswith("wireguard"):
            return State.AS_EXPECTED, None
        tunnelled = hop.device in ("tunl0", "vxlan.calico") or kind in ("ipip", "vxlan")
        owner = self._scene.fabric.node_holding(hop.gateway) if hop.gateway else None
        leads_to = owner if owner != expected.claim.node else None
        wanted = _TUNNELS.get(expected.carriage)
        if wanted is not None and hop.device != wanted[0] and kind != wanted[1]:
            return State.WRONG_DEVICE, leads_to
        if wanted is None and tunnelled:
            return State.WRONG_DEVICE, leads_to
        if hop.gateway is None or hop.gateway == expected.next_hop or owner == expected.claim.node:
            return State.AS_EXPECTED, None
        if leads_to is not None and not self._reflects(leads_to):
            return State.WRONG_NEXT_HOP, leads_to
        if wanted is not None:
            return (State.WRONG_NEXT_HOP, leads_to) if expected.next_hop else (State.NOT_KNOWN, None)
        if not self.expectation.is_full_mesh or hop.gateway.lower().startswith("fe80:"):
            return State.AS_EXPECTED, None
        if expected.on_link is None:
            return State.NOT_KNOWN, None
        if not expected.on_link:
            return State.BARE, None
        return (State.GATEWAY if self._is_router(place, hop.gateway) else State.WRONG_NEXT_HOP), None

    def _knows(self, node: str, claim: Claim) -> bool:
        """Whether a third node would send packets for a claim to its owner."""
        place, around = self._scene.place(node), network(claim.cidr)
        if place is None or around is None:
            return False
        match = place.fib.lookup(_inside(around))
        return match is not None and any(
            hop.gateway is not None and self._scene.fabric.node_holding(hop.gateway) == claim.node
            for hop in match.next_hops
        )

    def _reflects(self, node: str) -> bool:
        """Whether a node is a route reflector that may stand in the way on purpose."""
        return self._scene.node(node).route_reflector_cluster_id is not None and not self.expectation.is_full_mesh

    def _is_router(self, place: Place, gateway: str) -> bool:
        """Whether that is where the node's default route leads."""
        return any(
            gateway in (route.gateway, *(hop.gateway for hop in route.next_hops))
            for route in place.namespace.routes
            if route.prefix in _DEFAULTS.values()
        )

    def _is_foreign(self, node: str, route: Route, expected: Expected) -> bool:
        """Whether neither BIRD nor Felix wrote the route: by its protocol, or because Felix writes none like it."""
        configured = self._scene.felix(node, "deviceRouteProtocol") or ""
        if route.protocol in _BY_HAND:
            # Felix leaves the protocol out on pods' routes and VXLAN's only (route_mgr.go calculateRouteProtocol).
            return expected.carriage is not Carriage.VXLAN
        return route.protocol not in _CALICO and route.protocol != configured


def exact_routes(place: Place, family: int) -> dict[str, Route]:
    """The routes of table main by their prefix; of several for one prefix the one that the kernel prefers."""
    found: dict[str, Route] = {}
    for route in place.namespace.routes:
        if (":" in route.prefix) is (family == 6) and table_name(route.table) == "main":
            known = found.get(route.prefix)
            if known is None or route.metric < known.metric:
                found[route.prefix] = route
    return found


def _is_usual(route: Route, expected: Expected) -> bool:
    """Whether it is exactly what was expected, through a tunnel of the usual name."""
    if route.kind != "unicast" or route.next_hops or expected.next_hop is None or route.gateway != expected.next_hop:
        return False
    wanted = _TUNNELS.get(expected.carriage)
    device = route.device or ""
    return device == wanted[0] if wanted is not None else not device.startswith(("tunl", "vxlan", "cali"))


def _covering(place: Place, claim: Claim) -> Route | None:
    """The shorter prefix around a claim that decides in its place; a default route does not count as one."""
    around = network(claim.cidr)
    if around is None:
        return None
    try:
        match = place.fib.lookup(_inside(around))
    except ValueError:
        return None
    if match is None or match.route is None or match.route.prefix in _DEFAULTS.values():
        return None
    found = network(match.route.prefix)
    if found is None or found.prefixlen > around.prefixlen:
        return None
    pool = network(claim.pool.cidr) if claim.pool is not None else None
    inside = pool is not None and found.version == pool.version and found.prefixlen >= pool.prefixlen
    return match.route if inside else None


def _has_default(place: Place, claim: Claim) -> bool:
    return any(route.prefix == _DEFAULTS[claim.family] for route in place.namespace.routes)


def _inside(around: Network) -> str:
    """An address of a block: the second, for the first may be a tunnel's own, in table local of its node."""
    return str(around.network_address + min(1, around.num_addresses - 1))


def _by_tunnel(place: Place, hop: NextHop) -> bool:
    link = place.link(hop.device)
    return hop.device == "tunl0" or (link is not None and link.kind == "ipip")
