"""Packets between pods, in tunnels and of BGP that a node's own packet filter drops; policies' drops that it counted.

A finding is raised only where every rule before the one that drops is certain not to let the packet pass. What depends
on sets, marks or anything else that was not read is no finding.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator

import msgspec

from calitui.diagnosis.bgp.birds import Birds
from calitui.diagnosis.bgp.expected import Wanted
from calitui.diagnosis.bgp.sessions import ESTABLISHED, Peering
from calitui.diagnosis.devices.used import named
from calitui.diagnosis.entry import Entry
from calitui.diagnosis.firewall.backends import two_backends
from calitui.diagnosis.firewall.entries import BGP, ENTRIES, FORWARDED, POLICY, TUNNEL
from calitui.diagnosis.firewall.packet import UDP
from calitui.diagnosis.firewall.packets import Dial, Needed, dialled, forwarded, tunnelled
from calitui.diagnosis.firewall.seen import Dropped, Filters, cures, place_of, told_apart
from calitui.diagnosis.firewall.walk import Drop, source
from calitui.diagnosis.scene import Scene
from calitui.trace.finding import Finding, Severity, Unchecked
from calitui.trace.veth import veth_name

MOST_PEERS = 5
"""Peers of a node whose session is down that are tried."""
_OF_POLICIES = ("no policies passed packet", "no profiles matched")
"""In the comments of Felix' last rules of a pod's chains (felix/rules/endpoints.go)."""


def drops_forwarded(scene: Scene) -> Iterator[Finding | Unchecked]:
    """Nodes whose filter drops what pods send through them."""
    needed: dict[str, list[Needed]] = {}
    for one in forwarded(scene):
        needed.setdefault(one.node, []).append(one)
    filters = scene.of(Filters)
    for node, packets in needed.items():
        if (scene.felix(node, "bpfEnabled") or "").lower() == "true":
            yield FORWARDED.unchecked(node, "with the eBPF dataplane pods' packets pass by the packet filter")
            continue
        found = _dropped(filters, packets)
        if not found:
            yield from filters.unread(FORWARDED, node)
            continue
        whats = list(dict.fromkeys(one.what for one in found))
        what = whats[0]
        if len(whats) > 1 and scene.trace is not None:
            what = f"packets between {scene.trace.source.label} and {scene.trace.destination.label}, both ways"
        yield _found(scene, FORWARDED, node, found, f"The packet filter of {node} drops {what}")


def _dropped(filters: Filters, packets: Iterable[Needed]) -> list[Dropped]:
    tried = ((one, filters.drop(one.node, one.packet, one.way)) for one in packets)
    return [Dropped(one.what, drop) for one, drop in tried if drop is not None]


def _found(
    scene: Scene,
    entry: Entry,
    node: str,
    found: list[Dropped],
    summary: str,
    *,
    severity: Severity | None = None,
    peers: Iterable[str] = (),
) -> Finding:
    places = [one.drop for one in told_apart(found)]
    first = places[0]
    return entry.found(
        node,
        f"{summary}: {place_of(first)} them.",
        subject=f"{first.base.family} {first.base.table} {first.base.name}",
        evidence=dict.fromkeys(line for drop in places for line in drop.lines(node)),
        fix=cures(node, scene.of(Filters).of(node), places),
        severity=severity,
        affected=peers,
    )


def drops_tunnel(scene: Scene) -> Iterator[Finding | Unchecked]:
    """Nodes whose filter drops the outer packets of tunnels that their pods need."""
    needed: dict[str, list[Needed]] = {}
    for one in tunnelled(scene):
        needed.setdefault(one.node, []).append(one)
    filters = scene.of(Filters)
    for node, packets in needed.items():
        found = _dropped(filters, packets)
        if not found:
            yield from filters.unread(TUNNEL, node)
            continue
        lost = [one for one in packets if _always(filters, one)]
        what = " and ".join(dict.fromkeys(one.what for one in found))
        peers = sorted({one.peer for one in packets})
        summary = f"The packet filter of {node} drops {what} between it and {named(peers)}"
        severity = None if lost else Severity.WARNING
        if not lost:
            summary += " unless they answer one that came the other way"
        yield _found(scene, TUNNEL, node, found, summary, severity=severity, peers=peers)


def _always(filters: Filters, one: Needed) -> bool:
    """Whether packets are dropped even after some went the other way.

    Packets of IPIP and WireGuard are of one connection both ways. Those of VXLAN are not: the source port is chosen by
    what is inside, so no packet is the answer to another.
    """
    if filters.drop(one.node, one.packet, one.way) is None:
        return False
    if one.packet.protocol == UDP and one.packet.source_port is None:
        return True
    later = msgspec.structs.replace(one.packet, state="established")
    return filters.drop(one.node, later, one.way) is not None


def drops_bgp(scene: Scene) -> Iterator[Finding | Unchecked]:
    """Nodes whose filter drops the BGP sessions they need."""
    wanted, birds = scene.of(Wanted), scene.of(Birds)
    if wanted.unknowable is not None or not birds.uses_bgp:
        return
    peering = scene.of(Peering)
    down = {(one.node, one.peer_ip) for one in peering.not_up}
    down |= {(one.peer_node or "", wanted.addresses[one.family].get(one.node, "")) for one in peering.not_up}
    filters = scene.of(Filters)
    for node in scene.nodes:
        closed: list[tuple[Dial, list[Dropped]]] = []
        half: list[tuple[Dial, list[Dropped]]] = []
        dials = list(_dials(scene, wanted, node, down))
        for dial in dials:
            is_down = (node, dial.peer_ip) in down
            call = _dropped(filters, dial.call)
            answer = _dropped(filters, dial.answer) if call or is_down else []
            if call and answer:
                closed.append((dial, call + answer))
            elif is_down and (call or answer):
                half.append((dial, call or answer))
        if not closed and not half:
            yield from filters.unread(BGP, node) if dials else ()
            continue
        told = closed or half
        found = [one for _, drops in told for one in drops]
        peers = list(dict.fromkeys(dial.peer for dial, _ in told))
        summary = f"The packet filter of {node} drops {found[0].what} between it and {named(peers)}"
        severity = None
        if not closed:
            summary += " one way, and the session is down"
        elif all(_is_up(peering, dial, down) for dial, _ in closed):
            summary += ", so a session that is still up will not come back once it ends"
            severity = Severity.WARNING
        yield _found(scene, BGP, node, found, summary, severity=severity, peers=peers)


def _is_up(peering: Peering, dial: Dial, down: set[tuple[str, str]]) -> bool:
    """Whether the node's own BIRD says that the session is up, and the peer's does not say otherwise."""
    if (dial.node, dial.peer_ip) in down:
        return False
    told = peering.told.get((dial.node, 6 if ":" in dial.peer_ip else 4))
    return told is not None and dial.peer_ip in told.peers and told.peers[dial.peer_ip].info == ESTABLISHED


def _dials(scene: Scene, wanted: Wanted, node: str, down: set[tuple[str, str]]) -> Iterator[Dial]:
    """The sessions of a node to try: those that are down first, else one will do for all."""
    for family in (4, 6):
        own = wanted.addresses[family].get(node)
        if own is None:
            continue
        ips = list(wanted.of(node, family))
        if scene.trace is not None:
            ips = [ip for ip in ips if wanted.owner(ip) in scene.nodes]
        elif scene.of(Filters).of(node) is None:
            ips = ips[:1]
        chosen = [ip for ip in ips if (node, ip) in down][:MOST_PEERS] or ips[:1]
        for ip in chosen:
            peer = wanted.owner(ip)
            yield dialled(scene, node, own, peer or ip, ip, (wanted.port(node), wanted.port(peer)))


def policy_drops(scene: Scene) -> Iterator[Finding | Unchecked]:
    """What the policies of a trace's pods have dropped."""
    if scene.trace is None:
        return
    prefixes = scene.fabric.prefixes
    filters = scene.of(Filters)
    for pod in scene.pods:
        found = filters.of(pod.node)
        if found is None:
            yield from filters.unread(POLICY, pod.node)
            continue
        veth = veth_name(pod.namespace, pod.name, prefixes[0] if prefixes else "cali")
        for short, way in (("tw", "to"), ("fw", "from")):
            drops = [
                Drop(chain, chain, rule)
                for chain in found.chains
                if chain.name.endswith(f"cali-{short}-{veth}")
                for rule in chain.rules
                if rule.packets and any(words in rule.text for words in _OF_POLICIES)
            ]
            if not drops:
                continue
            label = f"{pod.namespace}/{pod.name}"
            count = sum(drop.rule.packets or 0 for drop in drops if drop.rule is not None)
            packets = "packet" if count == 1 else "packets"
            yield POLICY.found(
                pod.node,
                f"Policies have dropped {count} {packets} {way} {label} since its rules were written.",
                subject=f"{way} {label}",
                evidence=[f"{source(pod.node, drop.chain)}: {drop.rule.text}" for drop in drops if drop.rule],
                fix=(
                    f"kubectl -n {shlex.quote(pod.namespace)} get networkpolicies.networking.k8s.io",
                    "kubectl get globalnetworkpolicies.crd.projectcalico.org",
                    "# send again and read again: a count that grows is these packets",
                ),
            )


CHECKS = (drops_forwarded, drops_tunnel, drops_bgp, two_backends, policy_drops)
__all__ = ["CHECKS", "ENTRIES"]
