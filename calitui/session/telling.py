"""Which pair of pods of a recording tells most, to begin a walkthrough with.

Both must have been read from inside, on different nodes. A pair whose path is broken tells more than a healthy one, and
one between subnets more than one within.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from itertools import permutations

import msgspec

from calitui.facts.cluster import Cluster, Pod
from calitui.facts.snapshot import Snapshot
from calitui.trace.ends import resolve
from calitui.trace.path import Verdict
from calitui.trace.tracing import trace

_MOST_PAIRS = 64
"""Pairs that are traced to find a broken one."""
_OF_THE_SYSTEM = ("kube-system", "calico-system", "tigera-operator")


class Pair(msgspec.Struct, frozen=True):
    """Both ends as `Session.trace` takes them."""

    source: str
    destination: str


def telling_pair(snapshot: Snapshot) -> Pair | None:
    """The pair, always the same one for a recording; None where no two pods on different nodes were read."""
    pods = sorted(_read_inside(snapshot), key=_rank)
    pairs = [pair for pair in permutations(pods, 2) if pair[0].node != pair[1].node]
    if not pairs:
        return None
    pairs.sort(key=lambda pair: (pair[0].namespace in _OF_THE_SYSTEM, _rank(pair[0]), _closeness(snapshot, *pair)))
    broken = (pair for pair in pairs[:_MOST_PAIRS] if _is_broken(snapshot, *pair))
    first, second = next(broken, pairs[0])
    return Pair(_name(first), _name(second))


def _read_inside(snapshot: Snapshot) -> Iterator[Pod]:
    """Pods of their own network whose container's namespace is in the recording."""
    inside = {(node.name, container.ip) for node in snapshot.nodes for container in node.containers}
    for pod in snapshot.cluster.pods:
        if not pod.host_network and pod.node and any((pod.node, ip) in inside for ip in pod.ips):
            yield pod


def _rank(pod: Pod) -> tuple[bool, str, str, str]:
    return pod.namespace in _OF_THE_SYSTEM, pod.node or "", pod.namespace, pod.name


def _closeness(snapshot: Snapshot, first: Pod, second: Pod) -> tuple[bool, bool, str, str, str]:
    """The order of the destinations of one source: of the system last, in the same subnet after others."""
    system, *names = _rank(second)
    return system, _share_subnet(snapshot.cluster, first.node, second.node), names[0], names[1], names[2]


def _share_subnet(cluster: Cluster, first: str | None, second: str | None) -> bool:
    addresses = {node.name: node.bgp_address for node in cluster.nodes}
    here, there = addresses.get(first or ""), addresses.get(second or "")
    if not here or not there:
        return True
    try:
        return ipaddress.ip_interface(there).ip in ipaddress.ip_interface(here).network
    except ValueError:
        return True


def _is_broken(snapshot: Snapshot, first: Pod, second: Pod) -> bool:
    ends = (resolve(snapshot.cluster, _name(first)), resolve(snapshot.cluster, _name(second)))
    return trace(snapshot.cluster, snapshot.nodes, *ends).verdict is Verdict.BROKEN


def _name(pod: Pod) -> str:
    return f"{pod.namespace}/{pod.name}"
