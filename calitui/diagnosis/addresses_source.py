"""Findings about the outer source of IPIP packets: the kernel chooses it, the receiving Felix must know it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from calitui.diagnosis import addresses_entries as entries
from calitui.diagnosis.addresses_seen import LOCAL_ONLY, Seen, Told, held_line, holding
from calitui.diagnosis.expectation import Carriage, Claim, Expectation
from calitui.diagnosis.scene import Address, Scene, address, network
from calitui.trace.decision import Decision, decide
from calitui.trace.fabric import Place
from calitui.trace.finding import Finding, Unchecked
from calitui.trace.path import Evidence


def source_differs(scene: Scene) -> Iterator[Finding | Unchecked]:
    """A route to another node that makes the kernel take another source than the annotated address for IPIP.

    VXLAN devices are bound to their source, and without a tunnel BIRD's routes say it; neither is looked at.
    """
    if not any(pool.ipip_mode in ("Always", "CrossSubnet") for pool in scene.fabric.pools):
        return
    seen = scene.of(Seen)
    peers = _peers(scene)
    for place in scene.read(entries.SOURCE_DIFFERS, "links", "addresses", "routes", "rules"):
        told = seen.told(place.node or "", 4)
        if isinstance(place, Unchecked):
            if told is not None and peers:
                yield place
            continue
        if told is None or holding(place, told.ip) is None or not _has_choice(place, told.ip):
            continue
        finding = _differs(scene, place, told, [peer for peer in peers if peer.node != told.node])
        if finding is not None:
            yield finding


def _peers(scene: Scene) -> list[Told]:
    """Nodes in question that have pods behind IPIP."""
    seen, expectation = scene.of(Seen), scene.of(Expectation)
    names = dict.fromkeys(
        claim.node
        for claim in expectation.claims
        if claim.pool is not None and claim.family == 4 and claim.pool.ipip_mode in ("Always", "CrossSubnet")
    )
    return [told for name in names if name in scene.nodes and (told := seen.told(name, 4)) is not None]


def _has_choice(place: Place, own: Address) -> bool:
    """Whether another source than `own` is to be had at all: it spares asking for every pair of nodes."""
    for link in place.namespace.links:
        if not LOCAL_ONLY.fullmatch(link.name):
            held = (address(one.ip) for one in link.addresses if one.scope == "global")
            if any(ip is not None and ip.version == own.version and ip != own for ip in held):
                return True
    named = {route.source for route in place.namespace.routes if route.source and route.table not in ("local", "255")}
    return any(address(ip) != own for ip in named)


def _differs(scene: Scene, place: Place, told: Told, peers: list[Told]) -> Finding | None:
    tunnel = place.link("tunl0")
    if tunnel is None or tunnel.tunnel_local is not None:
        return None
    known = {str(one.ip) for one in scene.of(Seen).all(4).values()}
    allowed = [network(part.strip(' "')) for part in _external_nodes(scene).split(",")]
    suffering: dict[str, list[tuple[Told, Decision]]] = {}
    for peer in peers:
        if not _is_tunnelled(scene, told.node, peer.node):
            continue
        decision = decide(place, str(peer.ip))
        if decision.evidence not in (Evidence.KERNEL, Evidence.TABLE) or decision.kind != "unicast":
            continue
        source = address(decision.source)
        if source is None or len(decision.choices) > 1 or decision.device == "tunl0" or str(source) in known:
            continue
        if not any(around is not None and source in around for around in allowed):
            suffering.setdefault(str(source), []).append((peer, decision))
    if not suffering:
        return None
    source_text, found = next(iter(suffering.items()))
    peer, decision = found[0]
    evidence = [told.line, *decision.lines[:2]]
    source = address(source_text)
    if source is not None and (held := holding(place, source)) is not None:
        evidence.append(held_line(place, held[0], source, held[1]))
    return entries.SOURCE_DIFFERS.found(
        told.node,
        f"{told.node} sends its pods' IPIP packets to {peer.node} from {source_text}, but is known as {told.ip}: "
        f"{peer.node} drops them as of a stranger.",
        evidence=(*evidence, peer.line),
        fix=(
            f"ssh {shlex.quote(told.node)} ip route get {peer.ip}  # must say src {told.ip}: add `src` to that route,",
            f"# or have Calico take {source_text} (IP_AUTODETECTION_METHOD) if the other nodes reach it there,",
            "# or let Felix accept it: kubectl patch felixconfiguration default --type merge "
            f'-p \'{{"spec":{{"externalNodesList":["{source_text}"]}}}}\'',
        ),
        subject=source_text,
        affected=(other.node for pairs in suffering.values() for other, _ in pairs),
    )


def _external_nodes(scene: Scene) -> str:
    default = next((one.spec for one in scene.cluster.felix if one.name == "default"), {})
    return default.get("externalNodesList", "").strip("[]")


def _claims(scene: Scene) -> dict[str, list[Claim]]:
    """What is claimed of IPv4, by node."""
    found: dict[str, list[Claim]] = {}
    for claim in scene.of(Expectation).claims:
        if claim.family == 4:
            found.setdefault(claim.node, []).append(claim)
    return found


def _is_tunnelled(scene: Scene, node: str, peer: str) -> bool:
    expectation = scene.of(Expectation)
    routes = (expectation.route(node, claim) for claim in scene.of(_claims).get(peer, ()))
    return any(route is not None and route.carriage is Carriage.IPIP for route in routes)
