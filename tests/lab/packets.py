"""Captured packets as data: the addresses of every IP header around an echo, and which ping it belongs to.

Reads what tcpdump writes for `-i any` (pcap, LINUX_SLL2). Knows no lab.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator
from enum import StrEnum

import msgspec

_SLL2 = 276
_RECORD, _COOKED = struct.Struct("<IIII"), struct.Struct("!HHIHBB8s")
_IPV4, _IPV6 = 0x0800, 0x86DD
_IPIP, _UDP, _ICMP, _ICMP6 = 4, 17, 1, 58
_VXLAN_PORT = 4789
_REQUESTS, _REPLIES = (8, 128), (0, 129)
_TO_US, _FROM_US = 0, 4


class Direction(StrEnum):
    """Which way a packet crossed an interface."""

    IN = "in"
    OUT = "out"


class Echo(msgspec.Struct, frozen=True):
    """An echo request or reply on an interface.

    `headers` are source and destination of each IP header, outermost first; `identifier` is ping's. `time` counts
    nanoseconds.
    """

    time: int
    interface: int
    direction: Direction
    headers: tuple[tuple[str, str], ...]
    identifier: int
    is_reply: bool


def echoes(capture: bytes) -> Iterator[Echo]:
    """All echoes in a capture, in the order in which the kernel saw them; packets to other machines are left out.

    Raises:
        ValueError: it is no such file. One that is cut off ends early.
    """
    if len(capture) < 24 or struct.unpack_from("<I", capture)[0] != 0xA1B23C4D:
        raise ValueError("no pcap file with nanoseconds")
    if struct.unpack_from("<I", capture, 20)[0] & 0xFFFF != _SLL2:
        raise ValueError("not captured as LINUX_SLL2")
    offset = 24
    while offset + _RECORD.size <= len(capture):
        seconds, fraction, length, _ = _RECORD.unpack_from(capture, offset)
        offset += _RECORD.size
        data = capture[offset : offset + length]
        offset += length
        if len(data) < _COOKED.size or len(data) < length:
            continue
        protocol, _, interface, _, kind, _, _ = _COOKED.unpack_from(data)
        if kind not in (_TO_US, _FROM_US):
            continue
        direction = Direction.OUT if kind == _FROM_US else Direction.IN
        headers: list[tuple[str, str]] = []
        if (found := _echo(data[_COOKED.size :], protocol, headers)) is not None:
            identifier, is_reply = found
            yield Echo(seconds * 10**9 + fraction, interface, direction, tuple(headers), identifier, is_reply)


def _echo(data: bytes, protocol: int, headers: list[tuple[str, str]]) -> tuple[int, bool] | None:
    """Ping's identifier and whether it is a reply; fills `headers` on the way to it."""
    if protocol == _IPV4 and len(data) >= 20:
        inner, start = data[9], (data[0] & 0xF) * 4
        headers.append((_address(data[12:16]), _address(data[16:20])))
    elif protocol == _IPV6 and len(data) >= 40:
        inner, start = data[6], 40
        headers.append((_address(data[8:24]), _address(data[24:40])))
    else:
        return None
    data = data[start:]
    if inner == _IPIP:
        return _echo(data, _IPV4, headers)
    if inner == _UDP and len(data) >= 30 and struct.unpack_from("!H", data, 2)[0] == _VXLAN_PORT:
        # The UDP header, VXLAN's own, and the inner frame's Ethernet header.
        return _echo(data[30:], struct.unpack_from("!H", data, 28)[0], headers)
    if inner in (_ICMP, _ICMP6) and len(data) >= 8 and data[0] in (*_REQUESTS, *_REPLIES):
        return struct.unpack_from("!H", data, 4)[0], data[0] in _REPLIES
    return None


def _address(packed: bytes) -> str:
    return str(ipaddress.ip_address(packed))
