"""Findings about the outer source of IPIP packets: the kernel chooses it, the receiving Felix must know it."""

from __future__ import annotations

import shlex
from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from calitui.diagnosis.addresses import entries
from calitui.diagnosis.addresses.seen import LOCAL_ONLY, Seen, Told, held_line, holding
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
    peers = scene.of(_Peers)
    for place in scene.read(entries.SOURCE_DIFFERS, "links", "addresses", "routes", "rules"):
        told = seen.told(place.node or "", 4)
        if isinstance(place, Unchecked):
            if told is not None and peers.told:
                yield place
            continue
        if told is None or holding(place, told.ip) is None or not _has_choice(place, told.ip):
            continue
        finding = _differs(scene, place, told, peers)
        if finding is not None:
            yield finding


def _has_choice(place: Place, own: Address) -> bool:
    """Whether another source than `own` is to be had at all: it spares asking for every pair of nodes."""
    for link in place.namespace.links:
        if not LOCAL_ONLY.fullmatch(link.name):
            held = (address(one.ip) for one in link.addresses if one.scope == "global")
            if any(ip is not None and ip.version == own.version and ip != own for ip in held):
                return True
    named = {route.source for route in place.namespace.routes if route.source and route.table not in ("local", "255")}
    return any(address(ip) != own for ip in named)


def _differs(scene: Scene, place: Place, told: Told, peers: _Peers) -> Finding | None:
    tunnel = place.link("tunl0")
    if tunnel is None or tunnel.tunnel_local is not None:
        return None
    known = scene.of(_known)
    allowed = [network(part.strip(' "')) for part in _external_nodes(scene).split(",")]
    suffering: dict[str, list[tuple[Told, Decision]]] = {}
    for reached in peers.by_route(place):
        same = [peer for peer in reached if peer.node != told.node]
        told_of = next((peer for peer in same if _is_tunnelled(scene, told.node, peer.node)), None)
        decision = _decision(place, told_of.ip) if told_of is not None else None
        if told_of is None or decision is None or decision.kind != "unicast" or decision.device == "tunl0":
            continue
        source = address(decision.source)
        certain = decision.evidence in (Evidence.KERNEL, Evidence.TABLE) and len(decision.choices) < 2
        if not certain or source is None or source in known:
            continue
        if not any(around is not None and source in around for around in allowed):
            tunnelled = (peer for peer in same if peer is told_of or _is_tunnelled(scene, told.node, peer.node))
            suffering.setdefault(str(source), []).extend((peer, decision) for peer in tunnelled)
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


def _decision(place: Place, ip: Address) -> Decision | None:
    try:
        return decide(place, str(ip))
    except ValueError:
        return None


def _known(scene: Scene) -> frozenset[Address]:
    """The addresses that Felix knows nodes by."""
    return frozenset(told.ip for told in scene.of(Seen).all(4).values())


class _Peers:
    """Nodes in question that have pods behind IPIP, in the order of their addresses."""

    def __init__(self, scene: Scene) -> None:
        seen = scene.of(Seen)
        names = dict.fromkeys(
            claim.node
            for claim in scene.of(Expectation).claims
            if claim.pool is not None and claim.family == 4 and claim.pool.ipip_mode in ("Always", "CrossSubnet")
        )
        found = [told for name in names if name in scene.nodes and (told := seen.told(name, 4)) is not None]
        self.told = sorted(found, key=lambda told: int(told.ip))
        self._numbers = [int(told.ip) for told in self.told]
        self._spans: dict[str, tuple[int, int]] = {}

    def by_route(self, place: Place) -> list[list[Told]]:
        """The peers that each route of the main table leads to, tunnels apart.

        One route gives one source, and deciding for each pair of a thousand nodes would take minutes.
        """
        prefixes = {
            route.prefix
            for route in place.namespace.routes
            if route.kind == "unicast" and route.device != "tunl0" and route.table in ("main", "254")
        }
        spans = sorted({span for prefix in prefixes if (span := self._span(prefix))[0] < span[1]}, key=_width)
        free, found = [True] * len(self.told), []
        for first, end in spans:
            found.append([self.told[number] for number in range(first, end) if free[number]])
            free[first:end] = [False] * (end - first)
        return [peers for peers in found if peers]

    def _span(self, prefix: str) -> tuple[int, int]:
        """Where in the order the addresses inside of a prefix are: the first, and the one after the last."""
        if prefix not in self._spans:
            around = network(prefix)
            span = (0, 0)
            if around is not None and around.version == 4:
                first = bisect_left(self._numbers, int(around.network_address))
                span = first, bisect_right(self._numbers, int(around.broadcast_address))
            self._spans[prefix] = span
        return self._spans[prefix]


def _width(span: tuple[int, int]) -> int:
    return span[1] - span[0]


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
