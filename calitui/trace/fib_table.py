"""One routing table, looked up by longest prefix and then as each family's kernel code chooses among equal prefixes.

A lookup costs one dictionary access per prefix length in use, never a scan of the table. Knows nothing of rules.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from functools import lru_cache

import msgspec

from calitui.facts.node import NextHop, Route

REFUSING = frozenset({"blackhole", "unreachable", "prohibit", "throw"})
"""Types that end a lookup in a table with an error (fib_props, fib6_prop)."""

_WIDTHS = {4: 32, 6: 128}
# IPV6_DECODE_PREF: a route's preference weighs more than the device it leads to.
_PREFERENCES = {"low": 1, "medium": 2, "high": 3}
_LOOPBACK6 = 1


class Flow(msgspec.Struct, frozen=True):
    """A packet as a lookup sees it; addresses as numbers, `source` None where none is chosen yet."""

    family: int
    destination: int
    source: int | None
    input_device: str | None
    mark: int
    output_device: str | None
    tos: int

    @property
    def bound_to(self) -> str | None:
        """The one device that the packet may leave by: what is not a route there is passed by.

        IPv6 holds an address that means something on one link only to the link the packet came in on
        (`rt6_need_strict`), and keeps to the device that a sender without a source address is bound to.
        """
        if self.family == 4:
            return self.output_device
        if _is_bound_to_a_link(self.destination):
            return self.input_device or self.output_device
        return self.output_device if self.source is None else None


class Found(msgspec.Struct, frozen=True):
    """The route of a table, the length of its prefix, and other routes the kernel may take instead of it."""

    route: Route
    length: int
    alternatives: tuple[Route, ...] = ()


class Table:
    """Routes of one family by prefix length and network, in the order in which the kernel tries them."""

    def __init__(self, routes: Iterable[Route], family: int) -> None:
        """Routes of equal rank stay in their order, which is the kernel's own in a dump.

        Raises:
            ValueError: a route's prefix is none.
        """
        by_length: dict[int, dict[int, list[Route]]] = {}
        shared: list[list[Route]] = []
        for route in routes:
            network, length = network_number(route.prefix, family)
            networks = by_length.setdefault(length, {})
            candidates = networks.get(network)
            if candidates is None:
                networks[network] = [route]
            else:
                candidates.append(route)
                if len(candidates) == 2:
                    shared.append(candidates)
        for candidates in shared:
            candidates.sort(key=_rank)
        self._width = _WIDTHS[family]
        self._lengths = [(length, by_length[length]) for length in sorted(by_length, reverse=True)]

    def lookup(self, flow: Flow) -> Found | None:
        """The route for a packet, of whatever type, or None."""
        choose = _choose4 if flow.family == 4 else _choose6
        for length, networks in self._lengths:
            candidates = networks.get(flow.destination >> (self._width - length))
            if candidates is not None:
                found = choose(candidates, length, flow)
                if found is not None:
                    return found
        return None


def hops(route: Route, device: str | None = None) -> tuple[NextHop, ...]:
    """Where a route leads: its next hops that are not dead, only those through `device` if one is given."""
    every = route.next_hops or (NextHop(route.gateway, route.device, flags=route.flags),)
    return tuple(hop for hop in every if "dead" not in hop.flags and (device is None or hop.device == device))


def address_number(text: str) -> tuple[int, int]:
    """Family and value of an address.

    Raises:
        ValueError: it is none.
    """
    if ":" in text:
        return 6, int(ipaddress.IPv6Address(text))
    return 4, int(ipaddress.IPv4Address(text))


@lru_cache(maxsize=1 << 16)
def network_number(prefix: str, family: int) -> tuple[int, int]:
    """The leading bits of a prefix as a number, and how many they are.

    Remembered, as every node of a cluster has routes to the same blocks.

    Raises:
        ValueError: it is no prefix of that family.
    """
    address, _, bits = prefix.partition("/")
    width = _WIDTHS[family]
    length = int(bits) if bits else width
    found, value = address_number(address)
    if found != family or not 0 <= length <= width:
        raise ValueError(f"{prefix!r} is not a prefix of IPv{family}")
    return value >> (width - length), length


def _rank(route: Route) -> tuple[bool, int, int]:
    # fib_find_alias: where local and main are one table local comes first, then the higher TOS, then the lower metric.
    return ":" not in route.prefix and route.table not in ("local", "255"), -route.tos, route.metric


def _leads(route: Route, device: str | None) -> bool:
    if route.next_hops:
        return bool(hops(route, device))
    return "dead" not in route.flags and (device is None or route.device == device)


def _choose4(candidates: Sequence[Route], length: int, flow: Flow) -> Found | None:
    """`fib_table_lookup`: the first that refuses or has a live next hop."""
    device = flow.output_device
    for position, route in enumerate(candidates):
        if route.tos not in (0, flow.tos):
            continue
        if route.kind in REFUSING or _leads(route, device):
            equal = _other_defaults(route, candidates[position:], flow) if length == 0 else ()
            return Found(route, length, equal)
    return None


def _other_defaults(first: Route, rest: Sequence[Route], flow: Flow) -> tuple[Route, ...]:
    """`fib_select_default`: this machine's own packets may take another default route whose gateway answers.

    Those of the same metric are asked; for a type of service those without one too, by the best metric among them.
    """
    if flow.input_device or flow.output_device or first.kind != "unicast" or not first.gateway:
        return ()
    others: list[Route] = []
    tos, metric = 0, first.metric
    for route in rest:
        if route.tos not in (0, flow.tos) or route.table != first.table:
            continue
        if route.metric > metric and route.tos == tos:
            if tos:
                continue
            break
        if not _leads(route, None):
            continue
        tos, metric = route.tos, route.metric
        gateway = route.next_hops[0].gateway if route.next_hops else route.gateway
        if route is not first and route.kind == "unicast" and route.scope == first.scope and gateway:
            others.append(route)
    return tuple(others)


def _choose6(candidates: Sequence[Route], length: int, flow: Flow) -> Found | None:
    """`find_rr_leaf`: the best score among the lowest metric, and only if none is live among all others."""
    bound_to = flow.bound_to
    live = [route for route in candidates if _leads(route, bound_to)]
    if len(live) <= 1:
        return Found(live[0], length) if live else None
    lowest = candidates[0].metric
    group = [route for route in live if route.metric == lowest] or live
    device = flow.input_device or flow.output_device
    scores = [_score(route, device) for route in group]
    best = max(scores)
    equal = [route for route, score in zip(group, scores, strict=True) if score == best]
    route, *others = equal
    # An older iproute2 prints the next hops of one route as routes of their own.
    same = (other for other in others if other.metric == route.metric and _has_gateway(other))
    return Found(route, length, tuple(same) if _has_gateway(route) else ())


def _score(route: Route, device: str | None) -> int:
    """`rt6_score_route`, without the reachability of a router, which a dump does not hold."""
    preferred = device is None or any(hop.device == device for hop in hops(route))
    return (_PREFERENCES.get(route.preference, 2) << 2) | (2 if preferred else 0)


def _has_gateway(route: Route) -> bool:
    return route.kind == "unicast" and (route.gateway is not None or bool(route.next_hops))


def _is_bound_to_a_link(destination: int) -> bool:
    return destination >> 120 == 0xFF or destination >> 118 == 0xFE80 >> 6 or destination == _LOOPBACK6
