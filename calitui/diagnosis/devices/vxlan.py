"""VXLAN's own tables and its checksums: which node a frame goes to, and whether it arrives whole.

What a network card does to a packet after the kernel gave it away can't be read: of VMware's vmxnet3 only a live packet
shows that it spoils VXLAN's checksums.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from calitui.diagnosis.calico_node import restart
from calitui.diagnosis.devices.tunnels_entries import FORWARDING_MISSING
from calitui.diagnosis.devices.used import TUNNELS, Devices, Tunnel, hops, named, shown
from calitui.diagnosis.entry import Entry
from calitui.diagnosis.expectation import Expectation
from calitui.diagnosis.scene import Scene
from calitui.trace.fabric import Place
from calitui.trace.finding import Finding, Severity, Unchecked
from calitui.trace.path import Encapsulation, Step

CHECKSUM_OFFLOAD = Entry(
    code="vxlan-checksum-offload",
    severity=Severity.WARNING,
    title="an old kernel leaves VXLAN's checksums to the network card",
    background=(
        "To save work the kernel lets devices compute checksums. In kernels before 5.7 packets that were translated "
        "(a Service's address) and then wrapped in VXLAN could leave with a wrong checksum, and the receiver drops "
        "them: ping works, TCP to a Service hangs for a minute. Felix knows it and switches the offload of "
        "`vxlan.calico` off on such kernels, unless it can't or was told not to. The same happens with newer kernels "
        "on some virtual network cards (VMware vmxnet3), which nobody can see from the settings alone."
    ),
    remedy="Switch the transmit checksum offload of vxlan.calico off.",
    reference="projectcalico/calico#3145, #4865; felix/environment/feature_detect.go ChecksumOffloadBroken",
    steps=(Step.TUNNEL_OUT,),
)

_VTEPS = tuple(tunnel for tunnel in TUNNELS if tunnel.encapsulation is Encapsulation.VXLAN)
_FIXED_IN = (5, 7)


class _Gap:
    """What one node lacks to reach another's VTEP; `evidence` are its lines."""

    def __init__(self, vtep: str, owner: str | None, words: str, evidence: tuple[str, ...]) -> None:
        self.vtep = vtep
        self.owner = owner
        self.words = words
        self.evidence = evidence


def forwarding(scene: Scene) -> Iterator[Finding | Unchecked]:
    """VTEPs that routes lead to and the neighbour table or the forwarding database has no, or a wrong, entry for."""
    for tunnel in _VTEPS:
        if all(tunnel.wanted_by(pool) == "Never" for pool in scene.fabric.pools):
            continue
        owners = {vtep: node.name for node in scene.cluster.nodes if (vtep := tunnel.address_of(node))}
        for name in scene.nodes:
            place = scene.place(name)
            if place is None or (scene.felix(name, "bpfEnabled") or "").lower() == "true":
                continue
            used = _gateways(scene, place, tunnel)
            if not used:
                continue
            if not place.read("neighbours"):
                yield FORWARDING_MISSING.unchecked(name, f"neighbours: {scene.why_unread(name, 'neighbours')}")
                continue
            if not place.read("fdb"):
                yield FORWARDING_MISSING.unchecked(name, f"fdb: {scene.why_unread(name, 'fdb')}")
            gaps = list(_gaps(scene, place, tunnel, used, owners))
            if gaps:
                yield _found(scene, place, tunnel, gaps)


def _gateways(scene: Scene, place: Place, tunnel: Tunnel) -> dict[str, str]:
    """The VTEPs that routes in question lead to, each with a route that does."""
    found: dict[str, str] = {}
    for route in scene.of(Devices).block_routes(place):
        for hop in hops(route):
            if hop.device == tunnel.device:
                found.setdefault(hop.gateway or route.prefix.partition("/")[0], route.text)
    return found


def _gaps(scene: Scene, place: Place, tunnel: Tunnel, used: dict[str, str], owners: dict[str, str]) -> Iterator[_Gap]:
    expectation = scene.of(Expectation)
    near = {one.ip: one for one in place.namespace.neighbours if one.device == tunnel.device}
    far = {one.mac.lower(): one for one in place.namespace.fdb if one.device == tunnel.device and one.destination}
    for vtep, route in used.items():
        owner = owners.get(vtep)
        lines: tuple[str, ...] = (scene.line(place.node, "ip route", route),)
        entry = near.get(vtep)
        if entry is None or entry.mac is None:
            seen = (scene.line(place.node, "ip neigh", entry.text),) if entry is not None and entry.text else ()
            yield _Gap(vtep, owner, "no MAC in the neighbour table", lines + seen)
            continue
        lines += (scene.line(place.node, "ip neigh", entry.text),)
        outer = far.get(entry.mac.lower())
        if outer is None:
            if place.read("fdb"):
                yield _Gap(vtep, owner, f"no forwarding entry for its MAC {entry.mac}", lines)
            continue
        wanted = expectation.address(owner, tunnel.family) if owner is not None else None
        leads_to = scene.fabric.node_holding(outer.destination or "")
        if owner is not None and leads_to != owner and outer.destination != wanted:
            to = f"{outer.destination} ({leads_to})" if leads_to else str(outer.destination)
            words = f"a forwarding entry that leads to {to} instead of {wanted or owner}"
            yield _Gap(vtep, owner, words, (*lines, scene.line(place.node, "bridge fdb", outer.text)))


def _found(scene: Scene, place: Place, tunnel: Tunnel, gaps: list[_Gap]) -> Finding:
    name, first = place.node, gaps[0]
    others = [gap.owner for gap in gaps if gap.owner]
    whose = f"the VTEP {first.vtep}" + (f" of {first.owner}" if first.owner else "")
    more = f", and the like for {len(gaps) - 1} more" if len(gaps) > 1 else ""
    return FORWARDING_MISSING.found(
        name,
        f"{tunnel.device} on {name} has {first.words} for {whose}{more}: packets to pods on "
        f"{named(others) or first.vtep} don't arrive there.",
        subject=tunnel.device,
        evidence=shown(line for gap in gaps for line in gap.evidence),
        fix=restart(scene, name),
        affected=others,
    )


def checksum_offload(scene: Scene) -> Iterator[Finding | Unchecked]:
    """VXLAN devices of an old kernel that leave checksums to the hardware."""
    found = scene.of(Devices)
    for name in scene.nodes:
        facts = scene.facts.get(name)
        version = _kernel(facts.kernel) if facts is not None else None
        if facts is None or version is None or version >= _FIXED_IN:
            continue
        needed = [need for need in found.needs(name) if need.tunnel.encapsulation is Encapsulation.VXLAN]
        if not needed:
            continue
        if facts.offloads is None:
            yield CHECKSUM_OFFLOAD.unchecked(name, f"offloads: {scene.why_unread(name, 'offloads')}")
            continue
        devices = {need.tunnel.device for need in needed}
        for one in facts.offloads:
            if one.device in devices and one.feature == "tx-checksum-ip-generic" and one.on:
                override = scene.felix(name, "featureDetectOverride") or ""
                if "ChecksumOffloadBroken" in override:
                    continue
                yield CHECKSUM_OFFLOAD.found(
                    name,
                    f"{name} runs kernel {facts.kernel}, which can send wrong checksums through {one.device}: TCP to "
                    "Services may hang while ping works.",
                    subject=one.device,
                    evidence=[
                        scene.line(name, "uname -r", facts.kernel),
                        scene.line(name, f"ethtool -k {one.device}", one.text),
                    ],
                    fix=[
                        f"ssh {name} sudo ethtool -K {one.device} tx-checksum-ip-generic off",
                        "kubectl patch felixconfiguration default --type merge -p "
                        '\'{"spec":{"featureDetectOverride":"ChecksumOffloadBroken=true"}}\'',
                    ],
                )


def _kernel(release: str) -> tuple[int, int] | None:
    match = re.match(r"(\d{1,3})\.(\d{1,4})", release)
    return (int(match.group(1)), int(match.group(2))) if match else None


ENTRIES = (FORWARDING_MISSING, CHECKSUM_OFFLOAD)
CHECKS = (forwarding, checksum_offload)
