"""A snapshot out of a folder or tarball of files: what the readers of nodes and of the cluster find in it, together.

The files may be of two clusters, or of two days: what does not fit together is said, and never mixed.
"""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from calitui.cluster.files import read_files, resource_of
from calitui.errors import SnapshotError
from calitui.facts.cluster import Cluster, Node
from calitui.facts.missing import Missing
from calitui.facts.node import NodeFacts
from calitui.facts.snapshot import Snapshot
from calitui.facts.text import clean
from calitui.nodes.files import Bundle, is_node_file, node_folders, open_bundle, read_node

_STAMP = re.compile(r"calico-diagnostics-(\d{8}_\d{6})")
_ABOVE_OBJECTS = ("cluster/kubernetes/", "cluster/crd/", "kubernetes/", "crd/", "cluster/")
_HINT = "It needs nodes/NAME/ip-route.txt and kubernetes/pods.yaml, as `calicoctl cluster diags` writes them"


def read_folder(path: Path) -> Snapshot:
    """Read the folder or `.tar[.gz]` at `path`; whatever is not in it is in the snapshot's `missing`.

    Raises:
        SnapshotError: it can't be read, holds nothing of a cluster, or holds several bundles.
    """
    bundle = open_bundle(path, lambda name: is_node_file(name) or resource_of(name) is not None)
    folders = node_folders(bundle)
    objects = [name for name in bundle.files if not is_node_file(name)]
    roots = sorted({*folders, *(_root(name) for name in objects)})
    if not roots:
        raise SnapshotError(f"{path} holds no file of a node and none of the cluster's objects", _HINT)
    if len(roots) > 1:
        named = ", ".join(clean(root.rstrip("/") or ".") for root in roots[:4])
        raise SnapshotError(f"{path} holds {len(roots)} bundles ({named})", "Give one of them")
    taken_at = _taken_at(bundle, roots[0])
    cluster = read_files({name: bundle.files[name].text for name in objects}, context=bundle.name, read_at=taken_at)
    nodes, strangers = _nodes(bundle, folders.get(roots[0], {}), cluster, taken_at)
    missing = (*cluster.missing, *bundle.missing, *strangers)
    return Snapshot(msgspec.structs.replace(cluster, missing=missing), nodes, taken_at, title=bundle.name)


def _root(name: str) -> str:
    """What stands before the folders that a bundle has, for a file of an object."""
    folder = name.rpartition("/")[0] + "/"
    for above in _ABOVE_OBJECTS:
        if folder.endswith(f"/{above}") or folder == above:
            return folder.removesuffix(above)
    return "" if folder == "/" else folder


def _taken_at(bundle: Bundle, root: str) -> float:
    """When the bundle was made: calicoctl names it so, else its newest file; seconds since the epoch."""
    stamp = _STAMP.search(root) or _STAMP.search(bundle.name)
    if stamp:
        try:
            return datetime.strptime(stamp[1], "%Y%m%d_%H%M%S").replace(tzinfo=UTC).timestamp()
        except ValueError:
            pass
    return max((file.modified for file in bundle.files.values()), default=time.time())


def _nodes(
    bundle: Bundle, folders: dict[str, tuple[str, ...]], cluster: Cluster, taken_at: float
) -> tuple[tuple[NodeFacts, ...], list[Missing]]:
    """The facts of the nodes, and what is there of nodes that this cluster does not have."""
    known = {node.name: node for node in cluster.nodes}
    running = {pod.name: pod.node for pod in cluster.pods if pod.node}
    found: dict[str, NodeFacts] = {}
    strangers: list[Missing] = []
    for folder, paths in folders.items():
        # Some save what they read through a pod under the pod's name.
        name = folder if folder in known else running.get(folder, folder)
        if known and name not in known:
            reason = "nodes.yaml knows no such node: these files are of another cluster, or of another day"
            strangers.append(Missing(f"node {clean(folder)}", reason))
        elif name in found:
            strangers.append(Missing(f"files in nodes/{clean(folder)}", f"another folder is of {clean(name)} too"))
        else:
            facts = read_node(bundle, clean(name), paths, _own(known.get(name)))
            found[name] = _compared(msgspec.structs.replace(facts, read_at=taken_at), known.get(name))
    return tuple(found.values()), strangers


def _own(node: Node | None) -> tuple[str, ...]:
    if node is None:
        return ()
    held = (node.bgp_address, node.bgp_address6, node.ipip_address, node.vxlan_address, node.vxlan_address6)
    return (*node.internal_ips, *(ip for ip in (*held, node.wireguard_address) if ip))


def _compared(facts: NodeFacts, node: Node | None) -> NodeFacts:
    """The facts with a note where the node's folder shows none of the addresses that the API says it has."""
    if node is None or facts.host is None or "addresses" not in facts.host.complete:
        return facts
    said = {ip.partition("/")[0] for ip in (*node.internal_ips, node.bgp_address, node.bgp_address6) if ip}
    seen = {held.ip for link in facts.host.links for held in link.addresses}
    if not said or said & seen:
        return facts
    reason = f"none of its addresses in nodes.yaml ({', '.join(sorted(said))}) is in its ip-addr.txt: these files may"
    note = Missing("node", f"{reason} be of two clusters, or of two days", facts.name)
    return msgspec.structs.replace(facts, missing=(*facts.missing, note))
