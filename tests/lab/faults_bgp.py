"""Faults of BIRD and of the routes it brings, in the article's cluster without encapsulation."""

from __future__ import annotations

from typing import Any

from tests.lab.breaking import Bird, Create, Fault, Patch, Shell, Step
from tests.lab.clusters import BGP
from tests.lab.spec import ClusterSpec

CALICO = "/apis/crd.projectcalico.org/v1"
SOURCE, DESTINATION = BGP.pairs[0]
HERE, THERE, ELSEWHERE = "k8s-calico2", "k8s-calico3", "k8s-calico4"
"""The nodes of the source, of the destination, and another one with pods."""
OWN, FAR = BGP.node(HERE), BGP.node(THERE)
BLOCK = FAR.blocks[0]
GATEWAY = BGP.subnets[0].gateway

_START_BIRD = "bird -c $directory/bird.conf -s $socket -P /run/calico/bird.pid"
_KILL_BIRD = "kill -KILL $(cat /run/calico/bird.pid)"


def bgp_fault(
    name: str, code: str, *steps: Step, lost: bool = True, in_trace: bool = True, audit_code: str = ""
) -> Fault:
    """A fault between the article's two pods."""
    return Fault(
        name=name,
        cluster="bgp",
        code=code,
        steps=steps,
        source=SOURCE,
        destination=DESTINATION,
        lost=lost,
        in_trace=in_trace,
        audit_code=audit_code,
    )


def bird_killed(node: str) -> Shell:
    """BIRD ends as by a crash; the node's own routes stay, the others drop theirs to it."""
    return Shell(node, _KILL_BIRD, _START_BIRD)


def readdressed(cluster: ClusterSpec, node: str, address: str, length: int) -> tuple[Step, ...]:
    """Calico takes another address for a node's: in the API and in every BIRD, as confd would write it."""
    own = cluster.node(node).address
    note = {"metadata": {"annotations": {"projectcalico.org/IPv4Address": f"{address}/{length}"}}}
    return (
        Patch(f"/api/v1/nodes/{node}", note),
        Bird(node, f"s/(router id|source address) {own}/\\1 {address}/"),
        *(Bird(other.name, f"s/neighbor {own} /neighbor {address} /") for other in cluster.nodes if other.name != node),
    )


def annotated(node: str, **annotations: str | None) -> Patch:
    """Annotations of Calico on a node; None removes one."""
    notes = {f"projectcalico.org/{name}": value for name, value in annotations.items()}
    return Patch(f"/api/v1/nodes/{node}", {"metadata": {"annotations": notes}})


def static(*routes: str, preference: int = 200) -> str:
    """A sed script that gives BIRD static routes which win over what its peers say."""
    lines = " ".join(f"route {route};" for route in routes)
    return f"$a protocol static by_hand {{ preference {preference}; {lines} }}"


def cluster_routes(felix: str, bird: str) -> tuple[Step, ...]:
    """Who is told to write block routes, since Calico v3.31."""
    return (
        Patch(f"{CALICO}/felixconfigurations/default", {"spec": {"programClusterRoutes": felix}}),
        Create(f"{CALICO}/bgpconfigurations", bgp_configuration(programClusterRoutes=bird)),
    )


def bgp_configuration(**spec: object) -> dict[str, Any]:
    """The cluster's default BGPConfiguration."""
    kind = {"apiVersion": "crd.projectcalico.org/v1", "kind": "BGPConfiguration"}
    return kind | {"metadata": {"name": "default"}, "spec": spec}


_GONE = 'until [ -z "$(ip route show {block} proto bird)" ]; do sleep 0.1; done'
_DOCKER = "link add docker0 type bridge; link set docker0 up; addr add 172.17.0.1/16 dev docker0"
_DROP_BGP = (
    "add table ip filter; add chain ip filter INPUT { type filter hook input priority 0; policy accept; }; "
    f"add rule ip filter INPUT ip saddr {OWN.address} tcp dport 179 drop; "
    f"add rule ip filter INPUT ip saddr {OWN.address} tcp sport 179 drop"
)
_RESTART = f"birdc -s $socket restart Mesh_{FAR.address.replace('.', '_')} >/dev/null"
_NAT = (
    "ip link add nat0 type veth peer name nat1; ip link set nat0 up; ip link set nat1 up; "
    "ip addr add 10.0.2.15/24 dev nat0"
)
_NEXT_HOP = f"{FAR.address}/32"

BGP_FAULTS = (
    bgp_fault("bird-stopped", "bird-not-running", bird_killed(THERE)),
    bgp_fault(
        "bird-stopped-and-routes-gone",
        "bird-not-running",
        bird_killed(HERE),
        Shell(HERE, "ip route flush proto bird", ""),
    ),
    bgp_fault(
        "address-of-docker",
        "node-address-wrong-interface",
        Shell(THERE, "; ".join(f"ip {line}" for line in _DOCKER.split("; ")), "ip link del docker0"),
        *readdressed(BGP, THERE, "172.17.0.1", 16),
    ),
    bgp_fault("address-of-nobody", "node-address-not-on-host", *readdressed(BGP, THERE, "10.173.32.99", 24)),
    bgp_fault(
        "two-nodes-behind-one-nat",
        "node-address-wrong-interface",
        *(
            Shell(
                node,
                _NAT,
                "ip link del nat0",
            )
            for node in (THERE, ELSEWHERE)
        ),
        *(annotated(node, IPv4Address="10.0.2.15/24") for node in (THERE, ELSEWHERE)),
        lost=False,
    ),
    bgp_fault(
        "two-nodes-with-one-address",
        "node-address-duplicate",
        annotated(ELSEWHERE, IPv4Address=f"{FAR.address}/24"),
        lost=False,
        audit_code="node-address-not-on-host",
    ),
    bgp_fault("no-node-address", "node-address-missing", annotated(THERE, IPv4Address=None), lost=False),
    bgp_fault(
        "next-hop-is-the-gateway", "next-hop-is-gateway", Bird(HERE, static(f"{BLOCK} via {GATEWAY}")), lost=True
    ),
    bgp_fault(
        "next-hop-is-another-node",
        "block-route-wrong-next-hop",
        Bird(HERE, static(f"{BLOCK} via {BGP.node(ELSEWHERE).address}")),
        # The other node sends them on.
        lost=False,
    ),
    bgp_fault(
        "block-owned-twice",
        "block-owned-twice",
        # BGP prefers the lower router id, which is the wrong one's.
        Bird(
            ELSEWHERE,
            f"s|^filter blocks_of_this_node \\{{ |&if ( net = {BLOCK} ) then accept; |; "
            f"s|^protocol static \\{{ |&route {BLOCK} blackhole; |",
        ),
    ),
    bgp_fault(
        "unreachable-by-bird",
        "block-route-unreachable",
        Bird(HERE, f"s|export all;|export where net != {_NEXT_HOP};|; {static(f'{_NEXT_HOP} unreachable')}"),
    ),
    bgp_fault(
        "foreign-route",
        "foreign-route",
        Shell(
            HERE,
            f"ip route replace {BLOCK} via {GATEWAY} dev eth0 proto static",
            f"ip route del {BLOCK} via {GATEWAY} dev eth0 proto static",
        ),
    ),
    bgp_fault(
        "bird-does-not-program",
        "route-not-in-kernel",
        Bird(HERE, "s|export all;|export none;|"),
        Shell(HERE, f"ip route del {BLOCK} proto bird 2>/dev/null || :", ""),
    ),
    bgp_fault(
        "nobody-programs-routes",
        "cluster-routes-programmed-never",
        *cluster_routes("Disabled", "Disabled"),
        Bird(HERE, "s|export all;|export none;|"),
        Shell(HERE, f"ip route del {BLOCK} proto bird 2>/dev/null || :", ""),
    ),
    bgp_fault(
        "two-program-routes",
        "cluster-routes-programmed-twice",
        *cluster_routes("Enabled", "Enabled"),
        lost=False,
    ),
    bgp_fault(
        "peer-is-no-node",
        "bgp-peer-is-no-node",
        Bird(HERE, "$a protocol bgp Mesh_10_173_32_77 from mesh { neighbor 10.173.32.77 as 64512; }"),
        lost=False,
        in_trace=False,
    ),
    bgp_fault(
        "routes-outlive-their-session",
        "bgp-route-outlives-session",
        # BIRD does not look into the kernel for a week, and does not see what comes back.
        *(Bird(node, "s/scan time 2;/scan time 604800;/") for node in (HERE, THERE)),
        Shell(
            HERE,
            f"{_RESTART.replace('restart', 'disable')}; "
            f"{_GONE.format(block=BLOCK)}; ip route add {BLOCK} via {FAR.address} dev eth0 proto bird",
            _RESTART.replace("restart", "enable"),
        ),
        Shell(
            THERE,
            f"{_GONE.format(block=OWN.blocks[0])}; ip route add {OWN.blocks[0]} via {OWN.address} dev eth0 proto bird",
            "",
        ),
        lost=False,
    ),
    bgp_fault(
        "blackhole-over-services",
        "service-cidr-blackhole",
        Bird(HERE, static("10.96.0.0/12 blackhole")),
        lost=False,
    ),
    bgp_fault(
        "mesh-off-without-peers",
        "bgp-no-peers",
        Create(
            f"{CALICO}/bgpconfigurations",
            bgp_configuration(nodeToNodeMeshEnabled=False, asNumber=64512),
        ),
        *(Bird(node.name, "/^protocol bgp /d") for node in BGP.nodes),
    ),
    bgp_fault("wrong-as", "bgp-wrong-as", Bird(THERE, "s/local as 64512/local as 64513/")),
    bgp_fault("router-id-twice", "router-id-duplicate", Bird(THERE, f"s/router id .*;/router id {OWN.address};/")),
    bgp_fault(
        "bgp-filtered",
        "firewall-drops-bgp",
        Shell(THERE, f"nft '{_DROP_BGP}'", "nft delete table ip filter"),
        Shell(HERE, _RESTART, _RESTART),
    ),
    bgp_fault(
        "session-disabled",
        "bgp-session-down",
        Shell(HERE, _RESTART.replace("restart", "disable"), _RESTART.replace("restart", "enable")),
    ),
)
