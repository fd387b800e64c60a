"""A trace as slides: the opening, each hop forward, the way back, the verdict."""

from __future__ import annotations

from collections.abc import Iterable

from calitui.facts.cluster import IPPool
from calitui.trace.path import Disposition, Evidence, Hop, Trace
from calitui.walkthrough import chapters
from calitui.walkthrough.headers import changes
from calitui.walkthrough.hops import tell
from calitui.walkthrough.scene import Scene, is_lost, scene_of, words
from calitui.walkthrough.slides import Doubt, Kind, Slide, Walkthrough


def walkthrough(trace: Trace, pools: Iterable[IPPool] = ()) -> Walkthrough:
    """Every step of both directions; `pools` are the cluster's, to tell why a CrossSubnet pool tunnels or not."""
    known = tuple(pools)
    scenes = tuple(scene_of(trace, number, known) for number in range(len(trace.directions)))
    slides: list[Slide] = []
    for scene in scenes:
        first = scene.number == 0
        slides.append(chapters.opening(scene) if first else chapters.turn(scene, trace.forward.disposition))
        slides.extend(_hops(scene))
        if scene.direction.disposition is not Disposition.DELIVERED:
            slides.append(chapters.ending(scene))
    slides.append(chapters.closing(scenes))
    return Walkthrough(tuple(slides), tuple(scene.line for scene in scenes))


def _hops(scene: Scene) -> Iterable[Slide]:
    for index, hop in enumerate(scene.direction.hops):
        yield _hop(scene, index)
        following = scene.hop(index + 1)
        apart = following is not None and following.node not in (None, hop.node)
        if apart and hop.evidence is not Evidence.NOT_READ:
            yield chapters.underlay(scene, index)


def _hop(scene: Scene, index: int) -> Slide:
    hop = scene.direction.hops[index]
    title, paragraphs = tell(scene, index)
    before, after = scene.pictures[index]
    return Slide(
        kind=Kind.HOP,
        direction=scene.number,
        title=title,
        paragraphs=tuple(paragraphs),
        doubts=_doubts(scene, hop),
        hop=index,
        station=index,
        before=before,
        after=after,
        changes=changes(before, after),
        evidence=hop.evidence,
        route=hop.route,
        lines=hop.lines or ((hop.route,) if hop.route else ()),
        check=hop.check,
    )


def _doubts(scene: Scene, hop: Hop) -> tuple[Doubt, ...]:
    """What goes wrong at a hop or limits what is known of it, the gravest first."""
    found = list(chapters.observed(hop))
    reason = hop.reason or ""
    blind = scene.direction.blind_at
    if is_lost(hop) and hop.ends is not None:
        found.append(Doubt(chapters.lost(scene, hop, hop.ends), reason, grave=True))
    elif hop.ends is Disposition.UNKNOWN:
        found.append(Doubt(words("doubt.unknown"), reason))
    elif hop.evidence is Evidence.NOT_READ:
        found.append(Doubt(words("doubt.not-read"), reason))
    elif hop.evidence is Evidence.INFERRED:
        found.append(Doubt(words("doubt.inferred"), reason))
    elif reason:
        found.append(Doubt(words("doubt.reason"), reason))
    if hop.disagreement and hop.disagreement != reason:
        found.append(Doubt(words("doubt.disagreement"), hop.disagreement))
    if blind is not None and hop.number > blind and not chapters.is_seen(hop):
        found.append(Doubt(words("doubt.blind")))
    return tuple(found)
