"""Traces and a cluster as structs: the article's IPIP example, a broken one and one that could not be read."""

from __future__ import annotations

import msgspec

from calitui.facts.cluster import BGPConfiguration, Cluster, FelixConfiguration, IPPool, Node, Pod
from calitui.facts.missing import Missing
from calitui.trace.path import (
    Direction,
    Disposition,
    Encapsulation,
    Endpoint,
    Evidence,
    Header,
    Hop,
    Policies,
    Step,
    Trace,
    Verdict,
)

READ_AT = 1_700_000_000.0
SOURCE = "huang1/huangtest-69d9fddd97-2b8hr"
DESTINATION = "huang2/hhh-6897d64fcd-kqsj4"

PODS = (
    Pod(
        "huang1",
        "huangtest-69d9fddd97-2b8hr",
        "k8s-calico2",
        ("192.168.97.1",),
        "Running",
        "Running",
        created=READ_AT - 60,
        labels={"app": "huangtest"},
    ),
    Pod(
        "huang1",
        "huangtest-69d9fddd97-npwzw",
        "k8s-calico4",
        ("192.168.210.65",),
        "Running",
        "Running",
        created=READ_AT - 60,
        labels={"app": "huangtest"},
    ),
    Pod(
        "huang2",
        "hhh-6897d64fcd-kqsj4",
        "k8s-calico3",
        ("192.168.210.129",),
        "Running",
        "Running",
        created=READ_AT - 10,
        labels={"app": "hhh"},
    ),
    Pod("huang2", "job-8x7zk", "k8s-calico3", (), "Succeeded", "Completed", created=READ_AT - 7200),
    Pod("huang2", "new-5c9f4-abcde", "k8s-calico4", (), "Pending", "ContainerCreating", created=READ_AT - 5),
)

NODES = tuple(
    Node(f"k8s-calico{number}", (address,), ready=True)
    for number, address in ((1, "10.173.32.24"), (2, "10.173.32.23"), (3, "10.173.32.26"), (4, "10.173.32.25"))
)

CLUSTER = Cluster(
    context="seed",
    calico_version="v3.1.3",
    kubernetes_version="v1.20.2",
    datastore="kdd",
    read_at=READ_AT,
    pods=PODS,
    nodes=NODES,
    pools=(IPPool("default-ipv4-ippool", "192.168.0.0/16", ipip_mode="Always", nat_outgoing=True),),
    felix=(FelixConfiguration("default", {"ipipEnabled": "true"}),),
    bgp=(BGPConfiguration("default", mesh=True, as_number=64512),),
    missing=(Missing("BGPPeers", "forbidden: this account may not list bgppeers.crd.projectcalico.org"),),
)


def _one_way(
    name: str,
    nodes: tuple[str, str],
    outer: tuple[str, str],
    inner: tuple[str, str],
    veths: tuple[str, str],
    block: str,
) -> Direction:
    packet = (Header("any", *inner),)
    wrapped = (Header("ipip", *outer), *packet)
    first, second = nodes
    route = f"{block} via {outer[1]} dev tunl0 proto bird onlink"
    asked = f"ip route get {inner[1]} from {inner[0]} iif {veths[0]}"
    hops = (
        Hop(
            number=1,
            step=Step.CONTAINER_OUT,
            node=first,
            device="eth0",
            route="default via 169.254.1.1 dev eth0",
            evidence=Evidence.TABLE,
            packet=packet,
            mtu=1480,
            explanation="The container has one interface and one default route: everything goes out of eth0, to "
            "169.254.1.1, an address that nobody holds and that the node answers for by proxy ARP.",
            check=f"ssh {first} sudo nsenter -t 4242 -n ip route",
            lines=(f"{first}, container {inner[0]}: default via 169.254.1.1 dev eth0",),
        ),
        Hop(
            number=2,
            step=Step.VETH_IN,
            node=first,
            device=veths[0],
            evidence=Evidence.TABLE,
            packet=packet,
            mtu=1480,
            explanation=f"What leaves the container's eth0 comes out of its other end on the node, {veths[0]}.",
            check=f"ssh {first} ip -d link show {veths[0]}",
            lines=(f"{first}: 7: {veths[0]}@if3: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1480 link-netnsid 0",),
        ),
        Hop(
            number=3,
            step=Step.ROUTE,
            node=first,
            device="tunl0",
            route=route,
            evidence=Evidence.KERNEL,
            packet=packet,
            mtu=1480,
            explanation=f"{inner[1]} lies in the block {block} of {second}. BIRD learned it over BGP and put the route "
            "on tunl0, as the pool says IPIP Always.",
            check=f"ssh {first} {asked}",
            lines=(f"{first}: {route}", f"{first}, {asked}: {inner[1]} via {outer[1]} dev tunl0 src {outer[0]}"),
        ),
        Hop(
            number=4,
            step=Step.TUNNEL_OUT,
            node=first,
            device="tunl0",
            route=route,
            evidence=Evidence.KERNEL,
            packet=wrapped,
            mtu=1480,
            explanation="The pool says IPIP Always, and the block route points at tunl0: the kernel puts a second IP "
            "header around the packet and routes it again, for the other node.",
            check=f"ssh {first} ip -d link show tunl0",
            lines=(f"{first}: 5: tunl0@NONE: <NOARP,UP,LOWER_UP> mtu 1480 link/ipip 0.0.0.0 brd 0.0.0.0",),
        ),
        Hop(
            number=5,
            step=Step.NIC_OUT,
            node=first,
            device="eth0",
            route="10.173.32.0/24 dev eth0 proto kernel scope link",
            evidence=Evidence.KERNEL,
            packet=wrapped,
            mtu=1500,
            explanation=f"{outer[1]} is on the same network as eth0: the packet goes straight to its MAC address.",
            check=f"ssh {first} ip route get {outer[1]}",
            lines=(
                f"{first}: 10.173.32.0/24 dev eth0 proto kernel scope link src {outer[0]}",
                f"{first}: {outer[1]} dev eth0 lladdr 02:00:0a:ad:20:1a REACHABLE",
            ),
        ),
        Hop(
            number=6,
            step=Step.NIC_IN,
            node=second,
            device="eth0",
            evidence=Evidence.TABLE,
            packet=wrapped,
            mtu=1500,
            explanation=f"eth0 of {second} holds {outer[1]}, so the outer packet has arrived.",
            check=f"ssh {second} ip addr show eth0",
            lines=(f"{second}: inet {outer[1]}/24 scope global eth0",),
        ),
        Hop(
            number=7,
            step=Step.TUNNEL_IN,
            node=second,
            device="tunl0",
            evidence=Evidence.TABLE,
            packet=packet,
            mtu=1480,
            explanation="Protocol 4 goes to tunl0, which takes the outer header off.",
            check=f"ssh {second} ip -d link show tunl0",
            lines=(f"{second}: 5: tunl0@NONE: <NOARP,UP,LOWER_UP> mtu 1480",),
        ),
        Hop(
            number=8,
            step=Step.ROUTE,
            node=second,
            device=veths[1],
            route=f"{inner[1]} dev {veths[1]} scope link",
            evidence=Evidence.KERNEL,
            packet=packet,
            mtu=1480,
            explanation=f"A route for this one address points at {veths[1]}.",
            check=f"ssh {second} ip route get {inner[1]} from {inner[0]} iif tunl0",
            lines=(f"{second}: {inner[1]} dev {veths[1]} scope link",),
        ),
        Hop(
            number=9,
            step=Step.VETH_OUT,
            node=second,
            device=veths[1],
            evidence=Evidence.TABLE,
            packet=packet,
            mtu=1480,
            explanation="What goes into the veth comes out of the container's eth0.",
            check=f"ssh {second} ip -d link show {veths[1]}",
            lines=(f"{second}: 8: {veths[1]}@if3: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1480",),
        ),
        Hop(
            number=10,
            step=Step.CONTAINER_IN,
            node=second,
            device="eth0",
            evidence=Evidence.INFERRED,
            reason="The container's own namespace needs root: try --sudo",
            packet=packet,
            explanation=f"eth0 of the container holds {inner[1]}/32: the packet has arrived.",
            check=f"ssh {second} sudo nsenter -t 4243 -n ip addr",
            ends=Disposition.DELIVERED,
        ),
    )
    return Direction(
        name=name,
        disposition=Disposition.DELIVERED,
        encapsulation=Encapsulation.IPIP,
        path_mtu=1480,
        underlay="10.173.32.0/24",
        hops=hops,
    )


FORWARD = _one_way(
    "forward",
    ("k8s-calico2", "k8s-calico3"),
    ("10.173.32.23", "10.173.32.26"),
    ("192.168.97.1", "192.168.210.129"),
    ("cali3683f65394b", "cali5ce61eb6bc2"),
    "192.168.210.128/26",
)
BACK = _one_way(
    "return",
    ("k8s-calico3", "k8s-calico2"),
    ("10.173.32.26", "10.173.32.23"),
    ("192.168.210.129", "192.168.97.1"),
    ("cali5ce61eb6bc2", "cali3683f65394b"),
    "192.168.97.0/26",
)

DELIVERED = Trace(
    taken_at=READ_AT,
    verdict=Verdict.DELIVERED,
    source=Endpoint(
        kind="pod", namespace="huang1", name="huangtest-69d9fddd97-2b8hr", node="k8s-calico2", ip="192.168.97.1"
    ),
    destination=Endpoint(
        kind="pod", namespace="huang2", name="hhh-6897d64fcd-kqsj4", node="k8s-calico3", ip="192.168.210.129"
    ),
    directions=(FORWARD, BACK),
    policies=Policies(count=2, sentence="Routing only: 2 policies exist for huang1 or huang2 and were not evaluated"),
)

_LOST = "blackhole 192.168.210.128/26 proto bird"
_BROKEN_HOP = msgspec.structs.replace(
    FORWARD.hops[2],
    device=None,
    route=_LOST,
    ends=Disposition.BLACKHOLE,
    reason="k8s-calico2 believes that the block is its own and has no pod with this address",
    explanation="The most specific route for 192.168.210.129 throws the packet away without telling the sender.",
    lines=(f"k8s-calico2: {_LOST}",),
    disagreement="the kernel answers `via 10.173.32.26 dev tunl0`, the dumped tables say blackhole",
)
BROKEN = msgspec.structs.replace(
    DELIVERED,
    verdict=Verdict.BROKEN,
    directions=(
        msgspec.structs.replace(
            FORWARD, disposition=Disposition.BLACKHOLE, path_mtu=None, hops=(*FORWARD.hops[:2], _BROKEN_HOP)
        ),
        BACK,
    ),
)

_DARK_HOP = Hop(
    number=6,
    step=Step.NIC_IN,
    node="k8s-calico3",
    evidence=Evidence.NOT_READ,
    reason="k8s-calico3: connection refused at 10.173.32.26:22",
    ends=Disposition.UNKNOWN,
)
UNREAD = msgspec.structs.replace(
    DELIVERED,
    verdict=Verdict.UNKNOWN,
    directions=(
        msgspec.structs.replace(
            FORWARD, disposition=Disposition.UNKNOWN, path_mtu=None, hops=(*FORWARD.hops[:5], _DARK_HOP)
        ),
        msgspec.structs.replace(
            BACK,
            disposition=Disposition.UNKNOWN,
            path_mtu=None,
            hops=(msgspec.structs.replace(_DARK_HOP, number=1, step=Step.CONTAINER_OUT),),
        ),
    ),
    policies=Policies(count=None, sentence="Routing only: policies could not be read and were not evaluated"),
    unread=(
        Missing("everything", "connection refused at 10.173.32.26:22. Is sshd running there?", "k8s-calico3"),
        Missing("container 192.168.97.1", "needs root: try --sudo", "k8s-calico2"),
    ),
)

HOSTILE = Pod(
    "[red]ns[/red]",
    "evil-\\x1b[31m[link=http://x]pod[/link]",
    "node[/]",
    ("10.0.0.66",),
    "Running",
    "[b]Running",
    created=READ_AT - 1,
)
