"""What happens at a hop, in plain words, with this cluster's own values.

All sentences a person reads about a step stand here, so that they can be reviewed (and translated) in one place.
Reasons for an end or for missing evidence stand with the code that finds them.
"""

from __future__ import annotations

from calitui.facts.cluster import IPPool


def container_out(gateway: str | None, device: str) -> str:
    """The pod's own routing decision."""
    if gateway == "169.254.1.1":
        return (
            f"The pod hands every packet to 169.254.1.1 through its {device}. Nobody owns that address: "
            "the node answers ARP for it, so the packet reaches the node."
        )
    towards = f"to {gateway} " if gateway else ""
    return f"The pod sends the packet {towards}through its {device}."


def veth_in(device: str, node: str) -> str:
    """The packet appears on the node."""
    return (
        f"The pod's eth0 is one end of a cable, {device} is the other: what the pod sends comes out here. "
        f"{node} answers ARP for 169.254.1.1 on it (proxy ARP) and routes from now on."
    )


def host_out(node: str, source: str | None) -> str:
    """A host-network pod sends."""
    chosen = f" The kernel picks {source} as the source, by the route." if source else ""
    return f"A host-network pod uses {node}'s own network: the packet starts on the node, without a veth.{chosen}"


def route_towards_node(
    destination: str, prefix: str | None, owner: str | None, gateway: str | None, device: str | None, protocol: str
) -> str:
    """The sending node's decision."""
    origin = {"bird": ", learnt over BGP by BIRD", "80": ", programmed by Felix"}.get(protocol, "")
    matched = f"the longest prefix is {prefix}{origin}" if prefix else "the kernel was asked"
    hop = f"the next hop is {gateway}" + (f", which is {owner}," if owner else "") if gateway else "it is on the link"
    return f"The node looks up {destination}: {matched}. {hop[0].upper()}{hop[1:]} through {device}."


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
        "prohibit": f"{at}: packets are refused with an ICMP error.",
        "no-route": f"No route matches {destination}, not even a default: the packet is refused.",
        "not-forwarded": "This machine does not forward packets that came in on this device.",
        "spoofed": "The reverse path filter throws the packet away: the route back to its source leaves by another "
        "device than the one it came in on.",
    }
    return endings.get(kind, f"{at}: the packet goes no further.")


def tunnel_out(pool: IPPool | None, device: str, src: str | None, dst: str | None) -> str:
    """The outer header is put on."""
    says = f"The pool {pool.cidr} says IPIP {pool.ipip_mode}, and the" if pool else "The"
    return (
        f"{says} block's route points at {device}: the kernel puts a second IP header around the packet, "
        f"{src or '?'} > {dst or '?'}, protocol 4. The network between the nodes sees only that one."
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


def nic_in(node: str, device: str, address: str, encapsulated: bool) -> str:
    """Into the other node."""
    what = "The outer packet" if encapsulated else "The packet"
    return f"{what} arrives at {node}: its {device} holds {address}."


def tunnel_in(device: str) -> str:
    """The outer header is taken off."""
    return (
        f"The packet says protocol 4, so {device} takes the outer header off. The pod's packet is back as it was sent."
    )


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
