"""BIRD's configuration for a node, with the choices that Calico v3.1's confd templates make. Text in, text out."""

from __future__ import annotations

from tests.lab.clusters import AS_NUMBER, POOL, ClusterSpec, NodeSpec

SOCKET = "/var/run/calico/bird.ctl"
"""Where calico-node has it: `birdcl -s` with this path works on a lab node as on a real one."""


def configuration(cluster: ClusterSpec, node: NodeSpec, log: str) -> str:
    """bird.conf for one node of a full mesh; `log` is the file BIRD writes to.

    Calico's BIRD sends IPIP block routes to tunl0 itself (its patch `krt_tunnel`). Debian's can't: there the kernel
    protocol leaves routes learned from peers alone and `tunnel_routes.py` programs them from BIRD's table. BIRD removes
    kernel routes `proto bird` that it does not export whenever it scans, so in that case it scans once a week; routes
    of others still reach it, through netlink notifications.
    """
    blackholes = " ".join(f"route {block} blackhole;" for block in node.blocks)
    own = " ".join(f"if ( net = {block} ) then accept; if ( net ~ {block} ) then reject;" for block in node.blocks)
    kernel_export = "filter { if ( source = RTS_BGP ) then reject; accept; }" if cluster.tunnelled else "all"
    parts = [
        f'log "{log}" all;',
        f"router id {node.address};",
        f"filter blocks_of_this_node {{ {own} reject; }}",
        "protocol kernel {",
        f"  learn; persist; scan time {604800 if cluster.tunnelled else 2}; import all; export {kernel_export};",
        "}",
        "protocol device { scan time 2; }",
        'protocol direct { interface -"cali*", "*"; }',
        f"protocol static {{ {blackholes} }}",
        "template bgp mesh {",
        f"  local as {AS_NUMBER}; source address {node.address};",
        "  multihop; gateway recursive; next hop self; add paths on;",
        f"  import where net ~ {POOL}; export filter blocks_of_this_node;",
        "  connect delay time 1; connect retry time 2; error wait time 1,5;",
        "}",
    ]
    parts += [
        f"protocol bgp Mesh_{peer.address.replace('.', '_')} from mesh {{ neighbor {peer.address} as {AS_NUMBER}; }}"
        for peer in cluster.peers(node)
    ]
    return "\n".join(parts) + "\n"
