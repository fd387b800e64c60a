"""The sizes a path lets through, station by station, computed from a direction's hops.

Which stations limit a packet follows the kernel. A device limits what is routed out of it (`ip_forward`, `ip_output`),
a veth also what is put into it from the other end, without any word to the sender (`is_skb_forwardable`), and a network
card what comes in from the wire. A tunnel device does not limit what it unwraps (`ip_tunnel_rcv`, `vxlan_rcv`).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from calitui.trace.mtu import MtuStation, PathMtu, Squeeze
from calitui.trace.path import Direction, Encapsulation, Header, Hop, Step

# Bytes between the inner packet and what a NIC's MTU counts; see calitui.trace.encapsulation.
_OVERHEADS = {
    (Encapsulation.IPIP, 4): 20,
    (Encapsulation.IPIP, 6): 40,
    (Encapsulation.VXLAN, 4): 50,
    (Encapsulation.VXLAN, 6): 70,
    (Encapsulation.WIREGUARD, 4): 60,
    (Encapsulation.WIREGUARD, 6): 80,
}
_WHAT = {
    Step.CONTAINER_OUT: "container",
    Step.VETH_IN: "veth",
    Step.ROUTE: "route",
    Step.TUNNEL_OUT: "tunnel",
    Step.NIC_OUT: "NIC",
    Step.NIC_IN: "NIC",
    Step.TUNNEL_IN: "tunnel",
    Step.VETH_OUT: "veth",
    Step.CONTAINER_IN: "container",
}


def path_mtu(direction: Direction) -> PathMtu:
    """The sizes that fit along a direction, as far as its hops tell."""
    hops = direction.hops
    through_router = (direction.underlay or "").startswith("through ")
    stations = tuple(_station(hop, through_router=through_router) for hop in hops if _counts(hop))
    family = _family(hops)
    sends = _sends(stations)
    behind = [(position, one) for position, one in enumerate(stations) if one.limits and not _is_source(one)]
    known = [(one.fits, position) for position, one in behind if one.fits is not None]
    at_most, narrowest = min(known, default=(None, None))
    complete = direction.disposition == "delivered" and all(
        one.fits is not None or one.what == "container" for _, one in behind
    )
    return PathMtu(
        family=family,
        encapsulation=direction.encapsulation.value,
        stations=stations,
        overhead=max((one.overhead for one in stations), default=0),
        sends=sends,
        carries=at_most if complete else None,
        at_most=at_most,
        narrowest=narrowest,
        squeezes=tuple(_squeezes(stations, sends)),
    )


def overhead(encapsulation: Encapsulation | None, family: int) -> int:
    """The bytes that one outer header of IP `family` takes of a NIC's MTU."""
    return _OVERHEADS.get((encapsulation, family), 0) if encapsulation is not None else 0


def overhead_of(headers: Iterable[Header]) -> int:
    """The bytes that outer headers take of a NIC's MTU."""
    return sum(overhead(*_wrapped_by(header)) for header in headers)


def _wrapped_by(header: Header) -> tuple[Encapsulation, int]:
    detail = header.detail or ""
    family = 6 if ":" in header.dst else 4
    if header.protocol == "ipip":
        return Encapsulation.IPIP, family
    if detail.startswith("VXLAN"):
        return Encapsulation.VXLAN, family
    return (Encapsulation.WIREGUARD if detail.startswith("WireGuard") else Encapsulation.NONE), family


def _counts(hop: Hop) -> bool:
    """A route decision is a station only where the route has an MTU; a node's own end has no device to pass."""
    return hop.step in _WHAT and (hop.step is not Step.ROUTE or hop.mtu is not None)


def _station(hop: Hop, *, through_router: bool) -> MtuStation:
    wrapped = hop.step in (Step.NIC_OUT, Step.NIC_IN)
    taken = overhead_of(hop.packet[:-1]) if wrapped else 0
    return MtuStation(
        number=hop.number,
        node=hop.node,
        device=hop.device,
        what=_WHAT[hop.step],
        mtu=hop.mtu,
        overhead=taken,
        fits=None if hop.mtu is None else max(hop.mtu - taken, 0),
        limits=hop.step is not Step.TUNNEL_IN,
        # Behind a router it is the router that knows the smaller MTU, and answers.
        silent=hop.step in (Step.VETH_IN, Step.CONTAINER_IN) or (hop.step is Step.NIC_IN and not through_router),
    )


def _is_source(station: MtuStation) -> bool:
    return station.what == "container" and station.number == 1


def _sends(stations: tuple[MtuStation, ...]) -> int | None:
    """Both ends of a veth are made with one MTU (CNI plugin, dataplane_linux.go): the host's stands in."""
    for station in stations[:2]:
        if station.what in ("container", "veth") and station.number <= 2 and station.mtu is not None:
            return station.mtu
    return None


def _squeezes(stations: tuple[MtuStation, ...], sends: int | None) -> Iterable[Squeeze]:
    """The largest packet is followed on; where it does not pass as it is, a smaller one goes on."""
    if sends is None:
        return
    largest = sends
    for station in stations:
        if station.limits and station.fits is not None and station.fits < largest and not _is_source(station):
            yield Squeeze(station=station, smallest=station.fits + 1, largest=largest)
            largest = station.fits


def _family(hops: tuple[Hop, ...]) -> int:
    inner = next((hop.packet[-1].dst for hop in hops if hop.packet), "")
    try:
        return ipaddress.ip_address(inner).version
    except ValueError:
        return 4
