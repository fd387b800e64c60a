"""What the Kubernetes API says: pods, nodes, and the Calico objects that decide how this cluster routes.

Every collection may be empty because it is, or because it could not be read: `Cluster.missing` tells which. Fields
keep Calico's own names and values where it has them (`Always`, `CrossSubnet`, `Never`).
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from calitui.facts.missing import Missing


class Pod(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A pod. `ips` holds what the CNI wrote (annotation `cni.projectcalico.org/podIPs`), else `status.podIPs`; it is
    empty for a pod that has none yet and for a finished one. `status` is the word of kubectl's STATUS column, `phase`
    the API's. `created` is seconds since the epoch, None if unreadable.

    Pods are kept out of garbage collection, as they are never part of a cycle and there may be 100,000 of them.
    """

    namespace: str
    name: str
    node: str = ""
    ips: tuple[str, ...] = ()
    phase: str = ""
    status: str = ""
    host_network: bool = False
    created: float | None = None
    labels: dict[str, str] = {}
    uid: str = ""

    @property
    def is_finished(self) -> bool:
        """Whether its containers ended for good: its address may belong to somebody else by now."""
        return self.phase in ("Succeeded", "Failed")


class Node(msgspec.Struct, frozen=True, omit_defaults=True):
    """A node. `bgp_address` is the annotation `projectcalico.org/IPv4Address`, with its mask (`10.0.0.9/24`);
    `ipip_address`, `vxlan_address`, `vxlan_mac` and `wireguard_address` are the tunnel annotations Calico writes.
    """

    name: str
    internal_ips: tuple[str, ...] = ()
    external_ips: tuple[str, ...] = ()
    hostname: str = ""
    ready: bool | None = None
    pod_cidrs: tuple[str, ...] = ()
    wireguard_key: str | None = None
    bgp_address: str | None = None
    bgp_address6: str | None = None
    ipip_address: str | None = None
    vxlan_address: str | None = None
    vxlan_mac: str | None = None
    vxlan_address6: str | None = None
    vxlan_mac6: str | None = None
    wireguard_address: str | None = None
    as_number: str | None = None
    route_reflector_cluster_id: str | None = None
    labels: dict[str, str] = {}


class IPPool(msgspec.Struct, frozen=True, omit_defaults=True):
    """A pool of pod addresses and how packets between its blocks are carried. Unset modes are `Never`."""

    name: str
    cidr: str
    ipip_mode: str = "Never"
    vxlan_mode: str = "Never"
    nat_outgoing: bool = False
    disabled: bool = False
    block_size: int | None = None
    node_selector: str = ""
    disable_bgp_export: bool = False
    allowed_uses: tuple[str, ...] = ()


class Allocation(msgspec.Struct, frozen=True, omit_defaults=True):
    """One address handed out of a block: to a pod (`namespace`, `pod`) or a tunnel (`kind` `ipipTunnelAddress` ...), on
    `node`, which is not the block's own node when the address is borrowed.
    """

    ip: str
    node: str = ""
    namespace: str = ""
    pod: str = ""
    kind: str = ""
    handle: str = ""


class Block(msgspec.Struct, frozen=True, omit_defaults=True):
    """An IPAM block. `node` is its affinity (`host:NAME`) or None."""

    cidr: str
    node: str | None = None
    allocations: tuple[Allocation, ...] = ()
    deleted: bool = False


class BlockAffinity(msgspec.Struct, frozen=True, omit_defaults=True):
    """A node's claim on a block. BIRD exports it only when `state` is `confirmed`."""

    node: str
    cidr: str
    state: str = ""
    deleted: bool = False


class FelixConfiguration(msgspec.Struct, frozen=True, omit_defaults=True):
    """`name` is `default` or `node.NAME`; `spec` holds its settings as text, under their own names."""

    name: str
    spec: dict[str, str] = {}


class BGPConfiguration(msgspec.Struct, frozen=True, omit_defaults=True):
    """`name` is `default` or `node.NAME`. The node-to-node mesh is on unless `mesh` is False; None is unset.

    `program_cluster_routes` is `programClusterRoutes` (`Enabled`, `Disabled`), "" where unset.
    """

    name: str
    mesh: bool | None = None
    as_number: int | None = None
    listen_port: int | None = None
    service_cidrs: tuple[str, ...] = ()
    program_cluster_routes: str = ""


class BGPPeer(msgspec.Struct, frozen=True, omit_defaults=True):
    """A configured BGP peering. An empty `node` and `node_selector` means every node."""

    name: str
    peer_ip: str = ""
    as_number: int | None = None
    node: str = ""
    node_selector: str = ""
    peer_selector: str = ""
    next_hop_mode: str = ""
    keep_original_next_hop: bool = False


class IPAMConfiguration(msgspec.Struct, frozen=True, omit_defaults=True):
    """How IPAM hands out blocks. `max_blocks_per_host` 0 is no limit of its own. Nodes borrow from each other's blocks
    unless `strict_affinity`.
    """

    strict_affinity: bool = False
    max_blocks_per_host: int = 0
    auto_allocate_blocks: bool = True


class StatusPeer(msgspec.Struct, frozen=True, omit_defaults=True):
    """A BGP session in a CalicoNodeStatus: `kind` `NodeMesh`, `NodePeer` or `GlobalPeer`, `state` BGP's own."""

    ip: str
    kind: str = ""
    state: str = ""
    since: str = ""


class NodeStatus(msgspec.Struct, frozen=True, omit_defaults=True):
    """A CalicoNodeStatus: what calico-node of `node` wrote about its BIRDs at `last_updated` (seconds since the epoch).

    It is there only where somebody created one. `update_period` is in seconds, 0 where it is not updated any more;
    `classes` what it tells of (`Agent`, `BGP`, `Routes`). `bird`/`bird6` are the agents' states (`Ready`, `NotReady`,
    `Unknown`), "" where not told.
    """

    name: str
    node: str
    classes: tuple[str, ...] = ()
    update_period: int = 0
    last_updated: float | None = None
    bird: str = ""
    bird6: str = ""
    peers: tuple[StatusPeer, ...] = ()


class PolicyRef(msgspec.Struct, frozen=True, omit_defaults=True):
    """A policy there is. `kind` is `NetworkPolicy`, `CalicoNetworkPolicy` or `GlobalNetworkPolicy` (no namespace)."""

    kind: str
    name: str
    namespace: str = ""


class Cluster(msgspec.Struct, frozen=True, omit_defaults=True):
    """Everything that was read from one Kubernetes API.

    `datastore` is `kdd` where Calico's objects are in the API, `etcd` where Calico is there but they are not, "" when
    not known. `calico_group` is the API group that was read. `read_at` is seconds since the epoch.
    `service_cidrs` are the prefixes of Services that the cluster tells (ServiceCIDR objects), `service_ips` the
    addresses of the Service `default/kubernetes`, which lie in one even where no prefix is told.
    `policies` is None when no kind of policy could be counted; kinds that could not are in `missing` as
    `NetworkPolicies`, `Calico NetworkPolicies`, `GlobalNetworkPolicies`.
    """

    context: str = ""
    server: str = ""
    namespace: str = "default"
    kubernetes_version: str = ""
    calico_version: str = ""
    cluster_type: str = ""
    datastore: str = ""
    datastore_ready: bool | None = None
    calico_group: str = ""
    read_at: float = 0.0
    pods: tuple[Pod, ...] = ()
    nodes: tuple[Node, ...] = ()
    pools: tuple[IPPool, ...] = ()
    blocks: tuple[Block, ...] = ()
    affinities: tuple[BlockAffinity, ...] = ()
    felix: tuple[FelixConfiguration, ...] = ()
    bgp: tuple[BGPConfiguration, ...] = ()
    bgp_peers: tuple[BGPPeer, ...] = ()
    ipam: IPAMConfiguration | None = None
    node_statuses: tuple[NodeStatus, ...] = ()
    service_cidrs: tuple[str, ...] = ()
    service_ips: tuple[str, ...] = ()
    policies: tuple[PolicyRef, ...] | None = None
    missing: tuple[Missing, ...] = ()


class Freshness(StrEnum):
    """How much a list can be trusted to be the cluster of this moment."""

    LOADING = "loading"
    """Pages are still coming: what is here is true, more will follow."""
    LIVE = "live"
    """A watch follows the cluster."""
    STALE = "stale"
    """The watch is cut; `Inventory.since` says since when."""
    RECORDED = "recorded"
    """A snapshot: nothing follows."""


class Inventory(msgspec.Struct, frozen=True):
    """A cluster and how fresh it is. `since` (seconds since the epoch) and `reason` belong to `STALE`."""

    cluster: Cluster
    freshness: Freshness
    since: float | None = None
    reason: str = ""
