"""The shape of a computed path: what every report and screen shows.

The vocabularies are closed, scripts test their values. A hop never exists without evidence of where it comes from.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from calitui.facts.missing import Missing
from calitui.facts.proof import Proof, SeenHeader
from calitui.trace.finding import Finding, Unchecked


class Step(StrEnum):
    """What happens at a hop, named from the packet's point of view."""

    CONTAINER_OUT = "container-out"
    VETH_IN = "veth-in"
    ROUTE = "route"
    TUNNEL_OUT = "tunnel-out"
    NIC_OUT = "nic-out"
    NIC_IN = "nic-in"
    TUNNEL_IN = "tunnel-in"
    VETH_OUT = "veth-out"
    CONTAINER_IN = "container-in"
    HOST_OUT = "host-out"
    """The packet is made by the node itself: a host-network pod."""
    HOST_IN = "host-in"
    """The packet is taken in by the node itself: a host-network pod."""


class Evidence(StrEnum):
    """Where a hop's statement comes from."""

    KERNEL = "kernel"
    TABLE = "table"
    OBSERVED = "observed"
    INFERRED = "inferred"
    NOT_READ = "not-read"


class Disposition(StrEnum):
    """How a direction ends."""

    DELIVERED = "delivered"
    NO_ROUTE = "no-route"
    BLACKHOLE = "blackhole"
    UNREACHABLE = "unreachable"
    PROHIBITED = "prohibited"
    NO_NEIGHBOUR = "no-neighbour"
    WRONG_NODE = "wrong-node"
    DROPPED = "dropped"
    LOOP = "loop"
    UNKNOWN = "unknown"


class Verdict(StrEnum):
    """Both directions together."""

    DELIVERED = "delivered"
    BROKEN = "broken"
    UNKNOWN = "unknown"


class Encapsulation(StrEnum):
    """What is put around the packet between the nodes."""

    NONE = "none"
    IPIP = "ipip"
    VXLAN = "vxlan"
    WIREGUARD = "wireguard"


class Header(msgspec.Struct, frozen=True):
    """One IP header of the packet at a hop.

    `protocol` is `ipip`, `udp`, ... or `any` for the user's packet. `detail` is what lies between this header and the
    next, such as `VXLAN port 4789 VNI 4096`.
    """

    protocol: str
    src: str
    dst: str
    detail: str | None = None


class NextHopChoice(msgspec.Struct, frozen=True, kw_only=True):
    """One of the equal next hops of a route. `chosen` is whether the kernel said it takes it; None if nobody asked."""

    gateway: str | None
    device: str | None
    weight: int = 1
    chosen: bool | None = None


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """What a live proof saw of this direction's packets at a hop.

    `seen` is None where nobody watched, or not all the time: then not seeing is no evidence, and `reason` says why.
    `count` packets were seen, `headers` are those of the first, outermost first. `device` is where, if it is not the
    hop's own. `reason` of a hop that was not seen says what became of the packet as far as is known.
    """

    seen: bool | None
    count: int = 0
    headers: tuple[SeenHeader, ...] = ()
    reason: str = ""
    device: str | None = None


class Hop(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a direction.

    `number` counts from 1 within the direction. `device` is the interface the step happens on. `route` is the deciding
    route as iproute2 prints it. `reason` says why evidence is inferred or not read, or why the direction ends here.
    `packet` lists headers, outermost first. `mtu` is the device's (or the route's) in bytes. `explanation` tells a
    person what happens here in plain words, `check` is the command she would type to see it. `lines` is the evidence
    verbatim, each with where it was read. `disagreement` is set when the kernel's answer and the lookup in the tables
    differ. `next_hops` lists the choices where a route has several. `ends` is the disposition when the direction ends
    here. `observed` is what a live proof saw, None without one.
    """

    number: int
    step: Step
    node: str | None
    device: str | None = None
    route: str | None = None
    evidence: Evidence
    reason: str | None = None
    packet: tuple[Header, ...] = ()
    mtu: int | None = None
    explanation: str = ""
    check: str | None = None
    lines: tuple[str, ...] = ()
    disagreement: str | None = None
    next_hops: tuple[NextHopChoice, ...] = ()
    ends: Disposition | None = None
    observed: Observed | None = None


class Direction(msgspec.Struct, frozen=True, kw_only=True):
    """The path one way. `name` is `forward` or `return`. `path_mtu` is the largest inner packet in bytes, None if any
    link on the way is unknown. `underlay` is the prefix both nodes share, or the router between them, for drawing.
    `blind_at` is the number of the first hop that could not be read whole: from there on nothing is certain.
    `leads_to` is a third node that the packet goes to and that was not read: what it does may change the answer.
    """

    name: str
    disposition: Disposition
    encapsulation: Encapsulation
    path_mtu: int | None = None
    underlay: str | None = None
    blind_at: int | None = None
    leads_to: str | None = None
    hops: tuple[Hop, ...] = ()

    @property
    def inferred(self) -> int:
        """How many hops were computed rather than read."""
        return sum(hop.evidence is Evidence.INFERRED for hop in self.hops)


class Endpoint(msgspec.Struct, frozen=True, kw_only=True):
    """Where the packet starts or ends. `kind` is `pod`, `host-network-pod`, `node` or `external`.

    `ip` is the address that is traced, `ips` all there are, of both families.
    """

    kind: str
    namespace: str | None = None
    name: str | None = None
    node: str | None = None
    ip: str | None = None
    ips: tuple[str, ...] = ()

    def of_family(self, family: int) -> Endpoint | None:
        """The same end by its first address of family 4 or 6, None if it has none."""
        found = next((ip for ip in (self.ip, *self.ips) if ip and (":" in ip) is (family == 6)), None)
        return None if found is None else msgspec.structs.replace(self, ip=found)

    @property
    def label(self) -> str:
        """`namespace/name`, or the address."""
        return f"{self.namespace}/{self.name}" if self.name else (self.ip or "?")


class Policies(msgspec.Struct, frozen=True, kw_only=True):
    """Policies exist beside the routes and are not evaluated: how many could apply to either end.

    `count` is None where they could not be read; `sentence` says it all for a person.
    """

    evaluated: bool = False
    count: int | None = None
    sentence: str = ""


class Reading(msgspec.Struct, frozen=True, kw_only=True):
    """How one node was read: `via` ssh, exec, local or files, from `target`, and `why` that address or way."""

    node: str
    via: str
    target: str = ""
    why: str = ""


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """Both directions between two ends. `taken_at` is seconds since the epoch of the oldest fact it rests on.

    `family` is 4 or 6; `other_family` is the same pair over the other one, where both ends have addresses of it.
    `notes` say what limits the whole answer, such as another dataplane. `findings` are the causes that
    `calitui.diagnosis` found, the most likely first, `unchecked` those it could not look for. `proof` is the live proof
    that the hops' `observed` rest on.
    """

    taken_at: float
    verdict: Verdict
    source: Endpoint
    destination: Endpoint
    directions: tuple[Direction, ...]
    policies: Policies
    findings: tuple[Finding, ...] = ()
    unchecked: tuple[Unchecked, ...] = ()
    unread: tuple[Missing, ...] = ()
    family: int = 4
    notes: tuple[str, ...] = ()
    readings: tuple[Reading, ...] = ()
    other_family: Trace | None = None
    proof: Proof | None = None

    @property
    def forward(self) -> Direction:
        """Source to destination."""
        return self.directions[0]

    @property
    def back(self) -> Direction:
        """Destination to source: a path of its own, not a mirror."""
        return self.directions[1]
