"""Findings about routes between nodes: made of the judgements in `routing.py`, one for each cause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from calitui.diagnosis import routes_entries as entries
from calitui.diagnosis.calico_node import restart
from calitui.diagnosis.entry import Entry
from calitui.diagnosis.expectation import Carriage
from calitui.diagnosis.routing import Judged, Routing, State
from calitui.diagnosis.scene import Scene
from calitui.facts.node import Route
from calitui.trace.finding import Finding, Unchecked

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
    elif felix == bgp == "Disabled":
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
    for state, entry, words in _WORDS:
        yield from _each(scene, entry, by_state.get(state, ()), words)
    yield from _missing(scene, by_state.get(State.MISSING, ()))


def _not_known(judged: Iterable[Judged]) -> Iterator[Unchecked]:
    for node, reason in dict.fromkeys((one.node, one.reason) for one in judged):
        yield entries.MISSING.unchecked(node, reason)


Words = Callable[[Judged], str]


def _each(scene: Scene, entry: Entry, judged: Iterable[Judged], words: Words) -> Iterator[Finding]:
    """One finding for a node and what its routes have in common: where they lead, or what they are."""
    grouped: dict[tuple[str, str | None], list[Judged]] = {}
    for one in judged:
        grouped.setdefault((one.node, one.leads_to or one.claim.node), []).append(one)
    for (node, _), members in grouped.items():
        first = members[0]
        blocks = sorted({one.claim.cidr for one in members})
        evidence = [scene.line(node, _command(one), one.route.text) for one in members[:MOST_LINES] if one.route]
        evidence += [one.claim.source for one in members[:MOST_LINES]]
        evidence += [*_masks(scene, first), _pool_line(first)]
        affected = [name for one in members for name in (one.claim.node, one.leads_to) if name]
        yield entry.found(
            node,
            words(first) + (f" The same goes for {len(blocks) - 1} more of its blocks." if len(blocks) > 1 else ""),
            evidence=dict.fromkeys(evidence),
            fix=_fix(scene, first),
            subject=first.claim.cidr,
            affected=affected,
        )


def _missing(scene: Scene, judged: Iterable[Judged]) -> Iterator[Finding]:
    """The fewest nodes that explain which pairs have no route: one that lacks many, or one that nobody reaches."""
    left = list(judged)
    while left:
        lacks = Counter(one.node for one in left)
        lacked = Counter(one.claim.node for one in left)
        (poor, count), (lost, times) = lacks.most_common(1)[0], lacked.most_common(1)[0]
        is_lost = times > count
        members = [one for one in left if (one.claim.node == lost if is_lost else one.node == poor)]
        taken = {id(one) for one in members}
        left = [one for one in left if id(one) not in taken]
        yield _lost(scene, lost, members) if is_lost else _poor(scene, poor, members)


def _poor(scene: Scene, node: str, members: list[Judged]) -> Finding:
    owners = sorted({one.claim.node for one in members})
    blocks = [one.claim.cidr for one in members]
    where = f"pods on {owners[0]} ({blocks[0]})" if len(owners) == 1 else f"the pods of {len(owners)} other nodes"
    summary = f"{node} has no route to {where}: its packets for them go to the default gateway, or nowhere."
    evidence = [_absence(scene, one) for one in members[:MOST_LINES]] + [
        one.claim.source for one in members[:MOST_LINES]
    ]
    subject = blocks[0] if len(set(blocks)) == 1 else f"{len(blocks)} blocks"
    fix = (f"ssh {node} birdcl -s /var/run/calico/bird.ctl show protocols", *restart(scene, node))
    return entries.MISSING.found(node, summary, evidence=evidence, fix=fix, subject=subject, affected=owners)


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
    return entries.MISSING.found(
        owner, summary, evidence=dict.fromkeys(evidence), fix=fix, subject=subject, affected=nodes
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


def _route_text(judged: Judged) -> str:
    return judged.route.text if judged.route is not None else "no route"


_WORDS: tuple[tuple[State, Entry, Words], ...] = (
    (
        State.UNREACHABLE,
        entries.UNREACHABLE,
        lambda one: (
            f"BIRD on {one.node} knows the block {one.claim.cidr} of {one.claim.node} but found no way to that node, "
            "and marked it unreachable: the kernel refuses packets to its pods."
        ),
    ),
    (
        State.BLACKHOLE,
        entries.OWNED_TWICE,
        lambda one: (
            f"{one.node} throws packets for {one.claim.cidr} away as if the block were its own, but it belongs to "
            f"{one.claim.node}."
        ),
    ),
    (
        State.FOREIGN,
        entries.FOREIGN,
        lambda one: (
            f"A route on {one.node} that is not Calico's (`{_route_text(one)}`) takes the packets for pods on "
            f"{one.claim.node} somewhere else."
        ),
    ),
    (
        State.MULTIPATH,
        entries.MULTIPATH,
        lambda one: (
            f"{one.node} has several next hops to the pods of {one.claim.node} and uses no tunnel for them, though "
            "the pool wants IPIP."
        ),
    ),
    (
        State.WRONG_DEVICE,
        entries.MODE_MISMATCH,
        lambda one: (
            f"{one.node} sends packets for {one.claim.node} through {one.route.device if one.route else '?'}, but "
            f"by the pool they should go {_carried(one)}."
        ),
    ),
    (
        State.BARE,
        entries.NO_L2,
        lambda one: (
            f"Packets from {one.node} to pods on {one.claim.node} go to the router "
            f"{one.route.gateway if one.route else '?'} with the pods' own addresses, for the two nodes are in "
            "different networks and the pool uses no tunnel: the router has to know the pods' addresses, and "
            "nothing here tells it."
        ),
    ),
    (
        State.GATEWAY,
        entries.GATEWAY,
        lambda one: (
            f"{one.node} sends packets for pods on {one.claim.node} to the router "
            f"{one.route.gateway if one.route else '?'}, although {one.claim.node} is on the same network: the "
            "router does not know pod addresses."
        ),
    ),
    (
        State.WRONG_NEXT_HOP,
        entries.WRONG_NEXT_HOP,
        lambda one: (
            f"{one.node} sends packets for {one.claim.cidr} to {one.leads_to or _next_hop(one)}, but the block "
            f"belongs to {one.claim.node}: they never get to the pods there."
        ),
    ),
)


def _next_hop(judged: Judged) -> str:
    gateway = judged.route.gateway if judged.route is not None else None
    return f"{gateway or 'an address'}, which is no node of the cluster,"


def _carried(judged: Judged) -> str:
    carriage = judged.expected.carriage if judged.expected is not None else Carriage.PLAIN
    return "without a tunnel" if carriage is Carriage.PLAIN else f"in {carriage.value} ({_DEVICES[carriage]})"


_DEVICES = {Carriage.IPIP: "tunl0", Carriage.VXLAN: "vxlan.calico"}

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
