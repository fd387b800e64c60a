"""Faults that no route table and no node shows, or that only a live packet proves: most are between the nodes.

What filters in the underlay sits on its bridges, outside of every node: nothing that a node reads tells of it.
"""

from __future__ import annotations

import msgspec

from tests.lab.breaking import UNDERLAY, Fault, Shell
from tests.lab.clusters import CLUSTERS
from tests.lab.spec import ClusterSpec, PodSpec


class PacketFault(msgspec.Struct, frozen=True, kw_only=True):
    """A fault, and what a proof by packets is to say of it: the finding `code` comes first.

    Packets of the direction `way` are last seen at the hop `after` and not at the hop `at`, each as step, node and
    device; neither is set where packets arrive. `words` are in the finding or its evidence. `passes` is the largest
    packet that passes.
    """

    fault: Fault
    code: str
    way: str = "forward"
    after: tuple[str, str, str] | None = None
    at: tuple[str, str, str] | None = None
    words: tuple[str, ...] = ()
    passes: int | None = None


def _in_underlay(rule: str) -> Shell:
    table = "bridge calitui_fault"
    chain = "{ type filter hook forward priority 0; }"
    return Shell(
        UNDERLAY,
        f"nft 'add table {table}; add chain {table} between {chain}; add rule {table} between {rule}'",
        f"nft delete table {table}",
    )


def _on_node(node: str, hook: str, rule: str) -> Shell:
    kind, name, priority = ("nat", "POSTROUTING", 100) if hook == "postrouting" else ("filter", hook.upper(), 0)
    table = "ip calitui_fault"
    chain = f"{{ type {kind} hook {hook} priority {priority}; }}"
    return Shell(
        node,
        f"nft 'add table {table}; add chain {table} {name} {chain}; add rule {table} {name} {rule}'",
        f"nft delete table {table}",
    )


def _fault(
    name: str, cluster: ClusterSpec, *steps: Shell, lost: bool = True, pair: int = 0, size: int | None = None
) -> Fault:
    source, destination = cluster.pairs[pair]
    return Fault(
        name=name,
        cluster=cluster.name,
        steps=steps,
        source=source,
        destination=destination,
        lost=lost,
        size=size,
        undetectable="it is between the nodes, or counted only when packets come",
    )


_BGP, _IPIP, _VXLAN, _ROUTER, _POLICY = (CLUSTERS[name] for name in ("bgp", "ipip", "vxlan", "router", "policyrouting"))
_CART, _ORDERS = (_VXLAN.find(end)[1] for end in _VXLAN.pairs[0])
_HHH, _HUANGTEST = (_BGP.find(end)[1] for end in _BGP.pairs[0])
_TO_POD = f"cali-tw-{_ORDERS.veth}"
"""Felix's chain of what goes to the pod."""
_NEAR = _ROUTER.find(_ROUTER.pairs[0][0])[0]
_FAR, _FAR_POD = _ROUTER.find(_ROUTER.pairs[0][1])
_FAR_ROUTE = f"{_FAR_POD.ip}/32 via {_FAR.address}"
_PODS = _BGP.pools[0].cidr
_RP_FILTER = "/proc/sys/net/ipv4/conf/all/rp_filter"
_RETURN = "10.244.11.0/26 via 10.67.0.11 dev eth1 table 1"
_SMALL = 1300
"""Bytes of an IP packet that a link of the underlay takes."""


def _inside(pod: PodSpec) -> str:
    return f"nsenter --net=/run/netns/{pod.netns}"


def _ports(mtu: int) -> str:
    names = r"$(ip -o link | sed -n 's/.*: \(port[^@:]*\)@.*/\1/p')"
    return f"for port in {names}; do ip link set $port mtu {mtu}; done"


PACKET_FAULTS: tuple[PacketFault, ...] = (
    PacketFault(
        fault=_fault("underlay-filters-protocol-4", _IPIP, _in_underlay("ip protocol 4 drop")),
        code="underlay-drops-ipip",
        after=("nic-out", "k8s-calico2", "eth0"),
        at=("nic-in", "k8s-calico3", "eth0"),
        words=("as IPIP", "protocol 4"),
    ),
    PacketFault(
        fault=_fault("underlay-filters-udp-4789", _VXLAN, _in_underlay("udp dport 4789 drop")),
        code="underlay-drops-vxlan",
        after=("nic-out", "worker-1", "eth0"),
        at=("nic-in", "worker-2", "eth0"),
        words=("as VXLAN", "UDP port 4789"),
    ),
    PacketFault(
        fault=_fault("underlay-checks-sources", _BGP, _in_underlay(f"ip saddr {_PODS} drop")),
        code="underlay-drops-plain",
        after=("nic-out", "k8s-calico2", "eth0"),
        at=("nic-in", "k8s-calico3", "eth0"),
        words=(_HHH.ip or "",),
    ),
    PacketFault(
        fault=_fault("underlay-loses-replies", _BGP, _in_underlay(f"ip saddr {_HUANGTEST.ip} drop")),
        code="reply-lost",
        way="return",
        after=("nic-out", "k8s-calico3", "eth0"),
        at=("nic-in", "k8s-calico2", "eth0"),
        words=("the underlay drops", _HUANGTEST.ip or ""),
    ),
    PacketFault(
        fault=_fault(
            "forward-drops",
            _BGP,
            _on_node("k8s-calico3", "forward", f"ip daddr {_HUANGTEST.ip} icmp type 8 counter drop"),
        ),
        code="dropped-in-node",
        after=("nic-in", "k8s-calico3", "eth0"),
        at=("veth-out", "k8s-calico3", _HUANGTEST.veth),
        words=("FORWARD", "dropped 3 packets"),
    ),
    PacketFault(
        fault=_fault(
            "iptables-forward-drops",
            _VXLAN,
            Shell("worker-2", "iptables -A FORWARD -p icmp -j DROP", "iptables -D FORWARD -p icmp -j DROP"),
        ),
        code="dropped-in-node",
        after=("tunnel-in", "worker-2", "vxlan.calico"),
        at=("veth-out", "worker-2", _ORDERS.veth),
        words=("filter FORWARD", "dropped 3 packets"),
    ),
    PacketFault(
        fault=_fault(
            "policy-drops",
            _VXLAN,
            Shell(
                "worker-2",
                f"iptables -N {_TO_POD}; iptables -A {_TO_POD} -p icmp -j DROP; "
                f"iptables -A FORWARD -o {_ORDERS.veth} -j {_TO_POD}",
                f"iptables -D FORWARD -o {_ORDERS.veth} -j {_TO_POD}; iptables -F {_TO_POD}; iptables -X {_TO_POD}",
            ),
        ),
        code="dropped-in-node",
        after=("tunnel-in", "worker-2", "vxlan.calico"),
        at=("veth-out", "worker-2", _ORDERS.veth),
        words=(f"chain filter {_TO_POD} of pod {_ORDERS.key}", "dropped 3 packets"),
    ),
    PacketFault(
        # Requests come in by eth1, replies leave by eth0, and come in by what is not the way back to their source.
        fault=_fault(
            "reply-lost-by-rp-filter",
            _POLICY,
            Shell(
                "node-2",
                f"echo 2 >{_RP_FILTER}; ip route del {_RETURN}",
                f"ip route add {_RETURN}; echo 1 >{_RP_FILTER}",
            ),
        ),
        # Routes and settings tell it already; packets confirm it.
        code="rp-filter-strict",
        way="return",
        after=("nic-out", "node-2", "eth0"),
        at=("nic-in", "node-1", "eth0"),
        words=("node-1", "eth0", "confirmed"),
    ),
    PacketFault(
        fault=_fault(
            "masquerading-between-pods",
            _VXLAN,
            _on_node("worker-1", "postrouting", 'oifname "vxlan.calico" counter masquerade'),
            lost=False,
        ),
        code="source-rewritten",
        words=(_CART.ip or "", _VXLAN.node("worker-1").tunnel_address or ""),
    ),
    PacketFault(
        fault=_fault("small-link", _VXLAN, Shell(UNDERLAY, _ports(_SMALL), _ports(1500)), size=1450),
        code="fragmentation-needed-no-icmp",
        words=(f"{_SMALL - 50} bytes",),
        passes=_SMALL - 50,
    ),
    PacketFault(
        # Nothing large is sent before the proof, which would tell the sender the path's MTU.
        fault=_fault(
            "small-link-behind-a-router",
            _ROUTER,
            Shell(_NEAR.name, "true", f"{_inside(_ROUTER.find(_ROUTER.pairs[0][0])[1])} ip route flush cache"),
            # The router's own device keeps its MTU: BIRD would begin its sessions anew.
            Shell("tor", f"ip route add {_FAR_ROUTE} mtu lock {_SMALL}", f"ip route del {_FAR_ROUTE}"),
            lost=False,
        ),
        code="path-mtu-smaller",
        words=(f"{_SMALL} bytes",),
        passes=_SMALL,
    ),
    PacketFault(
        fault=_fault(
            "pod-does-not-answer",
            _BGP,
            Shell(
                "k8s-calico3",
                f"{_inside(_HUANGTEST)} sh -c 'echo 1 >/proc/sys/net/ipv4/icmp_echo_ignore_all'",
                f"{_inside(_HUANGTEST)} sh -c 'echo 0 >/proc/sys/net/ipv4/icmp_echo_ignore_all'",
            ),
        ),
        code="not-answered",
        words=(_HUANGTEST.name,),
    ),
)
"""What a proof says of each."""

NOT_INJECTED = {
    "lost-on-the-way": "it takes a node that is not watched, which is a refusal and tested as one",
    "prediction-wrong": "the lab's kernel does as its tables say",
}
"""Codes of proofs that no fault leads to, and why."""
