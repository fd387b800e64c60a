"""VXLAN, CrossSubnet, ECMP, WireGuard and other dataplanes on two nodes, from the text their kernels print."""

from __future__ import annotations

import msgspec

from calitui.facts.cluster import Cluster, FelixConfiguration, IPPool, Node, Pod
from calitui.facts.node import ForwardingEntry, LookupAnswer, NodeFacts, RenderedPool
from calitui.nodes.parse import parse_answer, parse_routes
from calitui.trace.ends import resolve
from calitui.trace.path import Disposition, Encapsulation, Evidence, Header, Step, Trace, Verdict
from calitui.trace.tracing import trace
from calitui.trace.veth import veth_name
from tests.trace import seed

ONE, TWO = "one", "two"
VETH = {ONE: veth_name("shop", "cart"), TWO: veth_name("shop", "db")}
POD = {ONE: "10.65.1.5", TWO: "10.65.2.7"}
NODE = {ONE: "10.0.0.11", TWO: "10.0.0.12"}
VTEP = {ONE: "10.65.1.0", TWO: "10.65.2.3"}
MAC = {ONE: "66:00:00:00:00:01", TWO: "66:00:00:00:00:02"}
OTHER = {ONE: TWO, TWO: ONE}


def cluster(pool: IPPool, addresses: dict[str, str] = NODE, masks: str = "24") -> Cluster:
    return Cluster(
        pods=(
            Pod("shop", "cart", ONE, (POD[ONE],), "Running", "Running"),
            Pod("shop", "db", TWO, (POD[TWO],), "Running", "Running"),
        ),
        nodes=tuple(
            Node(
                name,
                internal_ips=(addresses[name],),
                bgp_address=f"{addresses[name]}/{masks}",
                vxlan_address=VTEP[name],
                vxlan_mac=MAC[name],
            )
            for name in (ONE, TWO)
        ),
        pools=(pool,),
        policies=(),
    )


def links(name: str, device: str, addresses: dict[str, str]) -> str:
    return (
        "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN \\    link/loopback 00:00:00:00:00:00\n"
        "2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc fq state UP \\    link/ether 02:00:00:00:00:01\n"
        f"2: eth0    inet {addresses[name]}/24 scope global eth0\n"
        f"{device}"
        f"9: {VETH[name]}@if3: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue state UP \\    "
        "link/ether ee:ee:ee:ee:ee:ee link-netnsid 0 promiscuity 0 \\    veth\n"
    )


def vxlan_device(name: str, vni: int = 4096) -> str:
    return (
        f"5: vxlan.calico: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue state UNKNOWN \\    "
        f"link/ether {MAC[name]} brd ff:ff:ff:ff:ff:ff promiscuity 0 \\    "
        f"vxlan id {vni} local {NODE[name]} dev eth0 srcport 0 0 dstport 4789 nolearning ttl auto ageing 300\n"
        f"5: vxlan.calico    inet {VTEP[name]}/32 scope global vxlan.calico\n"
    )


def routes(name: str, *lines: str, addresses: dict[str, str] = NODE, gateway: str = "10.0.0.1") -> str:
    subnet = addresses[name].rsplit(".", 1)[0]
    return "\n".join(
        [
            f"default via {gateway} dev eth0",
            f"{subnet}.0/24 dev eth0 proto kernel scope link src {addresses[name]}",
            f"local {addresses[name]} dev eth0 table local proto kernel scope host src {addresses[name]}",
            f"{POD[name]} dev {VETH[name]} scope link metric 1024",
            *lines,
            "",
        ]
    )


def facts(
    name: str,
    *lines: str,
    device: str = "",
    neighbours: str = "",
    fdb: tuple[ForwardingEntry, ...] = (),
    addresses: dict[str, str] = NODE,
    gateway: str = "10.0.0.1",
    rules: str = seed.RULES,
    answers: tuple[LookupAnswer, ...] = (),
) -> NodeFacts:
    complete = seed.EVERYTHING | {"fdb"} if fdb else seed.EVERYTHING
    namespace = seed.namespace(
        links(name, device, addresses),
        routes(name, *lines, addresses=addresses, gateway=gateway),
        neighbours=neighbours,
        rules=rules,
        complete=complete,
    )
    return NodeFacts(name, "ssh", host=msgspec.structs.replace(namespace, fdb=fdb), answers=answers)


def vxlan(name: str, *, fdb: bool = True, neighbour: bool = True, vni: int = 4096) -> NodeFacts:
    far = OTHER[name]
    return facts(
        name,
        f"10.65.{1 if far == ONE else 2}.0/26 via {VTEP[far]} dev vxlan.calico onlink mtu 1450",
        device=vxlan_device(name, vni),
        neighbours=f"{VTEP[far]} dev vxlan.calico lladdr {MAC[far]} PERMANENT\n" if neighbour else "",
        fdb=(ForwardingEntry(MAC[far], "vxlan.calico", NODE[far], text=f"{MAC[far]} dst {NODE[far]} self permanent"),)
        if fdb
        else (),
    )


def run(pool: IPPool, *nodes: NodeFacts, given: Cluster | None = None) -> Trace:
    known = given or cluster(pool)
    return trace(known, nodes, resolve(known, "shop/cart"), resolve(known, "shop/db"))


ALWAYS = IPPool("pool", "10.65.0.0/16", vxlan_mode="Always", nat_outgoing=True)
NEVER = IPPool("pool", "10.65.0.0/16")


def test_vxlan_takes_the_outer_address_from_neighbour_and_forwarding_entries() -> None:
    found = run(ALWAYS, vxlan(ONE), vxlan(TWO))
    out = next(hop for hop in found.forward.hops if hop.step is Step.TUNNEL_OUT)
    assert out.packet[0] == Header("udp", NODE[ONE], NODE[TWO], "VXLAN port 4789 VNI 4096")
    assert out.evidence is Evidence.TABLE
    assert any("self permanent" in line for line in out.lines)
    assert found.forward.encapsulation is Encapsulation.VXLAN
    assert found.forward.path_mtu is None or found.forward.path_mtu == 1450
    assert found.verdict is Verdict.DELIVERED


def test_vxlan_without_a_forwarding_database_is_inferred_from_the_nodes_annotation() -> None:
    found = run(ALWAYS, vxlan(ONE, fdb=False), vxlan(TWO, fdb=False))
    out = next(hop for hop in found.forward.hops if hop.step is Step.TUNNEL_OUT)
    assert out.evidence is Evidence.INFERRED
    assert "FDB not read" in (out.reason or "")
    assert out.packet[0].dst == NODE[TWO]
    assert found.verdict is Verdict.DELIVERED


def test_vxlan_without_the_neighbour_of_the_vtep_ends_there() -> None:
    found = run(ALWAYS, vxlan(ONE, neighbour=False), vxlan(TWO))
    assert found.forward.disposition is Disposition.NO_NEIGHBOUR
    assert VTEP[TWO] in (found.forward.hops[-1].reason or "")


def test_vxlan_with_another_vni_on_the_far_side_is_not_unwrapped() -> None:
    found = run(ALWAYS, vxlan(ONE), vxlan(TWO, vni=77))
    assert found.forward.disposition is Disposition.DROPPED
    assert found.forward.hops[-1].step is Step.TUNNEL_IN


def test_a_mac_that_is_not_the_annotated_one_is_shown() -> None:
    known = cluster(ALWAYS)
    nodes = tuple(msgspec.structs.replace(node, vxlan_mac="66:00:00:00:00:99") for node in known.nodes)
    found = run(ALWAYS, vxlan(ONE), vxlan(TWO), given=msgspec.structs.replace(known, nodes=nodes))
    out = next(hop for hop in found.forward.hops if hop.step is Step.TUNNEL_OUT)
    assert out.disagreement
    assert "66:00:00:00:00:99" in out.disagreement


def test_felix_routes_of_one_subnet_go_direct() -> None:
    crossing = IPPool("pool", "10.65.0.0/16", vxlan_mode="CrossSubnet")
    one = facts(ONE, "10.65.2.0/26 via 10.0.0.12 dev eth0 proto 80 onlink", device=vxlan_device(ONE))
    two = facts(TWO, "10.65.1.0/26 via 10.0.0.11 dev eth0 proto 80 onlink", device=vxlan_device(TWO))
    found = run(crossing, one, two)
    assert found.forward.encapsulation is Encapsulation.NONE
    assert found.verdict is Verdict.DELIVERED
    assert "CrossSubnet" in found.forward.hops[2].explanation


def test_the_outer_packet_may_cross_a_router() -> None:
    addresses = {ONE: "10.0.0.11", TWO: "10.0.9.12"}
    crossing = IPPool("pool", "10.65.0.0/16", ipip_mode="CrossSubnet")
    tunnel = (
        "5: tunl0@NONE: <NOARP,UP,LOWER_UP> mtu 1480 qdisc noqueue state UNKNOWN \\    link/ipip 0.0.0.0 brd 0.0.0.0 "
        "promiscuity 0 \\    ipip any remote any local any\n"
    )
    one = facts(ONE, "10.65.2.0/26 via 10.0.9.12 dev tunl0 proto bird onlink", device=tunnel, addresses=addresses)
    two = facts(
        TWO,
        "10.65.1.0/26 via 10.0.0.11 dev tunl0 proto bird onlink",
        device=tunnel,
        addresses=addresses,
        gateway="10.0.9.1",
    )
    found = run(crossing, one, two, given=cluster(crossing, addresses))
    out = next(hop for hop in found.forward.hops if hop.step is Step.NIC_OUT)
    assert out.packet[0] == Header("ipip", "10.0.0.11", "10.0.9.12")
    assert "10.0.0.1" in out.explanation
    assert found.forward.underlay == "through 10.0.0.1"
    assert found.verdict is Verdict.DELIVERED


def test_equal_next_hops_are_all_shown_and_the_kernels_choice_is_marked() -> None:
    both = (
        "10.65.2.0/26 proto bird\n\tnexthop via 10.0.0.12 dev eth0 weight 1 \n\tnexthop via 10.0.0.1 dev eth0 weight 1 "
    )
    said = parse_answer(
        f"{POD[TWO]} from {POD[ONE]} via 10.0.0.12 dev eth0 \n    cache iif {VETH[ONE]} \n",
        destination=POD[TWO],
        source=POD[ONE],
        input_device=VETH[ONE],
        command="ip route get",
    )
    back = facts(TWO, "10.65.1.0/26 via 10.0.0.11 dev eth0 proto bird")
    hop = run(NEVER, facts(ONE, both, answers=(said,)), back).forward.hops[2]
    assert [(choice.gateway, choice.chosen) for choice in hop.next_hops] == [("10.0.0.12", True), ("10.0.0.1", False)]
    assert hop.evidence is Evidence.KERNEL
    unasked = run(NEVER, facts(ONE, both), back).forward
    assert {choice.chosen for choice in unasked.hops[2].next_hops} == {None}
    assert "one of 2 equal next hops" in (unasked.hops[2].reason or "")


WIREGUARD = (
    "7: wireguard.cali: <POINTOPOINT,NOARP,UP,LOWER_UP> mtu 1440 qdisc noqueue state UNKNOWN \\    link/none "
    "promiscuity 0 \\    wireguard\n"
)
WIREGUARD_RULES = (
    "0:\tfrom all lookup local\n99:\tnot from all fwmark 0x200000/0x200000 lookup 1\n"
    "32766:\tfrom all lookup main\n32767:\tfrom all lookup default\n"
)


def test_wireguards_rule_and_table_decide_before_the_main_table() -> None:
    one, two = (
        facts(
            name,
            f"10.65.{third}.0/26 via {NODE[OTHER[name]]} dev eth0 proto bird",
            f"10.65.{third}.0/26 dev wireguard.cali table 1 scope link",
            f"throw 10.65.{3 - third}.0/26 table 1",
            device=WIREGUARD,
            rules=WIREGUARD_RULES,
        )
        for name, third in ((ONE, 2), (TWO, 1))
    )
    found = run(NEVER, one, two)
    assert found.forward.encapsulation is Encapsulation.WIREGUARD
    out = next(hop for hop in found.forward.hops if hop.step is Step.TUNNEL_OUT)
    assert out.evidence is Evidence.INFERRED
    assert out.packet[0].dst == NODE[TWO]
    nic = next(hop for hop in found.forward.hops if hop.step is Step.NIC_OUT)
    assert nic.device == "eth0"
    assert found.forward.hops[-1].step is Step.CONTAINER_IN


def test_a_borrowed_address_inside_another_nodes_block_follows_its_own_route() -> None:
    one = facts(ONE, "blackhole 10.65.2.0/26 proto bird", "10.65.2.7 via 10.0.0.12 dev eth0 proto bird")
    two = facts(TWO, "10.65.1.0/26 via 10.0.0.11 dev eth0 proto bird")
    assert run(NEVER, one, two).verdict is Verdict.DELIVERED


def test_the_ebpf_dataplane_is_said() -> None:
    felix = (FelixConfiguration("default", {"bpfEnabled": "true"}),)
    known = msgspec.structs.replace(cluster(NEVER), felix=felix)
    one = facts(ONE, "10.65.2.0/26 via 10.0.0.12 dev eth0 proto bird")
    two = facts(TWO, "10.65.1.0/26 via 10.0.0.11 dev eth0 proto bird")
    assert any("eBPF" in note for note in run(NEVER, one, two, given=known).notes)


def test_a_pod_in_no_pool_is_said_to_belong_to_somebody_else() -> None:
    other = IPPool("pool", "172.16.0.0/16")
    one = facts(ONE, "10.65.2.0/26 via 10.0.0.12 dev eth0")
    two = facts(TWO, "10.65.1.0/26 via 10.0.0.11 dev eth0")
    notes = run(other, one, two).notes
    assert any("in no IPPool" in note for note in notes)


def test_without_pools_in_the_api_those_that_confd_rendered_are_used_and_said() -> None:
    known = msgspec.structs.replace(cluster(NEVER), pools=(), datastore="etcd")
    one = facts(ONE, "10.65.2.0/26 via 10.0.0.12 dev eth0 proto bird")
    two = facts(TWO, "10.65.1.0/26 via 10.0.0.11 dev eth0 proto bird")
    assert any("No IPPool was read" in note for note in run(NEVER, one, two, given=known).notes)
    rendered = msgspec.structs.replace(one, rendered_pools=(RenderedPool("10.65.0.0/16", None),))
    found = run(NEVER, rendered, two, given=known)
    assert found.verdict is Verdict.DELIVERED
    assert any("bird_ipam.cfg of one" in note for note in found.notes)


def test_with_several_uplinks_the_one_a_packet_arrives_by_is_not_guessed() -> None:
    both = "{} proto bird\n\tnexthop via 10.0.0.1 dev eth0 weight 1 \n\tnexthop via 10.0.1.1 dev eth1 weight 1 "
    second = (
        "3: eth1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc fq state UP \\    link/ether 02:00:00:00:00:09\n"
        "3: eth1    inet 10.0.1.9/24 scope global eth1\n"
    )
    one = facts(ONE, both.format("10.65.2.0/26"), device=second)
    two = facts(TWO, both.format("10.65.1.0/26"), device=second)
    found = run(NEVER, one, two)
    arrival = next(hop for hop in found.forward.hops if hop.step is Step.NIC_IN)
    assert (arrival.device, arrival.evidence) == (None, Evidence.INFERRED)
    assert "eth0 or eth1" in (arrival.reason or "")
    assert found.verdict is Verdict.UNKNOWN


def test_a_packet_to_another_subnets_node_leaves_by_the_default_route() -> None:
    addresses = {ONE: "10.0.0.11", TWO: "10.0.9.12"}
    known = cluster(NEVER, addresses)
    one = facts(ONE, addresses=addresses)
    two = facts(TWO, addresses=addresses, gateway="10.0.9.1")
    found = trace(known, [one, two], resolve(known, "shop/cart"), resolve(known, "10.0.9.12"))
    out = next(hop for hop in found.forward.hops if hop.step is Step.NIC_OUT)
    assert (out.node, out.device) == (ONE, "eth0")
    assert found.forward.hops[-1].node == TWO


def test_the_shapes_of_old_and_new_calico_lead_to_the_same_place() -> None:
    """A /32 per pod (legacy), a block by BIRD with a metric (v3.32), by Felix with an mtu (v3.31)."""
    for line in (
        "10.65.2.7 via 10.0.0.12 dev eth0 proto bird",
        "10.65.2.0/26 via 10.0.0.12 dev eth0 proto bird metric 2147483547",
        "10.65.2.0/26 via 10.0.0.12 dev eth0 proto 80 onlink mtu 1500",
    ):
        found = run(NEVER, facts(ONE, line), facts(TWO, "10.65.1.0/26 via 10.0.0.11 dev eth0 proto bird"))
        assert found.verdict is Verdict.DELIVERED
        assert found.forward.hops[2].route == line


def test_blocks_of_several_pools_follow_their_own_pool() -> None:
    pools = (IPPool("wide", "10.65.0.0/16", ipip_mode="Always"), IPPool("narrow", "10.65.2.0/24", vxlan_mode="Always"))
    known = msgspec.structs.replace(cluster(NEVER), pools=pools)
    found = run(NEVER, vxlan(ONE), vxlan(TWO), given=known)
    out = next(hop for hop in found.forward.hops if hop.step is Step.TUNNEL_OUT)
    assert "10.65.2.0/24 says VXLAN Always" in out.explanation


def test_a_tunnels_own_address_is_reached_by_its_static_route() -> None:
    known = cluster(ALWAYS)
    one = vxlan(ONE)
    assert one.host is not None
    own = parse_routes(f"{VTEP[TWO]} dev vxlan.calico scope link\n").items
    one = msgspec.structs.replace(one, host=msgspec.structs.replace(one.host, routes=(*one.host.routes, *own)))
    two = vxlan(TWO)
    assert two.host is not None
    local = parse_routes(f"local {VTEP[TWO]} dev vxlan.calico table local proto kernel scope host\n").items
    two = msgspec.structs.replace(two, host=msgspec.structs.replace(two.host, routes=(*two.host.routes, *local)))
    found = trace(known, [one, two], resolve(known, "shop/cart"), resolve(known, VTEP[TWO]))
    assert found.forward.encapsulation is Encapsulation.VXLAN
    assert (found.forward.hops[-1].step, found.forward.hops[-1].node) == (Step.HOST_IN, TWO)
    assert found.forward.disposition is Disposition.DELIVERED
