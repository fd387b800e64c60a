"""What a node's routes should be, by what this cluster says of itself: pools, IPAM, node addresses and their masks.

Nothing is expected by habit: a claim on addresses comes from an IPAM block (or, with host-local IPAM, from a podCIDR),
the next hop from the owner's annotation, the device from the pool's mode and the nodes' masks. What can't be said is
None.
"""

from __future__ import annotations

from enum import StrEnum
from functools import cached_property

import msgspec

from calitui.diagnosis.scene import Scene, address, network
from calitui.facts.cluster import IPPool, Node

_HOST = "affinity host:"


class Carriage(StrEnum):
    """How packets get from one node to another's pods."""

    PLAIN = "none"
    IPIP = "IPIP"
    VXLAN = "VXLAN"


class Claim(msgspec.Struct, frozen=True):
    """A prefix of pod addresses that belongs to a node. `source` is the object that says so, for evidence."""

    cidr: str
    node: str
    source: str
    pool: IPPool | None

    family: int = 4


class Expected(msgspec.Struct, frozen=True):
    """The route a node should have to a claim of another. `next_hop` is the gateway, None where it is not known.

    `on_link` is whether the owner's address is in the node's own subnet; None where a mask is not known, or where it
    does not matter because everything goes through a tunnel.
    """

    claim: Claim
    carriage: Carriage
    next_hop: str | None
    on_link: bool | None


class Expectation:
    """The expectations of one scene."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._routes: dict[tuple[str, str, bool | None], Expected | None] = {}

    @cached_property
    def claims(self) -> tuple[Claim, ...]:
        """The claims in question. Blocks of nodes that the API does not know are none, nor are LoadBalancer pools'."""
        cluster = self._scene.cluster
        known = {node.name for node in cluster.nodes}
        found = [
            Claim(
                block.cidr, block.node, f"API IPAMBlock {block.cidr}: affinity host:{block.node}", self.pool(block.cidr)
            )
            for block in self._scene.blocks
            if block.node in known and block.node is not None
        ]
        if not cluster.blocks:
            found = self._of_pod_cidrs()
        return tuple(claim for claim in found if claim.pool is None or claim.pool.allowed_uses != ("LoadBalancer",))

    def _of_pod_cidrs(self) -> list[Claim]:
        """With host-local IPAM there are no blocks: a node's prefix is its podCIDR, if its pods are really in it."""
        scene = self._scene
        found = []
        for node in scene.cluster.nodes:
            for cidr in node.pod_cidrs:
                around, pool = network(cidr), self.pool(cidr)
                pods = [address(ip) for pod in scene.pods if pod.node == node.name for ip in pod.ips]
                if around is not None and pool is not None and any(ip in around for ip in pods if ip is not None):
                    found.append(
                        Claim(str(around), node.name, f"API Node {node.name} podCIDR: {cidr}", pool, _family(cidr))
                    )
        return found

    def unknowable(self) -> str | None:
        """Why nothing can be expected of routes at all, None if something can."""
        missing = self._scene.cluster_missing("nodes", "IPPools", "IPAM blocks")
        if missing is not None:
            return missing
        if not self._scene.fabric.pools:
            return "no IPPool was read"
        return None

    def pool(self, cidr: str) -> IPPool | None:
        """The pool with the longest prefix around a block."""
        around = network(cidr)
        return None if around is None else self._scene.fabric.pool_of(str(around.network_address))

    def route(self, node: str, claim: Claim) -> Expected | None:
        """What `node` should have towards a claim of another node, None where that can't be said."""
        on_link = self.on_link(node, claim.node, claim.family) if _depends_on_masks(claim) else None
        key = (claim.cidr, claim.node, on_link)
        if key not in self._routes:
            self._routes[key] = self._expected(claim, on_link)
        return self._routes[key]

    def _expected(self, claim: Claim, on_link: bool | None) -> Expected | None:
        pool = claim.pool
        if pool is None or (pool.disable_bgp_export and pool.vxlan_mode == "Never"):
            return None
        carriage = _carriage(pool, claim.family, on_link)
        if carriage is None:
            return None
        if carriage is Carriage.VXLAN:
            owner = self._scene.node(claim.node)
            gateway = owner.vxlan_address6 if claim.family == 6 else owner.vxlan_address
        else:
            gateway = self.address(claim.node, claim.family)
        return Expected(claim, carriage, gateway, on_link)

    def address(self, node: str, family: int) -> str | None:
        """The address by which the others reach a node: Calico's annotation, else its InternalIP."""
        return self._addresses[family].get(node)

    def on_link(self, node: str, other: str, family: int) -> bool | None:
        """Whether the other node's address lies in the node's own subnet, by the mask of its annotation.

        Source: confd's bird_ipam.cfg template compares the next hop with the node's own network (CrossSubnet).
        """
        subnet, far = self._networks[family].get(node), self._numbers[family].get(other)
        return None if subnet is None or far is None else far & subnet[1] == subnet[0]

    @cached_property
    def _addresses(self) -> dict[int, dict[str, str]]:
        found: dict[int, dict[str, str]] = {4: {}, 6: {}}
        for node in self._scene.cluster.nodes:
            for family in (4, 6):
                annotated = address(_annotated(node, family))
                internal = (ip for text in node.internal_ips if (ip := address(text)) is not None)
                chosen = annotated or next((ip for ip in internal if ip.version == family), None)
                if chosen is not None:
                    found[family][node.name] = str(chosen)
        return found

    @cached_property
    def _numbers(self) -> dict[int, dict[str, int]]:
        return {
            family: {name: int(found) for name, ip in held.items() if (found := address(ip)) is not None}
            for family, held in self._addresses.items()
        }

    @cached_property
    def _networks(self) -> dict[int, dict[str, tuple[int, int]]]:
        """Each node's own subnet as numbers: the prefix and its mask."""
        return {
            family: {
                node.name: (int(subnet.network_address), int(subnet.netmask))
                for node in self._scene.cluster.nodes
                if (subnet := network(_annotated(node, family))) is not None
            }
            for family in (4, 6)
        }

    @cached_property
    def is_full_mesh(self) -> bool:
        """Whether nodes peer with each other and nobody else, so that no router can know pods' prefixes by BGP."""
        cluster = self._scene.cluster
        default = next((one for one in cluster.bgp if one.name == "default"), None)
        return (default is None or default.mesh is not False) and not cluster.bgp_peers


def _family(cidr: str) -> int:
    return 6 if ":" in cidr else 4


def _depends_on_masks(claim: Claim) -> bool:
    """Whether it matters if two nodes share a subnet: not where everything goes through a tunnel."""
    pool = claim.pool
    return pool is not None and "Always" not in (pool.ipip_mode if claim.family == 4 else "Never", pool.vxlan_mode)


def _annotated(node: Node, family: int) -> str | None:
    return node.bgp_address6 if family == 6 else node.bgp_address


def _carriage(pool: IPPool, family: int, on_link: bool | None) -> Carriage | None:
    """The pool's mode between two nodes; None where it depends on a mask that is not known, or on Felix alone."""
    ipip = pool.ipip_mode if family == 4 else "Never"
    for mode, carriage in ((ipip, Carriage.IPIP), (pool.vxlan_mode, Carriage.VXLAN)):
        if mode == "Always":
            return carriage
        if mode == "CrossSubnet":
            return None if on_link is None else Carriage.PLAIN if on_link else carriage
        if mode != "Never":
            return None
    return Carriage.PLAIN
