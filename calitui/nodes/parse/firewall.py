"""The node script's sections of the packet filter: whether all of it was read. What rules say is not known here."""

from __future__ import annotations

import re

from calitui.facts.missing import Missing
from calitui.facts.packet_filter import PacketFilter
from calitui.nodes.parse.namespace import Reading
from calitui.nodes.parse.packet_filter import parse_packet_filter
from calitui.nodes.parse.sections import Part
from calitui.nodes.parse.words import lines, verbatim

PACKET_FILTER = "packet filter"
"""What to call it where it is missing."""

SECTIONS = {
    "iptables-legacy": "iptables-legacy-save",
    "iptables-nft": "iptables-nft-save",
    "ip6tables-legacy": "ip6tables-legacy-save",
    "ip6tables-nft": "ip6tables-nft-save",
    "nft": "nft",
}
"""The sections, each with the program that prints it."""

_NAT = re.compile(r"^\*nat[ \t]*$.*?(?:^COMMIT[ \t]*$|\Z)|^table ip6? nat \{.*?(?:^\}|\Z)", re.MULTILINE | re.DOTALL)
_END = "packet-filter"
_NO_SUCH_COMMAND = 127
_TOO_LATE = 124


def without_nat(text: str) -> str:
    """What a program printed but for the tables for NAT, which the script leaves out: they are most of it by far."""
    return _NAT.sub("", text)


def read_packet_filter(reading: Reading) -> tuple[PacketFilter | None, list[Missing]]:
    """The filter, without chains where the kernel has none, and why a part of it was not read.

    None where any part failed; but where there is only no `nft`, as in older images of calico-node, what iptables has
    is told nevertheless: a packet that is dropped there is dropped.
    """
    end = reading.sections.get(_END)
    parts = {name: reading.sections[name] for name in SECTIONS if name in reading.sections}
    if end is None or end.status is None:
        return None, [Missing(PACKET_FILTER, reading.cut)]
    if end.status != 0:
        return None, [Missing(PACKET_FILTER, verbatim(end.said or end.body)[:200])]
    unread = {name: why for name, part in parts.items() if (why := _why_unread(name, part, reading.cut))}
    missing = [Missing(PACKET_FILTER, why) for why in list(unread.values())[:1]]
    if unread and (parts.keys() == unread.keys() or set(unread) != {"nft"} or parts["nft"].status != _NO_SUCH_COMMAND):
        return None, missing
    return parse_packet_filter({name: part.body for name, part in parts.items() if name not in unread}), missing


def _why_unread(name: str, part: Part, cut: str) -> str:
    program = SECTIONS[name]
    if part.status is None:
        return cut
    if part.status == 0:
        return ""
    if part.status == _NO_SUCH_COMMAND:
        return f"`{program}` is not installed there, and the kernel may have rules that only it can show"
    if part.status == _TOO_LATE:
        return f"`{program}` took too long"
    said = lines(part.said)
    return f"`{program}`: " + (verbatim(said[0])[:200] if said else f"it ended with status {part.status}")
