"""From one node to the next: the tunnel, the NIC, the network between, and in again on the other side."""

from __future__ import annotations

import ipaddress
import shlex

from calitui.facts.node import Link
from calitui.trace import explain
from calitui.trace.course import Course
from calitui.trace.decision import Decision, command, decide
from calitui.trace.fabric import Fabric, Place
from calitui.trace.nat import masquerading_pool
from calitui.trace.path import Disposition, Encapsulation, Evidence, Header, Step

_IPIP_DEVICE = "tunl0"
_OTHER_TUNNELS = {"vxlan": "VXLAN", "wireguard": "WireGuard", "ip6tnl": "IPv6 tunnel", "gre": "GRE", "sit": "SIT"}


def tunnel_kind(place: Place, device: str | None) -> str | None:
    """`ipip`, another tunnel's name, or None for a device that puts no header on."""
    link = place.link(device)
    kind = link.kind if link else ""
    if kind == "ipip" or (not kind and device == _IPIP_DEVICE):
        return "ipip"
    if not kind and device:
        kind = {"vxlan.calico": "vxlan", "wireguard.cali": "wireguard"}.get(device, "")
    return _OTHER_TUNNELS.get(kind)


def next_node(fabric: Fabric, place: Place, decision: Decision, destination: str) -> tuple[str, str | None]:
    """The address that the packet is handed to, outer or not, and the node that holds it (None: no node does)."""
    link = place.link(decision.device)
    target = decision.gateway or destination
    if link is not None and link.tunnel_remote is not None:
        target = link.tunnel_remote
    return target, fabric.node_holding(target)


def cross(course: Course, fabric: Fabric, place: Place, decision: Decision, target: str, owner: str) -> str | None:
    """Add the hops from the route decision in `place` to the way in at `owner`, the node that holds `target`.

    Returns the device the packet comes in by there, or None when the direction ended or could not be followed.
    """
    link = place.link(decision.device)
    encapsulated = tunnel_kind(place, decision.device) is not None
    out = decision
    if encapsulated:
        outer = decide(place, target)
        _tunnel_out(course, fabric, place, decision, link, outer, target)
        if course.ended:
            return None
        out = outer
    if not _nic_out(course, fabric, place, out, target, encapsulated):
        return None
    return _arrive(course, fabric, owner, target, encapsulated)


def _tunnel_out(
    course: Course, fabric: Fabric, place: Place, decision: Decision, link: Link | None, outer: Decision, target: str
) -> None:
    device = decision.device or "?"
    course.limit(link.mtu if link else None)
    source = (link.tunnel_local if link else None) or outer.source
    pool = fabric.pool_of(course.packet.dst)
    course.wrap(Header("ipip", source or "?", target), Encapsulation.IPIP)
    ends, reason = None, None
    if link is None and place.read("links"):
        ends, reason = Disposition.DROPPED, f"{place.node} has no device {device}"
    elif link is not None and "UP" not in link.flags:
        ends, reason = Disposition.DROPPED, f"{device} is down"
    elif outer.kind == "unicast" and outer.device == decision.device:
        ends, reason = Disposition.LOOP, f"the outer packet to {target} is routed into {device} again"
    elif pool is None and fabric.missing("IPPools") is not None:
        reason = "the pool's mode was not read; the device says what happens"
    course.add(
        Step.TUNNEL_OUT,
        place.node,
        device=device,
        route=decision.route,
        evidence=decision.evidence,
        reason=reason,
        mtu=link.mtu if link else None,
        explanation=explain.tunnel_out(pool, device, source, target),
        check=command(place, f"ip -d link show {shlex.quote(device)}"),
        lines=(*decision.lines, *place.evidence(link)),
        ends=ends,
    )


def _nic_out(course: Course, fabric: Fabric, place: Place, out: Decision, target: str, encapsulated: bool) -> bool:
    if not out.goes_on or out.kind == "local":
        _outer_refused(course, place, out, target)
        return False
    next_hop = (out.gateway or target) if encapsulated else target
    connected = out if encapsulated else decide(place, target)
    link = place.link(out.device)
    neighbour = next(
        (entry for entry in place.namespace.neighbours if entry.ip == next_hop and entry.device == out.device), None
    )
    ends: Disposition | None = None
    reason = out.reason
    if link is None and place.read("links"):
        ends, reason = Disposition.DROPPED, f"{place.node} has no device {out.device}"
    elif link is not None and not link.is_up:
        ends, reason = Disposition.DROPPED, f"{out.device} is down ({link.state})"
    elif neighbour is not None and neighbour.state == "FAILED":
        ends, reason = Disposition.NO_NEIGHBOUR, f"{next_hop} did not answer ARP on {out.device}"
    elif connected.kind == "unicast" and connected.device == out.device and connected.gateway is None:
        course.underlay = connected.prefix
    _masquerade(course, fabric, out, link)
    course.limit(link.mtu if link else None)
    lines = connected.lines if connected.device == out.device else out.lines
    seen = (f"{place.label}: {neighbour.text}",) if neighbour and neighbour.text else ()
    course.add(
        Step.NIC_OUT,
        place.node,
        device=out.device,
        route=connected.route if connected.device == out.device else out.route,
        evidence=out.evidence,
        reason=reason,
        mtu=link.mtu if link else None,
        explanation=_nic_out_words(course, fabric, out, next_hop, neighbour.mac if neighbour else None, encapsulated),
        check=connected.check,
        lines=(*lines, *place.evidence(link), *seen),
        disagreement=connected.disagreement,
        ends=ends,
    )
    return course.ended is None


def _outer_refused(course: Course, place: Place, out: Decision, target: str) -> None:
    explanation = explain.route_refused(target, out.prefix, out.kind)
    ends, reason = out.disposition, out.reason
    if out.kind == "local":
        ends, reason = Disposition.LOOP, f"{target} is an address of {place.node} itself"
    course.add_decision(Step.NIC_OUT, place.node, out, explanation, ends=ends, reason=reason)


def _nic_out_words(
    course: Course, fabric: Fabric, out: Decision, next_hop: str, mac: str | None, encapsulated: bool
) -> str:
    said = explain.nic_out(out.device, next_hop, fabric.node_holding(next_hop), mac, encapsulated)
    pool = masquerading_pool(fabric, course)
    if pool is not None and course.source.ip and course.packet.src != course.source.ip:
        said = f"{said} {explain.snat(course.source.ip, course.packet.src, pool)}"
    return said


def _masquerade(course: Course, fabric: Fabric, out: Decision, link: Link | None) -> None:
    if course.outer or masquerading_pool(fabric, course) is None:
        return
    wanted = ipaddress.ip_address(course.packet.src).version
    addresses = link.addresses if link else ()
    chosen = next(
        (a.ip for a in addresses if a.scope == "global" and ipaddress.ip_address(a.ip).version == wanted), None
    )
    course.rewrite(src=chosen or out.source)


def _arrive(course: Course, fabric: Fabric, owner: str, target: str, encapsulated: bool) -> str | None:
    there = fabric.place(owner)
    if there is None:
        course.blind = True
        course.add(
            Step.NIC_IN,
            owner,
            evidence=Evidence.NOT_READ,
            reason=fabric.why_not_read(owner),
            explanation=explain.not_read(owner),
        )
        return None
    link = there.link_holding(target)
    device = link.name if link else None
    if link is not None and "LOOPBACK" in link.flags:
        back = decide(there, (course.outer[0] if encapsulated else course.packet).src)
        device, link = back.device, there.link(back.device)
    ends, reason = None, None
    if device is None and there.read("addresses"):
        ends, reason = Disposition.WRONG_NODE, f"no device of {owner} holds {target}"
    elif link is not None and not link.is_up:
        ends, reason = Disposition.DROPPED, f"{device} is down ({link.state})"
    elif device is None:
        course.blind = True
        reason = f"the addresses of {owner} were not read"
    course.limit(link.mtu if link else None)
    course.add(
        Step.NIC_IN,
        owner,
        device=device,
        evidence=Evidence.TABLE if there.read("addresses") else Evidence.NOT_READ,
        reason=reason,
        mtu=link.mtu if link else None,
        explanation=explain.nic_in(owner, device or "NIC", target, encapsulated),
        check=command(there, f"ip addr show {shlex.quote(device)}" if device else "ip addr"),
        lines=there.evidence(link),
        ends=ends,
    )
    if course.ended or not encapsulated:
        return None if course.ended else device
    return _tunnel_in(course, there)


def _tunnel_in(course: Course, there: Place) -> str | None:
    link = next((link for link in there.namespace.links if tunnel_kind(there, link.name) == "ipip"), None)
    device = link.name if link else _IPIP_DEVICE
    ends, reason = None, None
    if link is None and there.read("links"):
        ends, reason = Disposition.DROPPED, f"{there.node} has no {device}: nothing takes the outer header off"
    elif link is not None and "UP" not in link.flags:
        ends, reason = Disposition.DROPPED, f"{device} is down: nothing takes the outer header off"
    course.unwrap()
    course.limit(link.mtu if link else None)
    course.add(
        Step.TUNNEL_IN,
        there.node,
        device=device,
        evidence=Evidence.TABLE if link or ends else Evidence.NOT_READ,
        reason=reason,
        mtu=link.mtu if link else None,
        explanation=explain.tunnel_in(device),
        check=command(there, f"ip -d link show {shlex.quote(device)}"),
        lines=there.evidence(link),
        ends=ends,
    )
    return None if course.ended else device
