"""Findings about routes between nodes: made of the judgements in `routing.py`, one for each cause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from calitui.diagnosis.calico_node import restart
from calitui.diagnosis.entry import Entry
from calitui.diagnosis.expectation import Carriage
from calitui.diagnosis.routes import entries
from calitui.diagnosis.routes.routing import Judged, Routing, State
from calitui.diagnosis.routes.words import OF_POOLS, WORDS, Words
from calitui.diagnosis.scene import Scene
from calitui.facts.node import Route
from calitui.trace.finding import Finding, Severity, Unchecked

MOST_LINES = 6
"""Lines of evidence of one kind in one finding."""


def programmed(scene: Scene) -> Iterator[Finding | Unchecked]:
    """Whether exactly one of Felix and BIRD is told to write block routes; only where both settings are there."""
    bgp = next((one.program_cluster_routes for one in scene.cluster.bgp if one.name == "default"), "")
    felix = next((one.spec.get("programClusterRoutes", "") for one in scene.cluster.felix if one.name == "default"), "")
    if not bgp or not felix:
        return
    evidence = (
        f"API FelixConfiguration default: programClusterRoutes {felix}",
        f"API BGPConfiguration default: programClusterRoutes {bgp}",
    )
    off = 'kubectl patch felixconfiguration default --type merge -p \'{"spec":{"programClusterRoutes":"Disabled"}}\''
    on = 'kubectl patch bgpconfiguration default --type merge -p \'{"spec":{"programClusterRoutes":"Enabled"}}\''
    if felix == bgp == "Enabled":
        summary = "Felix and BIRD are both told to write the routes to other nodes' pods, so each undoes the other's."
        yield entries.PROGRAMMED_TWICE.found(None, summary, evidence=evidence, fix=(off,))
    elif felix == bgp == "Disabled" and any(pool.vxlan_mode == "Never" for pool in scene.fabric.pools):
        summary = "Neither Felix nor BIRD is told to write routes to other nodes' pods: nobody does."
        yield entries.PROGRAMMED_NEVER.found(None, summary, evidence=evidence, fix=(on,))


def between_nodes(scene: Scene) -> Iterator[Finding | Unchecked]:
    """Every judgement that is not as expected, as findings."""
    routing = scene.of(Routing)
    why = routing.expectation.unknowable()
    if why is not None:
        yield entries.MISSING.unchecked(None, why)
        return
    by_state: dict[State, list[Judged]] = {}
    for judged in routing.faults:
        by_state.setdefault(judged.state, []).append(judged)
    yield from _not_known(by_state.get(State.NOT_KNOWN, ()))
    for state, entry, words in WORDS:
        yield from _each(scene, entry, by_state.get(state, ()), words)
    for state in (State.MISSING, State.BY_DEFAULT):
        yield from _missing(scene, by_state.get(state, ()))


def _not_known(judged: Iterable[Judged]) -> Iterator[Unchecked]:
    for node, reason in dict.fromkeys((one.node, one.reason) for one in judged):
        yield entries.MISSING.unchecked(node, reason)


def _each(scene: Scene, entry: Entry, judged: Iterable[Judged], words: Words) -> Iterator[Finding]:
    """One finding for each node that routes have in common, or for a pool where they have its mode in common."""
    by_pool: dict[str, list[Judged]] = {}
    for one in judged:
        by_pool.setdefault(one.claim.pool.name if one.claim.pool is not None else "", []).append(one)
    for name, members in by_pool.items():
        everywhere = len({one.node for one in members}) > 1 and len({one.claim.node for one in members}) > 1
        if everywhere and members[0].state in OF_POOLS:
            nodes = sorted({name for one in members for name in (one.node, one.claim.node)})
            yield _finding(scene, entry, None, members, words, subject=f"IPPool {name}", affected=nodes)
            continue
        for node, of_owner, theirs in _causes(members):
            affected = [name for one in theirs for name in (one.node, one.claim.node, one.leads_to) if name]
            yield _finding(
                scene,
                entry,
                node,
                theirs,
                words,
                subject=theirs[0].claim.cidr,
                affected=[name for name in affected if of_owner or name != node],
            )


def _finding(
    scene: Scene,
    entry: Entry,
    node: str | None,
    members: list[Judged],
    words: Words,
    *,
    subject: str,
    affected: list[str],
) -> Finding:
    first = members[0]
    evidence = [scene.line(one.node, _command(one), one.route.text) for one in members[:MOST_LINES] if one.route]
    evidence += [one.claim.source for one in members[:MOST_LINES]]
    evidence += [*_masks(scene, first), _pool_line(first)]
    pairs = {(one.node, one.claim.node) for one in members}
    more = f" The same goes for {len(pairs) - 1} more of such pairs of nodes." if len(pairs) > 1 else ""
    return entry.found(
        node,
        words(first) + more,
        evidence=dict.fromkeys(evidence),
        fix=_fix(scene, first),
        subject=subject,
        affected=affected,
        severity=_severity(scene, first),
    )


def _severity(scene: Scene, judged: Judged) -> Severity | None:
    """A packet in the wrong form still arrives where nothing stands between the nodes that would mind, and one that
    goes to another node if that one sends it on.
    """
    if judged.detour:
        return Severity.WARNING
    if judged.state is not State.WRONG_DEVICE or judged.expected is None:
        return None
    on_link = scene.of(Routing).expectation.on_link(judged.node, judged.claim.node, judged.claim.family)
    return Severity.WARNING if on_link or judged.expected.carriage is Carriage.PLAIN else None


def _causes(members: Iterable[Judged]) -> Iterator[tuple[str, bool, list[Judged]]]:
    """The fewest nodes that all pairs have in common, whether as the owner of the block, and the pairs of each."""
    left = list(members)
    while left:
        mine = Counter(one.node for one in left).most_common(1)[0]
        theirs = Counter(one.claim.node for one in left).most_common(1)[0]
        of_owner = theirs[1] > mine[1]
        node = theirs[0] if of_owner else mine[0]
        taken = [one for one in left if (one.claim.node if of_owner else one.node) == node]
        left = [one for one in left if (one.claim.node if of_owner else one.node) != node]
        yield node, of_owner, taken


def _missing(scene: Scene, judged: Iterable[Judged]) -> Iterator[Finding]:
    """Which pairs have no route: a node that lacks many, or one that nobody reaches."""
    for node, of_owner, members in _causes(judged):
        yield _lost(scene, node, members) if of_owner else _poor(scene, node, members)


def _poor(scene: Scene, node: str, members: list[Judged]) -> Finding:
    owners = sorted({one.claim.node for one in members})
    blocks = [one.claim.cidr for one in members]
    where = f"pods on {owners[0]} ({blocks[0]})" if len(owners) == 1 else f"the pods of {len(owners)} other nodes"
    then = (
        "the routers that BGP is spoken with may know the way"
        if members[0].state is State.BY_DEFAULT
        else "its packets for them go to the default gateway, or nowhere"
    )
    summary = f"{node} has no route to {where}: {then}."
    evidence = [_absence(scene, one) for one in members[:MOST_LINES]] + [
        one.claim.source for one in members[:MOST_LINES]
    ]
    subject = blocks[0] if len(set(blocks)) == 1 else f"{len(blocks)} blocks"
    fix = (f"ssh {node} birdcl -s /var/run/calico/bird.ctl show protocols", *restart(scene, node))
    severity = Severity.INFO if members[0].state is State.BY_DEFAULT else None
    return entries.MISSING.found(
        node, summary, evidence=evidence, fix=fix, subject=subject, affected=owners, severity=severity
    )


def _lost(scene: Scene, owner: str, members: list[Judged]) -> Finding:
    nodes = sorted({one.node for one in members})
    blocks = sorted({one.claim.cidr for one in members})
    summary = (
        f"{len(nodes)} nodes have no route to the pods of {owner} ({', '.join(blocks[:3])}): {owner} does not "
        "announce them, or nobody hears it."
    )
    evidence = [_absence(scene, one) for one in members[:MOST_LINES]] + [members[0].claim.source]
    fix = (f"ssh {owner} birdcl -s /var/run/calico/bird.ctl show protocols", *restart(scene, owner))
    subject = blocks[0] if len(blocks) == 1 else f"{len(blocks)} blocks"
    severity = Severity.INFO if members[0].state is State.BY_DEFAULT else None
    return entries.MISSING.found(
        owner, summary, evidence=dict.fromkeys(evidence), fix=fix, subject=subject, affected=nodes, severity=severity
    )


def _absence(scene: Scene, judged: Judged) -> str:
    expected = judged.expected
    via = f" via {expected.next_hop}" if expected is not None and expected.next_hop else ""
    return scene.line(judged.node, _command(judged), f"no line for {judged.claim.cidr} (expected{via})")


def _command(judged: Judged) -> str:
    return "ip -6 route" if judged.claim.family == 6 else "ip route"


def _pool_line(judged: Judged) -> str:
    pool = judged.claim.pool
    if pool is None:
        return ""
    return f"API IPPool {pool.name} {pool.cidr}: ipipMode {pool.ipip_mode}, vxlanMode {pool.vxlan_mode}"


def _masks(scene: Scene, judged: Judged) -> tuple[str, ...]:
    """The nodes' addresses with their masks, where it matters whether they share a network."""
    if judged.state not in (State.BARE, State.GATEWAY):
        return ()
    nodes = [scene.node(name) for name in (judged.node, judged.claim.node)]
    family = judged.claim.family
    held = [node.bgp_address6 if family == 6 else node.bgp_address for node in nodes]
    return tuple(
        f"API Node {node.name} projectcalico.org/IPv{family}Address: {ip}" for node, ip in zip(nodes, held, strict=True)
    )


def _fix(scene: Scene, judged: Judged) -> tuple[str, ...]:
    node, route, pool = judged.node, judged.route, judged.claim.pool
    if judged.state is State.BARE and pool is not None:
        mode = "vxlanMode" if judged.claim.family == 6 else "ipipMode"
        return (f'kubectl patch ippool {pool.name} --type merge -p \'{{"spec":{{"{mode}":"CrossSubnet"}}}}\'',)
    target = judged.leads_to if judged.state is State.WRONG_NEXT_HOP and judged.leads_to else node
    if judged.state is State.FOREIGN and route is not None:
        return (f"ssh {node} sudo ip route del {_selector(route)}", *restart(scene, node))
    return restart(scene, target)


def _selector(route: Route) -> str:
    words = [route.kind] if route.kind != "unicast" else []
    words.append(route.prefix)
    words += [
        word for name, value in (("via", route.gateway), ("dev", route.device)) if value for word in (name, value)
    ]
    words += ["metric", str(route.metric)] if route.metric else []
    return " ".join(words)


ENTRIES = (
    entries.PROGRAMMED_NEVER,
    entries.PROGRAMMED_TWICE,
    entries.UNREACHABLE,
    entries.OWNED_TWICE,
    entries.FOREIGN,
    entries.MULTIPATH,
    entries.MODE_MISMATCH,
    entries.NO_L2,
    entries.GATEWAY,
    entries.WRONG_NEXT_HOP,
    entries.NOT_IN_KERNEL,
    entries.MISSING,
)
CHECKS = (programmed, between_nodes)
