"""Findings about pools: what else has addresses in them."""

from __future__ import annotations

import ipaddress
import shlex
from collections.abc import Iterator

import msgspec

from calitui.diagnosis.addresses.seen import held_line
from calitui.diagnosis.ipam import entries
from calitui.diagnosis.scene import Address, Network, Scene, address, network
from calitui.facts.cluster import IPPool
from calitui.trace.fabric import Place
from calitui.trace.finding import Finding, Severity, Unchecked

MOST_LINES = 6
"""Lines of evidence of one kind in one finding."""

_OF_PODS = ("tunl", "vxlan", "wireguard", "wg-v6", "bpf", "kube-ipvs", "nodelocaldns", "flannel", "cni", "cbr0", "veth")
"""Devices whose addresses are of the pods' network, or of Services: beside `lo` and the pods' own."""

_DISABLED = '{"spec":{"disabled":true}}'


class _Use(msgspec.Struct, frozen=True):
    """Something that is no pod and has `network`. `is_point` says that it is an address somebody talks to."""

    network: Network
    words: str
    line: str
    is_point: bool = False


def for_pods(pool: IPPool) -> bool:
    """Whether pods, or tunnels, get addresses of it."""
    return not pool.allowed_uses or any(use != "LoadBalancer" for use in pool.allowed_uses)


def in_question(scene: Scene) -> list[tuple[IPPool, Network]]:
    """The pools around the pods and nodes in question, or all."""
    pools = [(pool, around) for pool in scene.fabric.pools if for_pods(pool) and (around := network(pool.cidr))]
    if scene.trace is None:
        return pools
    ips = [ip for pod in scene.pods for text in pod.ips if (ip := address(text)) is not None]
    ips += [use.network.network_address for use in _of_nodes(scene)]
    return [(pool, around) for pool, around in pools if any(ip in around for ip in ips)]


def pool_line(pool: IPPool) -> str:
    """A pool for evidence."""
    return f"API IPPool {pool.name}: cidr {pool.cidr} ipipMode {pool.ipip_mode} vxlanMode {pool.vxlan_mode}"


def disable(pool: IPPool) -> str:
    """The command that keeps IPAM from giving out more addresses of a pool."""
    return f"kubectl patch ippool {shlex.quote(pool.name)} --type merge -p '{_DISABLED}'"


def overlaps_host(scene: Scene) -> Iterator[Finding | Unchecked]:
    """A pool with addresses of nodes, of their networks or of Services in it."""
    if (why := scene.cluster_missing("IPPools")) is not None and not scene.fabric.pools:
        yield entries.OVERLAPS_HOST.unchecked(None, why)
        return
    pools = in_question(scene)
    if not pools:
        return
    uses = [*_of_nodes(scene), *_of_services(scene)]
    for place in scene.read(entries.OVERLAPS_HOST, "links", "addresses"):
        if isinstance(place, Unchecked):
            yield place
        else:
            uses += _of_cards(scene, place)
    blocks = [
        (block.cidr, around) for block in scene.cluster.blocks if not block.deleted and (around := network(block.cidr))
    ]
    for pool, around in pools:
        hits = [use for use in uses if _overlap(around, use.network)]
        if hits:
            taken = [(cidr, use) for use in hits if use.is_point for cidr, of in blocks if _overlap(of, use.network)]
            yield _overlapping(pool, hits, taken)


def _overlapping(pool: IPPool, hits: list[_Use], taken: list[tuple[str, _Use]]) -> Finding:
    words = list(dict.fromkeys(use.words for use in (*(use for _, use in taken), *hits)))
    more = f" and {len(words) - 3} more" if len(words) > 3 else ""
    summary = f"The pool {pool.name} ({pool.cidr}) has addresses in it that are not pods': {', '.join(words[:3])}{more}"
    if taken:
        cidr, use = taken[0]
        summary += f"; the block {cidr} covers {use.network.network_address}, so packets to it go to a node's pods."
    else:
        summary += "; packets to them are taken for pods' packets, and are lost once a block covers them."
    return entries.OVERLAPS_HOST.found(
        None,
        summary,
        evidence=(
            pool_line(pool),
            *(f"API IPAMBlock {cidr}: covers {use.network}" for cidr, use in taken[:MOST_LINES]),
            *[use.line for use in (*(use for _, use in taken), *hits)][:MOST_LINES],
        ),
        fix=(
            "# create an IPPool of a range that is free (same modes, natOutgoing and blockSize), then:",
            f"{disable(pool)}  # no new addresses of it",
            "# re-create the pods that have addresses of it, and delete it",
        ),
        subject=pool.cidr,
        severity=Severity.ERROR if taken else Severity.WARNING,
    )


def _of_nodes(scene: Scene) -> Iterator[_Use]:
    for name in scene.nodes:
        node = scene.node(name)
        told = [(ip, f"API Node {name} InternalIP: {ip}") for ip in node.internal_ips]
        told += [
            (text, f"API Node {name} projectcalico.org/{note}: {text}")
            for note, text in (("IPv4Address", node.bgp_address), ("IPv6Address", node.bgp_address6))
            if text
        ]
        for text, line in told:
            if (ip := address(text)) is not None:
                yield _Use(_alone(ip), f"{name} ({ip})", line, is_point=True)


def _of_services(scene: Scene) -> Iterator[_Use]:
    cluster = scene.cluster
    for text in cluster.service_ips:
        if (ip := address(text)) is not None:
            line = f"API Service default/kubernetes clusterIP: {text}"
            yield _Use(_alone(ip), f"the Service kubernetes ({ip})", line, is_point=True)
    told = [(cidr, f"API ServiceCIDR: {cidr}") for cidr in cluster.service_cidrs]
    told += [
        (cidr, f"API BGPConfiguration {one.name} serviceClusterIPs: {cidr}")
        for one in cluster.bgp
        for cidr in one.service_cidrs
    ]
    for cidr, line in told:
        if (around := network(cidr)) is not None:
            yield _Use(around, f"Services ({around})", line)


def _of_cards(scene: Scene, place: Place) -> Iterator[_Use]:
    """The networks of a node's cards and bridges, and its default gateways."""
    for link in place.namespace.links:
        if link.name == "lo" or link.name.startswith((*_OF_PODS, *scene.fabric.prefixes)):
            continue
        for held in link.addresses:
            ip = address(held.ip)
            if ip is None or held.scope != "global" or held.prefix_length >= ip.max_prefixlen:
                continue
            around = network(f"{ip}/{held.prefix_length}")
            if around is not None:
                words = f"the network {around} of {link.name} on {place.node}"
                yield _Use(around, words, held_line(place, link, ip, held.prefix_length))
    for route in place.namespace.routes:
        gateway = address(route.gateway) if route.prefix in ("0.0.0.0/0", "::/0") and route.gateway else None
        if gateway is not None and not gateway.is_link_local:
            line = scene.line(place.label, "ip route", route.text)
            yield _Use(_alone(gateway), f"the gateway {gateway} of {place.node}", line, is_point=True)


def overlap(scene: Scene) -> Iterator[Finding | Unchecked]:
    """Two pools around the same addresses."""
    if (why := scene.cluster_missing("IPPools")) is not None:
        yield entries.OVERLAP.unchecked(None, why)
        return
    everyone = [(pool, around) for pool in scene.fabric.pools if for_pods(pool) and (around := network(pool.cidr))]
    concerned = {pool.name for pool, _ in in_question(scene)}
    for position, (pool, around) in enumerate(everyone):
        for other, inside in everyone[position + 1 :]:
            if not _overlap(around, inside) or not concerned & {pool.name, other.name}:
                continue
            outer, inner = (other, pool) if around.prefixlen > inside.prefixlen else (pool, other)
            modes = (outer.ipip_mode, outer.vxlan_mode) != (inner.ipip_mode, inner.vxlan_mode)
            effect = "and carry packets in different ways" if modes else "so an address has two pools"
            yield entries.OVERLAP.found(
                None,
                f"The pools {outer.name} ({outer.cidr}) and {inner.name} ({inner.cidr}) overlap, {effect}.",
                evidence=(pool_line(outer), pool_line(inner)),
                fix=(
                    disable(inner),
                    f"# re-create the pods with addresses of {inner.cidr}, then:",
                    f"kubectl delete ippool {shlex.quote(inner.name)}",
                ),
                subject=inner.cidr,
            )


def _alone(ip: Address) -> Network:
    return ipaddress.ip_network(ip)


def _overlap(one: Network, other: Network) -> bool:
    """Whether two prefixes of one family share addresses; of two families none do."""
    if one.version == 4:
        return other.version == 4 and one.overlaps(other)
    return other.version == 6 and one.overlaps(other)
