"""user-mode-linux: a Linux kernel with ipip that runs as an ordinary process, for machines whose own kernel has none.

The guest has the machine's own root file system (hostfs, read-only) and the lab's state directory (writable). Its one
network device is a tap in the lab's underlay, so the nodes in the guest are neighbours of the client outside.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from tests.lab import underlay
from tests.lab.needs import UML, program
from tests.lab.node_script import Paths, boot_command
from tests.lab.spec import ClusterSpec

TAP = "guest"
"""The tap's name in the underlay's namespace."""

UNDERLAY = "/mnt/underlay"
"""The guest's own network namespace, in which the bridges are, as a file that its nodes can enter."""

# In the order they need each other: ipv6 wants crc-ccitt (segment routing), bridge wants ipv6. The last five are a
# node's packet filter: this kernel's nf_tables has no IPv4 tables, so that only iptables-legacy can drop.
_MODULES = (
    "lib/crc-ccitt.ko",
    "net/ipv6/ipv6.ko",
    "net/llc/llc.ko",
    "net/802/stp.ko",
    "net/bridge/bridge.ko",
    "drivers/net/veth.ko",
    "net/ipv4/tunnel4.ko",
    "net/ipv4/ip_tunnel.ko",
    "net/ipv4/ipip.ko",
    "net/netfilter/nfnetlink.ko",
    "net/netfilter/nf_tables.ko",
    "net/netfilter/x_tables.ko",
    "net/ipv4/netfilter/ip_tables.ko",
    "net/ipv4/netfilter/iptable_filter.ko",
)


def command(state: Path, netns: str) -> list[str]:
    """The command that boots the guest in the network namespace `netns`, where the tap is.

    The kernel is the first process of a PID namespace: ending the command ends all the processes it is made of. Mounts
    that end outside end in its copy too (`slave`), or it would hold on to the namespaces of labs that are gone.
    """
    return [
        program("nsenter"),
        f"--net=/run/netns/{netns}",
        program("unshare"),
        *("--mount", "--propagation", "slave", "--mount-proc", "--pid", "--fork", "--kill-child"),
        program(UML),
        "mem=768M",
        f"uml_dir={state / 'uml'}",
        "umid=lab",
        "rootfstype=hostfs",
        "rootflags=/",
        "ro",
        f"init={state / 'init'}",
        f"vec0:transport=tap,ifname={TAP}",
        *("con=null", "con0=null,fd:1", "con1=null,fd:1", "ssl=null"),
    ]


def init_script(cluster: ClusterSpec, paths: Paths, modules: str) -> str:
    """What the guest does first and last: file systems, modules, the bridge between the nodes, the nodes."""
    state = shlex.quote(str(paths.state))
    names = [machine.name for machine in cluster.machines]
    boots = "\n".join(
        f"(\n{boot_command(machine, paths, netns)}\n) >{shlex.quote(str(paths.machine(machine)))}/boot.log 2>&1 &"
        for machine, netns in zip(cluster.machines, names, strict=True)
    )
    added = "\n".join(f"netns add {name}" for name in names)
    network = "\n".join(underlay.bridges(cluster, dict(zip(names, names, strict=True)), uplink="vec0"))
    loads = "\n".join(f"insmod {shlex.quote(f'{modules}/{module}')}" for module in _MODULES)
    return f"""#!/bin/bash
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /mnt
touch {UNDERLAY}
mount --bind /proc/self/ns/net {UNDERLAY}
mkdir -p /dev/pts
mount -t devpts -o ptmxmode=666 devpts /dev/pts
mount -t hostfs -o {state} none {state}
{loads}
ip -batch - <<'END'
{added}
END
ip -batch - <<'END'
{network}
END
{boots}
while :; do sleep infinity & wait $!; done
"""
