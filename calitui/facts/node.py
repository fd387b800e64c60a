"""What one node's kernel holds: links, addresses, routes, rules, neighbours, and its own answers to lookups.

A `NetworkNamespace` is one routing domain; a node has its own and, where they could be read, those of its containers.
Addresses are text as iproute2 prints them (no prefix length), prefixes are `address/length` with the host bits
cleared; `default` and `::/0` are written out as `0.0.0.0/0` and `::/0`. `text` fields are the cleaned verbatim line.
What a large cluster has by the million (`gc=False`) is kept out of garbage collection, as it is never part of a cycle.
"""

from __future__ import annotations

import msgspec

from calitui.facts.bird import Bird
from calitui.facts.missing import Missing
from calitui.facts.packet_filter import PacketFilter


class Address(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """An address on a link. `peer` is the far end of a point-to-point address."""

    ip: str
    prefix_length: int
    scope: str = "global"
    peer: str | None = None


class Link(msgspec.Struct, frozen=True, omit_defaults=True):
    """A network device.

    `kind` is the rtnetlink kind (`veth`, `ipip`, `vxlan`, `bridge`, ...) or "" for hardware and where `ip -d` was not
    to be had. `state` is the operational state (`UP`, `DOWN`, `UNKNOWN`, `LOWERLAYERDOWN`). `peer_index` is the ifindex
    behind `@ifN` (the other end of a veth), in the namespace `peer_namespace` (an nsid, or a name that iproute2 knew).
    `mtu` is in bytes. `tunnel_local`/`tunnel_remote` are the outer addresses of a tunnel, None for `any`. `parent` is
    the device a VXLAN or VLAN is bound to; `vni` and `port` belong to VXLAN.
    """

    index: int
    name: str
    flags: tuple[str, ...] = ()
    mtu: int | None = None
    state: str = "UNKNOWN"
    mac: str | None = None
    kind: str = ""
    peer_index: int | None = None
    peer_namespace: str | None = None
    master: str | None = None
    parent: str | None = None
    tunnel_local: str | None = None
    tunnel_remote: str | None = None
    vni: int | None = None
    port: int | None = None
    addresses: tuple[Address, ...] = ()
    text: str = ""

    @property
    def is_up(self) -> bool:
        """Administratively up and not known to lack its carrier."""
        return "UP" in self.flags and "NO-CARRIER" not in self.flags and self.state not in ("DOWN", "LOWERLAYERDOWN")


class NextHop(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One of several next hops of a multipath route. `flags` are `onlink`, `linkdown`, `dead`, `pervasive`."""

    gateway: str | None = None
    device: str | None = None
    weight: int = 1
    flags: tuple[str, ...] = ()


class Route(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A route as the kernel holds it.

    `kind` is iproute2's type word: `unicast`, `local`, `broadcast`, `multicast`, `anycast`, `blackhole`, `unreachable`,
    `prohibit`, `throw`. `table` is its name or number as text (`main`, `local`, `254` is `main`). `protocol` is a name
    where iproute2 or calitui knows one (`bird` is 12), else the number as text; "" where none was printed (boot).
    `metric` 0 is the default of IPv4. `source` is the preferred source address. `flags` as in `NextHop`. `preference`
    is the router preference of an IPv6 route, `high` or `low`; "" is medium (RFC 4191).
    """

    prefix: str
    kind: str = "unicast"
    gateway: str | None = None
    device: str | None = None
    table: str = "main"
    protocol: str = ""
    scope: str = ""
    metric: int = 0
    source: str | None = None
    mtu: int | None = None
    tos: int = 0
    flags: tuple[str, ...] = ()
    next_hops: tuple[NextHop, ...] = ()
    preference: str = ""
    text: str = ""


class Rule(msgspec.Struct, frozen=True, omit_defaults=True):
    """A routing policy rule. `source`/`destination` are prefixes or None for all; `action` is `lookup` or `blackhole`,
    `unreachable`, `prohibit`, `goto`, `nop`. `mark`/`mask` are numbers; `table` is a name or number as text, and the
    priority to go on with for `goto`. `other` are selectors that have no field: whether they match can't be said.
    `family` is 4 or 6.
    """

    priority: int
    source: str | None = None
    destination: str | None = None
    input_device: str | None = None
    output_device: str | None = None
    mark: int | None = None
    mask: int | None = None
    table: str | None = None
    action: str = "lookup"
    inverted: bool = False
    suppress_prefix_length: int | None = None
    other: tuple[str, ...] = ()
    text: str = ""
    family: int = 4


class Neighbour(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """An ARP or NDP entry. `state` is the kernel's word (`REACHABLE`, `STALE`, `FAILED`, `PERMANENT` ...)."""

    ip: str
    device: str
    mac: str | None = None
    state: str = ""
    text: str = ""


class ForwardingEntry(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A forwarding database entry of a VXLAN device: frames for `mac` go to the outer address `destination`."""

    mac: str
    device: str
    destination: str | None = None
    flags: tuple[str, ...] = ()
    text: str = ""


class Counters(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What a device has carried since it was made, by `/proc/net/dev`: packets, errors and drops each way."""

    device: str
    rx_packets: int = 0
    rx_errors: int = 0
    rx_dropped: int = 0
    tx_packets: int = 0
    tx_errors: int = 0
    tx_dropped: int = 0
    text: str = ""


class Question(msgspec.Struct, frozen=True):
    """Where a packet from `source` to `destination` would go from here; both are addresses of one family."""

    source: str
    destination: str


class LookupAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the kernel itself said to `ip route get DESTINATION [from SOURCE [iif INPUT_DEVICE]]`.

    `route` is the answer with the destination as a /32 (/128) prefix, or None when the kernel refused; then `error` is
    its words (`RTNETLINK answers: No route to host`). `command` is what was run, `text` what it printed.
    """

    destination: str
    source: str | None = None
    input_device: str | None = None
    route: Route | None = None
    error: str = ""
    command: str = ""
    text: str = ""


class NetworkNamespace(msgspec.Struct, frozen=True, omit_defaults=True):
    """One routing domain: a node's own, or a container's.

    `sysctls` maps names below `net.` in slash form without it, as in `ipv4/ip_forward`, `ipv4/conf/eth0/rp_filter`, to
    their values. `unparsed` are lines that no grammar covers, verbatim. `complete` names the sections that were read
    to their end (`links`, `addresses`, `routes`, `routes6`, `rules`, `rules6`, `neighbours`, `sysctls`, `fdb`,
    `counters`): only in those is an absence evidence.
    """

    links: tuple[Link, ...] = ()
    routes: tuple[Route, ...] = ()
    rules: tuple[Rule, ...] = ()
    neighbours: tuple[Neighbour, ...] = ()
    fdb: tuple[ForwardingEntry, ...] = ()
    counters: tuple[Counters, ...] = ()
    sysctls: dict[str, str] = {}
    unparsed: tuple[str, ...] = ()
    complete: frozenset[str] = frozenset()


class Container(msgspec.Struct, frozen=True, omit_defaults=True):
    """The network namespace that holds the pod address `ip`; `found_by` is the pid or netns path it was found by."""

    ip: str
    namespace: NetworkNamespace
    found_by: str = ""


class RenderedPool(msgspec.Struct, frozen=True, omit_defaults=True):
    """A pool as confd rendered it for BIRD in `bird_ipam.cfg`: `tunnel` is its krt_tunnel device, None without one.

    `cross_subnet` says that the tunnel is for next hops outside the node's subnet only, `by_felix` that BIRD leaves the
    pool's routes to Felix (VXLAN, and from v3.33 IPIP): then nothing is known of how its packets are carried.
    """

    cidr: str
    tunnel: str | None = None
    cross_subnet: bool = False
    by_felix: bool = False
    text: str = ""


class ManagedDevice(msgspec.Struct, frozen=True, omit_defaults=True):
    """A device that a service of the host's distribution takes for its own: it may remove Calico's routes from it.

    `service` is `NetworkManager` or `systemd-networkd`; `device` is its name, `text` the line that says so with the
    file it stands in (`/run/NetworkManager/devices/7:managed=true`).
    """

    service: str
    device: str
    text: str = ""


class Offload(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whether a device computes something by itself: a line of `ethtool -k`, such as `tx-checksum-ip-generic: on`."""

    device: str
    feature: str
    on: bool
    text: str = ""


class NodeFacts(msgspec.Struct, frozen=True, omit_defaults=True):
    """Everything one read of one node brought back.

    `name` is the Kubernetes node. `via` is the way in (`ssh`), `target` what was dialled (`root@10.173.32.23:22`),
    `address_source` why that address (`InternalIP`, `nodes table`), `why` why this way in where there was a
    choice. `read_at` is seconds since the epoch. `missing`
    says what was asked for and not read; a node that could not be reached has everything in `missing` and `host` None.
    `rendered_pools` come from confd's file where it can be read (inside calico-node): with etcd as datastore they are
    the only pools there are to see. Each of the fields from there on is None where it was not read: `birds` is () where
    no BIRD has a socket, `packet_filter` has no chains where the kernel filters nothing, `processes` are the names of
    those of Calico's daemons that run (`bird`, `bird6`, `confd`, `calico-node`, `felix`). `pod_mtu` is what Felix wrote
    to `/var/lib/calico/mtu` for the CNI plugin, bytes, None too where there is no such file. `foreign_routes` are the
    lines of systemd-networkd's configuration that say whether it removes routes of others (`ManageForeignRoutes=no`).
    """

    name: str
    via: str
    target: str = ""
    address_source: str = ""
    why: str = ""
    read_at: float = 0.0
    hostname: str = ""
    kernel: str = ""
    host: NetworkNamespace | None = None
    containers: tuple[Container, ...] = ()
    answers: tuple[LookupAnswer, ...] = ()
    rendered_pools: tuple[RenderedPool, ...] | None = None
    birds: tuple[Bird, ...] | None = None
    packet_filter: PacketFilter | None = None
    processes: tuple[str, ...] | None = None
    pod_mtu: int | None = None
    managed_devices: tuple[ManagedDevice, ...] | None = None
    foreign_routes: tuple[str, ...] | None = None
    offloads: tuple[Offload, ...] | None = None
    missing: tuple[Missing, ...] = ()
