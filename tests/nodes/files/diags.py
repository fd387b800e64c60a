"""The article's clusters as the files that `calicoctl cluster diags` would have written on them."""

from __future__ import annotations

import gzip
import io
import lzma
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from calitui.facts.cluster import Cluster
from tests.trace import seed

STAMP = "calico-diagnostics-20240301_101500"
NODES = ("k8s-calico2", "k8s-calico3")
TTY = "Unable to use a TTY - input is not a terminal or the right kind of file\n"


def files(which: str) -> dict[str, str]:
    """Path and text of each file; `which` is `ipip` or `bgp`."""
    cluster = seed.cluster("Always" if which == "ipip" else "Never")
    found = {
        "cluster/kubernetes/pods.yaml": kubectl(pods(cluster)),
        "cluster/kubernetes/pods.txt": "NAMESPACE NAME READY STATUS\n",
        "cluster/kubernetes/nodes.yaml": kubectl(nodes(cluster)),
        "cluster/kubernetes/networkpolicies.yaml": kubectl([]),
        "cluster/crd/ippools.crd.projectcalico.org.yaml": kubectl(pools(cluster)),
        "cluster/crd/clusterinformations.crd.projectcalico.org.yaml": kubectl([information()]),
        "cluster/version.yaml": "clientVersion:\n  gitVersion: v1.30.1\nserverVersion:\n  gitVersion: v1.29.4\n",
    }
    for name in NODES:
        tunnel = seed.TUNNELS[name] if which == "ipip" else None
        folder = f"nodes/{name}"
        links = seed.node_links(name, tunnel, seed.VETHS[which][name])
        found |= {
            f"{folder}/ip-route.txt": TTY + seed.node_routes(name, *seed.ROUTES[which][name], tunnel=tunnel),
            f"{folder}/ip-route-v6.txt": "",
            f"{folder}/ip-rule.txt": seed.RULES,
            f"{folder}/ip-link.txt": "".join(f"{line}\n" for line in links.splitlines() if " inet " not in line),
            f"{folder}/ip-addr.txt": links,
            f"{folder}/ip-neigh.txt": "",
            f"{folder}/iptables-nft-save.txt": "# nothing\n",
            f"{folder}/calico-system/calico-node-x.log": "log\n",
        }
    return found


def kubectl(items: list[dict[str, Any]]) -> str:
    """As `kubectl get ... -o yaml` prints a list."""
    whole = {"apiVersion": "v1", "items": items, "kind": "List", "metadata": {"resourceVersion": ""}}
    return yaml.safe_dump(whole, default_flow_style=False)


def pods(cluster: Cluster) -> list[dict[str, Any]]:
    return [
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": pod.name,
                "namespace": pod.namespace,
                "creationTimestamp": "2024-03-01T10:00:00Z",
                "annotations": {} if pod.host_network else {"cni.projectcalico.org/podIP": f"{pod.ips[0]}/32"},
            },
            "spec": {"nodeName": pod.node, "hostNetwork": pod.host_network},
            "status": {"phase": "Running", "podIP": pod.ips[0], "podIPs": [{"ip": ip} for ip in pod.ips]},
        }
        for pod in cluster.pods
    ]


def nodes(cluster: Cluster) -> list[dict[str, Any]]:
    return [
        {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": node.name, "annotations": {"projectcalico.org/IPv4Address": node.bgp_address}},
            "status": {
                "addresses": [
                    {"type": "InternalIP", "address": node.internal_ips[0]},
                    {"type": "Hostname", "address": node.name},
                ],
                "conditions": [{"type": "Ready", "status": "True"}],
            },
        }
        for node in cluster.nodes
    ]


def pools(cluster: Cluster) -> list[dict[str, Any]]:
    return [
        {
            "apiVersion": "crd.projectcalico.org/v1",
            "kind": "IPPool",
            "metadata": {"name": pool.name},
            "spec": {
                "cidr": pool.cidr,
                "ipipMode": pool.ipip_mode,
                "natOutgoing": pool.nat_outgoing,
                "blockSize": pool.block_size,
            },
        }
        for pool in cluster.pools
    ]


def information() -> dict[str, Any]:
    spec = {"calicoVersion": "v3.31.0", "clusterType": "k8s,bgp,kdd", "datastoreReady": True}
    return {"apiVersion": "crd.projectcalico.org/v1", "kind": "ClusterInformation", "spec": spec}


def folder(path: Path, content: Mapping[str, str | bytes]) -> Path:
    """Write the files below `path`."""
    for name, text in content.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def tarball(path: Path, content: Mapping[str, str], *more: tarfile.TarInfo, top: str = STAMP) -> Path:
    """Write a tarball, packed as its name says; `more` are members without content."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for member in more:
            archive.addfile(member)
        for name, text in content.items():
            member = tarfile.TarInfo(f"{top}/{name}" if top else name)
            member.size, member.mtime = len(text.encode()), 1_709_288_000
            archive.addfile(member, io.BytesIO(text.encode()))
    match path.suffix:
        case ".tar":
            path.write_bytes(plain.getvalue())
        case ".xz":
            path.write_bytes(lzma.compress(plain.getvalue()))
        case _:
            path.write_bytes(gzip.compress(plain.getvalue()))
    return path
