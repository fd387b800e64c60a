"""Out of a pod and into a pod: the container's namespace and the veth that ties it to the node.

The container's own side needs root on the node; without it that hop is inferred from how Calico sets up every pod. The
veth is looked for by three witnesses: the other end's ifindex as the container's eth0 names it, the node's own /32
route to the pod, and Calico's naming rule.
"""

from __future__ import annotations

import shlex

from calitui.facts.node import Container, Link
from calitui.trace import explain
from calitui.trace.course import Course
from calitui.trace.decision import command, decide
from calitui.trace.fabric import Fabric, Place
from calitui.trace.path import Disposition, Endpoint, Evidence, Step
from calitui.trace.veth import veth_name

# CNI plugin, dataplane_linux.go: every pod's default gateway; of IPv6 it is the link-local address that the host end
# gets from its MAC ee:ee:ee:ee:ee:ee.
POD_GATEWAY = "169.254.1.1"
POD_GATEWAY6 = "fe80::ecee:eeff:feee:eeee"


def expected_veth(fabric: Fabric, pod: Endpoint) -> str | None:
    """The host veth's name by Calico's rule, None for an end that is no pod."""
    if pod.namespace is None or pod.name is None:
        return None
    return veth_name(pod.namespace, pod.name, fabric.prefixes[0])


def leave_container(course: Course, fabric: Fabric, pod: Endpoint) -> str | None:
    """Add the hops inside the source pod and on its veth; return the veth, or None when the direction ended."""
    node, ip = pod.node or "?", pod.ip or "?"
    place = fabric.place(node)
    inside = fabric.container(node, ip)
    veth = _veth_of_source(fabric, pod, place, inside)
    if inside is not None:
        _container_out(course, *inside)
    else:
        gateway = POD_GATEWAY6 if ":" in ip else POD_GATEWAY
        course.add(
            Step.CONTAINER_OUT,
            node,
            device="eth0",
            route=f"default via {gateway} dev eth0",
            evidence=Evidence.INFERRED,
            reason=f"Calico gives every pod this route; the container's own was not read: "
            f"{fabric.why_not_read(node, f'container {ip}')}",
            explanation=explain.container_out(gateway, "eth0"),
            check=inside_check(node, pod, None, "ip -6 route" if ":" in ip else "ip route"),
        )
    if course.ended:
        return None
    _veth_in(course, fabric, pod, place, inside, veth)
    return None if course.ended else veth


def enter_container(course: Course, fabric: Fabric, pod: Endpoint, place: Place, device: str) -> None:
    """Add the hops on the destination pod's veth and inside it; `device` is what the node's route points at."""
    node, ip = place.node, pod.ip or "?"
    link = place.link(device)
    inside = fabric.container(node, ip)
    check = command(place, f"ip link show {shlex.quote(device)}")
    ends, reason = _fault_of_veth(place, device, link)
    disagreement = None
    if ends is None:
        ends, disagreement = _not_this_pods_veth(fabric, pod, place, link, device, inside)
        reason = disagreement if ends else None
    course.limit(link.mtu if link else None)
    course.add(
        Step.VETH_OUT,
        node,
        device=device,
        evidence=Evidence.TABLE if link else Evidence.NOT_READ,
        reason=reason or (None if link else f"the links of {node} were not read"),
        mtu=link.mtu if link else None,
        explanation=explain.veth_out(device),
        check=check,
        lines=place.evidence(link),
        disagreement=disagreement,
        ends=ends,
    )
    if course.ended:
        return
    if link is None or disagreement:
        course.lose_sight(already=True)
    _container_in(course, fabric, pod, node, inside)


def inside_check(node: str, pod: Endpoint, container: Container | None, words: str) -> str:
    """The command that shows the container's side: by its namespace where that was found, else through the pod."""
    if container is not None and container.found_by:
        path = container.found_by if container.found_by.startswith("/") else f"/proc/{container.found_by}/ns/net"
        return f"ssh {shlex.quote(node)} sudo nsenter --net={shlex.quote(path)} {words}"
    return f"kubectl exec -n {shlex.quote(pod.namespace or '?')} {shlex.quote(pod.name or '?')} -- {words}"


def _veth_of_source(
    fabric: Fabric, pod: Endpoint, place: Place | None, inside: tuple[Place, Container] | None
) -> str | None:
    expected = expected_veth(fabric, pod)
    if place is None:
        return expected
    if inside is not None:
        cable = inside[0].link_holding(pod.ip or "")
        for link in place.namespace.links:
            if cable is not None and link.index == cable.peer_index:
                return link.name
    match = place.fib.lookup(pod.ip) if pod.ip else None
    if match is not None and match.route is not None:
        route = match.route
        if route.kind == "unicast" and route.gateway is None and route.prefix.endswith(("/32", "/128")):
            return route.device
    return expected


def _container_out(course: Course, inside: Place, container: Container) -> None:
    decision = decide(inside, course.packet.dst, course.packet.src)
    link = inside.link(decision.device) if decision.goes_on else None
    ends, reason = (None, None) if decision.goes_on else (decision.disposition, decision.reason)
    holder = inside.link_holding(container.ip)
    if ends is None and link is not None and not link.is_up:
        ends, reason = Disposition.DROPPED, f"{link.name} in the container is down"
    elif ends is None and holder is None and inside.read("addresses"):
        ends, reason = Disposition.DROPPED, f"no device in the container holds {container.ip}"
    explanation = (
        explain.container_out(decision.gateway, decision.device or "?")
        if decision.goes_on
        else explain.route_refused(course.packet.dst, decision.prefix, decision.kind)
    )
    course.limit(link.mtu if link else None)
    course.add(
        Step.CONTAINER_OUT,
        inside.node,
        device=decision.device,
        route=decision.route,
        evidence=decision.evidence,
        reason=reason,
        mtu=link.mtu if link else None,
        explanation=explanation,
        check=inside_check(
            inside.node, course.source, container, "ip -6 route" if ":" in course.packet.dst else "ip route"
        ),
        lines=(*decision.lines, *inside.evidence(link)),
        ends=ends,
    )
    if decision.evidence is Evidence.NOT_READ:
        course.lose_sight(already=True)


def _veth_in(
    course: Course,
    fabric: Fabric,
    pod: Endpoint,
    place: Place | None,
    inside: tuple[Place, Container] | None,
    veth: str | None,
) -> None:
    node = pod.node or "?"
    name = veth or "?"
    if place is None:
        course.add(
            Step.VETH_IN,
            node,
            device=veth,
            evidence=Evidence.INFERRED,
            reason=f"by Calico's naming rule; {fabric.why_not_read(node)}",
            explanation=explain.veth_in(name, node, six=":" in (pod.ip or "")),
        )
        return
    link = place.link(veth)
    ends, reason = _fault_of_veth(place, name, link)
    if ends is None:
        ends, reason = _silent_gateway(place, name, inside, six=":" in (pod.ip or ""))
    expected = expected_veth(fabric, pod)
    note = None
    if ends is None and expected and veth != expected and name.startswith(fabric.prefixes):
        note = f"Calico's naming rule says {expected} for this pod, the node says {name}"
    course.limit(link.mtu if link else None)
    course.add(
        Step.VETH_IN,
        node,
        device=veth,
        evidence=Evidence.TABLE if link or ends else Evidence.INFERRED,
        reason=reason or (None if link else f"by Calico's naming rule; the links of {node} were not read"),
        mtu=link.mtu if link else None,
        explanation=explain.veth_in(name, node, six=":" in (pod.ip or "")),
        check=command(place, f"ip link show {shlex.quote(name)}"),
        lines=place.evidence(link),
        disagreement=note,
        ends=ends,
    )


def _fault_of_veth(place: Place, name: str, link: Link | None) -> tuple[Disposition | None, str | None]:
    if link is None:
        if place.read("links"):
            return Disposition.DROPPED, f"{place.node} has no device {name}: the pod's cable is missing"
        return None, None
    if not link.is_up:
        return Disposition.DROPPED, f"{name} is {link.state}: the pod's side is down or gone"
    return None, None


def _silent_gateway(
    place: Place, veth: str, inside: tuple[Place, Container] | None, *, six: bool
) -> tuple[Disposition | None, str | None]:
    """Whether the node leaves the pod's question for its gateway's MAC unanswered.

    IPv6: the host end must hold the gateway's address itself. IPv4: the kernel answers for an address only with
    proxy_arp on and a route to it through another device (arp_process in net/ipv4/arp.c), so a node without a default
    route stays silent.
    """
    if inside is not None:
        known = {entry.ip: entry for entry in inside[0].namespace.neighbours}.get(POD_GATEWAY6 if six else POD_GATEWAY)
        if known is not None and known.mac and known.state != "FAILED":
            return None, None
    if six:
        link = place.link(veth)
        if link is None or not place.read("addresses") or any(held.ip == POD_GATEWAY6 for held in link.addresses):
            return None, None
        return Disposition.NO_NEIGHBOUR, f"{veth} does not hold {POD_GATEWAY6}, the pod's gateway"
    if place.sysctl(f"ipv4/conf/{veth}/proxy_arp") == "0" and place.sysctl("ipv4/conf/all/proxy_arp") != "1":
        return Disposition.NO_NEIGHBOUR, f"proxy_arp is off on {veth}: nobody answers the pod's ARP for {POD_GATEWAY}"
    if place.read("routes"):
        match = place.fib.lookup(POD_GATEWAY)
        if match is None or match.route is None or match.route.kind != "unicast":
            return (
                Disposition.NO_NEIGHBOUR,
                f"{place.node} has no route to {POD_GATEWAY} (no default route), so it answers no ARP for it",
            )
    return None, None


def _not_this_pods_veth(
    fabric: Fabric,
    pod: Endpoint,
    place: Place,
    link: Link | None,
    device: str,
    inside: tuple[Place, Container] | None,
) -> tuple[Disposition | None, str | None]:
    expected = expected_veth(fabric, pod)
    if inside is not None and link is not None:
        cable = inside[0].link_holding(pod.ip or "")
        if cable is not None and cable.peer_index is not None:
            if cable.peer_index == link.index:
                return None, None
            return (
                Disposition.DROPPED,
                f"the route points at {device} (index {link.index}), the pod's cable ends at index {cable.peer_index}",
            )
    if expected is None or device == expected or not device.startswith(fabric.prefixes):
        return None, None
    note = f"the route points at {device}, by Calico's naming rule this pod's veth is {expected}"
    if place.link(expected) is not None:
        return Disposition.DROPPED, f"{note}, and {place.node} has both"
    return None, note


def _container_in(
    course: Course, fabric: Fabric, pod: Endpoint, node: str, inside: tuple[Place, Container] | None
) -> None:
    ip = pod.ip or "?"
    if inside is None:
        course.add(
            Step.CONTAINER_IN,
            node,
            device="eth0",
            evidence=Evidence.INFERRED,
            reason=f"the container's own side was not read: {fabric.why_not_read(node, f'container {ip}')}",
            explanation=explain.container_in(ip, "eth0"),
            check=inside_check(node, pod, None, "ip addr"),
            ends=Disposition.DELIVERED,
        )
        return
    place, container = inside
    link = place.link_holding(ip)
    ends, reason = Disposition.DELIVERED, None
    if link is None:
        ends, reason = Disposition.DROPPED, f"no device in the container holds {ip}"
        if not place.read("addresses"):
            ends, reason = Disposition.UNKNOWN, "the container's addresses were not read"
    elif not link.is_up:
        ends, reason = Disposition.DROPPED, f"{link.name} in the container is down"
    course.limit(link.mtu if link else None)
    course.add(
        Step.CONTAINER_IN,
        node,
        device=link.name if link else None,
        evidence=Evidence.TABLE if place.read("addresses") else Evidence.NOT_READ,
        reason=reason,
        mtu=link.mtu if link else None,
        explanation=explain.container_in(ip, link.name if link else "device"),
        check=inside_check(node, pod, container, "ip addr"),
        lines=place.evidence(link),
        ends=ends,
    )
