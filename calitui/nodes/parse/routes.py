"""Routes as `ip route show` prints them, and `ip route get`'s answers.

One grammar for every iproute2 and for busybox: `TYPE PREFIX` and then keywords in any order. A keyword that is not
known is passed over, as `text` keeps the line; a line whose meaning would change by passing something over (a
source-specific route, a gateway that is no address, a unicast route that leads nowhere) is not made into a route.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from calitui.facts.node import LookupAnswer, NextHop, Route
from calitui.facts.text import clean
from calitui.nodes.parse.words import PROTOCOLS, SCOPES, TABLES, Parsed, address, lines, number, prefix, verbatim, words

KINDS = frozenset(
    {"unicast", "local", "broadcast", "multicast", "anycast", "blackhole", "unreachable", "prohibit", "throw", "nat"}
)
"""The type words that iproute2 prints before a prefix."""

FLAGS = frozenset(
    {"onlink", "linkdown", "dead", "pervasive", "offload", "trap", "notify", "unresolved"}
    | {"rt_offload", "rt_trap", "offload_failed", "rt_offload_failed"}
)
"""Words that stand alone."""

# Keywords with one value that changes nothing about where a packet goes, or that `text` is enough for.
_PASSED_OVER = frozenset(
    {"advmss", "age", "congctl", "cwnd", "error", "expires", "features", "hoplimit", "initcwnd", "initrwnd", "ipid"}
    | {"mark", "nhid", "quickack", "realm", "realms", "reordering", "rto_min", "rtt", "rttvar", "ssthresh"}
    | {"ttl-propagate", "uid", "used", "users", "window", "fastopen_no_cookie", "oif", "flowlabel", "id"}
)
_KEYWORDS = (
    _PASSED_OVER
    | FLAGS
    | {
        "via",
        "dev",
        "table",
        "proto",
        "scope",
        "metric",
        "src",
        "mtu",
        "tos",
        "dsfield",
        "weight",
        "encap",
        "from",
        "iif",
        "pref",
    }
    | {"cache", "nexthop", "lock"}
)

# The names of /etc/iproute2/rt_dsfield, of RFC 1349 and of RFC 2474 and its followers; others are printed as 0x14.
_TOS = {"default": 0, "mincost": 0x02, "reliability": 0x04, "throughput": 0x08, "lowdelay": 0x10, "EF": 0xB8}
_TOS |= {f"CS{number}": number << 5 for number in range(8)}
_TOS |= {f"AF{group}{drop}": group << 5 | drop << 3 for group in range(1, 5) for drop in range(1, 4)}

_CONTINUATION = re.compile(r"\\[ \t]+(?=nexthop |cache\b|nh_info )")


class _Fields(msgspec.Struct):
    """What the keywords of one route or one next hop said; filled while the words are read."""

    gateway: str | None = None
    device: str | None = None
    table: str = "main"
    protocol: str = ""
    scope: str = ""
    metric: int = 0
    source: str | None = None
    mtu: int | None = None
    tos: int = 0
    weight: int = 1
    flags: tuple[str, ...] = ()
    from_source: str | None = None
    input_device: str | None = None
    preference: str = ""


def parse_routes(text: str, family: int = 4) -> Parsed[Route]:
    r"""Read the output of `ip [-4|-6] [-o] [-d] route show [table all]`.

    `family` (4 or 6) says which `default` is meant where the line does not tell by itself. A route with its `nexthop`
    lines is one route; its text is the header and the next hops in one line.
    """
    routes: list[Route] = []
    unparsed: list[str] = []
    for group in _logical_lines(text):
        route = _route(group, family)
        if route is None:
            unparsed.extend(verbatim(line) for line in group)
        else:
            routes.append(route)
    return Parsed(tuple(routes), tuple(unparsed))


def parse_answer(
    output: str,
    *,
    destination: str,
    source: str | None = None,
    input_device: str | None = None,
    command: str = "",
    error: str = "",
) -> LookupAnswer:
    """Read what `ip route get` printed to its output and, in `error`, to its error stream.

    The route's prefix is the destination as /32 or /128. Where the kernel refused, `route` is None and `error` is its
    words; an answer that no grammar covers is an error too, with what was printed in `text`.
    """
    printed = lines(output)
    said = [verbatim(line) for line in lines(error)]
    text = clean(" ".join(verbatim(line) for line in [*printed, *lines(error)]))
    route: Route | None = None
    reason = ""
    if printed:
        family = 6 if ":" in destination else 4
        joined = _CONTINUATION.sub(" ", " ".join(line.strip(" \t") for line in printed))
        route = _from_words(words(joined), family, verbatim(printed[0]), answer=True)
        reason = "" if route else "the answer is in no form that is known"
    if route is None:
        spoken = [line for line in said if "answers:" in line or line.startswith("Error")] or said
        reason = spoken[0] if spoken else reason or "no answer was printed"
    return LookupAnswer(
        destination=destination,
        source=source,
        input_device=input_device,
        route=route,
        error=reason if route is None else "",
        command=clean(command),
        text=text,
    )


def _logical_lines(text: str) -> Iterator[list[str]]:
    """Each route with the `nexthop` lines that follow it."""
    group: list[str] = []
    for line in lines(text):
        stripped = line.lstrip(" \t")
        if group and stripped.startswith(("nexthop ", "nh_info ", "cache ")):
            group.append(line)
            continue
        if group:
            yield group
        group = [line]
    if group:
        yield group


def _route(group: list[str], family: int) -> Route | None:
    hops = [line for line in group if not line.lstrip(" \t").startswith(("nh_info ", "cache "))]
    joined = _CONTINUATION.sub(" ", " ".join(line.strip(" \t") for line in hops))
    text = " ".join(verbatim(_CONTINUATION.sub(" ", line)) for line in hops).replace("  nexthop ", " nexthop ")
    return _from_words(words(joined), family, clean(text), answer=False)


def _from_words(said: list[str], family: int, text: str, *, answer: bool) -> Route | None:
    kind = "unicast"
    if said and said[0] in KINDS:
        kind, said = said[0], said[1:]
    if not said or (len(said) > 1 and said[1] not in _KEYWORDS and not said[1].startswith("<-")):
        return None
    parts = _split_next_hops(said[1:])
    fields = _fields(parts[0])
    hops = [_fields(part) for part in parts[1:]]
    if fields is None or (fields.from_source is not None and not answer):
        return None
    next_hops: list[NextHop] = []
    for hop in hops:
        if hop is None or (hop.gateway is None and hop.device is None):
            return None
        next_hops.append(NextHop(hop.gateway, hop.device, hop.weight, hop.flags))
    if kind == "unicast" and fields.device is None and not next_hops:
        return None
    # Only IPv6 routes carry a preference; a gateway of the other family (`via inet6`) says so in as many words.
    if said[0] == "default" and ("pref" in said or ":" in (fields.gateway or "")) and "inet6" not in said:
        family = 6
    destination = prefix(said[0], family)
    if destination is None:
        return None
    return Route(
        prefix=destination,
        kind=kind,
        gateway=fields.gateway,
        device=fields.device,
        table=fields.table,
        protocol=fields.protocol,
        scope=fields.scope,
        metric=fields.metric,
        source=fields.source,
        mtu=fields.mtu,
        tos=fields.tos,
        flags=fields.flags,
        next_hops=tuple(next_hops),
        preference=fields.preference,
        text=text,
    )


def _split_next_hops(said: list[str]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for position, word in enumerate(said):
        if word == "nexthop" and (position == 0 or said[position - 1] not in ("dev", "table")):
            parts.append([])
        else:
            parts[-1].append(word)
    return parts


def _fields(said: list[str]) -> _Fields | None:
    """Read keywords and values, or None when one that decides where packets go has a value that makes no sense."""
    fields = _Fields()
    seen: set[str] = set()
    rest = iter(said)
    for word in rest:
        if word.startswith("<-"):
            break  # a remark that a person wrote behind the line
        if word.startswith("["):
            return None
        if word in FLAGS:
            fields.flags += (word,)
        elif word == "encap":
            # Its own grammar, with words such as `dst` and `src` in it, ends where the next hop begins.
            for skipped in rest:
                if skipped in ("via", "dev"):
                    if not _value(fields, skipped, rest):
                        return None
                    break
        elif word in seen and word != "mtu":
            continue
        elif word in _KEYWORDS and word not in ("cache", "lock"):
            seen.add(word)
            if not _value(fields, word, rest):
                return None
    return fields


def _value(fields: _Fields, keyword: str, rest: Iterator[str]) -> bool:
    value = next(rest, None)
    if value is None:
        return False
    if value == "lock" and keyword not in ("dev", "iif", "oif"):
        value = next(rest, "")
    match keyword:
        case "via":
            if value in ("inet", "inet6"):
                value = next(rest, "")
            fields.gateway = address(value)
            return fields.gateway is not None
        case "dev":
            fields.device = value
        case "table":
            fields.table = TABLES.get(value, value)
        case "proto":
            fields.protocol = PROTOCOLS.get(value, value)
        case "scope":
            fields.scope = SCOPES.get(value, value)
        case "src":
            fields.source = address(value)
            return fields.source is not None
        case "from":
            fields.from_source = value
        case "iif":
            fields.input_device = value
        case "pref":
            fields.preference = "" if value == "medium" else value
        case "metric" | "mtu" | "weight" | "tos" | "dsfield":
            count = _TOS.get(value) if keyword in ("tos", "dsfield") and value in _TOS else number(value)
            if count is None:
                return False
            setattr(fields, "tos" if keyword == "dsfield" else keyword, count)
    return True
