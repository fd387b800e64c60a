"""The two clusters, as their kernels and daemons tell it: this is what makes the lab evidence."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator

import pytest

from tests.apiserver import assets
from tests.lab import article
from tests.lab.lab import Lab
from tests.lab.node import Node

CLUSTERS = [
    pytest.param("bgp", marks=pytest.mark.lab),
    pytest.param("ipip", marks=[pytest.mark.lab, pytest.mark.uml]),
]


@pytest.fixture(params=CLUSTERS)
def lab(request: pytest.FixtureRequest) -> Lab:
    found: Lab = request.getfixturevalue(f"{request.param}_lab")
    return found


def routes(node: Node) -> list[str]:
    return article.normalised(node.run("ip route").stdout)


def of_the_underlay(line: str) -> bool:
    return line.startswith(("default ", "10.173.32.0/24 "))


def test_the_routes_of_k8s_calico2_are_the_articles(lab: Lab) -> None:
    shown = [line for line in routes(lab.node("k8s-calico2")) if not of_the_underlay(line)]
    assert shown == article.normalised(article.ROUTES[lab.spec.name])


def test_every_session_is_established(lab: Lab) -> None:
    for node in lab.nodes:
        sessions = [line for line in node.birdc("show protocols").splitlines() if " BGP " in line]
        assert len(sessions) == 3
        assert all("Established" in line for line in sessions), sessions


def test_pods_answer_each_other_across_nodes_both_ways(lab: Lab) -> None:
    one, other = (lab.pod(key) for key in lab.spec.pairs[0])
    for source, destination in ((one, other), (other, one)):
        shown = source.run(f"ping -n -c 2 -i 0.2 -W 5 {destination.ip}").stdout
        # Two routers on the way took one each from 64.
        assert "ttl=62" in shown
        assert "2 received" in shown


def test_the_largest_packet_of_a_pod_arrives_whole(lab: Lab) -> None:
    one, other = (lab.pod(key) for key in lab.spec.pairs[0])
    payload = lab.spec.pod_mtu - 28
    assert "1 received" in one.run(f"ping -n -c 1 -W 5 -M do -s {payload} {other.ip}").stdout
    assert one.run(f"ping -n -c 1 -W 5 -M do -s {payload + 1} {other.ip}", check=False).returncode


def captured(lab: Lab, packets: str) -> str:
    """What tcpdump on the destination's node prints of three pings."""
    source, destination = (lab.pod(key) for key in lab.spec.pairs[0])
    capture = destination.node.popen(f"timeout 60 tcpdump -lni eth0 -c 2 '{packets}'")
    try:
        assert capture.stderr
        for line in capture.stderr:
            if "listening on" in line:
                break
        source.run(f"ping -n -c 3 -i 0.3 -W 5 {destination.ip}")
        return capture.communicate(timeout=90)[0]
    finally:
        capture.kill()
        capture.wait()


@pytest.mark.lab
@pytest.mark.uml
def test_packets_between_nodes_have_a_second_header_in_the_ipip_cluster(ipip_lab: Lab) -> None:
    assert "IP 10.173.32.23 > 10.173.32.26: IP 192.168.97.1 > 192.168.210.129: ICMP echo request" in captured(
        ipip_lab, "proto 4"
    )


@pytest.mark.lab
def test_packets_between_nodes_are_bare_in_the_bgp_cluster(bgp_lab: Lab) -> None:
    assert "IP 192.168.97.2 > 192.168.210.194: ICMP echo request" in captured(bgp_lab, "icmp")


@pytest.fixture
def without_bird(lab: Lab) -> Iterator[Node]:
    node = lab.node("k8s-calico3")
    node.kill_bird()
    yield node
    if node.run("kill -0 $(cat /run/calico/bird.pid)", check=False).returncode:
        node.start_bird()
    for each in lab.nodes:
        each.wait_until_routed()


def test_routes_go_with_the_session_and_come_back_with_it(lab: Lab, without_bird: Node) -> None:
    watcher = lab.node("k8s-calico2")
    block = without_bird.spec.blocks[0]
    watcher.wait_until(f"! ip route show {block} | grep -q .", "the dead node's block is gone")
    kept = [line for line in routes(without_bird) if "proto bird" in line]
    assert len(kept) == sum(len(node.blocks) for node in lab.spec.nodes), "a dead BIRD's own routes stay (persist)"
    without_bird.start_bird()
    watcher.wait_until(f"ip route show {block} | grep -q 'proto bird'", "the block is back")
    watcher.wait_until_routed()
    shown = [line for line in routes(watcher) if not of_the_underlay(line)]
    assert shown == article.normalised(article.ROUTES[lab.spec.name])


def test_a_route_that_somebody_deletes_comes_back(lab: Lab) -> None:
    node = lab.node("k8s-calico2")
    block = lab.node("k8s-calico3").spec.blocks[0]
    node.run(f"ip route del {block}")
    node.wait_until_routed()


def test_a_node_is_a_machine_of_its_own(lab: Lab) -> None:
    node = lab.node("k8s-calico3")
    assert node.run("hostname").stdout == "k8s-calico3\n"
    assert node.run("ls /run/netns").stdout.split() == sorted(pod.netns for pod in node.spec.workloads)
    assert node.run("cat /proc/[0-9]*/comm").stdout.split().count("bird") == 1
    assert "Read-only" in node.run("touch /usr/calitui-lab", check=False).stderr
    # Its own namespace and one for each pod can be found by way of processes.
    seen = node.run("readlink /proc/[0-9]*/ns/net | sort -u | wc -l").stdout
    assert int(seen) == 1 + len(node.spec.workloads)


def test_an_unprivileged_user_reads_routes_but_no_pod(lab: Lab) -> None:
    node = lab.node("k8s-calico2")
    namespace = node.spec.workloads[0].netns
    shown = node.run(f"id -un; ip route; nsenter --net=/run/netns/{namespace} true", user="viewer", check=False)
    assert shown.returncode != 0
    assert shown.stdout.startswith("viewer\n")
    assert "proto bird" in shown.stdout


def test_sudo_opens_the_pod_to_one_user_only(lab: Lab) -> None:
    if shutil.which("sudo") is None:
        pytest.skip("sudo is not installed: apt-get install sudo")
    pod = lab.node("k8s-calico2").spec.workloads[0]
    command = f"sudo -n nsenter --net=/run/netns/{pod.netns} ip -4 addr show eth0"
    node = lab.node("k8s-calico2")
    assert f"inet {pod.ip}/32" in node.run(command, user="calitui").stdout
    assert node.run(command, user="viewer", check=False).returncode


def test_a_wrong_host_key_is_refused(lab: Lab) -> None:
    right = lab.node("k8s-calico2").command("true")
    known = f"-oUserKnownHostsFile={lab.directory / 'ssh' / 'wrong'}"
    name, key = (lab.directory / "ssh" / "known_hosts").read_text().splitlines()[0].split(" ", 1)
    assert name.startswith("k8s-calico1")
    (lab.directory / "ssh" / "wrong").write_text(f"k8s-calico2,10.173.32.23 {key}\n")
    refused = lab.run([*right[2:-2], known, *right[-2:]])
    assert refused.returncode == 255
    assert "HOST IDENTIFICATION HAS CHANGED" in refused.stderr


def test_a_thread_can_enter_the_lab(lab: Lab) -> None:
    with lab.inside(), socket.create_connection(("10.173.32.23", 22), timeout=60) as connection:
        assert connection.recv(8) == b"SSH-2.0-"
    assert lab.client in lab.run(["ip", "netns", "identify"]).stdout


@pytest.mark.apiserver
def test_the_api_server_has_the_pods_and_calicos_objects(lab: Lab) -> None:
    if lab.without_api:
        pytest.skip(lab.without_api)
    http = lab.http()
    try:
        pods = http.json("GET", "/api/v1/pods")["items"]
        wanted = {(pod.key, pod.ip or node.spec.address, node.name) for node in lab.nodes for pod in node.spec.pods}
        assert {
            (f"{p['metadata']['namespace']}/{p['metadata']['name']}", p["status"]["podIP"], p["spec"]["nodeName"])
            for p in pods
        } == wanted
        pools = http.json("GET", "/apis/crd.projectcalico.org/v1/ippools")["items"]
        assert [pool["spec"]["ipipMode"] for pool in pools] == [pool.ipip_mode for pool in lab.spec.pools]
        affinities = http.json("GET", "/apis/crd.projectcalico.org/v1/blockaffinities")["items"]
        found = assets()
        if found and found.kubectl:
            assert lab.kubectl("get", "node", "k8s-calico2", "-o", "name") == "node/k8s-calico2\n"
        assert {(a["spec"]["node"], a["spec"]["cidr"]) for a in affinities} == {
            (node.name, block) for node in lab.spec.nodes for block in node.blocks
        }
    finally:
        http.close()
