"""Calico's objects of IPAM as facts: pools, blocks, affinities, and how blocks are handed out.

Pure decoding, the same for both API groups; the spelling of IPPools in old manifests (`ipip.enabled`, `nat-outgoing`)
is understood too.
"""

from __future__ import annotations

import ipaddress

import msgspec

from calitui.cluster.calico_objects import Named
from calitui.facts.cluster import Allocation, Block, BlockAffinity, IPAMConfiguration, IPPool
from calitui.facts.text import clean


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
        "disable_bgp_export": "disableBGPExport",
        "allowed_uses": "allowedUses",
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
    disable_bgp_export: bool | None = None
    allowed_uses: list[str] | None = None
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


class ConfigurationSpec(
    msgspec.Struct,
    rename={
        "strict_affinity": "strictAffinity",
        "max_blocks": "maxBlocksPerHost",
        "allocate": "autoAllocateBlocks",
    },
):
    """`ipamconfigs`."""

    strict_affinity: bool | None = None
    max_blocks: int | None = None
    allocate: bool | None = None


class RawConfiguration(msgspec.Struct):
    """The IPAMConfig (IPAMConfiguration in `projectcalico.org/v3`) `default`."""

    metadata: Named = msgspec.field(default_factory=Named)
    spec: ConfigurationSpec = msgspec.field(default_factory=ConfigurationSpec)


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
        disable_bgp_export=bool(spec.disable_bgp_export),
        allowed_uses=tuple(clean(use) for use in spec.allowed_uses or ()),
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


def configuration(raw: RawConfiguration) -> IPAMConfiguration:
    """How blocks are handed out; a setting that is unset is Calico's own default."""
    spec = raw.spec
    return IPAMConfiguration(bool(spec.strict_affinity), spec.max_blocks or 0, spec.allocate is not False)


def _is_true(value: bool | str | None) -> bool:
    return value is True or (isinstance(value, str) and value.lower() == "true")
