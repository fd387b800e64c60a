"""What a lab is made of, as data: pods, nodes, routers, the networks between them, and a cluster of all that.

A description says what is to be there, not how it is built.
"""

from __future__ import annotations

import hashlib
import ipaddress
import uuid
from collections.abc import Iterable

import msgspec

AS_NUMBER = 64512
"""Calico's default private AS."""

_UUIDS = uuid.UUID("6f0f2d0a-5d43-4c6c-9c39-3a2f1a0b9f31")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class PodSpec(msgspec.Struct, frozen=True):
    """A pod. `ip` is None for a host-network pod: it has its node's addresses. `ip6` is its IPv6 address, if any."""

    namespace: str
    name: str
    ip: str | None = None
    labels: dict[str, str] = {}
    ip6: str | None = None

    @property
    def key(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"

    @property
    def ips(self) -> tuple[str, ...]:
        """Its own addresses, IPv4 first."""
        return tuple(ip for ip in (self.ip, self.ip6) if ip)

    @property
    def veth(self) -> str:
        """The host end's name: VethNameForWorkload in libcalico-go's workload_endpoint_default.go."""
        return "cali" + hashlib.sha1(f"{self.namespace}.{self.name}".encode(), usedforsecurity=False).hexdigest()[:11]

    @property
    def mac(self) -> str:
        """The container end's address: always the same for a pod, so that recordings of the lab can be compared."""
        return "02:" + _mac_tail(self.uid.bytes)

    @property
    def uid(self) -> uuid.UUID:
        """The object's uid in the API."""
        return uuid.uuid5(_UUIDS, self.key)

    @property
    def netns(self) -> str:
        """Its network namespace below /run/netns on the node, named as containerd names them."""
        return f"cni-{uuid.uuid5(self.uid, 'netns')}"

    @property
    def container_id(self) -> str:
        """The sandbox's id: IPAM handles are made of it."""
        return hashlib.sha256(self.key.encode()).hexdigest()


class NodeSpec(msgspec.Struct, frozen=True):
    """A node. `address` is that of eth0, `uplinks` those of eth1 and so on; `blocks` have affinity to it.

    `tunnel` is the tunnel device's address where it is not the first of the first block. `rules` and `routes` are what
    somebody added by hand, in the words of `ip rule add` and `ip route add`.
    """

    name: str
    address: str
    blocks: tuple[str, ...] = ()
    pods: tuple[PodSpec, ...] = ()
    uplinks: tuple[str, ...] = ()
    address6: str | None = None
    tunnel: str | None = None
    as_number: int = AS_NUMBER
    rules: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()

    @property
    def addresses(self) -> tuple[str, ...]:
        """The IPv4 addresses of eth0, eth1 and so on."""
        return (self.address, *self.uplinks)

    @property
    def workloads(self) -> tuple[PodSpec, ...]:
        """The pods with an interface of their own."""
        return tuple(pod for pod in self.pods if pod.ip is not None)

    @property
    def tunnel_address(self) -> str | None:
        """The tunnel device's address: the first of the node's first block where Calico finds it free at start-up."""
        return self.tunnel or next((str(ipaddress.ip_network(block)[0]) for block in self.blocks), None)

    @property
    def vtep_mac(self) -> str:
        """The MAC of vxlan.calico: 66: and a hash of the node's name, as Felix makes it."""
        return "66:" + _mac_tail(hashlib.sha1(self.name.encode(), usedforsecurity=False).digest())


class RouterSpec(msgspec.Struct, frozen=True):
    """A router of the underlay, outside of the cluster, with an interface in each network of `addresses`.

    It speaks BGP to the nodes that are its neighbours if it has an `as_number`; in their own AS it reflects routes.
    `routes` are its own, in the words of `ip route add`.
    """

    name: str
    addresses: tuple[str, ...]
    as_number: int | None = None
    routes: tuple[str, ...] = ()

    @property
    def address(self) -> str:
        """What it is reached by."""
        return self.addresses[0]


class Subnet(msgspec.Struct, frozen=True):
    """A network of the underlay: one link. `cidr6` is its IPv6 prefix where it has one."""

    cidr: str
    cidr6: str | None = None

    @property
    def length(self) -> str:
        """The prefix length, as text."""
        return self.cidr.rpartition("/")[2]

    @property
    def gateway(self) -> str:
        """The default gateway. A node without a default route does not answer ARP for 169.254.1.1 on a veth."""
        return str(ipaddress.ip_network(self.cidr)[1])

    @property
    def gateway6(self) -> str | None:
        """The default gateway for IPv6."""
        return str(ipaddress.ip_network(self.cidr6)[1]) if self.cidr6 else None

    def holds(self, address: str) -> bool:
        """Whether an address is on this link."""
        return ipaddress.ip_address(address) in ipaddress.ip_network(self.cidr)


class PoolSpec(msgspec.Struct, frozen=True):
    """An IPPool, with Calico's own words for the modes."""

    cidr: str
    name: str = "default-ipv4-ippool"
    ipip_mode: str = "Never"
    vxlan_mode: str = "Never"
    nat_outgoing: bool = True

    @property
    def network(self) -> Network:
        """The CIDR as a network."""
        return ipaddress.ip_network(self.cidr)


class ClusterSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A cluster.

    `pod_mtu` is that of both ends of the pods' veths, `tunnel_mtu` that of the tunnel device. The client is in the
    first of `subnets`. `mesh` is off where nodes peer with routers instead. With `masquerade` the nodes' kernels really
    do what the pools' `nat_outgoing` says. `pairs` are ends whose packets are worth following, the first one most.
    """

    name: str
    title: str
    pools: tuple[PoolSpec, ...]
    pod_mtu: int
    tunnel_mtu: int | None = None
    nodes: tuple[NodeSpec, ...]
    calico_version: str = "v3.1.3"
    subnets: tuple[Subnet, ...] = (Subnet("10.173.32.0/24"),)
    routers: tuple[RouterSpec, ...] = ()
    mesh: bool = True
    masquerade: bool = False
    pairs: tuple[tuple[str, str], ...]

    @property
    def ipip(self) -> bool:
        """Whether packets between nodes may be carried in IPIP."""
        return any(pool.ipip_mode != "Never" for pool in self.pools)

    @property
    def vxlan(self) -> bool:
        """Whether packets between nodes may be carried in VXLAN; then Felix writes the routes, and no BIRD runs."""
        return any(pool.vxlan_mode != "Never" for pool in self.pools)

    @property
    def tunnel_device(self) -> str | None:
        """The device that packets between nodes may leave by, Calico's name for it."""
        if self.ipip:
            return "tunl0"
        return "vxlan.calico" if self.vxlan else None

    @property
    def dual_stack(self) -> bool:
        """Whether pods have IPv6 addresses too."""
        return any(pool.network.version == 6 for pool in self.pools)

    @property
    def client(self) -> str:
        """The address of the namespace where calitui and the API server run."""
        return str(ipaddress.ip_network(self.subnets[0].cidr)[2])

    @property
    def machines(self) -> tuple[NodeSpec | RouterSpec, ...]:
        """Everything that boots."""
        return (*self.nodes, *self.routers)

    def is_since(self, major: int, minor: int) -> bool:
        """Whether the cluster's Calico is of that version or a later one."""
        parts = self.calico_version.removeprefix("v").split(".")
        return (int(parts[0]), int(parts[1])) >= (major, minor)

    def node(self, name: str) -> NodeSpec:
        """The node of that name."""
        return next(node for node in self.nodes if node.name == name)

    def subnet_of(self, address: str) -> Subnet:
        """The network that an address is in."""
        return next(subnet for subnet in self.subnets if subnet.holds(address))

    def others(self, node: NodeSpec) -> tuple[NodeSpec, ...]:
        """All the other nodes: the other ends of its BGP sessions in a full mesh."""
        return tuple(other for other in self.nodes if other != node)

    def is_tunnelled(self, node: NodeSpec, other: NodeSpec) -> bool:
        """Whether pods' packets from one node to the other go through the tunnel device."""
        modes = {mode for pool in self.pools for mode in (pool.ipip_mode, pool.vxlan_mode)}
        if "CrossSubnet" in modes:
            return not self.subnet_of(node.address).holds(other.address)
        return "Always" in modes

    def borrowed(self, node: NodeSpec) -> tuple[PodSpec, ...]:
        """The node's pods with an address out of another node's block."""
        return tuple(pod for pod in node.workloads if pod.ip and not holds(node.blocks, pod.ip))

    def addresses_of(self, end: str) -> tuple[str, ...]:
        """The addresses of `namespace/name`, its node's for a host-network pod; an address stands for itself."""
        if "/" not in end:
            return (end,)
        node, pod = self.find(end)
        return pod.ips or tuple(ip for ip in (node.address, node.address6) if ip)

    def find(self, key: str) -> tuple[NodeSpec, PodSpec]:
        """The pod `namespace/name` and its node."""
        return next((node, pod) for node in self.nodes for pod in node.pods if pod.key == key)


def holds(blocks: Iterable[str], address: str) -> bool:
    """Whether one of the prefixes contains the address."""
    return any(ipaddress.ip_address(address) in ipaddress.ip_network(block) for block in blocks)


def of_family(prefixes: Iterable[str], family: int) -> tuple[str, ...]:
    """Those prefixes or addresses that are IPv4 (4) or IPv6 (6)."""
    return tuple(prefix for prefix in prefixes if (":" in prefix) is (family == 6))


def _mac_tail(data: bytes) -> str:
    return ":".join(f"{byte:02x}" for byte in data[:5])
