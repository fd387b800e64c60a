"""What is wrong with BGP on a node as a whole: BIRD not running, no peers, a router ID that another node has, a node
that is gone or not ready and still a peer.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from calitui.diagnosis.bgp.birds import Birds, Standing
from calitui.diagnosis.bgp.entries import BIRD_NOT_RUNNING, NO_NODE, NO_PEERS, NOT_READY, ROUTER_ID_DUPLICATE
from calitui.diagnosis.bgp.expected import Wanted
from calitui.diagnosis.bgp.sessions import Peering, Session, command, in_question
from calitui.diagnosis.calico_node import restart
from calitui.diagnosis.scene import Scene
from calitui.facts.cluster import Node
from calitui.trace.finding import Finding, Severity, Unchecked

MOST_LINES = 4
"""Lines of evidence of one sort."""
Check = Iterator[Finding | Unchecked]


def _own_routes(scene: Scene, node: str, family: int) -> str:
    """What became of the routes that the node's BIRD wrote to its kernel: they stay when it dies."""
    place = scene.place(node)
    if place is None or not place.read("routes6" if family == 6 else "routes"):
        return "its own routes are not updated any more"
    left = any(
        route.protocol == "bird" and route.kind == "unicast" and (":" in route.prefix) is (family == 6)
        for route in place.namespace.routes
    )
    if left:
        return "its own routes are what they were when BIRD stopped: packets leave by them, but nobody updates them"
    return "its own routes to other nodes' pods are gone"


def bird_not_running(scene: Scene) -> Check:
    """Nodes whose BIRD should run and does not."""
    birds, wanted, peering = scene.of(Birds), scene.of(Wanted), scene.of(Peering)
    for node in scene.nodes:
        for family in (4, 6):
            expected = birds.expected(node, family)
            look = birds.look(node, family)
            if expected is False or look.standing is Standing.RUNS:
                continue
            if look.standing is Standing.NOT_KNOWN:
                yield BIRD_NOT_RUNNING.unchecked(node, look.reason)
                continue
            if expected is None:
                why = scene.cluster_missing("ClusterInformation") or "ClusterInformation has no cluster type"
                yield BIRD_NOT_RUNNING.unchecked(node, f"whether this cluster uses BGP is not known: {why}")
                continue
            needed = any((":" in pool.cidr) is (family == 6) for pool in wanted.pools_by_bird)
            own = wanted.addresses[family].get(node)
            daemon = "BIRD for IPv6" if family == 6 else "BIRD"
            effect = (
                f"other nodes lose their routes to its pods, and {_own_routes(scene, node, family)}"
                if needed
                else "routes between nodes are written by Felix here, so what is lost is what BGP tells to others"
            )
            yield BIRD_NOT_RUNNING.found(
                node,
                f"{daemon}, which tells other nodes by BGP where pods are, does not run on {node}: {effect}.",
                subject="bird6" if family == 6 else "bird",
                evidence=look.lines,
                fix=(*_log(scene, node), *restart(scene, node)),
                affected=(other for (other, of), told in peering.told.items() if of == family and own in told.peers),
                severity=Severity.ERROR if needed else Severity.WARNING,
            )


def _log(scene: Scene, node: str) -> tuple[str, ...]:
    for pod in scene.cluster.pods:
        if pod.node == node and pod.name.startswith("calico-node-"):
            return (f"kubectl -n {pod.namespace} logs {pod.name} -c calico-node | grep -i -E 'bird|confd'  # why",)
    return ()


def no_peers(scene: Scene) -> Check:
    """Nodes that BGP should reach and that peer with nobody, by the API or by what their BIRD says."""
    birds, wanted, peering = scene.of(Birds), scene.of(Wanted), scene.of(Peering)
    if birds.uses_bgp is False or not wanted.pools_by_bird:
        return
    if wanted.unknowable is not None:
        yield NO_PEERS.unchecked(None, wanted.unknowable)
        return
    for family in (4, 6):
        if not any((":" in pool.cidr) is (family == 6) for pool in wanted.pools_by_bird):
            continue
        members = wanted.addresses[family]
        if len(members) < 2:
            continue
        lonely: list[str] = []
        for node in (name for name in scene.nodes if name in members):
            told = peering.told.get((node, family))
            is_wanted = bool(wanted.configured.get((node, family)) or wanted.mesh_of(node, family))
            if told is not None and told.peers:
                continue
            if not is_wanted and birds.uses_bgp:
                lonely.append(node)
            elif told is not None and told.complete and is_wanted:
                yield _without_protocols(scene, node, family, told.source)
            elif told is None and not birds.is_stopped(node, family):
                yield NO_PEERS.unchecked(node, birds.look(node, family).reason)
        if len(lonely) > 1 and len(lonely) == sum(name in members for name in scene.nodes):
            yield _lonely(scene, None, lonely, family)
        else:
            yield from (_lonely(scene, node, [node], family) for node in lonely)


def _lonely(scene: Scene, node: str | None, lonely: list[str], family: int) -> Finding:
    wanted, peering = scene.of(Wanted), scene.of(Peering)
    peers = scene.cluster.bgp_peers
    lines = []
    if not wanted.has_mesh:
        lines.append("API BGPConfiguration default: nodeToNodeMeshEnabled false")
    lines += [f"API Node {one.name} projectcalico.org/RouteReflectorClusterID: {one.route_reflector_cluster_id}"
              for one in map(scene.node, lonely[:MOST_LINES]) if one.route_reflector_cluster_id]  # fmt: skip
    for peer in peers[:MOST_LINES]:
        sides = (("node", peer.node), ("nodeSelector", peer.node_selector), ("peerSelector", peer.peer_selector))
        lines.append(f"API BGPPeer {peer.name}: " + ", ".join(f"{key} {text}" for key, text in sides if text))
    if not peers:
        lines.append("API BGPPeers: none")
    told = [found for name in lonely[:MOST_LINES] if (found := peering.told.get((name, family))) is not None]
    lines += [f"{one.source}: no protocol of kind BGP" for one in told if one.complete]
    who = node or f"any of {_nodes(len(lonely))}"
    why = (
        "the node-to-node mesh is off" if not wanted.has_mesh else f"a route reflector as {who} is left out of the mesh"
    )
    return NO_PEERS.found(
        node,
        f"{why.capitalize()} and no BGPPeer selects {who}{' for IPv6' if family == 6 else ''}: there they learn no "
        "route to pods of other nodes, and no other node learns the way to theirs.",
        subject="IPv6" if family == 6 else "",
        evidence=lines,
        fix=(
            "kubectl get bgppeers.crd.projectcalico.org -o yaml  # whom do they select? create one, or label the node",
            "kubectl patch bgpconfigurations.crd.projectcalico.org default --type merge "
            '-p \'{"spec":{"nodeToNodeMeshEnabled":true}}\'  # or have every node peer with every other again',
        ),
        affected=lonely if node is None else (),
    )


def _without_protocols(scene: Scene, node: str, family: int, source: str) -> Finding:
    wanted = scene.of(Wanted).of(node, family)
    by = next(iter(wanted.values()))
    return NO_PEERS.found(
        node,
        f"BIRD on {node} runs with no BGP peer at all although it should have {len(wanted)} ({by}): confd has not "
        "written its configuration, so the node learns no route to pods of other nodes.",
        subject="IPv6" if family == 6 else "",
        evidence=(f"{source}: no protocol of kind BGP", f"wanted by {by}: {', '.join(islice(wanted, MOST_LINES))}"),
        fix=(*_log(scene, node), *restart(scene, node)),
    )


def duplicates(scene: Scene) -> dict[tuple[int, str], list[str]]:
    """By family and router ID the nodes that have it, where they are several; for `Scene.of`."""
    found: dict[tuple[int, str], list[str]] = {}
    for (node, family), told in scene.of(Peering).told.items():
        if told.answer is not None and told.answer.router_id:
            found.setdefault((family, told.answer.router_id), []).append(node)
    return {key: nodes for key, nodes in found.items() if len(nodes) > 1}


def router_ids(scene: Scene) -> Check:
    """Nodes whose BIRDs have one router ID."""
    birds, peering = scene.of(Birds), scene.of(Peering)
    for node in scene.nodes:
        look = birds.look(node, 4)
        if look.standing is Standing.NOT_KNOWN and birds.expected(node, 4):
            yield ROUTER_ID_DUPLICATE.unchecked(node, look.reason)
    for (family, router_id), nodes in scene.of(duplicates).items():
        asked = [node for node in nodes if node in scene.nodes]
        if not asked:
            continue
        refused = [one for one in peering.not_up if one.node in nodes and one.peer_node in nodes and not one.is_up]
        own = [node for node in nodes if scene.of(Wanted).addresses[4].get(node) == router_id]
        at = next((node for node in nodes if node not in own), nodes[-1])
        lines = [f"{node} {command(family)} show status: Router ID is {router_id}" for node in nodes[:MOST_LINES]]
        lines += [line for session in refused[:MOST_LINES] for line in session.lines]
        effect = (
            "they refuse each other, so routes to pods between them are missing"
            if refused
            else "a route reflector or a router can take the routes of one for those of the other"
        )
        yield ROUTER_ID_DUPLICATE.found(
            at,
            f"The BIRDs of {', '.join(nodes[:MOST_LINES])} have one router ID, {router_id}: {effect}.",
            subject=f"{router_id} (IPv6)" if family == 6 else router_id,
            evidence=lines,
            fix=(
                f"kubectl get node {at} -o jsonpath='{{.metadata.annotations}}'  # does it have an address of its own?",
                "kubectl set env daemonset/calico-node -n kube-system CALICO_ROUTER_ID=hash  # if the address can't be "
                "unique; calico-system with the operator",
                *restart(scene, at),
            ),
            affected=(node for node in nodes if node != at),
            severity=Severity.ERROR if refused else Severity.WARNING,
        )


def is_not_ready(scene: Scene, node: Node) -> bool:
    """Whether Kubernetes says so; `Unknown` counts where other nodes show that the condition was read."""
    return node.ready is False or (node.ready is None and any(one.ready for one in scene.cluster.nodes))


def is_gone(scene: Scene, session: Session) -> bool:
    """Whether a session is down because its peer is not ready and not there to be asked, which is told elsewhere."""
    for name in (session.node, session.peer_node):
        if name is None or (name, session.family) in scene.of(Peering).told:
            continue
        if is_not_ready(scene, scene.node(name)) and not scene.of(Birds).is_stopped(name, session.family):
            return True
    return False


def not_ready(scene: Scene) -> Check:
    """Nodes that are not ready and that others peer with."""
    wanted, peering = scene.of(Wanted), scene.of(Peering)
    for name in scene.nodes:
        node = scene.node(name)
        if not node.name or scene.fabric.node(name) is None or not is_not_ready(scene, node):
            continue
        for family in (4, 6):
            ip = wanted.addresses[family].get(name, "")
            ends = [end for told in peering.told.values() if told.node != name and (end := told.end(ip)) is not None]
            if not ends:
                continue
            down = [end for end in ends if not end.is_up]
            effect = (
                f"{len(down)} of {len(ends)} BGP sessions with it are down: pods on it can't be reached"
                if down
                else "its BGP sessions are up, so packets to its pods still flow; the kubelet is what does not answer"
            )
            yield NOT_READY.found(
                name,
                f"{name} is not ready but still a BGP peer of {_nodes(len(ends))}; {effect}.",
                subject="IPv6" if family == 6 else "",
                evidence=(
                    f"API Node {name} Ready: {'False' if node.ready is False else 'Unknown'}",
                    *(end.line for end in (down or ends)[:MOST_LINES]),
                ),
                fix=(
                    f"kubectl describe node {name}  # what does the kubelet say, and since when?",
                    f"kubectl delete node {name}  # only if the node is gone for good",
                ),
                affected=(end.node for end in ends),
            )


def peer_is_no_node(scene: Scene) -> Check:
    """Sessions of the mesh with addresses that no node has."""
    if scene.of(Birds).uses_bgp is False:
        return
    missing = scene.cluster_missing("nodes")
    if missing is not None:
        yield NO_NODE.unchecked(None, missing)
        return
    not_up = scene.of(Peering).not_up
    if scene.trace is not None and not any(one.peer_node is not None and in_question(scene, one) for one in not_up):
        return
    strays: dict[str, list[Session]] = {}
    for session in not_up:
        if is_stray(session) and session.node in scene.nodes:
            strays.setdefault(session.peer_ip, []).append(session)
    for ip, found in strays.items():
        only = found[0].node if len(found) == 1 else None
        where = only or _nodes(len(found))
        fix = restart(scene, only) if only is not None else (
            "calicoctl get nodes -o wide  # whose address is it? then: calicoctl delete node NAME",
        )  # fmt: skip
        yield NO_NODE.found(
            only,
            f"BIRD on {where} keeps trying to peer with {ip}, which is the address of no node of the cluster: it is "
            "left over from a node that was removed or has another address now.",
            subject=ip,
            evidence=[line for session in found[:MOST_LINES] for line in session.lines],
            fix=fix,
            affected=() if only else [session.node for session in found],
        )


def is_stray(session: Session) -> bool:
    """Whether it is one of the mesh with an address that no node has."""
    return session.peer_node is None and session.here is not None and session.here.protocol.name.startswith("Mesh_")


def _nodes(count: int) -> str:
    return "1 node" if count == 1 else f"{count} nodes"
