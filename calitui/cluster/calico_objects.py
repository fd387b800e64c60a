"""Calico's objects as facts: pure decoding, the same for both API groups.

Their fields are Calico's (`libcalico-go/lib/apis/v1` and `v3`, `api/pkg/apis/projectcalico/v3`); the spelling
of IPPools in old manifests (`ipip.enabled`, `nat-outgoing`) is understood too.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

import msgspec

from calitui.facts.cluster import (
    Allocation,
    BGPConfiguration,
    BGPPeer,
    Block,
    BlockAffinity,
    FelixConfiguration,
    IPPool,
    PolicyRef,
)
from calitui.facts.text import clean


class Named(msgspec.Struct):
    """Metadata of any object."""

    name: str = ""
    namespace: str = ""


class LegacyIPIP(msgspec.Struct):
    """`spec.ipip` of IPPools written before Calico v3.0's own fields."""

    enabled: bool | None = None
    mode: str | None = None


class PoolSpec(
    msgspec.Struct,
    rename={
        "ipip_mode": "ipipMode",
        "vxlan_mode": "vxlanMode",
        "nat_outgoing": "natOutgoing",
        "legacy_nat": "nat-outgoing",
        "block_size": "blockSize",
        "node_selector": "nodeSelector",
    },
):
    """`ippools`."""

    cidr: str = ""
    ipip_mode: str | None = None
    vxlan_mode: str | None = None
    nat_outgoing: bool | None = None
    legacy_nat: bool | None = None
    disabled: bool | None = None
    block_size: int | None = None
    node_selector: str | None = None
    ipip: LegacyIPIP | None = None


class RawPool(msgspec.Struct):
    """An IPPool."""

    metadata: Named = msgspec.field(default_factory=Named)
    spec: PoolSpec = msgspec.field(default_factory=PoolSpec)


class Secondary(msgspec.Struct):
    """What an allocation is for."""

    node: str | None = None
    namespace: str | None = None
    pod: str | None = None
    type: str | None = None


class Attribute(msgspec.Struct):
    """Allocations point at one of these by number."""

    handle_id: str | None = None
    secondary: Secondary | None = None


class BlockSpec(msgspec.Struct):
    """`ipamblocks`: `allocations` has one entry per address of the block, null where it is free."""

    cidr: str = ""
    affinity: str | None = None
    allocations: list[int | None] | None = None
    attributes: list[Attribute] | None = None
    deleted: bool | str | None = None


class RawBlock(msgspec.Struct):
    """An IPAMBlock."""

    metadata: Named = msgspec.field(default_factory=Named)
    spec: BlockSpec = msgspec.field(default_factory=BlockSpec)


class AffinitySpec(msgspec.Struct):
    """`blockaffinities`; `deleted` is text there."""

    node: str = ""
    cidr: str = ""
    state: str | None = None
    deleted: bool | str | None = None


class RawAffinity(msgspec.Struct):
    """A BlockAffinity."""

    metadata: Named = msgspec.field(default_factory=Named)
    spec: AffinitySpec = msgspec.field(default_factory=AffinitySpec)


class RawFelix(msgspec.Struct):
    """A FelixConfiguration."""

    metadata: Named = msgspec.field(default_factory=Named)
    spec: dict[str, Any] | None = None


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
    },
):
    """`bgpconfigurations`."""

    mesh: bool | None = None
    as_number: int | str | None = None
    listen_port: int | None = None
    service_prefixes: list[ServicePrefix] | None = None


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
    },
):
    """`bgppeers`."""

    peer_ip: str | None = None
    as_number: int | str | None = None
    node: str | None = None
    node_selector: str | None = None
    peer_selector: str | None = None


class RawPeer(msgspec.Struct):
    """A BGPPeer."""

    metadata: Named = msgspec.field(default_factory=Named)
    spec: PeerSpec = msgspec.field(default_factory=PeerSpec)


class InformationSpec(msgspec.Struct, rename="camel"):
    """`clusterinformations`."""

    calico_version: str | None = None
    cluster_type: str | None = None
    datastore_ready: bool | None = None


class RawInformation(msgspec.Struct):
    """The ClusterInformation `default`."""

    metadata: Named = msgspec.field(default_factory=Named)
    spec: InformationSpec = msgspec.field(default_factory=InformationSpec)


class RawPolicy(msgspec.Struct):
    """Any policy: only that it is there."""

    metadata: Named = msgspec.field(default_factory=Named)


def pool(raw: RawPool) -> IPPool:
    """An IPPool; modes that are unset are `Never`, as Calico reads them."""
    spec = raw.spec
    legacy = spec.ipip
    ipip = spec.ipip_mode or ""
    if not ipip and legacy is not None and legacy.enabled:
        # Calico v2 wrote `mode: cross-subnet`, and no mode for what is Always today.
        ipip = "CrossSubnet" if legacy.mode == "cross-subnet" else "Always"
    return IPPool(
        name=clean(raw.metadata.name),
        cidr=clean(spec.cidr),
        ipip_mode=clean(ipip) or "Never",
        vxlan_mode=clean(spec.vxlan_mode or "") or "Never",
        nat_outgoing=bool(spec.nat_outgoing or spec.legacy_nat),
        disabled=bool(spec.disabled),
        block_size=spec.block_size,
        node_selector=clean(spec.node_selector or ""),
    )


def block(raw: RawBlock) -> Block:
    """An IPAM block with its allocations; an affinity to something that is no host is None."""
    spec = raw.spec
    kind, _, host = (spec.affinity or "").partition(":")
    return Block(
        cidr=clean(spec.cidr),
        node=clean(host) if kind == "host" and host else None,
        allocations=tuple(_allocations(spec)),
        deleted=_is_true(spec.deleted),
    )


def _allocations(spec: BlockSpec) -> list[Allocation]:
    try:
        network = ipaddress.ip_network(spec.cidr, strict=False)
    except ValueError:
        return []
    attributes = spec.attributes or []
    found = []
    for ordinal, index in enumerate((spec.allocations or [])[: network.num_addresses]):
        if index is None:
            continue
        attribute = attributes[index] if 0 <= index < len(attributes) else Attribute()
        about = attribute.secondary or Secondary()
        found.append(
            Allocation(
                ip=str(network.network_address + ordinal),
                node=clean(about.node or ""),
                namespace=clean(about.namespace or ""),
                pod=clean(about.pod or ""),
                kind=clean(about.type or ""),
                handle=clean(attribute.handle_id or ""),
            )
        )
    return found


def affinity(raw: RawAffinity) -> BlockAffinity:
    """A node's claim on a block."""
    spec = raw.spec
    return BlockAffinity(clean(spec.node), clean(spec.cidr), clean(spec.state or ""), _is_true(spec.deleted))


def felix(raw: RawFelix) -> FelixConfiguration:
    """Felix's settings as text: `true`, `1440`, and JSON where a setting is a list or an object."""
    spec: Mapping[str, Any] = raw.spec or {}
    return FelixConfiguration(
        name=clean(raw.metadata.name),
        spec={clean(key): _as_text(value) for key, value in spec.items() if value is not None},
    )


def _as_text(value: object) -> str:
    return clean(value if isinstance(value, str) else msgspec.json.encode(value).decode())


def bgp(raw: RawBGP) -> BGPConfiguration:
    """A BGPConfiguration."""
    spec = raw.spec
    return BGPConfiguration(
        name=clean(raw.metadata.name),
        mesh=spec.mesh,
        as_number=_as_number(spec.as_number),
        listen_port=spec.listen_port,
        service_cidrs=tuple(clean(item.cidr) for item in spec.service_prefixes or () if item.cidr),
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
    )


def policy(kind: str, raw: RawPolicy) -> PolicyRef:
    """A reference to a policy of `kind`, as `calitui.facts.cluster.PolicyRef` names kinds."""
    return PolicyRef(kind, clean(raw.metadata.name), clean(raw.metadata.namespace))


def _as_number(value: int | str | None) -> int | None:
    """An AS number; Calico also accepts the dotted form `1.10`."""
    if not isinstance(value, str):
        return value
    try:
        high, dot, low = value.partition(".")
        return (int(high) << 16) + int(low) if dot else int(high)
    except ValueError:
        return None


def _is_true(value: bool | str | None) -> bool:
    return value is True or (isinstance(value, str) and value.lower() == "true")
