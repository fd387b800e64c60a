"""What to type to have calico-node of one node start anew: by its pod where it is known."""

from __future__ import annotations

from calitui.diagnosis.scene import Scene
from calitui.facts.cluster import Pod

_LABELS = ("calico-node", "canal")


def restart(scene: Scene, node: str) -> tuple[str, ...]:
    """The command, as lines of a fix."""
    pod = scene.of(_by_node).get(node)
    if pod is not None:
        return (f"kubectl -n {pod.namespace} delete pod {pod.name}  # restarts calico-node on {node}",)
    return (
        f"kubectl -n calico-system delete pod -l k8s-app=calico-node --field-selector spec.nodeName={node}"
        "  # kube-system without the operator",
    )


def _by_node(scene: Scene) -> dict[str, Pod]:
    """The calico-node pod of each node."""
    return {
        pod.node: pod
        for pod in scene.cluster.pods
        if pod.labels.get("k8s-app") in _LABELS or pod.name.startswith("calico-node-")
    }
