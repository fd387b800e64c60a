"""Calico's objects of BGP as facts: configurations, peerings, and the statuses that calico-node writes on request.

Pure decoding, the same for both API groups.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from calitui.cluster.calico_objects import Named
from calitui.facts.cluster import BGPConfiguration, BGPPeer, NodeStatus, StatusPeer
from calitui.facts.text import clean


class ServicePrefix(msgspec.Struct):
    """`serviceClusterIPs`."""

    cidr: str = ""


class BGPSpec(
    msgspec.Struct,
    rename={
        "mesh": "nodeToNodeMeshEnabled",
        "as_number": "asNumber",
        "listen_port": "listenPort",
        "service_prefixes": "serviceClusterIPs",
        "program_cluster_routes": "programClusterRoutes",
    },
):
    """`bgpconfigurations`."""

    mesh: bool | None = None
    as_number: int | str | None = None
    listen_port: int | None = None
    service_prefixes: list[ServicePrefix] | None = None
    program_cluster_routes: str | None = None


class RawBGP(msgspec.Struct):
    """A BGPConfiguration."""

    metadata: Named = msgspec.field(default_factory=Named)
    spec: BGPSpec = msgspec.field(default_factory=BGPSpec)


class PeerSpec(
    msgspec.Struct,
    rename={
        "peer_ip": "peerIP",
        "as_number": "asNumber",
        "node_selector": "nodeSelector",
        "peer_selector": "peerSelector",
        "next_hop_mode": "nextHopMode",
        "keep_original_next_hop": "keepOriginalNextHop",
    },
):
    """`bgppeers`."""

    peer_ip: str | None = None
    as_number: int | str | None = None
    node: str | None = None
    node_selector: str | None = None
    peer_selector: str | None = None
    next_hop_mode: str | None = None
    keep_original_next_hop: bool | None = None


class RawPeer(msgspec.Struct):
    """A BGPPeer."""

    metadata: Named = msgspec.field(default_factory=Named)
    spec: PeerSpec = msgspec.field(default_factory=PeerSpec)


class BirdState(msgspec.Struct):
    """An agent of a CalicoNodeStatus."""

    state: str | None = None


class Agents(msgspec.Struct, rename={"bird4": "birdV4", "bird6": "birdV6"}):
    """`status.agent`."""

    bird4: BirdState | None = None
    bird6: BirdState | None = None


class Session(msgspec.Struct, rename={"peer_ip": "peerIP"}):
    """A peer in `status.bgp`."""

    peer_ip: str | None = None
    type: str | None = None
    state: str | None = None
    since: str | None = None


class Sessions(msgspec.Struct, rename={"peers4": "peersV4", "peers6": "peersV6"}):
    """`status.bgp`."""

    peers4: list[Session] | None = None
    peers6: list[Session] | None = None


class StatusSpec(msgspec.Struct, rename={"period": "updatePeriodSeconds"}):
    """What a CalicoNodeStatus is asked to tell."""

    node: str = ""
    classes: list[str] | None = None
    period: int | None = None


class Status(msgspec.Struct, rename={"last_updated": "lastUpdated"}):
    """What it tells."""

    last_updated: datetime | None = None
    agent: Agents | None = None
    bgp: Sessions | None = None


class RawStatus(msgspec.Struct):
    """A CalicoNodeStatus."""

    metadata: Named = msgspec.field(default_factory=Named)
    spec: StatusSpec = msgspec.field(default_factory=StatusSpec)
    status: Status = msgspec.field(default_factory=Status)


def bgp(raw: RawBGP) -> BGPConfiguration:
    """A BGPConfiguration."""
    spec = raw.spec
    return BGPConfiguration(
        name=clean(raw.metadata.name),
        mesh=spec.mesh,
        as_number=_as_number(spec.as_number),
        listen_port=spec.listen_port,
        service_cidrs=tuple(clean(item.cidr) for item in spec.service_prefixes or () if item.cidr),
        program_cluster_routes=clean(spec.program_cluster_routes or ""),
    )


def peer(raw: RawPeer) -> BGPPeer:
    """A BGPPeer."""
    spec = raw.spec
    return BGPPeer(
        name=clean(raw.metadata.name),
        peer_ip=clean(spec.peer_ip or ""),
        as_number=_as_number(spec.as_number),
        node=clean(spec.node or ""),
        node_selector=clean(spec.node_selector or ""),
        peer_selector=clean(spec.peer_selector or ""),
        next_hop_mode=clean(spec.next_hop_mode or ""),
        keep_original_next_hop=bool(spec.keep_original_next_hop),
    )


def status(raw: RawStatus) -> NodeStatus:
    """A CalicoNodeStatus. A moment without a time zone is none: nothing tells how long ago it was."""
    agents = raw.status.agent or Agents()
    sessions = raw.status.bgp or Sessions()
    updated = raw.status.last_updated
    return NodeStatus(
        name=clean(raw.metadata.name),
        node=clean(raw.spec.node),
        classes=tuple(clean(each) for each in raw.spec.classes or ()),
        update_period=raw.spec.period or 0,
        last_updated=updated.timestamp() if updated is not None and updated.tzinfo is not None else None,
        bird=clean((agents.bird4 or BirdState()).state or ""),
        bird6=clean((agents.bird6 or BirdState()).state or ""),
        peers=tuple(
            StatusPeer(clean(each.peer_ip), clean(each.type or ""), clean(each.state or ""), clean(each.since or ""))
            for each in (*(sessions.peers4 or ()), *(sessions.peers6 or ()))
            if each.peer_ip
        ),
    )


def _as_number(value: int | str | None) -> int | None:
    """An AS number; Calico also accepts the dotted form `1.10`."""
    if not isinstance(value, str):
        return value
    try:
        high, dot, low = value.partition(".")
        return (int(high) << 16) + int(low) if dot else int(high)
    except ValueError:
        return None
