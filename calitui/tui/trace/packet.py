"""A packet's headers drawn as nested boxes: the outer one around the inner one, edges aligned.

This module must not know widgets.
"""

from __future__ import annotations

from calitui.trace.path import Header
from calitui.tui.text import crop, fit, width_of

_PROTOCOLS = {"any": "the pods' own packet", "ipip": "IPIP, protocol 4", "udp": "UDP", "tcp": "TCP", "icmp": "ICMP"}


def boxes(packet: tuple[Header, ...], width: int) -> list[str]:
    """Lines of exactly `width` cells, two for each header; the outermost header is first. Empty without headers."""
    if not packet or width < 12:
        return []
    return _box(packet, 0, width)


def _box(packet: tuple[Header, ...], depth: int, width: int) -> list[str]:
    inner = _box(packet, depth + 1, width - 4) if depth + 1 < len(packet) and width >= 16 else []
    title = f" {title_of(packet, depth)} "
    top = "┌" + crop(title, width - 3)
    return [
        top + "─" * (width - 1 - width_of(top)) + "┐",
        *(f"│ {fit(line, width - 4)} │" for line in inner),
        "└" + "─" * (width - 2) + "┘",
    ]


def title_of(packet: tuple[Header, ...], depth: int) -> str:
    """`outer IP 10.0.0.1 → 10.0.0.2 · IPIP, protocol 4`."""
    header = packet[depth]
    place = "" if len(packet) == 1 else "outer " if depth < len(packet) - 1 else "inner "
    protocol = _PROTOCOLS.get(header.protocol, header.protocol.upper())
    return f"{place}IP {header.src} → {header.dst} · {protocol}"
