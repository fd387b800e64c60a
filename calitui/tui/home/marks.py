"""Which two pods are asked about, and what Enter will do next: a pure state and its sentences.

This module must not know widgets.
"""

from __future__ import annotations

import msgspec
from textual.content import Content

from calitui.facts.cluster import Pod
from calitui.tui.home.roster import Key, order
from calitui.tui.text import crop_name


class End(msgspec.Struct, frozen=True):
    """One end as it was asked for: `target` is what a session understands, `key` is None for a bare address."""

    target: str
    key: Key | None = None
    where: str = ""


class Marks(msgspec.Struct, frozen=True):
    """Source, then destination."""

    source: End | None = None
    destination: End | None = None

    @property
    def letters(self) -> dict[Key, str]:
        """Letters for the list."""
        found: dict[Key, str] = {}
        for end, letter in ((self.source, "S"), (self.destination, "D")):
            if end is not None and end.key is not None:
                found[end.key] = letter
        return found

    def undone(self) -> Marks:
        """The last mark taken back."""
        return Marks(self.source) if self.destination is not None else Marks()


def end_of(pod: Pod) -> End:
    """A pod as an end."""
    address = pod.ips[0] if pod.ips else "no IP"
    return End(f"{pod.namespace}/{pod.name}", order(pod), f"{address} on {pod.node}" if pod.node else address)


def refusal(pod: Pod) -> str | None:
    """Why nothing can be sent from or to `pod`, with what to do; None when it can."""
    label = crop_name(f"{pod.namespace}/{pod.name}", 34)
    if pod.is_finished:
        return f"{label} has finished ({pod.status or pod.phase}). Mark a running pod"
    if not pod.ips:
        return f"{label} has no IP yet ({pod.status or pod.phase or 'no status'}). Mark another pod"
    return None


def sentence(marks: Marks, current: Pod | None, width: int) -> list[Content]:
    """The line under the list: what is marked, then what Enter does."""
    room = max(16, width - 49 if marks.destination is None else (width - 42) // 2)
    parts: list[Content] = []
    if marks.source is None and current is None:
        return parts
    if marks.source is None:
        parts.append(Content.assemble(("Enter", "bold $link"), " marks the source of the packet"))
        return parts
    parts.append(_end("S", marks.source, room))
    if marks.destination is not None:
        parts.append(_end("D", marks.destination, room))
    on_source = current is not None and marks.source.key == order(current)
    if on_source:
        parts.append(Content.assemble(("Enter", "bold $link"), " on another pod traces to it"))
    elif marks.destination is None:
        parts.append(Content.assemble(("Enter", "bold $link"), " traces to the pod at the cursor"))
    else:
        parts.append(Content.assemble(("Enter", "bold $link"), " traces to the cursor"))
    parts.append(Content.assemble(("Esc", "bold $link"), " unmarks"))
    if marks.destination is None and marks.source.where:
        parts.append(Content.styled(marks.source.where, "$dim"))
    return parts


def _end(letter: str, end: End, room: int) -> Content:
    return Content.assemble((f" {letter} ", "bold reverse $link"), " ", (crop_name(end.target, room), "bold"))
