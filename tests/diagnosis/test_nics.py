"""Network cards that are down, and next hops that do not answer."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from calitui.diagnosis.devices import nics
from calitui.diagnosis.scene import Scene
from calitui.facts.node import NodeFacts
from calitui.trace.finding import Severity
from tests.diagnosis import scenes
from tests.diagnosis.scenes import A, B
from tests.trace import seed

UP = "eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc fq state UP"
DOWN = "eth0: <BROADCAST,MULTICAST> mtu 1500 qdisc fq state DOWN"
LOOSE_CABLE = "eth0: <NO-CARRIER,BROADCAST,MULTICAST,UP> mtu 1500 qdisc fq state DOWN"
ERROR, WARNING = Severity.ERROR, Severity.WARNING
Make = Callable[..., Scene]


@pytest.mark.parametrize("make", [scenes.audited, scenes.traced], ids=["audit", "trace"])
@pytest.mark.parametrize("which", ["ipip", "bgp"])
@pytest.mark.parametrize(("line", "words"), [(DOWN, "is down"), (LOOSE_CABLE, "has no carrier")])
def test_the_card_with_the_nodes_address_is_down(which: str, line: str, words: str, make: Make) -> None:
    (found,) = scenes.found(nics.CHECKS, make(which, seed.node(which, A, links={UP: line})))
    assert (found.code, found.node, found.severity, found.subject) == ("nic-down", A, ERROR, "eth0")
    assert words in found.summary
    assert "10.173.32.23/24" in found.summary
    assert line.partition(" mtu")[0] in found.evidence[0]


def test_another_card_that_is_down_is_nobodys_business() -> None:
    spare = (
        "9: eth9: <BROADCAST,MULTICAST> mtu 1500 qdisc fq state DOWN \\    link/ether 02:00:00:00:00:09\n7: calic285"
    )
    scene = scenes.audited("bgp", seed.node("bgp", A, links={"7: calic285": spare}))
    assert not scenes.found(nics.CHECKS, scene)


def test_one_of_two_uplinks_is_a_warning() -> None:
    two = (
        "9: eth1: <NO-CARRIER,BROADCAST,MULTICAST,UP> mtu 1500 qdisc fq state DOWN \\    link/ether 02:00:00:00:00:09\n"
    )
    old = "192.168.210.192/26 via 10.173.32.26 dev eth0 proto bird"
    facts = seed.node("bgp", A, without=[old], links={"7: calic285": f"{two}7: calic285"})
    assert facts.host is not None
    (multipath,) = seed.namespace(
        "",
        f"{old.partition(' ')[0]} proto bird\n\tnexthop via 10.173.32.26 dev eth0 weight 1\n\tnexthop via 10.9.0.26 dev eth1 weight 1\n",
    ).routes
    facts = msgspec.structs.replace(
        facts, host=msgspec.structs.replace(facts.host, routes=(*facts.host.routes, multipath))
    )
    (found,) = scenes.found(nics.CHECKS, scenes.audited("bgp", facts))
    assert (found.code, found.subject, found.severity) == ("nic-down", "eth1", WARNING)


@pytest.mark.parametrize(("state", "severity"), [("FAILED", ERROR), ("INCOMPLETE", WARNING)])
@pytest.mark.parametrize("make", [scenes.audited, scenes.traced], ids=["audit", "trace"])
@pytest.mark.parametrize("which", ["ipip", "bgp"])
def test_a_next_hop_that_does_not_answer(which: str, state: str, severity: Severity, make: Make) -> None:
    facts = seed.node(which, A, neighbours=f"10.173.32.26 dev eth0  {state}\n10.173.32.99 dev eth0  FAILED\n")
    (found,) = scenes.found(nics.CHECKS, make(which, facts))
    assert (found.code, found.node, found.severity) == ("next-hop-no-neighbour", A, severity)
    assert "10.173.32.26 (k8s-calico3) did not answer ARP" in found.summary
    assert found.affected == (B,)
    assert any(line.endswith(f"10.173.32.26 dev eth0  {state}") for line in found.evidence), found.evidence


@pytest.mark.parametrize("state", ["lladdr 02:00:00:00:00:01 STALE", "lladdr 02:00:00:00:00:01 REACHABLE"])
def test_one_that_answers_is_fine(state: str) -> None:
    facts = seed.node("ipip", A, neighbours=f"10.173.32.26 dev eth0 {state}\n10.173.32.99 dev eth0  FAILED\n")
    assert not scenes.found(nics.CHECKS, scenes.audited("ipip", facts))


def test_a_router_that_does_not_answer_is_told_with_the_nodes_behind() -> None:
    far = "192.168.210.192/26 via 10.9.0.26 dev eth0 proto bird onlink"
    facts = seed.node("bgp", A, without=["192.168.210.192/26 via 10.173.32.26 dev eth0 proto bird"], more=[far],
                      neighbours="10.173.32.1 dev eth0 FAILED\n")  # fmt: skip
    found = scenes.found(nics.CHECKS, scenes.audited("bgp", facts))
    assert [one.subject for one in found] == ["10.173.32.1"]


def test_neighbours_that_were_not_read_are_unchecked() -> None:
    facts = seed.node("ipip", A, complete=seed.EVERYTHING - {"neighbours"})
    said = scenes.unchecked((nics.no_neighbour,), scenes.audited("ipip", facts))
    assert [(one.code, one.node) for one in said] == [("next-hop-no-neighbour", A)]


def test_a_node_that_was_not_read_is_unchecked() -> None:
    scene = scenes.audited("ipip", NodeFacts(A, "ssh"))
    assert {(one.code, one.node) for one in scenes.unchecked(nics.CHECKS, scene)} == {
        ("nic-down", A),
        ("next-hop-no-neighbour", A),
    }


@pytest.mark.parametrize("name", scenes.HEALTHY)
def test_healthy_recordings_are_silent(name: str) -> None:
    for each in scenes.healthy(name):
        assert not scenes.found(nics.CHECKS, each)
