"""Faults that are in the API alone: objects that contradict each other or the nodes. Packets still arrive."""

from __future__ import annotations

from typing import Any

from tests.lab.breaking import Create, Delete, Fault, Patch
from tests.lab.clusters import BGP
from tests.lab.faults_bgp import BLOCK, CALICO, DESTINATION, ELSEWHERE, THERE, bgp_fault

_BLOCK_NAME = BLOCK.replace(".", "-").replace("/", "-")
_TWIN = BGP.node(ELSEWHERE).workloads[0]
_DESTINATION = BGP.find(DESTINATION)[1]


def _object(kind: str, name: str, **spec: Any) -> dict[str, Any]:
    return {"apiVersion": "crd.projectcalico.org/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def _pool(name: str, cidr: str) -> Create:
    body = _object("IPPool", name, cidr=cidr, ipipMode="Never", natOutgoing=True, blockSize=26)
    return Create(f"{CALICO}/ippools", body)


def _addressed(namespace: str, name: str, ip: str) -> Patch:
    """What the CNI plugin notes on a pod, which comes before what the kubelet says."""
    notes = {"cni.projectcalico.org/podIP": f"{ip}/32", "cni.projectcalico.org/podIPs": f"{ip}/32"}
    return Patch(f"/api/v1/namespaces/{namespace}/pods/{name}", {"metadata": {"annotations": notes}})


_GONE = {"cidr": "192.168.5.64/26", "deleted": "false", "node": "k8s-calico9", "state": "confirmed"}
_GONE_BLOCK = {
    "cidr": "192.168.5.64/26",
    "affinity": "host:k8s-calico9",
    "allocations": [None] * 64,
    "attributes": [],
    "deleted": False,
    "strictAffinity": False,
    "unallocated": list(range(64)),
}
_WAITING = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "huangtest-69d9fddd97-wwwww", "namespace": "huang1"},
    "spec": {"nodeName": THERE, "containers": [{"name": "huangtest", "image": "nginx:1.15"}]},
}
_UNKNOWN = {
    "type": "Ready",
    "status": "Unknown",
    "reason": "NodeStatusUnknown",
    "message": "Kubelet stopped posting node status.",
    "lastHeartbeatTime": "2026-01-01T00:00:00Z",
    "lastTransitionTime": "2026-01-01T00:00:40Z",
}

OBJECT_FAULTS: tuple[Fault, ...] = (
    bgp_fault(
        "node-not-ready-still-peered",
        "node-not-ready-still-peered",
        Patch(f"/api/v1/nodes/{THERE}/status", {"status": {"conditions": [_UNKNOWN]}}),
        lost=False,
    ),
    bgp_fault(
        "two-pods-with-one-address",
        "pod-address-duplicate",
        _addressed(_TWIN.namespace, _TWIN.name, _DESTINATION.ip or ""),
        lost=False,
    ),
    bgp_fault("pools-overlap", "pools-overlap", _pool("second", "192.168.128.0/17"), lost=False),
    bgp_fault(
        "pool-over-the-nodes",
        "pool-overlaps-host-network",
        _pool("second", "10.173.0.0/16"),
        lost=False,
        # The two pods have addresses of the other pool.
        in_trace=False,
    ),
    bgp_fault(
        "pool-replaced",
        "pod-address-outside-pools",
        Delete(f"{CALICO}/ippools/{BGP.pools[0].name}"),
        _pool("new", "172.20.0.0/16"),
        lost=False,
    ),
    bgp_fault(
        "block-of-a-node-that-is-gone",
        "block-affinity-node-gone",
        Create(f"{CALICO}/blockaffinities", _object("BlockAffinity", "k8s-calico9-192-168-5-64-26", **_GONE)),
        Create(f"{CALICO}/ipamblocks", _object("IPAMBlock", "192-168-5-64-26", **_GONE_BLOCK)),
        lost=False,
        in_trace=False,
    ),
    bgp_fault(
        "affinity-pending",
        "block-affinity-not-confirmed",
        Patch(f"{CALICO}/blockaffinities/{THERE}-{_BLOCK_NAME}", {"spec": {"state": "pending"}}),
        lost=False,
    ),
    bgp_fault(
        "block-says-another-owner",
        "block-owner-contradiction",
        Patch(f"{CALICO}/ipamblocks/{_BLOCK_NAME}", {"spec": {"affinity": f"host:{ELSEWHERE}"}}),
        lost=False,
    ),
    bgp_fault(
        "blocks-are-full",
        "ipam-exhausted",
        Create(f"{CALICO}/ipamconfigs", _object("IPAMConfig", "default", maxBlocksPerHost=1, autoAllocateBlocks=True)),
        Patch(f"{CALICO}/ipamblocks/{_BLOCK_NAME}", {"spec": {"unallocated": [], "allocations": [0] * 64}}),
        Create("/api/v1/namespaces/huang1/pods", _WAITING),
        lost=False,
        in_trace=False,
    ),
    bgp_fault(
        "datastore-not-ready",
        "datastore-not-ready",
        Patch(f"{CALICO}/clusterinformations/default", {"spec": {"datastoreReady": False}}),
        lost=False,
    ),
)
