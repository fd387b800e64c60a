"""Clusters that route in the other ways Calico knows, as data: VXLAN, CrossSubnet, routers, ECMP, IPv6, policy routing.

Each is as small as shows its way: two or three nodes, a few pods, addresses of its own. All have pods of a shop.
"""

from __future__ import annotations

from tests.lab.spec import ClusterSpec, NodeSpec, PodSpec, PoolSpec, RouterSpec, Subnet
from tests.lab.workloads import deployed, dns, system

POOL = "10.244.0.0/16"
POOL6 = "fd00:10:244::/48"


def _two_racks(cluster: str, network: str) -> tuple[tuple[Subnet, ...], tuple[NodeSpec, ...], tuple[PodSpec, ...]]:
    """Two nodes in one subnet, a third behind a router, and a pod on each, two on the first."""
    cart, web = deployed("cart", 1, "10.244.11.5"), deployed("web", 1, "10.244.11.6")
    orders, search = deployed("orders", 1, "10.244.12.7"), deployed("search", 1, "10.244.21.8")
    subnets = (Subnet(f"{network}.1.0/24"), Subnet(f"{network}.2.0/24"))
    nodes = (
        NodeSpec(
            "rack1-node1",
            f"{network}.1.11",
            ("10.244.11.0/26",),
            (cart, web, *system("rack1-node1", cluster, control_plane=True)),
        ),
        NodeSpec("rack1-node2", f"{network}.1.12", ("10.244.12.0/26",), (orders, *system("rack1-node2", cluster))),
        NodeSpec(
            "rack2-node1",
            f"{network}.2.11",
            ("10.244.21.0/26",),
            (search, dns(cluster, 1, "10.244.21.9"), *system("rack2-node1", cluster)),
        ),
    )
    return subnets, nodes, (cart, web, orders, search)


def _vxlan() -> ClusterSpec:
    cart, web = deployed("cart", 1, "10.244.226.65"), deployed("web", 1, "10.244.226.66")
    orders = deployed("orders", 1, "10.244.133.130")
    # An address of worker-1's block on worker-2: what IPAM does when a node may have no more blocks of its own.
    borrower = deployed("report", 1, "10.244.226.70")
    host = system("worker-2", "vxlan")
    return ClusterSpec(
        name="vxlan",
        title="Calico v3.32, VXLAN Always",
        calico_version="v3.32.1",
        pools=(PoolSpec(POOL, vxlan_mode="Always"),),
        pod_mtu=1450,
        tunnel_mtu=1450,
        masquerade=True,
        subnets=(Subnet("10.50.0.0/24"),),
        nodes=(
            NodeSpec(
                "control-1",
                "10.50.0.10",
                ("10.244.34.0/26",),
                (dns("vxlan", 1, "10.244.34.3"), *system("control-1", "vxlan", control_plane=True)),
            ),
            NodeSpec("worker-1", "10.50.0.11", ("10.244.226.64/26",), (cart, web, *system("worker-1", "vxlan"))),
            # Its first address was taken when Felix asked for one, so its VTEP is another one of the block.
            NodeSpec(
                "worker-2", "10.50.0.12", ("10.244.133.128/26",), (orders, borrower, *host), tunnel="10.244.133.132"
            ),
        ),
        pairs=(
            (cart.key, orders.key),
            (cart.key, web.key),
            (borrower.key, cart.key),
            # Out of the pools: masqueraded. A node, and the client, which is no part of the cluster.
            (orders.key, "10.50.0.11"),
            (orders.key, "10.50.0.2"),
            # From a node: the kernel chooses the tunnel device's address.
            (host[0].key, cart.key),
        ),
    )


def _cross_subnet() -> ClusterSpec:
    subnets, nodes, (cart, web, orders, search) = _two_racks("crosssubnet", "10.60")
    return ClusterSpec(
        name="crosssubnet",
        title="Calico v3.31, VXLAN CrossSubnet",
        calico_version="v3.31.3",
        pools=(PoolSpec(POOL, vxlan_mode="CrossSubnet"),),
        pod_mtu=1450,
        tunnel_mtu=1450,
        masquerade=True,
        subnets=subnets,
        routers=(RouterSpec("router", ("10.60.1.1", "10.60.2.1")),),
        nodes=nodes,
        pairs=(
            (cart.key, search.key),
            (cart.key, orders.key),
            (cart.key, web.key),
            (search.key, nodes[0].pods[-1].key),
            (nodes[0].pods[-1].key, orders.key),
        ),
    )


def _ipip_cross_subnet() -> ClusterSpec:
    subnets, nodes, (cart, _, orders, search) = _two_racks("ipip-crosssubnet", "10.61")
    return ClusterSpec(
        name="ipip-crosssubnet",
        title="Calico v3.28, IPIP CrossSubnet",
        calico_version="v3.28.2",
        pools=(PoolSpec(POOL, ipip_mode="CrossSubnet"),),
        pod_mtu=1480,
        tunnel_mtu=1480,
        subnets=subnets,
        routers=(RouterSpec("router", ("10.61.1.1", "10.61.2.1")),),
        nodes=nodes,
        pairs=((cart.key, search.key), (cart.key, orders.key), (nodes[2].pods[-1].key, cart.key)),
    )


def _router() -> ClusterSpec:
    subnets, nodes, (cart, _, orders, search) = _two_racks("router", "10.62")
    return ClusterSpec(
        name="router",
        title="Calico v3.29, no encapsulation, BGP with the router between the racks",
        calico_version="v3.29.1",
        pools=(PoolSpec(POOL),),
        pod_mtu=1500,
        masquerade=True,
        mesh=False,
        subnets=subnets,
        routers=(RouterSpec("tor", ("10.62.1.1", "10.62.2.1"), as_number=64512),),
        nodes=nodes,
        pairs=((cart.key, search.key), (cart.key, orders.key)),
    )


def _ecmp() -> ClusterSpec:
    """Every node has two uplinks, each to a spine of its own, and an AS of its own.

    The spines know each other too, so that the client in one fabric can look into the other.
    """
    cart, orders = deployed("cart", 1, "10.244.11.5"), deployed("orders", 1, "10.244.21.7")
    web, search = deployed("web", 1, "10.244.11.6"), deployed("search", 1, "10.244.21.8")
    return ClusterSpec(
        name="ecmp",
        title="Calico v3.30, no encapsulation, two uplinks (ECMP)",
        calico_version="v3.30.3",
        pools=(PoolSpec(POOL),),
        pod_mtu=1500,
        masquerade=True,
        mesh=False,
        subnets=(
            Subnet("10.63.1.0/24"),
            Subnet("10.63.2.0/24"),
            Subnet("10.64.1.0/24"),
            Subnet("10.64.2.0/24"),
            Subnet("10.62.0.0/24"),
        ),
        routers=(
            RouterSpec("spine-a", ("10.63.1.1", "10.63.2.1", "10.62.0.1"), 65001, ("10.64.0.0/16 via 10.62.0.2",)),
            RouterSpec("spine-b", ("10.64.1.1", "10.64.2.1", "10.62.0.2"), 65002, ("10.63.0.0/16 via 10.62.0.1",)),
        ),
        nodes=(
            NodeSpec(
                "rack1-node1",
                "10.63.1.11",
                ("10.244.11.0/26",),
                (cart, web, *system("rack1-node1", "ecmp", control_plane=True)),
                uplinks=("10.64.1.11",),
                as_number=65011,
            ),
            NodeSpec(
                "rack2-node1",
                "10.63.2.11",
                ("10.244.21.0/26",),
                (orders, search, *system("rack2-node1", "ecmp")),
                uplinks=("10.64.2.11",),
                as_number=65012,
            ),
        ),
        pairs=tuple((one.key, other.key) for one in (cart, web) for other in (orders, search)),
    )


def _dual_stack() -> ClusterSpec:
    cart = deployed("cart", 1, "10.244.166.133", "fd00:10:244:a685::5")
    web = deployed("web", 1, "10.244.166.134", "fd00:10:244:a685::6")
    orders = deployed("orders", 1, "10.244.104.7", "fd00:10:244:6807::47")
    return ClusterSpec(
        name="dualstack",
        title="Calico v3.29, IPv4 and IPv6, BGP without encapsulation",
        calico_version="v3.29.1",
        pools=(PoolSpec(POOL), PoolSpec(POOL6, "default-ipv6-ippool", nat_outgoing=False)),
        pod_mtu=1500,
        masquerade=True,
        subnets=(Subnet("10.65.0.0/24", "fd00:65::/64"),),
        nodes=(
            NodeSpec(
                "control-1",
                "10.65.0.10",
                pods=system("control-1", "dualstack", control_plane=True),
                address6="fd00:65::10",
            ),
            NodeSpec(
                "worker-1",
                "10.65.0.11",
                ("10.244.166.128/26", "fd00:10:244:a685::/122"),
                (cart, web, *system("worker-1", "dualstack")),
                address6="fd00:65::11",
            ),
            NodeSpec(
                "worker-2",
                "10.65.0.12",
                ("10.244.104.0/26", "fd00:10:244:6807::40/122"),
                (orders, *system("worker-2", "dualstack")),
                address6="fd00:65::12",
            ),
        ),
        pairs=((cart.key, orders.key), (cart.key, web.key)),
    )


_MARKED = "not fwmark 0x200000/0x200000 priority 99 lookup 1"
"""The rule that Felix makes for WireGuard; here its table leads to a second network instead of a tunnel."""


def _policy_routing() -> ClusterSpec:
    cart, orders = deployed("cart", 1, "10.244.11.5"), deployed("orders", 1, "10.244.12.7")
    web, search = deployed("web", 1, "10.244.11.6"), deployed("search", 1, "10.244.13.8")
    throws = ("throw 10.244.13.0/26 table 1",)
    return ClusterSpec(
        name="policyrouting",
        title="Calico v3.29, pods' packets sent over a second network by a rule",
        calico_version="v3.29.1",
        pools=(PoolSpec(POOL),),
        pod_mtu=1500,
        masquerade=True,
        subnets=(Subnet("10.66.0.0/24"), Subnet("10.67.0.0/24")),
        nodes=(
            NodeSpec(
                "node-1",
                "10.66.0.11",
                ("10.244.11.0/26",),
                (cart, web, *system("node-1", "policyrouting", control_plane=True)),
                uplinks=("10.67.0.11",),
                rules=(_MARKED,),
                routes=("10.244.12.0/26 via 10.67.0.12 dev eth1 table 1", "throw 10.244.11.0/26 table 1", *throws),
            ),
            NodeSpec(
                "node-2",
                "10.66.0.12",
                ("10.244.12.0/26",),
                (orders, *system("node-2", "policyrouting")),
                uplinks=("10.67.0.12",),
                rules=(_MARKED,),
                routes=("10.244.11.0/26 via 10.67.0.11 dev eth1 table 1", "throw 10.244.12.0/26 table 1", *throws),
            ),
            # It has no second network: the others' tables throw its block back to the main table.
            NodeSpec("node-3", "10.66.0.13", ("10.244.13.0/26",), (search, *system("node-3", "policyrouting"))),
        ),
        pairs=((cart.key, orders.key), (cart.key, search.key), (cart.key, web.key)),
    )


SCENARIOS = (
    _vxlan(),
    _cross_subnet(),
    _ipip_cross_subnet(),
    _router(),
    _ecmp(),
    _dual_stack(),
    _policy_routing(),
)
