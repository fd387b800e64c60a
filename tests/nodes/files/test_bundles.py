"""The article's clusters out of files give the traces that they give when their nodes are read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from calitui.facts.snapshot import Snapshot, decode, encode
from calitui.session.folder import read_folder
from calitui.trace.ends import resolve
from calitui.trace.path import Trace, Verdict
from calitui.trace.tracing import trace
from tests.nodes.files import diags
from tests.trace import seed

ENDS = {
    "ipip": (seed.IPIP_SOURCE, seed.IPIP_DESTINATION),
    "bgp": (seed.BGP_SOURCE, seed.BGP_DESTINATION),
}


def traced(snapshot: Snapshot, which: str) -> Trace:
    source, destination = (resolve(snapshot.cluster, name) for name in ENDS[which])
    return trace(snapshot.cluster, snapshot.nodes, source, destination)


def shape(found: Trace) -> list[Any]:
    return [
        [
            (direction.disposition, direction.encapsulation, direction.path_mtu, direction.underlay),
            *((hop.step, hop.node, hop.device, hop.route, hop.packet, hop.mtu, hop.evidence) for hop in direction.hops),
        ]
        for direction in (found.forward, found.back)
    ]


def unread(snapshot: Snapshot, node: str | None) -> dict[str, str]:
    entries = snapshot.cluster.missing if node is None else next(n.missing for n in snapshot.nodes if n.name == node)
    return {entry.what: entry.reason for entry in entries}


@pytest.mark.parametrize("which", ["ipip", "bgp"])
def test_the_same_trace_as_from_the_nodes_themselves(which: str, tmp_path: Path) -> None:
    found = traced(read_folder(diags.folder(tmp_path, diags.files(which))), which)
    nodes = (seed.node(which, name, containers=False) for name in diags.NODES)
    assert shape(found) == shape(seed.run(which, *nodes))
    assert found.verdict is Verdict.DELIVERED


@pytest.mark.parametrize("ending", [".tar.gz", ".tgz", ".tar", ".tar.xz"])
def test_a_tarball_is_the_folder_that_it_was_made_of(ending: str, tmp_path: Path) -> None:
    content = diags.files("ipip")
    packed = read_folder(diags.tarball(tmp_path / f"x{ending}", content))
    unpacked = read_folder(diags.folder(tmp_path / diags.STAMP, content))
    assert [node.host for node in packed.nodes] == [node.host for node in unpacked.nodes]
    assert packed.cluster.pods == unpacked.cluster.pods
    assert packed.taken_at == unpacked.taken_at == 1_709_288_100.0
    assert {node.read_at for node in packed.nodes} == {packed.taken_at}


@pytest.mark.parametrize("top", ["", "x/", f"x/{diags.STAMP}/"])
def test_the_bundle_may_lie_some_folders_below(top: str, tmp_path: Path) -> None:
    content = {f"{top}{name}": text for name, text in diags.files("bgp").items()}
    assert traced(read_folder(diags.folder(tmp_path, content)), "bgp").verdict is Verdict.DELIVERED


def test_the_layout_of_the_documentation(tmp_path: Path) -> None:
    """Without `cluster`, and the definitions' files without their group."""
    content = {
        name.removeprefix("cluster/").replace(".crd.projectcalico.org", ""): text
        for name, text in diags.files("ipip").items()
    }
    snapshot = read_folder(diags.folder(tmp_path, content))
    assert traced(snapshot, "ipip").verdict is Verdict.DELIVERED
    assert snapshot.cluster.pools[0].ipip_mode == "Always"


def test_what_the_cluster_says(tmp_path: Path) -> None:
    cluster = read_folder(diags.folder(tmp_path, diags.files("ipip"))).cluster
    assert (cluster.kubernetes_version, cluster.calico_version, cluster.datastore) == ("v1.29.4", "v3.31.0", "kdd")
    assert cluster.calico_group == "crd.projectcalico.org/v1"
    assert [pod.name for pod in cluster.pods] == [pod.name for pod in seed.cluster("Always").pods]
    assert {node.name: node.bgp_address for node in cluster.nodes} == {
        name: f"{ip}/24" for name, ip in seed.ADDRESSES.items()
    }
    assert cluster.policies == ()


def test_what_no_such_file_holds_is_said(tmp_path: Path) -> None:
    snapshot = read_folder(diags.folder(tmp_path, diags.files("ipip")))
    assert unread(snapshot, "k8s-calico2") == {
        "rules6": "nodes/k8s-calico2/ip-rule-v6.txt is not there"
        "; lookups take it that there are only the kernel's own three",
        "sysctls": "nodes/k8s-calico2 has none",
        "containers": "what is inside containers is not in such files",
    }
    assert {"BGPPeers", "IPAM blocks", "FelixConfigurations"} <= set(unread(snapshot, None))
    host = snapshot.nodes[0].host
    assert host is not None
    assert host.complete == {"links", "addresses", "routes", "routes6", "rules", "neighbours"}


def test_it_is_a_snapshot_like_any_other(tmp_path: Path) -> None:
    snapshot = read_folder(diags.folder(tmp_path, diags.files("ipip")))
    assert decode(encode(snapshot), "x") == snapshot


@pytest.mark.parametrize("name", ["ip-route.txt", "ip-rule.txt", "ip-link.txt", "ip-addr.txt", "ip-neigh.txt"])
def test_any_file_may_be_missing(name: str, tmp_path: Path) -> None:
    content = diags.files("ipip")
    del content[f"nodes/k8s-calico2/{name}"]
    snapshot = read_folder(diags.folder(tmp_path, content))
    found = traced(snapshot, "ipip")
    decisive = ("ip-route.txt", "ip-addr.txt", "ip-rule.txt")
    assert found.verdict is (Verdict.UNKNOWN if name in decisive else Verdict.DELIVERED)
    reasons = " ".join(unread(snapshot, "k8s-calico2").values())
    assert (f"nodes/k8s-calico2/{name} is not there" in reasons) is (name != "ip-link.txt")


@pytest.mark.parametrize("name", ["pods", "nodes"])
def test_a_list_of_the_cluster_may_be_missing(name: str, tmp_path: Path) -> None:
    content = diags.files("ipip")
    del content[f"cluster/kubernetes/{name}.yaml"]
    snapshot = read_folder(diags.folder(tmp_path, content))
    assert unread(snapshot, None)[name] == f"no file {name}.yaml is there"
    assert [node.name for node in snapshot.nodes] == list(diags.NODES)
