"""From one node to the next: the tunnel, the NIC, the network between, and in again on the other side."""

from __future__ import annotations

import shlex

from calitui.facts.node import Link
from calitui.trace import explain
from calitui.trace.course import Course
from calitui.trace.decision import Decision, command, decide
from calitui.trace.encapsulation import Wrapping, encapsulation_of
from calitui.trace.fabric import Fabric, Place
from calitui.trace.nat import masquerading_pool
from calitui.trace.path import Disposition, Encapsulation, Endpoint, Evidence, Header, Step


def cross(
    course: Course,
    fabric: Fabric,
    place: Place,
    decision: Decision,
    wrapped: Wrapping | None,
    target: str,
    owner: str,
) -> str | None:
    """Add the hops from the route decision in `place` to the way in at `owner`.

    `target` is the next hop or, for a `wrapped` packet, the outer destination; `owner` holds it or, behind a router,
    is the node that it leads to. Returns the device the packet comes in by there, or None when the direction ended or
    could not be followed.
    """
    out = decision
    if wrapped is not None:
        out = decide(place, target, mark=wrapped.mark)
        _tunnel_out(course, fabric, place, decision, wrapped, out, target)
        if course.ended:
            return None
    if not _nic_out(course, fabric, place, out, target, encapsulated=wrapped is not None):
        return None
    return _arrive(course, fabric, owner, target, wrapped)


def leave_cluster(course: Course, fabric: Fabric, place: Place, decision: Decision, target: str) -> None:
    """Add the last hop that can be known of a packet to an address outside: out of the node's NIC."""
    reason = f"the packet leaves the cluster here: what {target} does with it can't be read"
    _nic_out(course, fabric, place, decision, target, encapsulated=False, leaves=reason)


def come_in(course: Course, fabric: Fabric, destination: Endpoint) -> str | None:
    """Add the first hop that can be known of a packet from outside: into the destination's node.

    Returns the device, by the way that leads back, or None if there are several or that node was not read.
    """
    node, outside = destination.node or "?", course.source.ip or "?"
    course.lose_sight()
    there = fabric.place(node)
    back = decide(there, outside) if there is not None else None
    single = back is not None and len({choice.device for choice in back.choices}) <= 1
    device = back.device if back is not None and single else None
    link = there.link(device) if there is not None else None
    course.add(
        Step.NIC_IN,
        node,
        device=device,
        evidence=Evidence.INFERRED,
        reason=f"how packets of {outside} reach {node} is decided outside of the cluster and was not read",
        mtu=link.mtu if link else None,
        explanation=explain.nic_in(node, device, None, encapsulated=False),
        lines=back.lines if back is not None else (),
    )
    return device


def _tunnel_out(
    course: Course,
    fabric: Fabric,
    place: Place,
    decision: Decision,
    wrapped: Wrapping,
    outer: Decision,
    target: str,
) -> None:
    device = decision.device or "?"
    link = place.link(device)
    course.limit(link.mtu if link else None)
    source = wrapped.source or outer.source
    pool = fabric.pool_of(course.packet.dst)
    course.wrap(Header(wrapped.protocol, source or "?", target, wrapped.detail), wrapped.kind, wrapped.overhead)
    ends, reason = None, wrapped.reason
    if link is None and place.read("links"):
        ends, reason = Disposition.DROPPED, f"{place.node} has no device {device}"
    elif link is not None and "UP" not in link.flags:
        ends, reason = Disposition.DROPPED, f"{device} is down"
    elif outer.kind == "unicast" and outer.device == decision.device:
        ends, reason = Disposition.LOOP, f"the outer packet to {target} is routed into {device} again"
    elif reason is None and pool is None and fabric.missing("IPPools") is not None:
        reason = "the pool's mode was not read; the device says what happens"
    course.add(
        Step.TUNNEL_OUT,
        place.node,
        device=device,
        route=decision.route,
        evidence=wrapped.evidence or decision.evidence,
        reason=reason,
        mtu=link.mtu if link else None,
        explanation=explain.tunnel_out(wrapped.kind, pool, device, source, target),
        check=command(place, f"ip -d link show {shlex.quote(device)}"),
        lines=(*decision.lines, *wrapped.lines, *place.evidence(link)),
        disagreement=wrapped.disagreement,
        ends=ends,
    )


def _nic_out(
    course: Course,
    fabric: Fabric,
    place: Place,
    out: Decision,
    target: str,
    *,
    encapsulated: bool,
    leaves: str | None = None,
) -> bool:
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
        asked = "NDP" if ":" in next_hop else "ARP"
        ends, reason = Disposition.NO_NEIGHBOUR, f"{next_hop} did not answer {asked} on {out.device}"
    elif connected.kind == "unicast" and connected.device == out.device and connected.gateway is None:
        course.underlay = connected.prefix
    elif connected.gateway is not None:
        course.underlay = f"through {connected.gateway}"
    if ends is None and leaves is not None:
        ends, reason = Disposition.UNKNOWN, leaves
    _masquerade(course, fabric, out, link)
    course.rest_on(out)
    course.limit(link.mtu if link else None)
    same_device = connected.device == out.device
    seen = (f"{place.label}: {neighbour.text}",) if neighbour and neighbour.text else ()
    course.add(
        Step.NIC_OUT,
        place.node,
        device=out.device,
        route=connected.route if same_device else out.route,
        evidence=out.evidence,
        reason=reason,
        mtu=link.mtu if link else None,
        explanation=_nic_out_words(course, fabric, out, next_hop, neighbour.mac if neighbour else None, encapsulated),
        check=connected.check,
        lines=(*(connected.lines if same_device else out.lines), *place.evidence(link), *seen),
        disagreement=connected.disagreement,
        next_hops=out.choices if encapsulated and len(out.choices) > 1 else (),
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
    six = ":" in course.packet.src
    addresses = link.addresses if link else ()
    chosen = next((a.ip for a in addresses if a.scope == "global" and (":" in a.ip) is six), None)
    course.rewrite(src=chosen or out.source)


def _arrive(course: Course, fabric: Fabric, owner: str, target: str, wrapped: Wrapping | None) -> str | None:
    there = fabric.place(owner)
    if there is None:
        course.lose_sight()
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
    router = fabric.node_holding(target) is None and link is None
    ends, reason, either = None, None, ""
    if router or (link is not None and "LOOPBACK" in link.flags):
        back = decide(there, (course.outer[0] if course.outer else course.packet).src)
        device, link = back.device, there.link(back.device)
        if wrapped is None and encapsulation_of(there, device) is not None:
            device, link = None, None
        # Which uplink a router picks is its own choice: the way back says it only where there is a single one.
        uplinks = {choice.device for choice in back.choices if choice.device}
        if len(uplinks) > 1:
            device, link = None, None
            either = f"it comes in by {' or '.join(sorted(uplinks))}"
    if router:
        course.lose_sight()
        reason = f"{target} is no node of this cluster: that it hands the packet to {owner} was not read"
        reason = f"{reason}; {either}" if either else reason
    elif either:
        reason = f"{either}: which of them was not read"
    elif device is None and there.read("addresses"):
        ends, reason = Disposition.WRONG_NODE, f"no device of {owner} holds {target}"
    elif link is not None and not link.is_up:
        ends, reason = Disposition.DROPPED, f"{device} is down ({link.state})"
    elif device is None:
        course.lose_sight()
        reason = f"the addresses of {owner} were not read"
    course.limit(link.mtu if link else None)
    read = Evidence.TABLE if there.read("addresses") else Evidence.NOT_READ
    course.add(
        Step.NIC_IN,
        owner,
        device=device,
        evidence=Evidence.INFERRED if router or either else read,
        reason=reason,
        mtu=link.mtu if link else None,
        explanation=explain.nic_in(owner, device, None if router else target, wrapped is not None),
        check=command(there, f"ip addr show {shlex.quote(device)}" if device else "ip addr"),
        lines=there.evidence(link),
        ends=ends,
    )
    if course.ended or wrapped is None:
        return None if course.ended else device
    return _tunnel_in(course, there, wrapped.kind)


def _tunnel_in(course: Course, there: Place, kind: Encapsulation) -> str | None:
    link = _receiving_device(course, there, kind)
    name = link.name if link else None
    ends, reason = None, None
    if link is None and there.read("links"):
        ends = Disposition.DROPPED
        reason = f"{there.node} has no {kind.value} device for this packet: nothing takes the outer header off"
    elif link is not None and "UP" not in link.flags:
        ends, reason = Disposition.DROPPED, f"{name} is down: nothing takes the outer header off"
    elif link is None:
        course.lose_sight()
        reason = f"the links of {there.node} were not read"
    # What it unwraps may be larger than the tunnel's own MTU: ip_tunnel_rcv and vxlan_rcv do not look at it.
    course.unwrap()
    course.add(
        Step.TUNNEL_IN,
        there.node,
        device=name,
        evidence=Evidence.TABLE if link or ends else Evidence.NOT_READ,
        reason=reason,
        mtu=link.mtu if link else None,
        explanation=explain.tunnel_in(kind, name),
        check=command(there, f"ip -d link show {shlex.quote(name)}" if name else "ip -d link"),
        lines=there.evidence(link),
        ends=ends,
    )
    return None if course.ended else name


def _receiving_device(course: Course, there: Place, kind: Encapsulation) -> Link | None:
    """The device that takes the outer header off: of the kind, and for VXLAN with the sender's VNI where both tell."""
    detail = course.outer[0].detail or ""
    for link in there.namespace.links:
        if encapsulation_of(there, link.name) is not kind:
            continue
        six = ":" in course.outer[0].dst
        if link.tunnel_local is not None and (":" in link.tunnel_local) is not six:
            continue
        if link.vni is None or detail.endswith((f"VNI {link.vni}", "VNI ?")):
            return link
    return None
