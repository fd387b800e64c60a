"""Routes from netlink messages, and the line that iproute2 prints for each.

What `parse_routes` refuses to make a route of is refused here too: a source-specific route or one with a rewritten
destination means something else than its fields would say.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

import msgspec

from calitui.facts.node import NextHop, Route
from calitui.facts.text import clean
from calitui.nodes.local.messages import IPV6, Devices, attributes, network, word
from calitui.nodes.local.names import Names
from calitui.nodes.parse.render import Beside, render_route

CLONED = 0x200
"""RTM_F_CLONED of linux/rtnetlink.h: an entry of the cache, or the answer to a lookup."""

_KINDS: tuple[str, ...] = (
    "none",
    "unicast",
    "local",
    "broadcast",
    "anycast",
    "multicast",
    "blackhole",
    "unreachable",
    "prohibit",
    "throw",
    "nat",
)
_FLAGS: dict[int, str] = {
    1: "dead",
    4: "onlink",
    2: "pervasive",
    8: "offload",
    64: "trap",
    0x100: "notify",
    16: "linkdown",
    32: "unresolved",
    0x4000: "rt_offload",
    0x8000: "rt_trap",
    0x20000000: "rt_offload_failed",
}
# linux/rtnetlink.h, RTA_*, and linux/lwtunnel.h.
_UNNAMED = {25: "RTA_UID", 26: "RTA_TTL_PROPAGATE", 30: "RTA_NH_ID"}
_ENCAPSULATIONS = ("none", "mpls", "ip", "ila", "ip6", "seg6", "bpf", "seg6local", "rpl", "ioam6", "xfrm")
# linux/rtnetlink.h RTAX_*, from RTAX_MTU = 2 on; RTAX_LOCK has a bit for each.
_METRICS: tuple[str, ...] = ("MTU", "WINDOW", "RTT", "RTTVAR", "SSTHRESH", "CWND", "ADVMSS", "REORDERING", "HOPLIMIT")
_METRICS += ("INITCWND", "FEATURES", "RTO_MIN", "INITRWND", "QUICKACK", "CC_ALGO")
_PREFERENCES = {1: "high", 3: "low"}
_TICKS = 100
_UNSET = 0xFFFFFFFF


class Decoded(msgspec.Struct, frozen=True):
    """A route, None where its message means more than a `Route` can say; `beside` is what else iproute2 prints.

    `before_cache` are those words of `beside.behind_flags` that do not come from the kernel's cache.
    """

    route: Route | None
    beside: Beside
    before_cache: tuple[str, ...]
    text: str


def decode_route(message: Mapping[str, Any], devices: Devices, names: Names, *, answer: bool = False) -> Decoded:
    """The route of one RTM_NEWROUTE; `answer` when it is the reply to a lookup, where a source is no selector.

    Raises:
        One of UNDECODABLE: it is no route.
    """
    held = attributes(message, _UNNAMED)
    family = message["family"]
    cloned = bool(message["flags"] & CLONED) and family != IPV6
    kind = _KINDS[message["type"]]
    hops = [_next_hop(hop, devices) for hop in held.get("RTA_MULTIPATH", ())]
    metrics = attributes(held["RTA_METRICS"]) if "RTA_METRICS" in held else {}
    route = Route(
        prefix=network(held.get("RTA_DST"), message["dst_len"], family),
        kind=kind,
        gateway=_gateway(held),
        device=devices.name(held["RTA_OIF"]) if "RTA_OIF" in held else None,
        table=names.table(held.get("RTA_TABLE", message["table"])),
        protocol="" if cloned else names.protocol(message["proto"]),
        scope="" if cloned else names.scope(message["scope"]),
        metric=held.get("RTA_PRIORITY", 0),
        source=_address(held.get("RTA_PREFSRC")),
        mtu=metrics.get("RTAX_MTU"),
        tos=message["tos"],
        flags=_flags(message["flags"]),
        next_hops=tuple(hop for hop, _ in hops),
        preference=_PREFERENCES.get(held.get("RTA_PREF", 0), ""),
    )
    source = _source(held, message["src_len"], family)
    before_cache = _before_cache(held)
    beside = Beside(
        behind_prefix=(*source, *_behindnetwork(held)),
        behind_flags=(*before_cache, *_cache_words(held)),
        metrics=_metric_words(metrics),
        behind_metrics=("iif", devices.name(held["RTA_IIF"])) if "RTA_IIF" in held else (),
        hops=tuple(words for _, words in hops),
        preference="RTA_PREF" in held,
    )
    text = clean(render_route(route, beside))
    understood = kind != "none" and "RTA_NEWDST" not in held and (answer or not source)
    leads = kind != "unicast" or route.device is not None or bool(hops)
    known = msgspec.structs.replace(route, text=text) if understood and leads else None
    return Decoded(known, beside, before_cache, text)


def _next_hop(hop: Mapping[str, Any], devices: Devices) -> tuple[NextHop, tuple[str, ...]]:
    held = attributes(hop, _UNNAMED)
    said = NextHop(
        gateway=_gateway(held),
        device=devices.name(hop["oif"]) if hop["oif"] else None,
        weight=hop["hops"] + 1,
        flags=_flags(hop["flags"]),
    )
    return said, _encapsulation(held)


def _address(text: str | None) -> str | None:
    return None if text is None else str(ipaddress.ip_address(text))


def _gateway(held: Mapping[str, Any]) -> str | None:
    """The next hop's address; RTA_VIA holds one of another family."""
    return _address(held["RTA_VIA"]["addr"] if "RTA_VIA" in held else held.get("RTA_GATEWAY"))


def _source(held: Mapping[str, Any], length: int, family: int) -> tuple[str, ...]:
    if "RTA_SRC" not in held and not length:
        return ()
    shown = network(held.get("RTA_SRC"), length, family)
    return ("from", shown.removesuffix("/128" if family == IPV6 else "/32"))


def _flags(bits: int) -> tuple[str, ...]:
    return tuple(name for bit, name in _FLAGS.items() if bits & bit)


def _encapsulation(held: Mapping[str, Any]) -> tuple[str, ...]:
    if "RTA_ENCAP" not in held:
        return ()
    number = held.get("RTA_ENCAP_TYPE", 0)
    return ("encap", _ENCAPSULATIONS[number] if number < len(_ENCAPSULATIONS) else str(number))


def _behindnetwork(held: Mapping[str, Any]) -> tuple[str, ...]:
    said: tuple[str, ...] = ("nhid", str(held["RTA_NH_ID"])) if "RTA_NH_ID" in held else ()
    if "RTA_NEWDST" in held:
        said += ("as", "to", word(held["RTA_NEWDST"]))
    return said + _encapsulation(held)


def _before_cache(held: Mapping[str, Any]) -> tuple[str, ...]:
    said: tuple[str, ...] = ()
    mark = held.get("RTA_MARK", 0)
    if mark:
        said += ("mark", hex(mark) if mark >= 16 else str(mark))
    if "RTA_FLOW" in held:
        came, goes = divmod(held["RTA_FLOW"], 1 << 16)
        said += ("realms", f"{came}/{goes}") if came else ("realm", str(goes))
    if "RTA_UID" in held:
        said += ("uid", str(held["RTA_UID"]))
    return said


def _cache_words(held: Mapping[str, Any]) -> tuple[str, ...]:
    """`expires` and `error` of RTA_CACHEINFO; the first is in ticks of USER_HZ."""
    cached = held.get("RTA_CACHEINFO")
    if cached is None:
        return ()
    said: tuple[str, ...] = ()
    if cached["rta_expires"]:
        said += ("expires", f"{int(cached['rta_expires'] / _TICKS)}sec")
    if cached["rta_error"]:
        said += ("error", str(cached["rta_error"]))
    return said


def _metric_words(metrics: Mapping[str, Any]) -> tuple[str, ...]:
    """The metrics in the kernel's order, as iproute2 prints them: times in its own units, unset hop limits not."""
    said: tuple[str, ...] = ()
    locked = metrics.get("RTAX_LOCK", 0)
    for number, name in enumerate(_METRICS, 2):
        value = metrics.get(f"RTAX_{name}")
        if value is None or (name == "HOPLIMIT" and value == _UNSET):
            continue
        said += ("congctl" if name == "CC_ALGO" else name.lower(),)
        if locked & (1 << number):
            said += ("lock",)
        match name:
            case "RTT" | "RTTVAR" | "RTO_MIN":
                time = value // {"RTT": 8, "RTTVAR": 4}.get(name, 1)
                said += (f"{time / 1000:g}s" if time >= 1000 else f"{time}ms",)
            case "CC_ALGO":
                said += (word(value),)
            case _:
                said += (str(value),)
    return said
