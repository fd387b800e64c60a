"""BIRD's configuration for a node or a router, with the choices of Calico's confd templates. Text in, text out."""

from __future__ import annotations

from typing import NamedTuple

from tests.lab.spec import ClusterSpec, NodeSpec, RouterSpec, of_family

SOCKET = "/var/run/calico/bird.ctl"
"""Where calico-node has it: `birdcl -s` with this path works on a lab node as on a real one."""
SOCKET6 = "/var/run/calico/bird6.ctl"
"""The one of the second daemon, which does IPv6."""


class Session(NamedTuple):
    """The other end of a BGP session."""

    name: str
    address: str
    as_number: int


def families(cluster: ClusterSpec) -> tuple[int, ...]:
    """The IP families that have a BIRD: none where Felix writes all routes."""
    if cluster.vxlan:
        return ()
    return (4, 6) if cluster.dual_stack else (4,)


def sessions(cluster: ClusterSpec, node: NodeSpec, family: int = 4) -> tuple[Session, ...]:
    """A node's sessions: with all other nodes, or with the routers that are its neighbours."""
    if cluster.mesh:
        others = cluster.others(node)
        addresses = [(other, other.address6 if family == 6 else other.address) for other in others]
        return tuple(
            Session(f"Mesh_{_identifier(address)}", address, other.as_number) for other, address in addresses if address
        )
    links = [cluster.subnet_of(address) for address in node.addresses]
    return tuple(
        Session(f"Global_{_identifier(address)}", address, router.as_number)
        for router in cluster.routers
        for address in router.addresses
        if router.as_number and any(link.holds(address) for link in links)
    )


def configuration(cluster: ClusterSpec, node: NodeSpec, log: str, family: int = 4) -> str:
    """bird.conf (or bird6.conf) for one node; `log` is the file BIRD writes to.

    Calico's BIRD sends IPIP block routes to tunl0 itself (its patch `krt_tunnel`). Debian's can't: there the kernel
    protocol leaves routes that want the tunnel alone and `tunnel_routes.py` programs them from BIRD's table. BIRD
    removes kernel routes `proto bird` that it does not export whenever it scans, so in that case it scans once a week;
    routes of others still reach it, through netlink notifications.
    """
    blocks = of_family(node.blocks, family)
    blackholes = " ".join(f"route {block} blackhole;" for block in blocks)
    own = " ".join(f"if ( net = {block} ) then accept; if ( net ~ {block} ) then reject;" for block in blocks)
    pool = next(pool.cidr for pool in cluster.pools if pool.network.version == family)
    merge = "" if cluster.mesh else " merge paths on;"
    parts = [
        f'log "{log}" all;',
        f"router id {node.address};",
        f"filter blocks_of_this_node {{ {own} reject; }}",
        "protocol kernel {",
        f"  learn; persist; scan time {604800 if cluster.ipip else 2};{merge} import all; "
        f"export {_kernel_export(cluster, node)};",
        "}",
        "protocol device { scan time 2; }",
        'protocol direct { interface -"cali*", "*"; }',
        f"protocol static {{ {blackholes} }}",
        "template bgp mesh {",
        *_session_template(cluster, node, family),
        f"  import where net ~ {pool}; export filter blocks_of_this_node;",
        "  connect delay time 1; connect retry time 2; error wait time 1,5;",
        "}",
    ]
    parts += [
        f"protocol bgp {name} from mesh {{ neighbor {address} as {as_number}; }}"
        for name, address, as_number in sessions(cluster, node, family)
    ]
    return "\n".join(parts) + "\n"


def router_configuration(cluster: ClusterSpec, router: RouterSpec, log: str) -> str:
    """bird.conf for a router that passes on what its neighbours announce: a reflector to nodes of its own AS."""
    pools = ", ".join(f"{pool.cidr}+" for pool in cluster.pools)
    parts = [
        f'log "{log}" all;',
        f"router id {router.address};",
        "protocol kernel { scan time 2; import none; export all; }",
        "protocol device { scan time 2; }",
        "protocol direct { }",
    ]
    for address in router.addresses:
        link = cluster.subnet_of(address)
        for node in cluster.nodes:
            for neighbour in filter(link.holds, node.addresses):
                reflects = "rr client; " if node.as_number == router.as_number else ""
                parts.append(
                    f"protocol bgp Node_{_identifier(neighbour)} {{ local {address} as {router.as_number}; "
                    f"neighbor {neighbour} as {node.as_number}; {reflects}"
                    f"import where net ~ [ {pools} ]; export where source = RTS_BGP; "
                    "connect delay time 1; connect retry time 2; error wait time 1,5; }"
                )
    return "\n".join(parts) + "\n"


def _kernel_export(cluster: ClusterSpec, node: NodeSpec) -> str:
    if not cluster.ipip:
        return "all"
    direct = ""
    if any(pool.ipip_mode == "CrossSubnet" for pool in cluster.pools):
        direct = f"if ( bgp_next_hop ~ {cluster.subnet_of(node.address).cidr} ) then accept; "
    return f"filter {{ if ( source = RTS_BGP ) then {{ {direct}reject; }} accept; }}"


def _session_template(cluster: ClusterSpec, node: NodeSpec, family: int) -> list[str]:
    if not cluster.mesh:
        # Neighbours on the same link; the source address is that of the uplink the router is at.
        return [f"  local as {node.as_number};", "  gateway recursive;"]
    source = node.address6 if family == 6 else node.address
    return [
        f"  local as {node.as_number}; source address {source};",
        "  multihop; gateway recursive; next hop self; add paths on;",
    ]


def _identifier(address: str) -> str:
    return address.replace(".", "_").replace(":", "_")
