"""The table `local` of a node whose routes were saved without it, as a plain `ip route` prints table main alone.

Without that table a lookup of the node's own address would be sent along a route to the subnet, or to nowhere.
"""

from __future__ import annotations

import ipaddress

import msgspec

from calitui.facts.missing import Missing
from calitui.facts.node import NetworkNamespace, Route
from calitui.nodes.parse.words import address

_TOLD_ANYWAY = frozenset({"main", "local", "default"})
_SECTIONS = {4: ("routes", "rules", "ip route show table all"), 6: ("routes6", "rules6", "ip -6 route show table all")}
FROM_ADDRESSES = "(as the kernel makes it for an address of the node)"
"""Stands behind the text of a route that was not printed."""


def with_local_table(host: NetworkNamespace, own: tuple[str, ...]) -> tuple[NetworkNamespace, list[Missing]]:
    """The namespace with routes for the node's own addresses where the table `local` is not there, and a note on it.

    The addresses are those of its links, or where these were not read `own` and the preferred sources of its routes.
    Routes are not complete when another table that a rule leads to is not there, or no own address is known.
    """
    missing: list[Missing] = []
    for family, (section, rules, command) in _SECTIONS.items():
        present = [route for route in host.routes if (6 if ":" in route.prefix else 4) == family]
        if not present or any(route.table != "main" for route in present):
            continue
        made, source = _local_routes(host, family, own)
        lost = _lost_tables(host, family) if rules in host.complete else []
        host = msgspec.structs.replace(host, routes=host.routes + made)
        if lost or not made:
            why = f"table {lost[0]}, which a rule leads to, is not there" if lost else "no address of the node is known"
            reason = f"only table main was printed, and {why}: `{command}` prints all"
            host = msgspec.structs.replace(host, complete=host.complete - {section})
            missing.append(Missing(section, reason))
        else:
            missing.append(Missing(f"table local of {section}", f"only table main was printed; it is made {source}"))
    return host, missing


def _local_routes(host: NetworkNamespace, family: int, own: tuple[str, ...]) -> tuple[tuple[Route, ...], str]:
    held = {held.ip: link.name for link in host.links for held in link.addresses if _family(held.ip) == family}
    source = "from the addresses that were read"
    if "addresses" not in host.complete:
        known = [ip for text in own if (ip := address(text.partition("/")[0])) and _family(ip) == family]
        sources = {route.source: route.device for route in host.routes if route.source and route.protocol == "kernel"}
        held |= {ip: device or "lo" for ip, device in sources.items() if _family(ip) == family}
        for ip in known:
            held.setdefault(ip, "lo")
        source = "from the sources of its routes and what the API says: there may be other addresses"
    loopback = "::1" if family == 6 else "127.0.0.1"
    if not held.keys() - {loopback}:
        return (), source
    return tuple(_local_route(ip, device) for ip, device in held.items()), source


def _local_route(ip: str, device: str) -> Route:
    prefix = "127.0.0.0/8" if ip == "127.0.0.1" else str(ipaddress.ip_network(ip))
    shown = prefix if prefix.startswith("127.") else ip
    text = f"local {shown} dev {device} table local proto kernel {FROM_ADDRESSES}"
    scope = "" if ":" in ip else "host"
    return Route(prefix, "local", device=device, table="local", protocol="kernel", scope=scope, source=ip, text=text)


def _family(ip: str) -> int:
    return 6 if ":" in ip else 4


def _lost_tables(host: NetworkNamespace, family: int) -> list[str]:
    led = (rule.table for rule in host.rules if rule.family == family and rule.action == "lookup" and rule.table)
    return [table for table in dict.fromkeys(led) if table not in _TOLD_ANYWAY]
