"""What a tunnel device puts around a packet, and to which outer address it sends it.

IPIP sends to the route's next hop. VXLAN finds the next hop's MAC in the neighbour table and the MAC's outer address in
the forwarding database; where that database was not read, Calico's annotations on nodes say which node has the address.
WireGuard keeps its peers to itself (`wg` needs root and is rarely there), so the peer is inferred from IPAM.
"""

from __future__ import annotations

import ipaddress

import msgspec

from calitui.facts.cluster import Node
from calitui.facts.node import Link, Rule
from calitui.trace.decision import Decision
from calitui.trace.fabric import Fabric, Place
from calitui.trace.path import Disposition, Encapsulation, Evidence

# Felix's and the kernel's names of the devices, for nodes whose `ip` could not tell the kind.
_KINDS_BY_NAME = {"tunl0": "ipip", "vxlan.calico": "vxlan", "vxlan-v6.calico": "vxlan"} | dict.fromkeys(
    ("wireguard.cali", "wg-v6.cali"), "wireguard"
)
_ENCAPSULATIONS = {
    "ipip": Encapsulation.IPIP,
    "vxlan": Encapsulation.VXLAN,
    "wireguard": Encapsulation.WIREGUARD,
}
UNFOLLOWED = {
    "ip6tnl": "IPv6 tunnel",
    "gre": "GRE tunnel",
    "sit": "SIT tunnel",
    "ip6gre": "GRE tunnel",
    "tun": "TUN device",
}
"""Kinds of device that wrap packets in ways not known here."""

# Headers between the inner packet and the NIC in bytes: outer IP, UDP, VXLAN and the inner Ethernet frame's own header
# (RFC 7348), or WireGuard's data message (wireguard.com/papers/wireguard.pdf section 5.4.6, as Felix counts it).
_OVERHEADS = {
    (Encapsulation.IPIP, 4): 20,
    (Encapsulation.VXLAN, 4): 50,
    (Encapsulation.VXLAN, 6): 70,
    (Encapsulation.WIREGUARD, 4): 60,
    (Encapsulation.WIREGUARD, 6): 80,
}
_WIREGUARD_PORTS = {4: "wireguardListeningPort", 6: "wireguardListeningPortV6"}


class Wrapping(msgspec.Struct, frozen=True, kw_only=True):
    """An outer header to be.

    `target` is the outer destination, None if it could not be told (`reason`). `evidence` is set where it is weaker
    than the route's own. `fault` ends the direction. `mark` is the firewall mark the outer packet carries.
    """

    kind: Encapsulation
    target: str | None
    source: str | None = None
    detail: str | None = None
    evidence: Evidence | None = None
    reason: str | None = None
    lines: tuple[str, ...] = ()
    disagreement: str | None = None
    fault: Disposition | None = None
    mark: int = 0

    @property
    def protocol(self) -> str:
        """What the outer IP header carries."""
        return "ipip" if self.kind is Encapsulation.IPIP else "udp"

    @property
    def overhead(self) -> int:
        """Bytes between the inner packet and what the NIC's MTU counts."""
        family = 6 if self.target and ":" in self.target else 4
        return _OVERHEADS.get((self.kind, family), 0)


def encapsulation_of(place: Place, device: str | None) -> Encapsulation | None:
    """What a device puts around packets, None for one that does not."""
    link = place.link(device)
    kind = link.kind if link and link.kind else _KINDS_BY_NAME.get(device or "", "")
    return _ENCAPSULATIONS.get(kind)


def wrapping(fabric: Fabric, place: Place, decision: Decision, destination: str) -> Wrapping | None:
    """The outer header that `decision`'s device puts around a packet to `destination`; None for a plain device."""
    kind = encapsulation_of(place, decision.device)
    link = place.link(decision.device)
    if kind is Encapsulation.IPIP:
        target = (link.tunnel_remote if link else None) or decision.gateway or destination
        return Wrapping(kind=kind, target=target, source=link.tunnel_local if link else None)
    if kind is Encapsulation.VXLAN:
        return _vxlan(fabric, place, decision, link, destination)
    if kind is Encapsulation.WIREGUARD:
        return _wireguard(fabric, place, destination)
    return None


def _vxlan(fabric: Fabric, place: Place, decision: Decision, link: Link | None, destination: str) -> Wrapping:
    port = (link.port if link else None) or _felix(fabric, "vxlanPort") or "?"
    vni = link.vni if link and link.vni is not None else (_felix(fabric, "vxlanVNI") or "?")
    whole = Wrapping(
        kind=Encapsulation.VXLAN,
        target=None,
        source=link.tunnel_local if link else None,
        detail=f"VXLAN port {port} VNI {vni}",
    )
    vtep = decision.gateway or destination
    six = ":" in vtep
    node = next((node for node in fabric.cluster.nodes if vtep in (node.vxlan_address, node.vxlan_address6)), None)
    annotated = _address_of(node, six=six) if node else None
    entry = next((one for one in place.namespace.neighbours if (one.ip, one.device) == (vtep, decision.device)), None)
    if entry is None or entry.mac is None:
        if place.read("neighbours"):
            reason = f"{place.label} has no neighbour entry for {vtep} on {decision.device}, the remote VTEP"
            return msgspec.structs.replace(whole, fault=Disposition.NO_NEIGHBOUR, reason=reason)
        return _inferred(whole, annotated, vtep, f"the neighbours of {place.label} were not read")
    lines: tuple[str, ...] = (f"{place.label}: {entry.text}",) if entry.text else ()
    expected = (node.vxlan_mac6 if six else node.vxlan_mac) if node else None
    if expected and expected.lower() != entry.mac.lower():
        note = f"{place.label} has {entry.mac} for {vtep}, {node.name if node else '?'}'s annotation says {expected}"
        whole = msgspec.structs.replace(whole, disagreement=note)
    outer = next(
        (
            one
            for one in place.namespace.fdb
            if one.device == decision.device and one.mac.lower() == entry.mac.lower() and one.destination
        ),
        None,
    )
    if outer is not None:
        lines += (f"{place.label}: {outer.text}",)
        return msgspec.structs.replace(whole, target=outer.destination, lines=lines)
    whole = msgspec.structs.replace(whole, lines=lines)
    if place.read("fdb"):
        reason = f"{decision.device} has no forwarding entry for {entry.mac}: it does not know where {vtep} is"
        return msgspec.structs.replace(whole, fault=Disposition.DROPPED, reason=reason)
    return _inferred(whole, annotated, vtep, "FDB not read")


def _inferred(whole: Wrapping, annotated: str | None, vtep: str, why: str) -> Wrapping:
    if annotated is None:
        return msgspec.structs.replace(whole, reason=f"{why}, and no node's annotation names {vtep} as its VTEP")
    reason = f"{why}: {annotated} by the node's annotation of {vtep}"
    return msgspec.structs.replace(whole, target=annotated, evidence=Evidence.INFERRED, reason=reason)


def _wireguard(fabric: Fabric, place: Place, destination: str) -> Wrapping:
    six = ":" in destination
    pod = fabric.pod_holding(destination)
    owner = pod.node if pod else fabric.node_holding(destination)
    node = fabric.node(owner) if owner else None
    port = _felix(fabric, _WIREGUARD_PORTS[6 if six else 4])
    return Wrapping(
        kind=Encapsulation.WIREGUARD,
        target=_address_of(node, six=six) if node else None,
        detail=f"WireGuard port {port}" if port else "WireGuard",
        evidence=Evidence.INFERRED,
        reason="WireGuard's peers were not read: by IPAM the address belongs to "
        + (node.name if node else "no node that is known"),
        mark=_wireguard_mark(place.namespace.rules, place, destination),
    )


def _wireguard_mark(rules: tuple[Rule, ...], place: Place, destination: str) -> int:
    """The mark WireGuard puts on its own packets: the one that the rule for its table excludes."""
    family = 6 if ":" in destination else 4
    match = place.fib.lookup(destination)
    rule = match.rule if match else None
    if rule is not None and rule.inverted and rule.mark is not None:
        return rule.mark
    return next((one.mark for one in rules if one.family == family and one.inverted and one.mark), 0)


def _address_of(node: Node, *, six: bool) -> str | None:
    """The address other nodes send a node's outer packets to: Calico's own, else the InternalIP."""
    annotated = node.bgp_address6 if six else node.bgp_address
    if annotated:
        return annotated.partition("/")[0]
    return next((ip for ip in node.internal_ips if (ipaddress.ip_address(ip).version == 6) is six), None)


def _felix(fabric: Fabric, setting: str) -> str | None:
    default = next((one for one in fabric.cluster.felix if one.name == "default"), None)
    return default.spec.get(setting) if default else None
