"""BIRD's words read into facts, and printed again: what `birdcl` shows and what its control socket says.

Source: `rt_show_rte` of BIRD 1.6's `nest/rt-table.c`, `proto_cmd_show` of `nest/proto.c`, `bgp_get_route_info`, and
`bgp_show_proto_info` of `proto/bgp/bgp.c`, which BIRD 2 says with more indentation.
On the socket each line carries a four-digit code; lines that go on begin with one blank instead.
"""

from __future__ import annotations

import re

import msgspec

from calitui.facts.bird import BirdAnswer, BirdNextHop, BirdProtocol, BirdRoute
from calitui.facts.text import clean
from calitui.nodes.parse.words import LONGEST_PARSED, address, lines, prefix, verbatim, words

_BANNER = re.compile(r"\bBIRD (v?[0-9][^ ]*) ready\.")
_CODE = re.compile(r"[0-9]{4}(?:[- ]|$)")
_ROUTER_ID = re.compile(r"Router ID is ([0-9.]+)$")
_STATUS = re.compile(
    r"(?:Current server time is|Last re(?:boot|configuration) on|Hostname is|Daemon is|Access restricted|BIRD v?\d).*"
)
_HEADING = re.compile(r"name +proto +table +state +since +info$", re.IGNORECASE)
_TABLE = re.compile(r"Table [\w.]+:$")
_DETAIL = re.compile(r" {2,}(?P<key>[A-Z][\w ]{0,40}):(?: +(?P<value>[^ ].*))?")
_ROUTES = re.compile(r"(?:^|, )([0-9]{1,18}) (imported|exported)(?=,|$)")
_VIA = r"via (?P<gateway>[0-9A-Fa-f:.]+) on (?P<device>[^ ]+)"
_ROUTE = re.compile(
    rf"(?: *(?P<prefix>[0-9A-Fa-f:.]+/[0-9]{{1,3}}) +|[ \t]+)"
    rf"(?:{_VIA}|dev (?P<link>[^ ]+)|(?P<kind>blackhole|unreachable|prohibited|prohibit|multipath|unicast))"
    r" \[(?P<protocol>[^ \]]+) (?P<since>[^\]]*?)(?: from (?P<peer>[0-9A-Fa-f:.]+))?\](?P<mark> [*!])?"
    r" \((?P<preference>[0-9]{1,10})(?:/(?P<metric>[^)]*))?\)(?: \[(?P<origin>[^\]]*)\])?"
)
_HOP = re.compile(rf"[ \t]+(?:{_VIA}|dev (?P<link>[^ ]+))(?: weight (?P<weight>[0-9]{{1,5}}))?")
_PROTOCOL = re.compile(
    r"(?P<name>[A-Za-z_][\w.]*) +(?P<kind>[A-Z][\w-]*) +(?P<table>[^ ]+) +(?P<state>up|start|stop|down|flush)"
    r"(?: +(?P<since>[0-9]{4}-[0-9-]+(?: [0-9]{2}:[0-9:.]+)?|[0-9]{2}:[0-9:.]+))?(?: +(?P<info>[^ ].*))?"
)


def parse_bird(text: str) -> BirdAnswer:
    """Read what `birdcl` or the socket says to `show route`, `show protocols [all]` and `show status`, in any order."""
    answer = _Draft()
    on_socket = any(_CODE.match(line) for line in lines(text))
    for raw in lines(text):
        line = raw.expandtabs(8) if not raw.startswith("\t") else raw
        if on_socket:
            code = _CODE.match(line)
            line = line[code.end() :] if code else line.removeprefix(" ")
        if len(line) > LONGEST_PARSED or not answer.take(line):
            answer.unparsed.append(verbatim(raw))
    return BirdAnswer(
        version=answer.version,
        router_id=answer.router_id,
        routes=tuple(answer.routes),
        protocols=tuple(answer.protocols),
        status=tuple(answer.status),
        unparsed=tuple(answer.unparsed),
    )


class _Draft:
    """What was read so far."""

    def __init__(self) -> None:
        self.version = ""
        self.router_id: str | None = None
        self.routes: list[BirdRoute] = []
        self.protocols: list[BirdProtocol] = []
        self.status: list[str] = []
        self.in_protocol = False
        self.unparsed: list[str] = []

    def take(self, line: str) -> bool:
        """Read one line, False if it is of no known form."""
        banner = _BANNER.search(line)
        if banner:
            self.version = clean(banner[1])
            self.in_protocol = False
            return True
        stripped = line.strip(" ")
        if not stripped:
            return True
        if self.in_protocol and line.startswith("  "):
            self._detail(line)
            return True
        self.in_protocol = False
        if stripped.startswith("bird>") or _HEADING.fullmatch(stripped) or _TABLE.fullmatch(stripped):
            return True
        router = _ROUTER_ID.match(stripped)
        if router:
            self.router_id = address(router[1])
            return self.router_id is not None
        if _STATUS.fullmatch(stripped):
            # What is asked in restricted mode is answered with these words first, each time.
            if stripped != "Access restricted":
                self.status.append(verbatim(stripped))
            return True
        return self._route(line) or self._hop(line) or self._protocol(stripped)

    def _route(self, line: str) -> bool:
        said = _ROUTE.fullmatch(line)
        if said is None:
            return False
        shown = prefix(said["prefix"], 4) if said["prefix"] else self.routes[-1].prefix if self.routes else None
        gateway, peer = _ip(said["gateway"]), _ip(said["peer"])
        if shown is None or (said["gateway"] and not gateway) or (said["peer"] and not peer):
            return False
        self.routes.append(
            BirdRoute(
                prefix=shown,
                kind=said["kind"] or ("via" if gateway else "dev"),
                gateway=gateway,
                device=_word(said["device"] or said["link"]),
                protocol=clean(said["protocol"]),
                since=clean(said["since"]),
                learned_from=peer,
                mark=(said["mark"] or "").strip(),
                preference=int(said["preference"]),
                metric=_word(said["metric"]),
                origin=_word(said["origin"]),
                repeated=not said["prefix"],
                text=verbatim(line),
            )
        )
        return True

    def _hop(self, line: str) -> bool:
        said = _HOP.fullmatch(line)
        if said is None or not self.routes or self.routes[-1].kind not in ("multipath", "unicast"):
            return False
        gateway = _ip(said["gateway"])
        if said["gateway"] and not gateway:
            return False
        weight = int(said["weight"]) if said["weight"] else None
        hop = BirdNextHop(gateway, _word(said["device"] or said["link"]), weight)
        route = self.routes[-1]
        text = clean(f"{route.text} {verbatim(line)}")
        self.routes[-1] = msgspec.structs.replace(route, next_hops=(*route.next_hops, hop), text=text)
        return True

    def _protocol(self, line: str) -> bool:
        said = _PROTOCOL.fullmatch(line)
        if said is None:
            return False
        info, _, detail = (said["info"] or "").partition(" ")
        self.protocols.append(
            BirdProtocol(
                name=clean(said["name"]),
                kind=clean(said["kind"]),
                table=clean(said["table"]),
                state=said["state"],
                since=said["since"] or "",
                info=clean(info),
                detail=" ".join(words(detail)),
                text=verbatim(line),
            )
        )
        self.in_protocol = True
        return True

    def _detail(self, line: str) -> None:
        """One of the indented lines below a protocol; of most of them nothing is kept."""
        said = _DETAIL.fullmatch(line)
        if said is None or not said["value"]:
            return
        value = said["value"].rstrip(" ")
        known = self.protocols[-1]
        match said["key"]:
            case "Neighbor address":
                known = msgspec.structs.replace(known, neighbour=address(value.partition("%")[0]))
            case "Neighbor AS" if value.isdecimal() and len(value) <= 10:
                known = msgspec.structs.replace(known, neighbour_as=int(value))
            case "Source address":
                known = msgspec.structs.replace(known, source=address(value.partition("%")[0]))
            case "Last error":
                known = msgspec.structs.replace(known, last_error=verbatim(value))
            case "Routes":
                # A session of BIRD 2 says it for each of its channels.
                counted = {what: int(count) for count, what in _ROUTES.findall(value)}
                known = msgspec.structs.replace(
                    known,
                    imported=_sum(known.imported, counted.get("imported")),
                    exported=_sum(known.exported, counted.get("exported")),
                )
        self.protocols[-1] = known


def _sum(first: int | None, second: int | None) -> int | None:
    return second if first is None else first if second is None else first + second


def _ip(word: str | None) -> str | None:
    return address(word) if word else None


def _word(word: str | None) -> str | None:
    return clean(word) if word is not None else None


def render_bird_route(route: BirdRoute) -> list[str]:
    """The lines that `show route` prints for a route; `parse_bird` reads them back."""
    match route.kind:
        case "via":
            towards = f"via {route.gateway} on {route.device}"
        case "dev":
            towards = f"dev {route.device}"
        case _:
            towards = route.kind
    peer = f" from {route.learned_from}" if route.learned_from else ""
    mark = f" {route.mark}" if route.mark else ""
    metric = f"/{route.metric}" if route.metric is not None else ""
    origin = f" [{route.origin}]" if route.origin is not None else ""
    shown = "" if route.repeated else route.prefix
    said = f"{shown:<18} {towards} [{route.protocol} {route.since}{peer}]{mark} ({route.preference}{metric}){origin}"
    return [said, *(_render_hop(hop) for hop in route.next_hops)]


def _render_hop(hop: BirdNextHop) -> str:
    towards = f"via {hop.gateway} on {hop.device}" if hop.gateway else f"dev {hop.device}"
    return f"\t{towards}" + (f" weight {hop.weight}" if hop.weight is not None else "")


def render_bird_protocol(protocol: BirdProtocol) -> str:
    """The line that `show protocols` prints for a protocol, without blanks at its end; `parse_bird` reads it back."""
    info = f"{protocol.info:<14}{protocol.detail}"
    head = f"{protocol.name:<8} {protocol.kind:<8} {protocol.table:<8} {protocol.state:<5}  {protocol.since:<10}  "
    return (head + info).rstrip()
