"""The article's two examples, hop by hop, both ways."""

from __future__ import annotations

import msgspec

from calitui.facts.cluster import Pod
from calitui.trace.ends import resolve
from calitui.trace.path import Direction, Disposition, Encapsulation, Evidence, Header, Step, Verdict
from calitui.trace.tracing import trace
from calitui.trace.veth import veth_name
from tests.trace import seed


def steps(direction: Direction) -> list[tuple[Step, str | None, str | None]]:
    return [(hop.step, hop.node, hop.device) for hop in direction.hops]


def test_ipip_forward_visits_the_articles_ten_hops() -> None:
    found = seed.run("ipip")
    assert steps(found.forward) == [
        (Step.CONTAINER_OUT, "k8s-calico2", "eth0"),
        (Step.VETH_IN, "k8s-calico2", "cali3683f65394b"),
        (Step.ROUTE, "k8s-calico2", "tunl0"),
        (Step.TUNNEL_OUT, "k8s-calico2", "tunl0"),
        (Step.NIC_OUT, "k8s-calico2", "eth0"),
        (Step.NIC_IN, "k8s-calico3", "eth0"),
        (Step.TUNNEL_IN, "k8s-calico3", "tunl0"),
        (Step.ROUTE, "k8s-calico3", "cali5ce61eb6bc2"),
        (Step.VETH_OUT, "k8s-calico3", "cali5ce61eb6bc2"),
        (Step.CONTAINER_IN, "k8s-calico3", "eth0"),
    ]
    assert found.verdict is Verdict.DELIVERED
    assert found.forward.encapsulation is Encapsulation.IPIP
    assert found.forward.hops[2].route == "192.168.210.128/26 via 10.173.32.26 dev tunl0 proto bird onlink"
    assert found.forward.path_mtu == 1440
    assert found.forward.underlay == "10.173.32.0/24"


def test_ipip_puts_the_outer_header_on_and_takes_it_off() -> None:
    inner = Header("any", "192.168.97.1", "192.168.210.129")
    outer = Header("ipip", "10.173.32.23", "10.173.32.26")
    packets = [hop.packet for hop in seed.run("ipip").forward.hops]
    assert packets == [(inner,)] * 3 + [(outer, inner)] * 3 + [(inner,)] * 4


def test_ipip_return_is_a_path_of_its_own() -> None:
    back = seed.run("ipip").back
    assert [hop.step for hop in back.hops] == [hop.step for hop in seed.run("ipip").forward.hops]
    assert back.hops[2].route == "192.168.97.0/26 via 10.173.32.23 dev tunl0 proto bird onlink"
    assert back.hops[4].packet[0] == Header("ipip", "10.173.32.26", "10.173.32.23")
    assert back.disposition is Disposition.DELIVERED


def test_bgp_forward_visits_eight_hops_without_a_tunnel() -> None:
    found = seed.run("bgp")
    assert steps(found.forward) == [
        (Step.CONTAINER_OUT, "k8s-calico2", "eth0"),
        (Step.VETH_IN, "k8s-calico2", "calic285cddbb40"),
        (Step.ROUTE, "k8s-calico2", "eth0"),
        (Step.NIC_OUT, "k8s-calico2", "eth0"),
        (Step.NIC_IN, "k8s-calico3", "eth0"),
        (Step.ROUTE, "k8s-calico3", "calif6874dae1d2"),
        (Step.VETH_OUT, "k8s-calico3", "calif6874dae1d2"),
        (Step.CONTAINER_IN, "k8s-calico3", "eth0"),
    ]
    assert found.verdict is Verdict.DELIVERED
    assert found.forward.encapsulation is Encapsulation.NONE
    assert found.forward.hops[2].route == "192.168.210.192/26 via 10.173.32.26 dev eth0 proto bird"
    assert all(len(hop.packet) == 1 for hop in found.forward.hops)


def test_every_hop_names_its_evidence_and_how_to_see_it() -> None:
    for which in ("ipip", "bgp"):
        for direction in seed.run(which).directions:
            for hop in direction.hops:
                assert hop.evidence is Evidence.TABLE
                assert hop.lines
                assert hop.check
                assert hop.explanation


def test_the_kernels_answer_is_the_better_evidence() -> None:
    said = seed.answer(
        "192.168.210.129",
        "192.168.97.1",
        "cali3683f65394b",
        "192.168.210.129 from 192.168.97.1 via 10.173.32.26 dev tunl0 \n    cache iif cali3683f65394b \n",
    )
    hop = seed.run("ipip", seed.node("ipip", "k8s-calico2", answers=[said])).forward.hops[2]
    assert hop.evidence is Evidence.KERNEL
    assert hop.disagreement is None
    assert hop.route == "192.168.210.128/26 via 10.173.32.26 dev tunl0 proto bird onlink"
    assert any("ip route get 192.168.210.129 from 192.168.97.1" in line for line in hop.lines)


def test_a_disagreement_between_kernel_and_tables_is_shown_and_the_kernel_followed() -> None:
    said = seed.answer(
        "192.168.210.129",
        "192.168.97.1",
        "cali3683f65394b",
        "192.168.210.129 from 192.168.97.1 via 10.173.32.25 dev tunl0 \n    cache iif cali3683f65394b \n",
    )
    found = seed.run("ipip", seed.node("ipip", "k8s-calico2", answers=[said]))
    hop = found.forward.hops[-1]
    assert hop.step is Step.ROUTE
    assert hop.disagreement
    assert "10.173.32.25" in hop.disagreement
    assert "10.173.32.26" in hop.disagreement
    assert hop.ends is Disposition.WRONG_NODE


def test_without_root_the_containers_are_inferred_and_the_path_still_delivered() -> None:
    nodes = [seed.without_container(seed.node("ipip", name)) for name in ("k8s-calico2", "k8s-calico3")]
    found = seed.run("ipip", *nodes)
    assert found.verdict is Verdict.DELIVERED
    assert found.forward.inferred == 2
    assert found.forward.hops[0].evidence is Evidence.INFERRED
    assert found.forward.hops[0].reason


def test_two_pods_of_one_node_meet_there() -> None:
    name = veth_name("huang1", "neighbour")
    facts = seed.node("ipip", "k8s-calico2", more=[f"192.168.97.9 dev {name} scope link"])
    assert facts.host is not None
    twin = msgspec.structs.replace(facts.host.links[-1], index=9, name=name)
    host = msgspec.structs.replace(facts.host, links=(*facts.host.links, twin))
    facts = msgspec.structs.replace(facts, host=host)
    cluster = seed.cluster("Always")
    neighbour = Pod("huang1", "neighbour", "k8s-calico2", ("192.168.97.9",), "Running", "Running")
    cluster = msgspec.structs.replace(cluster, pods=(*cluster.pods, neighbour))
    found = trace(cluster, [facts], resolve(cluster, seed.IPIP_SOURCE), resolve(cluster, "huang1/neighbour"))
    assert [hop.step for hop in found.forward.hops] == [
        Step.CONTAINER_OUT,
        Step.VETH_IN,
        Step.ROUTE,
        Step.VETH_OUT,
        Step.CONTAINER_IN,
    ]
    assert found.verdict is Verdict.DELIVERED
