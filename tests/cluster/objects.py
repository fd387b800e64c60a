"""Kubernetes and Calico objects as the API takes them, for tests."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]


def pod(namespace: str, name: str, ip: str = "10.0.0.1", node: str = "node-a", **status: Any) -> Object:
    """A running pod; `status` replaces or adds fields of its status."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": namespace, "name": name, "labels": {"app": name}},
        "spec": {"nodeName": node, "containers": [{"name": "main", "image": "image"}]},
        "status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}]} | status,
    }


def node(name: str, ip: str) -> Object:
    """A node as Calico annotates it."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {
                "projectcalico.org/IPv4Address": f"{ip}/24",
                "projectcalico.org/IPv4IPIPTunnelAddr": "192.168.97.0",
            },
        },
        "status": {
            "addresses": [{"type": "InternalIP", "address": ip}, {"type": "Hostname", "address": name}],
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


def calico(group_version: str) -> list[Object]:
    """One object of each kind that says how a cluster routes; IPAM's own only in `crd.projectcalico.org/v1`."""

    def thing(kind: str, name: str, spec: Object, namespace: str | None = None) -> Object:
        metadata = {"name": name} | ({"namespace": namespace} if namespace else {})
        return {"apiVersion": group_version, "kind": kind, "metadata": metadata, "spec": spec}

    found = [
        thing("IPPool", "default", {"cidr": "192.168.0.0/16", "ipipMode": "Always", "natOutgoing": True}),
        thing("FelixConfiguration", "default", {"ipipEnabled": True, "ipipMTU": 1440}),
        thing("BGPConfiguration", "default", {"nodeToNodeMeshEnabled": False, "asNumber": 64512}),
        thing("BGPPeer", "rack-1", {"peerIP": "10.0.0.254", "asNumber": 64513, "nodeSelector": "all()"}),
        thing("ClusterInformation", "default", {"calicoVersion": "v3.28.1", "datastoreReady": True}),
        thing("NetworkPolicy", "default.web", {}, "shop"),
        thing("GlobalNetworkPolicy", "default.deny", {}),
    ]
    settings = {"strictAffinity": False, "maxBlocksPerHost": 20, "autoAllocateBlocks": True}
    peers = [{"peerIP": "10.0.0.2", "type": "NodeMesh", "state": "Established", "since": "09:19:39"}]
    status = {
        "lastUpdated": "2024-03-01T10:00:00Z",
        "agent": {"birdV4": {"state": "Ready"}},
        "bgp": {"numberEstablishedV4": 1, "peersV4": peers},
    }
    found.append(
        thing("CalicoNodeStatus", "of-node-a", {"node": "node-a", "classes": ["BGP"], "updatePeriodSeconds": 10})
        | {"status": status}
    )
    if group_version.startswith("projectcalico."):
        found.append(thing("IPAMConfiguration", "default", settings))
    if group_version.startswith("crd."):
        found += [
            thing("IPAMConfig", "default", settings),
            thing(
                "IPAMBlock",
                "192-168-97-0-26",
                {
                    "cidr": "192.168.97.0/26",
                    "affinity": "host:node-a",
                    "allocations": [0, None, 1],
                    "attributes": [
                        {"handle_id": "ipip-tunnel-addr-node-a", "secondary": {"type": "ipipTunnelAddress"}},
                        {"handle_id": "k8s.1", "secondary": {"node": "node-b", "namespace": "shop", "pod": "web"}},
                    ],
                },
            ),
            thing(
                "BlockAffinity",
                "node-a-192-168-97-0-26",
                {"node": "node-a", "cidr": "192.168.97.0/26", "state": "confirmed", "deleted": "false"},
            ),
        ]
    return found
