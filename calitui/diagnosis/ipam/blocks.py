"""Findings about IPAM's blocks: whose they are, and whether any address is left in them."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator

from calitui.diagnosis.calico_node import restart
from calitui.diagnosis.ipam import entries
from calitui.diagnosis.ipam.pools import for_pods, pool_line
from calitui.diagnosis.scene import Network, Scene, network
from calitui.facts.cluster import Block, BlockAffinity, IPPool, Pod
from calitui.trace.finding import Finding, Severity, Unchecked

MOST_LINES = 6
"""Lines of evidence of one kind in one finding."""

_VIRTUAL = frozenset({"load-balancer"})
"""What kube-controllers writes for a node into affinities of addresses for Services of type LoadBalancer."""

_WAITING = ("ContainerCreating", "Pending")


def affinity_gone(scene: Scene) -> Iterator[Finding | Unchecked]:
    """Blocks of a node that the API does not know."""
    why = scene.cluster_missing("nodes", "IPAM blocks")
    if why is not None:
        yield entries.AFFINITY_GONE.unchecked(None, why)
        return
    known = {node.name for node in scene.cluster.nodes}
    of_all = {block.node for block in scene.cluster.blocks if block.node is not None and not block.deleted}
    owners: dict[str, dict[Network, str]] = {}
    for cidr, node, line in _claims(scene):
        owners.setdefault(node, {}).setdefault(cidr, line)
    if not known or not owners:
        return
    if not known & of_all:
        # Calico's names of nodes need not be Kubernetes' (CALICO_K8S_NODE_REF): then nothing can be said.
        reason = f"no block belongs to a node of the API: Calico calls nodes by other names ({min(owners)})"
        yield entries.AFFINITY_GONE.unchecked(None, reason)
        return
    for node in sorted(set(owners) - known):
        lines = owners[node]
        first, *more = lines
        rest = f" and {len(more)} more" if more else ""
        yield entries.AFFINITY_GONE.found(
            None,
            f"The block {first}{rest} belongs to {node}, a node that is not in the cluster (any more): "
            "nobody announces it, and its free addresses are lost to others.",
            evidence=(
                *list(lines.values())[:MOST_LINES],
                f"API Nodes: {len(known)}, none is called {node}",
            ),
            fix=(
                "kubectl get pods -A -l k8s-app=calico-kube-controllers  # does it run? It releases such blocks",
                "calicoctl ipam check -o report.json",
                "calicoctl ipam release --from-report=report.json  # frees what the report calls leaked",
                f"calicoctl delete node {shlex.quote(node)}  # if Calico still has it",
            ),
            subject=node,
        )


def _claims(scene: Scene) -> Iterator[tuple[Network, str, str]]:
    """Blocks in question with the node each record names, and the record."""
    around = {network(block.cidr) for block in scene.blocks} if scene.trace is not None else None
    virtual = {network(block.cidr) for block in scene.cluster.blocks if block.node is None}
    for block in scene.blocks:
        found = network(block.cidr)
        if block.node is not None and found is not None:
            yield found, block.node, _block_line(block)
    for affinity in scene.cluster.affinities:
        found = network(affinity.cidr)
        if affinity.deleted or not affinity.node or affinity.node in _VIRTUAL or found is None or found in virtual:
            continue
        if around is None or found in around:
            yield found, affinity.node, _affinity_line(affinity)


def _block_line(block: Block) -> str:
    return f"API IPAMBlock {block.cidr}: affinity host:{block.node}"


def _affinity_line(affinity: BlockAffinity) -> str:
    return f"API BlockAffinity of {affinity.node}: cidr {affinity.cidr} state {affinity.state}"


def contradiction(scene: Scene) -> Iterator[Finding | Unchecked]:
    """A block that its own record and a confirmed affinity, or two confirmed affinities, give to different nodes."""
    why = scene.cluster_missing("IPAM blocks", "block affinities")
    if why is not None:
        yield entries.CONTRADICTION.unchecked(None, why)
        return
    confirmed: dict[Network, dict[str, BlockAffinity]] = {}
    for affinity in scene.cluster.affinities:
        found = network(affinity.cidr)
        if found is not None and affinity.node and affinity.state == "confirmed" and not affinity.deleted:
            confirmed.setdefault(found, {})[affinity.node] = affinity
    for block in scene.blocks:
        found = network(block.cidr)
        if found is None or block.node is None:
            continue
        claims = confirmed.get(found, {})
        others = [affinity for node, affinity in claims.items() if node != block.node]
        if not others:
            continue
        second = others[0]
        pods = [one for one in block.allocations if one.pod]
        yield entries.CONTRADICTION.found(
            second.node,
            f"The block {block.cidr} is {block.node}'s by its own record, but {second.node} has a confirmed affinity "
            "to it: both may announce it, and packets for its pods go to the wrong one.",
            evidence=(
                _block_line(block),
                *(_affinity_line(one) for one in claims.values()),
                *(
                    f"API IPAMBlock {block.cidr}: {one.ip} is {one.namespace}/{one.pod}'s on {one.node}"
                    for one in pods[:3]
                ),
            ),
            fix=(
                "calicoctl ipam check --show-problem-ips",
                *(
                    f"kubectl get blockaffinities.crd.projectcalico.org | grep {shlex.quote(one.node)}"
                    f"  # the one of {one.cidr} is wrong if no pod on {one.node} has an address of it: delete it"
                    for one in others
                ),
                *restart(scene, second.node),
            ),
            subject=str(found),
            affected=(block.node, *(one.node for one in others[1:])),
        )


def exhausted(scene: Scene) -> Iterator[Finding | Unchecked]:
    """Nodes whose pods wait for an address while no pool has one for them."""
    if scene.trace is not None:
        return
    waiting: dict[str, list[Pod]] = {}
    for pod in scene.cluster.pods:
        if pod.node and not pod.ips and not pod.host_network and pod.phase == "Pending" and pod.status in _WAITING:
            waiting.setdefault(pod.node, []).append(pod)
    if not waiting:
        return
    if (why := scene.cluster_missing("IPPools", "IPAM blocks", "IPAMConfig")) is not None:
        yield entries.EXHAUSTED.unchecked(None, why)
        return
    pools = [pool for pool in scene.cluster.pools if for_pods(pool) and not pool.disabled and network(pool.cidr)]
    blocks = [block for block in scene.cluster.blocks if not block.deleted and network(block.cidr)]
    for family in (4, 6):
        serving = [pool for pool in pools if (":" in pool.cidr) is (family == 6)]
        held = [block for block in blocks if _size(block.cidr) and _inside(block, serving)]
        if serving and held:
            for node, pods in waiting.items():
                yield from _without_address(scene, node, pods, serving, held)


def _without_address(
    scene: Scene, node: str, pods: list[Pod], pools: list[IPPool], blocks: list[Block]
) -> Iterator[Finding]:
    settings = scene.cluster.ipam
    own = [block for block in blocks if block.node == node]
    limit = settings.max_blocks_per_host if settings is not None else 0
    strict = settings is not None and settings.strict_affinity
    at_limit = 0 < limit <= len(own)
    unclaimed = sum(_size(pool.cidr) for pool in pools) - sum(_size(block.cidr) for block in blocks)
    if _free(own) > 0 or (unclaimed > 0 and not at_limit):
        return
    borrowable = 0 if strict else _free(blocks)
    if borrowable and not at_limit:
        return
    names = ", ".join(f"{pod.namespace}/{pod.name}" for pod in pods[:3])
    rest = f" and {len(pods) - 3} more" if len(pods) > 3 else ""
    what = f"it has its {limit} blocks and all are full" if at_limit else "all blocks of its pools are full"
    evidence = [
        *(f"API Pod {pod.namespace}/{pod.name} on {node}: {pod.status}, no podIP" for pod in pods[:3]),
        *(pool_line(pool) for pool in pools[:3]),
        *(f"{_block_line(block)}, {len(block.allocations)} of {_size(block.cidr)} taken" for block in own[:MOST_LINES]),
    ]
    if settings is not None:
        evidence.append(f"API IPAMConfig default: maxBlocksPerHost {limit} strictAffinity {str(strict).lower()}")
    patch = f'{{"spec":{{"maxBlocksPerHost":{limit * 2}}}}}'
    yield entries.EXHAUSTED.found(
        node,
        f"{names}{rest} on {node} can't start: IPAM has no address for them, {what}.",
        evidence=evidence,
        fix=(
            f"kubectl -n {shlex.quote(pods[0].namespace)} describe pod {shlex.quote(pods[0].name)}  # IPAM's own words",
            f"kubectl patch ipamconfigs.crd.projectcalico.org default --type merge -p '{patch}'"
            if at_limit
            else "# add an IPPool of a range that is free",
            "calicoctl ipam check --show-problem-ips  # addresses and blocks that nobody uses any more",
        ),
        severity=Severity.WARNING if borrowable else Severity.ERROR,
    )


def _inside(block: Block, pools: Iterable[IPPool]) -> bool:
    around = network(block.cidr)
    found = (network(pool.cidr) for pool in pools)
    return around is not None and any(
        pool is not None and pool.version == around.version and around.network_address in pool for pool in found
    )


def _size(cidr: str) -> int:
    found = network(cidr)
    return found.num_addresses if found is not None else 0


def _free(blocks: Iterable[Block]) -> int:
    return sum(max(0, _size(block.cidr) - len(block.allocations)) for block in blocks)
