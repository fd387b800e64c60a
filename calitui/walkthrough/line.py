"""The line of stations of a direction: what the packet comes by, and what it never reaches.

Stations beyond the end of a direction are what a delivered one would have: they are marked as never reached, so that a
person sees how far the packet got and what was still to come.
"""

from __future__ import annotations

from calitui.trace.path import Direction, Disposition, Endpoint, Hop, Step
from calitui.walkthrough.slides import Line, Machine, Station

_OUT = (Step.CONTAINER_OUT, Step.VETH_IN, Step.ROUTE, Step.TUNNEL_OUT, Step.NIC_OUT)
_INTO_POD = (Step.ROUTE, Step.VETH_OUT, Step.CONTAINER_IN)
_INTO_HOST = (Step.ROUTE, Step.HOST_IN)
_ARRIVED = (Step.CONTAINER_IN, Step.HOST_IN)
HARMLESS = (None, Disposition.DELIVERED, Disposition.UNKNOWN)
"""Ways in which a hop does not lose the packet."""


def line_of(direction: Direction, destination: Endpoint, *, wrapped: bool) -> Line:
    """The stations of `direction` towards `destination`; `wrapped` is whether tunnels are to be expected."""
    machines: list[tuple[str, list[Station]]] = []
    node = ""
    for index, hop in enumerate(direction.hops):
        if not machines or (hop.node is not None and hop.node != node):
            node = hop.node or "?"
            machines.append((node, []))
        lost = hop.ends not in HARMLESS
        machines[-1][1].append(Station(hop.step, hop.device, index, hop.evidence, lost))
    for name, steps in _unreached(direction, destination, wrapped):
        if not machines or machines[-1][0] != name:
            machines.append((name, []))
        machines[-1][1].extend(Station(step) for step in steps)
    return Line(
        direction.name,
        tuple(Machine(name, tuple(stations)) for name, stations in machines),
        direction.underlay or "",
    )


def _unreached(direction: Direction, destination: Endpoint, wrapped: bool) -> list[tuple[str, tuple[Step, ...]]]:
    if not direction.hops or direction.disposition is Disposition.DELIVERED or destination.node is None:
        return []
    last = direction.hops[-1]
    if last.step in _ARRIVED:
        return []
    inside = _INTO_POD if destination.kind == "pod" else _INTO_HOST
    if last.node == destination.node and last.step is not Step.NIC_OUT:
        return [(destination.node, _still_to_come(direction.hops, last, inside))]
    unwrapping = (Step.TUNNEL_IN,) if wrapped else ()
    further = [(destination.node, (Step.NIC_IN, *unwrapping, *inside))]
    if last.node is None or last.step not in _OUT:
        return further
    here = [step for step in _OUT[_OUT.index(last.step) + 1 :] if wrapped or step is not Step.TUNNEL_OUT]
    return [(last.node, tuple(here)), *further]


def _still_to_come(hops: tuple[Hop, ...], last: Hop, inside: tuple[Step, ...]) -> tuple[Step, ...]:
    """What follows `last` on the destination's own node."""
    if last.step in inside:
        return inside[inside.index(last.step) + 1 :]
    wrapped = last.step is Step.NIC_IN and len(last.packet) > 1
    return (Step.TUNNEL_IN, *inside) if wrapped else inside
