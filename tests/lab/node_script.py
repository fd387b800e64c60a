"""The shell script that a node boots with, and the one that connects nodes: text made from a cluster's description.

The same scripts run on this machine's kernel and under user-mode-linux, where every process costs much more:
`ip -batch` does in one what would be twenty.
"""

from __future__ import annotations

import shlex
from pathlib import Path

import msgspec

from tests.lab.bird import SOCKET
from tests.lab.clusters import GATEWAY, UNDERLAY, ClusterSpec, NodeSpec, PodSpec


class Paths(msgspec.Struct, frozen=True):
    """Where a node finds what was prepared for it. All below the lab's state directory, but for the interpreter."""

    state: Path
    python: Path

    def node(self, node: NodeSpec) -> Path:
        """The directory of one node: its scripts in, its logs out."""
        return self.state / "nodes" / node.name


def underlay_batch(cluster: ClusterSpec, netns: dict[str, str], uplink: str | None, gateway: bool) -> str:
    """`ip -batch` lines for the network between the nodes, a bridge with a port for each.

    `netns` maps node names to network namespaces; `uplink` is a device to add; `gateway` puts the gateway's address on
    the bridge.
    """
    lines = ["link set lo up", "link add br0 type bridge", "link set br0 up"]
    if gateway:
        lines.append(f"addr add {GATEWAY}/{UNDERLAY.rpartition('/')[2]} dev br0")
    if uplink:
        lines.append(f"link set {uplink} master br0 up")
    for number, node in enumerate(cluster.nodes, 1):
        octets = [int(part) for part in node.address.split(".")]
        mac = "52:54:" + ":".join(f"{octet:02x}" for octet in octets)
        lines += [
            f"link add port{number} type veth peer name eth0 address {mac} netns {netns[node.name]}",
            f"link set port{number} master br0 up",
        ]
    return "\n".join(lines) + "\n"


def boot_command(node: NodeSpec, paths: Paths, netns: str) -> str:
    """The command that makes a node of a network namespace; it lasts as long as the node."""
    # PID 1 ends with unshare (--kill-child), and everything in the node ends with PID 1.
    namespaces = "--mount --propagation private --uts --ipc --pid --fork --kill-child"
    script = shlex.quote(str(paths.node(node) / "boot"))
    return f"exec nsenter --net=/run/netns/{netns} unshare {namespaces} bash {script}"


def boot_script(cluster: ClusterSpec, node: NodeSpec, paths: Paths) -> str:
    """What the node's PID 1 does: kernel settings, links, pods, BIRD, sshd; then it waits for ever.

    It leaves the file `up` when the node has routes to all blocks of its peers, and `failed` when that takes too long.
    """
    directory = paths.node(node)
    sections = [
        _file_systems(node, paths),
        # The module gives every namespace a tunl0, unless net.core.fb_tunnels_only_for_init_net says otherwise.
        *(["[ -e /sys/class/net/tunl0 ] || ip link add tunl0 type ipip"] if cluster.tunnelled else []),
        _batch(_links(cluster, node)),
        *(_pod(cluster, pod) for pod in node.workloads),
        _daemons(cluster, node, paths),
        _until_routed(cluster, node, directory),
    ]
    return "\n".join([f"# {cluster.name}: {node.name}", "set -eu", *sections]) + "\n"


def _file_systems(node: NodeSpec, paths: Paths) -> str:
    state = shlex.quote(str(paths.state))
    etc = f"{state}/etc"
    return f"""
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
cd /
trap 'touch {shlex.quote(str(paths.node(node)))}/failed' EXIT
# A node sees the machine's files but changes only the lab's.
mount --bind {state} {state}
mount -o remount,ro,bind /
umount -R -l /run/netns 2>/dev/null || :
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/sshd /run/netns /run/calico /run/lock /run/home/root /run/home/calitui /run/home/viewer
chown 60001:60001 /run/home/calitui
chown 60002:60002 /run/home/viewer
for file in passwd shadow group hosts; do mount --bind {etc}/$file /etc/$file; done
[ ! -e /etc/sudoers ] || mount --bind {etc}/sudoers /etc/sudoers
hostname {node.name}
cp {state}/ssh/authorized_keys /run/authorized_keys
chmod 644 /run/authorized_keys
# Distributions set rp_filter for interfaces to come; Felix sets forwarding and proxy ARP.
echo 1 >/proc/sys/net/ipv4/ip_forward
echo 1 >/proc/sys/net/ipv4/conf/all/rp_filter
echo 1 >/proc/sys/net/ipv4/conf/default/rp_filter"""


def _links(cluster: ClusterSpec, node: NodeSpec) -> list[str]:
    length = UNDERLAY.rpartition("/")[2]
    lines = [
        "link set lo up",
        f"addr add {node.address}/{length} brd + dev eth0",
        "link set eth0 up",
        f"route add default via {GATEWAY} dev eth0",
    ]
    if cluster.tunnelled:
        lines += [
            f"link set tunl0 mtu {cluster.tunnel_mtu} up",
            f"addr add {node.tunnel_address}/32 dev tunl0",
        ]
    for pod in node.workloads:
        lines += [
            f"netns add {pod.netns}",
            f"link add {pod.veth} address ee:ee:ee:ee:ee:ee mtu {cluster.pod_mtu} type veth "
            f"peer name eth0 address {pod.mac} mtu {cluster.pod_mtu} netns {pod.netns}",
        ]
    return lines


def _pod(cluster: ClusterSpec, pod: PodSpec) -> str:
    inside = [
        "link set lo up",
        f"addr add {pod.ip}/32 dev eth0",
        "link set eth0 up",
        "route add 169.254.1.1 dev eth0 scope link",
        "route add default via 169.254.1.1 dev eth0",
    ]
    outside = [f"link set {pod.veth} up", f"route add {pod.ip}/32 dev {pod.veth} scope link"]
    settings = {
        f"conf/{pod.veth}/route_localnet": 1,
        f"neigh/{pod.veth}/proxy_delay": 0,
        f"conf/{pod.veth}/proxy_arp": 1,
        f"conf/{pod.veth}/forwarding": 1,
    }
    return "\n".join(
        [
            *(f"echo {value} >/proc/sys/net/ipv4/{name}" for name, value in settings.items()),
            _batch(inside, f"-n {pod.netns}"),
            _batch(outside),
            # The pause container: it holds the pod's namespaces for as long as the pod lives.
            f"nsenter --net=/run/netns/{pod.netns} sleep infinity </dev/null >/dev/null 2>&1 &",
        ]
    )


def _batch(lines: list[str], options: str = "") -> str:
    return f"ip {options} -batch - <<'END'\n" + "\n".join(lines) + "\nEND"


def _daemons(cluster: ClusterSpec, node: NodeSpec, paths: Paths) -> str:
    directory = shlex.quote(str(paths.node(node)))
    lines = [
        f"bird -c {directory}/bird.conf -s {SOCKET} -P /run/calico/bird.pid",
        f"$(command -v sshd) -f {directory}/sshd_config -E {directory}/sshd.log",
    ]
    if cluster.tunnelled:
        program = shlex.quote(str(paths.state / "tunnel_routes.py"))
        python = shlex.quote(str(paths.python))
        lines.append(f"{python} -S -E {program} {SOCKET} tunl0 </dev/null >>{directory}/tunnel_routes.log 2>&1 &")
    return "\n".join(lines)


def routed(cluster: ClusterSpec, node: NodeSpec) -> str:
    """A shell condition: the node's sessions are established and it has a route to each block."""
    peers = len(cluster.peers(node))
    blocks = sum(len(other.blocks) for other in cluster.nodes)
    return (
        f"[ \"$(birdc -r -s {SOCKET} show protocols | grep -c ' Established')\" = {peers} ] && "
        f'[ "$(ip route show proto bird | wc -l)" = {blocks} ]'
    )


def _until_routed(cluster: ClusterSpec, node: NodeSpec, directory: Path) -> str:
    # bash waits for any child, so it also buries the orphans that fall to PID 1.
    return f"""
n=0
until {routed(cluster, node)}; do
  n=$((n + 1)); [ $n -lt 200 ] || exit 1
  sleep 0.3
done
touch {shlex.quote(str(directory))}/up
trap - EXIT
set +e
while :; do sleep infinity & wait $!; done"""
