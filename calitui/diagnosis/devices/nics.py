"""The network cards and what answers behind them: the devices that carry everything between the nodes."""

from __future__ import annotations

from collections.abc import Iterator

from calitui.diagnosis.devices.used import Devices, hops, named, shown
from calitui.diagnosis.entry import Cut, Entry
from calitui.diagnosis.expectation import Expectation
from calitui.diagnosis.scene import Scene, address, network
from calitui.facts.node import Address, Link, Neighbour
from calitui.trace.encapsulation import encapsulation_of
from calitui.trace.fabric import Place
from calitui.trace.finding import Finding, Severity, Unchecked
from calitui.trace.path import Encapsulation, Step

_NIC = (Step.NIC_OUT, Step.NIC_IN)
_NO_SESSION = frozenset({"bgp-session-down", "bgp-route-outlives-session", "block-route-missing"})

NIC_DOWN = Entry(
    code="nic-down",
    severity=Severity.ERROR,
    title="a network card that Calico needs is down",
    background=(
        "Everything between two nodes leaves by the network card that holds the node's address: pods' packets, "
        "wrapped or not, and the BGP sessions that teach the routes. If that card is set down the kernel deletes "
        "the routes through it; if it is up but has no carrier (NO-CARRIER: a cable, a switch port, a virtual switch) "
        "the routes stay, marked linkdown, and packets are lost. On a node with several cards the others may look "
        "fine, and you can even log in through them."
    ),
    remedy="Bring the card up, or its cable, switch port or virtual network.",
    reference="Linux Documentation/networking/operstates.rst; net/ipv4/fib_semantics.c fib_sync_down_dev",
    steps=_NIC,
    explains=_NO_SESSION
    | {"block-route-unreachable", "route-not-in-kernel", "next-hop-no-neighbour", "no-default-route"}
    | {"tunnel-packets-not-received", "node-not-ready-still-peered", "rp-filter-strict"},
    loses=True,
    cuts=Cut.OF_ADDRESS,
)
NO_NEIGHBOUR = Entry(
    code="next-hop-no-neighbour",
    severity=Severity.ERROR,
    title="the next hop does not answer",
    background=(
        "A next hop on the same network is reached by its MAC, which the kernel asks for by ARP (NDP for IPv6) and "
        "keeps in the neighbour table. FAILED means that nobody answered the last time, INCOMPLETE that it is asking "
        "right now: the other node is off, its address has moved, the two are not on one network although their masks "
        "say so, or a switch or cloud drops such questions. Packets to pods behind that next hop wait a moment and are "
        "dropped with `No route to host`. The route itself looks perfect, because a route says nothing about whether "
        "somebody is there."
    ),
    remedy="Check that the other node runs and has that address, and that the two really share a network.",
    reference="ip-neighbour(8); net/core/neighbour.c",
    steps=(Step.NIC_OUT, Step.TUNNEL_OUT),
    explains=_NO_SESSION | {"tunnel-packets-not-received"},
    cuts=Cut.OUT,
)


def nic_down(scene: Scene) -> Iterator[Finding | Unchecked]:
    """Devices that hold the node's address, or that block routes leave by, and are not up."""
    if not _leaves_nodes(scene):
        return
    for place in scene.read(NIC_DOWN, "links", "addresses"):
        if isinstance(place, Unchecked):
            yield place
            continue
        for device, (link, only) in _nics(scene, place).items():
            if link.is_up:
                continue
            held = named(f"{one.ip}/{one.prefix_length}" for one in link.addresses if one.scope == "global")
            how = "has no carrier" if "UP" in link.flags else "is down"
            has = f", the card with {held}," if held else ""
            lines = [scene.line(place.node, "ip route", text) for text in _texts(scene, place, device)]
            yield NIC_DOWN.found(
                place.node,
                f"{device} on {place.node}{has} {how}: what other nodes send there, and what leaves by it, is lost.",
                subject=device,
                evidence=[scene.link_line(place, link), *shown(lines, 3)],
                fix=[
                    f"ssh {place.node} sudo ip link set {device} up  # without a carrier: check cable and switch port"
                ],
                severity=None if only else Severity.WARNING,
                affected=[name for one in link.addresses for name in scene.of(_next_hops).get(one.ip, ())],
            )


def _leaves_nodes(scene: Scene) -> bool:
    """Whether packets in question go from one machine to another at all."""
    trace = scene.trace
    return trace is None or trace.source.node is None or trace.source.node != trace.destination.node


def _nics(scene: Scene, place: Place) -> dict[str, tuple[Link, bool]]:
    """The cards a node needs; the flag is False where other next hops can do without this one."""
    node = scene.node(place.node)
    found: dict[str, tuple[Link, bool]] = {}
    own = [text for text in (node.bgp_address, node.bgp_address6) if text] or list(node.internal_ips)
    for text in own:
        known = address(text)
        link = place.link_holding(str(known)) if known is not None else None
        if link is not None:
            found[link.name] = (link, True)
    for route in scene.of(Devices).block_routes(place):
        choices = hops(route)
        for hop in choices:
            link = place.link(hop.device)
            if link is not None and encapsulation_of(place, link.name) is None:
                only = len({choice.device for choice in choices}) == 1
                found[link.name] = (link, only or found.get(link.name, (link, False))[1])
    for link in place.namespace.links:
        if link.is_up or encapsulation_of(place, link.name) is not None:
            continue
        held = [one for one in link.addresses if one.scope == "global"]
        if any(one.ip in scene.of(_next_hops) for one in held):
            found[link.name] = (link, True)
        elif any(_is_beside(one, peer) for one in held for peer in _peers(scene, place.node)):
            found.setdefault(link.name, (link, False))
    return found


def _next_hops(scene: Scene) -> dict[str, dict[str, None]]:
    """The gateways of block routes with one next hop, each with the nodes that have such a route."""
    found: dict[str, dict[str, None]] = {}
    for place in (place for name in scene.nodes if (place := scene.place(name)) is not None):
        for route in scene.of(Devices).block_routes(place):
            choices = hops(route)
            if len(choices) == 1 and choices[0].gateway is not None:
                found.setdefault(choices[0].gateway, {})[place.node] = None
    return found


def _peers(scene: Scene, node: str) -> list[str]:
    """The addresses of the other ends of a node's BGP sessions, by its BIRDs."""
    facts = scene.facts.get(node)
    birds = facts.birds if facts is not None and facts.birds is not None else ()
    answers = (bird.answer for bird in birds if bird.answer is not None)
    return [one.neighbour for answer in answers for one in answer.protocols if one.neighbour is not None]


def _is_beside(held: Address, peer: str) -> bool:
    """Whether a peer is in the subnet of an address."""
    subnet, found = network(f"{held.ip}/{held.prefix_length}"), address(peer)
    return subnet is not None and found is not None and found.version == subnet.version and found in subnet


def _texts(scene: Scene, place: Place, device: str) -> Iterator[str]:
    for route in scene.of(Devices).block_routes(place):
        if any(hop.device == device for hop in hops(route)):
            yield route.text


def no_neighbour(scene: Scene) -> Iterator[Finding | Unchecked]:
    """Next hops of block routes, or the outer ones of tunnels, that did not answer."""
    if not _leaves_nodes(scene):
        return
    for place in scene.read(NO_NEIGHBOUR, "neighbours"):
        if isinstance(place, Unchecked):
            yield place
            continue
        silent = {
            (entry.ip, entry.device): entry
            for entry in place.namespace.neighbours
            if entry.state in ("FAILED", "INCOMPLETE") and entry.mac is None
        }
        used = _used(scene, place, silent) if silent else []
        if used:
            yield _silence(scene, place, used)


def _used(
    scene: Scene, place: Place, silent: dict[tuple[str, str], Neighbour]
) -> list[tuple[Neighbour, str | None, str]]:
    """The silent neighbours that packets in question go to, each with its node and the route that uses it."""
    found: dict[tuple[str, str], tuple[Neighbour, str | None, str]] = {}
    for target, text in _targets(scene, place):
        for key in _first_hops(place, target):
            if key in silent and key not in found:
                owner = scene.fabric.node_holding(key[0]) or scene.fabric.node_holding(target)
                found[key] = (silent[key], owner, text)
    return list(found.values())


def _targets(scene: Scene, place: Place) -> Iterator[tuple[str, str]]:
    """The addresses that packets leave this node for, on plain devices: next hops, outer addresses, other nodes."""
    for route in scene.of(Devices).block_routes(place):
        for hop in hops(route):
            if hop.gateway and encapsulation_of(place, hop.device) in (None, Encapsulation.IPIP):
                yield hop.gateway, route.text
    expectation = scene.of(Expectation)
    for other in scene.nodes if scene.trace is not None else ():
        for family in (4, 6) if other != place.node else ():
            target = expectation.address(other, family)
            if target is not None:
                yield target, ""


def _first_hops(place: Place, target: str) -> Iterator[tuple[str, str]]:
    """Who has to answer on which device for a packet to `target`."""
    try:
        match = place.fib.lookup(target)
    except ValueError:
        return
    for hop in match.next_hops if match is not None else ():
        if hop.device:
            yield hop.gateway or target, hop.device


def _silence(scene: Scene, place: Place, used: list[tuple[Neighbour, str | None, str]]) -> Finding:
    name = place.node
    owners = [owner for _, owner, _ in used if owner and owner != name]
    whose = named(f"{entry.ip} ({owner})" if owner else entry.ip for entry, owner, _ in used)
    asked = "NDP" if ":" in used[0][0].ip else "ARP"
    return NO_NEIGHBOUR.found(
        name,
        f"{whose} did not answer {asked} of {name} on {used[0][0].device}, so packets to the pods behind are dropped.",
        subject=used[0][0].ip,
        evidence=shown(
            line
            for entry, _, text in used
            for line in (
                scene.line(name, "ip route", text) if text else "",
                scene.line(name, "ip neigh", entry.text),
            )
            if line
        ),
        fix=[
            f"ssh {name} ping -c 3 {used[0][0].ip}  # is it there?",
            *(f"kubectl get node {owner} -o wide  # does it run, with that address?" for owner in owners[:2]),
        ],
        affected=owners,
        severity=None if any(entry.state == "FAILED" for entry, _, _ in used) else Severity.WARNING,
    )


ENTRIES = (NIC_DOWN, NO_NEIGHBOUR)
CHECKS = (nic_down, no_neighbour)
