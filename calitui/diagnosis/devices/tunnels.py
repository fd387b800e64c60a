"""Calico's tunnel devices: there, up, with the address and MAC that Calico gave them, and not left over.

Whether a node needs one is said by the pools' modes, the nodes' masks and who has pods; the kernel's defaults are not
asked. Of devices in eBPF mode only their presence is judged: VXLAN is flow-based there and keeps no tables.
"""

from __future__ import annotations

from collections.abc import Iterator

from calitui.diagnosis.calico_node import restart
from calitui.diagnosis.devices.tunnels_entries import (
    ADDRESS_MISSING,
    ADDRESS_WRONG,
    DOWN,
    LEFT_BEHIND,
    MAC_WRONG,
    MISSING,
)
from calitui.diagnosis.devices.used import TUNNELS, Devices, Need, Tunnel, named, shown
from calitui.diagnosis.expectation import Expectation
from calitui.diagnosis.scene import Scene, address, network
from calitui.facts.node import Address, Link, Route
from calitui.trace.fabric import Place
from calitui.trace.fib import table_name
from calitui.trace.finding import Finding, Severity, Unchecked
from calitui.trace.path import Encapsulation

_OPTIONS = {Encapsulation.IPIP: "ipipEnabled", Encapsulation.VXLAN: "vxlanEnabled"}


def devices(scene: Scene) -> Iterator[Finding | Unchecked]:
    """Tunnel devices that are needed and missing or down."""
    missing = scene.cluster_missing("IPPools")
    if missing is not None and not scene.fabric.pools:
        yield MISSING.unchecked(None, missing)
        return
    for name, need in _needs(scene):
        place = scene.place(name)
        if place is None or not place.read("links"):
            why = scene.why_unread(name) if place is None else f"links: {scene.why_unread(name, 'links')}"
            yield MISSING.unchecked(name, why)
            continue
        link = place.link(need.tunnel.device)
        if link is None:
            yield _missing(scene, place, need)
        elif "UP" not in link.flags:
            yield _down(scene, place, need, link)


def _needs(scene: Scene) -> Iterator[tuple[str, Need]]:
    found = scene.of(Devices)
    for name in scene.nodes:
        for need in found.needs(name):
            yield name, need


def _missing(scene: Scene, place: Place, need: Need) -> Finding:
    name, tunnel = place.node, need.tunnel
    option = _OPTIONS[tunnel.encapsulation]
    setting = scene.felix(name, option)
    off = setting is not None and setting.lower() == "false"
    fix = [f"ssh {name} sudo modprobe {'ipip' if tunnel.encapsulation is Encapsulation.IPIP else 'vxlan'}"]
    if off:
        fix.append(f'kubectl patch felixconfiguration default --type merge -p \'{{"spec":{{"{option}":true}}}}\'')
    seen = ", ".join(link.name for link in place.namespace.links)
    return MISSING.found(
        name,
        f"{name} has no device {tunnel.device}, so packets between its pods and those on {need.other} can neither be "
        "sent nor taken in.",
        subject=tunnel.device,
        evidence=[
            need.line,
            f"API FelixConfiguration: {option} {setting}" if off else "",
            scene.line(name, "ip link", f"no {tunnel.device} among {seen}"),
        ],
        fix=[*fix, *restart(scene, name)],
        affected=[need.other] if scene.trace is not None else (),
    )


def _down(scene: Scene, place: Place, need: Need, link: Link) -> Finding:
    name, device = place.node, link.name
    return DOWN.found(
        name,
        f"{device} on {name} is down: packets to pods on other nodes have no way out, and wrapped packets from "
        f"{need.other} are thrown away.",
        subject=device,
        evidence=[need.line, scene.link_line(place, link)],
        fix=[f"ssh {name} sudo ip link set {device} up", *restart(scene, name)],
        affected=[need.other] if scene.trace is not None else (),
    )


def addresses(scene: Scene) -> Iterator[Finding | Unchecked]:
    """Tunnel devices without their address, or with another one than the node's annotation says."""
    for name, need in _needs(scene):
        place = scene.place(name)
        if place is None or not _is_on(scene, name):
            continue
        link = place.link(need.tunnel.device)
        if link is None or "UP" not in link.flags:
            continue
        if not place.read("addresses"):
            yield ADDRESS_MISSING.unchecked(name, f"addresses: {scene.why_unread(name, 'addresses')}")
            continue
        held = _held(link, need.tunnel)
        annotated = need.tunnel.address_of(scene.node(name))
        if not held:
            yield _no_address(scene, place, need, link, annotated)
        elif annotated is not None and not any(_same(one.ip, annotated) for one in held):
            yield _other_address(scene, place, need, link, annotated)


def _is_on(scene: Scene, node: str) -> bool:
    """Whether the ordinary dataplane is: in eBPF mode the device has no address of its own."""
    return (scene.felix(node, "bpfEnabled") or "").lower() != "true"


def _held(link: Link, tunnel: Tunnel) -> list[Address]:
    six = tunnel.family == 6
    return [one for one in link.addresses if (":" in one.ip) is six and one.scope != "link"]


def _no_address(scene: Scene, place: Place, need: Need, link: Link, annotated: str | None) -> Finding:
    name = place.node
    given = f"API Node {name} {need.tunnel.annotation}: {annotated}" if annotated else ""
    length = 128 if need.tunnel.family == 6 else 32
    by_hand = [f"ssh {name} sudo ip addr add {annotated}/{length} dev {link.name}"] if annotated else []
    lost = f"the {annotated} that Calico gave it" if annotated else "an address of its own"
    return ADDRESS_MISSING.found(
        name,
        f"{link.name} on {name} lacks {lost}: packets that the node itself sends to pods on other nodes carry the "
        "NIC's address instead, and their answers come back outside of the tunnel.",
        subject=link.name,
        evidence=[need.line, given, scene.link_line(place, link), scene.line(name, "ip addr", f"none on {link.name}")],
        fix=[*restart(scene, name), *by_hand],
    )


def _other_address(scene: Scene, place: Place, need: Need, link: Link, annotated: str) -> Finding:
    name = place.node
    held = _held(link, need.tunnel)
    claims = [claim for claim in scene.of(Expectation).claims if claim.family == need.tunnel.family]
    owner = None
    for one in held:
        seen = address(one.ip)
        around = ((network(claim.cidr), claim) for claim in claims)
        inside = (claim for block, claim in around if block is not None and seen is not None and seen in block)
        owner = next((claim for claim in inside if claim.node != name), owner)
    away = f": {held[0].ip} belongs to {owner.node}, where the answers go" if owner is not None else ""
    return ADDRESS_WRONG.found(
        name,
        f"{link.name} on {name} has {named(one.ip for one in held)}, Calico gave it {annotated}{away}.",
        subject=link.name,
        evidence=[
            f"API Node {name} {need.tunnel.annotation}: {annotated}",
            *(scene.line(name, f"ip addr show {link.name}", f"{one.ip}/{one.prefix_length}") for one in held),
            owner.source if owner is not None else "",
        ],
        fix=[
            *restart(scene, name),
            *(f"ssh {name} sudo ip addr del {one.ip}/{one.prefix_length} dev {link.name}" for one in held),
        ],
        severity=Severity.ERROR if owner is not None else None,
        affected=[owner.node] if owner is not None else (),
    )


def _same(one: str, other: str) -> bool:
    return address(one) is not None and address(one) == address(other)


def macs(scene: Scene) -> Iterator[Finding | Unchecked]:
    """VXLAN devices whose MAC is not the one that the other nodes are told."""
    for name, need in _needs(scene):
        place, node = scene.place(name), scene.node(name)
        annotated = node.vxlan_mac6 if need.tunnel.family == 6 else node.vxlan_mac
        link = place.link(need.tunnel.device) if place is not None else None
        if place is None or link is None or need.tunnel.encapsulation is not Encapsulation.VXLAN:
            continue
        if not annotated or not link.mac or link.mac.lower() == annotated.lower():
            continue
        vtep = need.tunnel.address_of(node)
        used = [
            (other, entry)
            for other in scene.nodes
            if other != name and (there := scene.place(other)) is not None
            for entry in there.namespace.neighbours
            if entry.ip == vtep and entry.device == link.name and entry.mac and entry.mac.lower() != link.mac.lower()
        ]
        suffix = "V6" if need.tunnel.family == 6 else ""
        said = f"frames of {named(other for other, _ in used)} go to the other one" if used else "others are told that"
        yield MAC_WRONG.found(
            name,
            f"{link.name} on {name} has the MAC {link.mac}, Calico told the other nodes {annotated}: {said}, and the "
            "kernel drops frames for a MAC that is not its own.",
            subject=link.name,
            evidence=[
                f"API Node {name} projectcalico.org/VXLANTunnelMACAddr{suffix}: {annotated}",
                scene.link_line(place, link),
                *shown(scene.line(other, "ip neigh", entry.text) for other, entry in used),
            ],
            fix=[
                f"ssh {name} sudo ip link set {link.name} address {annotated}",
                f"ssh {name} cat /usr/lib/systemd/network/99-default.link  # MACAddressPolicy=persistent undoes it",
            ],
            severity=Severity.ERROR if used else None,
            affected=[other for other, _ in used],
        )


def left_behind(scene: Scene) -> Iterator[Finding | Unchecked]:
    """Tunnel devices that no pool asks for, with an address or with routes."""
    missing = scene.cluster_missing("IPPools")
    if missing is not None or not scene.cluster.pools:
        if any(_leftover(place, TUNNELS[0]) for name in scene.nodes if (place := scene.place(name)) is not None):
            yield LEFT_BEHIND.unchecked(None, missing or "no IPPool was read: who uses the tunnels is not known")
        return
    for tunnel in TUNNELS:
        if any(tunnel.wanted_by(pool) != "Never" for pool in scene.cluster.pools):
            continue
        for name in scene.nodes:
            place = scene.place(name)
            link = _leftover(place, tunnel) if place is not None else None
            if place is not None and link is not None:
                yield _left(scene, place, tunnel, link)


def _leftover(place: Place, tunnel: Tunnel) -> Link | None:
    link = place.link(tunnel.device)
    if link is None or "UP" not in link.flags:
        return None
    return link if _held(link, tunnel) or _through(place, link) else None


def _through(place: Place, link: Link) -> list[Route]:
    return [
        route
        for route in place.namespace.routes
        if route.kind == "unicast"
        and table_name(route.table) != "local"
        and not route.prefix.lower().startswith("fe80:")
        and link.name in (route.device, *(hop.device for hop in route.next_hops))
    ]


def _left(scene: Scene, place: Place, tunnel: Tunnel, link: Link) -> Finding:
    name, routes, held = place.node, _through(place, link), _held(link, tunnel)
    has = f"the address {named(one.ip for one in held)}" if held else "no address"
    uses = f", and {len(routes)} {'route leads' if len(routes) == 1 else 'routes lead'} into it" if routes else ""
    then = "such packets are wrapped for nodes that need not unwrap them" if routes else "nothing uses it"
    return LEFT_BEHIND.found(
        name,
        f"No pool uses {tunnel.encapsulation.value.upper()} any more, but {link.name} on {name} is up with "
        f"{has}{uses}: {then}.",
        subject=link.name,
        evidence=[
            *shown(
                (f"API IPPool {pool.name}: {tunnel.mode} {tunnel.wanted_by(pool)}" for pool in scene.cluster.pools), 4
            ),
            scene.link_line(place, link),
            *shown((scene.line(name, "ip route", route.text) for route in routes), 4),
        ],
        fix=[
            *(f"ssh {name} sudo ip route del {route.prefix} dev {link.name}" for route in routes[:4]),
            f"ssh {name} sudo ip addr flush dev {link.name}",
            f"ssh {name} sudo ip link set {link.name} down",
        ],
        severity=Severity.WARNING if routes else None,
    )


ENTRIES = (MISSING, DOWN, ADDRESS_WRONG, ADDRESS_MISSING, MAC_WRONG, LEFT_BEHIND)
CHECKS = (devices, addresses, macs, left_behind)
