"""Findings about blocks, Services and the datastore: one contradiction put into a cluster that is well."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calitui.diagnosis.ipam import checks as ipam
from calitui.diagnosis.scene import Scene
from calitui.facts.cluster import (
    Allocation,
    Block,
    BlockAffinity,
    Cluster,
    IPAMConfiguration,
    IPPool,
    Node,
)
from calitui.facts.missing import Missing
from calitui.trace.finding import Severity
from tests.diagnosis.ipam_scenes import ETH0, codes, grouped, only, pod
from tests.diagnosis.scenes import (
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

ERROR, WARNING = Severity.ERROR, Severity.WARNING
KNOWN: dict[str, Any] = {"service_ips": ("10.96.0.1",)}


@pytest.mark.parametrize("name", HEALTHY)
def test_demos_have_no_fault_of_ipam(name: str) -> None:
    for scene in everyday(demo(name)):
        assert found(ipam.CHECKS, scene) == []


@pytest.mark.parametrize("which", ["ipip", "bgp"])
def test_the_article_has_none(which: str) -> None:
    for scene in (audited(which, **KNOWN), traced(which, **KNOWN)):
        assert found(ipam.CHECKS, scene) == []
        assert unchecked(ipam.CHECKS, scene) == []


def test_locked_datastore() -> None:
    one = only(audited("ipip", datastore_ready=False))
    assert (one.code, one.node, one.severity) == ("datastore-not-ready", None, WARNING)
    assert codes(audited("ipip", datastore_ready=True)) == []
    scene = audited("ipip", missing=(Missing("ClusterInformation", "forbidden"),))
    assert ("datastore-not-ready", "ClusterInformation: forbidden") in [
        (said.code, said.reason) for said in unchecked(ipam.CHECKS, scene)
    ]


# blocks


def test_block_of_a_node_that_is_gone() -> None:
    gone = Block("192.168.5.0/26", "k8s-old")
    claim = BlockAffinity("k8s-old", "192.168.6.0/26", "confirmed")
    one = only(audited("ipip", blocks=(*cluster("ipip").blocks, gone), affinities=(claim,)))
    assert (one.code, one.subject, one.severity) == ("block-affinity-node-gone", "k8s-old", WARNING)
    assert "192.168.5.0/26 and 1 more" in one.summary
    assert codes(traced("ipip", blocks=(*cluster("ipip").blocks, gone))) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"blocks": (*cluster("ipip").blocks, Block("192.168.5.0/26", "k8s-old", deleted=True))},
        {"affinities": (BlockAffinity("k8s-old", "192.168.5.0/26", "confirmed", deleted=True),)},
        {"affinities": (BlockAffinity("load-balancer", "192.168.5.0/26", "confirmed"),)},
        {"blocks": tuple(Block(block.cidr, f"{block.node}.example.com") for block in cluster("ipip").blocks)},
        {"nodes": (), "missing": (Missing("nodes", "forbidden"),)},
    ],
)
def test_nodes_that_are_not_gone(changes: dict[str, Any]) -> None:
    assert codes(audited("ipip", **changes)) == []


@pytest.mark.parametrize(
    ("affinities", "expected"),
    [
        ((BlockAffinity(A, "192.168.97.0/26", "confirmed"), BlockAffinity(B, "192.168.97.0/26", "confirmed")), True),
        ((BlockAffinity(B, "192.168.97.0/26", "confirmed"),), True),
        ((BlockAffinity(A, "192.168.97.0/26", "confirmed"), BlockAffinity(B, "192.168.97.0/26", "pending")), False),
        ((BlockAffinity(B, "192.168.97.0/26", "confirmed", deleted=True),), False),
        ((BlockAffinity(A, "192.168.97.0/26", "confirmed"),), False),
    ],
)
def test_block_of_two_owners(affinities: tuple[BlockAffinity, ...], expected: bool) -> None:
    for scene in (audited("ipip", affinities=affinities), traced("ipip", affinities=affinities)):
        assert codes(scene) == (["block-owner-contradiction"] if expected else [])
    if expected:
        one = only(audited("ipip", affinities=affinities))
        assert (one.node, one.affected, one.severity) == (B, (A,), ERROR)
        assert any("IPAMBlock 192.168.97.0/26: affinity host:k8s-calico2" in line for line in one.evidence)


def block(cidr: str, node: str, taken: int) -> Block:
    stem = cidr.rpartition(".")[0]
    return Block(cidr, node, tuple(Allocation(f"{stem}.{number}", node) for number in range(taken)))


SMALL = (IPPool("small", "192.168.0.0/28", block_size=29),)
FULL = (block("192.168.0.0/29", A, 8), block("192.168.0.8/29", B, 8))
ROOM = (block("192.168.0.0/29", A, 8), block("192.168.0.8/29", B, 5))


@pytest.mark.parametrize(
    ("blocks", "pools", "settings_", "severity"),
    [
        (FULL, SMALL, None, ERROR),
        (FULL, (*SMALL, IPPool("off", "10.0.0.0/24", disabled=True)), None, ERROR),
        (FULL, (*SMALL, IPPool("more", "10.0.0.0/24")), None, None),
        (FULL[:1], SMALL, None, None),
        (ROOM, SMALL, None, None),
        (ROOM, SMALL, IPAMConfiguration(strict_affinity=True), ERROR),
        (ROOM, SMALL, IPAMConfiguration(max_blocks_per_host=1), WARNING),
        (FULL[:1], SMALL, IPAMConfiguration(max_blocks_per_host=1), ERROR),
        (FULL[:1], SMALL, IPAMConfiguration(max_blocks_per_host=2), None),
    ],
)
def test_no_address_left(
    blocks: tuple[Block, ...], pools: tuple[IPPool, ...], settings_: IPAMConfiguration | None, severity: Severity | None
) -> None:
    waiting = (pod("new", status="ContainerCreating"),)
    scene = audited("ipip", blocks=blocks, pools=pools, ipam=settings_, pods=waiting)
    found_ = [(one.code, one.node, one.severity) for one in grouped(scene)]
    assert found_ == ([("ipam-exhausted", A, severity)] if severity else [])


def test_full_pools_are_no_fault_while_nobody_waits() -> None:
    assert codes(audited("ipip", blocks=FULL, pools=SMALL, pods=())) == []
    waiting = (pod("new", status="ContainerCreating"),)
    scene = audited("ipip", pools=SMALL, blocks=(), pods=waiting, missing=(Missing("IPAM blocks", "forbidden"),))
    assert codes(scene) == []
    assert "ipam-exhausted" in {said.code for said in unchecked(ipam.CHECKS, scene)}


# Services

IPVS = "9: kube-ipvs0: <BROADCAST,NOARP> mtu 1500 qdisc noop state DOWN \\    link/ether 02:00:00:00:00:09"


@pytest.mark.parametrize(
    ("more", "changes", "severity"),
    [
        (["blackhole 10.96.0.0/12 proto bird"], {"service_ips": ("10.96.0.1",)}, ERROR),
        (["blackhole 10.96.0.0/12 proto bird"], {"service_cidrs": ("10.96.0.0/16",)}, WARNING),
        (["blackhole 10.96.0.0/12 proto bird"], {"service_ips": ("172.20.0.1",)}, None),
        (["blackhole 10.96.0.0/12 proto bird", "10.96.0.1 dev eth0"], {"service_ips": ("10.96.0.1",)}, None),
        (
            ["blackhole 10.96.0.0/12 proto bird", "local 10.96.0.1 dev kube-ipvs0 table local"],
            {"service_ips": ("10.96.0.1",), "service_cidrs": ("10.96.0.0/12",)},
            None,
        ),
        (["blackhole 10.96.0.0/12 table 7"], {"service_ips": ("10.96.0.1",)}, None),
    ],
)
def test_blackhole_around_services(more: list[str], changes: dict[str, Any], severity: Severity | None) -> None:
    scene = audited("ipip", seed.node("ipip", A, more=more), **changes)
    assert [(one.code, one.node, one.severity) for one in grouped(scene)] == (
        [("service-cidr-blackhole", A, severity)] if severity else []
    )


def test_ipvs_holds_services_itself() -> None:
    facts = seed.node("ipip", A, more=["blackhole 10.96.0.0/12 proto bird"], links={ETH0: f"{ETH0}\n{IPVS}"})
    assert codes(audited("ipip", facts, service_cidrs=("10.96.0.0/12",))) == []


def test_unknown_services_are_said_once() -> None:
    said = [one for one in unchecked(ipam.CHECKS, audited("ipip")) if one.code == "service-cidr-blackhole"]
    assert [(one.node, one.reason) for one in said] == [(None, "the addresses of Services are not known")]
    (why,) = unchecked(ipam.CHECKS, audited("ipip", missing=(Missing("Service default/kubernetes", "forbidden"),)))
    assert why.reason == "Service default/kubernetes: forbidden"


def test_every_entry_is_told_in_full() -> None:
    for entry in ipam.ENTRIES:
        assert len(entry.background) > 200
        assert entry.remedy.endswith(".")
        assert entry.reference


@settings(max_examples=60, deadline=None)
@given(GARBAGE)
def test_no_facts_make_a_check_raise(scene: Scene) -> None:
    found(ipam.CHECKS, scene)


TEXT = st.sampled_from(
    ["10.0.0.1", "10.0.0.0/8", "10.0.0.0/30", "fd00::/64", "fd00::1", "", "/", "1.2.3", "0", "::/0", "é"]
)


@settings(max_examples=100, deadline=None)
@given(st.lists(TEXT, min_size=8, max_size=8), st.booleans())
def test_no_text_makes_a_check_raise(texts: list[str], strict: bool) -> None:
    one, two, three, four, five, six, seven, eight = texts
    scene = Scene(
        Cluster(
            pods=(pod("a", one), pod("b", two), pod("c", status="ContainerCreating")),
            nodes=(Node(A, (three,), bgp_address=four, ipip_address=five),),
            pools=(IPPool("p", six), IPPool("q", seven)),
            blocks=(Block(eight, A, (Allocation(one, A, "shop", "a"),)), Block(one, None), Block(two, "gone")),
            affinities=(BlockAffinity(B, eight, "confirmed"), BlockAffinity("", three)),
            ipam=IPAMConfiguration(strict, -1),
            service_cidrs=(four,),
            service_ips=(five,),
        ),
        (seed.node("ipip", A, more=["blackhole 10.0.0.0/8"]),),
    )
    found(ipam.CHECKS, scene)
