"""Which packets a node's packet filter has to let through, for the scene's pods to reach each other."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from calitui.diagnosis.devices.used import Devices
from calitui.diagnosis.expectation import Claim, Expectation
from calitui.diagnosis.firewall.packet import IPENCAP, TCP, UDP, Packet
from calitui.diagnosis.scene import Scene
from calitui.trace.encapsulation import encapsulation_of
from calitui.trace.fabric import Place
from calitui.trace.path import Direction, Encapsulation, Step

_INTO = (Step.VETH_IN, Step.TUNNEL_IN, Step.NIC_IN)
_OUT_OF = (Step.VETH_OUT, Step.TUNNEL_OUT, Step.NIC_OUT)
_FIRST_PORTS = {Encapsulation.VXLAN: ("vxlanPort", 4789), Encapsulation.WIREGUARD: ("wireguardListeningPort", 51820)}
"""Felix' settings and what they are unless set (felix/config/config_params.go)."""


class Needed(msgspec.Struct, frozen=True):
    """A packet that `node` has to let through, which way, and what it is for a sentence. `peer` is the other node."""

    node: str
    way: str
    packet: Packet
    what: str
    peer: str = ""


def forwarded(scene: Scene) -> Iterator[Needed]:
    """Pods' packets: those of a trace, or of an audit one from each node's pods and one to them."""
    if scene.trace is not None:
        for direction in scene.trace.directions:
            yield from _of_direction(scene, direction)
        return
    claims = {(claim.node, claim.family): claim for claim in reversed(scene.of(Expectation).claims)}
    for family in (4, 6):
        owners = [claim for claim in claims.values() if claim.family == family]
        for name in scene.nodes:
            own = claims.get((name, family))
            other = next((claim for claim in owners if claim.node != name), None)
            place = scene.place(name)
            if own is not None and other is not None and place is not None:
                yield from _samples(scene, place, own, other)


def _of_direction(scene: Scene, direction: Direction) -> Iterator[Needed]:
    trace = scene.trace
    if trace is None:
        return
    ends = (trace.source, trace.destination) if direction is trace.forward else (trace.destination, trace.source)
    for name in dict.fromkeys(hop.node for hop in direction.hops if hop.node):
        hops = [hop for hop in direction.hops if hop.node == name]
        # The innermost device is last on the way in, and first on the way out.
        into = [hop.device for hop in hops if hop.step in _INTO]
        out = [hop.device for hop in hops if hop.step in _OUT_OF]
        if not into:
            continue  # the node itself sends it
        if any(hop.step is Step.HOST_IN for hop in hops):
            continue
        packet = Packet(
            family=trace.family,
            source=ends[0].ip,
            destination=ends[1].ip,
            in_device=into[-1],
            out_device=out[0] if out else None,
            mark=_mark(scene.place(name), into[-1]),
        )
        yield Needed(name, "forward", packet, f"packets from {ends[0].label} to {ends[1].label}")


def _samples(scene: Scene, place: Place, own: Claim, other: Claim) -> Iterator[Needed]:
    veth = next(iter(scene.of(Devices).veths(place)), None)
    device = _towards(place, other.cidr.partition("/")[0])
    outwards = Packet(
        family=own.family,
        source=own.cidr,
        destination=other.cidr,
        in_device=veth.name if veth is not None else None,
        out_device=device,
    )
    yield Needed(place.node, "forward", outwards, "packets of pods on other nodes and on this one")
    inwards = Packet(
        family=own.family,
        source=other.cidr,
        destination=own.cidr,
        in_device=device,
        out_device=outwards.in_device,
        mark=_mark(place, device),
    )
    yield Needed(place.node, "forward", inwards, "packets of pods on other nodes and on this one")


def _mark(place: Place | None, device: str | None) -> int | None:
    """A packet that comes out of a tunnel has the mark of the one that it came in."""
    return None if place is None or device is None or encapsulation_of(place, device) is not None else 0


def tunnelled(scene: Scene) -> Iterator[Needed]:
    """The outer packets between each node in question and another one that its pods' packets go to in a tunnel."""
    for name in scene.nodes:
        for need in scene.of(Devices).needs(name):
            yield from _outer(scene, name, need.other, need.tunnel.encapsulation, need.tunnel.family)
        if scene.node(name).wireguard_key and (scene.felix(name, "wireguardEnabled") or "").lower() == "true":
            peer = next((one for one in scene.nodes if one != name and scene.node(one).wireguard_key), None)
            if peer is not None:
                yield from _outer(scene, name, peer, Encapsulation.WIREGUARD, 4)


def _outer(scene: Scene, name: str, peer: str, kind: Encapsulation, family: int) -> Iterator[Needed]:
    expectation = scene.of(Expectation)
    own, other = expectation.address(name, family), expectation.address(peer, family)
    if own is None or other is None:
        return
    packet = Packet(family=family, protocol=IPENCAP)
    what = "IPIP packets (IP protocol 4)"
    if kind is not Encapsulation.IPIP:
        setting, usual = _FIRST_PORTS[kind]
        said = scene.felix(name, setting) or ""
        port = int(said) if said.isdecimal() and len(said) < 6 else usual
        is_wireguard = kind is Encapsulation.WIREGUARD
        packet = Packet(family=family, protocol=UDP, port=port, source_port=port if is_wireguard else None)
        what = f"{'WireGuard' if is_wireguard else 'VXLAN'} packets (UDP port {port})"
    nic = _nic(scene, name, own, other)
    yield from _both_ways(name, peer, packet, what, (own, other), nic)


def _both_ways(
    name: str, peer: str, packet: Packet, what: str, addresses: tuple[str, str], nic: str | None
) -> Iterator[Needed]:
    own, other = addresses
    taken = msgspec.structs.replace(packet, source=other, destination=own, in_device=nic)
    yield Needed(name, "input", taken, what, peer)
    sent = msgspec.structs.replace(packet, source=own, destination=other, out_device=nic, mark=None)
    yield Needed(name, "output", sent, what, peer)


def _nic(scene: Scene, name: str, own: str, other: str) -> str | None:
    """The device towards another node, None where it can't be told."""
    place = scene.place(name)
    device = _towards(place, other, own) if place is not None else None
    return None if place is None or encapsulation_of(place, device) is not None else device


def _towards(place: Place, destination: str, source: str | None = None) -> str | None:
    """The only device that a node's routes lead to, None if there are more or they were not read."""
    if not place.read("routes6" if ":" in destination else "routes"):
        return None
    match = place.fib.lookup(destination, source)
    devices = {hop.device for hop in match.next_hops} if match is not None else set()
    return devices.pop() if len(devices) == 1 else None


class Dial(msgspec.Struct, frozen=True):
    """How a BGP session between `node` and `peer` can come to be: `call` are the packets of `node` dialling, first the
    ones it sends and then the answers, `answer` those of `peer` dialling, first the ones it gets.
    """

    node: str
    peer: str
    peer_ip: str
    call: tuple[Needed, Needed]
    answer: tuple[Needed, Needed]


def dialled(scene: Scene, node: str, own: str, peer: str, other: str, ports: tuple[int, int]) -> Dial:
    """The packets of a BGP session; `own` and `other` are the addresses, `ports` those that each end listens on."""
    family = 6 if ":" in own else 4
    nic = _nic(scene, node, own, other)
    out = Packet(family=family, protocol=TCP, source=own, destination=other, out_device=nic)
    into = Packet(family=family, protocol=TCP, source=other, destination=own, in_device=nic)

    def needed(way: str, packet: Packet) -> Needed:
        return Needed(node, way, packet, f"BGP packets (TCP port {ports[0]})", peer)

    change = msgspec.structs.replace
    return Dial(
        node,
        peer,
        other,
        call=(
            needed("output", change(out, port=ports[1])),
            needed("input", change(into, source_port=ports[1], state="established")),
        ),
        answer=(
            needed("input", change(into, port=ports[0])),
            needed("output", change(out, source_port=ports[0], state="established")),
        ),
    )
