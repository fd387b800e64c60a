"""The clusters as data, and the texts made of them. Needs neither root nor a kernel's help."""

from __future__ import annotations

import ipaddress

import pytest

from calitui.session import open_demo
from tests import record_demos
from tests.lab import bird, tunnel_routes
from tests.lab.clusters import BGP, CLUSTERS, IPIP
from tests.lab.objects import objects
from tests.lab.spec import ClusterSpec, holds

DEMOS = [CLUSTERS[name] for name in record_demos.HEALTHY]
NOW = "2018-07-20T08:00:00Z"


@pytest.mark.parametrize(
    ("pod", "veth"),
    [
        ("huang2/hhh-6897d64fcd-4zph4", "calic285cddbb40"),
        ("huang1/huangtest-69d9fddd97-pbvvw", "calif6874dae1d2"),
        ("huang1/huangtest-69d9fddd97-2b8hr", "cali3683f65394b"),
        ("huang2/hhh-6897d64fcd-kqsj4", "cali5ce61eb6bc2"),
    ],
)
def test_veths_are_named_as_in_the_article(pod: str, veth: str) -> None:
    cluster = next(cluster for cluster in (BGP, IPIP) if any(pod == p.key for n in cluster.nodes for p in n.pods))
    assert cluster.find(pod)[1].veth == veth


@pytest.mark.parametrize("cluster", CLUSTERS.values(), ids=CLUSTERS)
def test_addresses_are_consistent(cluster: ClusterSpec) -> None:
    pods = [pod for node in cluster.nodes for pod in node.pods]
    assert len({pod.key for pod in pods}) == len(pods)
    taken = [ip for pod in pods for ip in pod.ips]
    taken += [address for machine in cluster.machines for address in machine.addresses]
    taken += [node.address6 for node in cluster.nodes if node.address6]
    taken += [node.tunnel_address for node in cluster.nodes if cluster.tunnel_device and node.tunnel_address]
    assert len(set(taken)) == len(taken)
    assert all(cluster.subnet_of(address) for machine in cluster.machines for address in machine.addresses)
    blocks = [block for node in cluster.nodes for block in node.blocks]
    for block in blocks:
        assert ipaddress.ip_network(block).num_addresses == 64
    for node in cluster.nodes:
        for pod in node.workloads:
            assert all(holds(blocks, ip) for ip in pod.ips)
            assert all(holds(node.blocks, ip) for ip in pod.ips) is (pod not in cluster.borrowed(node))


@pytest.mark.parametrize("cluster", CLUSTERS.values(), ids=CLUSTERS)
def test_the_pairs_to_follow_start_at_pods_that_are_there(cluster: ClusterSpec) -> None:
    assert cluster.pairs
    for source, destination in cluster.pairs:
        assert cluster.find(source)
        assert "/" not in destination or cluster.find(destination)


def test_bird_reads_no_block_of_others_into_its_own_exports() -> None:
    text = bird.configuration(BGP, BGP.node("k8s-calico2"), "/dev/null")
    assert "route 192.168.97.0/26 blackhole" in text
    assert "192.168.211" not in text
    assert text.count("protocol bgp Mesh_") == 3


def test_only_the_tunnelled_cluster_leaves_block_routes_to_the_exporter() -> None:
    assert "export all" in bird.configuration(BGP, BGP.nodes[0], "/dev/null")
    assert "if ( source = RTS_BGP ) then { reject; }" in bird.configuration(IPIP, IPIP.nodes[0], "/dev/null")
    cross_subnet = CLUSTERS["ipip-crosssubnet"]
    text = bird.configuration(cross_subnet, cross_subnet.node("rack2-node1"), "/dev/null")
    assert "if ( bgp_next_hop ~ 10.61.2.0/24 ) then accept; reject;" in text


def test_the_exporter_reads_birds_table() -> None:
    answer = [
        "1007-192.168.210.64/26  via 10.173.32.1 on eth0 [Mesh_10_173_40_25 18:28:38 from 10.173.40.25] * (100/?) [i]",
        "1008-\tType: BGP unicast univ",
        "1012-\tBGP.origin: IGP",
        " \tBGP.as_path: ",
        " \tBGP.next_hop: 10.173.40.25",
        "1007-192.168.210.128/26 unreachable [Mesh_10_173_32_26 18:28:38 from 10.173.32.26] * (100/-) [i]",
        "1012-\tBGP.next_hop: 10.173.32.26",
        "1007-192.168.110.64/26  via 10.173.32.24 on eth0 [Mesh_10_173_32_24 18:28:38] * (100/0) [i]",
        "1012-\tBGP.origin: IGP",
        " \tBGP.next_hop: 10.173.32.24",
    ]
    far, near = {"192.168.210.64/26": "10.173.40.25"}, {"192.168.110.64/26": "10.173.32.24"}
    assert tunnel_routes.learned(answer) == far | near
    assert tunnel_routes.learned(answer, "10.173.32.0/24") == far


def test_the_exporter_reads_the_kernels_table() -> None:
    table = (
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
        "eth0\t00000000\t0120AD0A\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "tunl0\t80D2A8C0\t1A20AD0A\t0003\t0\t0\t0\tC0FFFFFF\t0\t0\t0\n"
        "*\t0061A8C0\t00000000\t0201\t0\t0\t0\tC0FFFFFF\t0\t0\t0\n"
    )
    assert tunnel_routes.programmed(table, "tunl0") == {"192.168.210.128/26": "10.173.32.26"}


@pytest.mark.parametrize("cluster", CLUSTERS.values(), ids=CLUSTERS)
def test_the_api_says_what_the_nodes_have(cluster: ClusterSpec) -> None:
    things = list(objects(cluster, NOW))
    pods = {f"{t['metadata']['namespace']}/{t['metadata']['name']}": t for t in things if t["kind"] == "Pod"}
    assert pods.keys() == {pod.key for node in cluster.nodes for pod in node.pods}
    allocated = {}
    for block in (thing["spec"] for thing in things if thing["kind"] == "IPAMBlock"):
        network = ipaddress.ip_network(block["cidr"])
        assert len(block["allocations"]) == network.num_addresses == 64
        for ordinal, number in enumerate(block["allocations"]):
            if number is None:
                assert ordinal in block["unallocated"]
            else:
                allocated[str(network[ordinal])] = block["attributes"][number]["secondary"]
    for node in cluster.nodes:
        for pod in node.workloads:
            for ip in pod.ips:
                assert holds([pool.cidr for pool in cluster.pools], ip)
                owner = allocated.pop(ip)
                assert (owner["namespace"], owner["pod"], owner["node"]) == (pod.namespace, pod.name, node.name)
            assert pods[pod.key]["status"]["podIP"] == pod.ip
    tunnels = {owner["node"] for owner in allocated.values() if owner["type"].endswith("TunnelAddress")}
    assert tunnels == ({node.name for node in cluster.nodes} if cluster.tunnel_device else set())


@pytest.mark.parametrize("cluster", DEMOS, ids=record_demos.HEALTHY)
def test_the_shipped_demos_are_recordings_of_these_clusters(cluster: ClusterSpec) -> None:
    demo = open_demo(cluster.name).cluster()
    pods = [pod for node in cluster.nodes for pod in node.pods]
    assert {f"{pod.namespace}/{pod.name}" for pod in demo.pods} == {pod.key for pod in pods}
    recorded = {f"{pod.namespace}/{pod.name}": pod.ips for pod in demo.pods}
    assert all(recorded[pod.key] == pod.ips for pod in pods if pod.ip)
    assert [(node.name, node.vxlan_address) for node in demo.nodes] == [
        (node.name, node.tunnel_address if cluster.vxlan else None)
        for node in sorted(cluster.nodes, key=lambda one: one.name)
    ]
