"""The article's two examples, traced over SSH on nodes that really carry them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from calitui.facts import snapshot
from calitui.session import open_demo
from calitui.trace.veth import veth_name
from tests.end_to_end.calitui_in_lab import EXAMPLES, calitui, trace
from tests.lab.lab import Lab

pytestmark = [pytest.mark.apiserver, pytest.mark.timeout(900)]

LEAVING = ["container-out", "veth-in", "route"]
ENTERING = ["route", "veth-out", "container-in"]
STEPS = {
    "ipip": [*LEAVING, "tunnel-out", "nic-out", "nic-in", "tunnel-in", *ENTERING],
    "bgp": [*LEAVING, "nic-out", "nic-in", *ENTERING],
}
ROUTES = {
    "ipip": "192.168.210.128/26 via 10.173.32.26 dev tunl0 proto bird onlink",
    "bgp": "192.168.210.192/26 via 10.173.32.26 dev eth0 proto bird",
}


@pytest.fixture(
    params=[pytest.param("bgp", marks=pytest.mark.lab), pytest.param("ipip", marks=[pytest.mark.lab, pytest.mark.uml])]
)
def lab(request: pytest.FixtureRequest) -> Lab:
    found: Lab = request.getfixturevalue(f"{request.param}_lab")
    if found.without_api:
        pytest.skip(found.without_api)
    return found


def steps(direction: dict[str, Any]) -> list[str]:
    return [hop["step"] for hop in direction["hops"]]


def test_home_lists_the_articles_pods(lab: Lab) -> None:
    done = calitui(lab, "pods", "-A")
    assert done.returncode == 0, done.stderr
    for node in lab.spec.nodes:
        for pod in node.workloads:
            line = next(line for line in done.stdout.splitlines() if pod.name in line)
            assert pod.ip is not None
            assert pod.ip in line
            assert node.name in line


def test_a_trace_with_root_is_delivered_both_ways_on_the_kernels_word(lab: Lab) -> None:
    which = lab.spec.name
    code, found = trace(lab, *EXAMPLES[which])
    assert (code, found["verdict"]) == (0, "delivered"), found
    forward, back = found["directions"]
    assert steps(forward) == steps(back) == STEPS[which]
    assert forward["hops"][2]["route"] == ROUTES[which]
    source_veth, destination_veth = (veth_name(*name.split("/")) for name in EXAMPLES[which])
    assert forward["hops"][1]["device"] == source_veth
    assert forward["hops"][-2]["device"] == destination_veth
    assert [hop["evidence"] for hop in forward["hops"] if hop["step"] == "route"] == ["kernel", "kernel"]
    assert forward["hops"][0]["evidence"] == forward["hops"][-1]["evidence"] == "table"
    assert not [hop for direction in found["directions"] for hop in direction["hops"] if hop["disagreement"]]
    if which == "ipip":
        outer = next(hop for hop in forward["hops"] if hop["step"] == "tunnel-out")["packet"][0]
        assert outer == {"protocol": "ipip", "src": "10.173.32.23", "dst": "10.173.32.26"}


def test_without_root_the_containers_are_inferred_and_the_verdict_stays(lab: Lab) -> None:
    code, found = trace(lab, *EXAMPLES[lab.spec.name], sudo=False)
    assert (code, found["verdict"]) == (0, "delivered"), found
    forward = found["directions"][0]
    assert [hop["evidence"] for hop in forward["hops"]][:: len(forward["hops"]) - 1] == ["inferred", "inferred"]
    assert any("container" in entry["what"] for entry in found["unread"])


def test_host_network_ends(lab: Lab) -> None:
    node = lab.spec.nodes[1]
    host_pod = next(pod for pod in node.pods if pod.ip is None)
    code, found = trace(lab, host_pod.key, EXAMPLES[lab.spec.name][1])
    assert (code, found["verdict"]) == (0, "delivered"), found
    assert found["directions"][0]["hops"][0]["step"] == "host-out"
    assert found["directions"][1]["hops"][-1]["step"] == "host-in"


def test_a_broken_route_is_found_where_it_is_and_repaired_again(lab: Lab) -> None:
    which = lab.spec.name
    destination = EXAMPLES[which][1]
    pod = lab.pod(destination)
    veth = veth_name(*destination.split("/"))
    node = pod.node
    node.run(f"ip route del {pod.spec.ip} dev {veth}")
    try:
        code, found = trace(lab, *EXAMPLES[which])
    finally:
        node.run(f"ip route add {pod.spec.ip} dev {veth} scope link")
    assert (code, found["verdict"]) == (1, "broken")
    last = found["directions"][0]["hops"][-1]
    assert (last["step"], last["node"], last["ends"]) == ("route", node.name, "blackhole")


def test_a_recording_replays_the_same_trace(lab: Lab, tmp_path: Path) -> None:
    which = lab.spec.name
    file = tmp_path / "cluster.json"
    done = calitui(lab, "record", "-o", str(file))
    assert done.returncode == 0, done.stderr
    taken = snapshot.decode(file.read_bytes(), file.name)
    assert {node.name for node in taken.nodes} == {node.name for node in lab.spec.nodes}
    assert not [missing for node in taken.nodes for missing in node.missing]
    _, live = trace(lab, *EXAMPLES[which])
    _, replayed = trace(lab, *EXAMPLES[which], "--from", str(file))
    for one, other in zip(live["directions"], replayed["directions"], strict=True):
        assert [hop["route"] for hop in one["hops"]] == [hop["route"] for hop in other["hops"]]
        assert one["disposition"] == other["disposition"] == "delivered"


def test_the_shipped_demo_is_a_recording_of_this_lab(lab: Lab) -> None:
    demo = open_demo(lab.spec.name).cluster()
    in_lab = {pod.key for node in lab.spec.nodes for pod in node.pods}
    assert {f"{pod.namespace}/{pod.name}" for pod in demo.pods} == in_lab
