"""The kernel's route lookup, redone on dumped rules and tables.

Follows `fib_rules_lookup`, `fib_table_lookup` (IPv4) and `fib6_table_lookup`: rules in order of priority, the longest
prefix in the rule's table, among equal prefixes the lowest metric; `throw` and an empty table go on to the next rule.
A lookup costs one dictionary access per prefix length in use, never a scan of the table.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

import msgspec

from calitui.facts.node import NetworkNamespace, Route, Rule

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

# linux/rtnetlink.h: RT_TABLE_DEFAULT, RT_TABLE_MAIN, RT_TABLE_LOCAL.
_TABLE_NAMES = {"253": "default", "254": "main", "255": "local", "": "main"}

# What a kernel without any rule of the user's looks up, in order (fib_default_rules_init, fib6_rules_net_init).
_DEFAULT_RULES = {
    4: (
        Rule(0, table="local", text="0: from all lookup local"),
        Rule(32766, table="main", text="32766: from all lookup main"),
        Rule(32767, table="default", text="32767: from all lookup default"),
    ),
    6: (
        Rule(0, table="local", text="0: from all lookup local", family=6),
        Rule(32766, table="main", text="32766: from all lookup main", family=6),
    ),
}


class Match(msgspec.Struct, frozen=True):
    """The route that decides, and the rule whose table holds it. `route` is None when a rule itself refuses."""

    route: Route | None
    rule: Rule

    @property
    def kind(self) -> str:
        """The route's type word, or the refusing rule's action."""
        return self.route.kind if self.route else self.rule.action


class _Table:
    """One table of one family: routes by prefix length and network, lowest metric first."""

    def __init__(self, routes: Iterable[Route], width: int) -> None:
        by_length: dict[int, dict[int, list[Route]]] = {}
        for route in routes:
            network = ipaddress.ip_network(route.prefix, strict=False)
            key = int(network.network_address) >> (width - network.prefixlen)
            by_length.setdefault(network.prefixlen, {}).setdefault(key, []).append(route)
        for networks in by_length.values():
            for candidates in networks.values():
                candidates.sort(key=lambda route: route.metric)
        self._width = width
        self._lengths = [(length, by_length[length]) for length in sorted(by_length, reverse=True)]

    def lookup(self, address: int, shortest: int, device: str | None) -> Route | None:
        for length, networks in self._lengths:
            if length < shortest:
                return None
            for route in networks.get(address >> (self._width - length), ()):
                if _is_usable(route, device):
                    return route
        return None


class Fib:
    """All tables and rules of one network namespace."""

    def __init__(self, namespace: NetworkNamespace) -> None:
        """Build once per namespace; `lookup` is then cheap."""
        grouped: dict[tuple[int, str], list[Route]] = {}
        for route in namespace.routes:
            grouped.setdefault((_family(route.prefix), table_name(route.table)), []).append(route)
        self._tables = {key: _Table(routes, 32 if key[0] == 4 else 128) for key, routes in grouped.items()}
        self._rules = {
            family: sorted((rule for rule in namespace.rules if rule.family == family), key=lambda rule: rule.priority)
            or _DEFAULT_RULES[family]
            for family in (4, 6)
        }

    def lookup(
        self,
        destination: str,
        source: str | None = None,
        input_device: str | None = None,
        *,
        mark: int = 0,
        output_device: str | None = None,
    ) -> Match | None:
        """The decision for a packet, or None when no table has a route for it.

        `input_device` is where a forwarded packet came in; without it the packet is made by this machine.
        """
        address = ipaddress.ip_address(destination)
        origin = ipaddress.ip_address(source) if source else None
        skip_to = 0
        for rule in self._rules[address.version]:
            if rule.priority < skip_to or not _applies(rule, address, origin, input_device, output_device, mark):
                continue
            if rule.action == "goto":
                skip_to = int(rule.table or 0)
                continue
            if rule.action == "nop":
                continue
            if rule.action != "lookup":
                return Match(None, rule)
            table = self._tables.get((address.version, table_name(rule.table or "main")))
            suppressed = rule.suppress_prefix_length
            shortest = 0 if suppressed is None else suppressed + 1
            route = table.lookup(int(address), shortest, output_device) if table else None
            if route is not None and route.kind != "throw":
                return Match(route, rule)
        return None


def table_name(table: str) -> str:
    """`main`, `local` and `default` for their numbers, anything else as it is."""
    return _TABLE_NAMES.get(table, table)


def _family(prefix: str) -> int:
    return 6 if ":" in prefix else 4


def _is_usable(route: Route, device: str | None) -> bool:
    if "dead" in route.flags:
        return False
    if device is not None and route.kind == "unicast":
        return route.device == device or any(hop.device == device for hop in route.next_hops)
    return True


def _applies(
    rule: Rule,
    destination: IPAddress,
    source: IPAddress | None,
    input_device: str | None,
    output_device: str | None,
    mark: int,
) -> bool:
    mask = 0xFFFFFFFF if rule.mask is None else rule.mask
    matches = (
        _inside(destination, rule.destination)
        and _inside(source, rule.source)
        and (rule.input_device is None or rule.input_device == (input_device or "lo"))
        and (rule.output_device is None or rule.output_device == output_device)
        and (rule.mark is None or (mark & mask) == (rule.mark & mask))
    )
    return matches != rule.inverted


def _inside(address: IPAddress | None, prefix: str | None) -> bool:
    if prefix is None:
        return True
    network = ipaddress.ip_network(prefix, strict=False)
    if address is None:
        return network.prefixlen == 0
    return address.version == network.version and address in network
