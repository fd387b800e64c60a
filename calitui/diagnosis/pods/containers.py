"""The pod's own end: its gateway that has to answer, its routes, its device.

The pod's gateway 169.254.1.1 is nobody's address. The node answers for it with its veth's MAC if `proxy_arp` is on
there and if it has itself a route to 169.254.1.1 that leaves by another device (`arp_process`, `arp_fwd_proxy` in
net/ipv4/arp.c), which on most nodes is the default route.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from calitui.diagnosis.devices.used import Devices, named, shown
from calitui.diagnosis.entry import Cut, Entry
from calitui.diagnosis.scene import Scene, address
from calitui.facts.cluster import Pod
from calitui.facts.node import Container
from calitui.trace.fabric import Place
from calitui.trace.fib import table_name
from calitui.trace.finding import Finding, Severity, Unchecked
from calitui.trace.path import Endpoint, Step
from calitui.trace.pod_side import POD_GATEWAY, inside_check
from calitui.trace.veth import veth_name

_USUAL_RULES = 5
"""The kernel's own policy rules, three of IPv4 and two of IPv6."""
_POD = (Step.CONTAINER_OUT, Step.CONTAINER_IN)

PROXY_ARP_OFF = Entry(
    code="proxy-arp-off",
    severity=Severity.ERROR,
    title="nobody answers for the pod's gateway",
    background=(
        "Every Calico pod has the same default gateway, 169.254.1.1, an address that exists nowhere. When the pod asks "
        "by ARP who that is, the node answers with the MAC of its end of the pod's veth, because Calico sets "
        "`proxy_arp` to 1 there. With 0 nobody answers: the pod knows its gateway but not its MAC and can't send "
        "anything, not even to its own node. The CNI plugin sets it when the pod is made and Felix again when it "
        "starts; sysctl files and hardening scripts that write conf.*.proxy_arp turn it off."
    ),
    remedy="Switch proxy_arp on for the pod's veth and take the 0 out of the file that sets it.",
    reference="cni-plugin dataplane_linux.go; felix endpoint_mgr.go configureProcSysForInterface; net/ipv4/arp.c",
    steps=(Step.VETH_IN, Step.CONTAINER_OUT),
    loses=True,
)
NO_DEFAULT_ROUTE = Entry(
    code="no-default-route",
    severity=Severity.ERROR,
    title="the node has no default route, so it is silent about the pods' gateway",
    background=(
        "Every Calico pod has the default gateway 169.254.1.1, an address that exists nowhere; the node answers the "
        "pod's ARP for it by proxy. The kernel does so only if it could forward a packet to 169.254.1.1 out of another "
        "device, and what makes it think so is, on nearly every node, the default route. Without one it stays silent "
        "and the pod can't send anything, although proxy_arp is on and the pods' routes are perfect. Typical for nodes "
        "in closed networks that need no default route for themselves; a dummy one is enough."
    ),
    remedy="Give the node a default route, or one for 169.254.1.1 out of any device that is no veth.",
    reference="docs.tigera.io FAQ (169.254.1.1); net/ipv4/arp.c arp_fwd_proxy",
    steps=(Step.VETH_IN, Step.CONTAINER_OUT),
    loses=True,
    cuts=Cut.ALL,
)
INSIDE_NO_ROUTE = Entry(
    code="container-no-default-route",
    severity=Severity.ERROR,
    title="the pod itself has no route out",
    background=(
        "Inside the pod Calico puts two routes: 169.254.1.1 is on eth0, and everything goes there. If they are gone "
        "the pod refuses to send at all (`Network is unreachable`) and answers nobody, while the node's side looks "
        "healthy. Routes inside vanish when a program in the pod changes them (a VPN client, an init script with "
        "NET_ADMIN), or when its eth0 was set down and up again: the kernel forgets routes then, and nobody writes "
        "them a second time."
    ),
    remedy="Delete the pod so that it is made anew.",
    reference="cni-plugin dataplane_linux.go",
    steps=_POD,
    loses=True,
)
INSIDE_DOWN = Entry(
    code="container-device-down",
    severity=Severity.ERROR,
    title="the pod's eth0 is down",
    background=(
        "The pod's eth0 is one end of a virtual cable; the other is the node's cali device. If one end is down the "
        "other has no carrier, and nothing passes in either direction. The pod's end is set down only by a program in "
        "the pod that may do so (NET_ADMIN), or by somebody who entered its network namespace. When it is set up again "
        "its routes are still missing, because the kernel forgot them."
    ),
    remedy="Delete the pod so that it is made anew.",
    reference="Linux drivers/net/veth.c; cni-plugin dataplane_linux.go",
    steps=(*_POD, Step.VETH_IN, Step.VETH_OUT),
    explains=frozenset({"container-no-default-route"}),
    loses=True,
)
INSIDE_NO_ADDRESS = Entry(
    code="container-address-missing",
    severity=Severity.ERROR,
    title="the pod does not have its address",
    background=(
        "The API and the node's routes say which address the pod has, but inside the pod no device holds it: packets "
        "arrive and its kernel takes them for somebody else's. Either the address was removed inside, or the network "
        "namespace that was found is left over from an earlier pod."
    ),
    remedy="Delete the pod so that it is made anew.",
    reference="cni-plugin dataplane_linux.go",
    steps=_POD,
)


def gateway(scene: Scene) -> Iterator[Finding | Unchecked]:
    """Whether the node answers its pods' ARP for their gateway."""
    if 4 not in scene.of(Devices).families:
        return
    asking: dict[str, list[Pod]] = {}
    for pod in scene.pods:
        if _asks_gateway(scene, pod):
            asking.setdefault(pod.node, []).append(pod)
    for name, pods in asking.items():
        place = scene.place(name)
        if place is None:
            yield PROXY_ARP_OFF.unchecked(name, scene.why_unread(name))
            continue
        yield from _proxy_arp(scene, place, pods)
        if place.read("routes"):
            yield from _default_route(scene, place, pods)
        else:
            yield NO_DEFAULT_ROUTE.unchecked(name, f"routes: {scene.why_unread(name, 'routes')}")


def _asks_gateway(scene: Scene, pod: Pod) -> bool:
    """Whether a pod is one of Calico's own, with an IPv4 address of a pool and 169.254.1.1 as its gateway."""
    ip = next((ip for ip in pod.ips if address(ip) is not None and ":" not in ip), None)
    if ip is None or scene.fabric.pool_of(ip) is None:
        return False
    inside = scene.fabric.container(pod.node, ip)
    if inside is None:
        return True
    routes = inside[0].namespace.routes
    # Without any gateway the routes are gone, which is another fault.
    return not any(route.gateway for route in routes) or any(route.gateway == POD_GATEWAY for route in routes)


def _proxy_arp(scene: Scene, place: Place, pods: list[Pod]) -> Iterator[Finding | Unchecked]:
    name = place.node
    if not place.read("sysctls"):
        yield PROXY_ARP_OFF.unchecked(name, f"sysctls: {scene.why_unread(name, 'sysctls')}")
        return
    if place.sysctl("ipv4/conf/all/proxy_arp") == "1":
        return
    prefixes = scene.fabric.prefixes
    veths = {veth_name(pod.namespace, pod.name, prefixes[0] if prefixes else "cali"): pod for pod in pods}
    off = {veth: pod for veth, pod in veths.items() if place.sysctl(f"ipv4/conf/{veth}/proxy_arp") == "0"}
    if not off:
        return
    veth, pod = next(iter(off.items()))
    more = f" (and {len(off) - 1} more pods)" if len(off) > 1 else ""
    yield PROXY_ARP_OFF.found(
        name,
        f"{pod.namespace}/{pod.name}{more} on {name} can't find its gateway: proxy_arp is off on {veth}, so nobody "
        f"answers its ARP for {POD_GATEWAY}.",
        subject=veth,
        evidence=shown(scene.line(name, "sysctl", f"net.ipv4.conf.{one}.proxy_arp = 0") for one in off),
        fix=[f"ssh {name} sudo sysctl -w net.ipv4.conf.{one}.proxy_arp=1" for one in list(off)[:8]],
        severity=None if _waits(scene, off.values()) else Severity.WARNING,
    )


def _default_route(scene: Scene, place: Place, pods: list[Pod]) -> Iterator[Finding]:
    main = (one for one in place.namespace.routes if table_name(one.table) == "main")
    near = [one for one in main if one.prefix == "0.0.0.0/0" or one.prefix.startswith("169.254.")]
    if near and len(place.namespace.rules) <= _USUAL_RULES and all(one.kind == "unicast" for one in near):
        return
    try:
        match = place.fib.lookup(POD_GATEWAY)
    except ValueError:
        return
    if match is not None and match.kind == "unicast":
        return
    name = place.node
    refused = match.route.text if match is not None and match.route is not None else ""
    yield NO_DEFAULT_ROUTE.found(
        name,
        f"{name} has no default route, so it does not answer its pods' ARP for their gateway {POD_GATEWAY}: they can't "
        "send anything.",
        subject="default",
        evidence=[
            scene.line(name, "ip route", f"nothing for {POD_GATEWAY}, and no line begins with `default`"),
            scene.line(name, "ip route", refused) if refused else "",
        ],
        fix=[
            f"ssh {name} sudo ip route add default via GATEWAY  # the router of its network",
            f"ssh {name} sudo ip route add {POD_GATEWAY} dev NIC  # enough for Calico where there is no router",
        ],
        severity=None if _waits(scene, pods) else Severity.WARNING,
    )


def _waits(scene: Scene, pods: Iterable[Pod]) -> bool:
    """Whether some pod is without its gateway's MAC now: those that know it go on until they ask again."""
    return not all(_knows_gateway(scene, pod) for pod in pods)


def _knows_gateway(scene: Scene, pod: Pod) -> bool:
    for ip in pod.ips:
        inside = scene.fabric.container(pod.node, ip)
        for entry in inside[0].namespace.neighbours if inside is not None else ():
            if entry.ip == POD_GATEWAY and entry.mac and entry.state != "FAILED":
                return True
    return False


def inside(scene: Scene) -> Iterator[Finding | Unchecked]:
    """The pods' own side, where it was read; an audit does not enter containers, so that is said once."""
    unread = 0
    for pod in scene.pods:
        family = scene.trace.family if scene.trace is not None else None
        ip = next((ip for ip in pod.ips if family is None or (":" in ip) is (family == 6)), None)
        if ip is None:
            continue
        found = scene.fabric.container(pod.node, ip)
        if found is not None:
            yield from _inside(scene, pod, ip, *found)
        elif scene.trace is not None:
            reason = scene.why_unread(pod.node, f"container {ip}")
            for entry in (INSIDE_DOWN, INSIDE_NO_ADDRESS, INSIDE_NO_ROUTE):
                yield entry.unchecked(pod.node, f"{pod.namespace}/{pod.name}: {reason}")
        else:
            unread += 1
    if unread:
        for entry in (INSIDE_DOWN, INSIDE_NO_ADDRESS, INSIDE_NO_ROUTE):
            yield entry.unchecked(None, f"{unread} pods were not looked into: a trace between two of them does that")


def _inside(scene: Scene, pod: Pod, ip: str, place: Place, container: Container) -> Iterator[Finding]:
    label, node = f"{pod.namespace}/{pod.name}", pod.node
    end = Endpoint(kind="pod", namespace=pod.namespace, name=pod.name, node=node, ip=ip)
    anew = f"kubectl -n {pod.namespace} delete pod {pod.name}  # its owner makes a new one"
    look = inside_check(node, end, container, "ip -6 route" if ":" in ip else "ip route")
    link = place.link_holding(ip)
    if link is None and place.read("addresses"):
        seen = named(f"{held.ip} on {one.name}" for one in place.namespace.links for held in one.addresses)
        yield INSIDE_NO_ADDRESS.found(
            node,
            f"Inside {label} no device holds its address {ip}: what arrives for it is dropped.",
            subject=label,
            evidence=[f"{node} {place.label} ip addr: {seen or 'no address at all'}", f"API Pod {label}: {ip}"],
            fix=[anew],
        )
    if link is not None and not link.is_up:
        yield INSIDE_DOWN.found(
            node,
            f"{link.name} inside {label} is down: nothing gets in or out of the pod.",
            subject=label,
            evidence=[f"{node} {line}" for line in place.evidence(link)],
            fix=[anew],
        )
    if not place.read("routes6" if ":" in ip else "routes"):
        return
    default = "::/0" if ":" in ip else "0.0.0.0/0"
    if not any(route.prefix == default and route.kind == "unicast" for route in place.namespace.routes):
        family = [route for route in place.namespace.routes if (":" in route.prefix) is (":" in ip)]
        yield INSIDE_NO_ROUTE.found(
            node,
            f"{label} has no default route inside: it can't send to anybody.",
            subject=label,
            evidence=shown(f"{node} {place.label} ip route: {route.text}" for route in family)
            or [f"{node} {place.label} ip route: no lines"],
            fix=[look, anew],
        )


ENTRIES = (NO_DEFAULT_ROUTE, PROXY_ARP_OFF, INSIDE_DOWN, INSIDE_NO_ADDRESS, INSIDE_NO_ROUTE)
CHECKS = (gateway, inside)
