"""What a recording asks each node, so that later traces find the kernel's answers and the containers in it.

Pure: from the inventory to questions. A question costs a node two or three `ip route get`, so in a large cluster none
are asked and traces of the recording rest on the tables.
"""

from __future__ import annotations

from itertools import permutations

from calitui.facts.cluster import Cluster, Node, Pod
from calitui.facts.node import Question
from calitui.nodes.reading import ReadRequest
from calitui.nodes.script import LARGEST_QUESTIONS


def plan(cluster: Cluster, nodes: tuple[Node, ...]) -> tuple[ReadRequest, ...]:
    """One request per node: its own pods' containers, and every packet that starts or ends on it."""
    return tuple(ReadRequest(node, _questions(cluster, node), _containers(cluster, node)) for node in nodes)


def _questions(cluster: Cluster, node: Node) -> tuple[Question, ...]:
    pods = _addresses(cluster)
    ends = {**pods, **{other.internal_ips[0]: other.name for other in cluster.nodes if other.internal_ips}}
    pairs = [
        Question(source, destination)
        for source, destination in permutations(ends, 2)
        if node.name in (ends[source], ends[destination])
        and (source in pods or destination in pods)
        and (":" in source) == (":" in destination)
    ]
    return tuple(pairs) if len(pairs) <= LARGEST_QUESTIONS else ()


def _containers(cluster: Cluster, node: Node) -> tuple[str, ...]:
    return tuple(pod.ips[0] for pod in _pods(cluster) if pod.node == node.name)[:LARGEST_QUESTIONS]


def _addresses(cluster: Cluster) -> dict[str, str]:
    """Each running pod's addresses and its node."""
    return {ip: pod.node for pod in _pods(cluster) for ip in pod.ips}


def _pods(cluster: Cluster) -> list[Pod]:
    """The running pods that have a network namespace of their own."""
    own = [pod for pod in cluster.pods if pod.node and pod.ips and not pod.host_network]
    return [pod for pod in own if not pod.is_finished]
