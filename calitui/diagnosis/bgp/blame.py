"""Sessions that are down, put together by what they have in common: a dead node of a mesh breaks N of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from calitui.diagnosis.bgp.sessions import Peering, Session, Speaker

FEWEST = 2
"""Sessions that must all be down before it is the speaker they have in common that is taken to be at fault."""


class Broken(msgspec.Struct, frozen=True):
    """Sessions that are down for one reason: all of `common` (a node, or the address of a peer that is none), all of
    every node where `is_everywhere`, or just one.
    """

    sessions: tuple[Session, ...]
    common: str | None = None
    is_everywhere: bool = False


def together(peering: Peering, down: Iterable[Session], is_stopped: Callable[[str, int], bool]) -> list[Broken]:
    """Groups of `down`, which are of one kind and hold each session once.

    First those of nodes whose BIRD does not run, then those of speakers that have no other session up, the one with
    most first; a session belongs to the first that claims it. What is left stands alone.
    """
    left: dict[Speaker, dict[int, Session]] = {}
    for number, session in enumerate(down):
        for speaker in _speakers(session):
            left.setdefault(speaker, {})[number] = session
    lost = {speaker: len(of) for speaker, of in left.items()}

    def claim(speaker: Speaker) -> Broken:
        claimed = left.pop(speaker)
        for number, session in claimed.items():
            for other in _speakers(session):
                left.get(other, {}).pop(number, None)
        return Broken(tuple(claimed.values()), speaker[0])

    stopped = [speaker for speaker in left if is_stopped(*speaker)]
    found = [claim(speaker) for speaker in stopped if left[speaker]]
    alone = {speaker for speaker in left if FEWEST <= lost[speaker] >= peering.counted(*speaker)}
    for family in (4, 6):
        every = {speaker for speaker in peering.told if speaker[1] == family}
        if len(every) > FEWEST and every <= alone:
            gone = [left.pop(speaker) for speaker in list(left) if speaker[1] == family]
            sessions = {number: session for of in gone for number, session in of.items()}
            found += [Broken(tuple(sessions.values()), is_everywhere=True)] if sessions else []
    most_first = sorted(alone & left.keys(), key=lambda one: (-len(left[one]), one))
    found += [claim(speaker) for speaker in most_first if len(left[speaker]) >= FEWEST]
    rest = {number: session for of in left.values() for number, session in of.items()}
    return found + [Broken((session,)) for session in rest.values()]


def _speakers(session: Session) -> tuple[Speaker, Speaker]:
    return (session.node, session.family), (session.peer_node or session.peer_ip, session.family)
