"""The BGP sessions of a scene, both ends joined: what each end's BIRD says of it, and what wants it.

Judges nothing but whether a session is up. A cluster of 1,000 nodes in a full mesh has a million ends, so what is up is
passed over without being made into an object, unless a screen asks for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cached_property

import msgspec

from calitui.diagnosis.bgp.expected import MESH, Wanted
from calitui.diagnosis.scene import Scene, address
from calitui.facts.bird import Bird, BirdAnswer, BirdProtocol
from calitui.facts.cluster import NodeStatus

ESTABLISHED = "Established"
STALE_AFTER = 3
"""Update periods after which a CalicoNodeStatus is too old to be believed."""

_NAMED = re.compile(r"(?:Mesh|Global|Node)_([0-9A-Fa-f_]+?)(?:_port_[0-9]+)?")
_REFUSED = re.compile(r"connection refused|control socket.*no such file|no such file.*\.ctl", re.IGNORECASE | re.DOTALL)

Speaker = tuple[str, int]
"""A node and an IP family: each has a BIRD of its own."""


class End(msgspec.Struct, frozen=True):
    """A session as one end's BIRD tells it: `state` is BGP's (`Established`, `Active`, `Idle` ...), `detail` its words
    on what is wrong, `line` the verbatim line with where it was read.
    """

    node: str
    state: str
    detail: str
    line: str
    protocol: BirdProtocol

    @property
    def is_up(self) -> bool:
        """Whether routes can come in by it."""
        return self.state == ESTABLISHED


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """A BGP session between a node and `peer_ip`; `peer_node` is None where no node has that address (a router).

    `here` and `there` are its ends as the node's and the peer's BIRD tell them: None where that BIRD was not read, does
    not run, or has no such session; `here_read` and `there_read` tell the last case. `wanted_by` is what asks for it
    (`node-to-node mesh`, `BGPPeer NAME`), "" where nothing is known to.
    """

    node: str
    peer_ip: str
    peer_node: str | None
    family: int
    wanted_by: str = ""
    here: End | None = None
    there: End | None = None
    here_read: bool = False
    there_read: bool = False

    @property
    def is_up(self) -> bool | None:
        """Whether either end says so: None where neither was read."""
        if not self.here_read and not self.there_read:
            return None
        return any(end.is_up for end in self.ends)

    @property
    def ends(self) -> tuple[End, ...]:
        """The ends that were read."""
        return tuple(end for end in (self.here, self.there) if end is not None)

    @property
    def lines(self) -> tuple[str, ...]:
        """What both ends say, verbatim."""
        return tuple(end.line for end in self.ends)

    @property
    def peer(self) -> str:
        """The other end, for a sentence: its node, else its address."""
        return self.peer_node or self.peer_ip


class Told(msgspec.Struct, frozen=True):
    """What one BIRD says of its peers, by their address. `source` goes in front of evidence; `answer` is None where a
    CalicoNodeStatus tells it. Only with `complete` is a peer that is not there evidence.
    """

    node: str
    family: int
    source: str
    peers: dict[str, BirdProtocol]
    complete: bool = False
    answer: BirdAnswer | None = None

    def end(self, ip: str) -> End | None:
        """This end of the session with `ip`."""
        protocol = self.peers.get(ip)
        if protocol is None:
            return None
        detail = protocol.detail
        if not detail and protocol.info != ESTABLISHED:
            detail = protocol.last_error
        state = protocol.info or protocol.state
        return End(self.node, state, detail, f"{self.source}: {protocol.text or protocol.name}", protocol)


class Peering:
    """All sessions of a scene; `Scene.of(Peering)` makes it once."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._wanted = scene.of(Wanted)
        self._by_name: dict[str, str] = {}
        self.told: dict[Speaker, Told] = {}
        """What was read, of BIRD itself or of a fresh CalicoNodeStatus."""
        self.refused: dict[Speaker, Bird] = {}
        """The BIRDs whose control socket nobody answers."""
        for name, facts in scene.facts.items():
            for bird in facts.birds or ():
                if bird.answer is not None:
                    source = f"{name} {command(bird.family)} show protocols"
                    peers = self._peers(bird.answer.protocols, bird.family)
                    told = Told(name, bird.family, source, peers, bird.complete, bird.answer)
                    self.told[name, bird.family] = told
                elif _REFUSED.search(bird.error):
                    self.refused[name, bird.family] = bird
        for status in scene.cluster.node_statuses:
            read = scene.facts.get(status.node)
            if (read is None or read.birds is None) and is_fresh(status, scene.cluster.read_at):
                self._take_status(status)

    def _peers(self, protocols: Iterable[BirdProtocol], family: int) -> dict[str, BirdProtocol]:
        found: dict[str, BirdProtocol] = {}
        for protocol in protocols:
            if protocol.kind != "BGP" or protocol.name.startswith("Local_Workload_"):
                continue
            ip = self._neighbour(protocol.neighbour or protocol.name)
            # Of two protocols for one neighbour BIRD runs one only.
            if ip and (":" in ip) is (family == 6) and (protocol.info == ESTABLISHED or ip not in found):
                found[ip] = protocol
        return found

    def _neighbour(self, text: str) -> str:
        """The peer's address, by BIRD's word or by what confd named the protocol; "" if it is none."""
        known = self._by_name.get(text)
        if known is None:
            spelt, named = text, _NAMED.fullmatch(text)
            if named is not None:
                parts = named[1].split("_")
                is_4 = len(parts) == 4 and all(part.isdecimal() for part in parts)
                spelt = ("." if is_4 else ":").join(parts)
            known = self._by_name[text] = str(address(spelt) or "")
        return known

    def _take_status(self, status: NodeStatus) -> None:
        for family in (4, 6):
            told = {
                str(address(peer.ip)): BirdProtocol(
                    peer.kind, "BGP", "", "", since=peer.since, info=peer.state, text=f"peer {peer.ip} {peer.state}"
                )
                for peer in status.peers
                if address(peer.ip) is not None
            }
            peers = {ip: protocol for ip, protocol in told.items() if (":" in ip) is (family == 6)}
            if peers:
                source = f"API CalicoNodeStatus {status.name}"
                self.told.setdefault((status.node, family), Told(status.node, family, source, peers))

    @property
    def is_seen(self) -> bool:
        """Whether a BIRD was read that has BGP sessions."""
        return any(told.peers for told in self.told.values())

    @cached_property
    def not_up(self) -> tuple[Session, ...]:
        """The sessions that an end which was read does not call established, each once, not those of a trace only."""
        return tuple(self._join(established=False))

    def all(self) -> Iterator[Session]:
        """Every session that is wanted or seen, each once."""
        return self._join(established=True)

    def _join(self, *, established: bool) -> Iterator[Session]:
        done: set[tuple[str, str]] = set()
        speakers = dict.fromkeys(self.told)
        if established:
            speakers |= dict.fromkeys((node, family) for family in (4, 6) for node in self._wanted.addresses[family])
        for node, family in speakers:
            told = self.told.get((node, family))
            seen = () if told is None else told.peers
            ips = [ip for ip in seen if established or (told and told.peers[ip].info != ESTABLISHED)]
            for ip in (*ips, *self._not_configured(node, family, told)):
                if (node, ip) in done:
                    continue
                session, mirrored = self._session(node, family, ip, told)
                done.update(mirrored)
                yield session

    def _not_configured(self, node: str, family: int, told: Told | None) -> list[str]:
        """Peers that are wanted and that a node's BIRD has no session with, under no address of theirs."""
        wanted = self._wanted
        if wanted.unknowable is not None or (told is not None and not told.complete):
            return []
        seen = told.peers.keys() if told is not None else frozenset()
        absent = (wanted.mesh_of(node, family) | wanted.configured.get((node, family), {}).keys()) - seen
        if not absent:
            return []
        peered = {wanted.owner(ip) for ip in seen} - {None}
        return sorted(ip for ip in absent if wanted.owner(ip) not in peered)

    def _session(self, node: str, family: int, ip: str, told: Told | None) -> tuple[Session, list[tuple[str, str]]]:
        """The session, and the keys under which it is not to be told again."""
        wanted = self._wanted
        peer = wanted.owner(ip)
        here = told.end(ip) if told is not None else None
        other = self.told.get((peer, family)) if peer is not None else None
        own = [here.protocol.source or ""] if here is not None else []
        own += [wanted.addresses[family].get(node, ""), *self._scene.node(node).internal_ips]
        mirror = next((mine for mine in own if other is not None and mine in other.peers), None)
        session = Session(
            node=node,
            peer_ip=ip,
            peer_node=peer,
            family=family,
            wanted_by=wanted.configured.get((node, family), {}).get(ip)
            or (MESH if wanted.is_in_mesh(node, ip) else ""),
            here=here,
            there=other.end(mirror) if other is not None and mirror is not None else None,
            here_read=told is not None,
            there_read=other is not None,
        )
        keys = [(node, ip)]
        if peer is not None:
            keys += [(peer, mine) for mine in own if mine]
        return session, keys

    def counted(self, speaker: str, family: int) -> int:
        """How many sessions are known of a node, or of the address of a peer that is none: its own where it was read,
        else those that others have with it.
        """
        told = self.told.get((speaker, family))
        if told is not None:
            return len(told.peers) + len(self._not_configured(speaker, family, told))
        ip = self._wanted.addresses[family].get(speaker, speaker)
        return sum(ip in other.peers for other in self.told.values())


def sessions(scene: Scene) -> tuple[Session, ...]:
    """The sessions in question, up or not: in a trace those between its nodes, and theirs with reflectors, routers."""
    peering = scene.of(Peering)
    if scene.trace is None:
        return tuple(peering.all())
    return tuple(session for session in peering.all() if in_question(scene, session))


def in_question(scene: Scene, session: Session) -> bool:
    """Whether a session concerns the scene: both its ends, or one whose peer passes on what others announce."""
    if scene.trace is None:
        return True
    wanted = scene.of(Wanted)
    near, far = session.node in scene.nodes, session.peer_node in scene.nodes
    if near and far:
        return True
    other = session.peer_node if near else session.node
    return (near or far) and session.wanted_by != MESH and not wanted.is_node_of_its_own(other)


def is_fresh(status: NodeStatus, read_at: float) -> bool:
    """Whether a CalicoNodeStatus tells of BGP and was written within a few of its periods."""
    if "BGP" not in status.classes or status.last_updated is None or status.update_period <= 0:
        return False
    return read_at - status.last_updated <= STALE_AFTER * status.update_period


def command(family: int) -> str:
    """What a person types to ask the BIRD of a family."""
    return "birdcl6" if family == 6 else "birdcl"
