"""The shell scripts that nodes and routers boot with: text made from a cluster's description.

The same scripts run on this machine's kernel and under user-mode-linux, where every process costs much more:
`ip -batch` does in one what would be twenty.
"""

from __future__ import annotations

import shlex
from pathlib import Path

import msgspec

from tests.lab import felix, underlay
from tests.lab.bird import SOCKET, SOCKET6, families, sessions
from tests.lab.spec import ClusterSpec, NodeSpec, RouterSpec, of_family


class Paths(msgspec.Struct, frozen=True):
    """Where a node finds what was prepared for it. All below the lab's state directory, but for the interpreter."""

    state: Path
    python: Path

    def machine(self, machine: NodeSpec | RouterSpec) -> Path:
        """The directory of one machine: its scripts in, its logs out."""
        return self.state / "nodes" / machine.name


def boot_command(machine: NodeSpec | RouterSpec, paths: Paths, netns: str) -> str:
    """The command that makes a machine of a network namespace; it lasts as long as the machine."""
    # PID 1 ends with unshare (--kill-child), and everything in the node ends with PID 1.
    namespaces = "--mount --propagation private --uts --ipc --pid --fork --kill-child"
    script = shlex.quote(str(paths.machine(machine) / "boot"))
    return f"exec nsenter --net=/run/netns/{netns} unshare {namespaces} bash {script}"


def boot_script(cluster: ClusterSpec, node: NodeSpec, paths: Paths) -> str:
    """What the node's PID 1 does: kernel settings, links, pods, BIRD, sshd; then it waits for ever.

    It leaves the file `up` when the node has routes to all blocks of its peers, and `failed` when that takes too long.
    """
    by_hand = [f"rule add {rule}" for rule in node.rules] + [f"route add {route}" for route in node.routes]
    sections = [
        _file_systems(node, paths),
        *(felix.settings({"ipv6/conf/all/forwarding": 1}) if cluster.dual_stack else []),
        # The module gives every namespace a tunl0, unless net.core.fb_tunnels_only_for_init_net says otherwise.
        *(["[ -e /sys/class/net/tunl0 ] || ip link add tunl0 type ipip"] if cluster.ipip else []),
        felix.batch([*underlay.interfaces(cluster, node), *felix.links(cluster, node)]),
        *(felix.pod(cluster, pod) for pod in node.workloads),
        *([felix.vxlan(cluster, node)] if cluster.vxlan else []),
        *([felix.masquerade(cluster)] if cluster.masquerade else []),
        *([felix.batch(by_hand)] if by_hand else []),
        _daemons(cluster, node, paths),
        _until_routed(cluster, node, paths.machine(node)),
    ]
    return "\n".join([f"# {cluster.name}: {node.name}", "set -eu", *sections]) + "\n"


def router_script(cluster: ClusterSpec, router: RouterSpec, paths: Paths) -> str:
    """What a router's PID 1 does: links, BIRD if it speaks BGP, sshd so that one can look in."""
    directory = shlex.quote(str(paths.machine(router)))
    sections = [
        _file_systems(router, paths),
        felix.batch([*underlay.interfaces(cluster, router), *(f"route add {route}" for route in router.routes)]),
        *([_bird(directory, 4)] if router.as_number else []),
        _sshd(directory),
        _for_ever(directory),
    ]
    return "\n".join([f"# {cluster.name}: {router.name}", "set -eu", *sections]) + "\n"


def _file_systems(machine: NodeSpec | RouterSpec, paths: Paths) -> str:
    state = shlex.quote(str(paths.state))
    etc = f"{state}/etc"
    return f"""
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
cd /
trap 'touch {shlex.quote(str(paths.machine(machine)))}/failed' EXIT
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
hostname {machine.name}
cp {state}/ssh/authorized_keys /run/authorized_keys
chmod 644 /run/authorized_keys
# Distributions set rp_filter for interfaces to come; Felix sets forwarding and proxy ARP.
echo 1 >/proc/sys/net/ipv4/ip_forward
echo 1 >/proc/sys/net/ipv4/conf/all/rp_filter
echo 1 >/proc/sys/net/ipv4/conf/default/rp_filter"""


def _bird(directory: str, family: int) -> str:
    program, socket = ("bird6", SOCKET6) if family == 6 else ("bird", SOCKET)
    return f"{program} -c {directory}/{program}.conf -s {socket} -P /run/calico/{program}.pid"


def _sshd(directory: str) -> str:
    return f"$(command -v sshd) -f {directory}/sshd_config -E {directory}/sshd.log"


def _daemons(cluster: ClusterSpec, node: NodeSpec, paths: Paths) -> str:
    directory = shlex.quote(str(paths.machine(node)))
    lines = [*(_bird(directory, family) for family in families(cluster)), _sshd(directory)]
    if cluster.ipip:
        program = shlex.quote(str(paths.state / "tunnel_routes.py"))
        python = shlex.quote(str(paths.python))
        near = cluster.subnet_of(node.address).cidr if cluster.pools[0].ipip_mode == "CrossSubnet" else ""
        command = f"{python} -S -E {program} {SOCKET} tunl0 {near}"
        lines.append(
            f"{command} </dev/null >>{directory}/tunnel_routes.log 2>&1 &\necho $! >/run/calico/tunnel_routes.pid"
        )
    return "\n".join(lines)


def routed(cluster: ClusterSpec, node: NodeSpec) -> str:
    """A shell condition: the node's sessions are established and it has all its routes to the blocks."""
    conditions = ["true"]
    for family in families(cluster):
        expected = sessions(cluster, node, family)
        socket = SOCKET6 if family == 6 else SOCKET
        blocks = [len(of_family(other.blocks, family)) for other in cluster.nodes]
        established = f"birdc -r -s {socket} show protocols | grep -c ' Established'"
        conditions.append(f'[ "$({established})" = {len(expected)} ]')
        conditions.append(f'[ "$(ip -{family} -o route show proto bird | wc -l)" = {sum(blocks)} ]')
        if not cluster.mesh and len(expected) > 1:
            # A route with several next hops has a line for each.
            remote = len(expected) * (sum(blocks) - len(of_family(node.blocks, family)))
            conditions.append(f'[ "$(ip -{family} route show proto bird | grep -c nexthop)" = {remote} ]')
    return " && ".join(conditions)


def _until_routed(cluster: ClusterSpec, node: NodeSpec, directory: Path) -> str:
    return f"""
n=0
until {routed(cluster, node)}; do
  n=$((n + 1)); [ $n -lt 200 ] || exit 1
  sleep 0.3
done{_for_ever(shlex.quote(str(directory)))}"""


def _for_ever(directory: str) -> str:
    # bash waits for any child, so it also buries the orphans that fall to PID 1.
    return f"""
touch {directory}/up
trap - EXIT
set +e
while :; do sleep infinity & wait $!; done"""
