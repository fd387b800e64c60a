"""Findings about a pod's own route and veth, on its own node and on nodes that once had its address."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from calitui.diagnosis.calico_node import restart
from calitui.diagnosis.entry import Entry
from calitui.diagnosis.expectation import Expectation
from calitui.diagnosis.scene import Scene, address, network
from calitui.facts.cluster import Pod
from calitui.facts.node import Route
from calitui.trace.fabric import Place
from calitui.trace.fib import table_name
from calitui.trace.finding import Finding, Severity, Unchecked
from calitui.trace.path import Step
from calitui.trace.veth import veth_name

_VETH_STEPS = (Step.VETH_IN, Step.VETH_OUT, Step.ROUTE)

VETH_MISSING = Entry(
    code="pod-veth-missing",
    severity=Severity.ERROR,
    title="the pod's cable is missing",
    background=(
        "A pod is connected to its node by a veth pair: eth0 inside the pod, and a device on the node whose name "
        "Calico makes from the namespace and name of the pod (`cali` and eleven hex digits). If the node has no such "
        "device, nothing can get into or out of the pod, though it may still be shown as Running. It comes from a "
        "container runtime that lost the sandbox, or from somebody who deleted the device."
    ),
    remedy="Delete the pod so that it is set up anew.",
    reference="projectcalico/calico#763, projectcalico/calico#1253",
    steps=_VETH_STEPS,
    explains=frozenset({"pod-route-missing", "container-device-down", "proxy-arp-off"}),
)
STALE = Entry(
    code="pod-route-wrong-device",
    severity=Severity.ERROR,
    title="the pod's address leads to another veth",
    background=(
        "The node has a route of one address (/32 or /128) to each of its pods, through the veth that carries the "
        "pod's name in its own. Here the route for a pod's address goes through another device: usually the veth of "
        "an older pod that had the address before and was not cleaned up. The packets end in a container that is "
        "gone, or in the wrong one."
    ),
    remedy="Delete the stale device or restart calico-node, which writes the route anew.",
    reference="projectcalico/calico#10723, projectcalico/calico#1253, projectcalico/calicoctl#1523",
    steps=_VETH_STEPS,
    explains=frozenset({"pod-route-missing"}),
)
BORROWED = Entry(
    code="borrowed-address-blackholed",
    severity=Severity.ERROR,
    title="a borrowed address falls into its block's blackhole",
    background=(
        "When a node may have no more blocks, IPAM lends it single addresses out of another node's block. The owner "
        "of the block throws away what it has no longer route for (the `blackhole` route), so it needs a route of "
        "that one address to the borrower. Without it everybody's packets for that pod end at the owner, whoever "
        "sends them there. It happens when the borrower's announcement does not get through."
    ),
    remedy="Mend the borrower's BGP session, or give it a block of its own: a larger pool or smaller blocks.",
    reference="projectcalico/calico#3246, projectcalico/calico#2612, projectcalico/calico#9010",
    steps=(Step.ROUTE,),
    explains=frozenset({"pod-route-missing"}),
)
ROUTE_MISSING = Entry(
    code="pod-route-missing",
    severity=Severity.ERROR,
    title="the node has no route to its own pod",
    background=(
        "The node needs a route of one address (/32 or /128) to each of its pods, through the pod's veth. The CNI "
        "plugin writes it when the pod starts and Felix puts it back. Without it the longest prefix that matches is "
        "the node's own block, which is a `blackhole`: it is there so that packets to addresses without a pod go "
        "nowhere instead of in circles, and now it swallows the packets of a pod that runs."
    ),
    remedy="Restart calico-node on the node (Felix writes the route again), or delete the pod.",
    reference="projectcalico/calico#763, projectcalico/k8s-exec-plugin#92",
    steps=(Step.ROUTE,),
)


def own_routes(scene: Scene) -> Iterator[Finding | Unchecked]:
    """Each running pod in question: its veth and its route on its own node."""
    by_node: dict[str, list[Pod]] = {}
    for pod in scene.pods:
        if pod.phase in ("Running", "") and any(scene.fabric.pool_of(ip) for ip in pod.ips if address(ip)):
            by_node.setdefault(pod.node, []).append(pod)
    for said in scene.read(ROUTE_MISSING, "links", "routes"):
        if isinstance(said, Unchecked):
            if said.node in by_node:
                yield said
            continue
        if said.node in by_node:
            hosts = _host_routes(said)
            for pod in by_node[said.node]:
                yield from _of_pod(scene, said, pod, hosts)


def _host_routes(place: Place) -> dict[str, Route]:
    """The routes of single addresses in table main, by address; of several the one that the kernel prefers."""
    found: dict[str, Route] = {}
    for route in place.namespace.routes:
        ip, _, length = route.prefix.partition("/")
        if length in ("32", "128") and table_name(route.table) == "main" and (length == "128") is (":" in ip):
            known = found.get(ip)
            if known is None or route.metric < known.metric:
                found[ip] = route
    return found


def _of_pod(scene: Scene, place: Place, pod: Pod, hosts: dict[str, Route]) -> Iterator[Finding]:
    names = {veth_name(pod.namespace, pod.name, prefix) for prefix in scene.fabric.prefixes}
    there = next((name for name in names if place.link(name) is not None), None)
    label = f"{pod.namespace}/{pod.name}"
    for ip in pod.ips:
        found = address(ip)
        if (
            found is None
            or scene.fabric.pool_of(ip) is None
            or not place.read("routes6" if found.version == 6 else "routes")
        ):
            continue
        route = hosts.get(str(found))
        if route is None and _in_other_table(place, ip):
            continue
        if there is None and (route is None or place.link(route.device) is None):
            yield _no_veth(scene, place, pod, sorted(names), route)
            return
        if route is None:
            yield _no_route(scene, place, label, ip, there)
        elif route.kind != "unicast" or (there is not None and route.device not in names):
            wrong = f"{label} has the address {ip}, but {place.node} sends its packets to {route.device or route.kind}"
            yield STALE.found(
                place.node,
                f"{wrong} instead of the pod's own device {there}.",
                evidence=(scene.line(place.node, "ip route", route.text), *place.evidence(place.link(there))),
                fix=(
                    f"ssh {place.node} sudo ip route replace {ip} dev {there} scope link",
                    *restart(scene, place.node),
                ),
                subject=ip,
            )


def _no_veth(scene: Scene, place: Place, pod: Pod, names: list[str], route: Route | None) -> Finding:
    label = f"{pod.namespace}/{pod.name}"
    return VETH_MISSING.found(
        place.node,
        f"{label} runs on {place.node}, but the node has no device {names[0]} for it: the pod is cut off.",
        evidence=(
            scene.line(place.node, "ip link", f"no line for {' or '.join(names)}"),
            scene.line(place.node, "ip route", route.text if route is not None else f"no line for {pod.ips[0]}"),
        ),
        fix=(f"kubectl -n {pod.namespace} delete pod {pod.name}  # it is set up anew",),
        subject=label,
    )


def _no_route(scene: Scene, place: Place, label: str, ip: str, veth: str | None) -> Finding:
    covering = _decider(place, ip)
    evidence = [scene.line(place.node, "ip route", f"no line for {ip}")]
    if covering is not None:
        evidence.append(scene.line(place.node, "ip route", covering.text))
    swallowed = " and the block's blackhole swallows its packets" if covering and covering.kind == "blackhole" else ""
    mend = (f"ssh {place.node} sudo ip route add {ip} dev {veth} scope link  # until Felix does it",) if veth else ()
    return ROUTE_MISSING.found(
        place.node,
        f"{place.node} has no route to its own pod {label} ({ip}){swallowed}.",
        evidence=(*evidence, *place.evidence(place.link(veth))),
        fix=(*restart(scene, place.node), *mend),
        subject=ip,
    )


def stale_elsewhere(scene: Scene) -> Iterator[Finding | Unchecked]:
    """Routes to a local device, on one node, for the address of a pod that is on another."""
    homes = {ip: pod for pod in scene.pods for ip in pod.ips}
    for node in scene.nodes:
        place = scene.place(node)
        if place is None:
            continue
        for route in place.namespace.routes:
            ip, _, length = route.prefix.partition("/")
            pod = homes.get(ip) if length in ("32", "128") else None
            if pod is None or pod.node == node or route.gateway is not None or table_name(route.table) != "main":
                continue
            if not (route.device or "").startswith(scene.fabric.prefixes):
                continue
            yield STALE.found(
                node,
                f"{node} takes {ip} for a pod of its own, but {pod.namespace}/{pod.name} on {pod.node} has that "
                f"address: packets that pass {node} end at {route.device}.",
                evidence=(
                    scene.line(node, "ip route", route.text),
                    f"API Pod {pod.namespace}/{pod.name}: {ip} on {pod.node}",
                ),
                fix=(f"ssh {node} sudo ip route del {ip} dev {route.device}", *restart(scene, node)),
                subject=ip,
                affected=(pod.node,),
            )


def borrowed(scene: Scene) -> Iterator[Finding | Unchecked]:
    """Addresses that a node borrowed from another node's block, and that the owner swallows."""
    if scene.cluster_missing("IPAM blocks") is not None:
        return
    claims = [(network(claim.cidr), claim) for claim in scene.of(Expectation).claims]
    in_question = {ip: pod for pod in scene.pods for ip in pod.ips}
    for block in scene.blocks:
        around = network(block.cidr)
        claim = next((claim for prefix, claim in claims if prefix == around), None)
        if claim is None:
            continue
        for one in block.allocations:
            pod = in_question.get(one.ip)
            borrower = pod.node if pod is not None else one.node
            if pod is None or not borrower or borrower == claim.node:
                continue
            place = scene.place(claim.node)
            if place is None or not place.read("routes6" if claim.family == 6 else "routes"):
                yield BORROWED.unchecked(claim.node, scene.why_unread(claim.node))
                continue
            route = _decider(place, one.ip)
            if route is not None and route.kind == "blackhole" and not route.prefix.endswith(("/32", "/128")):
                yield _swallowed(scene, claim.node, borrower, pod, one.ip, route)


def _swallowed(scene: Scene, owner: str, borrower: str, pod: Pod, ip: str, route: Route) -> Finding:
    label = f"{pod.namespace}/{pod.name}"
    return BORROWED.found(
        owner,
        f"{label} on {borrower} has {ip} out of {owner}'s block, and {owner} has no route to it there: what comes to "
        f"{owner} for it is thrown away.",
        evidence=(
            scene.line(owner, "ip route", route.text),
            scene.line(owner, "ip route", f"no line for {ip}"),
            f"API IPAMBlock {route.prefix}: {ip} allocated to {label} on node {borrower}",
        ),
        fix=(f"ssh {borrower} birdcl -s /var/run/calico/bird.ctl show route for {ip}", *restart(scene, borrower)),
        subject=ip,
        affected=(borrower,),
    )


def _decider(place: Place, ip: str) -> Route | None:
    try:
        match = place.fib.lookup(ip)
    except ValueError:
        return None
    return match.route if match is not None else None


def _in_other_table(place: Place, ip: str) -> bool:
    """Whether a rule leads to another table that has the address, as some clouds' CNIs do it."""
    found = ipaddress.ip_address(ip)
    return any(
        route.prefix == f"{ip}/{found.max_prefixlen}" and route.kind == "unicast" for route in place.namespace.routes
    )


ENTRIES = (VETH_MISSING, STALE, BORROWED, ROUTE_MISSING)
CHECKS = (own_routes, stale_elsewhere, borrowed)
