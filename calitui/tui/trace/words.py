"""The words of a hop, short for the path and whole for the detail.

This module must not know widgets.
"""

from __future__ import annotations

from calitui.report.proved import mark
from calitui.trace.path import Direction, Disposition, Evidence, Hop, Step

SHORT = {
    Step.CONTAINER_OUT: "pod out",
    Step.VETH_IN: "veth in",
    Step.ROUTE: "route",
    Step.TUNNEL_OUT: "wrap",
    Step.NIC_OUT: "nic out",
    Step.NIC_IN: "nic in",
    Step.TUNNEL_IN: "unwrap",
    Step.VETH_OUT: "veth out",
    Step.CONTAINER_IN: "pod in",
    Step.HOST_OUT: "host out",
    Step.HOST_IN: "host in",
}
SHORT_WIDTH = max(len(word) for word in SHORT.values())

LONG = {
    Step.CONTAINER_OUT: "the packet leaves the pod",
    Step.VETH_IN: "it comes out on the node",
    Step.ROUTE: "the node decides where it goes",
    Step.TUNNEL_OUT: "the tunnel wraps it",
    Step.NIC_OUT: "it leaves the node",
    Step.NIC_IN: "it arrives at the node",
    Step.TUNNEL_IN: "the tunnel unwraps it",
    Step.VETH_OUT: "it goes into the pod's veth",
    Step.CONTAINER_IN: "it arrives in the pod",
    Step.HOST_OUT: "the node itself sends it",
    Step.HOST_IN: "the node itself takes it",
}

EVIDENCE = {
    Evidence.KERNEL: "kernel",
    Evidence.TABLE: "table",
    Evidence.OBSERVED: "observed",
    Evidence.INFERRED: "inferred",
    Evidence.NOT_READ: "not read",
}
MEANING = {
    Evidence.KERNEL: "the kernel itself was asked",
    Evidence.TABLE: "looked up in the tables that were read",
    Evidence.OBSERVED: "a packet was seen here",
    Evidence.INFERRED: "computed, not read",
    Evidence.NOT_READ: "nobody could look",
}

GLYPHS = {
    Evidence.KERNEL: "●",
    Evidence.TABLE: "●",
    Evidence.OBSERVED: "◆",
    Evidence.INFERRED: "○",
    Evidence.NOT_READ: "?",
}
SEEN, UNSEEN = "◉", "◌"
"""Stations where a live proof saw the packets, and where it did not."""
FOUND, CHANGED = "!", "~"
"""Marks beside a hop's number: a finding belongs to it, and it is not as it was at the reading before."""


def station(hop: Hop) -> str:
    """The glyph of a hop on its line."""
    if hop.ends not in (None, Disposition.DELIVERED, Disposition.UNKNOWN):
        return "✖"
    if hop.observed is not None and not hop.disagreement and (word := mark(hop)) in _SIGHTS:
        return _SIGHTS[word]
    return "▲" if hop.disagreement else GLYPHS[hop.evidence]


def station_style(hop: Hop) -> str:
    """Its colour, which only repeats the glyph."""
    return _STYLES[station(hop)]


_STYLES = {
    "✖": "bold $bad",
    "▲": "bold $warn",
    "?": "bold $warn",
    "○": "$dim",
    "●": "$good",
    "◆": "bold $good",
    SEEN: "bold $good",
    UNSEEN: "bold $bad",
}
_SIGHTS = {"seen": SEEN, "not seen": UNSEEN, "elsewhere": "▲"}
_SIGHT_STYLES = {"seen": "bold $good", "not seen": "bold $bad", "elsewhere": "bold $warn", "not watched": "$dim"}


def standing(hop: Hop) -> tuple[str, str]:
    """The word at the end of a hop's line, and its style: what packets showed, else the evidence."""
    word = mark(hop)
    return (word, _SIGHT_STYLES[word]) if word else (EVIDENCE[hop.evidence], "$dim")


def essence(direction: Direction, index: int) -> str:
    """What a hop does, in the line's own words; the least important last."""
    hop = direction.hops[index]
    device = hop.device or ""
    if hop.evidence is Evidence.NOT_READ and not hop.route:
        return f"{device}  not read: {hop.reason or 'no reason given'}".strip()
    outer = hop.packet[0] if hop.packet else None
    route = hop.route or ""
    if hop.step is Step.TUNNEL_OUT and outer is not None and len(hop.packet) > 1:
        what = f"{device}  {outer.src} → {outer.dst}"
    elif hop.step is Step.NIC_OUT and (address := next_hop(direction, index)):
        what = f"{device} → {address}  {route}"
    elif hop.step is Step.NIC_IN and (address := next_hop(direction, index)):
        what = f"{device}  holds {address}"
    elif hop.step in (Step.CONTAINER_IN, Step.HOST_IN) and outer is not None:
        what = f"{device}  holds {outer.dst}"
    elif route and (hop.step is Step.ROUTE or f"dev {device}" in route):
        what = route
    else:
        what = f"{device}  {route}"
    return what.strip() or LONG[hop.step]


def next_hop(direction: Direction, index: int) -> str | None:
    """The address that a packet is handed to at a NIC, where the hop itself names it: never a guess.

    It is the gateway of the hop's route, or of the routing decision before it, or the outer destination.
    """
    hop = direction.hops[index]
    chosen = [choice.gateway for choice in hop.next_hops if choice.chosen]
    decisions = [before.route for before in direction.hops[:index] if before.step is Step.ROUTE]
    outer = hop.packet[0].dst if hop.packet else None
    told = set(" ".join((hop.explanation, hop.check or "", *hop.lines)).replace(",", " ").split())
    told |= {word.rstrip(".:;)").lstrip("(").partition("/")[0] for word in told}
    for candidate in (*chosen, _gateway(hop.route), *map(_gateway, reversed(decisions)), outer):
        if candidate and candidate in told:
            return candidate
    return None


def _gateway(route: str | None) -> str | None:
    words = (route or "").split()
    return words[words.index("via") + 1] if words.count("via") == 1 and words[-1] != "via" else None


def ending(direction: Direction) -> str:
    """How a direction ends, as a word a person says."""
    return {
        Disposition.DELIVERED: "✔ delivered",
        Disposition.UNKNOWN: "? unknown",
    }.get(direction.disposition, f"✖ {direction.disposition.value.replace('-', ' ')}")


def ending_style(disposition: Disposition) -> str:
    """Its colour, which only repeats the word."""
    return {Disposition.DELIVERED: "bold $good", Disposition.UNKNOWN: "bold $warn"}.get(disposition, "bold $bad")
