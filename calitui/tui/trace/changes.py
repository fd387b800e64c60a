"""What changed between two readings of one pair: a line over the path, marks at hops, and a page of everything."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content

from calitui.facts.text import clean
from calitui.trace.compare import Change
from calitui.tui.framed import FramedScreen
from calitui.tui.text import count

_KINDS = {
    "finding": ("new finding", "bold $bad"),
    "finding-gone": ("gone", "bold $good"),
    "reading": ("reading", "bold $warn"),
    "mtu": ("MTU", "bold"),
}
_FIRST = ("verdict", "finding", "finding-gone")
"""Kinds that are told before the rest."""


class ChangesScreen(FramedScreen):
    """Every change in full."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("c", "dismiss", show=False)]

    def __init__(self, changes: Iterable[Change], since: str) -> None:
        """`since` is when the nodes were read before."""
        changes = _most_telling_first(changes)
        blocks = [_described(change) for change in changes] or [Content("Both readings say the same.")]
        super().__init__(f"{count(len(changes), 'change')} since {since}", Content("\n").join(blocks))


def line(changes: Iterable[Change], since: str) -> tuple[list[Content], Content | None]:
    """Left: `changed since 12:03:07: ...`, the most telling first. Right: how many, and the key that shows them."""
    sentences = [sentence(change) for change in _most_telling_first(changes)]
    if not sentences:
        return [Content.styled(f"= nothing changed since {since}", "$dim")], None
    lead = Content.assemble((f"~ changed since {since}: ", "bold $link"), sentences[0])
    more = Content.assemble(("c", "bold $link"), f" {count(len(sentences), 'change')}")
    return [lead, *(Content(one) for one in sentences[1:])], more


def _most_telling_first(changes: Iterable[Change]) -> list[Change]:
    return sorted(changes, key=lambda one: _FIRST.index(one.kind) if one.kind in _FIRST else len(_FIRST))


def changed_hops(changes: Iterable[Change], direction: str) -> frozenset[int]:
    """Numbers of the hops of `direction` that are not as they were."""
    return frozenset(one.number for one in changes if one.direction == direction and one.number is not None)


def sentence(change: Change) -> str:
    """One change in few words: `forward hop 3: tunl0 → eth0`."""
    before, after = clean(change.before), clean(change.after)
    subject = _subject(change)
    if not before:
        return f"{subject}: {after}" if change.number is None else f"{subject} is new: {after}"
    if not after:
        return f"{subject}: {before}" if change.direction is None else f"{subject} is gone: {before}"
    return f"{subject}: {before} → {after}"


def _subject(change: Change) -> str:
    if change.direction is None:
        return _KINDS[change.kind][0] if change.kind in _KINDS else clean(change.kind)
    if change.number is None:
        return f"{clean(change.direction)} hop" if change.kind == "hop" else clean(change.direction)
    return f"{clean(change.direction)} hop {change.number}"


def _described(change: Change) -> Content:
    style = _KINDS.get(change.kind, ("", "bold"))[1]
    lines = [Content.styled(_subject(change), style)]
    lines += [
        Content.assemble((f"  {label} ", "$dim"), clean(text))
        for label, text in (("before", change.before), ("now   ", change.after))
        if text
    ]
    return Content("\n").join(lines)
