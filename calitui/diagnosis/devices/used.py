"""Which devices of a node the pods' packets need: the tunnels by the pools' modes, the veths, the routes to others.

What is in question is the scene's: in a trace only what lies between its ends. Nothing is judged here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property

import msgspec

from calitui.diagnosis.expectation import Expectation
from calitui.diagnosis.scene import Address, Network, Scene, address, network
from calitui.facts.cluster import IPPool, Node
from calitui.facts.node import Link, NextHop, Route
from calitui.trace.encapsulation import encapsulation_of
from calitui.trace.fabric import Place
from calitui.trace.path import Encapsulation, Step
from calitui.trace.veth import veth_name


class Tunnel(msgspec.Struct, frozen=True):
    """One of Calico's tunnel devices. `mode` is the IPPool's field that asks for it; `annotation` names the node's
    annotation with the device's address, whose value is in the field `held` of `Node`.
    """

    device: str
    encapsulation: Encapsulation
    family: int
    mode: str
    annotation: str
    held: str

    def wanted_by(self, pool: IPPool) -> str:
        """The pool's mode of this tunnel: `Always`, `CrossSubnet`, `Never` or words that leave it open."""
        if (":" in pool.cidr) is not (self.family == 6):
            return "Never"
        return pool.ipip_mode if self.encapsulation is Encapsulation.IPIP else pool.vxlan_mode

    def address_of(self, node: Node) -> str | None:
        """The address Calico gave the device, by the node's annotation."""
        held: str | None = getattr(node, self.held)
        return held.partition("/")[0] if held else None


# felix/dataplane/linux: ipip_mgr.go, vxlan_mgr.go; annotations: libcalico-go/lib/backend/k8s/resources/node.go.
TUNNELS = (
    Tunnel("tunl0", Encapsulation.IPIP, 4, "ipipMode", "projectcalico.org/IPv4IPIPTunnelAddr", "ipip_address"),
    Tunnel(
        "vxlan.calico", Encapsulation.VXLAN, 4, "vxlanMode", "projectcalico.org/IPv4VXLANTunnelAddr", "vxlan_address"
    ),
    Tunnel(
        "vxlan-v6.calico",
        Encapsulation.VXLAN,
        6,
        "vxlanMode",
        "projectcalico.org/IPv6VXLANTunnelAddr",
        "vxlan_address6",
    ),
)


class Need(msgspec.Struct, frozen=True):
    """That a node needs a tunnel: for `pool`'s packets to or from `other`."""

    tunnel: Tunnel
    pool: IPPool
    other: str

    @property
    def line(self) -> str:
        """The pool's mode, as evidence."""
        return f"API IPPool {self.pool.name}: {self.tunnel.mode} {self.tunnel.wanted_by(self.pool)}"


class Devices:
    """The devices of one scene; made by `scene.of(Devices)`."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._prefixes: dict[str, bool] = {}
        self._routes: dict[str, tuple[Route, ...]] = {}
        self._exits: dict[str, tuple[tuple[str, int | None, int], ...]] = {}
        self._outside: dict[tuple[int, Network], tuple[str, ...]] = {}

    # tunnels

    def needs(self, node: str) -> Iterator[Need]:
        """The tunnels without which packets between `node` and another node in question are lost."""
        for tunnel in TUNNELS:
            for pool in self._scene.fabric.pools:
                other = self._other_end(node, tunnel, pool)
                if other is not None:
                    yield Need(tunnel, pool, other)
                    break

    def _other_end(self, node: str, tunnel: Tunnel, pool: IPPool) -> str | None:
        mode = tunnel.wanted_by(pool)
        owners = self._owners.get(pool.cidr, ())
        if mode not in ("Always", "CrossSubnet") or not self._is_calico_node(node):
            return None
        others: Iterable[str] = owners
        if node in owners:
            others = (*owners, *self._calico_nodes)
        if mode == "Always":
            return next((other for other in others if other != node), None)
        expectation = self._scene.of(Expectation)
        subnet = network(self._annotated(node, tunnel.family))
        if subnet is None:
            return None
        known = self._outside.get((tunnel.family, subnet))
        if known is None:
            everybody = self._scene.nodes
            known = tuple(other for other in everybody if expectation.on_link(node, other, tunnel.family) is False)
            self._outside[tunnel.family, subnet] = known
        wanted = set(others) if len(known) < len(self._scene.nodes) else None
        return next((other for other in known if other != node and (wanted is None or other in wanted)), None)

    @cached_property
    def _owners(self) -> dict[str, dict[str, None]]:
        """By a pool's CIDR the nodes that have addresses of it: by their blocks, else (or in a trace) by their pods."""
        found: dict[str, dict[str, None]] = {}
        claims = self._scene.of(Expectation).claims if self._scene.trace is None else ()
        for claim in claims:
            if claim.pool is not None:
                found.setdefault(claim.pool.cidr, {})[claim.node] = None
        if not found:
            for pod in self._scene.pods:
                for ip in pod.ips:
                    pool = self._scene.fabric.pool_of(ip) if address(ip) is not None else None
                    if pool is not None:
                        found.setdefault(pool.cidr, {})[pod.node] = None
        return found

    def has_pods(self, node: str) -> bool:
        """Whether pods in question are, or may be, on a node."""
        if any(node in owners for owners in self._owners.values()):
            return True
        return node in self._nodes_of_pods

    @cached_property
    def _nodes_of_pods(self) -> frozenset[str]:
        return frozenset(pod.node for pod in self._scene.pods)

    @cached_property
    def _calico_nodes(self) -> tuple[str, ...]:
        return tuple(name for name in self._scene.nodes if self._is_calico_node(name))

    def _is_calico_node(self, name: str) -> bool:
        node = self._scene.node(name)
        if node.labels.get("kubernetes.io/os") == "windows":
            return False
        return bool(node.bgp_address or node.bgp_address6) or any(name in owners for owners in self._owners.values())

    def _annotated(self, node: str, family: int) -> str | None:
        known = self._scene.node(node)
        return known.bgp_address6 if family == 6 else known.bgp_address

    # routes

    def block_routes(self, place: Place) -> tuple[Route, ...]:
        """A node's routes to pods elsewhere that are in question, of every table: with a next hop or into a tunnel."""
        if place.node not in self._routes:
            self._routes[place.node] = tuple(
                route
                for route in place.namespace.routes
                if route.kind == "unicast" and self._is_in_question(route.prefix) and _leaves(place, route)
            )
        return self._routes[place.node]

    def exits(self, place: Place) -> tuple[tuple[str, int | None, int], ...]:
        """The different ways of those routes out of a node: device, the route's own MTU, IP family."""
        if place.node not in self._exits:
            self._exits[place.node] = tuple(
                dict.fromkeys(
                    (hop.device, route.mtu, 6 if ":" in route.prefix else 4)
                    for route in self.block_routes(place)
                    for hop in hops(route)
                    if hop.device
                )
            )
        return self._exits[place.node]

    def _is_in_question(self, prefix: str) -> bool:
        known = self._prefixes.get(prefix)
        if known is None:
            around = network(prefix)
            known = around is not None and any(_contains(pool, around) for pool in self._pools)
            if known and around is not None and self._scene.trace is not None:
                known = any(ip.version == around.version and ip in around for ip in self._ends)
            self._prefixes[prefix] = known
        return known

    @cached_property
    def _pools(self) -> tuple[Network, ...]:
        return tuple(found for pool in self._scene.fabric.pools if (found := network(pool.cidr)) is not None)

    @cached_property
    def _ends(self) -> tuple[Address, ...]:
        trace = self._scene.trace
        given = () if trace is None else (trace.source.ip, trace.destination.ip)
        return tuple(found for ip in given if (found := address(ip)) is not None)

    # pods

    @cached_property
    def families(self) -> frozenset[int]:
        """The IP families that pods in question have: a trace's own, else those of the pools, else of the pods."""
        if self._scene.trace is not None:
            return frozenset({self._scene.trace.family})
        pools = frozenset(pool.version for pool in self._pools)
        return pools or frozenset(6 if ":" in ip else 4 for pod in self._scene.pods for ip in pod.ips)

    def veths(self, place: Place) -> tuple[Link, ...]:
        """The host ends of the pods in question that are on a node and were seen there."""
        prefixes = self._scene.fabric.prefixes
        if self._scene.trace is None:
            links = place.namespace.links
            return tuple(link for link in links if link.name.startswith(prefixes) and link.kind in _CABLES)
        names: dict[str, None] = {}
        for pod in self._scene.pods:
            if pod.node == place.node:
                names[veth_name(pod.namespace, pod.name, prefixes[0] if prefixes else "cali")] = None
        for way in self._scene.trace.directions:
            for hop in way.hops:
                if hop.node == place.node and hop.device and hop.step in (Step.VETH_IN, Step.VETH_OUT):
                    names[hop.device] = None
        return tuple(link for name in names if (link := place.link(name)) is not None)


_CABLES = ("veth", "netkit", "")


def hops(route: Route) -> tuple[NextHop, ...]:
    """A route's next hops: those of a multipath route, or its only one."""
    return route.next_hops or (NextHop(route.gateway, route.device, flags=route.flags),)


def shown(lines: Iterable[str], most: int = 8) -> list[str]:
    """The first of many lines of evidence, with how many more there are."""
    found = list(lines)
    return found if len(found) <= most else [*found[:most], f"… and {len(found) - most} more like these"]


def named(names: Iterable[str], most: int = 4) -> str:
    """The first of many names, for a sentence."""
    found = list(dict.fromkeys(names))
    if len(found) <= most:
        return " and ".join(filter(None, [", ".join(found[:-1]), *found[-1:]]))
    return f"{', '.join(found[:most])} and {len(found) - most} more"


def _leaves(place: Place, route: Route) -> bool:
    if route.gateway or route.next_hops:
        return True
    return encapsulation_of(place, route.device) is not None


def _contains(pool: Network, prefix: Network) -> bool:
    return pool.version == prefix.version and prefix.prefixlen >= pool.prefixlen and prefix.network_address in pool
