"""The two pictures of a captured packet: a line as tcpdump prints it, and its headers drawn as boxes.

The first shows the pods' own packet, the second the same one as it goes over the underlay.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
from rich.cells import cell_len, set_cell_size

from calitui.facts.proof import SeenHeader
from calitui.facts.text import clean
from calitui.report.proved import place, sightings_at
from calitui.trace.path import Direction, Hop, Step, Trace

WIDTH = 78
"""Columns of a drawing on paper."""
_NARROWEST = 24
_INNER = (Step.VETH_IN, Step.CONTAINER_OUT, Step.HOST_OUT, Step.VETH_OUT, Step.CONTAINER_IN)
_OUTER = (Step.NIC_OUT, Step.NIC_IN)
_FLAGS = {"SYN": "S", "FIN": "F", "RST": "R", "ACK": "."}
_IP_HEADER = {4: 20, 6: 40}
_PROTOCOLS = {"ipip": "IPIP proto 4", "ipv6": "IPv6 proto 41", "icmp6": "ICMPv6"}


class Picture(msgspec.Struct, frozen=True):
    """A packet as it was seen: `title` says where, `line` is tcpdump's, `headers` are outermost first."""

    title: str
    line: str
    headers: tuple[SeenHeader, ...]


def pictures(trace: Trace) -> tuple[Picture, ...]:
    """The first packet before and after it was wrapped: inner, then outer; where nothing wraps it, its way out.

    Empty where neither was captured. Of a direction that was not seen at all the other one is shown.
    """
    for direction in trace.directions:
        inner = _first(direction, _INNER)
        outer = _first(direction, _OUTER)
        found = [_picture(trace, direction, hop) for hop in (inner, outer) if hop is not None]
        if found:
            return tuple(found)
    return ()


def _first(direction: Direction, steps: tuple[Step, ...]) -> Hop | None:
    hops = [hop for hop in direction.hops if hop.observed is not None and hop.observed.seen and hop.observed.headers]
    return next((hop for step in steps for hop in hops if hop.step is step), None)


def _picture(trace: Trace, direction: Direction, hop: Hop) -> Picture:
    headers = hop.observed.headers if hop.observed is not None else ()
    wraps = any(len(one.packet) > 1 for one in direction.hops)
    what = "outer packet" if len(headers) > 1 else "inner packet" if wraps else "packet"
    kind = "" if direction.name == trace.forward.name else "reply, "
    return Picture(f"{kind}{what}, as seen on {place(hop)}", captured_line(trace, hop), headers)


def captured_line(trace: Trace, hop: Hop) -> str:
    """The first packet of this direction that a hop saw, with its time where a sighting tells that."""
    headers = hop.observed.headers if hop.observed is not None else ()
    same = (one for one in sightings_at(trace, hop) if one.headers == headers)
    found = next(same, None)
    when = f"{clock(found.time)} " if found is not None else ""
    return f"{when}{tcpdump_line(headers)}"


def clock(seconds: float) -> str:
    """Time of day in UTC to the microsecond, as tcpdump writes it; "" where it is absurd."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%H:%M:%S.%f")
    except (OverflowError, OSError, ValueError):
        return ""


def tcpdump_line(headers: tuple[SeenHeader, ...]) -> str:
    """`IP 10.0.0.1 > 10.0.0.2: IP 192.168.0.1 > 192.168.1.1: ICMP echo request, ... length 64 (ipip-proto-4)`."""
    words = ""
    for number, header in enumerate(headers):
        last = number == len(headers) - 1
        words += f"{_ends(header)}: {_payload(header) if last else _carrier(header)}"
    words += "".join(" (ipip-proto-4)" for header in headers[:-1] if header.protocol == "ipip")
    return clean(words)


def _ends(header: SeenHeader) -> str:
    name = "IP6" if ":" in header.src else "IP"
    source = header.src if header.source_port is None else f"{header.src}.{header.source_port}"
    destination = header.dst if header.destination_port is None else f"{header.dst}.{header.destination_port}"
    return f"{name} {source} > {destination}"


def _carrier(header: SeenHeader) -> str:
    words = (header.detail or "").split()
    if header.protocol == "udp" and words[:1] == ["VXLAN"]:
        return f"VXLAN, flags [I] (0x08), vni {words[-1]}: "
    return f"UDP, {header.detail}: " if header.protocol == "udp" and header.detail else ""


def _payload(header: SeenHeader) -> str:
    room = _IP_HEADER[6 if ":" in header.src else 4]
    length = None if header.length is None else max(0, header.length - room)
    if header.protocol in ("icmp", "icmp6"):
        name = "ICMP6, " if header.protocol == "icmp6" else "ICMP "
        return f"{name}{header.detail or 'message'}" + ("" if length is None else f", length {length}")
    if header.protocol == "tcp":
        flags = "".join(_FLAGS.get(word, "") for word in (header.detail or "").split(", "))
        return f"Flags [{flags}]" if flags else "tcp"
    if header.protocol == "udp":
        return "UDP" + ("" if length is None else f", length {max(0, length - 8)}")
    return f"{header.protocol}" + ("" if length is None else f" {length}")


def boxes(headers: tuple[SeenHeader, ...], width: int = WIDTH) -> list[str]:
    """Lines of exactly `width` columns: the outer header around the inner one, each with what it says."""
    return _box(headers, 0, max(width, _NARROWEST)) if headers else []


def _box(headers: tuple[SeenHeader, ...], depth: int, width: int) -> list[str]:
    header = headers[depth]
    inner = [f"│ {_fit(line, width - 4)} │" for line in _said(header, width - 4)]
    if depth + 1 < len(headers) and width - 4 >= _NARROWEST:
        inner += [f"│ {line} │" for line in _box(headers, depth + 1, width - 4)]
    title = _crop(_title(headers, depth, width - 5), width - 5)
    top = f"┌ {title} "
    return [f"{top}{'─' * (width - 1 - cell_len(top))}┐", *inner, f"└{'─' * (width - 2)}┘"]


def _title(headers: tuple[SeenHeader, ...], depth: int, width: int) -> str:
    header = headers[depth]
    which = "" if len(headers) == 1 else "outer " if depth < len(headers) - 1 else "inner "
    ends = clean(f"{header.src} → {header.dst}")
    last = depth == len(headers) - 1
    carried = _PROTOCOLS.get(header.protocol, header.protocol.upper())
    protocol = clean(carried if last else (header.detail or carried))
    forms = (f"{which}IP {ends} · {protocol}", f"{which}{ends} · {protocol}", f"{which}{ends}", ends)
    return next((form for form in forms if cell_len(form) <= width), ends)


def _said(header: SeenHeader, width: int) -> list[str]:
    """What the header's other fields say, in as few lines as it takes."""
    parts = []
    if header.length is not None:
        parts.append(f"{header.length} bytes")
    if header.ttl is not None:
        parts.append(f"TTL {header.ttl}")
    if header.dont_fragment:
        parts.append("DF")
    if header.source_port is not None and header.destination_port is not None:
        parts.append(f"port {header.source_port} → {header.destination_port}")
    if header.detail and not header.detail.startswith("VXLAN"):
        parts.append(clean(header.detail))
    lines: list[str] = []
    for part in parts:
        if lines and cell_len(f"{lines[-1]} · {part}") <= width:
            lines[-1] += f" · {part}"
        else:
            lines.append(part)
    return lines


def _fit(text: str, width: int) -> str:
    return set_cell_size(_crop(text, width), width)


def _crop(text: str, width: int) -> str:
    return text if cell_len(text) <= width else set_cell_size(text, max(0, width - 1)) + "…"
