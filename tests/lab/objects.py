"""What the cluster's API says: nodes, pods and Calico's own objects, made of the same description as the nodes.

Calico's objects are those of the Kubernetes datastore (`crd.projectcalico.org/v1`).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from tests.lab.bird import sessions
from tests.lab.spec import AS_NUMBER, ClusterSpec, NodeSpec, PodSpec, PoolSpec

Object = dict[str, Any]

_GROUP = "crd.projectcalico.org/v1"
_APPS = {"huangtest": "nginx:1.15", "hhh": "nginx:1.15"} | dict.fromkeys(
    ("cart", "orders", "report", "search", "web"), "nginx:1.27"
)


def objects(cluster: ClusterSpec, now: str) -> Iterator[Object]:
    """Everything, in an order in which it can be applied. `now` is the time stamp of all statuses (RFC 3339)."""
    yield from _settings(cluster)
    for node in cluster.nodes:
        yield _node(cluster, node, now)
        for cidr in node.blocks:
            yield _affinity(node, cidr)
            yield _block(cluster, node, cidr, now)
        for pod in node.pods:
            yield _pod(cluster, node, pod, now)


def _calico(kind: str, name: str, spec: Object) -> Object:
    return {"apiVersion": _GROUP, "kind": kind, "metadata": {"name": name}, "spec": spec}


def _settings(cluster: ClusterSpec) -> Iterator[Object]:
    for pool in cluster.pools:
        yield _calico("IPPool", pool.name, _pool(cluster, pool))
    felix: Object = {"ipipEnabled": cluster.ipip, "logSeverityScreen": "Info", "reportingInterval": "0s"}
    if cluster.vxlan:
        felix["vxlanEnabled"] = True
    yield _calico("FelixConfiguration", "default", felix)
    if not cluster.mesh:
        yield _calico("BGPConfiguration", "default", {"nodeToNodeMeshEnabled": False, "asNumber": AS_NUMBER})
        for node in cluster.nodes:
            for name, address, as_number in sessions(cluster, node):
                peer = {"peerIP": address, "asNumber": as_number, "node": node.name}
                yield _calico("BGPPeer", f"{node.name}-{_slug(name.lower().replace('_', '-'))}", peer)
    information = {
        "calicoVersion": cluster.calico_version,
        "clusterGUID": "0e5ad8dd3f6b4a1c8f2d7c9b1a0e4f35",
        "clusterType": "k8s,kdd" if cluster.vxlan else "k8s,bgp,kdd",
        "datastoreReady": True,
    }
    yield _calico("ClusterInformation", "default", information)


def _pool(cluster: ClusterSpec, pool: PoolSpec) -> Object:
    size = 26 if pool.network.version == 4 else 122
    spec: Object = {
        "cidr": pool.cidr,
        "ipipMode": pool.ipip_mode,
        "natOutgoing": pool.nat_outgoing,
        "blockSize": size,
    }
    if cluster.is_since(3, 7):
        spec["vxlanMode"] = pool.vxlan_mode
    return spec


def _slug(cidr: str) -> str:
    return cidr.replace(".", "-").replace("/", "-").replace(":", "-")


def _affinity(node: NodeSpec, cidr: str) -> Object:
    spec = {"cidr": cidr, "deleted": "false", "node": node.name, "state": "confirmed"}
    return _calico("BlockAffinity", f"{node.name}-{_slug(cidr)}", spec)


def _block(cluster: ClusterSpec, node: NodeSpec, cidr: str, now: str) -> Object:
    """An IPAM block: per address the number of its attributes, or null."""
    addresses = [str(address) for address in ipaddress.ip_network(cidr)]
    taken: dict[str, Object] = {}
    if cluster.tunnel_device and node.tunnel_address in addresses:
        kind = "ipip" if cluster.ipip else "vxlan"
        secondary = {"node": node.name, "type": f"{kind}TunnelAddress"}
        taken[node.tunnel_address] = {"handle_id": f"{kind}-tunnel-addr-{node.name}", "secondary": secondary}
    for holder in cluster.nodes:
        for pod in holder.workloads:
            for ip in pod.ips:
                if ip in addresses:
                    secondary = {"namespace": pod.namespace, "node": holder.name, "pod": pod.name, "timestamp": now}
                    taken[ip] = {"handle_id": f"k8s-pod-network.{pod.container_id}", "secondary": secondary}
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
    subnet = cluster.subnet_of(node.address)
    notes = {"IPv4Address": f"{node.address}/{subnet.length}"}
    if node.address6 and subnet.cidr6:
        notes["IPv6Address"] = f"{node.address6}/{subnet.cidr6.rpartition('/')[2]}"
    if cluster.ipip and node.tunnel_address:
        notes["IPv4IPIPTunnelAddr"] = node.tunnel_address
    if cluster.vxlan and node.tunnel_address:
        notes |= {"IPv4VXLANTunnelAddr": node.tunnel_address, "VXLANTunnelMACAddr": node.vtep_mac}
    if node.as_number != AS_NUMBER:
        notes["ASNumber"] = str(node.as_number)
    labels = {"kubernetes.io/hostname": node.name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
    if any(pod.labels.get("component") == "kube-apiserver" for pod in node.pods):
        labels["node-role.kubernetes.io/master"] = ""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": node.name,
            "annotations": {f"projectcalico.org/{name}": value for name, value in notes.items()},
            "labels": labels,
        },
        "status": {
            "addresses": [
                *({"type": "InternalIP", "address": ip} for ip in (node.address, node.address6) if ip),
                {"type": "Hostname", "address": node.name},
            ],
            "conditions": [_condition("Ready", now) | {"lastHeartbeatTime": now, "reason": "KubeletReady"}],
            "capacity": {"cpu": "4", "memory": "8Gi", "pods": "110"},
            "allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"},
        },
    }


def _image(cluster: ClusterSpec, app: str) -> str:
    if app == "calico-node":
        return f"quay.io/calico/node:{cluster.calico_version}"
    recent = cluster.is_since(3, 26)
    if app == "kube-dns":
        return "registry.k8s.io/coredns/coredns:v1.11.3" if recent else "k8s.gcr.io/coredns:1.1.3"
    system = f"registry.k8s.io/{app}:v1.31.4" if recent else f"k8s.gcr.io/{app}-amd64:v1.11.1"
    return _APPS.get(app, system)


def _pod(cluster: ClusterSpec, node: NodeSpec, pod: PodSpec, now: str) -> Object:
    ips = pod.ips or tuple(ip for ip in (node.address, node.address6) if ip)
    app = next((pod.labels[label] for label in ("app", "k8s-app", "component") if label in pod.labels), "main")
    metadata: Object = {"namespace": pod.namespace, "name": pod.name, "labels": pod.labels}
    if pod.ip:
        metadata["annotations"] = {
            "cni.projectcalico.org/containerID": pod.container_id,
            "cni.projectcalico.org/podIP": f"{pod.ip}/32",
            "cni.projectcalico.org/podIPs": ",".join(f"{ip}/{128 if ':' in ip else 32}" for ip in ips),
        }
    image = _image(cluster, app)
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
            "podIP": ips[0],
            "podIPs": [{"ip": ip} for ip in ips],
            "startTime": now,
            "conditions": [_condition(kind, now) for kind in ("Initialized", "Ready", "ContainersReady")],
            "containerStatuses": [running],
        },
    }
