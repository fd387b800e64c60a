"""Nodes and Calico's objects as facts: old spellings, odd values, hostile text."""

from __future__ import annotations

import json
from typing import Any, TypeVar

import msgspec
import pytest

from calitui.cluster import bgp_objects, ipam_objects, lenient, services
from calitui.cluster import calico_objects as decode
from calitui.cluster.calico import Calico
from calitui.cluster.nodes import RawNode, node
from calitui.cluster.pods import Words
from calitui.facts.cluster import (
    Allocation,
    Block,
    Cluster,
    IPAMConfiguration,
    IPPool,
    Node,
    NodeStatus,
    Pod,
    StatusPeer,
)
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
    found = ipam_objects.pool(raw(ipam_objects.RawPool, spec))
    assert (found.ipip_mode, found.vxlan_mode) == modes


def test_pool_as_old_manifests_spell_it() -> None:
    found = ipam_objects.pool(raw(ipam_objects.RawPool, {"cidr": "10.0.0.0/8", "nat-outgoing": True, "blockSize": 24}))
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
    assert ipam_objects.block(raw(ipam_objects.RawBlock, spec)) == expected


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
    assert bgp_objects.peer(raw(bgp_objects.RawPeer, {"asNumber": value})).as_number == number
    assert bgp_objects.bgp(raw(bgp_objects.RawBGP, {"asNumber": value})).as_number == number


def test_mesh_that_is_unset_is_not_off() -> None:
    assert bgp_objects.bgp(raw(bgp_objects.RawBGP, {})).mesh is None
    assert bgp_objects.bgp(raw(bgp_objects.RawBGP, {"nodeToNodeMeshEnabled": False})).mesh is False


def test_node_with_everything() -> None:
    thing = objects.node("node-a", "10.0.0.1")
    notes = {"VXLANTunnelMACAddr": "66:00", "ASNumber": "64513", "RouteReflectorClusterID": "1.0.0.1"}
    notes |= {"IPv6VXLANTunnelAddr": "fd00::1", "VXLANTunnelMACAddrV6": "66:01", "WireguardPublicKey": "jlk="}
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
        vxlan_address6="fd00::1",
        vxlan_mac6="66:01",
        wireguard_key="jlk=",
        as_number="64513",
        route_reflector_cluster_id="1.0.0.1",
    )


def test_what_a_pool_is_for() -> None:
    spec = {"cidr": "10.0.0.0/8", "disableBGPExport": True, "allowedUses": ["LoadBalancer", 7]}
    found = ipam_objects.pool(raw(ipam_objects.RawPool, spec))
    assert (found.disable_bgp_export, found.allowed_uses) == (True, ("LoadBalancer",))
    assert ipam_objects.pool(raw(ipam_objects.RawPool, {"allowedUses": None})).allowed_uses == ()


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        (None, IPAMConfiguration()),
        (
            {"strictAffinity": True, "maxBlocksPerHost": 4, "autoAllocateBlocks": False},
            IPAMConfiguration(True, 4, False),
        ),
        ({"strictAffinity": "odd", "maxBlocksPerHost": 20}, IPAMConfiguration(False, 20, True)),
    ],
)
def test_how_blocks_are_handed_out(spec: Object | None, expected: IPAMConfiguration) -> None:
    assert ipam_objects.configuration(raw(ipam_objects.RawConfiguration, spec)) == expected


def test_peering_and_who_programs_routes() -> None:
    peer = bgp_objects.peer(raw(bgp_objects.RawPeer, {"nextHopMode": "Keep", "keepOriginalNextHop": True}))
    assert (peer.next_hop_mode, peer.keep_original_next_hop) == ("Keep", True)
    spec = {"programClusterRoutes": "Enabled", "serviceClusterIPs": [{"cidr": "10.96.0.0/12"}, {}]}
    found = bgp_objects.bgp(raw(bgp_objects.RawBGP, spec))
    assert (found.program_cluster_routes, found.service_cidrs) == ("Enabled", ("10.96.0.0/12",))


def status(**of: Any) -> NodeStatus:
    thing = {"metadata": {"name": "s"}, "spec": {"node": "n1", "classes": ["BGP"], "updatePeriodSeconds": 10}}
    return bgp_objects.status(lenient.one(json.dumps(thing | {"status": of}).encode(), bgp_objects.RawStatus))


def test_status_of_a_node() -> None:
    peers = [{"peerIP": "10.0.0.2", "type": "NodeMesh", "state": "Established", "since": "09:19:39"}, {"state": "Idle"}]
    found = status(
        lastUpdated="2024-03-01T10:00:00Z",
        agent={"birdV4": {"state": "Ready", "version": "v1"}, "birdV6": {}},
        bgp={"numberEstablishedV4": 1, "peersV4": peers, "peersV6": [{"peerIP": "fd00::2\x1b"}]},
    )
    assert found == NodeStatus(
        "s",
        "n1",
        classes=("BGP",),
        update_period=10,
        last_updated=1709287200.0,
        bird="Ready",
        peers=(StatusPeer("10.0.0.2", "NodeMesh", "Established", "09:19:39"), StatusPeer("fd00::2\\x1b")),
    )


@pytest.mark.parametrize("moment", [None, "yesterday", "2024-03-01T10:00:00", 5])
def test_status_of_no_known_moment(moment: object) -> None:
    assert status(lastUpdated=moment, agent=7).last_updated is None


@pytest.mark.parametrize(
    ("name", "spec", "ips"),
    [
        ("kubernetes", {"clusterIP": "10.96.0.1"}, ("10.96.0.1",)),
        ("kubernetes", {"clusterIP": "10.96.0.1", "clusterIPs": ["10.96.0.1", "fd00::1"]}, ("10.96.0.1", "fd00::1")),
        ("kubernetes", {"clusterIP": "None"}, ()),
        ("kubernetes", {}, ()),
        ("web", {"clusterIP": "10.96.0.9"}, ()),
    ],
)
def test_addresses_of_the_service_that_every_cluster_has(name: str, spec: Object, ips: tuple[str, ...]) -> None:
    thing = {"metadata": {"name": name, "namespace": "default"}, "spec": spec}
    assert services.addresses(lenient.one(json.dumps(thing).encode(), services.RawService)) == ips


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
