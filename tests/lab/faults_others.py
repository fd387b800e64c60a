"""Faults that need something special: two NICs, IPv6, a router that speaks BGP or does not."""

from __future__ import annotations

import msgspec

from tests.lab import bird
from tests.lab.breaking import Bird, Delete, Fault, Shell, Step
from tests.lab.clusters import CLUSTERS
from tests.lab.faults_bgp import CALICO, bird_killed
from tests.lab.objects import objects

_ROUTER, _DUAL, _POLICY, _ECMP = (CLUSTERS[name] for name in ("router", "dualstack", "policyrouting", "ecmp"))
_CART, _ORDERS = _POLICY.pairs[0]
_TABLE_ROUTE = "10.244.11.0/26 via 10.67.0.11 dev eth1 table 1"


_ROUTER_FORGETS = (
    bird_killed(_ROUTER.routers[0].name),
    Shell(_ROUTER.routers[0].name, "ip route flush proto bird", ""),
)


def _meshed() -> tuple[Step, ...]:
    """Nodes peer with each other over the router, which has no BGP: it does not know where pods are."""
    mesh = msgspec.structs.replace(_ROUTER, mesh=True)
    names = [(each["kind"], each["metadata"]["name"]) for each in objects(_ROUTER, "")]
    return (
        Delete(f"{CALICO}/bgpconfigurations/default"),
        *(Delete(f"{CALICO}/bgppeers/{name}") for kind, name in names if kind == "BGPPeer"),
        *_ROUTER_FORGETS,
        *(Bird(node.name, text=bird.configuration(mesh, node, "/run/calico/bird.log")) for node in _ROUTER.nodes),
    )


OTHER_FAULTS: tuple[Fault, ...] = (
    Fault(
        name="no-common-network",
        cluster="router",
        code="no-l2-path",
        steps=_meshed(),
        source=_ROUTER.pairs[0][0],
        destination=_ROUTER.pairs[0][1],
    ),
    Fault(
        name="router-without-bgp",
        cluster="router",
        code="bgp-session-down",
        steps=_ROUTER_FORGETS,
        source=_ROUTER.pairs[0][0],
        destination=_ROUTER.pairs[0][1],
    ),
    Fault(
        name="ipv6-forwarding-off",
        cluster="dualstack",
        code="ipv6-forwarding-off",
        steps=(
            Shell(
                "worker-1",
                "echo 0 >/proc/sys/net/ipv6/conf/all/forwarding",
                "echo 1 >/proc/sys/net/ipv6/conf/all/forwarding",
            ),
        ),
        source=_DUAL.pairs[0][0],
        destination=_DUAL.pairs[0][1],
        family=6,
    ),
    Fault(
        name="bird6-stopped",
        cluster="dualstack",
        code="bird-not-running",
        steps=(
            Shell(
                "worker-1",
                "kill -KILL $(cat /run/calico/bird6.pid)",
                f"bird6 -c $directory/bird6.conf -s {bird.SOCKET6} -P /run/calico/bird6.pid",
            ),
        ),
        source=_DUAL.pairs[0][0],
        destination=_DUAL.pairs[0][1],
        family=6,
    ),
    Fault(
        name="rp-filter-strict",
        cluster="policyrouting",
        code="rp-filter-strict",
        # Packets come in by eth1 and the way back to their source is eth0.
        steps=(Shell("node-2", f"ip route del {_TABLE_ROUTE}", f"ip route add {_TABLE_ROUTE}"),),
        source=_CART,
        destination=_ORDERS,
    ),
    Fault(
        name="second-nic-down",
        cluster="policyrouting",
        code="nic-down",
        steps=(
            Shell(
                "node-2",
                "ip link set eth1 down",
                f"ip link set eth1 up; ip route add {_TABLE_ROUTE}",
            ),
        ),
        source=_CART,
        destination=_ORDERS,
    ),
    Fault(
        name="uplink-down",
        cluster="ecmp",
        code="nic-down",
        steps=(Shell("rack1-node1", "ip link set eth1 down", "ip link set eth1 up"),),
        source=_ECMP.pairs[0][0],
        destination=_ECMP.pairs[0][1],
        # The other uplink carries all.
        lost=False,
    ),
)
