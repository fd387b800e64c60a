"""The BGP family: each code on the smallest change of a healthy mesh, reflector or ToR; nothing on healthy ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import resources
from pathlib import Path

import msgspec
import pytest

from calitui.diagnosis.bgp import checks as bgp
from calitui.diagnosis.bgp.sessions import Peering, sessions
from calitui.diagnosis.grouping import group
from calitui.diagnosis.scene import Scene
from calitui.facts.bird import Bird, BirdProtocol
from calitui.facts.cluster import (
    BGPConfiguration,
    BGPPeer,
    Block,
    BlockAffinity,
    Cluster,
    FelixConfiguration,
    IPPool,
    Node,
    NodeStatus,
    Pod,
    StatusPeer,
)
from calitui.facts.missing import Missing
from calitui.facts.node import NetworkNamespace, NodeFacts
from calitui.facts.snapshot import decode
from calitui.nodes.parse import parse_routes
from calitui.nodes.parse.bird import parse_bird
from calitui.trace.finding import Finding, Severity, Unchecked
from calitui.trace.path import Direction, Disposition, Encapsulation, Endpoint, Policies, Trace, Verdict

CATALOGUE = {entry.code: entry for entry in bgp.ENTRIES}
ADDRESSES = {"a": "10.0.0.1", "b": "10.0.0.2", "c": "10.0.0.3"}
BLOCKS = {"a": "10.65.1.0/26", "b": "10.65.2.0/26", "c": "10.65.3.0/26"}
CLUSTER = Cluster(
    cluster_type="k8s,bgp,kdd",
    calico_version="v3.29.1",
    datastore="kdd",
    read_at=1000.0,
    nodes=tuple(
        Node(name, internal_ips=(ip,), ready=True, bgp_address=f"{ip}/24", labels={"rack": name})
        for name, ip in ADDRESSES.items()
    ),
    pools=(IPPool("default", "10.65.0.0/16"),),
    blocks=tuple(Block(cidr, name) for name, cidr in BLOCKS.items()),
    affinities=tuple(BlockAffinity(name, cidr, "confirmed") for name, cidr in BLOCKS.items()),
    pods=(
        Pod("shop", "web", "a", ("10.65.1.5",), "Running"),
        Pod("kube-system", "calico-node-bbbbb", "b", (ADDRESSES["b"],), "Running", host_network=True),
    ),
)
UP = "Established"
DISABLED = ""
REFUSED = "Connect       Socket: Connection refused"
SOCKET = "Unable to connect to server control socket (/var/run/calico/bird.ctl): Connection refused"


def mesh(name: str, nodes: Iterable[str] = ADDRESSES) -> dict[str, str]:
    """The protocols of a node in a healthy full mesh, by name, with what `info` says."""
    return {f"Mesh_{ADDRESSES[other].replace('.', '_')}": UP for other in nodes if other != name}


def node(
    name: str,
    protocols: dict[str, str] | None = None,
    *,
    router_id: str = "",
    without: Iterable[str] = (),
    proto: str = "bird",
    rib: bool = True,
    birds: tuple[Bird, ...] | str | None = "",
    processes: tuple[str, ...] | None = ("bird", "bird6", "confd", "felix"),
    unread: Iterable[str] = (),
) -> NodeFacts:
    """A node with routes to all blocks but those of `without`; `rib` says that BIRD has them from its peers too."""
    protocols = mesh(name) if protocols is None else protocols
    routes, known = [], [f"{BLOCKS[name]}  blackhole [static1 10:00:00] * (200)"]
    for other, ip in ADDRESSES.items():
        if other != name and other not in without:
            routes.append(f"{BLOCKS[other]} via {ip} dev eth0 proto {proto}")
            by = f"Mesh_{ip.replace('.', '_')}"
            by = by if by in protocols else next(iter(protocols), by)
            known.append(f"{BLOCKS[other]}  via {ip} on eth0 [{by} 10:00:00] * (100/0) [i]")
    text = "BIRD v0.3.3+birdv1.6.8 ready.\n" + f"Router ID is {router_id or ADDRESSES[name]}\n"
    text += "name     proto    table    state  since       info\nkernel1  Kernel   master   up     10:00:00\n"
    for protocol, info in protocols.items():
        state = "up   " if info == UP else "down " if info == DISABLED else "start"
        text += f"{protocol} BGP      master   {state}  10:00:00    {info}\n"
    answer = parse_bird(text + ("\n".join(known) if rib else "") + "\n")
    assert not answer.unparsed, answer.unparsed
    sections = frozenset({"links", "addresses", "routes", "rules", "routes6", "rules6"}) - set(unread)
    return NodeFacts(
        name,
        "ssh",
        host=NetworkNamespace(routes=parse_routes("\n".join(routes)).items, complete=sections),
        birds=(Bird(4, "/var/run/calico/bird.ctl", answer, complete=True),) if isinstance(birds, str) else birds,
        processes=processes,
    )


def down(name: str, *others: str, info: str = REFUSED) -> dict[str, str]:
    """The mesh's protocols of a node, some of them not established."""
    lost = {f"Mesh_{ADDRESSES[other].replace('.', '_')}": info for other in others}
    return {**mesh(name), **lost}


STOPPED = (Bird(4, "/var/run/calico/bird.ctl", error=SOCKET),)


def between(source: str, destination: str) -> Trace:
    """A trace with these nodes in question."""
    ends = [Endpoint(kind="node", node=name, ip=ADDRESSES[name]) for name in (source, destination)]
    ways = tuple(
        Direction(name=name, disposition=Disposition.DELIVERED, encapsulation=Encapsulation.NONE)
        for name in ("forward", "return")
    )
    return Trace(
        taken_at=0.0, verdict=Verdict.DELIVERED, source=ends[0], destination=ends[1], directions=ways, policies=Policies()
    )  # fmt: skip


def found(
    nodes: Iterable[NodeFacts], cluster: Cluster = CLUSTER, trace: Trace | None = None
) -> tuple[list[Finding], list[Unchecked]]:
    """What all checks of the family say, grouped as a report has it."""
    scene = Scene(cluster, nodes, trace)
    said = [one for check in bgp.CHECKS for one in check(scene)]
    grouped = group([one for one in said if isinstance(one, Finding)], CATALOGUE)
    return list(grouped.findings), [one for one in said if isinstance(one, Unchecked)]


def changed(**fields: object) -> Cluster:
    """The cluster with other objects."""
    return msgspec.structs.replace(CLUSTER, **fields)


def all_nodes(**given: NodeFacts) -> list[NodeFacts]:
    """The three nodes, those given in the place of the healthy ones."""
    return [given.get(name) or node(name) for name in ADDRESSES]


def nodes_with(name: str, **fields: object) -> tuple[Node, ...]:
    """The API's nodes, one of them changed."""
    return tuple(
        msgspec.structs.replace(one, **fields) if one.name == name else one for one in CLUSTER.nodes
    )  # fmt: skip


OFF = (BGPConfiguration("default", mesh=False),)
TOR = (BGPPeer("tor", "10.0.0.254:179", 64600),)
VIA_TOR = {"Global_10_0_0_254_port_179": UP}
REFLECTED = (BGPPeer("to-reflectors", peer_selector="has(reflector)", node_selector="!has(reflector)"),)


def reflecting() -> tuple[Cluster, list[NodeFacts]]:
    """Node c reflects; a and b peer with it only."""
    cluster = changed(
        bgp=OFF,
        bgp_peers=REFLECTED,
        nodes=nodes_with("c", labels={"reflector": "yes"}, route_reflector_cluster_id="1.0.0.1"),
    )
    spoke = {"Node_10_0_0_3": UP}
    hub = {"Node_10_0_0_1": UP, "Node_10_0_0_2": UP}
    return cluster, [node("a", spoke), node("b", spoke), node("c", hub)]


def with_idle_bird6(facts: NodeFacts) -> NodeFacts:
    """Calico starts a BIRD for IPv6 on every node, with nothing to do where the node has no IPv6 address."""
    answer = parse_bird(f"Router ID is {ADDRESSES[facts.name]}")
    birds = (*(facts.birds or ()), Bird(6, "/var/run/calico/bird6.ctl", answer, complete=True))
    return msgspec.structs.replace(facts, birds=birds)


def healthy() -> dict[str, tuple[Cluster, list[NodeFacts]]]:
    """Clusters with nothing to say of."""
    vxlan = changed(cluster_type="k8s,kdd", pools=(IPPool("default", "10.65.0.0/16", vxlan_mode="Always"),))
    bare = [node(name, birds=(), processes=("felix",)) for name in ADDRESSES]
    return {
        "mesh": (CLUSTER, all_nodes()),
        "reflector": reflecting(),
        "ToR": (changed(bgp=OFF, bgp_peers=TOR), [node(name, VIA_TOR) for name in ADDRESSES]),
        "mesh and ToR": (changed(bgp_peers=TOR), [node(name, {**mesh(name), **VIA_TOR}) for name in ADDRESSES]),
        "VXLAN without BIRD": (vxlan, bare),
        "VXLAN of the manifest, which says bgp": (msgspec.structs.replace(vxlan, cluster_type="k8s,bgp"), bare),
        "one node": (changed(nodes=CLUSTER.nodes[:1], bgp=OFF), [node("a", {}, without="bc")]),
        "a node without Calico": (changed(nodes=(*CLUSTER.nodes, Node("windows", ready=True))), all_nodes()),
        "bird6 idle": (CLUSTER, [with_idle_bird6(one) for one in all_nodes()]),
    }


@pytest.mark.parametrize("name", healthy())
def test_nothing_is_said_of_healthy_clusters(name: str) -> None:
    cluster, nodes = healthy()[name]
    findings, unchecked = found(nodes, cluster)
    assert not findings
    assert not unchecked
    if len(cluster.nodes) > 1:
        assert found(nodes, cluster, between("a", "b")) == ([], [])


class Case(msgspec.Struct):
    """A fault: what is read, and the first finding."""

    nodes: Callable[[], list[NodeFacts]]
    code: str
    node: str | None
    severity: Severity
    says: str
    cluster: Cluster = CLUSTER
    subject: str | None = None


E, W = Severity.ERROR, Severity.WARNING
CASES = {
    "BIRD killed": Case(
        lambda: [node("a", down("a", "b"), without="b"), node("b", birds=STOPPED, processes=("confd",)), node("c", down("c", "b"), without="b")],
        "bird-not-running", "b", E, "does not run on b",
    ),
    "BIRD never started": Case(
        lambda: all_nodes(b=node("b", birds=(), processes=("confd", "felix"))), "bird-not-running", "b", E, "nobody updates them"
    ),
    "refused, route gone": Case(
        lambda: all_nodes(a=node("a", down("a", "b"), without="b"), b=node("b", down("b", "a", info="Passive"))),
        "bgp-session-down", "b", E, "TCP connections of a to 10.0.0.2 of b, port 179, are refused", subject="a",
    ),
    "silence, route gone": Case(
        lambda: all_nodes(a=node("a", down("a", "b", info="Passive")), b=node("b", down("b", "a", info="Active"), without="a")),
        "bgp-session-down", "b", E, "b has no route to 10.65.1.0/26 of a", subject="a",
    ),
    "silence, route unreachable": Case(
        lambda: [msgspec.structs.replace(node("a", down("a", "b", info="Connect")), host=NetworkNamespace(routes=parse_routes("unreachable 10.65.2.0/26 proto bird").items, complete=frozenset({"routes", "rules"}))), node("b", down("b", "a", info="Passive")), node("c")],
        "bgp-session-down", "a", E, "gets no answer from 10.0.0.2 port 179",
    ),
    "all of one node": Case(
        lambda: [node("a", down("a", "b", info="Connect"), without="b"), node("b", down("b", "a", "c", info="Passive"), without="ac"), node("c", down("c", "b", info="Connect"), without="b")],
        "bgp-session-down", "b", E, "All 2 BGP sessions of b are down", subject="all sessions",
    ),
    "everywhere": Case(
        lambda: [node(name, down(name, *[other for other in ADDRESSES if other != name], info="Active"), without="abc") for name in ADDRESSES],
        "bgp-session-down", None, E, "All 3 BGP sessions of all nodes", subject="all sessions",
    ),
    "not configured at one end": Case(
        lambda: all_nodes(a=node("a", down("a", "b", info="Active        Socket: Connection closed"), without="b"), b=node("b", mesh("b", "c"), without="a")),
        "bgp-session-down", "b", E, "BIRD on b has no session configured with a",
    ),
    "routes by Felix": Case(
        lambda: all_nodes(a=node("a", down("a", "b"), proto="80"), b=node("b", down("b", "a"), proto="80")),
        "bgp-session-down", None, W, "the routes are there by other means",
    ),
    "routes unread": Case(
        lambda: [node("a", down("a", "b"), without="b", unread=["routes"]), node("b", down("b", "a"), unread=["routes"]), node("c")],
        "bgp-session-down", None, W, "was not read",
    ),
    "stale": Case(
        lambda: all_nodes(a=node("a", down("a", "b"), rib=False), b=node("b", down("b", "a", info="Passive"), rib=False)),
        "bgp-route-outlives-session", "b", W, "still has the route to 10.65.2.0/26 of b",
    ),
    "half open": Case(
        lambda: all_nodes(a=node("a", down("a", "b", info="OpenSent"))), "bgp-session-down", "a", W, "is OpenSent on a"
    ),
    "half open, route gone": Case(
        lambda: all_nodes(a=node("a", down("a", "b", info="Connect"), without="b")), "bgp-session-down", "a", E, "a has no route to 10.65.2.0/26"
    ),
    "disabled": Case(
        lambda: all_nodes(a=node("a", down("a", "b", info=DISABLED), without="b"), b=node("b", down("b", "a", info="Active        Socket: Connection closed"))),
        "bgp-session-down", "a", E, "disabled in the BIRD of a", subject="b",
    ),
    "ToR down at every node": Case(
        lambda: [node(name, {"Global_10_0_0_254": "Active        Socket: Host is unreachable"}, without="abc") for name in ADDRESSES],
        "bgp-session-down", None, E, "nobody answers for the address 10.0.0.254", changed(bgp=OFF, bgp_peers=TOR), "10.0.0.254",
    ),
    "ToR down at one node": Case(
        lambda: [node("a", {"Global_10_0_0_254": "Idle"}, without="bc"), node("b", VIA_TOR), node("c", VIA_TOR)],
        "bgp-session-down", "a", E, "a does not try (state Idle)", changed(bgp=OFF, bgp_peers=TOR), "10.0.0.254",
    ),
    "ToR down beside a mesh": Case(
        lambda: [node(name, {**mesh(name), "Global_10_0_0_254": UP if name != "a" else "Connect"}) for name in ADDRESSES],
        "bgp-session-down", "a", W, "by other means", changed(bgp_peers=TOR),
    ),
    "no peers, mesh off": Case(
        lambda: [node(name, {}, without="abc") for name in ADDRESSES], "bgp-no-peers", None, E, "The node-to-node mesh is off", changed(bgp=OFF)
    ),
    "no peers on one node": Case(
        lambda: [node("a", {}, without="bc"), node("b", VIA_TOR), node("c", VIA_TOR)], "bgp-no-peers", "a", E, "no BGPPeer selects a",
        changed(bgp=OFF, bgp_peers=(BGPPeer("tor", "10.0.0.254", 64600, node_selector="rack in {'b', 'c'}"),)),
    ),
    "no peers, confd failed": Case(
        lambda: [node("a", {}, without="bc"), node("b", down("b", "a"), without="a"), node("c", down("c", "a"), without="a")],
        "bgp-no-peers", "a", E, "confd has not written its configuration",
    ),
    "wrong AS": Case(
        lambda: [
            node("a", down("a", "b", info="Idle          BGP Error: Bad peer AS"), without="b"),
            node("b", down("b", "a", "c", info="Idle          Received: Bad peer AS"), without="ac"),
            node("c", down("c", "b", info="Idle          BGP Error: Bad peer AS"), without="b"),
        ],
        "bgp-wrong-as", "b", E, "AS", subject="all sessions",
    ),
    "router ID twice": Case(
        lambda: all_nodes(
            a=node("a", down("a", "b", info="Idle          BGP Error: Bad BGP identifier"), without="b"),
            b=node("b", down("b", "a", info="Idle          Received: Bad BGP identifier"), router_id="10.0.0.1", without="a"),
        ),
        "router-id-duplicate", "b", E, "10.0.0.1", subject="10.0.0.1",
    ),
    "router ID, other end unread": Case(
        lambda: [node("a", down("a", "b", info="Idle          BGP Error: Bad BGP identifier"), without="b")],
        "router-id-duplicate", "a", E, "one router ID",
    ),
    "peer is no node": Case(
        lambda: [node(name, {**mesh(name), "Mesh_10_0_0_9": "Active        Socket: Host is unreachable"}) for name in ADDRESSES],
        "bgp-peer-is-no-node", None, W, "10.0.0.9", subject="10.0.0.9",
    ),
    "not ready and dead": Case(
        lambda: [node("a", down("a", "b", info="Active        Socket: Host is unreachable"), without="b"), node("c", down("c", "b"), without="b")],
        "node-not-ready-still-peered", "b", W, "2 of 2 BGP sessions with it are down", changed(nodes=nodes_with("b", ready=None)),
    ),
    "not ready and up": Case(
        all_nodes, "node-not-ready-still-peered", "b", W, "packets to its pods still flow", changed(nodes=nodes_with("b", ready=False))
    ),
    "affinity pending": Case(
        all_nodes, "block-affinity-not-confirmed", "a", W, "shop/web", changed(affinities=(BlockAffinity("a", BLOCKS["a"], "pending"),)),
        subject=BLOCKS["a"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_fault(name: str) -> None:
    case = CASES[name]
    findings, _ = found(case.nodes(), case.cluster)
    assert findings, "nothing was found"
    first = findings[0]
    told = f"{first.code} {first.node} {first.severity}: {first.summary}"
    assert (first.code, first.severity) == (case.code, case.severity), told
    assert case.says in first.summary, told
    if case.node is not None or case.subject == "all sessions":
        assert first.node == case.node, told
    if case.subject is not None:
        assert first.subject == case.subject, told
    assert len(findings) == 1, [one.summary for one in findings]
    assert first.fix
    assert first.evidence
    assert not any(line.endswith(": ") for line in first.evidence)


def test_consequences_of_a_stopped_bird_are_told_under_it() -> None:
    findings, _ = found(CASES["BIRD killed"].nodes())
    assert any("All 2 BGP sessions of b" in line for line in findings[0].consequences)
    assert set(findings[0].affected) == {"a", "c"}
    assert "kubectl -n kube-system delete pod calico-node-bbbbb  # restarts calico-node on b" in findings[0].fix


def test_evidence_is_verbatim_and_says_where_it_is_from() -> None:
    findings, _ = found(CASES["refused, route gone"].nodes())
    line = "a birdcl show protocols: Mesh_10_0_0_2 BGP      master   start  10:00:00    Connect       Socket: Connection refused"
    assert findings[0].evidence[0] == line


def test_a_trace_asks_for_sessions_between_its_nodes_only() -> None:
    nodes = all_nodes(a=node("a", down("a", "c"), without="c"), c=node("c", down("c", "a"), without="a"))
    assert not found(nodes, trace=between("a", "b"))[0]
    assert [one.code for one in found(nodes, trace=between("a", "c"))[0]] == ["bgp-session-down"]


def test_a_trace_asks_for_sessions_with_reflectors_and_routers() -> None:
    cluster, nodes = reflecting()
    nodes[0] = node("a", {"Node_10_0_0_3": "Connect"}, without="bc")
    nodes[2] = node("c", {"Node_10_0_0_1": "Passive", "Node_10_0_0_2": UP}, without="a")
    first = found(nodes, cluster, between("a", "b"))[0][0]
    assert (first.code, first.severity) == ("bgp-session-down", Severity.ERROR)
    assert {first.node, *first.affected} == {"a", "c"}
    tor = [node("a", {"Global_10_0_0_254": "Connect"}, without="bc"), node("b", VIA_TOR)]
    cluster = changed(bgp=OFF, bgp_peers=TOR)
    assert [one.node for one in found(tor, cluster, between("a", "b"))[0]] == ["a"]


def test_what_was_not_read_is_unchecked_and_never_missing() -> None:
    unread = msgspec.structs.replace(node("b"), birds=None, missing=(Missing("BIRD", "needs root", "b"),))
    findings, unchecked = found(all_nodes(b=unread))
    assert not findings
    assert {(one.code, one.node, one.reason) for one in unchecked} == {
        (code, "b", "BIRD: needs root")
        for code in ("bird-not-running", "bgp-no-peers", "bgp-session-down", "router-id-duplicate")
    }
    no_processes = node("b", birds=(), processes=None)
    findings, unchecked = found(all_nodes(b=no_processes))
    assert not findings
    assert {one.node for one in unchecked} == {"b"}
    slow = node("b", birds=(Bird(4, "s", error="it did not answer in time"),))
    assert not found(all_nodes(b=slow))[0]


def test_a_bird_that_was_not_read_to_its_end_lacks_nothing() -> None:
    whole = node("b", mesh("b", "c"))
    assert whole.birds
    partial = msgspec.structs.replace(whole, birds=(msgspec.structs.replace(whole.birds[0], complete=False),))
    assert not found([node("a"), partial, node("c")])[0]


def test_a_selector_that_cannot_be_read_makes_sessions_unchecked() -> None:
    odd = changed(bgp=OFF, bgp_peers=(BGPPeer("odd", "10.0.0.254", node_selector="rack like 'a'"),))
    findings, unchecked = found([node(name, {}) for name in ADDRESSES], odd)
    assert not findings
    assert {one.code for one in unchecked if one.node is None} == {"bgp-no-peers", "bgp-session-down"}
    assert "BGPPeer odd" in unchecked[0].reason


def test_bgp_peers_unread() -> None:
    cluster = changed(missing=(Missing("BGPPeers", "forbidden"),), bgp=OFF)
    findings, unchecked = found([node(name, {}) for name in ADDRESSES], cluster)
    assert not findings
    assert "BGPPeers: forbidden" in unchecked[0].reason


def test_a_session_with_another_address_of_a_node_counts() -> None:
    """Its annotation was changed: that is a finding about addresses, and the session still works."""
    assert not found(all_nodes(), changed(nodes=nodes_with("b", bgp_address="10.9.9.9/24")))[0]


def test_a_fresh_status_stands_in_for_bird() -> None:
    peers = (StatusPeer("10.0.0.2", "NodeMesh", "Active"), StatusPeer("10.0.0.3", "NodeMesh", UP))
    status = NodeStatus("calico-a", "a", ("Agent", "BGP"), 10, 980.0, "Ready", peers=peers)
    nodes = [msgspec.structs.replace(node("a", without="b"), birds=None), node("b", down("b", "a", info="Passive"))]
    findings, _ = found(nodes, changed(node_statuses=(status,)))
    assert [one.code for one in findings] == ["bgp-session-down"]
    assert "API CalicoNodeStatus calico-a: peer 10.0.0.2 Active" in findings[0].evidence
    for stale in ({"last_updated": 969.0}, {"update_period": 0}, {"last_updated": None}, {"classes": ("Agent",)}):
        old = msgspec.structs.replace(status, **stale)
        assert not Scene(changed(node_statuses=(old,)), nodes[:1]).of(Peering).told


def test_a_route_of_another_session_is_not_stale() -> None:
    nodes = all_nodes(
        a=node("a", {**down("a", "b"), "Global_10_0_0_254": UP}), b=node("b", down("b", "a", info="Passive"))
    )
    text = "10.65.2.0/26  via 10.0.0.2 on eth0 [Global_10_0_0_254 10:00:00] * (100/0) [i]\n10.65.1.0/26 via 10.0.0.1 on eth0 [Mesh_10_0_0_3 10:00:00] * (100/0) [i]"
    for position in (0, 1):
        (bird,) = nodes[position].birds or ()
        answer = msgspec.structs.replace(bird.answer or parse_bird(""), routes=parse_bird(text).routes)
        nodes[position] = msgspec.structs.replace(
            nodes[position], birds=(msgspec.structs.replace(bird, answer=answer),)
        )
    findings, _ = found(nodes, changed(bgp_peers=TOR[:0]))
    assert [(one.code, one.severity) for one in findings] == [("bgp-session-down", Severity.WARNING)]


def test_v3_33_leaves_ipip_routes_to_felix() -> None:
    pools = (IPPool("default", "10.65.0.0/16", ipip_mode="Always"),)
    nodes = all_nodes(a=node("a", down("a", "b"), without="b"), b=node("b", down("b", "a")))
    assert found(nodes, changed(pools=pools, calico_version="v3.33.0"))[0][0].severity is Severity.WARNING
    assert found(nodes, changed(pools=pools, calico_version="v3.32.0"))[0][0].severity is Severity.ERROR
    felix = (FelixConfiguration("default", {"programClusterRoutes": "Disabled"}),)
    assert found(nodes, changed(pools=pools, calico_version="v3.33.0", felix=felix))[0][0].severity is Severity.ERROR


def test_ipv6_sessions_are_those_of_the_other_daemon() -> None:
    cluster = changed(
        nodes=tuple(
            msgspec.structs.replace(one, bgp_address6=f"fd00::{i}/64") for i, one in enumerate(CLUSTER.nodes, 1)
        )
    )
    nodes = []
    for number, name in enumerate(ADDRESSES, 1):
        protocols = tuple(
            BirdProtocol(f"Mesh_fd00__{other}", "BGP", "master", "up", info=UP if 3 in (number, other) else "Connect")
            for other in (1, 2, 3)
            if other != number
        )
        answer = msgspec.structs.replace(parse_bird("Router ID is " + ADDRESSES[name]), protocols=protocols)
        facts = node(name)
        nodes.append(
            msgspec.structs.replace(facts, birds=(*(facts.birds or ()), Bird(6, "bird6.ctl", answer, complete=True)))
        )
    findings, unchecked = found(nodes, cluster)
    assert not unchecked
    assert [(one.code, one.severity, one.subject[-6:]) for one in findings] == [("bgp-session-down", W, "(IPv6)")]
    assert "fd00::2" in findings[0].summary or "fd00::1" in findings[0].summary


def test_sessions_are_joined_once_for_screens() -> None:
    joined = sessions(Scene(CLUSTER, all_nodes(a=node("a", down("a", "b", info="Passive")))))
    assert sorted((one.node, one.peer_node) for one in joined) == [("a", "b"), ("a", "c"), ("b", "c")]
    first = joined[0]
    assert first.here is not None
    assert first.there is not None
    assert (first.here.state, first.there.state, first.is_up) == ("Passive", UP, True)
    assert first.wanted_by == "node-to-node mesh"
    (unread,) = sessions(Scene(changed(nodes=CLUSTER.nodes[:2]), ()))
    assert unread.is_up is None


@pytest.mark.parametrize("demo", ["bgp", "ipip", "vxlan", "crosssubnet", "dualstack"])
def test_demos_say_nothing_wrong(demo: str) -> None:
    path = Path(str(resources.files("calitui.demo"))) / f"{demo}.json"
    snapshot = decode(path.read_bytes(), demo)
    findings, _ = found(snapshot.nodes, snapshot.cluster)
    assert not findings


@pytest.mark.parametrize("text", ["", "::", "1.2.3.4.5", "999.1.1.1/99", "fe80::1%eth0", "\x1b[2J", "10.0.0.1/24/24"])
def test_garbage_never_raises(text: str) -> None:
    protocols = tuple(
        BirdProtocol(f"Mesh_{text}", "BGP", "", "", info="Active", detail=text + "{a}{x}", neighbour=text)
        for _ in range(2)
    )
    answer = msgspec.structs.replace(parse_bird(""), protocols=protocols, router_id=text)
    bird = Bird(4, text, answer, complete=True)
    odd = [msgspec.structs.replace(node(name), birds=(bird,)) for name in ADDRESSES]
    cluster = changed(
        nodes=tuple(Node(name, bgp_address=text, bgp_address6=text, as_number=text) for name in ADDRESSES),
        bgp_peers=(BGPPeer(text, text, node_selector=text, peer_selector=text), BGPPeer("x", text)),
        blocks=(Block(text, "a"),),
        affinities=(BlockAffinity("a", text, "pending"),),
        pools=(IPPool("x", text), *CLUSTER.pools),
        node_statuses=(NodeStatus(text, "a", ("BGP",), 10, 999.0, peers=(StatusPeer(text),)),),
    )
    for nodes in (odd, [msgspec.structs.replace(one, birds=None) for one in odd]):
        for given in (cluster, CLUSTER):
            found(nodes, given)
            sessions(Scene(given, nodes))
