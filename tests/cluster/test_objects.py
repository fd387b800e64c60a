"""Nodes and Calico's objects as facts: old spellings, odd values, hostile text."""

from __future__ import annotations

import json
from typing import Any, TypeVar

import msgspec
import pytest

from calitui.cluster import calico_objects as decode
from calitui.cluster import lenient
from calitui.cluster.calico import Calico
from calitui.cluster.nodes import RawNode, node
from calitui.cluster.pods import Words
from calitui.facts.cluster import Allocation, Block, Cluster, IPPool, Node, Pod
from tests.cluster import objects

Object = dict[str, Any]
T = TypeVar("T", bound=msgspec.Struct)


def raw(kind: type[T], spec: object, name: str = "default") -> T:
    return lenient.one(json.dumps({"metadata": {"name": name}, "spec": spec}).encode(), kind)


@pytest.mark.parametrize(
    ("spec", "modes"),
    [
        ({}, ("Never", "Never")),
        ({"ipipMode": "Always"}, ("Always", "Never")),
        ({"ipipMode": "", "vxlanMode": "CrossSubnet"}, ("Never", "CrossSubnet")),
        ({"ipip": {"enabled": True}}, ("Always", "Never")),
        ({"ipip": {"enabled": True, "mode": "cross-subnet"}}, ("CrossSubnet", "Never")),
        ({"ipip": {"enabled": False, "mode": "always"}}, ("Never", "Never")),
        ({"ipipMode": 7, "vxlanMode": "\x1b[31m"}, ("Never", "\\x1b[31m")),
        (None, ("Never", "Never")),
    ],
)
def test_modes_of_a_pool(spec: Object | None, modes: tuple[str, str]) -> None:
    found = decode.pool(raw(decode.RawPool, spec))
    assert (found.ipip_mode, found.vxlan_mode) == modes


def test_pool_as_old_manifests_spell_it() -> None:
    found = decode.pool(raw(decode.RawPool, {"cidr": "10.0.0.0/8", "nat-outgoing": True, "blockSize": 24}))
    assert found == IPPool("default", "10.0.0.0/8", nat_outgoing=True, block_size=24)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"cidr": "10.0.0.0/30", "affinity": "virtual:lb"}, Block("10.0.0.0/30")),
        ({"cidr": "10.0.0.0/30", "affinity": "host:"}, Block("10.0.0.0/30")),
        ({"cidr": "nonsense", "allocations": [0]}, Block("nonsense")),
        ({"cidr": "10.0.0.0/31", "allocations": [None, 5, 0]}, Block("10.0.0.0/31", None, (Allocation("10.0.0.1"),))),
        ({"cidr": "10.0.0.0/31", "allocations": [-1]}, Block("10.0.0.0/31", None, (Allocation("10.0.0.0"),))),
        ({"cidr": "fd00::/126", "allocations": [0]}, Block("fd00::/126", None, (Allocation("fd00::"),))),
        ({"cidr": "10.0.0.0/30", "deleted": "true"}, Block("10.0.0.0/30", deleted=True)),
        ({"cidr": "10.0.0.0/30", "deleted": True, "attributes": 3}, Block("10.0.0.0/30", deleted=True)),
    ],
)
def test_block(spec: Object, expected: Block) -> None:
    assert decode.block(raw(decode.RawBlock, spec)) == expected


def test_felix_settings_are_text() -> None:
    spec = {"bpfEnabled": False, "ipipMTU": 1440, "ranges": [1, {"a": "b"}], "unset": None, "e\x07": "v\x1b"}
    assert decode.felix(raw(decode.RawFelix, spec)).spec == {
        "bpfEnabled": "false",
        "ipipMTU": "1440",
        "ranges": '[1,{"a":"b"}]',
        "e\\x07": "v\\x1b",
    }
    assert decode.felix(raw(decode.RawFelix, "odd")).spec == {}


@pytest.mark.parametrize(("value", "number"), [(64512, 64512), ("64512", 64512), ("1.10", 65546), ("x", None)])
def test_as_numbers(value: object, number: int | None) -> None:
    assert decode.peer(raw(decode.RawPeer, {"asNumber": value})).as_number == number
    assert decode.bgp(raw(decode.RawBGP, {"asNumber": value})).as_number == number


def test_mesh_that_is_unset_is_not_off() -> None:
    assert decode.bgp(raw(decode.RawBGP, {})).mesh is None
    assert decode.bgp(raw(decode.RawBGP, {"nodeToNodeMeshEnabled": False})).mesh is False


def test_node_with_everything() -> None:
    thing = objects.node("node-a", "10.0.0.1")
    notes = {"VXLANTunnelMACAddr": "66:00", "ASNumber": "64513", "RouteReflectorClusterID": "1.0.0.1"}
    thing["metadata"]["annotations"] |= {f"projectcalico.org/{key}": value for key, value in notes.items()}
    thing["spec"] = {"podCIDR": "10.1.0.0/24"}
    thing["status"]["addresses"].append({"type": "ExternalIP", "address": "192.0.2.1\x1b"})
    assert node(lenient.one(json.dumps(thing).encode(), RawNode), Words()) == Node(
        "node-a",
        internal_ips=("10.0.0.1",),
        external_ips=("192.0.2.1\\x1b",),
        hostname="node-a",
        ready=True,
        pod_cidrs=("10.1.0.0/24",),
        bgp_address="10.0.0.1/24",
        ipip_address="192.168.97.0",
        vxlan_mac="66:00",
        as_number="64513",
        route_reflector_cluster_id="1.0.0.1",
    )


@pytest.mark.parametrize("change", [{"spec": None}, {"status": 7}, {"metadata": {"name": "node-a", "labels": 1}}])
def test_odd_node_keeps_its_name(change: Object) -> None:
    thing = objects.node("node-a", "10.0.0.1") | change
    assert node(lenient.one(json.dumps(thing).encode(), RawNode), Words()).name == "node-a"


AGENT = Cluster(pods=(Pod("kube-system", "calico-node-1", labels={"k8s-app": "calico-node"}),))


@pytest.mark.parametrize(
    ("calico", "cluster", "datastore"),
    [
        (Calico(), Cluster(), ""),
        (Calico(), AGENT, "etcd"),
        (Calico(), Cluster(nodes=(Node("a", bgp_address="10.0.0.1/24"),)), "etcd"),
        (Calico(group_known=False), AGENT, ""),
        (Calico(group="crd.projectcalico.org/v1"), AGENT, "kdd"),
        (Calico(group="crd.projectcalico.org/v1", etcd_endpoints=True), AGENT, "etcd"),
        (Calico(pools=(IPPool("a", "10.0.0.0/8"),), etcd_endpoints=True), AGENT, "kdd"),
    ],
)
def test_datastore_is_claimed_only_on_evidence(calico: Calico, cluster: Cluster, datastore: str) -> None:
    assert calico.onto(cluster).datastore == datastore
