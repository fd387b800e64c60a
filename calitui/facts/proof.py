"""What a live proof brought back: the probes that were sent, and every sighting of their packets on the way.

A sighting is a packet on one interface at one moment, with all its headers. What was watched and saw nothing is as much
a fact as what saw something, so each watch says whether it listened all the time.
"""

from __future__ import annotations

import msgspec

from calitui.facts.missing import Missing
from calitui.facts.node import Counters


class SeenHeader(msgspec.Struct, frozen=True, omit_defaults=True):
    """A header of a captured packet. `protocol` is what this IP header carries: `ipip`, `udp`, `icmp`, `tcp` ...

    `detail` is what lies between it and the next header (`VXLAN port 4789 VNI 4096`), or what an ICMP message says.
    `length` is the IP packet's in bytes, `dont_fragment` the DF bit, None where there is none (IPv6).
    """

    protocol: str
    src: str
    dst: str
    ttl: int | None = None
    length: int | None = None
    source_port: int | None = None
    destination_port: int | None = None
    dont_fragment: bool | None = None
    detail: str | None = None


class Sighting(msgspec.Struct, frozen=True, omit_defaults=True):
    """A packet on an interface of `node`, or of the container with the address `container` on it.

    `time` is seconds since the epoch by that node's clock. `outgoing` says which way it crossed, None if not told.
    `headers` are outermost first. `kind` is `request`, `reply`, or `error` for an ICMP error about a probe, whose words
    are in `detail` (`fragmentation needed, MTU 1400`). `sequence` is the probe's number. `frame` is the captured bytes
    from the outermost IP header on. `size` is set for the packets of a size probe: the inner IP packet's length in
    bytes, of an error the length of the packet that it is about, 0 where that was not quoted.
    """

    node: str
    device: str
    time: float
    kind: str
    headers: tuple[SeenHeader, ...]
    container: str | None = None
    outgoing: bool | None = None
    sequence: int | None = None
    detail: str = ""
    frame: bytes = b""
    size: int | None = None


class Watch(msgspec.Struct, frozen=True, omit_defaults=True):
    """One place that was watched: all interfaces of a node's own namespace, or of a container's.

    `how` is `tcpdump` or `counters`. `complete` is whether it listened from before the first probe to after the last
    answer and lost nothing: only then is what it did not see evidence. `reason` says why not. `command` is what ran.
    """

    node: str
    how: str
    container: str | None = None
    complete: bool = False
    reason: str = ""
    command: str = ""


class Probe(msgspec.Struct, frozen=True, omit_defaults=True):
    """Packets that were sent: `protocol` is `icmp`, `tcp` or `udp`, `port` the destination's.

    `count` were sent and `answered` answered (for TCP any answer counts, a refusal too). `output` is what the sending
    program said, `error` why it could not send. `command` is what ran on `node`.
    """

    node: str
    source: str
    destination: str
    protocol: str = "icmp"
    port: int | None = None
    count: int = 0
    answered: int = 0
    output: tuple[str, ...] = ()
    error: str = ""
    command: str = ""


class SizeProbe(msgspec.Struct, frozen=True, omit_defaults=True):
    """One packet of `size` bytes (the whole inner IP packet) with fragmentation forbidden: whether it was answered.

    `said` is what came instead: the sender's own refusal (`message too long, mtu=1440`) or an ICMP error.
    """

    size: int
    passed: bool
    said: str = ""


class Carried(msgspec.Struct, frozen=True, omit_defaults=True):
    """A node's devices before and after the probes.

    `reverse_path_drops` is how many packets its reverse path filter dropped in between (`IPReversePathFilter` of
    `/proc/net/netstat`), None if not read.
    """

    node: str
    before: tuple[Counters, ...]
    after: tuple[Counters, ...]
    reverse_path_drops: int | None = None


class RuleCount(msgspec.Struct, frozen=True, omit_defaults=True):
    """A rule of a node's packet filter that matched more packets after the probes than before: `packets` more.

    `chain` is its chain with the table, `verdict` `drop`, `reject`, `accept`, `return`, `snat`, `dnat` or "" for
    others; `policy` says whose chain it is if it is one of Calico's (`policy huang2/deny-all`, `pod huang2/hhh`).
    """

    node: str
    chain: str
    text: str
    packets: int
    verdict: str = ""
    policy: str = ""


class Proof(msgspec.Struct, frozen=True, omit_defaults=True):
    """A live proof of one pair at one moment (`taken_at`, seconds since the epoch)."""

    taken_at: float
    probe: Probe
    watches: tuple[Watch, ...] = ()
    sightings: tuple[Sighting, ...] = ()
    sizes: tuple[SizeProbe, ...] = ()
    carried: tuple[Carried, ...] = ()
    rules: tuple[RuleCount, ...] = ()
    missing: tuple[Missing, ...] = ()
