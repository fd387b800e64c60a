"""One direction, hop by hop: out of the source, decision by decision, into the destination.

The walk stops where a packet would: at the first refusal, missing device or detour. A node that could not be read
leaves a `not-read` hop; what the destination would do is then still shown, but the direction is unknown.
"""

from __future__ import annotations

import ipaddress

from calitui.trace import explain
from calitui.trace.course import Course
from calitui.trace.decision import Decision, decide
from calitui.trace.encapsulation import UNFOLLOWED, Wrapping, wrapping
from calitui.trace.fabric import Fabric, Place
from calitui.trace.path import Disposition, Endpoint, Evidence, Header, Step
from calitui.trace.pod_side import enter_container, leave_container
from calitui.trace.underlay import come_in, cross, leave_cluster

_MOST_NODES = 8
"""A packet that visits more nodes than this is going round."""


def walk(fabric: Fabric, name: str, source: Endpoint, destination: Endpoint, *, towards: str | None = None) -> Course:
    """Walk from `source` to `destination`, both with a node and an address.

    `towards` is the address on the packet where it is not the destination's own: the reply to a masqueraded packet goes
    to the node's address first.
    """
    dst = towards or destination.ip or "?"
    course = Course(fabric, name, source, destination, Header("any", source.ip or "?", dst))
    input_device = None
    node: str | None = source.node
    if source.kind == "pod":
        input_device = leave_container(course, fabric, source)
    elif source.kind == "external":
        node = destination.node
        input_device = come_in(course, fabric, destination)
    else:
        _leave_host(course, fabric, source)
    for _ in range(_MOST_NODES):
        if course.ended is not None or node is None:
            return course
        node, input_device = _through_node(course, fabric, node, input_device)
    course.ended = course.ended or Disposition.LOOP
    return course


def _leave_host(course: Course, fabric: Fabric, source: Endpoint) -> None:
    """A packet of the node itself; the kernel chooses its source address by the route, unless it is a reply."""
    node = source.node or "?"
    place = fabric.place(node)
    if place is None:
        course.add(
            Step.HOST_OUT,
            node,
            evidence=Evidence.INFERRED,
            reason=fabric.why_not_read(node),
            explanation=explain.host_out(node, None),
        )
        return
    chosen = None
    if course.name != "return":
        chosen = decide(place, course.packet.dst).source
        course.rewrite(src=chosen)
    course.add(
        Step.HOST_OUT,
        node,
        evidence=Evidence.TABLE if chosen or place.link_holding(course.packet.src) else Evidence.INFERRED,
        reason=None if chosen or course.name == "return" else "the source address is the node's by the API",
        explanation=explain.host_out(node, chosen),
    )


def _through_node(course: Course, fabric: Fabric, node: str, input_device: str | None) -> tuple[str | None, str | None]:
    """Add what one node does; return the next node and the device the packet comes in by there."""
    place = fabric.place(node)
    if place is None:
        _blind_node(course, fabric, node)
        return None, None
    forwarded = input_device is not None
    source = course.packet.src if forwarded or course.source.kind != "pod" else None
    decision = decide(place, course.packet.dst, source, input_device)
    if decision.kind == "local" and course.packet.dst != course.destination.ip and _translates(course, node):
        _restore_destination(course, place, decision)
        decision = decide(place, course.packet.dst, course.packet.src, input_device)
    if not decision.goes_on:
        _refused(course, place, decision)
        return None, None
    if decision.kind == "local":
        _taken_in(course, place, decision)
        return None, None
    if _is_workload(fabric, place, decision):
        _into_pod(course, fabric, place, decision)
        return None, None
    return _onwards(course, fabric, place, decision)


def _onwards(course: Course, fabric: Fabric, place: Place, decision: Decision) -> tuple[str | None, str | None]:
    destination = course.packet.dst
    wrapped = wrapping(fabric, place, decision, destination)
    target = wrapped.target if wrapped is not None else decision.gateway or destination
    owner = _owner(course, fabric, target)
    explanation = explain.route_towards_node(
        destination,
        decision.prefix,
        owner,
        decision.gateway,
        decision.device or "?",
        decision.protocol,
        _cross_subnet(fabric, place.node, owner, destination),
    )
    ends, reason = _wrap_fault(place, decision, wrapped)
    if ends is None:
        ends, reason = _detour(course, fabric, place, decision, target or "?", owner, wrapped=wrapped is not None)
    course.add_decision(Step.ROUTE, place.node, decision, explanation, ends=ends, reason=reason)
    if ends is not None or target is None:
        return None, None
    towards = owner or course.destination.node
    if towards is None:
        leave_cluster(course, fabric, place, decision, target)
        return None, None
    input_device = cross(course, fabric, place, decision, wrapped, target, towards)
    if course.ended is None and input_device is None and fabric.place(towards) is None:
        return None, None
    return towards, input_device


def _cross_subnet(fabric: Fabric, node: str, owner: str | None, destination: str) -> str:
    """The pool's reason to tunnel or not, by the masks that Calico's annotations give the nodes' addresses."""
    pool = fabric.pool_of(destination)
    here, there = fabric.node(node), fabric.node(owner) if owner else None
    if pool is None or here is None or there is None or "CrossSubnet" not in (pool.ipip_mode, pool.vxlan_mode):
        return ""
    six = ":" in destination
    addresses = [one.bgp_address6 if six else one.bgp_address for one in (here, there)]
    if addresses[0] is None or addresses[1] is None:
        return ""
    try:
        same = ipaddress.ip_interface(addresses[1]).ip in ipaddress.ip_interface(addresses[0]).network
    except ValueError:
        return ""
    mode = "IPIP" if pool.ipip_mode == "CrossSubnet" else "VXLAN"
    return explain.cross_subnet(pool, mode, addresses[0], addresses[1], same)


def _owner(course: Course, fabric: Fabric, target: str | None) -> str | None:
    """The node that holds the next hop; a link-local one is looked for on the destination's node only."""
    if target is None:
        return None
    home = course.destination.node
    if target.lower().startswith("fe80:") and home is not None:
        place = fabric.place(home)
        return home if place is not None and place.link_holding(target) is not None else None
    return fabric.node_holding(target)


def _wrap_fault(place: Place, decision: Decision, wrapped: Wrapping | None) -> tuple[Disposition | None, str | None]:
    """Whether the tunnel can't tell where to send the packet."""
    if wrapped is not None:
        if wrapped.fault is not None:
            return wrapped.fault, wrapped.reason
        return (None, None) if wrapped.target else (Disposition.UNKNOWN, wrapped.reason)
    link = place.link(decision.device)
    if link is not None and link.kind in UNFOLLOWED:
        kind = UNFOLLOWED[link.kind]
        return Disposition.UNKNOWN, f"{decision.device} is a {kind}: where it leads was not read"
    return None, None


def _detour(
    course: Course, fabric: Fabric, place: Place, decision: Decision, target: str, owner: str | None, *, wrapped: bool
) -> tuple[Disposition | None, str | None]:
    """Whether the next hop leads away from the destination's node.

    A plain packet may go through a router of the underlay, which can't be read: the direction is unknown then, and what
    the destination's node does is still shown. An outer packet to an address that is no node's is not followed. A third
    node is followed if it was read: it may know the way.
    """
    home = course.destination.node
    if home is None and owner is None:
        return None, None
    if owner == home and place.node != home:
        return None, None
    if place.node == home:
        if owner is not None and course.has_visited(owner) and owner != home:
            return Disposition.LOOP, f"{home} sends the packet back to {owner}, where it came from"
        return (
            Disposition.WRONG_NODE,
            f"{course.packet.dst} belongs to {home}, but {home} sends it away to {target} through {decision.device}",
        )
    if owner is None:
        # To a node's own address the default route is as good as any: the underlay has to know its nodes.
        if decision.prefix in ("0.0.0.0/0", "::/0") and fabric.node_holding(course.packet.dst) is None:
            return (
                Disposition.UNKNOWN,
                f"only the default route matches {course.packet.dst}: {target} is no node of this cluster, and what it "
                "does with pod addresses can't be read",
            )
        reason = f"the next hop {target} is no node of this cluster: what it does with the packet can't be read"
        return Disposition.UNKNOWN if wrapped else None, reason
    if course.has_visited(owner) and owner != place.node:
        return Disposition.LOOP, f"the packet goes back to {owner}, where it came from"
    if home is None:
        return None, None
    reason = f"{target} is {owner}, but {course.packet.dst} is on {home}"
    if fabric.place(owner) is not None:
        return None, f"{reason}: a detour, if {owner} sends it on"
    course.leads_to = owner
    return Disposition.WRONG_NODE, reason


def _is_workload(fabric: Fabric, place: Place, decision: Decision) -> bool:
    """Whether the device is a pod's veth: by its name, or because the pod's own /32 points at it without a gateway."""
    device = decision.device or ""
    if decision.gateway is not None:
        return False
    if device.startswith(fabric.prefixes):
        return True
    link = place.link(device)
    return link is not None and link.kind in ("veth", "netkit") and (decision.prefix or "").endswith(("/32", "/128"))


def _into_pod(course: Course, fabric: Fabric, place: Place, decision: Decision) -> None:
    destination = course.destination
    ip = course.packet.dst
    if destination.node == place.node and destination.kind == "pod":
        course.add_decision(Step.ROUTE, place.node, decision, explain.route_to_pod(ip, decision.device))
        enter_container(course, fabric, destination, place, decision.device or "?")
        return
    reason = f"{place.node} routes {ip} to {decision.device}, but {destination.label} is on {destination.node}"
    explanation = explain.route_to_pod(ip, decision.device)
    course.add_decision(Step.ROUTE, place.node, decision, explanation, ends=Disposition.WRONG_NODE, reason=reason)


def _taken_in(course: Course, place: Place, decision: Decision) -> None:
    destination = course.destination
    ip = course.packet.dst
    explanation = explain.route_to_host(ip)
    if destination.kind == "pod":
        reason = f"{ip} is an address of {place.node} itself, not a pod's: {destination.label} never sees the packet"
        course.add_decision(Step.ROUTE, place.node, decision, explanation, ends=Disposition.WRONG_NODE, reason=reason)
        return
    if destination.node != place.node:
        reason = f"{place.node} holds {ip} itself, but {destination.label} is on {destination.node}"
        course.add_decision(Step.ROUTE, place.node, decision, explanation, ends=Disposition.WRONG_NODE, reason=reason)
        return
    course.add_decision(Step.ROUTE, place.node, decision, explanation)
    link = place.link_holding(ip)
    course.add(
        Step.HOST_IN,
        place.node,
        device=link.name if link else decision.device,
        evidence=decision.evidence,
        explanation=explain.host_in(ip),
        mtu=link.mtu if link else None,
        lines=place.evidence(link),
        ends=Disposition.DELIVERED,
    )


def _refused(course: Course, place: Place, decision: Decision) -> None:
    explanation = (
        explain.not_read(place.node)
        if decision.kind == "not-read"
        else explain.route_refused(course.packet.dst, decision.prefix, decision.kind)
    )
    course.add_decision(Step.ROUTE, place.node, decision, explanation, ends=decision.disposition)


def _translates(course: Course, node: str) -> bool:
    """Whether this is the node that masqueraded the connection's first direction."""
    return course.name == "return" and course.destination.kind == "pod" and course.destination.node == node


def _restore_destination(course: Course, place: Place, decision: Decision) -> None:
    address, pod_ip = course.packet.dst, course.destination.ip or "?"
    explanation = explain.un_snat(address, pod_ip)
    reason = "inferred from the pool's natOutgoing; the NAT rules and connections were not read"
    course.add(
        Step.ROUTE,
        place.node,
        device=decision.device,
        route=decision.route,
        evidence=Evidence.INFERRED,
        reason=reason,
        explanation=explanation,
        check=decision.check,
        lines=decision.lines,
    )
    course.rewrite(dst=pod_ip)


def _blind_node(course: Course, fabric: Fabric, node: str) -> None:
    """The node's decision is not known; show at least what the destination's own node would do."""
    course.lose_sight()
    course.add(
        Step.ROUTE,
        node,
        evidence=Evidence.NOT_READ,
        reason=fabric.why_not_read(node),
        explanation=explain.not_read(node),
    )
    home = course.destination.node
    if home is None or home == node or fabric.place(home) is None:
        return
    _through_node(course, fabric, home, None)
