"""One direction of a trace as the slides look at it: who sends, who receives, what comes before and after a hop."""

from __future__ import annotations

import ipaddress

import msgspec

from calitui.facts.cluster import IPPool
from calitui.trace.path import Direction, Encapsulation, Endpoint, Evidence, Header, Hop, Step, Trace
from calitui.walkthrough.headers import before_and_after
from calitui.walkthrough.line import HARMLESS, line_of
from calitui.walkthrough.routes import read_route
from calitui.walkthrough.slides import Line, Words

UNKNOWN = "?"
"""Fills a placeholder whose value is not known."""

Pictures = tuple[tuple[tuple[Header, ...], tuple[Header, ...]], ...]


class Scene(msgspec.Struct, frozen=True):
    """`number` is the direction's index. `pools` may be empty: then nothing is said of a pool's mode."""

    trace: Trace
    number: int
    pools: tuple[IPPool, ...]
    pictures: Pictures
    line: Line

    @property
    def direction(self) -> Direction:
        """The direction itself."""
        return self.trace.directions[self.number]

    @property
    def sender(self) -> Endpoint:
        """Who sends in this direction."""
        return self.trace.source if self.number == 0 else self.trace.destination

    @property
    def receiver(self) -> Endpoint:
        """Who is meant to receive."""
        return self.trace.destination if self.number == 0 else self.trace.source

    @property
    def is_local(self) -> bool:
        """Whether both ends are on one node, so that nothing travels between machines."""
        return self.sender.node is not None and self.sender.node == self.receiver.node

    @property
    def router(self) -> str | None:
        """The router between the nodes, None where the machines share a link as far as was read."""
        underlay = self.direction.underlay or ""
        if underlay.startswith("through "):
            return underlay.removeprefix("through ")
        arrival = next((hop for hop in self.direction.hops if hop.step is Step.NIC_IN), None)
        if arrival is None or arrival.evidence is not Evidence.INFERRED or arrival.number == 1:
            return None
        routes = (read_route(hop.route) for hop in self.direction.hops if hop.step is Step.ROUTE)
        return next((route.gateway for route in routes if route is not None and route.gateway), UNKNOWN)

    def hop(self, index: int) -> Hop | None:
        """The hop at `index`, None outside."""
        return self.direction.hops[index] if 0 <= index < len(self.direction.hops) else None

    def next_node(self, index: int) -> str:
        """The first other node after a hop, else the receiver's."""
        here = self.direction.hops[index].node
        after = (hop.node for hop in self.direction.hops[index:] if hop.node is not None and hop.node != here)
        return next(after, None) or self.receiver.node or UNKNOWN

    def crosses_by_subnet(self) -> bool:
        """Whether the pool of the packet's destination tunnels only between subnets."""
        pool = self._pool(self.receiver.ip)
        return pool is not None and "CrossSubnet" in (pool.ipip_mode, pool.vxlan_mode)

    def _pool(self, ip: str | None) -> IPPool | None:
        try:
            address = ipaddress.ip_address(ip or "")
            fitting = [pool for pool in self.pools if address in ipaddress.ip_network(pool.cidr, strict=False)]
        except ValueError:
            return None
        return max(fitting, key=lambda pool: ipaddress.ip_network(pool.cidr, strict=False).prefixlen, default=None)


def scene_of(trace: Trace, number: int, pools: tuple[IPPool, ...]) -> Scene:
    """The scene of one of the trace's directions."""
    direction = trace.directions[number]
    wrapped = any(way.encapsulation is not Encapsulation.NONE for way in trace.directions)
    receiver = trace.destination if number == 0 else trace.source
    line = line_of(direction, receiver, wrapped=wrapped)
    return Scene(trace, number, pools, tuple(before_and_after(direction)), line)


def words(key: str, **values: object) -> Words:
    """A text with its values; an unknown one is a question mark."""
    return Words(key, {name: UNKNOWN if value is None or value == "" else str(value) for name, value in values.items()})


def is_lost(hop: Hop) -> bool:
    """Whether the packet goes no further than this hop."""
    return hop.ends not in HARMLESS
