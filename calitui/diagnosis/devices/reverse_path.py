"""The reverse path filter: whether a node takes packets by the device they come in by.

The value alone says nothing: strict is right wherever question and answer take one way. It is a fault only where the
node's own route back to a packet's source leaves by another device (`fib_validate_source` in net/ipv4/fib_frontend.c).
There is no such filter for IPv6 routes.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from calitui.diagnosis.calico_node import restart
from calitui.diagnosis.devices.addressed import Addressed
from calitui.diagnosis.devices.used import Devices, named, shown
from calitui.diagnosis.entry import Cut, Entry
from calitui.diagnosis.expectation import Expectation
from calitui.diagnosis.routes.routing import exact_routes
from calitui.diagnosis.scene import Scene, address, network
from calitui.facts.node import Route
from calitui.trace.encapsulation import encapsulation_of
from calitui.trace.fabric import Place
from calitui.trace.fib import table_name
from calitui.trace.finding import Finding, Severity, Unchecked
from calitui.trace.path import Encapsulation, Evidence, Step

STRICT = Entry(
    code="rp-filter-strict",
    severity=Severity.ERROR,
    title="the reverse path filter drops packets that come in by another device",
    background=(
        "With rp_filter=1 the kernel looks, for each packet that comes in, by which device it would send an answer to "
        "the packet's source; if that is another one, it drops the packet without a word. That is a good guard with "
        "one network card. With two cards, policy routing, or nodes that disagree about tunnel or no tunnel, packets "
        "rightly come in by one device while the route back leaves by the other. The value that counts is the larger "
        "one of conf.all and conf.DEVICE, and a reload of sysctl files brings the distribution's 1 back."
    ),
    remedy="Make the route back leave by the device that the packets come in by, or set rp_filter=2 (loose) there.",
    reference="Linux Documentation/networking/ip-sysctl.rst rp_filter; projectcalico/felix#2082, calicoctl#1082, #5643",
    steps=(Step.NIC_IN, Step.TUNNEL_IN),
    explains=frozenset({"tunnel-packets-not-received"}),
    loses=True,
    cuts=Cut.IN,
)
LOOSE = Entry(
    code="rp-filter-loose",
    severity=Severity.WARNING,
    title="Felix does not run with a loose reverse path filter",
    background=(
        "Felix up to v3.8 trusts the kernel's reverse path filter to stop pods from sending with false source "
        "addresses. If net.ipv4.conf.all.rp_filter is 2 (loose) that trust is broken, and Felix says so and exits, "
        "again and again, unless ignoreLooseRPF is set. Pods that run keep their routes, new ones get none. Later "
        "versions filter by themselves and don't mind."
    ),
    remedy="Set net.ipv4.conf.all.rp_filter to 1 or 0, or ignoreLooseRPF in FelixConfiguration.",
    reference="felix v3.8 dataplane/linux/int_dataplane.go; projectcalico/felix#2082",
)


_TUNNELS = frozenset({"tunl0", "vxlan.calico"})


class _Dropped(msgspec.Struct, frozen=True):
    """Packets from `source` (of node `sender`) that come in by `device` and whose route back is another way."""

    device: str
    source: str
    sender: str | None
    back: Route


def strict(scene: Scene) -> Iterator[Finding | Unchecked]:
    """Devices that drop packets because the route back to their source leaves by another one."""
    if 4 not in scene.of(Devices).families:
        return
    dropped = _on_path(scene) if scene.trace is not None else _between_nodes(scene)
    by_device: dict[tuple[str, str], list[_Dropped]] = {}
    for name, one in dropped:
        by_device.setdefault((name, one.device), []).append(one)
    for (name, _), found in by_device.items():
        place = scene.place(name)
        if place is not None:
            yield _found(scene, place, found)
    for name in scene.nodes:
        place = scene.place(name)
        if place is not None and not place.read("sysctls"):
            yield STRICT.unchecked(name, f"sysctls: {scene.why_unread(name, 'sysctls')}")


def _found(scene: Scene, place: Place, found: list[_Dropped]) -> Finding:
    name, first = place.node, found[0]
    senders = [one.sender for one in found if one.sender]
    who = f"{first.source} ({first.sender})" if first.sender else first.source
    way = first.back.device or named(hop.device or "?" for hop in first.back.next_hops)
    both = (f"ipv4/conf/{of}/rp_filter" for of in ("all", first.device))
    return STRICT.found(
        name,
        f"Packets from {who} come in to {name} by {first.device}, but its route back leaves by {way}: the strict "
        "reverse path filter drops them.",
        subject=first.device,
        evidence=[
            *(scene.line(name, "sysctl", f"net.{key.replace('/', '.')} = {place.sysctl(key)}") for key in both),
            *shown(dict.fromkeys(scene.line(name, "ip route", one.back.text) for one in found), 4),
        ],
        fix=[
            f"ssh {name} ip route get {first.source}  # the way back: mend it if it is wrong",
            f"ssh {name} sudo sysctl -w net/ipv4/conf/{first.device}/rp_filter=2  # loose, if two ways are meant",
        ],
        affected=senders,
    )


def _is_strict(place: Place, device: str) -> bool:
    values = [place.sysctl(f"ipv4/conf/{of}/rp_filter") for of in ("all", device)]
    numbers = [int(value) for value in values if value in ("0", "1", "2")]
    return len(numbers) == 2 and max(numbers) == 1


def _back(place: Place, source: str, target: str | None, device: str) -> Route | None:
    """The route back to a source where it surely leaves by other devices than `device`, else None."""
    try:
        match = place.fib.lookup(source, target)
        doubtful = place.fib.unjudged(source, target)
    except ValueError:
        return None
    if match is None or match.route is None or match.kind != "unicast" or doubtful:
        return None
    devices = {hop.device for hop in match.next_hops}
    # WireGuard's own packets carry a mark that chooses another table for the way back.
    if not devices or device in devices or None in devices:
        return None
    if any(encapsulation_of(place, one) is Encapsulation.WIREGUARD for one in devices):
        return None
    return match.route


def _on_path(scene: Scene) -> Iterator[tuple[str, _Dropped]]:
    """Packets of a trace as they come in from the wire and out of the tunnel."""
    for way in scene.trace.directions if scene.trace is not None else ():
        for hop in way.hops:
            place = scene.place(hop.node) if hop.node else None
            if place is None or hop.device is None or hop.step not in (Step.NIC_IN, Step.TUNNEL_IN) or not hop.packet:
                continue
            if hop.evidence is Evidence.INFERRED or not (place.read("routes") and place.read("rules")):
                continue
            header = hop.packet[0]
            if ":" in header.src or not _is_strict(place, hop.device):
                continue
            back = _back(place, header.src, header.dst, hop.device)
            if back is not None and not _is_mere_default(scene, header.src, back):
                sender = scene.fabric.node_holding(header.src) or _home(scene, header.src)
                yield place.node, _Dropped(hop.device, header.src, sender, back)


def _is_mere_default(scene: Scene, source: str, back: Route) -> bool:
    """Whether a pod's way back is but the default route: then the block's own route is what is missing."""
    return back.prefix == "0.0.0.0/0" and scene.fabric.pool_of(source) is not None


def _home(scene: Scene, ip: str) -> str | None:
    pod = scene.fabric.pod_holding(ip)
    return pod.node if pod is not None else None


def _between_nodes(scene: Scene) -> Iterator[tuple[str, _Dropped]]:
    places = [place for name in scene.nodes if (place := scene.place(name)) is not None]
    read = [place for place in places if all(place.read(part) for part in ("routes", "rules", "sysctls", "addresses"))]
    yield from _outer(scene, read)
    yield from _inner(scene, read)


def _outer(scene: Scene, places: list[Place]) -> Iterator[tuple[str, _Dropped]]:
    """Packets from node to node: only routes that could take the answers to another card are looked at."""
    expectation = scene.of(Expectation)
    own = {place.node: ip for place in places if (ip := expectation.address(place.node, 4)) is not None}
    nodes = Addressed([(place, far) for place in places if (far := address(own.get(place.node))) is not None])
    for place in places:
        mine = own.get(place.node)
        link = place.link_holding(mine) if mine is not None else None
        if mine is None or link is None or "LOOPBACK" in link.flags or not _is_strict(place, link.name):
            continue
        subnets = [network(f"{held.ip}/{held.prefix_length}") for held in link.addresses if ":" not in held.ip]
        aside = dict.fromkeys(
            route.prefix
            for route in place.namespace.routes
            if route.kind == "unicast" and ":" not in route.prefix and table_name(route.table) != "local"
            if link.name not in (route.device, *(hop.device for hop in route.next_hops))
        )
        nearest = max((subnet.prefixlen for subnet in subnets if subnet is not None), default=0)
        closer = {other.node for other, _ in nodes.inside(aside, longer_than=nearest)}
        for other, far in nodes.inside(aside):
            near = any(subnet is not None and far in subnet for subnet in subnets)
            if other is place or (near and other.node not in closer):
                continue
            source = _source_of(other, mine)
            back = _back(place, source, mine, link.name) if source is not None else None
            if source is not None and back is not None:
                yield place.node, _Dropped(link.name, source, other.node, back)


def _source_of(place: Place, target: str) -> str | None:
    """The address that a node's own packets to `target` carry."""
    try:
        match = place.fib.lookup(target)
    except ValueError:
        return None
    if match is None or match.route is None or match.kind != "unicast":
        return None
    if match.route.source:
        return match.route.source
    link = place.link(match.next_hops[0].device) if match.next_hops else None
    held = link.addresses if link is not None else ()
    return next((one.ip for one in held if one.scope == "global" and ":" not in one.ip), None)


def _inner(scene: Scene, places: list[Place]) -> Iterator[tuple[str, _Dropped]]:
    """Pods' packets, as they come out of a tunnel or plainly from the wire."""
    found = scene.of(Devices)
    known = {place.node: place for place in places}
    sources: dict[str, list[str]] = {}
    for claim in scene.of(Expectation).claims:
        if claim.family == 4:
            sources.setdefault(claim.node, []).append(claim.cidr)
    holders = {
        place.node: {one.ip: link.name for link in place.namespace.links for one in link.addresses} for place in places
    }
    if not any(_is_strict(place, link.name) for place in places for link in place.namespace.links):
        return
    uses = {place.node: {device for device, _, family in found.exits(place) if family == 4} for place in places}
    usual = {place.node: len([rule for rule in place.namespace.rules if rule.family == 4]) <= 3 for place in places}
    everybody = set().union(*uses.values())
    if len(everybody) <= 1 and everybody <= _TUNNELS and all(usual.values()):
        # One tunnel everywhere: what comes out of it goes back into it.
        return
    exact = {place.node: exact_routes(place, 4) for place in places}
    for sender in places:
        wrapping = {device for device in uses[sender.node] if encapsulation_of(sender, device) is not None}
        arrivals = {
            (owner, route.device if route.device in wrapping else holders[owner].get(route.gateway))
            for route in found.block_routes(sender)
            if route.gateway is not None and ":" not in route.prefix
            if usual[sender.node] or _decides(sender, route)
            if (owner := scene.fabric.node_holding(route.gateway)) in known and owner is not None
        }
        for owner, device in arrivals:
            place = known[owner]
            if device is None or place is sender or (uses[owner] == {device} and usual[owner]):
                continue
            if not _is_strict(place, device) or place.link(device) is None:
                continue
            for cidr in sources.get(sender.node, ()):
                direct = exact[owner].get(cidr)
                if usual[owner] and direct is not None and direct.device == device:
                    continue
                source = _inside(cidr)
                back = _back(place, source, None, device)
                if back is not None and not _is_mere_default(scene, source, back):
                    yield owner, _Dropped(device, source, sender.node, back)


def _inside(cidr: str) -> str:
    """An address of a block that is not its first, which may be a tunnel's own."""
    around = network(cidr)
    return str(around.network_address + min(1, around.num_addresses - 1)) if around is not None else ""


def _decides(place: Place, route: Route) -> bool:
    """Whether a node's packets really take a route, where policy rules may choose another table's."""
    try:
        match = place.fib.lookup(_inside(route.prefix))
    except ValueError:
        return False
    return match is not None and match.route == route


def loose(scene: Scene) -> Iterator[Finding | Unchecked]:
    """A loose filter on all devices where Felix is of a version that does not run with it."""
    if scene.is_since(3, 9) is not False:
        return
    for name in scene.nodes:
        place = scene.place(name)
        ignored = (scene.felix(name, "ignoreLooseRPF") or "").lower() == "true"
        if place is not None and not ignored and place.sysctl("ipv4/conf/all/rp_filter") == "2":
            yield LOOSE.found(
                name,
                f"net.ipv4.conf.all.rp_filter is 2 on {name}: Felix {scene.cluster.calico_version} exits with that, so "
                "new pods there get no routes.",
                subject="all",
                evidence=[scene.line(name, "sysctl", "net.ipv4.conf.all.rp_filter = 2")],
                fix=[f"ssh {name} sudo sysctl -w net.ipv4.conf.all.rp_filter=1", *restart(scene, name)],
            )


ENTRIES = (STRICT, LOOSE)
CHECKS = (strict, loose)
