"""A route as iproute2 would print it, for routes that never were text (netlink, tests)."""

from __future__ import annotations

import msgspec

from calitui.facts.node import NextHop, Route


class Beside(msgspec.Struct, frozen=True):
    """Words of a printed route that `Route` has no field for, each where iproute2 puts them.

    `behind_prefix` are such as `encap` and `nhid`, `behind_flags` such as `uid` and `expires`, `behind_metrics` such as
    `iif`. `metrics` stands for the words of `Route.mtu` where there are more metrics than that one. `hops` are the
    words that begin each next hop. `preference` says whether IPv6's is printed: old kernels have none.
    """

    behind_prefix: tuple[str, ...] = ()
    behind_flags: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    behind_metrics: tuple[str, ...] = ()
    hops: tuple[tuple[str, ...], ...] = ()
    preference: bool = True


NOTHING = Beside()


def render_route(route: Route, beside: Beside = NOTHING) -> str:
    """One line in iproute2's order of words; `parse_routes` reads it back to the same route.

    Next hops follow in the same line, as `ip route add` takes them.
    """
    ipv6 = ":" in route.prefix
    said = [] if route.kind == "unicast" else [route.kind]
    said.append(_shown(route.prefix, ipv6))
    said += beside.behind_prefix
    if route.tos:
        said += ["tos", f"0x{route.tos:02x}"]
    said += _towards(route.gateway, route.device, ipv6)
    if route.table != "main":
        said += ["table", route.table]
    if route.protocol:
        said += ["proto", route.protocol]
    if route.scope:
        said += ["scope", route.scope]
    if route.source is not None:
        said += ["src", route.source]
    if route.metric or ipv6:
        said += ["metric", str(route.metric)]
    said += route.flags
    said += beside.behind_flags
    if beside.metrics:
        said += beside.metrics
    elif route.mtu is not None:
        said += ["mtu", str(route.mtu)]
    said += beside.behind_metrics
    if ipv6 and beside.preference:
        said += ["pref", route.preference or "medium"]
    for number, hop in enumerate(route.next_hops):
        said += ["nexthop", *(beside.hops[number] if beside.hops else ())]
        said += _next_hop(hop, ipv6)
    return " ".join(said)


def _shown(prefix: str, ipv6: bool) -> str:
    if prefix in ("0.0.0.0/0", "::/0"):
        return "default"
    return prefix.removesuffix("/128" if ipv6 else "/32")


def _towards(gateway: str | None, device: str | None, ipv6: bool) -> list[str]:
    said: list[str] = []
    if gateway is not None:
        said += ["via", "inet6", gateway] if ":" in gateway and not ipv6 else ["via", gateway]
    if device is not None:
        said += ["dev", device]
    return said


def _next_hop(hop: NextHop, ipv6: bool) -> list[str]:
    return [*_towards(hop.gateway, hop.device, ipv6), "weight", str(hop.weight), *hop.flags]
