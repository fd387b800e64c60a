"""Faults of a cluster that routes by IPIP, the article's: tunl0 and what has to fit it."""

from __future__ import annotations

from tests.lab.breaking import Fault, Patch, Shell, Step
from tests.lab.clusters import IPIP
from tests.lab.faults_bgp import CALICO, readdressed

_SOURCE, _DESTINATION = IPIP.pairs[0]
_HERE, _THERE = IPIP.find(_SOURCE)[0], IPIP.find(_DESTINATION)[0]
_TARGET = IPIP.find(_DESTINATION)[1]
_BLOCK = _THERE.blocks[0]
_POD_ROUTE = f"{_TARGET.ip}/32 dev {_TARGET.veth} scope link"
_STOPPED = Shell(
    _HERE.name, "kill -STOP $(cat /run/calico/tunnel_routes.pid)", "kill -CONT $(cat /run/calico/tunnel_routes.pid)"
)
"""Nobody puts the routes right again that follow."""


_SECOND = "10.173.32.99"


def _fault(name: str, code: str, *steps: Step, lost: bool = True, needs: tuple[str, ...] = ()) -> Fault:
    return Fault(name=name, cluster="ipip", code=code, steps=steps, source=_SOURCE, destination=_DESTINATION, lost=lost)


def _left_behind() -> tuple[Step, ...]:
    """The pool's ipipMode is set to Never; BIRD moves all routes to eth0, and tunl0 stays."""
    steps: list[Step] = [Patch(f"{CALICO}/ippools/{IPIP.pools[0].name}", {"spec": {"ipipMode": "Never"}})]
    for node in IPIP.nodes:
        others = [(block, other.address) for other in IPIP.others(node) for block in other.blocks]
        plain = [f"ip route replace {block} via {address} dev eth0 proto bird" for block, address in others]
        tunnelled = [f"ip route replace {block} via {address} dev tunl0 proto bird onlink" for block, address in others]
        pid = "$(cat /run/calico/tunnel_routes.pid)"
        do, undo = "; ".join([f"kill -STOP {pid}", *plain]), "; ".join([*tunnelled, f"kill -CONT {pid}"])
        steps.append(Shell(node.name, do, undo))
    return tuple(steps)


IPIP_FAULTS: tuple[Fault, ...] = (
    _fault(
        "blackhole", "pod-route-missing", Shell(_THERE.name, f"ip route del {_POD_ROUTE}", f"ip route add {_POD_ROUTE}")
    ),
    _fault("tunl0-down", "tunnel-device-down", Shell(_HERE.name, "ip link set tunl0 down", "ip link set tunl0 up")),
    _fault(
        "tunl0-missing",
        "tunnel-device-missing",
        Shell(
            _HERE.name,
            "ip link set tunl0 down; ip link set tunl0 name gone0",
            "ip link set gone0 name tunl0; ip link set tunl0 up",
        ),
    ),
    _fault(
        "tunl0-without-address",
        "tunnel-address-missing",
        Shell(
            _HERE.name,
            f"ip addr del {_HERE.tunnel_address}/32 dev tunl0",
            f"ip addr add {_HERE.tunnel_address}/32 dev tunl0",
        ),
        # Pods have addresses of their own; a node's packets to pods have none.
        lost=False,
    ),
    _fault(
        "ipip-filtered",
        "firewall-drops-tunnel",
        Shell(_THERE.name, "iptables-legacy -A INPUT -p 4 -j DROP", "iptables-legacy -D INPUT -p 4 -j DROP"),
        needs=("iptables-legacy",),
    ),
    _fault(
        "route-without-the-tunnel",
        "pool-mode-route-mismatch",
        _STOPPED,
        Shell(
            _HERE.name,
            f"ip route replace {_BLOCK} via {_THERE.address} dev eth0 proto bird",
            f"ip route replace {_BLOCK} via {_THERE.address} dev tunl0 proto bird onlink",
        ),
    ),
    _fault(
        "multipath-without-the-tunnel",
        "multipath-not-encapsulated",
        _STOPPED,
        Shell(
            _HERE.name,
            f"ip route replace {_BLOCK} proto bird nexthop via {_THERE.address} dev eth0 "
            f"nexthop via {IPIP.subnets[0].gateway} dev eth0",
            f"ip route del {_BLOCK}; ip route add {_BLOCK} via {_THERE.address} dev tunl0 proto bird onlink",
        ),
    ),
    _fault(
        "source-address-differs",
        "node-source-address-differs",
        Shell(
            _HERE.name,
            f"ip addr add {_SECOND}/24 dev eth0; "
            f"ip route replace {IPIP.subnets[0].cidr} dev eth0 proto kernel scope link src {_SECOND}",
            f"ip route replace {IPIP.subnets[0].cidr} dev eth0 proto kernel scope link src {_HERE.address}; "
            f"ip addr del {_SECOND}/24 dev eth0",
        ),
        # The lab's nodes have none of Felix's rules, which drop what is not from a node's address.
        lost=False,
    ),
    _fault(
        "tunnels-of-two-sizes",
        "mtu-mixed",
        Shell(
            _HERE.name,
            "ip link set tunl0 mtu 1480",
            f"ip link set tunl0 mtu {IPIP.tunnel_mtu}",
        ),
        lost=False,
    ),
    _fault("tunl0-left-behind", "tunnel-left-behind", *_left_behind(), lost=False),
    _fault(
        "address-of-docker-with-ipip",
        "node-address-wrong-interface",
        Shell(
            _THERE.name,
            "ip link add docker0 type bridge; ip link set docker0 up; ip addr add 172.17.0.1/16 dev docker0",
            "ip link del docker0",
        ),
        *readdressed(IPIP, _THERE.name, "172.17.0.1", 16),
    ),
)
