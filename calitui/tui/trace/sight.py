"""What a live proof saw at one hop: how many packets, when, and the first one's real headers.

This module must not know widgets.
"""

from __future__ import annotations

from textual.content import Content

from calitui.report import pictures
from calitui.report.proved import mark, seen_line, sightings_at
from calitui.trace.path import Header, Hop, Trace
from calitui.tui.blocks import labelled
from calitui.tui.trace import words
from calitui.tui.trace.packet import boxes


def seen(trace: Trace, hop: Hop, width: int) -> list[Content]:
    """`seen here: 3 requests, 3 replies`; empty without a proof."""
    direction = next((way for way in trace.directions if any(one is hop for one in way.hops)), None)
    if hop.observed is None or direction is None:
        return []
    return labelled("observed", seen_line(trace, direction, hop), width, words.standing(hop)[1])


def captured(trace: Trace, hop: Hop, width: int, roomy: bool) -> list[Content]:
    """The first packet: its real headers drawn, outer around inner, then as tcpdump prints it; empty without one."""
    headers = hop.observed.headers if hop.observed is not None and mark(hop) == "seen" else ()
    if not headers:
        return []
    plain = tuple(Header(one.protocol, one.src, one.dst, one.detail) for one in headers)
    drawn = pictures.boxes(headers, width) if roomy else boxes(plain, width, compact=True)
    lines = [Content.styled(line, "$good") for line in drawn]
    lines += labelled("captured", pictures.captured_line(trace, hop), width)
    times = [one.time for one in sightings_at(trace, hop)]
    if len(times) > 1:
        lines += labelled("", f"first {pictures.clock(times[0])}, last {pictures.clock(times[-1])} UTC", width, "$dim")
    return lines
