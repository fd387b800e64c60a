"""A packet's headers drawn as nested boxes: the outer one around the inner one, edges aligned.

This module must not know widgets.
"""

from __future__ import annotations

import msgspec

from calitui.trace.path import Header
from calitui.tui.text import crop, fit, width_of

_PROTOCOLS = {"any": "the pods' own packet", "ipip": "IPIP proto 4", "udp": "UDP", "tcp": "TCP", "icmp": "ICMP"}


class Naming(msgspec.Struct, frozen=True):
    """Words of the drawing, in a language: before an outer and an inner header, and of the pods' own packet."""

    outer: str = "outer "
    inner: str = "inner "
    own: str = _PROTOCOLS["any"]


ENGLISH = Naming()


def boxes(packet: tuple[Header, ...], width: int, compact: bool = False, naming: Naming = ENGLISH) -> list[str]:
    """Lines of exactly `width` cells; the outermost header is first. Empty without headers.

    Every header is a box around the next one; `compact` draws the innermost as a line, which saves one.
    """
    if not packet or width < 12:
        return []
    return _box(packet, 0, width, compact, naming)


def _box(packet: tuple[Header, ...], depth: int, width: int, compact: bool, naming: Naming) -> list[str]:
    last = depth + 1 == len(packet)
    if compact and last:
        return [fit(title_of(packet, depth, width, naming), width)]
    inner = [] if last or width < 16 else _box(packet, depth + 1, width - 4, compact, naming)
    title = title_of(packet, depth, width - 5, naming)
    top = "┌ " + crop(title, width - 4) + " "
    return [
        top + "─" * (width - 1 - width_of(top)) + "┐",
        *(f"│ {fit(line, width - 4)} │" for line in inner),
        "└" + "─" * (width - 2) + "┘",
    ]


def title_of(packet: tuple[Header, ...], depth: int, width: int, naming: Naming = ENGLISH) -> str:
    """`outer IP 10.0.0.1 → 10.0.0.2 · IPIP proto 4`, or the longest shorter form that fits."""
    header = packet[depth]
    place = "" if len(packet) == 1 else naming.outer if depth < len(packet) - 1 else naming.inner
    own = naming.own if header.protocol == "any" else _PROTOCOLS.get(header.protocol, header.protocol.upper())
    protocol = header.detail or own
    ends = f"{header.src} → {header.dst}"
    forms = [
        f"{place}IP {ends} · {protocol}",
        f"{place}{ends} · {protocol}",
        f"{place}IP {ends}",
        f"{place}{ends}",
        ends,
    ]
    if header.protocol == "any" and not header.detail:
        del forms[1]
    return next((form for form in forms if width_of(form) <= width), ends)
