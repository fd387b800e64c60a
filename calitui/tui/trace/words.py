"""The words of a hop, short for the path and whole for the detail.

This module must not know widgets.
"""

from __future__ import annotations

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
LEGEND = "● read   ◆ seen   ○ inferred   ? not read   ✖ ends here   ▲ kernel and tables disagree"


def station(hop: Hop) -> str:
    """The glyph of a hop on its line."""
    if hop.ends not in (None, Disposition.DELIVERED, Disposition.UNKNOWN):
        return "✖"
    return "▲" if hop.disagreement else GLYPHS[hop.evidence]


def station_style(hop: Hop) -> str:
    """Its colour, which only repeats the glyph."""
    return {"✖": "bold $bad", "▲": "bold $warn", "?": "bold $warn", "○": "$dim", "●": "$good", "◆": "bold $good"}[
        station(hop)
    ]


def essence(hop: Hop) -> str:
    """What a hop does, in the line's own words; the least important last."""
    device = hop.device or ""
    if hop.evidence is Evidence.NOT_READ and not hop.route:
        return f"{device}  not read: {hop.reason or 'no reason given'}".strip()
    outer = hop.packet[0] if hop.packet else None
    route = hop.route or ""
    if hop.step is Step.TUNNEL_OUT and outer is not None and len(hop.packet) > 1:
        what = f"{device}  {outer.src} → {outer.dst}"
    elif hop.step is Step.NIC_OUT and outer is not None:
        what = f"{device} → {_gateway(route) or outer.dst}  {route}"
    elif hop.step in (Step.NIC_IN, Step.CONTAINER_IN, Step.HOST_IN) and outer is not None:
        what = f"{device}  holds {outer.dst}"
    elif route and (hop.step is Step.ROUTE or f"dev {device}" in route):
        what = route
    else:
        what = f"{device}  {route}"
    return what.strip() or LONG[hop.step]


def _gateway(route: str) -> str | None:
    words = route.split()
    return words[words.index("via") + 1] if "via" in words[:-1] else None


def ending(direction: Direction) -> str:
    """How a direction ends, as a word a person says."""
    return {
        Disposition.DELIVERED: "✔ delivered",
        Disposition.UNKNOWN: "? unknown",
    }.get(direction.disposition, f"✖ {direction.disposition.value.replace('-', ' ')}")


def ending_style(disposition: Disposition) -> str:
    """Its colour, which only repeats the word."""
    return {Disposition.DELIVERED: "bold $good", Disposition.UNKNOWN: "bold $warn"}.get(disposition, "bold $bad")
