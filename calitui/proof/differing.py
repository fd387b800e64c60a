"""What was seen and differs from what was computed: another way, another source address, no answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from calitui.diagnosis.proof_entries import NOT_ANSWERED, REWRITTEN, WRONG
from calitui.facts.proof import RuleCount
from calitui.proof.losing import described, place
from calitui.proof.observing import OUTWARDS, Scene, passed
from calitui.trace.finding import Finding, Spot
from calitui.trace.path import Disposition, Hop, Observed, Step


def another_way(scene: Scene, observed: Sequence[Observed], delivered: bool) -> Iterator[Finding]:
    """Hops that were passed by another device or in another tunnel than computed, or not at all by what arrived."""
    hops = scene.direction.hops
    last = max((number for number, one in enumerate(observed) if passed(one)), default=-1)
    for number, (hop, one) in enumerate(zip(hops, observed, strict=True)):
        if hop.step not in OUTWARDS:
            continue
        if one.device is not None and one.seen is False:
            words = f"Packets took {one.device} of {hop.node}, not {hop.device} as computed."
        elif one.seen is False and (number < last or delivered):
            words = f"Packets went on without being seen on {hop.node} {hop.device}, which they were to take."
        elif one.seen and _other_tunnel(hop, one):
            words = f"Packets crossed {hop.node} {hop.device} {_tunnel(one)}, they were to be {_expected(hop)}."
        else:
            continue
        yield _at(
            scene,
            hop,
            WRONG.found(
                hop.node,
                words,
                subject=hop.device or "",
                evidence=_both(hop, one),
                fix=["# read the nodes again: calitui trace once more"],
            ),
        )


def arrived_anyway(scene: Scene) -> Iterator[Finding]:
    """Packets that arrived where the direction was computed to break."""
    way = scene.direction
    if way.disposition in (Disposition.DELIVERED, Disposition.UNKNOWN) or not way.hops:
        return
    hop = next((one for one in reversed(way.hops) if one.ends is not None), way.hops[-1])
    seen = scene.arrived
    yield _at(
        scene,
        hop,
        WRONG.found(
            hop.node,
            f"The path was computed to end at {hop.node} {hop.device or hop.step.value} ({way.disposition.value}), and "
            "packets arrived all the same.",
            subject=hop.device or "",
            evidence=[
                *(f"computed: {text}" for text in (hop.route, hop.reason) if text),
                *(f"{one.node} container {one.device} in: {described(one.headers)}" for one in seen[:1]),
            ],
            fix=["# read the nodes again: calitui trace once more"],
        ),
    )


def rewritten(scene: Scene, observed: Sequence[Observed]) -> Iterator[Finding]:
    """The first hop where a request has another source address than it was sent with, unless that was computed."""
    sent = scene.proof.probe.source
    before: Hop | None = None
    for hop, one in zip(scene.direction.hops, observed, strict=True):
        if not one.headers or hop.step not in OUTWARDS:
            continue
        source = one.headers[-1].src
        if source == sent or (hop.packet and hop.packet[-1].src == source):
            before = hop
            continue
        node = hop.node
        where = f"on {node}" if before is None or before.node == node else f"between {before.node} and {node}"
        rules = [rule for rule in scene.proof.rules if rule.node == node and _translates(rule)]
        found = REWRITTEN.found(
            node,
            f"Packets were sent from {sent} and are from {source} at {place(hop)}: their source is changed {where}.",
            subject=source,
            evidence=[
                *([f"{place(before)}: from {sent}"] if before is not None else []),
                f"{place(hop)}: {described(one.headers)}",
                *(f"{rule.node} {rule.chain}: {rule.text} ({rule.packets} more)" for rule in rules[:4]),
            ],
            fix=[f"ssh {node} sudo iptables-save -t nat  # which rule translates; nft list ruleset shows others"],
        )
        yield _at(scene, hop, found)
        return


def not_answered(scene: Scene) -> Iterator[Finding]:
    """Requests that arrived in a pod that sent no reply; only where its inside was watched all the time."""
    watch = scene.inside(scene.destination)
    replies = any(one.kind == "reply" for one in scene.proof.sightings if one.size is None)
    if scene.proof.probe.answered or replies or not scene.arrived or watch is None or not watch.complete:
        return
    hop = next((one for one in scene.direction.hops if one.step is Step.CONTAINER_IN), scene.direction.hops[-1])
    probe = scene.proof.probe
    what = f"Packets to {probe.protocol.upper()} port {probe.port}" if probe.port is not None else "Echo requests"
    first = scene.arrived[0]
    inside = f"kubectl exec -n {scene.destination.namespace} {scene.destination.name} --"
    found = NOT_ANSWERED.found(
        scene.destination.node,
        f"{what} arrive in {scene.destination.label}, and it answers none of them.",
        subject=scene.destination.label,
        evidence=[
            f"{first.node} container {first.device} in: {described(first.headers)}",
            f"{first.node} container {first.device} out: no reply ({watch.how})",
        ],
        fix=[
            f"{inside} ss -lntu  # what listens, on which address"
            if probe.port is not None
            else f"{inside} cat /proc/sys/net/ipv4/icmp_echo_ignore_all  # 1 is: no answer to pings"
        ],
    )
    yield _at(scene, hop, found)


def _translates(rule: RuleCount) -> bool:
    return rule.verdict == "snat" or "MASQUERADE" in rule.text or "SNAT" in rule.text


def _other_tunnel(hop: Hop, one: Observed) -> bool:
    """Whether a network card saw a packet with more or fewer headers than computed."""
    is_nic = hop.step in (Step.NIC_OUT, Step.NIC_IN)
    return is_nic and bool(hop.packet) and bool(one.headers) and len(hop.packet) != len(one.headers)


def _tunnel(one: Observed) -> str:
    if len(one.headers) < 2:
        return "as they are"
    return "inside of VXLAN" if one.headers[0].protocol == "udp" else "inside of IPIP"


def _expected(hop: Hop) -> str:
    if len(hop.packet) < 2:
        return "as they are"
    return f"inside of {hop.packet[0].detail or hop.packet[0].protocol.upper()}"


def _both(hop: Hop, one: Observed) -> Iterator[str]:
    yield f"computed: {place(hop)}{f' by {hop.route}' if hop.route else ''}"
    if one.headers:
        other = f"{hop.node} {one.device}" if one.device is not None else place(hop)
        yield f"seen: {other}: {described(one.headers)}"
    elif one.reason:
        yield f"seen: {one.reason}"


def _at(scene: Scene, hop: Hop, found: Finding) -> Finding:
    return msgspec.structs.replace(found, hops=(Spot(scene.direction.name, hop.number),))
