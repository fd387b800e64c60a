"""The kernel's switches without which a node is no router: forwarding.

`ip_forward` is judged where a node has pods or passes packets on. A device's own switch counts where packets come in by
it (`ip_route_input_slow` asks the input device); IPv6 has one switch for all (`ip6_forward`).
"""

from __future__ import annotations

from collections.abc import Iterator

from calitui.diagnosis.devices.used import Devices, shown
from calitui.diagnosis.entry import Cut, Entry
from calitui.diagnosis.scene import Scene
from calitui.trace.fabric import Place
from calitui.trace.finding import Finding, Severity, Unchecked
from calitui.trace.path import Step

_PASSED_ON = (Step.ROUTE, Step.VETH_IN, Step.TUNNEL_IN, Step.NIC_IN)

OFF = Entry(
    code="ip-forward-off",
    severity=Severity.ERROR,
    title="the node does not forward packets",
    background=(
        "With Calico every node is a router: a pod's packet comes in by a veth and goes out by another device, which "
        "the kernel does only with net.ipv4.ip_forward=1. Felix switches it on when it starts. It goes off again when "
        "something loads sysctl files that say 0: `sysctl --system`, a hardening script, some firewalls. Then the node "
        "itself answers ping and reaches its own pods, but nothing between pods or to other nodes passes, and nothing "
        "is logged."
    ),
    remedy="Switch it on now, and take the 0 out of the file that sets it.",
    reference="Linux Documentation/networking/ip-sysctl.rst ip_forward; felix/dataplane/linux/int_dataplane.go",
    steps=_PASSED_ON,
    explains=frozenset({"device-forwarding-off"}),
    loses=True,
    cuts=Cut.ALL,
)
OFF_THERE = Entry(
    code="device-forwarding-off",
    severity=Severity.ERROR,
    title="a device's packets are not forwarded",
    background=(
        "Beside the switch for the whole node every device has a `forwarding` of its own, and what counts is that of "
        "the device a packet comes in by. Calico switches it on for each pod's veth; tunnels and cards get what "
        "conf.default says when they are made. If it is 0 on a veth that pod can reach its own node and nobody else; "
        "on the tunnel or the card the node's pods get nothing from other nodes. Network services that write settings "
        "for devices they take for their own, and sysctl files with conf.*.forwarding, switch it off."
    ),
    remedy="Switch it on for the device, and take the 0 out of the file that sets it.",
    reference="Linux net/ipv4/route.c ip_route_input_slow; felix endpoint_mgr.go configureProcSysForInterface",
    steps=_PASSED_ON,
    loses=True,
)
OFF6 = Entry(
    code="ipv6-forwarding-off",
    severity=Severity.ERROR,
    title="the node does not forward IPv6",
    background=(
        "For IPv6 pods the node has to be an IPv6 router: net.ipv6.conf.all.forwarding=1, a switch of its own beside "
        "IPv4's. Felix sets it where FELIX_IPV6SUPPORT is on. Without it the kernel drops every IPv6 packet that is "
        "not for the node itself, without a word, while IPv4 to the same pods works. It is off in clusters that got "
        "an IPv6 pool later, and after `sysctl --system` with a file that says 0."
    ),
    remedy="Switch it on now and in /etc/sysctl.d; see that FELIX_IPV6SUPPORT is true.",
    reference="Linux net/ipv6/ip6_output.c ip6_forward; docs.tigera.io Configure dual stack",
    steps=_PASSED_ON,
    loses=True,
)


def ipv4(scene: Scene) -> Iterator[Finding | Unchecked]:
    """IPv4 forwarding of the node and of the devices that pods' packets come in by."""
    if 4 not in scene.of(Devices).families:
        return
    for place in scene.read(OFF, "sysctls"):
        if isinstance(place, Unchecked):
            yield place
        elif passes_on(scene, place):
            whole = place.sysctl("ipv4/ip_forward")
            if whole == "0":
                yield _node(scene, place)
            else:
                yield from _devices(scene, place)


def ipv6(scene: Scene) -> Iterator[Finding | Unchecked]:
    """IPv6 forwarding of the node, where pods have IPv6."""
    if 6 not in scene.of(Devices).families:
        return
    for place in scene.read(OFF6, "sysctls"):
        if isinstance(place, Unchecked):
            yield place
        elif passes_on(scene, place) and place.sysctl("ipv6/conf/all/forwarding") == "0":
            name = place.node
            yield OFF6.found(
                name,
                f"IPv6 forwarding is off on {name}: it drops every IPv6 packet from its pods and to them.",
                subject="ipv6",
                evidence=[scene.line(name, "sysctl", "net.ipv6.conf.all.forwarding = 0")],
                fix=[
                    f"ssh {name} sudo sysctl -w net.ipv6.conf.all.forwarding=1",
                    f"ssh {name} grep -rs ipv6.conf.all.forwarding /etc/sysctl.conf /etc/sysctl.d  # what resets it",
                ],
            )


def passes_on(scene: Scene, place: Place) -> bool:
    """Whether a node has pods in question, or stands between the ends of a trace."""
    found = scene.of(Devices)
    if scene.trace is None:
        return found.has_pods(place.node) or bool(found.veths(place))
    ends = (scene.trace.source, scene.trace.destination)
    at_end = [end for end in ends if end.node == place.node]
    return not at_end or any(end.kind == "pod" for end in at_end)


def _node(scene: Scene, place: Place) -> Finding:
    name = place.node
    return OFF.found(
        name,
        f"IP forwarding is off on {name}: it drops every packet from its pods to others and from others to its pods.",
        subject="ipv4",
        evidence=[scene.line(name, "sysctl", "net.ipv4.ip_forward = 0")],
        fix=[
            f"ssh {name} sudo sysctl -w net.ipv4.ip_forward=1",
            f"ssh {name} grep -rs ip_forward /etc/sysctl.conf /etc/sysctl.d /usr/lib/sysctl.d  # what resets it",
        ],
    )


def _devices(scene: Scene, place: Place) -> Iterator[Finding]:
    found = scene.of(Devices)
    inwards = dict.fromkeys(link.name for link in found.veths(place))
    inwards |= dict.fromkeys(device for device, _, family in found.exits(place) if family == 4)
    off = [device for device in inwards if place.sysctl(f"ipv4/conf/{device}/forwarding") == "0"]
    if not off:
        return
    name = place.node
    more = f" and {len(off) - 1} more devices" if len(off) > 1 else ""
    yield OFF_THERE.found(
        name,
        f"Forwarding is off for {off[0]}{more} on {name}: packets of pods that come in there are dropped.",
        subject=off[0],
        evidence=shown(scene.line(name, "sysctl", f"net.ipv4.conf.{device}.forwarding = 0") for device in off),
        fix=[f"ssh {name} sudo sysctl -w net/ipv4/conf/{device}/forwarding=1" for device in off[:8]],
    )


ENTRIES = (OFF, OFF6, OFF_THERE)
CHECKS = (ipv4, ipv6)
