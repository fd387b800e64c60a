"""Packets that are too big for the way they take, and MTUs that differ where they should not.

How bad it is follows from who meets the packet. What is routed into a smaller device, a tunnel or a card of the same
node, is answered with ICMP (`ip_forward`; IPIP inherits "don't fragment" from the inner packet and answers too,
`tnl_update_pmtu`) or goes out in fragments (VXLAN and WireGuard set no DF on the outer header): senders adapt, unless
that ICMP is filtered, so it is a warning. What is put into a veth whose other end is smaller, or on the wire to a card
with a smaller MTU, vanishes without a word: packets are lost for sure. A middlebox between the nodes that passes less
than their cards do can't be seen here; a live packet shows it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import msgspec

from calitui.diagnosis.devices.used import TUNNELS, Devices, named, shown
from calitui.diagnosis.entry import Entry
from calitui.diagnosis.expectation import Expectation
from calitui.diagnosis.scene import Scene, network
from calitui.facts.node import Link
from calitui.trace.encapsulation import encapsulation_of
from calitui.trace.fabric import Place
from calitui.trace.finding import Finding, Severity, Unchecked
from calitui.trace.mtu import PathMtu, Squeeze
from calitui.trace.path import Step, Trace
from calitui.trace.sizes import overhead, path_mtu

_DEVICES = (Step.VETH_IN, Step.TUNNEL_OUT, Step.NIC_OUT, Step.NIC_IN, Step.VETH_OUT, Step.CONTAINER_IN, Step.ROUTE)

TOO_BIG = Entry(
    code="mtu-too-big",
    severity=Severity.WARNING,
    title="pods send packets that are too big for the path",
    background=(
        "The MTU is the largest packet that a device takes. A tunnel needs room for its own header: IPIP 20 bytes, "
        "VXLAN 50 (70 over IPv6), WireGuard 60 (80), so pods have to stay that much below the MTU of the nodes' cards. "
        "If they do not, small packets pass and large ones don't: ping works, TLS handshakes and uploads hang. Usually "
        "the kernel tells the sender by ICMP and TCP adapts after a stall, but firewalls like to drop that ICMP; and "
        "where the far card or the far end of a veth is the smaller one nobody tells. It happens when the MTU was "
        "guessed from the wrong card (bonds and bridges are not matched by Felix's pattern), when encapsulation was "
        "turned on later, or when old pods keep the MTU they were born with."
    ),
    remedy="Set the pods' MTU to what the path carries and create the pods anew, or raise the MTU of the cards.",
    reference="docs.tigera.io Configure MTU; net/ipv4/ip_tunnel.c tnl_update_pmtu; projectcalico/calico#7651, #8953",
    steps=_DEVICES,
)
MIXED = Entry(
    code="mtu-mixed",
    severity=Severity.INFO,
    title="MTUs differ where one is expected",
    background=(
        "Felix works out one MTU for pods from the node's cards and the encapsulation in use, sets the tunnel devices "
        "to theirs and writes the pods' to /var/lib/calico/mtu. The CNI plugin gives it to new pods only: those that "
        "exist keep the MTU they were made with until they are made anew. So after a change pods of both kinds live "
        "side by side, and nodes with other cards may have other tunnel MTUs. That alone loses nothing, as long as the "
        "larger ones fit the path; it explains why one pod has trouble and its neighbour has none."
    ),
    remedy="Create the older pods anew; set one MTU in FelixConfiguration or the operator's Installation.",
    reference="felix/dataplane/linux/int_dataplane.go (mtu file), cni-plugin dataplane_linux.go",
    steps=(Step.VETH_IN, Step.VETH_OUT, Step.TUNNEL_OUT),
)


class _Way(msgspec.Struct, frozen=True):
    """One way out of a node: `fits` is the largest inner packet, `link` what sets it, `taken` the overhead."""

    fits: int
    link: Link
    taken: int


def path_sizes(trace: Trace) -> tuple[PathMtu, ...]:
    """The MTU along each direction of a trace."""
    return tuple(path_mtu(direction) for direction in trace.directions)


def too_big_on_path(scene: Scene) -> Iterator[Finding | Unchecked]:
    """In a trace: the stations that the source's packets do not pass as they are."""
    if scene.trace is None:
        return
    ends = (scene.trace.source, scene.trace.destination)
    for direction, source in zip(scene.trace.directions, ends, strict=False):
        sizes = path_mtu(direction)
        for squeeze in sizes.squeezes:
            yield _squeezed(scene, sizes, squeeze, source.label)


def _squeezed(scene: Scene, sizes: PathMtu, squeeze: Squeeze, source: str) -> Finding:
    one = squeeze.station
    around = f" less {one.overhead} for the outer header" if one.overhead else ""
    then = (
        "they vanish there without a word to the sender"
        if one.silent
        else f"{one.node} has to answer with ICMP or to fragment, and where that is filtered they are lost"
    )
    place = scene.place(one.node) if one.node else None
    inside = scene.fabric.container(one.node or "", source_ip(scene, one.node)) if one.what == "container" else None
    where = inside[0] if inside is not None else place
    link = where.link(one.device) if where is not None else None
    stations = ", ".join(f"{each.device or each.what} {each.mtu}" for each in sizes.stations if each.mtu is not None)
    return TOO_BIG.found(
        one.node,
        f"Packets of {squeeze.smallest} to {squeeze.largest} bytes from {source} do not fit the {one.what} "
        f"{one.device or '?'} on {one.node or '?'} (MTU {one.mtu}{around}): {then}.",
        subject=one.device or one.what,
        evidence=[
            scene.link_line(where, link) if where is not None and link is not None else "",
            f"MTUs on the way, in order: {stations}",
        ],
        fix=_fix(
            scene, one.node, one.device, sizes.at_most, wire=one.what == "NIC", needs=squeeze.largest + one.overhead
        ),
        severity=Severity.ERROR if one.silent else None,
    )


def source_ip(scene: Scene, node: str | None) -> str:
    """The address of the trace's end on a node."""
    ends = (scene.trace.source, scene.trace.destination) if scene.trace is not None else ()
    return next((end.ip for end in ends if end.node == node and end.ip), "")


def _fix(scene: Scene, node: str | None, device: str | None, fits: int | None, *, wire: bool, needs: int) -> list[str]:
    lines = [f"ssh {node} sudo ip link set {device} mtu {needs}  # if the network carries it"] if wire and node else []
    if fits is not None and fits > 0:
        lines += [
            "kubectl patch installation default --type merge -p "
            f'\'{{"spec":{{"calicoNetwork":{{"mtu":{fits}}}}}}}\'  # with the operator',
            "kubectl -n kube-system patch configmap calico-config --type merge -p "
            f'\'{{"data":{{"veth_mtu":"{fits}"}}}}\'  # with manifests; then restart calico-node',
        ]
    return [*lines, "# then create the pods anew: they keep the MTU they were made with"]


def too_big_on_nodes(scene: Scene) -> Iterator[Finding | Unchecked]:
    """In an audit: per node the pods whose MTU is above what its tunnels and cards let out."""
    if scene.trace is not None:
        return
    found = scene.of(Devices)
    for place in scene.read(TOO_BIG, "links", "routes"):
        if isinstance(place, Unchecked):
            yield place
            continue
        way = min(_ways(scene, place), key=lambda one: one.fits, default=None)
        large = [
            link for link in found.veths(place) if way is not None and link.mtu is not None and link.mtu > way.fits
        ]
        if way is None or not large:
            continue
        largest = max(link.mtu or 0 for link in large)
        around = f" less {way.taken} for the tunnel's header" if way.taken else ""
        pods = "1 pod" if len(large) == 1 else f"{len(large)} pods"
        yield TOO_BIG.found(
            place.node,
            f"{pods} on {place.node} may send packets of up to {largest} bytes, but to other nodes only {way.fits} fit "
            f"({way.link.name} has MTU {way.link.mtu}{around}): the kernel has to answer with ICMP or to fragment.",
            subject=way.link.name,
            evidence=[scene.link_line(place, way.link), *shown((scene.link_line(place, link) for link in large), 3)],
            fix=_fix(scene, place.node, way.link.name, way.fits, wire=bool(way.taken), needs=largest + way.taken),
        )


def _ways(scene: Scene, place: Place) -> Iterator[_Way]:
    """The limits of every device that block routes use, and of the card under a tunnel."""
    for device, route_mtu, family in scene.of(Devices).exits(place):
        link = place.link(device)
        if link is None or link.mtu is None:
            continue
        yield _Way(min(link.mtu, route_mtu or link.mtu), link, 0)
        kind = encapsulation_of(place, device)
        card = _card(scene, place, family) if kind is not None else None
        if card is not None and card.mtu is not None:
            taken = overhead(kind, family)
            yield _Way(max(card.mtu - taken, 0), card, taken)


def _card(scene: Scene, place: Place, family: int) -> Link | None:
    """The card that holds the node's address."""
    ip = scene.of(Expectation).address(place.node, family)
    return place.link_holding(ip) if ip is not None else None


def too_big_for_others(scene: Scene) -> Iterator[Finding | Unchecked]:
    """In an audit: cards that are smaller than what the other nodes of their subnet put on the wire."""
    if scene.trace is not None:
        return
    subnets: dict[object, list[tuple[int, Place, Link]]] = {}
    for name in scene.nodes:
        place, node = scene.place(name), scene.node(name)
        for family, annotated in ((4, node.bgp_address), (6, node.bgp_address6)):
            subnet = network(annotated)
            card = _card(scene, place, family) if place is not None else None
            if place is not None and subnet is not None and card is not None and card.mtu is not None:
                size = min(_largest_outer(scene, place, family), card.mtu)
                subnets.setdefault(subnet, []).append((size, place, card))
    for members in subnets.values():
        size, sender, from_card = max(members, key=lambda one: one[0])
        for _, place, card in members:
            if place is sender or card.mtu is None or card.mtu >= size:
                continue
            yield TOO_BIG.found(
                place.node,
                f"{card.name} on {place.node} takes packets of up to {card.mtu} bytes, but {sender.node} in the same "
                f"subnet sends up to {size}: larger ones vanish without a word to the sender.",
                subject=card.name,
                evidence=[scene.link_line(place, card), scene.link_line(sender, from_card)],
                fix=[f"ssh {place.node} sudo ip link set {card.name} mtu {size}  # or lower the pods' MTU everywhere"],
                severity=Severity.ERROR,
                affected=[one.node for outer, one, _ in members if outer > card.mtu],
            )


def _largest_outer(scene: Scene, place: Place, family: int) -> int:
    """The largest packet that pods of a node make its card send, bytes; 0 where they send none to other nodes."""
    made = max((link.mtu or 0 for link in scene.of(Devices).veths(place)), default=0)
    largest = 0
    for device, route_mtu, of_family in scene.of(Devices).exits(place):
        if made and of_family == family:
            link = place.link(device)
            inner = min(made, (link.mtu if link else None) or made, route_mtu or made)
            largest = max(largest, inner + overhead(encapsulation_of(place, device), family))
    return largest


def mixed(scene: Scene) -> Iterator[Finding | Unchecked]:
    """Pods with another MTU than new ones get, and tunnels whose MTU differs between nodes."""
    found = scene.of(Devices)
    for name in scene.nodes:
        place, facts = scene.place(name), scene.facts.get(name)
        meant = facts.pod_mtu if facts is not None else None
        if place is None or not meant:
            continue
        veths = found.veths(place)
        others = [link for link in veths if link.mtu not in (None, meant)]
        if others:
            seen = named(sorted({str(link.mtu) for link in others}))
            yield MIXED.found(
                name,
                f"{len(others)} of {len(veths)} pods on {name} have MTU {seen}, new ones get {meant}: they are from "
                "before it was changed.",
                subject="pods",
                evidence=[
                    scene.line(name, "cat /var/lib/calico/mtu", str(meant)),
                    *shown((scene.link_line(place, link) for link in others), 3),
                ],
                fix=["# create these pods anew, for instance: kubectl -n NAMESPACE rollout restart deployment NAME"],
            )
    for tunnel in TUNNELS:
        links = {
            name: (place, link)
            for name in scene.nodes
            if (place := scene.place(name)) is not None
            and (link := place.link(tunnel.device)) is not None
            and "UP" in link.flags
            and link.mtu is not None
        }
        counts = Counter(link.mtu for _, link in links.values())
        if len(counts) > 1:
            usual = counts.most_common(1)[0][0]
            odd = [name for name, (_, link) in links.items() if link.mtu != usual]
            sizes = ", ".join(f"{mtu} on {count}" for mtu, count in sorted(counts.items(), key=lambda one: -one[1]))
            yield MIXED.found(
                None,
                f"{tunnel.device} has different MTUs: {sizes} nodes (unlike most: {named(odd)}).",
                subject=tunnel.device,
                evidence=shown((scene.link_line(*links[name]) for name in odd), 4),
                fix=[
                    "# one MTU for all: ipipMTU, vxlanMTU in FelixConfiguration, or calicoNetwork.mtu of the operator"
                ],
                affected=odd,
            )


ENTRIES = (TOO_BIG, MIXED)
CHECKS = (too_big_on_path, too_big_on_nodes, too_big_for_others, mixed)
