"""Sessions that are down, put together by the node they have in common: a dead node of a mesh breaks N of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from calitui.diagnosis.bgp_sessions import Peering, Session, Speaker

FEWEST = 2
"""Sessions of a node that must all be down before it is the node that is taken to be at fault."""


class Broken(msgspec.Struct, frozen=True):
    """Sessions that are down for one reason: all of `node`'s, or (None) of every node of a cluster, or just one."""

    node: str | None
    sessions: tuple[Session, ...]
    are_all: bool


def together(peering: Peering, down: Iterable[Session], is_stopped: Callable[[Speaker], bool]) -> list[Broken]:
    """Groups of `down`, which are of one kind and hold each session once.

    First those of nodes whose BIRD does not run, then those of nodes that have no other session up, the node with most
    first; a session belongs to the first node that claims it. What is left stands alone.
    """
    left: dict[Speaker, dict[int, Session]] = {}
    everything = list(down)
    for number, session in enumerate(everything):
        for node in {session.node, session.peer_node}:
            if node is not None:
                left.setdefault((node, session.family), {})[number] = session
    lost = {speaker: len(of) for speaker, of in left.items()}
    found: list[Broken] = []

    def claim(speaker: Speaker) -> tuple[Session, ...]:
        claimed = left.pop(speaker)
        for number, session in claimed.items():
            for node in (session.node, session.peer_node):
                if node is not None and (node, session.family) in left:
                    left[node, session.family].pop(number, None)
        return tuple(claimed.values())

    stopped = [speaker for speaker in left if is_stopped(speaker)]
    found += [Broken(speaker[0], claim(speaker), are_all=True) for speaker in stopped if left[speaker]]
    alone = {speaker for speaker in left if lost[speaker] >= FEWEST and lost[speaker] >= peering.counted(*speaker)}
    for family in (4, 6):
        speakers = [speaker for speaker in left if speaker[1] == family]
        every = {(node, of) for node, of in peering.told if of == family}
        if len(alone & every) > FEWEST and every <= alone:
            sessions = {number: session for speaker in speakers for number, session in left.pop(speaker).items()}
            if sessions:
                found.append(Broken(None, tuple(sessions.values()), are_all=True))
    most_first = sorted(alone & left.keys(), key=lambda one: (-len(left[one]), one))
    found += [
        Broken(speaker[0], claim(speaker), are_all=True) for speaker in most_first if len(left[speaker]) >= FEWEST
    ]
    rest = {number: session for of in left.values() for number, session in of.items()}
    found += [Broken(None, (session,), are_all=False) for session in rest.values()]
    return found
