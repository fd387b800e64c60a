"""What a step does to the packet's headers: before, after, and the difference."""

from __future__ import annotations

from calitui.trace.path import Direction, Disposition, Header, Step
from calitui.walkthrough.slides import ChangeKind, HeaderChange

_TUNNELS = (Step.TUNNEL_OUT, Step.TUNNEL_IN)


def before_and_after(direction: Direction) -> list[tuple[tuple[Header, ...], tuple[Header, ...]]]:
    """The headers before and after each hop of `direction`; what is after one is before the next."""
    pictures: list[tuple[tuple[Header, ...], tuple[Header, ...]]] = []
    hops = direction.hops
    for index, hop in enumerate(hops):
        before = pictures[-1][1] if pictures else hop.packet
        after = hop.packet
        following = hops[index + 1] if index + 1 < len(hops) else None
        if hop.step in _TUNNELS and hop.ends is Disposition.DROPPED:
            after = before  # the device that would have done it is missing or down
        elif is_translation(direction, index) and following is not None:
            after = following.packet
        pictures.append((before, after))
    return pictures


def is_translation(direction: Direction, index: int) -> bool:
    """Whether a hop gives a reply the address back that masquerading took: another decision of the node follows it."""
    hops = direction.hops
    if index + 1 >= len(hops):
        return False
    hop, following = hops[index], hops[index + 1]
    same_place = hop.step is Step.ROUTE and following.step is Step.ROUTE and hop.node == following.node
    return same_place and hop.packet != following.packet


def changes(before: tuple[Header, ...], after: tuple[Header, ...]) -> tuple[HeaderChange, ...]:
    """The headers that were put on, taken off or rewritten, outermost first. Headers are matched from the inside."""
    shared = min(len(before), len(after))
    outer_before, inner_before = before[: len(before) - shared], before[len(before) - shared :]
    outer_after, inner_after = after[: len(after) - shared], after[len(after) - shared :]
    return (
        *(HeaderChange(ChangeKind.TAKEN_OFF, header) for header in outer_before),
        *(HeaderChange(ChangeKind.PUT_ON, header) for header in outer_after),
        *(
            HeaderChange(ChangeKind.REWRITTEN, new, old)
            for old, new in zip(inner_before, inner_after, strict=True)
            if old != new
        ),
    )
