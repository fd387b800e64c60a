"""What a rule of nftables can look at in a packet, and whether it is what the rule wants there. Source: nft(8)."""

from __future__ import annotations

from calitui.diagnosis.firewall.packet import (
    PROTOCOLS,
    WITH_PORTS,
    Changes,
    Packet,
    address_in,
    as_number,
    device_is,
    number_in,
    state_in,
    type_is,
)

FIELDS = {
    ("ip", "saddr"),
    ("ip", "daddr"),
    ("ip6", "saddr"),
    ("ip6", "daddr"),
    ("ip", "protocol"),
    ("ip6", "nexthdr"),
    ("meta", "l4proto"),
    ("meta", "nfproto"),
    ("meta", "protocol"),
    ("meta", "mark"),
    ("meta", "iifname"),
    ("meta", "oifname"),
    ("meta", "iif"),
    ("meta", "oif"),
    ("tcp", "sport"),
    ("tcp", "dport"),
    ("udp", "sport"),
    ("udp", "dport"),
    ("sctp", "sport"),
    ("sctp", "dport"),
    ("th", "sport"),
    ("th", "dport"),
    ("ct", "state"),
    ("ct", "status"),
    ("ct", "direction"),
    ("fib", "saddr"),
    ("fib", "daddr"),
    ("icmp", "type"),
    ("icmp", "code"),
    ("icmpv6", "type"),
    ("icmpv6", "code"),
}
"""The fields that are known. Whether an ICMP type or code is the wanted one can't be told, but whether there is one.

`fib saddr type` and `fib daddr type` ask for the kind of address, `local` for one of the node's own."""

ALONE = {name: ("meta", name) for name in ("iifname", "oifname", "iif", "oif", "l4proto", "nfproto", "mark")}
"""Those that are printed without `meta` in front."""

SERVICES = {"bgp": 179, "ssh": 22, "http": 80, "https": 443, "domain": 53, "vxlan": 4789}
"""Names of ports, as versions of nft before 0.9 print them."""

_NFPROTO = {"ipv4": 4, "ipv6": 6}
_ETHERTYPE = {"ip": 4, "ip6": 6}
_TRANSPORTS = {"tcp": 6, "udp": 17, "sctp": 132, "icmp": 1, "icmpv6": 58}

Field = tuple[str, str]


def applies(field: Field, packet: Packet) -> bool | None:
    """Whether the packet has the field at all: a rule that asks for a TCP port matches no UDP packet, with `!=` too."""
    header, name = field
    if header in ("ip", "ip6"):
        return packet.family == (4 if header == "ip" else 6)
    if header in _TRANSPORTS:
        if header in ("icmp", "icmpv6") and packet.family != (4 if header == "icmp" else 6):
            return False
        return None if packet.protocol is None else packet.protocol == _TRANSPORTS[header]
    if header == "th":
        # Of other protocols the kernel takes the bytes where ports would be.
        return True if packet.protocol in WITH_PORTS else None
    if name in ("iifname", "iif", "oifname", "oif"):
        device = packet.in_device if name.startswith("i") else packet.out_device
        return None if device is None else device != ""
    return True


def is_in(field: Field, wanted: str, packet: Packet, changes: Changes) -> bool | None:
    """Whether the packet's field is `wanted`: a value, a prefix or a range, as nft prints them."""
    header, name = field
    if wanted == "*":
        return True
    if header == "fib":
        return type_is(packet, changes, wanted, of_source=name == "saddr")
    if name in ("saddr", "daddr"):
        held = packet.source if name == "saddr" else packet.destination
        return address_in(None if changes.rewritten else held, wanted)
    if name in ("protocol", "nexthdr", "l4proto") and header != "meta":
        return number_in(packet.protocol, wanted, PROTOCOLS) if header == "ip" else _next_header(packet, wanted)
    if name == "l4proto":
        return number_in(packet.protocol, wanted, PROTOCOLS)
    if name in ("nfproto", "protocol"):
        return number_in(packet.family, wanted, _NFPROTO if name == "nfproto" else _ETHERTYPE)
    if name in ("iifname", "oifname", "iif", "oif"):
        return _device(name, wanted, packet)
    if name in ("sport", "dport"):
        held_port = packet.source_port if name == "sport" else packet.port
        return number_in(None if changes.rewritten else held_port, wanted, SERVICES)
    if name == "mark":
        number = as_number(wanted)
        return None if number is None else changes.has_mark(number)
    if field == ("ct", "state"):
        return state_in(packet, changes, (wanted,))
    if field == ("ct", "status"):
        # A new connection has none of the marks that come with an answer, and those of NAT only behind its rules.
        is_plain = packet.state == "new" and changes.tracked and not changes.rewritten
        return False if is_plain and wanted in ("dnat", "snat", "assured", "seen-reply", "confirmed") else None
    if field == ("ct", "direction"):
        return wanted == "original" if packet.state == "new" and changes.tracked else None
    return None


def _next_header(packet: Packet, wanted: str) -> bool | None:
    """The first header behind IPv6's own need not be the transport's."""
    told = number_in(packet.protocol, wanted, PROTOCOLS)
    return told if told else None


def _device(name: str, wanted: str, packet: Packet) -> bool | None:
    held = packet.in_device if name.startswith("i") else packet.out_device
    if not wanted.startswith('"'):
        return None  # the number of a device that is gone, or its name in a version that does not quote it
    bare = wanted.strip('"')
    if bare.endswith("\\*"):
        return device_is(held, bare[:-2] + "*", "\0")
    return device_is(held, bare, "*") if name.endswith("name") else device_is(held, bare, "\0")
