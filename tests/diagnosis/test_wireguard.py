"""WireGuard on some nodes only."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest

from calitui.diagnosis.devices import wireguard
from calitui.diagnosis.scene import Scene
from calitui.facts.cluster import Cluster, FelixConfiguration
from calitui.facts.node import NodeFacts
from calitui.trace.finding import Severity
from tests.diagnosis import scenes
from tests.diagnosis.scenes import A, B
from tests.trace import seed

DEVICE = "9: wireguard.cali: <POINTOPOINT,NOARP,UP,LOWER_UP> mtu 1440 qdisc noqueue state UNKNOWN \\    link/none\n"
RULE = "99:\tnot from all fwmark 0x200000/0x200000 lookup 1\n"
KEYS = {A: "a2V5IG9mIEE=", B: "a2V5IG9mIEI="}
VETHS = {A: "7: calic285cddbb40", B: "8: calif6874dae1d2"}
FAR = {A: "192.168.210.192/26", B: "192.168.97.0/26"}


def node(name: str, device: str = DEVICE, rules: str = seed.RULES + RULE) -> NodeFacts:
    return seed.node("bgp", name, links={VETHS[name]: device + VETHS[name]}, rules=rules,
                     more=[f"{FAR[name]} dev wireguard.cali table 1 scope link"])  # fmt: skip


def cluster(keys: Mapping[str, str], enabled: str = "true") -> Cluster:
    plain = scenes.cluster("bgp", felix=(FelixConfiguration("default", {"wireguardEnabled": enabled}),))
    nodes = tuple(msgspec.structs.replace(one, wireguard_key=keys.get(one.name)) for one in plain.nodes)
    return msgspec.structs.replace(plain, nodes=nodes)


CASES = [
    ("all is well", cluster(KEYS), (node(A), node(B)), []),
    ("off", cluster({}, "false"), (node(A, ""), node(B, "")), []),
    ("no key", cluster({B: KEYS[B]}), (node(A), node(B)), [(A, "key", Severity.WARNING)]),
    ("no keys anywhere", cluster({}), (node(A), node(B)), [(None, "key", Severity.WARNING)]),
    ("no device", cluster(KEYS), (node(A, ""), node(B)), [(A, "wireguard.cali", Severity.ERROR)]),
    ("down", cluster(KEYS), (node(A, DEVICE.replace("UP,LOWER_UP", "LOWER_UP")), node(B)), [(A, "wireguard.cali", Severity.ERROR)]),
    ("no rule", cluster(KEYS), (node(A), node(B, rules=seed.RULES)), [(B, "rule", Severity.WARNING)]),
]  # fmt: skip


@pytest.mark.parametrize(("facts", "nodes", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_where_it_does_not_work(
    facts: Cluster, nodes: tuple[NodeFacts, ...], expected: list[tuple[str | None, str, Severity]]
) -> None:
    for trace in (None, seed.run("bgp", *nodes, cluster_facts=facts)):
        found = scenes.found(wireguard.CHECKS, Scene(facts, nodes, trace))
        assert [(one.node, one.subject, one.severity) for one in found] == expected
        assert all(one.code == "wireguard-partial" and one.evidence and one.fix for one in found)


def test_a_node_that_was_not_read_is_unchecked() -> None:
    scene = Scene(cluster(KEYS), [node(B)])
    assert [(one.code, one.node) for one in scenes.unchecked(wireguard.CHECKS, scene)] == [("wireguard-partial", A)]


@pytest.mark.parametrize("name", scenes.HEALTHY)
def test_healthy_recordings_are_silent(name: str) -> None:
    for each in scenes.healthy(name):
        assert not scenes.found(wireguard.CHECKS, each)
