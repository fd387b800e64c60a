"""Findings about nodes' addresses, each on the article's cluster with one thing changed, and none where all is well."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from calitui.diagnosis.addresses import checks as addresses
from calitui.diagnosis.grouping import group
from calitui.diagnosis.scene import Scene
from calitui.facts.bird import Bird, BirdAnswer, BirdProtocol
from calitui.facts.cluster import Block, FelixConfiguration, IPPool, Node, Pod
from calitui.facts.missing import Missing
from calitui.facts.node import NodeFacts
from calitui.trace.finding import Finding, Severity
from tests.diagnosis.scenes import (
    BLOCKS,
    GARBAGE,
    HEALTHY,
    A,
    B,
    audited,
    cluster,
    demo,
    everyday,
    found,
    traced,
    unchecked,
)
from tests.trace import seed

ETH0 = "2: eth0    inet 10.173.32.23/24 brd 10.173.32.255 scope global eth0"
SECOND = "9: {0}: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc fq state UP \\    link/ether 02:00:0a:00:00:09"
CROSS = (IPPool("default", "192.168.0.0/16", ipip_mode="CrossSubnet", block_size=26),)
ERROR, WARNING = Severity.ERROR, Severity.WARNING


def nodes(**changes: dict[str, Any]) -> tuple[Node, ...]:
    """The cluster's two nodes with fields of `a` or `b` changed."""
    a, b = cluster("ipip").nodes
    return msgspec.structs.replace(a, **changes.get("a", {})), msgspec.structs.replace(b, **changes.get("b", {}))


def with_card(device: str, address: str, *more: str) -> NodeFacts:
    """`k8s-calico2` with one more device and an address on it."""
    lines = [ETH0, SECOND.format(device), f"9: {device}    inet {address} scope global {device}"]
    return seed.node("ipip", A, links={ETH0: "\n".join(lines)}, more=more)


def only(scene: Scene) -> Finding:
    """The finding there is, with what follows from it."""
    (one,) = grouped(scene)
    return one


def grouped(scene: Scene) -> tuple[Finding, ...]:
    return group(found(addresses.CHECKS, scene), {entry.code: entry for entry in addresses.ENTRIES}).findings


def codes(scene: Scene) -> list[str]:
    return [one.code for one in grouped(scene)]


@pytest.mark.parametrize("name", HEALTHY)
def test_demos_have_no_fault_of_addresses(name: str) -> None:
    for scene in everyday(demo(name)):
        assert found(addresses.CHECKS, scene) == []


@pytest.mark.parametrize("which", ["ipip", "bgp"])
def test_the_article_has_none(which: str) -> None:
    for scene in (audited(which), traced(which)):
        assert found(addresses.CHECKS, scene) == []
        assert unchecked(addresses.CHECKS, scene) == []


# the wrong card


@pytest.mark.parametrize("device", ["docker0", "br-0123456789ab", "virbr0", "cali12345678901", "kube-ipvs0"])
def test_address_of_a_device_that_leads_nowhere(device: str) -> None:
    scene = audited("ipip", with_card(device, "172.17.0.1/16"), nodes=nodes(a={"bgp_address": "172.17.0.1/16"}))
    one = only(scene)
    assert (one.code, one.node, one.severity, one.subject) == (
        "node-address-wrong-interface",
        A,
        ERROR,
        "172.17.0.1",
    )
    assert f"API Node {A} projectcalico.org/IPv4Address: 172.17.0.1/16" in one.evidence
    assert any(line.startswith(f"{A} ip -o addr: 9: {device} inet 172.17.0.1/16") for line in one.evidence)
    assert "10.173.32.23" in one.summary
    assert any("IP_AUTODETECTION_METHOD=interface=eth0" in line for line in one.fix)
    assert one.affected == (B,)


def test_address_of_a_card_in_another_network_than_everybody() -> None:
    changed = nodes(a={"bgp_address": "10.99.0.5/24"})
    one = only(audited("ipip", with_card("eth1", "10.99.0.5/24"), nodes=changed))
    assert (one.code, one.node, one.severity) == ("node-address-wrong-interface", A, ERROR)
    assert "eth1" in one.summary


def test_a_second_card_that_every_node_uses_is_a_choice() -> None:
    changed = nodes(a={"bgp_address": "10.99.0.5/24"}, b={"bgp_address": "10.99.0.6/24"})
    facts = with_card("eth1", "10.99.0.5/24", "10.99.0.0/24 dev eth1 proto kernel scope link src 10.99.0.5")
    assert codes(Scene(cluster("ipip", nodes=changed), (facts,))) == []


def test_racks_with_networks_of_their_own_and_one_for_management_are_a_choice() -> None:
    changed = nodes(a={"bgp_address": "10.99.1.5/24"}, b={"bgp_address": "10.99.2.5/24"})
    facts = with_card("eth1", "10.99.1.5/24", "10.99.0.0/16 via 10.99.1.1 dev eth1")
    assert codes(Scene(cluster("ipip", nodes=changed), (facts,))) == []


def test_an_address_on_the_loopback_of_every_node_is_a_choice() -> None:
    changed = nodes(a={"bgp_address": "10.99.0.5/32"}, b={"bgp_address": "10.99.0.6/32"})
    lines = [ETH0, "1: lo    inet 10.99.0.5/32 scope global lo"]
    route = "10.99.0.6 via 10.173.32.26 dev eth0 proto static src 10.99.0.5"
    facts = seed.node("ipip", A, links={ETH0: "\n".join(lines)}, more=[route])
    assert codes(Scene(cluster("ipip", nodes=changed), (facts,))) == []


def test_by_the_api_alone_it_is_a_suspicion() -> None:
    scene = Scene(cluster("ipip", nodes=nodes(a={"bgp_address": "10.99.0.5/24"})), ())
    one = only(scene)
    assert (one.code, one.severity) == ("node-address-wrong-interface", WARNING)
    assert any("can-reach=10.173.32.26" in line for line in one.fix)


def test_a_session_that_is_up_makes_it_a_suspicion() -> None:
    session = BirdProtocol("Mesh_10_173_32_26", "BGP", "master", "up", "09:00:00", "Established")
    bird = Bird(4, "/var/run/calico/bird.ctl", BirdAnswer(protocols=(session,)), complete=True)
    facts = msgspec.structs.replace(with_card("eth1", "10.99.0.5/24"), birds=(bird,))
    changed = {"nodes": nodes(a={"bgp_address": "10.99.0.5/24"}), "pools": (IPPool("default", "192.168.0.0/16"),)}
    assert only(audited("ipip", facts, **changed)).severity is WARNING


def test_the_same_card_on_all_nodes_is_one_finding() -> None:
    nat = {"bgp_address": "10.0.2.15/24"}
    first = only(Scene(cluster("ipip", nodes=nodes(a=nat, b=nat)), ()))
    assert (first.code, first.node, first.affected) == ("node-address-wrong-interface", None, (A, B))
    assert "has as well" in first.summary


def test_operator_is_told_in_its_own_words() -> None:
    agents = tuple(
        Pod("calico-system", f"calico-node-{name}", name, labels={"k8s-app": "calico-node"}) for name in (A, B)
    )
    changed = {"nodes": nodes(a={"bgp_address": "172.17.0.1/16"}), "pods": agents}
    one = only(audited("ipip", with_card("docker0", "172.17.0.1/16"), **changed))
    assert one.fix[0].startswith("kubectl patch installation default")
    assert '"nodeAddressAutodetectionV4":{"firstFound":null,"interface":"eth0"}' in one.fix[0]


def test_a_public_address_is_not_called_the_wrong_card() -> None:
    changed = nodes(a={"bgp_address": "192.0.2.1/32", "external_ips": ("192.0.2.1",)})
    assert codes(Scene(cluster("ipip", nodes=changed), ())) == []


# gone, missing, shared


def test_address_that_the_node_does_not_have() -> None:
    one = only(audited("ipip", nodes=nodes(a={"bgp_address": "10.173.32.99/24"})))
    assert (one.code, one.node, one.severity) == ("node-address-not-on-host", A, ERROR)
    assert any("2: eth0 inet 10.173.32.23/24" in line for line in one.evidence)
    assert any("calico-node-2" in line for line in one.fix)


def test_absent_address_needs_all_addresses() -> None:
    facts = seed.node("ipip", A, complete=seed.EVERYTHING - {"addresses"})
    scene = audited("ipip", facts, nodes=nodes(a={"bgp_address": "10.173.32.99/24"}))
    assert "node-address-not-on-host" not in codes(scene)
    said = [one for one in unchecked(addresses.CHECKS, scene) if one.code == "node-address-not-on-host"]
    assert [one.node for one in said] == [A]
    assert said[0].reason.startswith("addresses")


@pytest.mark.parametrize("value", [None, "rubbish", "10.0.0.300/24"])
def test_node_without_an_address(value: str | None) -> None:
    one = only(audited("ipip", nodes=nodes(a={"bgp_address": value})))
    assert (one.code, one.node, one.severity) == ("node-address-missing", A, ERROR)
    assert one.evidence[0] == f"API Node {A} projectcalico.org/IPv4Address: {value or 'not there'}"


def test_no_address_is_told_of_a_node_without_calico() -> None:
    fargate = Node("fargate-1", internal_ips=("10.173.32.77",))
    assert codes(Scene(cluster("ipip", nodes=(*nodes(), fargate)), seed.pair("ipip"))) == []
    with_agent = (*cluster("ipip").pods, Pod("kube-system", "calico-node-9", "fargate-1", labels={"k8s-app": "canal"}))
    one = only(Scene(cluster("ipip", nodes=(*nodes(), fargate), pods=with_agent), seed.pair("ipip")))
    assert (one.code, one.severity) == ("node-address-missing", WARNING)


def test_no_annotation_at_all_is_another_datastore() -> None:
    assert codes(audited("ipip", nodes=nodes(a={"bgp_address": None}, b={"bgp_address": None}))) == []


@pytest.mark.parametrize(
    ("changes", "severity"),
    [
        ({"a": {"bgp_address": "10.173.32.26/24", "internal_ips": ("10.173.32.26",)}}, ERROR),
        ({"a": {"internal_ips": ("10.173.32.26",)}}, WARNING),
        ({"a": {"ipip_address": "192.168.210.128"}}, ERROR),
    ],
)
def test_two_nodes_with_one_address(changes: dict[str, dict[str, Any]], severity: Severity) -> None:
    (one,) = found(addresses.CHECKS, Scene(cluster("ipip", nodes=nodes(**changes)), ()))
    assert (one.code, one.node, one.affected, one.severity) == ("node-address-duplicate", A, (B,), severity)
    assert len(one.evidence) == 2


def test_two_other_nodes_with_one_address_are_none_of_a_traces_business() -> None:
    others = tuple(Node(name, ("10.1.1.1",), bgp_address="10.1.1.1/24") for name in ("x", "y"))
    assert "node-address-duplicate" not in codes(traced("ipip", nodes=(*nodes(), *others)))
    assert "node-address-duplicate" in codes(audited("ipip", nodes=(*nodes(), *others)))


def test_nodes_that_were_not_read_are_said() -> None:
    scene = audited("ipip", nodes=(), missing=(Missing("nodes", "forbidden"),))
    assert {one.code for one in unchecked(addresses.CHECKS, scene)} >= {
        "node-address-wrong-interface",
        "node-address-missing",
        "node-address-duplicate",
    }


# masks


@pytest.mark.parametrize(
    ("far", "mask", "severity"),
    [("10.173.32.26", 32, WARNING), ("10.173.40.26", 16, ERROR), ("10.173.40.26", 20, ERROR)],
)
def test_mask_that_changes_how_packets_are_carried(far: str, mask: int, severity: Severity) -> None:
    changed = nodes(a={"bgp_address": f"10.173.32.23/{mask}"}, b={"bgp_address": f"{far}/24", "internal_ips": (far,)})
    scene = Scene(cluster("ipip", nodes=changed, pools=CROSS), (seed.node("ipip", A),))
    one = only(scene)
    assert (one.code, one.node, one.severity, one.affected) == ("node-address-mask", A, severity, (B,))
    assert any("eth0 inet 10.173.32.23/24" in line for line in one.evidence)


@pytest.mark.parametrize(("mask", "pools"), [(32, None), (16, CROSS), (25, CROSS), (24, CROSS)])
def test_mask_that_changes_nothing(mask: int, pools: tuple[IPPool, ...] | None) -> None:
    changed: dict[str, Any] = {"nodes": nodes(a={"bgp_address": f"10.173.32.23/{mask}"})}
    scene = audited("ipip", **changed | ({"pools": pools} if pools else {}))
    assert codes(scene) == []


# the outer source

OTHER = "10.173.32.26 via 10.173.32.1 dev eth0 src 10.173.32.200"


def test_ipip_from_an_address_that_nobody_knows() -> None:
    facts = seed.node("ipip", A, more=[OTHER])
    one = only(audited("ipip", facts))
    assert (one.code, one.node, one.subject) == ("node-source-address-differs", A, "10.173.32.200")
    assert any(OTHER in line for line in one.evidence)
    assert one.affected == (B,)
    assert only(traced("ipip", facts)).code == "node-source-address-differs"


def test_a_second_card_on_the_way_to_the_others_decides_the_source() -> None:
    route = "10.173.32.0/25 dev eth1 proto kernel scope link"
    one = only(audited("ipip", with_card("eth1", "10.173.32.100/25", route)))
    assert (one.code, one.subject) == ("node-source-address-differs", "10.173.32.100")


@pytest.mark.parametrize(
    "changes",
    [
        {"pools": (IPPool("default", "192.168.0.0/16", vxlan_mode="Always"),)},
        {"pools": CROSS},
        {"felix": (FelixConfiguration("default", {"externalNodesList": '["10.173.32.192/26"]'}),)},
        {"blocks": (Block(BLOCKS["ipip"][A], A),)},
    ],
)
def test_a_source_that_does_not_matter(changes: dict[str, Any]) -> None:
    assert codes(audited("ipip", seed.node("ipip", A, more=[OTHER]), **changes)) == []


def test_a_source_that_is_not_certain_is_not_blamed() -> None:
    facts = seed.node("ipip", A, more=[OTHER], complete=seed.EVERYTHING - {"rules"})
    scene = audited("ipip", facts)
    assert codes(scene) == []
    assert [one.code for one in unchecked(addresses.CHECKS, scene)] == ["node-source-address-differs"]


def test_every_entry_is_told_in_full() -> None:
    for entry in addresses.ENTRIES:
        assert len(entry.background) > 200
        assert entry.remedy.endswith(".")
        assert entry.reference


@settings(max_examples=60, deadline=None)
@given(GARBAGE)
def test_no_facts_make_a_check_raise(scene: Scene) -> None:
    found(addresses.CHECKS, scene)
