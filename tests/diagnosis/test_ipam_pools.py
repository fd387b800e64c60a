"""Findings about pools and pods' addresses: one contradiction put into a cluster that is well."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from calitui.diagnosis.ipam import checks as ipam
from calitui.facts.cluster import (
    Allocation,
    BGPConfiguration,
    Block,
    FelixConfiguration,
    IPPool,
)
from calitui.facts.missing import Missing
from calitui.trace.finding import Severity
from tests.diagnosis.ipam_scenes import ETH0, POOL, codes, only, pod, pods
from tests.diagnosis.scenes import (
    A,
    B,
    audited,
    cluster,
    traced,
    unchecked,
)
from tests.trace import seed

ERROR, WARNING, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO


def card(name: str, address: str) -> dict[str, str]:
    """One more device of `k8s-calico2`, for `seed.node(links=...)`."""
    link = f"9: {name}: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc fq state UP \\    link/ether 02:00:0a:00:00:09"
    return {ETH0: "\n".join([ETH0, link, f"9: {name}    inet {address} scope global {name}"])}


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
