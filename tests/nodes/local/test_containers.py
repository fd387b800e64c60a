"""Containers in real namespaces: found by the kernel's own numbers, gone meanwhile, and out of reach without root."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

pytest.importorskip("pyroute2", reason="pyroute2 is for Linux only")

from calitui.errors import Cancelled
from calitui.facts.cluster import Node as ClusterNode
from calitui.facts.node import NodeFacts, Question
from calitui.nodes.local import LocalReader, is_this_node
from calitui.nodes.local.entering import inside
from tests.nodes.local.inside import read_locally, this_node
from tests.nodes.script.namespaces import NAMELESS_POD, NODE_IP, POD, REMOTE_POD, Node, elsewhere, node

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs root: it makes network namespaces"),
    pytest.mark.skipif(shutil.which("ip") is None, reason="needs iproute2 (apt-get install iproute2)"),
]

NOBODY = 65534
PASSING_POD = "192.168.97.9"


@pytest.fixture(scope="module")
def real() -> Iterator[Node]:
    with node() as made:
        yield made


def _routing_reasons(facts: NodeFacts) -> dict[str, str]:
    return {what: reason for what, reason in _reasons(facts).items() if what not in ("BIRD", "packet filter")}


def _reasons(facts: NodeFacts) -> dict[str, str]:
    return {one.what: one.reason for one in facts.missing}


def test_another_node_on_this_machine_is_not_taken_for_the_container(real: Node) -> None:
    with elsewhere(NAMELESS_POD, like=real), elsewhere(NAMELESS_POD):
        facts = read_locally(real.name, (), [NAMELESS_POD])
    assert [one.found_by for one in facts.containers] == [f"/proc/{real.holder.pid}/ns/net"]
    assert facts.missing == ()


def test_an_address_on_a_device_that_leads_nowhere(real: Node) -> None:
    facts = read_locally(real.name, (), ["10.173.32.99"])
    # eth0 is a veth too, into a namespace that has no such address.
    assert _reasons(facts) == {
        "container 10.173.32.99": f"the network namespace at the other end, /run/netns/{real.peer}, does not have it "
        "(it is behind eth0)"
    }


def test_a_container_that_lost_its_address(real: Node) -> None:
    inner = ("nsenter", f"--net=/proc/{real.holder.pid}/ns/net", "ip", "addr")
    subprocess.run([*inner, "del", f"{NAMELESS_POD}/32", "dev", "eth0"], check=True)
    try:
        facts = read_locally(real.name, (), [NAMELESS_POD])
    finally:
        subprocess.run([*inner, "add", f"{NAMELESS_POD}/32", "dev", "eth0"], check=True)
    assert _reasons(facts) == {
        f"container {NAMELESS_POD}": "the network namespace at the other end, "
        f"/proc/{real.holder.pid}/ns/net, does not have it (it is behind cali0000000000b)"
    }


def test_containers_that_come_and_go_cost_themselves_only(real: Node) -> None:
    name = f"{real.name}-passing"
    done = threading.Event()
    failures: list[str] = []

    def come_and_go() -> None:
        for _ in range(40):
            if done.is_set():
                return
            for line in (
                f"ip netns add {name}",
                f"ip -n {real.name} link add cali00000000009 type veth peer name eth0 netns {name}",
                f"ip -n {real.name} link set cali00000000009 up",
                f"ip -n {real.name} route add {PASSING_POD}/32 dev cali00000000009 scope link",
                f"ip -n {name} addr add {PASSING_POD}/32 dev eth0",
                f"ip -n {name} link set eth0 up",
                f"ip netns delete {name}",
                f"ip -n {real.name} link delete cali00000000009",
            ):
                ran = subprocess.run(line.split(), check=False, capture_output=True, text=True, timeout=60)
                # The kernel takes the veth away with its other end, at a moment of its own.
                if ran.returncode and "link delete" not in line:
                    failures.append(f"{line}: {ran.stderr}")

    passing = threading.Thread(target=come_and_go)
    passing.start()
    try:
        every = [read_locally(real.name, [Question(POD, PASSING_POD)], [PASSING_POD, POD]) for _ in range(15)]
    finally:
        done.set()
        passing.join()
    assert failures == []
    for facts in every:
        assert facts.host is not None
        assert POD in {one.ip for one in facts.containers}
        unread = _reasons(facts)
        there = next((one for one in facts.containers if one.ip == PASSING_POD), None)
        assert (there is None) == (f"container {PASSING_POD}" in unread)
        if there is not None:
            held = {address.ip for link in there.namespace.links for address in link.addresses}
            assert PASSING_POD in held
        else:
            assert unread[f"container {PASSING_POD}"]


def test_a_namespace_that_is_gone_is_not_made_anew() -> None:
    with pytest.raises(FileNotFoundError):
        inside("/run/netns/calitui-was-here", lambda: None)
    assert not Path("/run/netns/calitui-was-here").exists()


def test_the_process_stays_where_it_is(real: Node) -> None:
    mine = Path("/proc/thread-self/ns/net")
    before = mine.readlink()
    read_locally(real.name, [Question(POD, REMOTE_POD)], [POD, NAMELESS_POD])
    assert mine.readlink() == before
    assert inside(None, mine.readlink) == before
    assert inside(f"/run/netns/{real.pod}", mine.readlink) != before


def test_without_root_containers_and_the_packet_filter_are_missing(real: Node) -> None:
    questions = [Question(POD, REMOTE_POD), Question("192.168.213.1", "192.168.97.5")]
    as_root = read_locally(real.name, questions, [POD])  # and imports everything before rights are given up
    facts = _as_nobody(real, questions)
    why = "needs root: start calitui with sudo on this node"
    assert _routing_reasons(facts) == {f"container {POD}": why}
    assert _reasons(facts)["packet filter"] == why
    assert facts.containers == ()
    assert facts.host is not None
    assert as_root.host is not None
    assert msgspec.structs.replace(facts.host, counters=()) == msgspec.structs.replace(as_root.host, counters=())
    asked = [(one.command, one.error) for one in as_root.answers]
    assert [(one.command, one.error) for one in facts.answers] == asked


def _as_nobody(real: Node, questions: list[Question]) -> NodeFacts:
    """The same reading by a child that gave root up; a child, as rights do not come back."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(ours)

            def read() -> NodeFacts:
                os.setgroups([])
                os.setresgid(NOBODY, NOBODY, NOBODY)
                os.setresuid(NOBODY, NOBODY, NOBODY)
                return LocalReader().read(this_node(), questions, [POD], lambda _: None, threading.Event())

            os.write(theirs, msgspec.json.encode(inside(f"/run/netns/{real.name}", read)))
        finally:
            os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as told:
        output = told.read()
    os.waitpid(child, 0)
    return msgspec.json.decode(output, type=NodeFacts)


def test_the_user_stops_it(real: Node) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        read_locally(real.name, stop=stop)


def test_the_users_stop_is_heard_while_the_kernel_answers(real: Node) -> None:
    stop = threading.Event()

    def read() -> NodeFacts:
        return LocalReader().read(this_node(), (), (), lambda _: stop.set(), stop)

    with pytest.raises(Cancelled):
        inside(f"/run/netns/{real.name}", read)


async def test_an_event_loop_in_the_same_thread_does_not_matter(real: Node) -> None:
    facts = read_locally(real.name, [Question(POD, REMOTE_POD)], [POD])
    assert [one.ip for one in facts.containers] == [POD]


def test_this_node_is_known_by_its_name_and_address(real: Node) -> None:
    def here(node: ClusterNode) -> str | None:
        return inside(f"/run/netns/{real.name}", lambda: is_this_node(node))

    name = os.uname().nodename
    assert here(this_node()) == f"the hostname here is {name}, and eth0 here has its address {NODE_IP}"
    assert here(ClusterNode("k8s-calico2", internal_ips=(NODE_IP,), hostname=name)) is not None
    assert here(ClusterNode("k8s-calico2", internal_ips=(NODE_IP,))) is None
    assert here(ClusterNode(name, internal_ips=("10.173.32.99",))) is None
    assert here(ClusterNode(name)) is None


def test_another_node_is_not_read(real: Node) -> None:
    facts = read_locally(real.name, [Question(POD, REMOTE_POD)], [POD], node=ClusterNode("k8s-calico3"))
    assert facts.host is None
    assert (facts.answers, facts.containers) == ((), ())
    name = os.uname().nodename
    assert _reasons(facts) == {
        "node": f"calitui does not run on it: this machine is called {name}, the node k8s-calico3"
    }


def test_what_can_not_be_asked(real: Node) -> None:
    facts = read_locally(real.name, [Question("$(id)", POD)])
    assert facts.host is None
    assert _reasons(facts)["node"].startswith(f"This can't be asked of {os.uname().nodename}:")
