"""Why a BGP session is down, in plain words: BIRD's own, translated, with the end that is to be repaired."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from itertools import islice

import msgspec

from calitui.diagnosis.bgp.birds import Birds
from calitui.diagnosis.bgp.expected import Wanted
from calitui.diagnosis.bgp.sessions import End, Session
from calitui.diagnosis.calico_node import restart
from calitui.diagnosis.scene import Scene


class Kind(StrEnum):
    """What sort of fault it is."""

    DOWN = "down"
    WRONG_AS = "wrong AS"
    BAD_IDENTIFIER = "bad identifier"


class Side(StrEnum):
    """Which end a fault is at, seen from the end that tells of it."""

    SELF = "self"
    OTHER = "other"
    BETWEEN = "between"


class Reason(msgspec.Struct, frozen=True):
    """`words` go on after "is down: "; `node` is the one to repair, None if that is not known or no node."""

    kind: Kind
    words: str
    node: str | None
    fix: tuple[str, ...] = ()


# What BIRD prints, what it means, and the end it is at. {a} tells of it, {b} is the other end, {ip}{of} its address.
# Sources: BIRD 1.6 `proto/bgp/bgp.c` (bgp_last_errmsg, names of states), and the C library's words for errno.
_MEANINGS: tuple[tuple[str, Kind, Side, str], ...] = (
    ("bad peer as", Kind.WRONG_AS, Side.BETWEEN, "{a} and {b} do not agree on their AS numbers"),
    ("bad bgp identifier", Kind.BAD_IDENTIFIER, Side.BETWEEN, "{a} and {b} have one router ID"),
    ("connection refused", Kind.DOWN, Side.OTHER, "TCP connections of {a} to {ip}{of}, port {port}, are refused: no "
     "BIRD listens there, or a firewall answers with a reject"),
    ("host is unreachable|no route to host", Kind.DOWN, Side.OTHER, "nobody answers for the address {ip}{of}: the "
     "node is off, its address is another, or a firewall rejects"),
    ("network is unreachable", Kind.DOWN, Side.SELF, "{a} has no route at all to {ip}"),
    ("cannot assign requested address", Kind.DOWN, Side.SELF, "{a} does not have the address it is to speak from"),
    ("timed out|hold timer expired", Kind.DOWN, Side.BETWEEN, "{ip}{of} fell silent: packets between the nodes are "
     "dropped, or BIRD there hangs"),
    ("connection closed|connection reset", Kind.DOWN, Side.OTHER, "{b} hangs up on {a}: BIRD there has no session with "
     "this address, or a password that differs"),
    ("received:", Kind.DOWN, Side.OTHER, "{b} ended it ({detail})"),
    ("md5|password|authentication", Kind.DOWN, Side.SELF, "the passwords of both ends differ"),
    (r"\S", Kind.DOWN, Side.SELF, "{a} says {detail}"),
)  # fmt: skip
_MEANT = tuple((re.compile(pattern, re.IGNORECASE), kind, side, words) for pattern, kind, side, words in _MEANINGS)


def kind(session: Session) -> Kind:
    """What sort of fault a session that is down has."""
    said = [end.detail.lower() for end in session.ends if not end.is_up]
    if any("bad peer as" in detail for detail in said):
        return Kind.WRONG_AS
    return Kind.BAD_IDENTIFIER if any("bad bgp identifier" in detail for detail in said) else Kind.DOWN


def tells_most(sessions: Iterable[Session]) -> Session:
    """Of sessions that are down for one cause the one whose ends say most of it."""
    few = list(islice(sessions, 50))
    return min(few, key=lambda session: min((_meaning(end)[0] for end in session.ends), default=len(_MEANT) + 9))


def reason(scene: Scene, session: Session) -> Reason:
    """Why a session is down, by what its ends say; the end that says most decides."""
    wanted, birds = scene.of(Wanted), scene.of(Birds)
    for node in (session.peer_node, session.node):
        if node is not None and birds.is_stopped(node, session.family):
            return Reason(Kind.DOWN, f"BIRD does not run on {node}", node, restart(scene, node))
    lacking = session.node if session.here is None and session.here_read else None
    if session.there is None and session.there_read:
        lacking = lacking or session.peer_node
    if lacking is not None:
        with_whom = session.peer if lacking == session.node else session.node
        said = f"BIRD on {lacking} has no session configured with {with_whom}"
        return Reason(Kind.DOWN, said, lacking, restart(scene, lacking))
    told = [(*_meaning(end), end) for end in session.ends]
    if not told:
        return Reason(Kind.DOWN, "neither end was read", None)
    _, sort, side, words, end = min(told, key=lambda one: one[0])
    is_here = end is session.here
    a, b = (session.node, session.peer) if is_here else (session.peer, session.node)
    ip = session.peer_ip if is_here else wanted.addresses[session.family].get(session.node, session.node)
    other = session.peer_node if is_here else session.node
    port = wanted.port(other)
    of = "" if b == ip else f" of {b}"
    said = words.format(a=a, b=b, ip=ip, of=of, port=port, detail=end.detail)
    culprit = (other or a) if side is Side.OTHER else a
    return Reason(sort, said, culprit, _fix(scene, side, a, other, ip, port))


def _meaning(end: End) -> tuple[int, Kind, Side, str]:
    """How much an end says (the less the more), and what."""
    if end.protocol.state == "down" and not end.detail:
        return -1, Kind.DOWN, Side.SELF, "it is disabled in the BIRD of {a}"
    for rank, (pattern, sort, side, words) in enumerate(_MEANT):
        if pattern.search(end.detail):
            return rank, sort, side, words
    rank = len(_MEANT)
    if end.state in ("Connect", "Active", "OpenSent", "OpenConfirm"):
        words = "{a} gets no answer from {ip} port {port}: packets are dropped on the way, or the address is wrong"
        return rank + 1, Kind.DOWN, Side.BETWEEN, words
    if end.state == "Passive":
        return rank + 3, Kind.DOWN, Side.OTHER, "{a} waits for {b} to dial, and it does not"
    return rank + 2, Kind.DOWN, Side.SELF, "{a} does not try (state " + _braced(end.state) + ")"


def _braced(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}") or "unknown"


def _fix(scene: Scene, side: Side, node: str, other: str | None, ip: str, port: int) -> tuple[str, ...]:
    """What to type, from the side that tells of the fault."""
    knock = f"ssh {node} timeout 3 bash -c '</dev/tcp/{ip}/{port}' && echo open"
    if side is Side.SELF:
        return (f"ssh {node} ip route get {ip}", *restart(scene, node))
    if side is Side.BETWEEN or other is None:
        return (knock, f"# allow TCP port {port} between the nodes in every firewall and security group, both ways")
    return (
        f"ssh {other} \"ss -ltn 'sport = :{port}'\"  # is BIRD there?",
        *restart(scene, other),
        f"{knock}  # if BIRD is there: a firewall on {other} or on the way",
    )
