"""One captured packet taken apart: the headers from the outermost in, and what the innermost carries.

dpkt reads each header. Captured bytes are from a network where anything may be sent: whatever is no packet that it
can read is None here.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Collection
from typing import Any

import dpkt
import msgspec

from calitui.facts.proof import SeenHeader
from calitui.proof.token import VXLAN_PORT

_VXLAN_HEADER = 8
_NAMES = {1: "icmp", 4: "ipip", 6: "tcp", 17: "udp", 41: "ipv6", 58: "icmp6"}
_FLAGS = ((0x02, "SYN"), (0x10, "ACK"), (0x01, "FIN"), (0x04, "RST"))
# What dpkt raises on bytes that are no packet: its own errors, and what slips through its readers.
UNREADABLE = (dpkt.Error, ValueError, IndexError, KeyError, TypeError, AttributeError, struct.error, RecursionError)


class Parts(msgspec.Struct, frozen=True):
    """A packet: its headers, and what the innermost IP header carries, as dpkt read it; bytes where it could not."""

    headers: tuple[SeenHeader, ...]
    carried: Any


def parts_of(data: bytes, ports: Collection[int] = (VXLAN_PORT,)) -> Parts | None:
    """The headers of an IP packet; `ports` are those whose UDP packets are VXLAN. None if it is no packet."""
    try:
        packet = dpkt.ip6.IP6(data) if data[0] >> 4 == 6 else dpkt.ip.IP(data)
        return unwrapped(packet, ports)
    except UNREADABLE:
        return None


def unwrapped(packet: Any, ports: Collection[int] = (VXLAN_PORT,)) -> Parts:
    """The headers of a packet that dpkt has read."""
    headers: list[SeenHeader] = []
    while True:
        carried = packet.data
        inner = carried if isinstance(carried, dpkt.ip.IP | dpkt.ip6.IP6) else None
        detail: str | None = None
        if isinstance(carried, dpkt.udp.UDP) and carried.dport in ports:
            inner, detail = _vxlan(carried)
        headers.append(_header(packet, carried, detail if inner is not None else None))
        if inner is None:
            return Parts(tuple(headers), carried)
        packet = inner


def _vxlan(carried: Any) -> tuple[Any, str | None]:
    """The IP packet inside of a VXLAN packet, and the words for what lies between (RFC 7348, 5)."""
    data = bytes(carried.data)
    if len(data) < _VXLAN_HEADER or not data[0] & 0x08:
        return None, None
    frame = dpkt.ethernet.Ethernet(data[_VXLAN_HEADER:])
    inner = frame.data if isinstance(frame.data, dpkt.ip.IP | dpkt.ip6.IP6) else None
    return inner, f"VXLAN port {carried.dport} VNI {int.from_bytes(data[4:7])}"


def _header(packet: Any, carried: Any, detail: str | None) -> SeenHeader:
    number = packet.p
    source_port, destination_port = _ports(number, carried)
    six = isinstance(packet, dpkt.ip6.IP6)
    return SeenHeader(
        protocol=_NAMES.get(number, str(number)),
        src=str(ipaddress.ip_address(bytes(packet.src))),
        dst=str(ipaddress.ip_address(bytes(packet.dst))),
        ttl=packet.hlim if six else packet.ttl,
        length=packet.plen + 40 if six else packet.len,
        source_port=source_port,
        destination_port=destination_port,
        dont_fragment=None if six else bool(packet.df),
        detail=detail or _said(carried),
    )


def _ports(protocol: int, carried: Any) -> tuple[int | None, int | None]:
    """Source and destination port; also of the first bytes of a header that an ICMP error quotes cut off."""
    if protocol not in (6, 17):
        return None, None
    if isinstance(carried, dpkt.tcp.TCP | dpkt.udp.UDP):
        return carried.sport, carried.dport
    return (int.from_bytes(carried[:2]), int.from_bytes(carried[2:4])) if len(carried) >= 4 else (None, None)


def _said(carried: Any) -> str | None:
    """What an ICMP message or a TCP header says, in words; None for others."""
    if isinstance(carried, dpkt.tcp.TCP):
        return ", ".join(name for bit, name in _FLAGS if carried.flags & bit) or None
    if isinstance(carried, dpkt.icmp.ICMP):
        return _icmp(carried)
    return _icmp6(carried) if isinstance(carried, dpkt.icmp6.ICMP6) else None


def _icmp(message: Any) -> str:
    """RFC 792, RFC 1191, RFC 1812."""
    if isinstance(message.data, dpkt.icmp.ICMP.Echo):
        return _echo(message.data, "request" if message.type == 8 else "reply")
    if message.type == 3:
        if message.code == 4:
            mtu = message.data.mtu if isinstance(message.data, dpkt.icmp.ICMP.Unreach) else 0
            return f"fragmentation needed, MTU {mtu}" if mtu else "fragmentation needed"
        return _UNREACHABLE.get(message.code, f"destination unreachable, code {message.code}")
    return "time exceeded" if message.type == 11 else f"type {message.type} code {message.code}"


_UNREACHABLE = {
    0: "network unreachable",
    1: "host unreachable",
    2: "protocol unreachable",
    3: "port unreachable",
    9: "network administratively prohibited",
    10: "host administratively prohibited",
    13: "communication administratively prohibited",
}
_UNREACHABLE6 = {
    0: "no route",
    1: "communication administratively prohibited",
    3: "address unreachable",
    4: "port unreachable",
    5: "source address failed policy",
    6: "route rejected",
}


def _icmp6(message: Any) -> str:
    """RFC 4443."""
    if isinstance(message.data, dpkt.icmp6.ICMP6.Echo):
        return _echo(message.data, "request" if message.type == 128 else "reply")
    if message.type == 1:
        return _UNREACHABLE6.get(message.code, f"destination unreachable, code {message.code}")
    if message.type == 2:
        mtu = message.data.mtu if isinstance(message.data, dpkt.icmp6.ICMP6.TooBig) else 0
        return f"packet too big, MTU {mtu}" if mtu else "packet too big"
    return "time exceeded" if message.type == 3 else f"type {message.type} code {message.code}"


def _echo(echo: Any, which: str) -> str:
    return f"echo {which}, id {echo.id}, seq {echo.seq}"
