"""Which pod of a node sees the node's own network, and may be asked. Pure: from the inventory's pods to one of them.

calico-node runs in the host's network namespace, and so does canal's, which has the same container. A pod that only
carries the label is not enough: whoever may create pods could otherwise have routes of her own taken for the node's.
"""

from __future__ import annotations

from collections.abc import Iterable

from calitui.errors import NodeError
from calitui.facts.cluster import Node, Pod
from calitui.facts.text import clean

CONTAINER = "calico-node"
"""The container's name in Calico's manifests, the operator's, and canal's (projectcalico/calico: manifests/)."""

LABEL = "k8s-app"
APPS = ("calico-node", "canal")
"""Values of the label `k8s-app`: of Calico's own DaemonSet and of canal's."""

NAMESPACES = ("calico-system", "kube-system")
"""Where the operator and the plain manifests put it; they are preferred to any other."""

_HINT = "Use --via ssh for this node"


def calico_node(node: Node, pods: Iterable[Pod]) -> Pod:
    """The calico-node pod to run the script in.

    Raises:
        NodeError: none runs on the node; the message says what there is instead.
    """
    there = [pod for pod in pods if pod.node == node.name and pod.labels.get(LABEL) in APPS and not pod.is_finished]
    name = clean(node.name)
    if not there:
        raise NodeError(f"No calico-node pod of {name} is in the list of pods", _HINT)
    host = [pod for pod in there if pod.host_network]
    if not host:
        raise NodeError(f"{target(there[0])} is labelled as calico-node but has not the network of {name}", _HINT)
    running = [pod for pod in host if pod.phase == "Running"]
    if not running:
        said = clean(host[0].status or host[0].phase or "not running")
        raise NodeError(f"The calico-node pod {target(host[0])} of {name} is {said}", _HINT)
    return min(running, key=_rank)


def target(pod: Pod) -> str:
    """The pod's full name, for a person."""
    return clean(f"{pod.namespace}/{pod.name}")


def _rank(pod: Pod) -> tuple[int, bool, float, str]:
    """Well-known namespaces first, then pods that stay, then the newest."""
    place = NAMESPACES.index(pod.namespace) if pod.namespace in NAMESPACES else len(NAMESPACES)
    return place, pod.status == "Terminating", -(pod.created or 0.0), f"{pod.namespace}/{pod.name}"
