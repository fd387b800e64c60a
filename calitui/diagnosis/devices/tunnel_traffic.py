"""Whether what one node's tunnel device sends has ever come out of another's.

Only devices' counters are read, so it is a suspicion: they count since the device was made, and nobody counts who sent
to whom. It is raised only where no packet at all came out and either the node itself sends into the tunnel or somebody
sent to nobody else. A single packet that arrived is enough to keep quiet; the live proof tells more.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from calitui.diagnosis.devices.used import TUNNELS, Devices, Tunnel, hops, named, shown
from calitui.diagnosis.entry import Entry
from calitui.diagnosis.expectation import Expectation
from calitui.diagnosis.scene import Scene
from calitui.facts.node import Counters
from calitui.trace.finding import Finding, Severity, Unchecked
from calitui.trace.path import Encapsulation, Step

MANY = 20
"""Packets sent that should have made at least one come out: more than a few stray retries."""

NOT_RECEIVED = Entry(
    code="tunnel-packets-not-received",
    severity=Severity.WARNING,
    title="what is sent into the tunnel does not come out",
    background=(
        "IPIP packets are IP protocol 4, neither TCP nor UDP; VXLAN's are UDP to port 4789. Many networks pass the "
        "nodes' TCP and drop these: security groups that know only TCP, UDP and ICMP, clouds that never carry protocol "
        "4 (Azure, some firewalls of others), a firewall between racks. BGP sessions are up, routes are perfect, ping "
        "between nodes works, and yet nothing from pods arrives. The tell-tale is in the counters of the tunnel "
        "devices: one side counts packets sent, the other has never counted one received."
    ),
    remedy="Let protocol 4 (IPIP) or UDP 4789 (VXLAN) pass between all nodes, or change the pool's encapsulation.",
    reference="projectcalico/calico#2991, #2700, #3142; docs.tigera.io Network requirements",
    steps=(Step.TUNNEL_IN, Step.NIC_IN),
)
_CARRIED = {Encapsulation.IPIP: "IP protocol 4", Encapsulation.VXLAN: "UDP port 4789"}


class _Sender(msgspec.Struct, frozen=True):
    """A node that sent `counters` and has routes into the tunnel to `peers`."""

    node: str
    counters: Counters
    peers: frozenset[str]


def not_received(scene: Scene) -> Iterator[Finding | Unchecked]:
    """Tunnel devices that have never received although the others send."""
    for tunnel in TUNNELS:
        if all(tunnel.wanted_by(pool) == "Never" for pool in scene.fabric.pools):
            continue
        senders = _senders(scene, tunnel)
        counted = {one.node: one for one in senders}
        for one in senders:
            if one.counters.rx_packets > 0:
                continue
            leading = [other for other in senders if one.node in other.peers and other.counters.tx_packets >= MANY]
            if not leading:
                continue
            in_vain = [other for other in leading if _all_silent(other, counted)]
            if one.counters.tx_packets >= MANY or in_vain:
                yield _found(scene, tunnel, one, in_vain or leading)
    for name in scene.nodes:
        place = scene.place(name)
        if place is not None and not place.read("counters") and any(True for _ in scene.of(Devices).needs(name)):
            yield NOT_RECEIVED.unchecked(name, f"counters: {scene.why_unread(name, 'counters')}")


def _senders(scene: Scene, tunnel: Tunnel) -> list[_Sender]:
    found = []
    for name in scene.nodes:
        place = scene.place(name)
        link = place.link(tunnel.device) if place is not None else None
        if place is None or link is None or "UP" not in link.flags or not place.read("counters"):
            continue
        counters = next((one for one in place.namespace.counters if one.device == tunnel.device), None)
        if counters is None:
            continue
        gateways = {
            hop.gateway
            for route in (scene.of(Devices).block_routes(place) if scene.trace is None else place.namespace.routes)
            for hop in hops(route)
            if hop.device == tunnel.device and hop.gateway
        }
        peers = {owner for gateway in gateways if (owner := scene.fabric.node_holding(gateway)) is not None}
        found.append(_Sender(name, counters, frozenset(peers - {name})))
    return found


def _all_silent(sender: _Sender, counted: dict[str, _Sender]) -> bool:
    """Whether everybody a node can have sent to was read and has received nothing."""
    return all(peer in counted and counted[peer].counters.rx_packets == 0 for peer in sender.peers)


def _found(scene: Scene, tunnel: Tunnel, one: _Sender, leading: list[_Sender]) -> Finding:
    sent = max(leading, key=lambda other: other.counters.tx_packets)
    what = _CARRIED[tunnel.encapsulation]
    address = scene.of(Expectation).address(sent.node, tunnel.family) or sent.node
    match = "proto 4" if tunnel.encapsulation is Encapsulation.IPIP else "udp port 4789"
    return NOT_RECEIVED.found(
        one.node,
        f"{tunnel.device} on {one.node} has never received a packet, although {named(x.node for x in leading)} route "
        f"to it and sent up to {sent.counters.tx_packets}: is {what} filtered between them?",
        subject=tunnel.device,
        evidence=[
            scene.line(one.node, "/proc/net/dev", one.counters.text),
            *shown((scene.line(x.node, "/proc/net/dev", x.counters.text) for x in leading), 4),
        ],
        fix=[
            f"ssh {one.node} sudo tcpdump -ni any {match} and host {address}  # does anything arrive while pods talk?",
            f"# allow {what} between all nodes in firewalls and security groups",
        ],
        affected=[x.node for x in leading],
    )


ENTRIES = (NOT_RECEIVED,)
CHECKS = (not_received,)
