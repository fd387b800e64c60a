"""A node of the API as a fact, with what Calico wrote into its annotations."""

from __future__ import annotations

import msgspec

from calitui.cluster.pods import Words
from calitui.facts.cluster import Node
from calitui.facts.text import clean

_PREFIX = "projectcalico.org/"


class Metadata(msgspec.Struct):
    """Who a node is."""

    name: str = ""
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None


class Spec(msgspec.Struct, rename={"pod_cidr": "podCIDR", "pod_cidrs": "podCIDRs"}):
    """The prefixes kube-controller-manager gave it, which Calico's own IPAM ignores."""

    pod_cidr: str | None = None
    pod_cidrs: list[str] | None = None


class Address(msgspec.Struct):
    """`InternalIP`, `ExternalIP`, `Hostname` ..."""

    type: str = ""
    address: str = ""


class Condition(msgspec.Struct):
    """`Ready` and others."""

    type: str = ""
    status: str = ""


class Status(msgspec.Struct):
    """What the kubelet says."""

    addresses: list[Address] | None = None
    conditions: list[Condition] | None = None


class RawNode(msgspec.Struct):
    """The parts of a node that are read at all."""

    metadata: Metadata = msgspec.field(default_factory=Metadata)
    spec: Spec = msgspec.field(default_factory=Spec)
    status: Status = msgspec.field(default_factory=Status)


def node(raw: RawNode, words: Words) -> Node:
    """The fact for a node. Source of the annotations: Calico `libcalico-go/lib/backend/k8s/resources/node.go`."""
    notes = raw.metadata.annotations or {}

    def note(name: str) -> str | None:
        value = notes.get(_PREFIX + name)
        return clean(value) if value else None

    def of_type(kind: str) -> tuple[str, ...]:
        return tuple(clean(item.address) for item in raw.status.addresses or () if item.type == kind and item.address)

    ready = next((item.status for item in raw.status.conditions or () if item.type == "Ready"), None)
    cidrs = raw.spec.pod_cidrs or ([raw.spec.pod_cidr] if raw.spec.pod_cidr else [])
    return Node(
        name=clean(raw.metadata.name),
        internal_ips=of_type("InternalIP"),
        external_ips=of_type("ExternalIP"),
        hostname=next(iter(of_type("Hostname")), ""),
        ready={"True": True, "False": False}.get(ready or ""),
        pod_cidrs=tuple(clean(cidr) for cidr in cidrs),
        bgp_address=note("IPv4Address"),
        bgp_address6=note("IPv6Address"),
        ipip_address=note("IPv4IPIPTunnelAddr"),
        vxlan_address=note("IPv4VXLANTunnelAddr"),
        vxlan_mac=note("VXLANTunnelMACAddr"),
        vxlan_address6=note("IPv6VXLANTunnelAddr"),
        vxlan_mac6=note("VXLANTunnelMACAddrV6"),
        wireguard_key=note("WireguardPublicKey"),
        wireguard_address=note("IPv4WireguardInterfaceAddr"),
        as_number=note("ASNumber"),
        route_reflector_cluster_id=note("RouteReflectorClusterID"),
        labels={words[key]: words[value] for key, value in (raw.metadata.labels or {}).items()},
    )
