"""The picture of a whole cluster: who can route to whom, and which finding stands behind each pair that can't."""

from __future__ import annotations

import msgspec

from calitui.diagnosis.audit import Reach
from calitui.diagnosis.matrix import audit
from calitui.facts.cluster import Block, Cluster, Node
from calitui.facts.missing import Missing
from calitui.facts.node import NodeFacts
from calitui.trace.finding import Severity
from tests.trace import seed

A, B = "k8s-calico2", "k8s-calico3"
FORWARD = "192.168.210.128/26 via 10.173.32.26 dev tunl0 proto bird onlink"


def cluster() -> Cluster:
    """The article's second cluster, with the two nodes of its example only."""
    facts = seed.cluster("Always")
    return msgspec.structs.replace(
        facts,
        nodes=tuple(node for node in facts.nodes if node.name in (A, B)),
        pods=tuple(pod for pod in facts.pods if pod.node in (A, B)),
        blocks=(Block("192.168.97.0/26", A), Block("192.168.210.128/26", B)),
    )


def test_a_healthy_cluster_is_all_ok() -> None:
    found = audit(cluster(), seed.pair("ipip"))
    assert found.rows == ("=.", ".=")
    assert not [one for one in found.findings if one.severity is not Severity.INFO]
    assert found.reach(0, 1) is Reach.OK
    assert (found.count(Reach.OK), found.count(Reach.BROKEN)) == (2, 0)


def test_a_missing_route_breaks_its_own_direction_and_names_its_cause() -> None:
    found = audit(cluster(), seed.pair("ipip", seed.node("ipip", A, without=[FORWARD])))
    assert found.rows == ("=x", ".=")
    causes = [found.findings[position].code for position in found.causes[0, 1]]
    assert causes == ["block-route-missing"]
    assert (1, 0) not in found.causes


def test_a_node_that_is_cut_off_breaks_its_row_and_its_column() -> None:
    ill = seed.node("ipip", A, links={"3: tunl0@NONE: <NOARP,UP,LOWER_UP>": "3: tunl0@NONE: <NOARP>"})
    found = audit(cluster(), seed.pair("ipip", ill))
    assert found.rows == ("=x", "x=")
    assert {found.findings[place].code for places in found.causes.values() for place in places} == {
        "tunnel-device-down"
    }


def test_a_node_that_was_not_read_is_unknown_from_there_and_judged_from_the_others() -> None:
    lost = NodeFacts(A, "ssh", missing=(Missing("node", "connection refused", A),))
    found = audit(cluster(), (lost, seed.node("ipip", B)))
    assert found.rows == ("=?", ".=")
    assert "connection refused" in found.reasons[0, 1]
    assert found.read == {B}
    assert any("connection refused" in one.reason for one in found.unread)


def test_without_pools_nothing_is_known() -> None:
    facts = msgspec.structs.replace(cluster(), pools=(), missing=(Missing("IPPools", "forbidden"),))
    found = audit(facts, seed.pair("ipip"))
    assert found.rows == ("=?", "?=")
    assert any("forbidden" in one.reason for one in found.unchecked)


def test_a_node_without_a_block_has_nothing_to_route_to() -> None:
    facts = cluster()
    facts = msgspec.structs.replace(
        facts, nodes=(*facts.nodes, Node("bare", internal_ips=("10.173.32.99",), ready=True))
    )
    found = audit(facts, (*seed.pair("ipip"),))
    assert [row[2] for row in found.rows] == ["-", "-", "="]
