"""Devices, routes and rules drawn from a seed, as the `ip` commands that make them.

Nothing here knows what the lookup makes of them. Commands that a kernel refuses are part of the game: what counts is
what it printed afterwards.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from random import Random

import msgspec

DEVICES = ("v0", "v1", "v2", "b0", "b1", "x0", "d0")
"""Two veths, one whose far end is down (so without carrier), a bridge with and one without a port, a VXLAN device, and
a veth that goes down after the routes were set."""

_FAR_DEVICES = ("p0", "p1", "p2", "p3")

MARKS = (0x1, 0x2, 0x10, 0xFF, 0x10000, 0x80000, 0xFFFFFFFF)
_MASKS = ("", "/0x1", "/0xff", "/0xf0000", "/0xffff0000", "/0")
_TABLES = ("main",) * 8 + ("5", "77", "1000", "4294967000", "blue", "red", "blue", "5", "default", "local")
_GATEWAYS = ipaddress.ip_network("10.0.0.0/21")
_TOS = ("0x04", "0x08", "0x10")


class Shape(msgspec.Struct, frozen=True):
    """How large a scenario is. `rules` of None leaves the kernel's own rules untouched."""

    routes: int
    rules: int | None


class Plan(msgspec.Struct, frozen=True):
    """A scenario's commands in their order, the addresses that matter in it, and whether to ask for bound senders."""

    devices: list[str]
    sysctls: dict[str, str]
    routes: list[str]
    rules: list[str]
    afterwards: list[str]
    stems: list[int]
    bound: bool


class Draw:
    """Random addresses and prefixes of one family, most of them nested in a few common stems."""

    def __init__(self, random: Random, family: int) -> None:
        self.random = random
        self.family = family
        self.width = 32 if family == 4 else 128
        self.objects: list[int] = []
        self.used: list[str] = []
        self.same: dict[str, tuple[bool, list[str]]] = {}
        self.stems = [self._anywhere() for _ in range(random.randint(2, 8))]

    def _anywhere(self) -> int:
        if self.family == 4:
            return self.random.randint(1, 223) << 24 | self.random.getrandbits(24)
        return (
            0x2001 << 112 | self.random.getrandbits(112) if self.random.random() < 0.8 else self.random.getrandbits(127)
        )

    def near(self) -> int:
        """An address that shares a random number of leading bits with a stem."""
        if self.random.random() < 0.1:
            return self._anywhere()
        free = self.random.randint(0, self.width)
        return self.random.choice(self.stems) >> free << free | (self.random.getrandbits(free) if free else 0)

    def shown(self, value: int) -> str:
        """An address as text."""
        return str(ipaddress.IPv4Address(value) if self.family == 4 else ipaddress.IPv6Address(value))

    def prefix(self) -> str:
        """A prefix of any length; the shortest and the longest are more common than chance."""
        draw = self.random.random()
        length = self.random.randint(0, self.width)
        if draw < 0.05:
            length = 0
        elif draw < 0.25:
            length = self.width
        elif draw < 0.6:
            length = self.random.choice((8, 16, 24, 26) if self.family == 4 else (32, 48, 64, 122))
        host = self.width - length
        return f"{self.shown(self.near() >> host << host)}/{length}"


def subnet(device: str, family: int) -> str:
    """The subnet of a device without its last part: what a number is put behind to get an address in it."""
    number = DEVICES.index(device)
    return f"10.0.{number}." if family == 4 else f"fd00:{number}::"


def own_addresses(family: int) -> list[str]:
    """The addresses that this machine holds when no device has gone down."""
    return [f"{subnet(device, family)}1" for device in DEVICES]


def seeded(*what: object) -> Random:
    """A source of numbers that is the same for the same arguments, in any process."""
    return Random(" ".join(map(str, what)))  # noqa: S311


def plan(seed: int, family: int, shape: Shape) -> Plan:
    """Everything of one scenario."""
    random = seeded(seed, family, shape)
    draw = Draw(random, family)
    everywhere = {
        "ipv4/conf/all/forwarding": "1",
        "ipv6/conf/all/forwarding": "1",
        "ipv4/conf/all/accept_local": "1",
        "ipv4/conf/all/route_localnet": "1",
        "ipv4/conf/all/rp_filter": "0",
        "ipv4/conf/default/rp_filter": "0",
    }
    # Before the routes: what weights the next hops of an IPv4 route got is not computed anew when this is changed.
    ignoring = {
        f"ipv{family}/conf/{device}/ignore_routes_with_linkdown": "1"
        for device in ("v2", "b1")
        if random.random() < 0.4
    }
    # A next hop object that is of no use to a sender who is bound to a device hides other routes of its prefix from an
    # IPv4 kernel (fib_table_lookup goes on elsewhere); an IPv6 kernel takes a blackhole object whatever the device.
    bound = random.random() < 0.5
    draw.objects = [] if bound else [4, 3, 5] if family == 4 else [4, 3]
    routes = [] if bound else _next_hop_objects(draw)
    routes += _neighbours(draw)
    # Without rules of the user's an older IPv4 kernel asks the default table even after a refusal, a newer does not.
    tables = [name for name in _TABLES if shape.rules is not None or name != "default"]
    routes += [_route(draw, tables) for _ in range(shape.routes)]
    rules = [] if shape.rules is None else _rules(draw, shape.rules)
    afterwards = ["link set d0 down"] if random.random() < 0.5 else []
    return Plan(_devices(), everywhere | ignoring, routes, rules, afterwards, draw.stems, bound)


def _devices() -> list[str]:
    made = [f"link add {near} type veth peer name {far}" for near, far in (("v0", "p0"), ("v1", "p1"), ("v2", "p2"))]
    made += ["link add d0 type veth peer name p3", "link add b0 type bridge", "link add b1 type bridge"]
    made += ["link add x0 type vxlan id 4096 local 10.0.0.1 dstport 4789"]
    # No addresses that are made of a random MAC: the same seed has to give the same dump.
    made += [f"link set {device} addrgenmode none" for device in (*DEVICES, *_FAR_DEVICES)]
    made += ["link set p0 master b0"]
    made += [f"link set {device} up" for device in (*DEVICES, "p0", "p1", "p3")]
    for device in DEVICES:
        made += [f"addr add {subnet(device, 4)}1/24 brd + dev {device}"]
        made += [f"addr add {subnet(device, 6)}1/64 dev {device} nodad", f"addr add fe80::1/64 dev {device} nodad"]
    return made


def _neighbours(draw: Draw) -> list[str]:
    """Some gateways that answer: an IPv4 kernel prefers those among its default routes."""
    known = [(device, number) for device in DEVICES for number in draw.random.sample(range(2, 250), 40)]
    return [
        f"neigh add {subnet(device, draw.family)}{number} lladdr 02:00:00:00:00:01 dev {device} nud permanent"
        for device, number in known
    ]


def _next_hop_objects(draw: Draw) -> list[str]:
    """Next hops that are objects of their own: two with a gateway, one without, both of the first two, a blackhole."""
    made = [f"nexthop add id {number} {_neighbour(draw, device)}" for number, device in ((1, "v0"), (2, "v1"))]
    return [*made, "nexthop add id 3 dev b0", "nexthop add id 4 group 1,2/2,10", "nexthop add id 5 blackhole"]


def _next_hop_object(draw: Draw) -> str:
    """One of them, once where routes that share one can't be told apart (`route get` of IPv6 names any of them)."""
    if draw.family == 4 and draw.objects:
        return f"nhid {draw.random.choice(draw.objects)}"
    return f"nhid {draw.objects.pop()}" if draw.objects else _hop(draw)


def _route(draw: Draw, tables: Sequence[str]) -> str:
    random = draw.random
    verb = random.choices(("add", "append", "prepend"), (7, 4, 1 if draw.family == 4 else 0))[0]
    kind = random.choices(("unicast", "blackhole", "unreachable", "prohibit", "throw", "local"), (16, 1, 1, 1, 1.5, 1))[
        0
    ]
    prefix = random.choice(draw.used) if draw.used and random.random() < 0.15 else draw.prefix()
    draw.used.append(prefix)
    place = f"table {'local' if kind == 'local' and random.random() < 0.5 else random.choice(tables)}"
    if random.random() < 0.4:
        place += f" metric {random.choice((1, 5, 5, 256, 1024, 4294967295, random.getrandbits(32)))}"
    form = random.choices((_hop, _hops, _next_hop_object), (12, 4, 1))[0] if kind == "unicast" else None
    options = _options(draw, kind)
    if draw.family == 6 and form is _next_hop_object:
        place = f"{place.partition(' metric ')[0]} metric {random.randint(2000, 4000000)}"
    elif draw.family == 6:
        # Routes through gateways that differ in nothing else are one route, and what else has their prefix and metric
        # is left out of the dump when it stands between them; nor does a dump tell their options apart.
        key = place if "metric" in place else f"{place} metric 1024"
        by_gateway, options = draw.same.setdefault(f"{prefix} {key}", (random.random() < 0.6, options))
        if by_gateway:
            kind, form = "unicast", random.choice((_hops, _gateway))
        elif form is not None:
            form = _link
    elif kind == "local" and ipaddress.ip_network(prefix).overlaps(_GATEWAYS):
        # A gateway that is this machine's own when its route is made is none (RT_SCOPE_HOST), which no dump tells.
        kind = "blackhole"
    said = ["route", verb, *([] if kind == "unicast" else [kind]), prefix, place, *options]
    # The next hops of a route have to stand at its end.
    if form is not None:
        said.append(form(draw))
    elif kind == "local":
        said.append(f"dev {random.choice(DEVICES)}")
    return " ".join(said)


def _options(draw: Draw, kind: str) -> list[str]:
    random = draw.random
    said = []
    if draw.family == 4 and random.random() < 0.08:
        said.append(f"tos {random.choice(_TOS)}")
    if draw.family == 6 and random.random() < 0.15:
        said.append(f"pref {random.choice(('low', 'medium', 'high'))}")
    if kind == "unicast" and random.random() < 0.1:
        said.append(f"src {random.choice(own_addresses(draw.family))}")
    if random.random() < 0.2:
        said.append(
            random.choice(("mtu 1400", "mtu lock 1300", "proto 80", "proto bird", "proto static", "advmss 900"))
        )
    return said


def _neighbour(draw: Draw, device: str) -> str:
    return f"via {subnet(device, draw.family)}{draw.random.randint(2, 250)} dev {device}"


def _hop(draw: Draw, *, gateway: bool = False) -> str:
    random = draw.random
    device = random.choice(DEVICES)
    neighbour = _neighbour(draw, device)
    link_local = f"via {'' if draw.family == 6 else 'inet6 '}fe80::{random.randint(2, 99)} dev {device}"
    forms = [neighbour, neighbour.partition(" dev ")[0], link_local]
    forms += [f"via {draw.shown(draw.near())} dev {device} onlink", f"dev {device}"]
    return random.choices(forms, (6, 3, 2, 2, 0 if gateway else 4))[0]


def _gateway(draw: Draw) -> str:
    return _hop(draw, gateway=True)


def _link(draw: Draw) -> str:
    return f"dev {draw.random.choice(DEVICES)}"


def _hops(draw: Draw) -> str:
    # IPv6 takes no next hop without a gateway among several.
    hops = [_hop(draw, gateway=draw.family == 6) for _ in range(draw.random.randint(2, 5))]
    return " ".join(f"nexthop {hop} weight {draw.random.choice((1, 1, 2, 7, 200))}" for hop in hops)


def _rules(draw: Draw, count: int) -> list[str]:
    random = draw.random
    priorities = sorted(random.choices(range(1, 32000), k=max(1, count * 2 // 3)))
    rules = [_rule(draw, random.choice(priorities), priorities) for _ in range(count)]
    if random.random() < 0.2:
        # As Cilium does it: own tables before the local one.
        rules += [f"rule add pref {random.choice(priorities)} lookup local", "rule del pref 0"]
    if random.random() < 0.2:
        rules += ["rule del pref 32766"]
    if random.random() < 0.1:
        rules += [f"rule del pref {random.choice(priorities)}" for _ in range(3)]
    return rules


def _rule(draw: Draw, priority: int, priorities: list[int]) -> str:
    random = draw.random
    selectors: list[str] = []
    if random.random() < 0.35:
        unset = ("0.0.0.0/1", "0.0.0.0/8") if draw.family == 4 else ("::/1", "::/3")
        sources = (draw.prefix(), random.choice(own_addresses(draw.family)), random.choice(unset))
        selectors.append(f"from {random.choices(sources, (3, 2, 1))[0]}")
    if random.random() < 0.35:
        selectors.append(f"to {draw.prefix()}")
    if random.random() < 0.2:
        selectors.append(f"iif {random.choice((*DEVICES, 'lo', 'gone0'))}")
    if random.random() < 0.1:
        selectors.append(f"oif {random.choice((*DEVICES, 'gone0'))}")
    if random.random() < 0.25:
        selectors.append(f"fwmark {random.choice((0, *MARKS)):#x}{random.choice(_MASKS)}")
    negated = "not " if random.random() < 0.15 else ""
    if not negated and random.random() < 0.05:
        # Neither is so of a packet that `ip route get` asks about: it is UDP.
        selectors.append(random.choice(("ipproto tcp", "ipproto icmp dport 9-80")))
    actions = [f"table {random.choice((*_TABLES, '31337'))}"] * 5
    actions += [f"{actions[0]} suppress_prefixlength {random.choice((0, 0, 8, 16, 24, 32, 64, 128))}"] * 2
    later = [number for number in priorities if number > priority]
    actions += [f"goto {random.choice(later) if later and random.random() < 0.8 else priority + 1}", "nop"]
    if selectors and (not negated or random.random() < 0.3):
        actions += random.choices(("blackhole", "unreachable", "prohibit"), k=1)
    return f"rule add {negated}pref {priority} {' '.join(selectors)} {random.choice(actions)}"
