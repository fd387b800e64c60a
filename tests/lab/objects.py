"""What the cluster's API says: nodes, pods and Calico's own objects, made of the same description as the nodes.

Calico's objects are those of the Kubernetes datastore (`crd.projectcalico.org/v1`).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from tests.lab.clusters import CALICO_VERSION, POOL, UNDERLAY, ClusterSpec, NodeSpec, PodSpec

Object = dict[str, Any]

_GROUP = "crd.projectcalico.org/v1"
_IMAGES = {
    "calico-node": f"quay.io/calico/node:{CALICO_VERSION}",
    "kube-dns": "k8s.gcr.io/coredns:1.1.3",
    "huangtest": "nginx:1.15",
    "hhh": "nginx:1.15",
}


def objects(cluster: ClusterSpec, now: str) -> Iterator[Object]:
    """Everything, in an order in which it can be applied. `now` is the time stamp of all statuses (RFC 3339)."""
    yield from _settings(cluster)
    for node in cluster.nodes:
        yield _node(cluster, node, now)
        for cidr in node.blocks:
            yield _affinity(node, cidr)
            yield _block(cluster, node, cidr, now)
        for pod in node.pods:
            yield _pod(node, pod, now)


def _calico(kind: str, name: str, spec: Object) -> Object:
    return {"apiVersion": _GROUP, "kind": kind, "metadata": {"name": name}, "spec": spec}


def _settings(cluster: ClusterSpec) -> Iterator[Object]:
    pool = {"cidr": POOL, "ipipMode": cluster.ipip_mode, "natOutgoing": True, "blockSize": 26}
    yield _calico("IPPool", "default-ipv4-ippool", pool)
    felix = {"ipipEnabled": cluster.tunnelled, "logSeverityScreen": "Info", "reportingInterval": "0s"}
    yield _calico("FelixConfiguration", "default", felix)
    information = {
        "calicoVersion": CALICO_VERSION,
        "clusterGUID": "0e5ad8dd3f6b4a1c8f2d7c9b1a0e4f35",
        "clusterType": "k8s,bgp,kdd",
        "datastoreReady": True,
    }
    yield _calico("ClusterInformation", "default", information)


def _slug(cidr: str) -> str:
    return cidr.replace(".", "-").replace("/", "-")


def _affinity(node: NodeSpec, cidr: str) -> Object:
    spec = {"cidr": cidr, "deleted": "false", "node": node.name, "state": "confirmed"}
    return _calico("BlockAffinity", f"{node.name}-{_slug(cidr)}", spec)


def _block(cluster: ClusterSpec, node: NodeSpec, cidr: str, now: str) -> Object:
    """An IPAM block: per address the number of its attributes, or null."""
    addresses = [str(address) for address in ipaddress.ip_network(cidr)]
    taken: dict[str, Object] = {}
    if cluster.tunnelled and node.tunnel_address in addresses:
        secondary = {"node": node.name, "type": "ipipTunnelAddress"}
        taken[node.tunnel_address] = {"handle_id": f"ipip-tunnel-addr-{node.name}", "secondary": secondary}
    for pod in node.workloads:
        if pod.ip in addresses:
            secondary = {"namespace": pod.namespace, "node": node.name, "pod": pod.name, "timestamp": now}
            taken[pod.ip] = {"handle_id": f"k8s-pod-network.{pod.container_id}", "secondary": secondary}
    numbers = {address: number for number, address in enumerate(taken)}
    spec = {
        "affinity": f"host:{node.name}",
        "allocations": [numbers.get(address) for address in addresses],
        "attributes": list(taken.values()),
        "cidr": cidr,
        "deleted": False,
        "strictAffinity": False,
        "unallocated": [ordinal for ordinal, address in enumerate(addresses) if address not in taken],
    }
    return _calico("IPAMBlock", _slug(cidr), spec)


def _condition(kind: str, now: str) -> Object:
    return {"type": kind, "status": "True", "lastTransitionTime": now}


def _node(cluster: ClusterSpec, node: NodeSpec, now: str) -> Object:
    annotations = {"projectcalico.org/IPv4Address": f"{node.address}/{UNDERLAY.rpartition('/')[2]}"}
    if cluster.tunnelled and node.tunnel_address:
        annotations["projectcalico.org/IPv4IPIPTunnelAddr"] = node.tunnel_address
    labels = {"kubernetes.io/hostname": node.name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
    if any(pod.labels.get("component") == "kube-apiserver" for pod in node.pods):
        labels["node-role.kubernetes.io/master"] = ""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": node.name, "annotations": annotations, "labels": labels},
        "status": {
            "addresses": [
                {"type": "InternalIP", "address": node.address},
                {"type": "Hostname", "address": node.name},
            ],
            "conditions": [_condition("Ready", now) | {"lastHeartbeatTime": now, "reason": "KubeletReady"}],
            "capacity": {"cpu": "4", "memory": "8Gi", "pods": "110"},
            "allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"},
        },
    }


def _pod(node: NodeSpec, pod: PodSpec, now: str) -> Object:
    ip = pod.ip or node.address
    app = next((pod.labels[label] for label in ("app", "k8s-app", "component") if label in pod.labels), "main")
    metadata: Object = {"namespace": pod.namespace, "name": pod.name, "labels": pod.labels}
    if pod.ip:
        metadata["annotations"] = {
            "cni.projectcalico.org/containerID": pod.container_id,
            "cni.projectcalico.org/podIP": f"{ip}/32",
            "cni.projectcalico.org/podIPs": f"{ip}/32",
        }
    image = _IMAGES.get(app, f"k8s.gcr.io/{app}-amd64:v1.11.1")
    running = {
        "name": app,
        "image": image,
        "imageID": "",
        "ready": True,
        "started": True,
        "restartCount": 0,
        "state": {"running": {"startedAt": now}},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {
            "nodeName": node.name,
            "hostNetwork": pod.ip is None,
            "containers": [{"name": app, "image": image}],
        },
        "status": {
            "phase": "Running",
            "hostIP": node.address,
            "podIP": ip,
            "podIPs": [{"ip": ip}],
            "startTime": now,
            "conditions": [_condition(kind, now) for kind in ("Initialized", "Ready", "ContainersReady")],
            "containerStatuses": [running],
        },
    }
