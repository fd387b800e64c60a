"""Findings about pools, blocks, pods' addresses and Services: one contradiction put into a cluster that is well."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calitui.diagnosis import ipam
from calitui.diagnosis.grouping import group
from calitui.diagnosis.scene import Scene
from calitui.facts.cluster import (
    Allocation,
    BGPConfiguration,
    Block,
    BlockAffinity,
    Cluster,
    FelixConfiguration,
    IPAMConfiguration,
    IPPool,
    Node,
    Pod,
)
from calitui.facts.missing import Missing
from calitui.trace.finding import Finding, Severity
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

ERROR, WARNING, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO
ETH0 = "2: eth0    inet 10.173.32.23/24 brd 10.173.32.255 scope global eth0"
KNOWN: dict[str, Any] = {"service_ips": ("10.96.0.1",)}
POOL = IPPool("default", "192.168.0.0/16", ipip_mode="Always", nat_outgoing=True, block_size=26)


def grouped(scene: Scene) -> tuple[Finding, ...]:
    return group(found(ipam.CHECKS, scene), {entry.code: entry for entry in ipam.ENTRIES}).findings


def only(scene: Scene) -> Finding:
    """The finding there is, with what follows from it."""
    (one,) = grouped(scene)
    return one


def codes(scene: Scene) -> list[str]:
    return [one.code for one in grouped(scene)]


def pods(*more: Pod) -> tuple[Pod, ...]:
    """The cluster's pods and some more."""
    return (*cluster("ipip").pods, *more)


def pod(name: str, ip: str = "", node: str = A, status: str = "Running") -> Pod:
    phase = "Pending" if status == "ContainerCreating" else "Running"
    return Pod("shop", name, node, (ip,) if ip else (), phase, status)


def card(name: str, address: str) -> dict[str, str]:
    """One more device of `k8s-calico2`, for `seed.node(links=...)`."""
    link = f"9: {name}: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc fq state UP \\    link/ether 02:00:0a:00:00:09"
    return {ETH0: "\n".join([ETH0, link, f"9: {name}    inet {address} scope global {name}"])}


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


# pools


@pytest.mark.parametrize(
    ("changes", "words", "severity"),
    [
        ({"service_cidrs": ("192.168.128.0/17",)}, "Services (192.168.128.0/17)", WARNING),
        ({"bgp": (BGPConfiguration("default", service_cidrs=("192.168.0.0/20",)),)}, "Services", WARNING),
        ({"service_ips": ("192.168.255.1",)}, "the Service kubernetes (192.168.255.1)", WARNING),
        ({"service_ips": ("192.168.97.9",)}, "the Service kubernetes (192.168.97.9)", ERROR),
        ({"pools": (POOL, IPPool("lan", "10.173.0.0/16"))}, f"{A} (10.173.32.23)", WARNING),
    ],
)
def test_pool_around_something_else(changes: dict[str, Any], words: str, severity: Severity) -> None:
    one = only(audited("ipip", **changes))
    assert (one.code, one.node, one.severity) == ("pool-overlaps-host-network", None, severity)
    assert words in one.summary
    assert len(one.evidence) >= 2
    assert any("disabled" in line for line in one.fix)


@pytest.mark.parametrize(
    ("name", "address", "expected"),
    [
        ("virbr0", "192.168.122.1/24", ["pool-overlaps-host-network"]),
        ("eth1", "192.168.5.1/24", ["pool-overlaps-host-network"]),
        ("eth1", "10.5.0.1/24", []),
        ("eth1", "192.168.5.1/32", []),
        ("flannel.1", "192.168.5.0/24", []),
        ("cali12345678901", "192.168.5.1/24", []),
    ],
)
def test_pool_around_the_network_of_a_card(name: str, address: str, expected: list[str]) -> None:
    scene = audited("ipip", seed.node("ipip", A, links=card(name, address)))
    assert codes(scene) == expected


def test_block_around_a_nodes_address_is_an_error() -> None:
    lan = {"pools": (POOL, IPPool("lan", "10.173.0.0/16"))}
    block = Block("10.173.32.0/26", B)
    one = only(audited("ipip", blocks=(*cluster("ipip").blocks, block), **lan))
    assert one.severity is ERROR
    assert "10.173.32.0/26" in one.summary


@pytest.mark.parametrize(
    ("pool", "expected"),
    [
        (IPPool("inner", "192.168.64.0/18", vxlan_mode="Always"), ["pools-overlap"]),
        (IPPool("same", "192.168.0.0/16"), ["pools-overlap"]),
        (IPPool("lb", "192.168.64.0/18", allowed_uses=("LoadBalancer",)), []),
        (IPPool("tunnels", "192.168.64.0/18", allowed_uses=("Tunnel",)), ["pools-overlap"]),
        (IPPool("next", "192.169.0.0/16"), []),
        (IPPool("six", "fd00::/48"), []),
        (IPPool("odd", "rubbish"), []),
    ],
)
def test_pools_that_overlap(pool: IPPool, expected: list[str]) -> None:
    assert codes(audited("ipip", pools=(POOL, pool))) == expected


def test_pool_around_the_nodes_of_a_trace() -> None:
    lan = (POOL, IPPool("lan", "10.173.0.0/16"))
    assert codes(traced("ipip", pools=lan)) == ["pool-overlaps-host-network"]


def test_other_pools_are_none_of_a_traces_business() -> None:
    pools = (POOL, IPPool("x", "172.20.0.0/16"), IPPool("y", "172.20.1.0/24"))
    assert codes(audited("ipip", pools=pools)) == ["pools-overlap"]
    assert codes(traced("ipip", pools=pools)) == []
    assert codes(traced("ipip", pools=(POOL, IPPool("y", "192.168.1.0/24")))) == ["pools-overlap"]


# pods


def test_pods_outside_of_every_pool() -> None:
    more = pods(*(pod(f"web-{number}", f"10.88.0.{number}") for number in range(1, 9)))
    one = only(audited("ipip", pods=more))
    assert (one.code, one.severity, one.affected) == ("pod-address-outside-pools", WARNING, (A,))
    assert "shop/web-1 (10.88.0.1) and 7 more" in one.summary
    assert sum(line.startswith("API Pod ") for line in one.evidence) == 5


def test_pods_of_a_pool_that_was_replaced() -> None:
    for pools in ((), (IPPool("new", "172.20.0.0/16"),)):
        for scene in (audited("ipip", pools=pools), traced("ipip", pools=pools)):
            assert codes(scene) == ["pod-address-outside-pools"]


@pytest.mark.parametrize(
    "changes",
    [
        {"pods": pods(pod("web", "10.88.0.1", "fargate-1"))},
        {"pods": (pod("web", "10.88.0.1"),)},
        {"pods": pods(pod("web", "10.88.0.1")), "felix": (FelixConfiguration("default", {"interfacePrefix": "eni"}),)},
        {"pods": pods(pod("web", "fd00::1"))},
        {"pods": pods(msgspec.structs.replace(pod("done", "10.88.0.1"), phase="Succeeded"))},
    ],
)
def test_pods_that_another_plugin_serves(changes: dict[str, Any]) -> None:
    assert codes(audited("ipip", **changes)) == []


def test_pools_that_were_not_read_are_no_evidence() -> None:
    scene = audited("ipip", pods=pods(pod("web", "10.88.0.1")), pools=(), missing=(Missing("IPPools", "forbidden"),))
    assert codes(scene) == []
    assert {said.code for said in unchecked(ipam.CHECKS, scene)} >= {
        "pod-address-outside-pools",
        "pool-overlaps-host-network",
        "pools-overlap",
    }


def test_two_pods_with_one_address() -> None:
    first, second = pod("one", "192.168.97.9"), pod("two", "192.168.97.9", B)
    owner = Block("192.168.97.0/26", A, (Allocation("192.168.97.9", A, "shop", "one"),))
    rest = tuple(block for block in cluster("ipip").blocks if block.cidr != owner.cidr)
    one = only(audited("ipip", pods=pods(first, second), blocks=(*rest, owner)))
    assert (one.code, one.node, one.severity, one.subject) == ("pod-address-duplicate", B, ERROR, "192.168.97.9")
    assert one.fix == ("kubectl -n shop delete pod two",)
    assert any("IPAMBlock 192.168.97.0/26: 192.168.97.9 is shop/one's" in line for line in one.evidence)


def test_a_pod_that_is_ending_may_have_had_it() -> None:
    old = pod("old", "192.168.97.9", status="Terminating")
    assert only(audited("ipip", pods=pods(old, pod("new", "192.168.97.9")))).severity is INFO


def test_pods_elsewhere_are_none_of_a_traces_business() -> None:
    twins = (pod("one", "192.168.97.9"), pod("two", "192.168.97.9"))
    assert codes(traced("ipip", pods=pods(*twins))) == []
    assert codes(traced("ipip", pods=pods(pod("thief", "192.168.97.1", B)))) == ["pod-address-duplicate"]


def test_pod_with_the_address_of_a_tunnel() -> None:
    one = only(audited("ipip", pods=pods(pod("web", "192.168.210.128"))))
    assert (one.code, one.node, one.affected) == ("pod-holds-tunnel-address", A, (B,))
    seen_only = tuple(msgspec.structs.replace(node, ipip_address=None) for node in cluster("ipip").nodes)
    one = only(audited("ipip", pods=pods(pod("web", "192.168.210.128")), nodes=seen_only))
    assert any(f"{B} ip -o addr: 3: tunl0 inet 192.168.210.128/32" in line for line in one.evidence)


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
