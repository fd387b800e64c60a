"""From what a person typed to an end of a path: a pod by name or address, a node by address, an address outside."""

from __future__ import annotations

import difflib
import ipaddress

import msgspec

from calitui.errors import UsageError
from calitui.facts.cluster import Cluster, Pod
from calitui.facts.text import clean
from calitui.trace.path import Endpoint


def resolve(cluster: Cluster, wanted: str, namespace: str | None = None) -> Endpoint:
    """The end that `namespace/pod`, `pod` (in `namespace`, else the cluster's default) or an address means.

    An address that nobody in the cluster has and no pool contains is taken to be outside of it.

    Raises:
        UsageError: nothing has that name or address (close names are suggested), or it has no address to trace.
    """
    wanted = wanted.strip()
    address = _address(wanted)
    if address is not None:
        return _by_address(cluster, address)
    where, _, name = wanted.rpartition("/")
    where = where or namespace or cluster.namespace
    found = next((pod for pod in cluster.pods if pod.name == name and pod.namespace == where), None)
    if found is None:
        raise UsageError(f"No pod {clean(where)}/{clean(name)}", _suggest(cluster, where, name))
    return _of_pod(found)


def _of_pod(pod: Pod) -> Endpoint:
    label = f"{pod.namespace}/{pod.name}"
    if pod.is_finished:
        raise UsageError(
            f"{label} is finished ({pod.status or pod.phase}): its address may belong to another pod by now",
            "Pick a running pod",
        )
    if not pod.node:
        raise UsageError(f"{label} is on no node yet ({pod.status or pod.phase})", "Wait until it is scheduled")
    if not pod.ips:
        raise UsageError(f"{label} has no address yet ({pod.status or pod.phase})", "Try again when it runs")
    return Endpoint(
        kind="host-network-pod" if pod.host_network else "pod",
        namespace=pod.namespace,
        name=pod.name,
        node=pod.node,
        ip=pod.ips[0],
        ips=pod.ips,
    )


def _by_address(cluster: Cluster, address: str) -> Endpoint:
    owners = [pod for pod in cluster.pods if address in pod.ips and not pod.host_network and not pod.is_finished]
    if len(owners) > 1:
        names = ", ".join(f"{pod.namespace}/{pod.name}" for pod in owners[:4])
        raise UsageError(f"{address} is claimed by {len(owners)} pods: {names}", "Name one of them")
    if owners:
        return msgspec.structs.replace(_of_pod(owners[0]), ip=address, ips=(address,))
    for node in cluster.nodes:
        annotated = [(known or "").partition("/")[0] for known in (node.bgp_address, node.bgp_address6)]
        tunnels = (node.ipip_address, node.vxlan_address, node.vxlan_address6, node.wireguard_address)
        if address in (*node.internal_ips, *node.external_ips, *annotated, *tunnels):
            return Endpoint(kind="node", name=None, node=node.name, ip=address)
    pool = next((pool for pool in cluster.pools if _inside(address, pool.cidr)), None)
    if pool is not None:
        raise UsageError(
            f"No pod has the address {address}, though it is in pool {pool.cidr}", "`calitui pods -A` lists all"
        )
    return Endpoint(kind="external", ip=address)


def _inside(address: str, cidr: str) -> bool:
    try:
        network = ipaddress.ip_network(cidr, strict=False)
    except ValueError:
        return False
    return ipaddress.ip_address(address) in network


def _address(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


def _suggest(cluster: Cluster, namespace: str, name: str) -> str:
    if not cluster.pods:
        return "No pods were read at all"
    elsewhere = [f"{pod.namespace}/{pod.name}" for pod in cluster.pods if pod.name == name]
    if elsewhere:
        return f"There is {' and '.join(elsewhere[:3])}"
    everywhere = {f"{pod.namespace}/{pod.name}" for pod in cluster.pods}
    close = difflib.get_close_matches(f"{namespace}/{name}", everywhere, n=3, cutoff=0.6)
    close = close or sorted(full for full in everywhere if name and name in full)[:3]
    if close:
        return f"Did you mean {' or '.join(close)}?"
    if not any(pod.namespace == namespace for pod in cluster.pods):
        return f"There is no pod in namespace {clean(namespace)}; `calitui pods -A` lists all"
    return "`calitui pods -A` lists all"
