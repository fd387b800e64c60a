"""Which BGP sessions this cluster wants: the node-to-node mesh, and what BGPPeers add to it.

Says nothing of which are there. Source: Calico confd, `bird.cfg.template` (mesh: nodes with an address, without a route
reflector cluster ID) and `updatePeersV1` of `backends/calico/client.go` (BGPPeers, and the way back of those between
nodes).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property

from calitui.diagnosis.bgp.selectors import parse
from calitui.diagnosis.scene import Scene, address
from calitui.facts.cluster import BGPConfiguration, BGPPeer, IPPool, Node

MESH = "node-to-node mesh"
DEFAULT_AS = 64512
"""What Calico's nodes use where no AS number is set (confd `globalDefaults`)."""
DEFAULT_PORT = 179


class Wanted:
    """The sessions one scene's cluster wants; `Scene.of(Wanted)` makes it once. Families are 4 and 6."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._cluster = scene.cluster
        self.addresses = {family: dict(_addresses(scene, family)) for family in (4, 6)}
        """By family each node's BGP address; a node without one takes no part in BGP."""
        self.owners = {family: {ip: node for node, ip in found.items()} for family, found in self.addresses.items()}

    @cached_property
    def configuration(self) -> BGPConfiguration:
        """The BGPConfiguration `default`, or one that sets nothing."""
        found = (one for one in self._cluster.bgp if one.name == "default")
        return next(found, BGPConfiguration("default"))

    @property
    def has_mesh(self) -> bool:
        """Whether every node peers with every other."""
        return self.configuration.mesh is not False

    @cached_property
    def unknowable(self) -> str | None:
        """Why the wanted sessions can't be told, None if they can: something was not read or a selector is odd."""
        missing = self._scene.cluster_missing("nodes", "BGPConfigurations", "BGPPeers")
        return missing or next((odd for _, odd in self._read_selectors.values() if odd), None)

    def owner(self, ip: str) -> str | None:
        """The node that an address is of."""
        return self.owners[6 if ":" in ip else 4].get(ip) or self._scene.fabric.node_holding(ip)

    def of(self, node: str, family: int) -> Mapping[str, str]:
        """Peers' addresses, with what wants them, as `MESH` or `BGPPeer tor`."""
        found = dict(self.configured.get((node, family), {}))
        for ip in self.mesh_of(node, family):
            found.setdefault(ip, MESH)
        return found

    def mesh_of(self, node: str, family: int) -> frozenset[str]:
        """The addresses that a node peers with by the mesh."""
        own = self.addresses[family].get(node)
        everyone = self._mesh[family]
        return everyone - {own} if own in everyone else frozenset()

    def is_in_mesh(self, node: str, ip: str) -> bool:
        """Whether a node has a peer by the mesh."""
        family = 6 if ":" in ip else 4
        own, everyone = self.addresses[family].get(node), self._mesh[family]
        return own != ip and own in everyone and ip in everyone

    @cached_property
    def _mesh(self) -> dict[int, frozenset[str]]:
        if not self.has_mesh:
            return {4: frozenset(), 6: frozenset()}
        reflectors = {node.name for node in self._cluster.nodes if node.route_reflector_cluster_id}
        return {
            family: frozenset(ip for node, ip in found.items() if node not in reflectors)
            for family, found in self.addresses.items()
        }

    @cached_property
    def configured(self) -> dict[tuple[str, int], dict[str, str]]:
        """By node and family the peers that BGPPeers give it."""
        found: dict[tuple[str, int], dict[str, str]] = {}

        def add(node: str, ip: str, peer: BGPPeer) -> None:
            family = 6 if ":" in ip else 4
            own = self.addresses[family].get(node)
            if own is not None and own != ip:
                found.setdefault((node, family), {}).setdefault(ip, f"BGPPeer {peer.name}")

        for peer in self._cluster.bgp_peers:
            near = self._selected(peer.node_selector, peer.node)
            if peer.peer_selector:
                far = self._selected(peer.peer_selector, "")
                ips = [own[node] for own in self.addresses.values() for node in far if node in own]
            else:
                named = peer_address(peer.peer_ip)
                ips = [named] if named is not None else []
                far = self._nodes_of(named, peer)
            back = [own[node] for own in self.addresses.values() for node in near if node in own]
            for node in near:
                for ip in ips:
                    add(node, ip, peer)
            for node in far:
                for ip in back:
                    if peer.peer_selector or (":" in ip) is (":" in ips[0]):
                        add(node, ip, peer)
        return found

    def _nodes_of(self, ip: str | None, peer: BGPPeer) -> list[str]:
        """The node that a BGPPeer names by its address, if its AS number is that node's."""
        node = self.owners[6 if ":" in ip else 4].get(ip) if ip is not None else None
        if node is None or self.as_number(node) != (peer.as_number or self.configuration.as_number or DEFAULT_AS):
            return []
        return [node]

    def _selected(self, selector: str, name: str) -> list[str]:
        """The nodes of a BGPPeer's one side: by selector (nobody where it can't be read), else by name, else all."""
        if selector:
            holds, _ = self._read_selectors.get(selector, (None, ""))
            return [node.name for node in self._cluster.nodes if holds is not None and holds(node.labels)]
        return [name] if name else [node.name for node in self._cluster.nodes]

    @cached_property
    def _read_selectors(self) -> dict[str, tuple[Callable[[Mapping[str, str]], bool] | None, str]]:
        """By its text each selector, or None and why it can't be read."""
        found: dict[str, tuple[Callable[[Mapping[str, str]], bool] | None, str]] = {}
        for peer in self._cluster.bgp_peers:
            for text in filter(None, (peer.node_selector, peer.peer_selector)):
                try:
                    found[text] = (parse(text), "")
                except ValueError as error:
                    found[text] = (None, f"the selector of BGPPeer {peer.name} can't be read: {error}")
        return found

    def as_number(self, node: str) -> int:
        """The AS a node says it is in: its own, else the cluster's. The dotted form is two halves of 16 bits."""
        high, _, low = (self._scene.node(node).as_number or "").partition(".")
        try:
            return (int(high) << 16) + int(low) if low else int(high)
        except ValueError:
            return self.configuration.as_number or DEFAULT_AS

    def port(self, node: str | None) -> int:
        """The TCP port that a node's BIRD listens on."""
        ports = {one.name: one.listen_port for one in self._cluster.bgp}
        return ports.get(f"node.{node}") or ports.get("default") or DEFAULT_PORT

    def is_node_of_its_own(self, node: str | None) -> bool:
        """Whether a peer brings its own blocks only: a node that reflects nobody's routes."""
        return node is not None and not self._scene.node(node).route_reflector_cluster_id

    # who writes the routes

    @cached_property
    def pools_by_bird(self) -> tuple[IPPool, ...]:
        """The pools whose routes between nodes come by BGP and are written by BIRD.

        VXLAN's are always Felix's; `programClusterRoutes` of both says whose the others are. Source: Calico
        `design/cluster-route-programming/DESIGN.md`.
        """
        felix = self._scene.felix("", "programClusterRoutes") or ""
        if not felix:
            felix = "EnabledIPIPOnly" if self._scene.is_since(3, 33) else "Disabled"

        def is_felix(pool: IPPool) -> bool:
            if pool.vxlan_mode != "Never" or pool.ipip_mode == "as Felix decides":
                return True
            return felix in ("Enabled", "EnabledNoEncapOnly" if pool.ipip_mode == "Never" else "EnabledIPIPOnly")

        return tuple(pool for pool in self._scene.fabric.pools if not pool.disable_bgp_export and not is_felix(pool))

    def uses_bgp(self, is_seen: bool) -> bool | None:
        """Whether nodes are to run BIRD; `is_seen` says that one does. None where the cluster does not tell.

        ClusterInformation's `clusterType` has `bgp` where calico-node's environment says so, which the manifests for
        VXLAN do too: there BIRD runs only with `CALICO_NETWORKING_BACKEND=bird`, so seeing one is what tells.
        """
        if is_seen:
            return True
        kinds = self._cluster.cluster_type.lower().split(",")
        if any(kinds) and "bgp" not in kinds:
            return False
        pools = self._scene.fabric.pools
        if pools and all(pool.vxlan_mode != "Never" for pool in pools):
            return False
        return True if any(kinds) else None


def _addresses(scene: Scene, family: int) -> Iterator[tuple[str, str]]:
    for node in scene.cluster.nodes:
        found = address(bgp_address(node, family))
        if found is not None and found.version == family:
            yield node.name, str(found)


def bgp_address(node: Node, family: int) -> str | None:
    """The annotation that gives a node's address to its peers."""
    return node.bgp_address6 if family == 6 else node.bgp_address


def peer_address(text: str) -> str | None:
    """The address of a BGPPeer's `peerIP`, which may have a port: `10.0.0.1:178`, `[fd00::1]:178`."""
    bare = text[1:].partition("]")[0] if text.startswith("[") else text
    if bare.count(":") == 1:
        bare = bare.partition(":")[0]
    found = address(bare)
    return None if found is None else str(found)
