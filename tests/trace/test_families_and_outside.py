"""IPv6 beside IPv4 on one pair of pods, and addresses outside of the cluster."""

from __future__ import annotations

import msgspec
import pytest

from calitui.errors import UsageError
from calitui.facts.cluster import Cluster, IPPool, Node, Pod
from calitui.facts.missing import Missing
from calitui.facts.node import NodeFacts
from calitui.nodes.parse import parse_routes
from calitui.trace.ends import resolve
from calitui.trace.path import Disposition, Evidence, Header, Step, Verdict
from calitui.trace.tracing import questions, trace
from tests.trace import seed
from tests.trace.test_dataplanes import NODE, ONE, OTHER, POD, TWO, VETH, facts

POD6 = {ONE: "fd65::1:5", TWO: "fd65::2:7"}
NODE6 = {ONE: "fd00::11", TWO: "fd00::12"}
BLOCK6 = {ONE: "fd65::1:0/122", TWO: "fd65::2:0/122"}
GATEWAY = "fe80::ecee:eeff:feee:eeee"


def cluster() -> Cluster:
    return Cluster(
        pods=(
            Pod("shop", "cart", ONE, (POD[ONE], POD6[ONE]), "Running", "Running"),
            Pod("shop", "db", TWO, (POD[TWO], POD6[TWO]), "Running", "Running"),
            Pod("shop", "six", TWO, ("fd65::2:9",), "Running", "Running"),
        ),
        nodes=tuple(Node(name, internal_ips=(NODE[name], NODE6[name])) for name in (ONE, TWO)),
        pools=(
            IPPool("four", "10.65.0.0/16", nat_outgoing=True),
            IPPool("six", "fd65::/64", nat_outgoing=True),
        ),
        policies=(),
    )


def dual(name: str, *, gateway_held: bool = True, without: str = "") -> NodeFacts:
    far = OTHER[name]
    base = facts(name, f"10.65.{1 if far == ONE else 2}.0/26 via {NODE[far]} dev eth0 proto bird")
    text = "\n".join(
        line
        for line in (
            f"local {NODE6[name]} dev eth0 table local proto kernel metric 0 pref medium",
            "fd00::/64 dev eth0 proto kernel metric 256 pref medium",
            f"{POD6[name]} dev {VETH[name]} metric 1024 pref medium",
            f"blackhole {BLOCK6[name]} dev lo proto bird metric 1024 pref medium",
            f"{BLOCK6[far]} via {NODE6[far]} dev eth0 proto bird metric 1024 pref medium",
            "default via fe80::1 dev eth0 metric 1024 pref medium",
        )
        if line != without
    )
    assert base.host is not None
    links = []
    for link in base.host.links:
        held = {"eth0": NODE6[name], VETH[name]: GATEWAY if gateway_held else None}.get(link.name)
        more = (seed.address(held, "link" if held.startswith("fe80") else "global"),) if held else ()
        links.append(msgspec.structs.replace(link, addresses=(*link.addresses, *more)))
    routes = (*base.host.routes, *parse_routes(text, 6).items)
    return msgspec.structs.replace(base, host=msgspec.structs.replace(base.host, links=tuple(links), routes=routes))


def test_both_families_of_one_pair_are_traced_at_once() -> None:
    known = cluster()
    found = trace(known, [dual(ONE), dual(TWO)], resolve(known, "shop/cart"), resolve(known, "shop/db"))
    assert (found.family, found.verdict) == (4, Verdict.DELIVERED)
    six = found.other_family
    assert six is not None
    assert (six.family, six.verdict) == (6, Verdict.DELIVERED)
    assert six.forward.hops[0].route == f"default via {GATEWAY} dev eth0"
    assert six.forward.hops[2].route == f"{BLOCK6[TWO]} via {NODE6[TWO]} dev eth0 proto bird metric 1024 pref medium"
    assert [hop.step for hop in six.forward.hops] == [hop.step for hop in found.forward.hops]
    asked = trace(known, [dual(ONE), dual(TWO)], resolve(known, "shop/cart"), resolve(known, "shop/db"), 6)
    assert asked.family == 6


def test_an_ipv6_blackhole_breaks_only_its_own_family() -> None:
    known = cluster()
    lost = dual(TWO, without=f"{POD6[TWO]} dev {VETH[TWO]} metric 1024 pref medium")
    found = trace(known, [dual(ONE), lost], resolve(known, "shop/cart"), resolve(known, "shop/db"))
    assert found.verdict is Verdict.DELIVERED
    assert found.other_family is not None
    assert found.other_family.forward.disposition is Disposition.BLACKHOLE


def test_a_veth_without_the_pods_link_local_gateway_is_silent() -> None:
    known = cluster()
    silent = dual(ONE, gateway_held=False)
    found = trace(known, [silent, dual(TWO)], resolve(known, "shop/cart"), resolve(known, "shop/db"), 6)
    assert found.forward.disposition is Disposition.NO_NEIGHBOUR
    assert GATEWAY in (found.forward.hops[-1].reason or "")


def test_ends_without_a_family_in_common_are_refused() -> None:
    known = cluster()
    four = resolve(known, POD[ONE])
    with pytest.raises(UsageError, match="no IP family in common"):
        trace(known, [], four, resolve(known, "shop/six"))
    with pytest.raises(UsageError, match="IPv6"):
        trace(known, [], four, resolve(known, "shop/db"), 6)


def test_every_family_is_asked_about_in_one_reading() -> None:
    known = cluster()
    asked = questions(resolve(known, "shop/cart"), resolve(known, "shop/db"))
    assert {(one.source, one.destination) for one in asked} == {
        (POD[ONE], POD[TWO]),
        (POD[TWO], POD[ONE]),
        (POD6[ONE], POD6[TWO]),
        (POD6[TWO], POD6[ONE]),
    }


def test_to_an_address_outside_the_source_is_masqueraded_and_the_end_is_not_known() -> None:
    known = cluster()
    found = trace(known, [dual(ONE)], resolve(known, "shop/cart"), resolve(known, "203.0.113.9"))
    last = found.forward.hops[-1]
    assert (last.step, last.node, last.ends) == (Step.NIC_OUT, ONE, Disposition.UNKNOWN)
    assert last.packet == (Header("any", NODE[ONE], "203.0.113.9"),)
    assert "leaves the cluster" in (last.reason or "")
    arrival = found.back.hops[0]
    assert (arrival.step, arrival.node, arrival.evidence) == (Step.NIC_IN, ONE, Evidence.INFERRED)
    assert found.back.hops[-1].step is Step.CONTAINER_IN
    assert found.back.hops[-1].packet[0].dst == POD[ONE]
    assert found.verdict is Verdict.UNKNOWN


def test_to_an_address_outside_of_an_unread_node_nothing_is_claimed() -> None:
    known = cluster()
    dead = NodeFacts(ONE, "ssh", missing=(Missing("node", "refused", ONE),))
    found = trace(known, [dead], resolve(known, "shop/cart"), resolve(known, "203.0.113.9"))
    assert found.verdict is Verdict.UNKNOWN
    assert found.forward.hops[-1].evidence is Evidence.NOT_READ
