"""Findings about nodes' addresses: whether what Calico tells the others of a node is the node's, and leads to it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from calitui.diagnosis.addresses import entries
from calitui.diagnosis.addresses.mask import mask
from calitui.diagnosis.addresses.seen import LOCAL_ONLY, Seen, Told, api_line, held_line, holding, internal_ips
from calitui.diagnosis.addresses.source import source_differs
from calitui.diagnosis.calico_node import restart
from calitui.diagnosis.scene import Address, Scene, address
from calitui.facts.node import Link
from calitui.trace.fabric import Place
from calitui.trace.finding import Finding, Severity, Unchecked

MOST_LINES = 5
"""Lines of evidence of one kind in one finding."""


def wrong_interface(scene: Scene) -> Iterator[Finding | Unchecked]:
    """An annotation that is on another card than the node's InternalIP, and that the other nodes can't use."""
    if (why := scene.cluster_missing("nodes")) is not None:
        yield entries.WRONG_INTERFACE.unchecked(None, why)
        return
    seen = scene.of(Seen)
    on_all = _address_of_all(seen)
    for told in seen.in_question():
        finding = _on_wrong_interface(scene, seen, told)
        if finding is not None:
            yield finding
            if told.ip in on_all:
                return


def _address_of_all(seen: Seen) -> set[Address]:
    """The address that all nodes have, if they have one alike."""
    found = set()
    for family in (4, 6):
        ips = {told.ip for told in seen.all(family).values()}
        if len(ips) == 1 and len(seen.all(family)) > 1:
            found |= ips
    return found


def _on_wrong_interface(scene: Scene, seen: Seen, told: Told) -> Finding | None:
    family = told.ip.version
    node = scene.node(told.node)
    internal = internal_ips(node, family)
    external = (address(text) for text in node.external_ips)
    if told.ip in internal or told.ip in external:
        return None
    place = _place(scene, told.node)
    held = holding(place, told.ip) if place is not None else None
    if place is not None and held is None:
        return None
    others = [other for other in seen.all(family).values() if other.node != told.node]
    twins = [other for other in others if other.ip == told.ip]
    local = held is not None and held[0].name != "lo" and LOCAL_ONLY.fullmatch(held[0].name) is not None
    neighbours = [other for other in others if any(ip in other.interface.network for ip in internal)]
    apart = bool(neighbours) and not any(other.ip in told.interface.network for other in others)
    if not (local or twins or apart):
        return None
    on = f" on {held[0].name}" if held is not None else ""
    summary = (
        f"Calico took {told.ip}{on} for the address of {told.node}"
        f"{f' instead of {internal[0]}' if internal else ''}: the other nodes aim BGP and its pods' packets there, "
        f"{_why(local, twins)}."
    )
    evidence = [told.line, api_line(node, family) if internal else ""]
    better = None
    if place is not None and held is not None:
        evidence.append(held_line(place, held[0], told.ip, held[1]))
        better = next((found for ip in internal if (found := holding(place, ip)) is not None), None)
        if better is not None:
            evidence.append(held_line(place, better[0], internal[0], better[1]))
    evidence += [other.line for other in (twins or neighbours)[:MOST_LINES]]
    certain = held is not None and (local or bool(twins) or not _has_session(scene, told.node))
    everyone = told.ip in _address_of_all(seen)
    return entries.WRONG_INTERFACE.found(
        None if everyone else told.node,
        summary,
        evidence=evidence,
        fix=_choose(scene, family, better[0] if better is not None else None, neighbours or others),
        subject=str(told.ip),
        affected=(name for name in scene.nodes if everyone or name != told.node),
        severity=Severity.ERROR if certain else Severity.WARNING,
    )


def _why(local: bool, twins: list[Told]) -> str:
    if twins:
        return f"an address that {twins[0].node} has as well"
    return "which is inside of the node itself" if local else "in a network that they are not in"


def _choose(scene: Scene, family: int, device: Link | None, others: list[Told]) -> tuple[str, ...]:
    """How to make Calico take the right address, with the operator or without."""
    if device is not None:
        method, setting = f"interface={device.name}", f'"interface":"{device.name}"'
    else:
        far = next((str(ip) for other in others for ip in internal_ips(scene.node(other.node), family)), "ADDRESS")
        method, setting = f"can-reach={far}", f'"canReach":"{far}"'
    pods = [pod for pod in scene.cluster.pods if pod.labels.get("k8s-app") == "calico-node"]
    if any(pod.namespace == "calico-system" for pod in pods):
        patch = (
            f'{{"spec":{{"calicoNetwork":{{"nodeAddressAutodetectionV{family}":{{"firstFound":null,{setting}}}}}}}}}'
        )
        return (
            f"kubectl patch installation default --type merge -p {shlex.quote(patch)}",
            "# calico-node restarts on every node, one after the other",
        )
    namespace = pods[0].namespace if pods else "kube-system"
    variable = "IP6_AUTODETECTION_METHOD" if family == 6 else "IP_AUTODETECTION_METHOD"
    return (
        f"kubectl -n {namespace} set env daemonset/calico-node -c calico-node {variable}={shlex.quote(method)}",
        "# calico-node restarts on every node, one after the other; the address must be right on all of them",
    )


def _has_session(scene: Scene, node: str) -> bool:
    """Whether a BIRD of the node says that a BGP session is up."""
    facts = scene.facts.get(node)
    answers = (bird.answer for bird in (facts.birds if facts is not None else None) or ())
    return any(one.info == "Established" for answer in answers if answer is not None for one in answer.protocols)


def _place(scene: Scene, node: str) -> Place | None:
    """The node's namespace if its devices and addresses were read to their end."""
    place = scene.place(node)
    return place if place is not None and place.read("links") and place.read("addresses") else None


def not_on_host(scene: Scene) -> Iterator[Finding | Unchecked]:
    """An annotation with an address that the node does not have."""
    seen = scene.of(Seen)
    for place in scene.read(entries.NOT_ON_HOST, "links", "addresses"):
        told = [one for family in (4, 6) if place.node and (one := seen.told(place.node, family)) is not None]
        if isinstance(place, Unchecked):
            if told:
                yield place
            continue
        for one in told:
            if holding(place, one.ip) is None:
                yield _absent(scene, place, one)


def _absent(scene: Scene, place: Place, told: Told) -> Finding:
    there = [
        held_line(place, link, ip, held.prefix_length)
        for link in place.namespace.links
        if not LOCAL_ONLY.fullmatch(link.name)
        for held in link.addresses
        if held.scope == "global" and (ip := address(held.ip)) is not None and ip.version == told.ip.version
    ]
    return entries.NOT_ON_HOST.found(
        told.node,
        f"Calico tells the other nodes to reach {told.node} at {told.ip}, but no device of {told.node} has it: "
        "its pods' packets and BGP sessions go elsewhere.",
        evidence=(told.line, *there[:MOST_LINES]),
        fix=(
            *restart(scene, told.node),
            "# if it comes back, the address is given by hand: look for env IP in the DaemonSet calico-node",
        ),
        subject=str(told.ip),
        affected=(name for name in scene.nodes if name != told.node),
    )


def missing(scene: Scene) -> Iterator[Finding | Unchecked]:
    """A node at which Calico is at work without an address of it, while the others have theirs."""
    if (why := scene.cluster_missing("nodes")) is not None:
        yield entries.MISSING.unchecked(None, why)
        return
    seen = scene.of(Seen)
    known = {name for family in (4, 6) for name in seen.all(family)}
    if not known:
        return
    agents = {pod.node for pod in scene.cluster.pods if pod.labels.get("k8s-app") in ("calico-node", "canal")}
    owners = {block.node for block in scene.cluster.blocks if not block.deleted}
    in_api = {node.name for node in scene.cluster.nodes}
    for name in scene.nodes:
        if name in known or name not in in_api or name not in agents | owners:
            continue
        node = scene.node(name)
        value = node.bgp_address or node.bgp_address6
        said = f"{value!r}, which is no address" if value else "none"
        blocks = [block.cidr for block in scene.cluster.blocks if block.node == name and not block.deleted]
        example = next(iter(seen.all(4).values()), None) or next(iter(seen.all(6).values()))
        yield entries.MISSING.found(
            name,
            f"Calico's address of {name} is {said}, so the other nodes have no way to its pods.",
            evidence=(
                f"API Node {name} projectcalico.org/{example.note}: {value or 'not there'}",
                example.line,
                *(f"API IPAMBlock {cidr}: affinity host:{name}" for cidr in blocks[:MOST_LINES]),
            ),
            fix=restart(scene, name),
            affected=(other for other in scene.nodes if other != name),
            severity=Severity.ERROR if blocks else Severity.WARNING,
        )


def duplicate(scene: Scene) -> Iterator[Finding | Unchecked]:
    """An address that two nodes have, or two tunnel devices."""
    if (why := scene.cluster_missing("nodes")) is not None:
        yield entries.DUPLICATE.unchecked(None, why)
        return
    seen = scene.of(Seen)
    told: dict[Address, dict[str, str]] = {}
    internal: dict[Address, dict[str, str]] = {}
    tunnels: dict[Address, dict[str, str]] = {}
    for family in (4, 6):
        for one in seen.all(family).values():
            told.setdefault(one.ip, {})[one.node] = one.line
    for node in scene.cluster.nodes:
        for text in node.internal_ips:
            if (ip := address(text)) is not None:
                internal.setdefault(ip, {})[node.name] = f"API Node {node.name} InternalIP: {text}"
        for note, value in (
            ("IPv4IPIPTunnelAddr", node.ipip_address),
            ("IPv4VXLANTunnelAddr", node.vxlan_address),
            ("IPv6VXLANTunnelAddr", node.vxlan_address6),
            ("IPv4WireguardInterfaceAddr", node.wireguard_address),
        ):
            if (ip := address(value)) is not None:
                tunnels.setdefault(ip, {})[node.name] = f"API Node {node.name} projectcalico.org/{note}: {value}"
    yield from _shared(scene, told, "are both said to be at", Severity.ERROR)
    rest = {ip: lines for ip, lines in internal.items() if len(told.get(ip, ())) < 2}
    yield from _shared(scene, rest, "both have the InternalIP", Severity.WARNING)
    yield from _shared(scene, tunnels, "both have the tunnel address", Severity.ERROR)


def _shared(
    scene: Scene, found: dict[Address, dict[str, str]], words: str, severity: Severity
) -> Iterator[Finding | Unchecked]:
    in_question = set(scene.nodes)
    for ip, lines in found.items():
        if len(lines) < 2 or not in_question & set(lines):
            continue
        first, second, *more = sorted(lines)
        who = f"{first} and {second}" + (f" (and {len(more)} more)" if more else "")
        yield entries.DUPLICATE.found(
            first,
            f"{who} {words} {ip}: packets for one of them go to the other.",
            evidence=[lines[name] for name in sorted(lines)][:MOST_LINES],
            fix=(
                f"ssh {shlex.quote(first)} ip addr  # which of them has {ip} by right? Change the others",
                f"ssh {shlex.quote(second)} ip addr",
                *restart(scene, second),
            ),
            subject=str(ip),
            affected=(second, *more),
            severity=severity,
        )


ENTRIES = (
    entries.WRONG_INTERFACE,
    entries.NOT_ON_HOST,
    entries.MISSING,
    entries.DUPLICATE,
    entries.MASK,
    entries.SOURCE_DIFFERS,
)
CHECKS = (wrong_interface, not_on_host, missing, duplicate, mask, source_differs)
