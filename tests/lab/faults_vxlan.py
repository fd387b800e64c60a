"""Faults of a cluster that routes by VXLAN: the device, its forwarding entries, MTU, masks, and a borrowed address."""

from __future__ import annotations

from tests.lab import felix
from tests.lab.breaking import UNDERLAY, Fault, Patch, Shell, Step
from tests.lab.clusters import CLUSTERS
from tests.lab.faults_bgp import CALICO, annotated
from tests.lab.spec import NodeSpec

_VXLAN, _RACKS = CLUSTERS["vxlan"], CLUSTERS["crosssubnet"]
_DEVICE = "vxlan.calico"
_HERE, _THERE = _VXLAN.node("worker-1"), _VXLAN.node("worker-2")
_SOURCE, _DESTINATION = _VXLAN.pairs[0]
_BORROWER = _VXLAN.borrowed(_THERE)[0]
_RACK1, _NEAR, _RACK2 = _RACKS.nodes
_NEAR_POD, _FAR_POD = _NEAR.workloads[0].key, _RACK2.workloads[0].key
_BLOCK = _THERE.blocks[0]


def _fault(
    name: str,
    code: str,
    *steps: Step,
    lost: bool = True,
    size: int | None = None,
    in_trace: bool = True,
    in_audit: bool = True,
) -> Fault:
    return Fault(
        name=name,
        cluster="vxlan",
        code=code,
        steps=steps,
        source=_SOURCE,
        destination=_DESTINATION,
        lost=lost,
        size=size,
        in_trace=in_trace,
        in_audit=in_audit,
    )


def _racks_fault(name: str, code: str, destination: str, *steps: Step, lost: bool = True) -> Fault:
    source = _RACK1.workloads[0].key
    return Fault(
        name=name, cluster="crosssubnet", code=code, steps=steps, source=source, destination=destination, lost=lost
    )


def _made_anew(node: NodeSpec) -> str:
    """A node's tunnel device is made again, with all that Felix hangs on it."""
    lines = [line for line in felix.links(_VXLAN, node) if _DEVICE in line]
    gone = f"ip link del {_DEVICE} 2>/dev/null || :; ip route del blackhole {node.blocks[0]} proto 80"
    return f"{gone}\n{felix.batch(lines)}\n{felix.vxlan(_VXLAN, node)}"


def _tunnel_changed(do: str) -> Shell:
    """Something is done to worker-2's tunnel device, which is made anew in the end."""
    return Shell("worker-2", do, _made_anew(_THERE))


_FELIX = "; ".join(
    f"ip neigh replace {other.tunnel_address} lladdr {other.vtep_mac} dev {_DEVICE} nud permanent; "
    f"ip route replace {other.blocks[0]} via {other.tunnel_address} dev {_DEVICE} onlink mtu {_VXLAN.tunnel_mtu}"
    for other in _VXLAN.others(_THERE)
)
"""Neighbours and routes of worker-2 to the others, as Felix puts them back."""


def _forwarding(verb: str) -> str:
    return f"bridge fdb {verb} {_THERE.vtep_mac} dev {_DEVICE} dst {_THERE.address} self permanent"


_TUNNEL = f"{_THERE.tunnel_address} lladdr {_THERE.vtep_mac} dev {_DEVICE} nud permanent"
_ROUTE = f"{_BLOCK} via {_THERE.tunnel_address} dev {_DEVICE} onlink mtu {_VXLAN.tunnel_mtu}"
_BORROWED = f"{_BORROWER.ip}/32 via {_THERE.tunnel_address} dev {_DEVICE} onlink mtu {_VXLAN.tunnel_mtu}"
_DROP_VXLAN = (
    "add table ip filter; add chain ip filter INPUT { type filter hook input priority 0; policy accept; }; "
    "add rule ip filter INPUT udp dport 4789 drop"
)
_DROP_IN_UNDERLAY = (
    "add table bridge filter; add chain bridge filter forward { type filter hook forward priority 0; }; "
    "add rule bridge filter forward udp dport 4789 drop"
)
_PINGS = f"ping -n -c 25 -i 0.05 -W 1 {_VXLAN.find(_DESTINATION)[1].ip} >/dev/null || :"


def _pod_for_tunnel() -> tuple[Step, ...]:
    """IPAM gives worker-2's tunnel the address of a pod on it, and all nodes follow."""
    ip = _VXLAN.find(_DESTINATION)[1].ip
    prefixes = (_BLOCK, f"{_BORROWER.ip}/32")
    routes = [f"{prefix} via {{}} dev {_DEVICE} onlink mtu {_VXLAN.tunnel_mtu}" for prefix in prefixes]
    steps: list[Step] = [
        annotated("worker-2", IPv4VXLANTunnelAddr=ip),
        _tunnel_changed(f"ip addr flush dev {_DEVICE}; ip addr add {ip}/32 dev {_DEVICE}; {_FELIX}"),
    ]
    for node in _VXLAN.others(_THERE):
        do = [f"ip neigh replace {ip} lladdr {_THERE.vtep_mac} dev {_DEVICE} nud permanent"]
        do += [f"ip route replace {route.format(ip)}" for route in routes]
        undo = [f"ip route replace {route.format(_THERE.tunnel_address)}" for route in routes]
        steps.append(Shell(node.name, "; ".join(do), "; ".join([*undo, f"ip neigh del {ip} dev {_DEVICE}"])))
    return tuple(steps)


_CART = _VXLAN.find(_SOURCE)[1]


def _veth_mtu(size: int) -> str:
    return f"ip link set {_CART.veth} mtu {size}; ip -n {_CART.netns} link set eth0 mtu {size}"


_NEAR_ROUTE = f"{_NEAR.blocks[0]} via {_NEAR.address} dev eth0 proto 80 onlink"
_FAR_ROUTE = f"{_RACK2.blocks[0]} via {_RACK2.tunnel_address} dev {_DEVICE} onlink mtu {_RACKS.tunnel_mtu}"

VXLAN_FAULTS: tuple[Fault, ...] = (
    _fault(
        "no-block-route", "block-route-missing", Shell("worker-1", f"ip route del {_BLOCK}", f"ip route add {_ROUTE}")
    ),
    _fault(
        "vxlan-to-another-node",
        "block-route-wrong-next-hop",
        Shell(
            "worker-1",
            f"ip route replace {_BLOCK} via {_VXLAN.nodes[0].tunnel_address} dev {_DEVICE} onlink",
            f"ip route replace {_ROUTE}",
        ),
        # The other node sends them on.
        lost=False,
    ),
    _fault("vxlan-down", "tunnel-device-down", _tunnel_changed(f"ip link set {_DEVICE} down")),
    _fault("vxlan-missing", "tunnel-device-missing", _tunnel_changed(f"ip link del {_DEVICE}")),
    _fault(
        "vxlan-with-another-mac",
        "tunnel-mac-wrong",
        # Felix keeps the neighbours there, which the kernel forgets with the address.
        _tunnel_changed(f"ip link set {_DEVICE} address 66:00:00:00:00:01; {_FELIX}"),
    ),
    _fault(
        "no-forwarding-entry", "vxlan-forwarding-missing", Shell("worker-1", _forwarding("del"), _forwarding("append"))
    ),
    _fault(
        "no-neighbour-entry",
        "vxlan-forwarding-missing",
        Shell("worker-1", f"ip neigh del {_THERE.tunnel_address} dev {_DEVICE}", f"ip neigh replace {_TUNNEL}"),
    ),
    _fault(
        "tunnel-without-address",
        "tunnel-address-missing",
        # With a device's last address the kernel removes its routes, and Felix puts them back.
        _tunnel_changed(f"ip addr flush dev {_DEVICE}; {_FELIX}"),
        # Pods have addresses of their own; a node's packets to pods have none.
        lost=False,
    ),
    _fault(
        "tunnel-with-another-address",
        "tunnel-address-wrong",
        _tunnel_changed(f"ip addr flush dev {_DEVICE}; ip addr add 10.244.133.190/32 dev {_DEVICE}; {_FELIX}"),
        lost=False,
    ),
    # The node answers pings in the pod's place.
    _fault("pod-with-a-tunnels-address", "pod-holds-tunnel-address", *_pod_for_tunnel(), lost=False),
    _fault(
        "vxlan-never-arrived",
        "tunnel-packets-not-received",
        # As in a cloud whose network has never let it pass: the devices have counted nothing yet.
        Shell(UNDERLAY, f"nft '{_DROP_IN_UNDERLAY}'", "nft delete table bridge filter"),
        *(Shell(node.name, _made_anew(node), "") for node in _VXLAN.nodes),
        Shell("worker-1", f"nsenter --net=/run/netns/{_VXLAN.find(_SOURCE)[1].netns} {_PINGS}", ""),
        # What the third node got is not read.
        in_trace=False,
    ),
    _fault(
        "wireguard-without-keys",
        "wireguard-partial",
        Patch(f"{CALICO}/felixconfigurations/default", {"spec": {"wireguardEnabled": True}}),
        lost=False,
    ),
    _fault(
        "veth-mtu-smaller",
        "mtu-too-big",
        Shell("worker-1", _veth_mtu(1400), _veth_mtu(1450)),
        lost=False,
        # What is too small for others' packets is told where there are others.
        in_audit=False,
    ),
    _fault("veth-mtu-too-big", "mtu-too-big", Shell("worker-1", _veth_mtu(1500), _veth_mtu(1450)), size=1500),
    _fault(
        "nic-mtu-too-small",
        "mtu-too-big",
        Shell("worker-2", "ip link set eth0 mtu 1400", "ip link set eth0 mtu 1500"),
        size=1450,
    ),
    _fault(
        "vxlan-filtered",
        "firewall-drops-tunnel",
        Shell("worker-2", f"nft '{_DROP_VXLAN}'", "nft delete table ip filter"),
    ),
    Fault(
        name="vxlan-filtered-between-the-nodes",
        cluster="vxlan",
        undetectable="a device between the nodes drops them; counters since boot don't say since when",
        steps=(Shell(UNDERLAY, f"nft '{_DROP_IN_UNDERLAY}'", "nft delete table bridge filter"),),
        source=_SOURCE,
        destination=_DESTINATION,
    ),
    Fault(
        name="borrowed-address-without-route",
        cluster="vxlan",
        code="borrowed-address-blackholed",
        steps=(Shell("worker-1", f"ip route del {_BORROWER.ip}/32", f"ip route add {_BORROWED}"),),
        source=_BORROWER.key,
        destination=_SOURCE,
    ),
    _racks_fault(
        "mask-too-narrow",
        "node-address-mask",
        _NEAR_POD,
        annotated(_RACK1.name, IPv4Address=f"{_RACK1.address}/32"),
        Shell(
            _RACK1.name,
            f"ip route replace {_NEAR.blocks[0]} via {_NEAR.tunnel_address} dev {_DEVICE} onlink",
            f"ip route replace {_NEAR_ROUTE}",
        ),
        # It would arrive through a tunnel that the way back does not take; rp_filter is strict.
    ),
    _racks_fault(
        "mask-too-wide",
        "node-address-mask",
        _FAR_POD,
        annotated(_RACK1.name, IPv4Address=f"{_RACK1.address}/16"),
        Shell(
            _RACK1.name,
            f"ip route replace {_RACK2.blocks[0]} via {_RACK2.address} dev eth0 proto 80 onlink",
            f"ip route del {_RACK2.blocks[0]}; ip route add {_FAR_ROUTE}",
        ),
    ),
    _racks_fault(
        "block-route-is-not-tunnelled",
        "pool-mode-route-mismatch",
        _FAR_POD,
        Shell(
            _RACK1.name,
            f"ip route replace {_RACK2.blocks[0]} via {_RACKS.subnets[0].gateway} dev eth0 proto 80",
            f"ip route del {_RACK2.blocks[0]}; ip route add {_FAR_ROUTE}",
        ),
    ),
)
