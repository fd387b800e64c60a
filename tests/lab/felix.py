"""What Felix and the CNI plugin do to a node's kernel, as text for a boot script: pods, VXLAN, routes, NAT.

Nothing here runs on: what Felix would write once the cluster is known is written once.
"""

from __future__ import annotations

from tests.lab.spec import ClusterSpec, NodeSpec, PodSpec, of_family

LINK_LOCAL = "fe80::ecee:eeff:feee:eeee"
"""The address that the kernel derives from the MAC ee:ee:ee:ee:ee:ee of a veth's host end: the pods' IPv6 gateway."""
VNI, PORT = 4096, 4789


def batch(lines: list[str], options: str = "", program: str = "ip") -> str:
    """Shell text that has iproute2 do all the lines in one process."""
    return f"{program} {options} -batch - <<'END'\n" + "\n".join(lines) + "\nEND" if lines else ""


def settings(values: dict[str, int]) -> list[str]:
    """Shell lines that write sysctls, named in slash form below net/."""
    return [f"echo {value} >/proc/sys/net/{name}" for name, value in values.items()]


def links(cluster: ClusterSpec, node: NodeSpec) -> list[str]:
    """`ip` lines for the tunnel device and the pods' veths."""
    lines = []
    device = cluster.tunnel_device
    if device == "vxlan.calico":
        what = f"id {VNI} local {node.address} dev eth0 dstport {PORT} nolearning"
        lines.append(f"link add {device} address {node.vtep_mac} type vxlan {what}")
    if device:
        lines += [f"link set {device} mtu {cluster.tunnel_mtu} up", f"addr add {node.tunnel_address}/32 dev {device}"]
    for pod in node.workloads:
        lines += [
            f"netns add {pod.netns}",
            f"link add {pod.veth} address ee:ee:ee:ee:ee:ee mtu {cluster.pod_mtu} type veth "
            f"peer name eth0 address {pod.mac} mtu {cluster.pod_mtu} netns {pod.netns}",
        ]
    return lines


def pod(cluster: ClusterSpec, pod: PodSpec) -> str:
    """Shell text that connects a pod whose veth is there."""
    values = {
        f"ipv4/conf/{pod.veth}/route_localnet": 1,
        f"ipv4/neigh/{pod.veth}/proxy_delay": 0,
        f"ipv4/conf/{pod.veth}/proxy_arp": 1,
        f"ipv4/conf/{pod.veth}/forwarding": 1,
    }
    inside = [
        "link set lo up",
        f"addr add {pod.ip}/32 dev eth0",
        "link set eth0 up",
        "route add 169.254.1.1 dev eth0 scope link",
        "route add default via 169.254.1.1 dev eth0",
    ]
    metric = " metric 1024" if cluster.is_since(3, 32) else ""
    outside = [f"link set {pod.veth} up", f"route add {pod.ip}/32 dev {pod.veth} scope link{metric}"]
    if pod.ip6:
        values |= {
            f"ipv6/conf/{pod.veth}/accept_dad": 0,
            f"ipv6/conf/{pod.veth}/proxy_ndp": 1,
            f"ipv6/conf/{pod.veth}/forwarding": 1,
        }
        inside += [f"addr add {pod.ip6}/128 dev eth0 nodad", f"route add default via {LINK_LOCAL} dev eth0"]
        outside.append(f"route add {pod.ip6}/128 dev {pod.veth}")
    # The pause container: it holds the pod's namespaces for as long as the pod lives.
    pause = f"nsenter --net=/run/netns/{pod.netns} sleep infinity </dev/null >/dev/null 2>&1 &"
    return "\n".join([*settings(values), batch(inside, f"-n {pod.netns}"), batch(outside), pause])


def vxlan(cluster: ClusterSpec, node: NodeSpec) -> str:
    """Shell text for a node's VTEPs, forwarding entries and block routes: vxlan_mgr.go and route_mgr.go of Felix."""
    device = "vxlan.calico"
    vteps, forwarding, routes = [], [], [f"route add blackhole {block} proto 80" for block in node.blocks]
    mtu = f" mtu {cluster.tunnel_mtu}" if cluster.is_since(3, 31) else ""
    for other in cluster.others(node):
        vteps.append(f"neigh replace {other.tunnel_address} lladdr {other.vtep_mac} dev {device} nud permanent")
        forwarding.append(f"fdb append {other.vtep_mac} dev {device} dst {other.address} self permanent")
        borrowed = [f"{each.ip}/32" for each in cluster.borrowed(other)]
        for prefix in (*of_family(other.blocks, 4), *borrowed):
            if cluster.is_tunnelled(node, other):
                routes.append(f"route add {prefix} via {other.tunnel_address} dev {device} onlink{mtu}")
            else:
                routes.append(f"route add {prefix} via {other.address} dev eth0 proto 80 onlink")
    return "\n".join([batch(vteps), batch(forwarding, program="bridge"), batch(routes)])


def masquerade(cluster: ClusterSpec) -> str:
    """Shell text for natOutgoing, with the names of Felix's nftables dataplane (felix/rules/nat.go)."""
    everything = ", ".join(pool.cidr for pool in cluster.pools if pool.network.version == 4)
    masked = ", ".join(pool.cidr for pool in cluster.pools if pool.network.version == 4 and pool.nat_outgoing)
    return f"""nft -f - <<'END'
table ip calico {{
  set cali40all-ipam-pools {{
    type ipv4_addr
    flags interval
    elements = {{ {everything} }}
  }}
  set cali40masq-ipam-pools {{
    type ipv4_addr
    flags interval
    elements = {{ {masked} }}
  }}
  chain nat-cali-nat-outgoing {{
    ip saddr @cali40masq-ipam-pools ip daddr != @cali40all-ipam-pools masquerade
  }}
  chain nat-POSTROUTING {{
    type nat hook postrouting priority srcnat
    jump nat-cali-nat-outgoing
  }}
}}
END"""
