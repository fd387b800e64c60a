"""The pods that clusters have, as data: those of deployments, and those that every kubeadm node has."""

from __future__ import annotations

import hashlib

from tests.lab.spec import PodSpec


def app(name: str, ip: str, ip6: str | None = None) -> PodSpec:
    """`huang1/huangtest-69d9fddd97-cbzbm` and the like, with the labels their deployment gives them."""
    namespace, pod = name.split("/")
    application, template, _ = pod.rsplit("-", 2)
    return PodSpec(namespace, pod, ip, {"app": application, "pod-template-hash": template}, ip6)


def deployed(application: str, number: int, ip: str, ip6: str | None = None, namespace: str = "shop") -> PodSpec:
    """A pod of a deployment, with a name as Kubernetes would make it: always the same for the same deployment."""
    template = _tail(f"{namespace} {application}", 10)
    return app(f"{namespace}/{application}-{template}-{_tail(f'{namespace} {application} {number}')}", ip, ip6)


def dns(cluster: str, number: int, ip: str) -> PodSpec:
    """One of CoreDNS's."""
    template = "78fcdf6894"
    name = f"coredns-{template}-{_tail(f'{cluster} coredns {number}')}"
    return PodSpec("kube-system", name, ip, {"k8s-app": "kube-dns", "pod-template-hash": template})


def system(node: str, cluster: str, *, control_plane: bool = False) -> tuple[PodSpec, ...]:
    """The host-network pods of a kubeadm node."""
    daemons = tuple(
        PodSpec("kube-system", f"{name}-{_tail(f'{cluster} {name} {node}')}", labels={"k8s-app": name})
        for name in ("calico-node", "kube-proxy")
    )
    if not control_plane:
        return daemons
    return daemons + tuple(
        PodSpec("kube-system", f"{name}-{node}", labels={"component": name, "tier": "control-plane"})
        for name in ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
    )


def _tail(text: str, length: int = 5) -> str:
    # Kubernetes draws the random end of a name from letters and digits that can't spell words (util/rand).
    alphabet = "bcdfghjklmnpqrstvwxz2456789"
    return "".join(alphabet[byte % len(alphabet)] for byte in hashlib.sha256(text.encode()).digest()[:length])
