"""Packets and captures as bytes, made by hand."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterable

import dpkt

from calitui.proof.token import Token

PATTERN = bytes.fromhex("ca11b0a7" * 4)
SOURCE, DESTINATION = "192.168.97.1", "192.168.210.129"
SOURCE6, DESTINATION6 = "fd97::1", "fd98::2"
NODES = ("10.173.32.23", "10.173.32.26")
SLL2, SLL, ETHERNET, RAW = 276, 113, 1, 101
TOKEN = Token(
    protocol="icmp",
    source=SOURCE,
    destination=DESTINATION,
    pattern=PATTERN,
    size_pattern=PATTERN[::-1],
    carriers=frozenset(NODES),
)


def ip(number: int, src: str, dst: str, payload: bytes, *, df: bool = True, length: int | None = None) -> bytes:
    """An IP packet of either family; `length` where the header is to claim another."""
    ends = {"src": ipaddress.ip_address(src).packed, "dst": ipaddress.ip_address(dst).packed}
    if ":" in src:
        return struct.pack("!IHBB", 6 << 28, len(payload), number, 63) + ends["src"] + ends["dst"] + payload
    header = dpkt.ip.IP(p=number, ttl=63, len=length or 20 + len(payload), df=df, sum=1, **ends)
    return bytes(header.pack_hdr()) + payload


def echo(kind: int = 8, *, identifier: int = 7, sequence: int = 1, payload: bytes | None = None) -> bytes:
    """An ICMP or ICMPv6 echo."""
    filled = bytes(16) + (PATTERN * 3)[:40] if payload is None else payload
    return struct.pack("!BBHHH", kind, 0, 1, identifier, sequence) + filled


def error(kind: int, code: int, quoted: bytes, mtu: int = 0) -> bytes:
    """An ICMP error that quotes a packet."""
    return struct.pack("!BBHI", kind, code, 1, mtu) + quoted


def udp(sport: int, dport: int, payload: bytes) -> bytes:
    return struct.pack("!HHHH", sport, dport, 8 + len(payload), 0) + payload


def tcp(sport: int, dport: int, flags: int) -> bytes:
    return struct.pack("!HHIIBBHHH", sport, dport, 1, 0, 0x50, flags, 1000, 0, 0)


def vxlan(inner: bytes, *, vni: int = 4096, port: int = 4789) -> bytes:
    """The payload of an IP packet that carries another in VXLAN."""
    kind = 0x86DD if inner[0] >> 4 == 6 else 0x0800
    frame = bytes(12) + struct.pack("!H", kind) + inner
    return udp(40000, port, struct.pack("!II", 0x08000000, vni << 8) + frame)


def sll2(packet: bytes, interface: int, way: int) -> bytes:
    kind = 0x86DD if packet[0] >> 4 == 6 else 0x0800
    return struct.pack("!HHiHBB8s", kind, 0, interface, 1, way, 6, b"") + packet


def sll(packet: bytes, way: int) -> bytes:
    return struct.pack("!HHH8sH", way, 1, 6, b"", 0x0800) + packet


def ethernet(packet: bytes, source: str) -> bytes:
    return bytes(6) + bytes.fromhex(source.replace(":", "")) + b"\x08\x00" + packet


def pcap(link_type: int, records: Iterable[bytes], *, nano: bool = False, order: str = "<") -> bytes:
    """A capture, a packet each half second."""
    magic = 0xA1B23C4D if nano else 0xA1B2C3D4
    parts = [struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 192, link_type)]
    for number, record in enumerate(records):
        half = (500_000_000 if nano else 500_000) * (number % 2)
        parts += [struct.pack(f"{order}IIII", 1000 + number // 2, half, len(record), len(record)), record]
    return b"".join(parts)
