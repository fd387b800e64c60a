"""`--via auto` picks the node's own kernel, then SSH, then exec, and says which and why."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import msgspec

from calitui.facts.cluster import Node
from calitui.facts.missing import Missing
from calitui.facts.node import NetworkNamespace, NodeFacts, Question
from calitui.nodes.local.machine import Machine
from calitui.session.ways_in import AutoReader

NODE = Node("one", internal_ips=("10.0.0.11",), hostname="one")
ELSEWHERE = Machine("laptop", "6.1", {"192.0.2.9": "eth0"})
ON_THE_NODE = Machine("one", "6.1", {"10.0.0.11": "eth0"})


class Way:
    """A reader that gets in, or does not."""

    def __init__(self, via: str, *, reason: str = "") -> None:
        self.via = via
        self.reason = reason
        self.reads = 0
        self.closed = False

    def read(
        self,
        node: Node,
        questions: Sequence[Question],
        containers: Sequence[str],
        progress: Callable[[str], None],
        stop: threading.Event,
    ) -> NodeFacts:
        self.reads += 1
        if self.reason:
            return NodeFacts(node.name, self.via, missing=(Missing("node", self.reason, node.name),))
        return NodeFacts(node.name, self.via, host=NetworkNamespace())

    def close(self) -> None:
        self.closed = True


def read(reader: AutoReader) -> tuple[NodeFacts, list[str]]:
    said: list[str] = []
    return reader.read(NODE, (), (), said.append, threading.Event()), said


def test_the_node_that_calitui_runs_on_is_read_from_its_own_kernel() -> None:
    local, ssh, execs = Way("local"), Way("ssh"), Way("exec")
    facts, said = read(AutoReader(local, ssh, execs, ON_THE_NODE))
    assert facts.via == "local"
    assert "one" in facts.why
    assert "10.0.0.11" in facts.why
    assert ssh.reads == execs.reads == 0
    assert said


def test_any_other_node_is_read_over_ssh() -> None:
    local, ssh, execs = Way("local"), Way("ssh"), Way("exec")
    facts, _ = read(AutoReader(local, ssh, execs, ELSEWHERE))
    assert (facts.via, local.reads, execs.reads) == ("ssh", 0, 0)


def test_where_ssh_does_not_get_in_exec_is_tried_and_ssh_not_again() -> None:
    ssh, execs = Way("ssh", reason="10.0.0.11:22 refused the connection"), Way("exec")
    reader = AutoReader(Way("local"), ssh, execs, ELSEWHERE)
    facts, said = read(reader)
    assert facts.via == "exec"
    assert "refused the connection" in facts.why
    assert any("refused the connection" in line for line in said)
    read(reader)
    assert (ssh.reads, execs.reads) == (1, 2)


def test_where_nothing_gets_in_both_reasons_are_said_and_both_tried_again() -> None:
    ssh, execs = Way("ssh", reason="refused"), Way("exec", reason="forbidden")
    reader = AutoReader(Way("local"), ssh, execs, ELSEWHERE)
    facts, _ = read(reader)
    assert facts.host is None
    assert facts.missing == (Missing("node", "SSH: refused; exec: forbidden", "one"),)
    read(reader)
    assert (ssh.reads, execs.reads) == (2, 2)


def test_a_local_kernel_that_can_not_be_read_is_no_end() -> None:
    facts, _ = read(AutoReader(Way("local", reason="no netlink"), Way("ssh"), Way("exec"), ON_THE_NODE))
    assert facts.via == "ssh"


def test_closing_closes_every_way() -> None:
    local, ssh, execs = Way("local"), Way("ssh"), Way("exec")
    AutoReader(local, ssh, execs, ELSEWHERE).close()
    assert local.closed
    assert ssh.closed
    assert execs.closed


def test_a_choice_is_kept_in_a_snapshot() -> None:
    facts, _ = read(AutoReader(Way("local"), Way("ssh"), Way("exec"), ELSEWHERE))
    assert msgspec.json.decode(msgspec.json.encode(facts), type=NodeFacts) == facts
