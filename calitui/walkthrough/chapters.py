"""The slides that belong to no hop: the opening, the network between, how a direction ends, and the verdict."""

from __future__ import annotations

import shlex

from calitui.trace.finding import Finding, Severity, Spot
from calitui.trace.path import Disposition, Encapsulation, Evidence, Header, Hop, Step, Verdict
from calitui.walkthrough.scene import Scene, is_lost, words
from calitui.walkthrough.slides import Doubt, Kind, Slide, Words


def opening(scene: Scene) -> Slide:
    """Who talks to whom, and by which way packets travel between this cluster's nodes."""
    source, destination = scene.sender, scene.receiver
    ends = {"source": source.label, "destination": destination.label}
    nodes = {"source_node": source.node, "destination_node": destination.node}
    if scene.is_local:
        said = [words("opening.same-node", **ends, node=source.node)]
    elif "external" in (source.kind, destination.kind):
        said = [words("opening.external", **ends)]
    else:
        said = [words("opening.pods", **ends, **nodes)]
    said += _addresses(scene)
    packet = scene.pictures[0][0] if scene.pictures else ()
    return Slide(
        kind=Kind.OPENING,
        direction=scene.number,
        title=words("opening"),
        paragraphs=(*said, *_mode(scene)),
        doubts=tuple(Doubt(words("doubt.note"), note) for note in scene.trace.notes),
        before=packet,
        after=packet,
    )


def _addresses(scene: Scene) -> list[Words]:
    inner = {(hop.packet[-1].src, hop.packet[-1].dst) for hop in scene.direction.hops if hop.packet}
    if len(inner) != 1:
        return []
    src, dst = next(iter(inner))
    return [words("opening.addresses", src=src, dst=dst)]


def _mode(scene: Scene) -> list[Words]:
    """How packets are carried, and why."""
    kind = scene.direction.encapsulation
    if scene.is_local:
        return [words("mode.local")]
    if kind is Encapsulation.NONE:
        if not any(hop.step is Step.NIC_OUT for hop in scene.direction.hops):
            return []
        if "external" in (scene.sender.kind, scene.receiver.kind):
            return []
        if scene.receiver.kind != "pod" and scene.number == 0:
            return [words("mode.to-node")]
        said = [words("mode.none-routed" if scene.router is not None else "mode.none")]
        return [*said, words("mode.cross-subnet-direct")] if scene.crosses_by_subnet() else said
    said = [words(f"mode.{kind.value}"), words(f"mode.{kind.value}-why")]
    if scene.crosses_by_subnet() and kind is not Encapsulation.WIREGUARD:
        said.append(words("mode.cross-subnet-tunnel"))
    return said


def turn(scene: Scene, forward: Disposition) -> Slide:
    """The reply sets out; `forward` is how the way there ended."""
    packet = scene.pictures[0][0] if scene.pictures else ()
    said = [words("turn", node=scene.sender.node)]
    if forward is not Disposition.DELIVERED:
        said.append(words("turn.hypothetical" if forward is not Disposition.UNKNOWN else "turn.unknown"))
    return Slide(
        kind=Kind.TURN,
        direction=scene.number,
        title=words("turn"),
        paragraphs=tuple(said),
        before=packet,
        after=packet,
    )


def underlay(scene: Scene, index: int) -> Slide:
    """Between the hop at `index` and the next one, which is on another machine."""
    packet = scene.pictures[index][1]
    following = scene.hop(index + 1)
    values = {"node": following.node if following is not None else None}
    outer = packet[0] if packet else None
    wrapped = len(packet) > 1
    ends = {"src": outer.src if outer else None, "dst": outer.dst if outer else None}
    if wrapped:
        said = [words(f"underlay.{scene.direction.encapsulation.value}", **ends)]
    else:
        said = [words("underlay.plain", **ends)]
    if scene.router is not None:
        said.append(words("underlay.router-wrapped" if wrapped else "underlay.router", router=scene.router))
    elif scene.direction.underlay:
        said.append(words("underlay.link", prefix=scene.direction.underlay, **values))
    return Slide(
        kind=Kind.UNDERLAY,
        direction=scene.number,
        title=words("underlay"),
        paragraphs=tuple(said),
        doubts=(_crossing(scene.direction.hops[index], following),),
        station=index,
        between=True,
        before=packet,
        after=packet,
        evidence=Evidence.OBSERVED if following is not None and is_seen(following) else Evidence.INFERRED,
        check=_watch(following, outer),
    )


def observed(hop: Hop) -> tuple[Doubt, ...]:
    """What a live proof saw at a hop, empty without one."""
    proof = hop.observed
    if proof is None:
        return ()
    if proof.seen:
        device = proof.device or hop.device
        return (Doubt(words("observed.seen", count=proof.count, device=device, node=hop.node), proven=True),)
    if proof.seen is None:
        return (Doubt(words("observed.unwatched"), proof.reason),)
    return (Doubt(words("observed.missing", device=hop.device, node=hop.node), proof.reason, grave=True),)


def is_seen(hop: Hop) -> bool:
    """Whether a live proof saw a packet at the hop."""
    return hop.observed is not None and hop.observed.seen is True


def _crossing(out: Hop, arrival: Hop | None) -> Doubt:
    """What is known of the network between: nobody looks into it, but a live proof may have looked at both ends."""
    if arrival is None or arrival.observed is None or arrival.observed.seen is None:
        return Doubt(words("doubt.underlay"))
    if arrival.observed.seen:
        return Doubt(words("observed.crossed", node=arrival.node), proven=True)
    if is_seen(out):
        reason = arrival.observed.reason
        return Doubt(words("observed.vanished", out=out.node, node=arrival.node), reason, grave=True)
    return Doubt(
        words("observed.missing", device=arrival.device, node=arrival.node), arrival.observed.reason, grave=True
    )


def _watch(arrival: Hop | None, outer: Header | None) -> str | None:
    """What a person would type on the far machine to see the packet come in."""
    if arrival is None or arrival.node is None or outer is None:
        return None
    device = shlex.quote(arrival.device or "any")
    only = "ip proto 4 and " if outer.protocol == "ipip" else ""
    return f"ssh {shlex.quote(arrival.node)} sudo tcpdump -ni {device} {shlex.quote(f'{only}src host {outer.src}')}"


def ending(scene: Scene) -> Slide:
    """How a direction ends that does not arrive for certain."""
    direction = scene.direction
    known = direction.disposition is not Disposition.UNKNOWN
    last = direction.hops[-1] if direction.hops else None
    finding = cause(scene)
    said = []
    if last is None:
        said.append(words("ending.no-hop"))
    elif known:
        said.append(lost(scene, last, direction.disposition))
    else:
        said.append(words("ending.unknown"))
    if scene.line.unreached:
        key = "ending.unreached" if known else "ending.unfollowed"
        said.append(words(key, receiver=scene.receiver.label))
    if known:
        said.append(words("ending.cause" if finding is not None else "ending.no-cause"))
    reason = next((hop.reason for hop in reversed(direction.hops) if hop.reason), None) if not finding else None
    return Slide(
        kind=Kind.ENDING,
        direction=scene.number,
        title=words("ending.lost" if known else "ending.unknown", node=last.node if last else None),
        paragraphs=tuple(said),
        doubts=(Doubt(words("doubt.reason"), reason, grave=known),) if reason else (),
        station=len(direction.hops) - 1 if last else None,
        before=scene.pictures[-1][1] if last else (),
        after=scene.pictures[-1][1] if last else (),
        lines=finding.evidence if finding is not None else (),
        finding=finding,
        fix=finding.fix if finding is not None else (),
    )


def closing(scenes: tuple[Scene, ...]) -> Slide:
    """The verdict over both directions, on what it rests, and what it does not say."""
    last = scenes[-1]
    trace = last.trace
    said = [words(f"closing.{trace.verdict.value}")]
    hops = [hop for way in trace.directions for hop in way.hops]
    inferred = sum(hop.evidence is Evidence.INFERRED for hop in hops)
    unread = sum(hop.evidence is Evidence.NOT_READ for hop in hops)
    said.append(words("closing.evidence", read=len(hops) - inferred - unread, inferred=inferred, unread=unread))
    mtus = [way.path_mtu for way in trace.directions if way.path_mtu is not None]
    if mtus and len(mtus) == len(trace.directions):
        said.append(words("closing.mtu", mtu=min(mtus)))
    if not trace.policies.evaluated:
        said.append(words("closing.policies"))
    causes = (cause(scene) for scene in scenes if trace.verdict is not Verdict.DELIVERED)
    finding = next((one for one in causes if one is not None), None) or next(iter(trace.findings), None)
    return Slide(
        kind=Kind.CLOSING,
        direction=last.number,
        title=words(f"closing.{trace.verdict.value}"),
        paragraphs=tuple(said),
        station=len(last.direction.hops) - 1 if last.direction.hops else None,
        finding=finding,
        lines=finding.evidence if finding is not None else (),
        fix=finding.fix if finding is not None else (),
    )


def cause(scene: Scene) -> Finding | None:
    """The error that belongs to the hop where the direction ends, else to its node; None if none does."""
    ends = [hop for hop in scene.direction.hops if is_lost(hop)]
    errors = [finding for finding in scene.trace.findings if finding.severity is Severity.ERROR]
    spots = {Spot(scene.direction.name, hop.number) for hop in ends}
    at_hop = (finding for finding in errors if spots & set(finding.hops))
    nodes = {hop.node for hop in ends if hop.node}
    at_node = (one for one in errors if not one.hops and nodes & {one.node, *one.affected})
    return next(at_hop, None) or next(at_node, None)


def lost(scene: Scene, hop: Hop, how: Disposition) -> Words:
    """How a packet is lost at a hop."""
    dst = hop.packet[-1].dst if hop.packet else None
    return words(f"lost.{how.value}", node=hop.node, dst=dst, receiver=scene.receiver.label)
