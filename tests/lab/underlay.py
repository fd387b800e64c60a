"""The network under a cluster: a bridge for each subnet, a cable to each machine in it, as `ip -batch` lines.

On this machine's kernel and in a guest alike. A gateway that is no router of the cluster's description is an address
on the bridge.
"""

from __future__ import annotations

from collections.abc import Mapping

from tests.lab.spec import ClusterSpec, NodeSpec, RouterSpec


def bridges(cluster: ClusterSpec, netns: Mapping[str, str], *, uplink: str | None = None) -> list[str]:
    """The bridges and a port for each interface of each machine.

    `netns` maps the machines' names to network namespaces; `uplink` is a device to add to the first bridge, and then
    the gateways are beyond it.
    """
    lines = ["link set lo up"]
    for number, subnet in enumerate(cluster.subnets):
        lines += [f"link add br{number} type bridge", f"link set br{number} up"]
        if uplink is None:
            lines += gateway(cluster, number)
        port = 0
        for machine in cluster.machines:
            for index, address in enumerate(machine.addresses):
                if not subnet.holds(address):
                    continue
                port += 1
                name = f"port{number}-{port}"
                mac = "52:54:" + ":".join(f"{int(octet):02x}" for octet in address.split("."))
                ends = f"type veth peer name eth{index} address {mac} netns {netns[machine.name]}"
                lines += [f"link add {name} {ends}", f"link set {name} master br{number} up"]
    if uplink:
        lines.append(f"link set {uplink} master br0 up")
    return lines


def gateway(cluster: ClusterSpec, number: int) -> list[str]:
    """The gateway's addresses on the bridge of a subnet, where no router has them."""
    subnet = cluster.subnets[number]
    if any(subnet.gateway in router.addresses for router in cluster.routers):
        return []
    lines = [f"addr add {subnet.gateway}/{subnet.length} dev br{number}"]
    if subnet.cidr6:
        lines.append(f"addr add {subnet.gateway6}/{subnet.cidr6.rpartition('/')[2]} dev br{number} nodad")
    return lines


def interfaces(cluster: ClusterSpec, machine: NodeSpec | RouterSpec) -> list[str]:
    """What a machine does with its own ends of the cables."""
    lines = ["link set lo up"]
    for index, address in enumerate(machine.addresses):
        length = cluster.subnet_of(address).length
        lines += [f"addr add {address}/{length} brd + dev eth{index}", f"link set eth{index} up"]
    if isinstance(machine, NodeSpec):
        first = cluster.subnet_of(machine.address)
        lines.append(f"route add default via {first.gateway} dev eth0")
        if machine.address6 and first.cidr6:
            length = first.cidr6.rpartition("/")[2]
            lines.append(f"addr add {machine.address6}/{length} dev eth0 nodad")
            lines.append(f"route add default via {first.gateway6} dev eth0")
    return lines


def client(cluster: ClusterSpec) -> list[str]:
    """What the client does with its cable to the first subnet: what is elsewhere is reached through its gateway."""
    first = cluster.subnets[0]
    lines = ["link set lo up", f"addr add {cluster.client}/{first.length} brd + dev eth0", "link set eth0 up"]
    return lines if len(cluster.subnets) == 1 else [*lines, f"route add default via {first.gateway} dev eth0"]
