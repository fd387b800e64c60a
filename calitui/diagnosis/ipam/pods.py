"""Findings about pods' addresses: in no pool, had by two pods, or by a pod and a tunnel device."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator

from calitui.diagnosis.addresses.seen import held_line
from calitui.diagnosis.calico_node import restart
from calitui.diagnosis.ipam import entries
from calitui.diagnosis.ipam.pools import for_pods, pool_line
from calitui.diagnosis.scene import Address, Scene, address, network
from calitui.facts.cluster import Block, Pod
from calitui.trace.finding import Finding, Severity, Unchecked

MOST_NAMED = 5
"""Pods named in one finding."""

POLICY_ONLY = ("eni", "azv", "gke")
"""Prefixes of veths that another plugin makes: Calico applies policies there and routes nothing."""

_DEVICES = ("tunl0", "vxlan.calico", "vxlan-v6.calico", "wireguard.cali", "wg-v6.cali")

_TUNNELS = (
    ("IPv4IPIPTunnelAddr", "ipip_address"),
    ("IPv4VXLANTunnelAddr", "vxlan_address"),
    ("IPv6VXLANTunnelAddr", "vxlan_address6"),
    ("IPv4WireguardInterfaceAddr", "wireguard_address"),
)


def _name(pod: Pod) -> str:
    return f"{pod.namespace}/{pod.name}"


def _line(pod: Pod, ip: Address) -> str:
    return f"API Pod {_name(pod)} on {pod.node}: podIP {ip} ({pod.status or pod.phase})"


def _addresses(pod: Pod, family: int) -> list[Address]:
    return [ip for text in pod.ips if (ip := address(text)) is not None and ip.version == family]


def _delete(pod: Pod) -> str:
    return f"kubectl -n {shlex.quote(pod.namespace)} delete pod {shlex.quote(pod.name)}"


def outside_pools(scene: Scene) -> Iterator[Finding | Unchecked]:
    """Pods with an address of no pool, in a cluster and on nodes where Calico gives pods theirs."""
    if (why := scene.cluster_missing("IPPools", "pods")) is not None:
        yield entries.OUTSIDE_POOLS.unchecked(None, why)
        return
    if any(prefix.startswith(POLICY_ONLY) for prefix in scene.fabric.prefixes):
        return
    for family in (4, 6):
        yield from _outside(scene, family)


class _Blocks:
    """The addresses of IPAM's blocks, whether a pool is still around them or not."""

    def __init__(self, blocks: Iterable[Block], family: int) -> None:
        found = (network(block.cidr) for block in blocks if not block.deleted)
        self._starts: dict[int, set[int]] = {}
        for one in found:
            if one is not None and one.version == family:
                self._starts.setdefault(one.max_prefixlen - one.prefixlen, set()).add(int(one.network_address))

    def __contains__(self, ip: Address) -> bool:
        number = int(ip)
        return any(number >> bits << bits in starts for bits, starts in self._starts.items())


def _outside(scene: Scene, family: int) -> Iterator[Finding]:
    pools = [pool for pool in scene.cluster.pools if for_pods(pool)]
    around = [one for pool in pools if (one := network(pool.cidr)) is not None and one.version == family]
    blocks = _Blocks(scene.cluster.blocks, family)
    inside: Counter[str] = Counter()
    for pod in scene.cluster.pods:
        if not pod.host_network and not pod.is_finished:
            ips = _addresses(pod, family)
            inside[pod.node] += any(ip in pool for ip in ips for pool in around) or any(ip in blocks for ip in ips)
    if not inside.total():
        return
    told = {node.name for node in scene.cluster.nodes if (node.bgp_address6 if family == 6 else node.bgp_address)}
    found: list[tuple[Pod, Address]] = []
    for pod in scene.pods:
        # A node without an address of Calico's and without any pod of IPAM's is another plugin's (Fargate, Windows).
        if pod.node not in told and not inside[pod.node]:
            continue
        found += [(pod, ip) for ip in _addresses(pod, family) if not any(ip in pool for pool in around)]
    if not found:
        return
    first, ip = found[0]
    rest = f" and {len(found) - 1} more" if len(found) > 1 else ""
    are = "have addresses" if len(found) > 1 else "has an address"
    yield entries.OUTSIDE_POOLS.found(
        None,
        f"{_name(first)} ({ip}){rest} {are} of no pool: no node tells the others the way there.",
        evidence=(
            *(_line(pod, ip) for pod, ip in found[:MOST_NAMED]),
            *(pool_line(pool) for pool in pools[:MOST_NAMED] if (":" in pool.cidr) is (family == 6)),
        ),
        fix=(
            *(_delete(pod) for pod, _ in found[:MOST_NAMED]),
            f"ssh {shlex.quote(first.node)} ls /etc/cni/net.d  # Calico's must be the first of its configurations",
        ),
        subject=f"{_name(first)}{rest}",
        affected=(pod.node for pod, _ in found),
    )


def duplicate(scene: Scene) -> Iterator[Finding | Unchecked]:
    """Pods with a network of their own that have one address."""
    holders: dict[str, list[Pod]] = {}
    for pod in scene.cluster.pods:
        if not pod.host_network and not pod.is_finished:
            for text in set(pod.ips):
                holders.setdefault(text, []).append(pod)
    wanted = {text for pod in scene.pods for text in pod.ips}
    for text, pods in holders.items():
        ip = address(text)
        if len(pods) < 2 or text not in wanted or ip is None:
            continue
        owners = _owners(scene, ip)
        strangers = [pod for pod in pods if (pod.namespace, pod.name) not in owners] if owners else pods[1:]
        # A pod that is ending keeps its address in the API for some seconds after IPAM took it back.
        ending = sum(pod.status == "Terminating" for pod in pods) >= len(pods) - 1
        first, second, *more = pods
        rest = f" (and {len(more)} more)" if more else ""
        yield entries.POD_DUPLICATE.found(
            (strangers or pods)[0].node or None,
            f"{_name(first)} on {first.node} and {_name(second)} on {second.node}{rest} both have {ip}: "
            "only one of them gets the packets.",
            evidence=(*(_line(pod, ip) for pod in pods[:MOST_NAMED]), *owners.values()),
            fix=[_delete(pod) for pod in (strangers or pods[1:])[:MOST_NAMED]],
            subject=str(ip),
            affected=(pod.node for pod in pods if pod.node != (strangers or pods)[0].node),
            severity=Severity.INFO if ending else Severity.ERROR,
        )


def _owners(scene: Scene, ip: Address) -> dict[tuple[str, str], str]:
    """The pods that IPAM knows under an address, with its record."""
    return {
        (one.namespace, one.pod): f"API IPAMBlock {block.cidr}: {one.ip} is {one.namespace}/{one.pod}'s on {one.node}"
        for block in scene.cluster.blocks
        if not block.deleted
        for one in block.allocations
        if address(one.ip) == ip
    }


def holds_tunnel(scene: Scene) -> Iterator[Finding | Unchecked]:
    """A pod with the address of a tunnel device."""
    tunnels = _tunnels(scene)
    for pod in scene.pods:
        for text in pod.ips:
            ip = address(text)
            if ip is None or ip not in tunnels:
                continue
            holder, line = tunnels[ip]
            yield entries.HOLDS_TUNNEL.found(
                pod.node,
                f"{_name(pod)} on {pod.node} has {ip}, which is the address of {holder}'s tunnel device: "
                f"packets to the pod end at {holder} itself.",
                evidence=(_line(pod, ip), line),
                fix=(_delete(pod), *restart(scene, holder)),
                subject=_name(pod),
                affected=(holder,) if holder != pod.node else (),
            )


def _tunnels(scene: Scene) -> dict[Address, tuple[str, str]]:
    """Addresses of tunnel devices, by Calico's annotations and as seen, with their node and the line that says so."""
    tunnels: dict[Address, tuple[str, str]] = {}
    for node in scene.cluster.nodes:
        for note, field in _TUNNELS:
            value = getattr(node, field)
            if (ip := address(value)) is not None:
                tunnels.setdefault(ip, (node.name, f"API Node {node.name} projectcalico.org/{note}: {value}"))
    for name in scene.facts:
        place = scene.place(name)
        for device in _DEVICES if place is not None else ():
            link = place.link(device) if place is not None else None
            for held in link.addresses if link is not None else ():
                ip = address(held.ip) if held.scope == "global" else None
                if place is not None and link is not None and ip is not None:
                    tunnels.setdefault(ip, (name, held_line(place, link, ip, held.prefix_length)))
    return tunnels
