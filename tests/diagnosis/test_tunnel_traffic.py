"""Tunnel counters: what was sent and has never come out."""

from __future__ import annotations

import msgspec
import pytest

from calitui.diagnosis.devices import tunnel_traffic
from calitui.facts.node import Counters, NodeFacts
from calitui.trace.finding import Severity
from tests.diagnosis import scenes
from tests.diagnosis.scenes import A, B
from tests.trace import seed


def counted(name: str, received: int, sent: int, device: str = "tunl0") -> NodeFacts:
    facts = seed.node("ipip", name, complete=seed.EVERYTHING | {"counters"})
    assert facts.host is not None
    line = f"{device}: {received * 84} {received} 0 0 0 0 0 0 {sent * 84} {sent} 0 0 0 0 0 0"
    counters = (Counters(device, rx_packets=received, tx_packets=sent, text=line),)
    return msgspec.structs.replace(facts, host=msgspec.structs.replace(facts.host, counters=counters))


def pair(a: tuple[int, int], b: tuple[int, int]) -> tuple[NodeFacts, NodeFacts]:
    """Received and sent of both nodes; the first one's other peers are no part of this cluster."""
    only = seed.IPIP_CALICO2[2:4]
    first = counted(A, *a)
    assert first.host is not None
    routes = tuple(route for route in first.host.routes if route.text not in only)
    return msgspec.structs.replace(first, host=msgspec.structs.replace(first.host, routes=routes)), counted(B, *b)


CASES = [
    ("sent, never received, never answered", pair((0, 500), (0, 0)), [B]),
    ("both send, neither receives", pair((0, 500), (0, 30)), [A, B]),
    ("answered by nobody", pair((7, 0), (0, 30)), []),
    ("both receive", pair((480, 500), (500, 480)), []),
    ("nothing was sent", pair((0, 0), (0, 0)), []),
    ("a few stray packets", pair((0, 19), (0, 0)), []),
    ("one has arrived", pair((0, 500), (1, 0)), []),
]


@pytest.mark.parametrize("whole", [True, False], ids=["audit", "trace"])
@pytest.mark.parametrize(("nodes", "where"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_who_has_never_received(nodes: tuple[NodeFacts, ...], where: list[str], whole: bool) -> None:
    scene = (scenes.audited if whole else scenes.traced)("ipip", *nodes)
    found = scenes.found(tunnel_traffic.CHECKS, scene)
    assert [one.node for one in found] == where
    for one in found:
        assert (one.code, one.severity, one.subject) == ("tunnel-packets-not-received", Severity.WARNING, "tunl0")
        assert "is IP protocol 4 filtered between them?" in one.summary
        assert len(one.evidence) == 2


def test_a_node_that_others_need_not_have_sent_to_is_left_alone() -> None:
    """The sender has other peers that were not read: its packets may all have been theirs."""
    scene = scenes.audited("ipip", counted(A, 0, 500), counted(B, 0, 0), nodes=seed.cluster("Always").nodes)
    assert not scenes.found(tunnel_traffic.CHECKS, scene)


def test_counters_that_were_not_read_are_unchecked() -> None:
    said = scenes.unchecked(tunnel_traffic.CHECKS, scenes.audited("ipip"))
    assert [(one.code, one.node) for one in said] == [("tunnel-packets-not-received", name) for name in (A, B)]
    assert not scenes.unchecked(tunnel_traffic.CHECKS, scenes.audited("bgp"))


@pytest.mark.parametrize("name", scenes.HEALTHY)
def test_healthy_recordings_are_silent(name: str) -> None:
    for each in scenes.healthy(name):
        assert not scenes.found(tunnel_traffic.CHECKS, each)
