"""What happens at a hop, in plain words, with this cluster's own values.

All sentences a person reads about a step stand here, so that they can be reviewed (and translated) in one place.
Reasons for an end or for missing evidence stand with the code that finds them.
"""

from __future__ import annotations

from calitui.facts.cluster import IPPool
from calitui.trace.path import Encapsulation


def container_out(gateway: str | None, device: str) -> str:
    """The pod's own routing decision."""
    if gateway == "169.254.1.1":
        return (
            f"The pod hands every packet to 169.254.1.1 through its {device}. Nobody owns that address: "
            "the node answers ARP for it, so the packet reaches the node."
        )
    if gateway is not None and gateway.startswith("fe80:"):
        return (
            f"The pod hands every packet to {gateway} through its {device}: the link-local address of the other end of "
            "its veth, on the node."
        )
    towards = f"to {gateway} " if gateway else ""
    return f"The pod sends the packet {towards}through its {device}."


def veth_in(device: str, node: str, *, six: bool) -> str:
    """The packet appears on the node."""
    if six:
        return (
            f"The pod's eth0 is one end of a cable, {device} is the other: what the pod sends comes out here. "
            f"{device} holds the pod's gateway address, and {node} routes from now on."
        )
    return (
        f"The pod's eth0 is one end of a cable, {device} is the other: what the pod sends comes out here. "
        f"{node} answers ARP for 169.254.1.1 on it (proxy ARP) and routes from now on."
    )


def host_out(node: str, source: str | None) -> str:
    """A host-network pod sends."""
    chosen = f" The kernel picks {source} as the source, by the route." if source else ""
    return f"A host-network pod uses {node}'s own network: the packet starts on the node, without a veth.{chosen}"


def route_towards_node(
    destination: str,
    prefix: str | None,
    owner: str | None,
    gateway: str | None,
    device: str | None,
    protocol: str,
    subnets: str = "",
) -> str:
    """The sending node's decision; `subnets` says why a CrossSubnet pool tunnels here or doesn't."""
    origin = {"bird": ", learnt over BGP by BIRD", "80": ", programmed by Felix"}.get(protocol, "")
    matched = f"the longest prefix is {prefix}{origin}" if prefix else "the kernel was asked"
    hop = f"the next hop is {gateway}" + (f", which is {owner}," if owner else "") if gateway else "it is on the link"
    said = f"The node looks up {destination}: {matched}. {hop[0].upper()}{hop[1:]} through {device}."
    return f"{said} {subnets}" if subnets else said


def cross_subnet(pool: IPPool, mode: str, here: str, there: str, same: bool) -> str:
    """Why a CrossSubnet pool goes direct or through a tunnel; `here` and `there` are addresses with masks."""
    relation = "share a subnet, so packets go direct" if same else "are in different subnets, so packets are tunnelled"
    return f"The pool {pool.cidr} says {mode} CrossSubnet: {here} and {there} {relation}."


def route_to_pod(destination: str, device: str | None) -> str:
    """The receiving node's decision."""
    return (
        f"{destination} is a pod of this node: its own /32 route points at {device}. A /32 is longer than the "
        "block, so it wins over the block's blackhole."
    )


def route_to_host(destination: str) -> str:
    """The address is the node's own."""
    return f"{destination} is an address of this node itself: the packet goes up to its own sockets."


def route_refused(destination: str, prefix: str | None, kind: str) -> str:
    """The decision that ends the path."""
    at = f"The route for {prefix} says {kind}" if prefix else f"The answer is {kind}"
    endings = {
        "blackhole": f"{at}: packets to {destination} are thrown away without a word to the sender. Calico puts a "
        "blackhole on each block a node owns, for addresses no pod has; a pod's /32 should be longer and win.",
        "unreachable": f"{at}: packets are refused with an ICMP error. BIRD writes this when it can't resolve the "
        "next hop of a block.",
        "rule-unreachable": "A policy rule refuses the packet with an ICMP error.",
        "prohibit": f"{at}: packets are refused with an ICMP error.",
        "no-route": f"No route matches {destination}, not even a default: the packet is refused.",
        "not-forwarded": "This machine does not forward packets that came in on this device.",
        "spoofed": "The reverse path filter throws the packet away: the route back to its source leaves by another "
        "device than the one it came in on.",
    }
    return endings.get(kind, f"{at}: the packet goes no further.")


_WRAPPED = {
    Encapsulation.IPIP: "a second IP header around the packet, {src} > {dst}, protocol 4",
    Encapsulation.VXLAN: "an Ethernet, a VXLAN, a UDP and an IP header around the packet, {src} > {dst}",
    Encapsulation.WIREGUARD: "the packet, encrypted, into a UDP packet {src} > {dst}",
}


def tunnel_out(kind: Encapsulation, pool: IPPool | None, device: str, src: str | None, dst: str | None) -> str:
    """The outer header is put on."""
    mode = {Encapsulation.IPIP: "IPIP {}", Encapsulation.VXLAN: "VXLAN {}"}.get(kind)
    says = ""
    if pool is not None and mode is not None:
        chosen = pool.ipip_mode if kind is Encapsulation.IPIP else pool.vxlan_mode
        says = f"The pool {pool.cidr} says {mode.format(chosen)}. "
    around = _WRAPPED.get(kind, "another header around the packet, {src} > {dst}").format(
        src=src or "?", dst=dst or "?"
    )
    return (
        f"{says}The route points at {device}: the kernel puts {around}. "
        "The network between the nodes sees only that one."
    )


def nic_out(device: str | None, next_hop: str, owner: str | None, mac: str | None, encapsulated: bool) -> str:
    """Out of the node."""
    whose = f" ({owner})" if owner else ""
    at = f", MAC {mac}" if mac else ""
    what = "The outer packet" if encapsulated else "The packet"
    return f"{what} leaves through {device} to {next_hop}{whose}{at}."


def snat(source: str, address: str | None, pool: IPPool) -> str:
    """The pool's natOutgoing."""
    return (
        f"Pool {pool.cidr} has natOutgoing and the destination is in no pool: the source {source} is replaced by "
        f"{address or 'an address of the node'}."
    )


def nic_in(node: str, device: str | None, address: str | None, encapsulated: bool) -> str:
    """Into the other node; `address` is what the packet was handed to, None behind a router."""
    what = "The outer packet" if encapsulated else "The packet"
    by = f"its {device or 'NIC'} holds {address}" if address else f"its way back leads through {device or 'a NIC'}"
    return f"{what} arrives at {node}: {by}."


def tunnel_in(kind: Encapsulation, device: str | None) -> str:
    """The outer header is taken off."""
    says = {
        Encapsulation.IPIP: "The packet says protocol 4",
        Encapsulation.VXLAN: "The packet comes to VXLAN's UDP port",
        Encapsulation.WIREGUARD: "The packet comes to WireGuard's UDP port",
    }.get(kind, "The packet is addressed to the tunnel")
    return f"{says}, so {device or 'the tunnel'} unwraps it. The pod's packet is back as it was sent."


def un_snat(address: str, pod_ip: str) -> str:
    """The reply to a masqueraded packet."""
    return f"Connection tracking knows this reply: the destination {address} is turned back into {pod_ip}."


def veth_out(device: str) -> str:
    """To the pod."""
    return f"The packet goes into {device} and comes out of the pod's eth0."


def container_in(ip: str, device: str) -> str:
    """In the pod."""
    return f"The pod's {device} holds {ip}: the packet has arrived."


def host_in(ip: str) -> str:
    """In the node."""
    return f"The node holds {ip}, and the host-network pod listens there: the packet has arrived."


def not_read(node: str) -> str:
    """A node that nobody could read."""
    return f"What {node} does with the packet is not known: the node could not be read."
