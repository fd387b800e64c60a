"""Paths for reports to show: the seed's IPIP example in short, and variations of it."""

from __future__ import annotations

import msgspec

from calitui.facts.missing import Missing
from calitui.trace.path import (
    Direction,
    Disposition,
    Encapsulation,
    Endpoint,
    Evidence,
    Header,
    Hop,
    Policies,
    Step,
    Trace,
    Verdict,
)

INNER = Header("any", "192.168.97.1", "192.168.210.129")
OUTER = Header("ipip", "10.173.32.23", "10.173.32.26")
BLOCK_ROUTE = "192.168.210.128/26 via 10.173.32.26 dev tunl0 proto bird onlink"

SOURCE = Endpoint(
    kind="pod", namespace="huang1", name="huangtest-69d9fddd97-2b8hr", node="k8s-calico2", ip="192.168.97.1"
)
DESTINATION = Endpoint(
    kind="pod", namespace="huang2", name="hhh-6897d64fcd-kqsj4", node="k8s-calico3", ip="192.168.210.129"
)

OUT = Hop(
    number=1,
    step=Step.CONTAINER_OUT,
    node="k8s-calico2",
    device="eth0",
    route="default via 169.254.1.1 dev eth0",
    evidence=Evidence.INFERRED,
    reason="the container's routes need root",
    packet=(INNER,),
    mtu=1480,
    explanation="Calico gives every container this default route.",
)
ROUTE = Hop(
    number=2,
    step=Step.ROUTE,
    node="k8s-calico2",
    device="tunl0",
    route=BLOCK_ROUTE,
    evidence=Evidence.KERNEL,
    packet=(INNER,),
    mtu=1480,
    explanation="The longest matching prefix is the block of k8s-calico3, and its route points into the tunnel.",
    check="ssh k8s-calico2 ip route get 192.168.210.129 from 192.168.97.1 iif cali3683f65394b",
    lines=(f"k8s-calico2: {BLOCK_ROUTE}",),
)
TUNNEL = Hop(
    number=3,
    step=Step.TUNNEL_OUT,
    node="k8s-calico2",
    device="tunl0",
    evidence=Evidence.TABLE,
    packet=(OUTER, INNER),
    mtu=1480,
    explanation="A second IP header goes around the packet.",
)
FORWARD = Direction(
    name="forward",
    disposition=Disposition.DELIVERED,
    encapsulation=Encapsulation.IPIP,
    path_mtu=1480,
    underlay="10.173.32.0/24",
    hops=(OUT, ROUTE, TUNNEL),
)
BACK = msgspec.structs.replace(FORWARD, name="return", hops=(msgspec.structs.replace(ROUTE, number=1),))

DELIVERED = Trace(
    taken_at=1529906400.25,
    verdict=Verdict.DELIVERED,
    source=SOURCE,
    destination=DESTINATION,
    directions=(FORWARD, BACK),
    policies=Policies(count=3, sentence="Policies are not evaluated: 3 could apply to either end."),
)

BLACKHOLE = msgspec.structs.replace(
    FORWARD,
    disposition=Disposition.BLACKHOLE,
    path_mtu=None,
    hops=(
        OUT,
        msgspec.structs.replace(
            ROUTE,
            route="blackhole 192.168.210.128/26 proto bird",
            ends=Disposition.BLACKHOLE,
            reason="the block route is a blackhole",
        ),
    ),
)
UNREAD = msgspec.structs.replace(
    FORWARD,
    disposition=Disposition.UNKNOWN,
    path_mtu=None,
    hops=(
        OUT,
        msgspec.structs.replace(
            ROUTE,
            node="k8s-calico3",
            route=None,
            lines=(),
            evidence=Evidence.NOT_READ,
            reason="k8s-calico3 refused the connection",
            ends=Disposition.UNKNOWN,
        ),
    ),
)
BROKEN = msgspec.structs.replace(DELIVERED, verdict=Verdict.BROKEN, directions=(BLACKHOLE, BACK))
UNKNOWN = msgspec.structs.replace(
    DELIVERED,
    verdict=Verdict.UNKNOWN,
    directions=(UNREAD, BACK),
    unread=(Missing("routes", "connection refused", "k8s-calico3"),),
)


def with_directions(trace: Trace, forward: Direction, back: Direction) -> Trace:
    """The same trace with other directions."""
    return msgspec.structs.replace(trace, directions=(forward, back))
