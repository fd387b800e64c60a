"""BGP sessions that are down, with what that does to routes, and block affinities that BIRD does not announce.

What is wrong with a node's BIRD as a whole is in `bgp_nodes.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from calitui.diagnosis.bgp import nodes as bgp_nodes
from calitui.diagnosis.bgp.birds import Birds, Standing
from calitui.diagnosis.bgp.blame import Broken, together
from calitui.diagnosis.bgp.entries import (
    ENTRIES,
    NOT_CONFIRMED,
    OUTLIVES,
    ROUTER_ID_DUPLICATE,
    SESSION_DOWN,
    WRONG_AS,
)
from calitui.diagnosis.bgp.expected import Wanted
from calitui.diagnosis.bgp.left import Kept, Remainder, Remains
from calitui.diagnosis.bgp.nodes import MOST_LINES, duplicates, is_gone, is_stray
from calitui.diagnosis.bgp.sessions import End, Peering, Session, in_question
from calitui.diagnosis.bgp.words import Kind, Reason, kind, reason, tells_most
from calitui.diagnosis.calico_node import restart
from calitui.diagnosis.expectation import Expectation
from calitui.diagnosis.scene import Scene, address, network
from calitui.trace.finding import Finding, Severity, Unchecked

_ENTRIES = {Kind.DOWN: SESSION_DOWN, Kind.WRONG_AS: WRONG_AS, Kind.BAD_IDENTIFIER: ROUTER_ID_DUPLICATE}


def sessions_down(scene: Scene) -> Iterator[Finding | Unchecked]:
    """Sessions that neither end calls established, put together by what they have in common."""
    birds, wanted, peering = scene.of(Birds), scene.of(Wanted), scene.of(Peering)
    if birds.uses_bgp is False:
        return
    for node in scene.nodes:
        for family in (4, 6):
            look = birds.look(node, family)
            if birds.expected(node, family) and look.standing is Standing.NOT_KNOWN:
                yield SESSION_DOWN.unchecked(node, look.reason)
    if wanted.unknowable is not None and birds.uses_bgp:
        yield SESSION_DOWN.unchecked(None, f"which sessions are wanted: {wanted.unknowable}")
    down: dict[Kind, list[Session]] = {sort: [] for sort in Kind}
    for session in peering.not_up:
        if session.is_up:
            if in_question(scene, session):
                yield _disputed(scene, session)
        elif not is_stray(session) and not is_gone(scene, session):
            down[kind(session)].append(session)
    for sort, sessions in down.items():
        for broken in together(peering, sessions, birds.is_stopped):
            asked = tuple(session for session in broken.sessions if in_question(scene, session))
            if asked and not (sort is Kind.BAD_IDENTIFIER and _is_told(scene, asked)):
                yield _broken(scene, sort, broken, asked)


def _is_told(scene: Scene, sessions: Sequence[Session]) -> bool:
    """Whether all are sessions between nodes that were seen to have one router ID."""
    twins = [set(nodes) for nodes in scene.of(duplicates).values()]
    return all(any({one.node, one.peer_node} <= nodes for nodes in twins) for one in sessions)


def _disputed(scene: Scene, session: Session) -> Finding:
    up, lost = sorted(session.ends, key=lambda end: not end.is_up)[:2] if len(session.ends) > 1 else (None, None)
    other = session.peer if lost is None or lost.node == session.node else session.node
    node = lost.node if lost is not None else session.node
    said = f"is {lost.state} on {node}" if lost is not None else f"is not configured on one of {node} and {other}"
    known = up.node if up is not None else other
    left = scene.of(Remains).of((session,))
    lost_now = f"; {_effect(left)}" if left.kept is Kept.ABSENT else ""
    return SESSION_DOWN.found(
        node,
        f"The BGP session between {node} and {other} {said} while {known} calls it Established: it broke a moment ago "
        f"and one end has not noticed, or it changed between the two reads{lost_now}.",
        subject=other,
        evidence=session.lines,
        fix=("# read again; if it stays so, packets for TCP port 179 pass in one direction only",),
        affected=(other,) if session.peer_node else (),
        severity=Severity.ERROR if lost_now else Severity.WARNING,
    )


def _broken(scene: Scene, sort: Kind, broken: Broken, asked: Sequence[Session]) -> Finding:
    typical = tells_most(asked)
    why = reason(scene, typical)
    left = scene.of(Remains).of(asked)
    entry, severity = _ENTRIES[sort], Severity.ERROR if left.kept is Kept.ABSENT else Severity.WARNING
    if sort is Kind.DOWN and left.kept is Kept.STALE:
        entry = OUTLIVES
    named = broken.common if broken.common is not None and scene.fabric.node(broken.common) is not None else None
    node = None if broken.is_everywhere else named or why.node
    if broken.common is not None and named is None:
        node = asked[0].node if len(asked) == 1 else None
    if broken.common is None and not broken.is_everywhere:
        subject = typical.peer if node != typical.peer_node else typical.node
    else:
        subject = "all sessions" if named or broken.is_everywhere else broken.common or ""
    touched = dict.fromkeys(name for one in asked for name in (one.node, one.peer_node) if name and name != node)
    words, fix = (_as_numbers(scene, typical, why), _mend_as(scene, typical)) if sort is Kind.WRONG_AS else (
        why.words, why.fix
    )  # fmt: skip
    lines = [*typical.lines, *(line for one in asked if one is not typical for line in one.lines)]
    return entry.found(
        node,
        f"{_what(broken, asked, typical)}: {words}; {_effect(left)}.",
        subject=f"{subject} (IPv6)" if typical.family == 6 else subject,
        evidence=(*lines[:MOST_LINES], *_last_errors(typical), left.line if left.kept is Kept.STALE else "",
                  *(_as_lines(scene, typical) if sort is Kind.WRONG_AS else ())),
        fix=fix,
        affected=touched,
        severity=severity,
    )  # fmt: skip


def _what(broken: Broken, asked: Sequence[Session], typical: Session) -> str:
    many = len(broken.sessions)
    if broken.is_everywhere:
        return f"All {many} BGP sessions of all nodes are down, as between {typical.node} and {typical.peer}"
    if broken.common is None or len(asked) == 1:
        return f"The BGP session between {typical.node} and {typical.peer} is down"
    if typical.peer_node is None and broken.common == typical.peer_ip:
        return f"All {many} BGP sessions with {broken.common}, which is no node, are down, as that of {typical.node}"
    peer = typical.peer if broken.common == typical.node else typical.node
    return f"All {many} BGP sessions of {broken.common} are down, as with {peer}"


def _effect(left: Remainder) -> str:
    match left.kept:
        case Kept.ABSENT:
            return (
                f"{left.node} has no route to {left.prefix} of {left.owner}, so packets from it to pods there are lost"
            )
        case Kept.STALE:
            return (
                f"{left.node} still has the route to {left.prefix} of {left.owner} that it brought, so packets flow "
                "until BIRD takes it away"
            )
        case Kept.BY_ANOTHER:
            return "the routes are there by other means, so packets still flow"
        case Kept.UNREAD:
            return "whether routes are left was not read"
        case _:
            return "no route to pods is known to depend on it"


def _last_errors(session: Session) -> Iterator[str]:
    for end in session.ends:
        if end.detail and end.detail != end.protocol.detail:
            yield f"{end.line.partition(':')[0]} all {end.protocol.name}: Last error: {end.detail}"


def _expecting(session: Session) -> tuple[End | None, str]:
    """The end that did not get the AS number it expects, and the node or address that it expects it of."""
    ends = [end for end in session.ends if "bad peer as" in end.detail.lower()]
    end = min(ends, key=lambda one: "received" in one.detail.lower(), default=None)
    return end, session.peer if end is None or end.node == session.node else session.node


def _as_numbers(scene: Scene, session: Session, why: Reason) -> str:
    end, other = _expecting(session)
    if end is None or end.protocol.neighbour_as is None:
        return why.words
    said = f"{end.node} expects AS {end.protocol.neighbour_as} of {other}, which says it is in another"
    if scene.fabric.node(other) is not None:
        said += f" (by the API {other} is in AS {scene.of(Wanted).as_number(other)})"
    return said


def _as_lines(scene: Scene, session: Session) -> Iterator[str]:
    configured = scene.of(Wanted).configuration.as_number
    yield f"API BGPConfiguration default: asNumber {configured or 'unset, which is 64512'}"
    for name in (session.node, session.peer_node):
        if name is not None and scene.node(name).as_number:
            yield f"API Node {name} projectcalico.org/ASNumber: {scene.node(name).as_number}"
    for peer in scene.cluster.bgp_peers:
        if session.wanted_by == f"BGPPeer {peer.name}":
            yield f"API BGPPeer {peer.name}: asNumber {peer.as_number or 'unset'}"


def _mend_as(scene: Scene, session: Session) -> tuple[str, ...]:
    end, other = _expecting(session)
    if scene.fabric.node(other) is None:
        name = session.wanted_by.removeprefix("BGPPeer ") or "NAME"
        return (
            f'kubectl patch bgppeers.crd.projectcalico.org {name} --type merge -p \'{{"spec":{{"asNumber":N}}}}\''
            f"  # N: the AS that {other} is in",
        )
    expected = end.protocol.neighbour_as if end is not None else None
    stale = end.node if end is not None and expected != scene.of(Wanted).as_number(other) else other
    return (
        "kubectl get bgpconfigurations.crd.projectcalico.org default -o jsonpath='{.spec.asNumber}'",
        f"kubectl get node {other} -o jsonpath='{{.metadata.annotations.projectcalico\\.org/ASNumber}}'",
        *restart(scene, stale),
    )


def affinities(scene: Scene) -> Iterator[Finding | Unchecked]:
    """Blocks that running pods have addresses of and whose affinity BIRD does not count."""
    wanted = scene.of(Wanted)
    pools = {pool.name for pool in wanted.pools_by_bird}
    if not pools or scene.of(Birds).uses_bgp is False:
        return
    missing = scene.cluster_missing("block affinities")
    if missing is not None:
        yield NOT_CONFIRMED.unchecked(None, missing)
        return
    odd = [one for one in scene.cluster.affinities if not one.deleted and one.state not in ("", "confirmed")]
    held = [(ip, pod) for pod in scene.pods for text in pod.ips if (ip := address(text)) is not None] if odd else []
    for affinity in odd:
        block, pool = network(affinity.cidr), scene.of(Expectation).pool(affinity.cidr)
        if block is None or pool is None or pool.name not in pools:
            continue
        inside = [(ip, pod) for ip, pod in held if pod.node == affinity.node and ip.version == block.version]
        inside = [(ip, pod) for ip, pod in inside if ip in block]
        if not inside:
            continue
        ip, first = inside[0]
        yield NOT_CONFIRMED.found(
            affinity.node,
            f"The block {affinity.cidr} has running pods on {affinity.node} ({len(inside)}), such as {first.namespace}/"
            f"{first.name} ({ip}), but its affinity is {affinity.state}: BIRD does not announce the block, at best "
            "each pod alone.",
            subject=affinity.cidr,
            evidence=(
                f"API BlockAffinity {affinity.node} {affinity.cidr}: state {affinity.state}",
                f"API Pod {first.namespace}/{first.name}: {ip} on {first.node}",
            ),
            fix=(*restart(scene, affinity.node), "calicoctl ipam check --show-problem-ips  # if the state stays"),
        )


CHECKS = (
    bgp_nodes.bird_not_running,
    bgp_nodes.no_peers,
    bgp_nodes.router_ids,
    bgp_nodes.not_ready,
    sessions_down,
    bgp_nodes.peer_is_no_node,
    affinities,
)

__all__ = ["CHECKS", "ENTRIES"]
