"""What each judgement of a route means, in one sentence for a person; which entry of the catalogue it is."""

from __future__ import annotations

from collections.abc import Callable

from calitui.diagnosis.entry import Entry
from calitui.diagnosis.expectation import Carriage
from calitui.diagnosis.routes import entries
from calitui.diagnosis.routes.routing import Judged, State

Words = Callable[[Judged], str]


OF_POOLS = (State.WRONG_DEVICE, State.BARE)
_DEVICES = {Carriage.IPIP: "tunl0", Carriage.VXLAN: "vxlan.calico"}


def _route_text(judged: Judged) -> str:
    return judged.route.text if judged.route is not None else "no route"


def _next_hop(judged: Judged) -> str:
    gateway = judged.route.gateway if judged.route is not None else None
    return f"{gateway or 'an address'}, which is no node of the cluster,"


def _what_then(judged: Judged) -> str:
    if judged.detour:
        return f"they get there only as long as {judged.leads_to} sends them on"
    return "nothing there leads to the pods" if judged.leads_to is None else "they do not get to the pods from there"


def _carried(judged: Judged) -> str:
    carriage = judged.expected.carriage if judged.expected is not None else Carriage.PLAIN
    return "without a tunnel" if carriage is Carriage.PLAIN else f"in {carriage.value} ({_DEVICES[carriage]})"


WORDS: tuple[tuple[State, Entry, Words], ...] = (
    (
        State.UNREACHABLE,
        entries.UNREACHABLE,
        lambda one: (
            f"BIRD on {one.node} knows the block {one.claim.cidr} of {one.claim.node} but found no way to that node, "
            "and marked it unreachable: the kernel refuses packets to its pods."
        ),
    ),
    (
        State.BLACKHOLE,
        entries.OWNED_TWICE,
        lambda one: (
            f"{one.node} throws packets for {one.claim.cidr} away as if the block were its own, but it belongs to "
            f"{one.claim.node}."
        ),
    ),
    (
        State.FOREIGN,
        entries.FOREIGN,
        lambda one: (
            f"A route on {one.node} that is not Calico's (`{_route_text(one)}`) takes the packets for pods on "
            f"{one.claim.node} somewhere else."
        ),
    ),
    (
        State.MULTIPATH,
        entries.MULTIPATH,
        lambda one: (
            f"{one.node} has several next hops to the pods of {one.claim.node} and uses no tunnel for them, though "
            "the pool wants IPIP."
        ),
    ),
    (
        State.WRONG_DEVICE,
        entries.MODE_MISMATCH,
        lambda one: (
            f"{one.node} sends packets for {one.claim.node} through {one.route.device if one.route else '?'}, but "
            f"by the pool they should go {_carried(one)}."
        ),
    ),
    (
        State.BARE,
        entries.NO_L2,
        lambda one: (
            f"Packets from {one.node} to pods on {one.claim.node} go to the router "
            f"{one.route.gateway if one.route else '?'} with the pods' own addresses, for the two nodes are in "
            "different networks and the pool uses no tunnel: the router has to know the pods' addresses, and "
            "nothing here tells it."
        ),
    ),
    (
        State.GATEWAY,
        entries.GATEWAY,
        lambda one: (
            f"{one.node} sends packets for pods on {one.claim.node} to the router "
            f"{one.route.gateway if one.route else '?'}, although {one.claim.node} is on the same network: the "
            "router does not know pod addresses."
        ),
    ),
    (
        State.WRONG_NEXT_HOP,
        entries.WRONG_NEXT_HOP,
        lambda one: (
            f"{one.node} sends packets for {one.claim.cidr} to {one.leads_to or _next_hop(one)}, but the block "
            f"belongs to {one.claim.node}: {_what_then(one)}."
        ),
    ),
)
