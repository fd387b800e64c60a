"""Captures: what tcpdump wrote of a probe, as sightings.

A capture is the bytes of a pcap file, as it came over the wire from a node: it may be cut off or not be one at all.
Both end the list, and nothing is raised.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import dpkt
import msgspec

from calitui.facts.proof import Sighting
from calitui.facts.text import clean
from calitui.proof.headers import UNREADABLE, parts_of
from calitui.proof.recognise import recognise
from calitui.proof.token import VXLAN_PORT, Token

MOST_RECORDS = 20_000
"""Packets of one capture that are looked at."""
MOST_SIGHTINGS = 500
"""Packets of one capture that are kept."""
_LONGEST = 512
"""Bytes of a packet that are looked at; headers of any probe are far below."""
_KEPT = 256
_IDENTIFIER = re.compile(r"\bid (\d+)")

_ETHERNET, _RAW_BSD, _RAW, _SLL, _SLL2, _IPV4, _IPV6 = 1, 12, 101, 113, 276, 228, 229
_TO_US, _FROM_US = 0, 4
_IP_TYPES = (0x0800, 0x86DD)


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where a capture was made.

    `devices` are the names of its interfaces by ifindex. `device` and `mac` belong to a capture of one device: its
    packets do not say themselves where they were seen, nor which way they went.
    """

    node: str
    container: str | None = None
    devices: Mapping[int, str] = {}
    device: str | None = None
    mac: str | None = None


class _Packet(msgspec.Struct, frozen=True):
    time: float
    interface: int | None
    outgoing: bool | None
    data: bytes


def sightings(
    capture: bytes, token: Token, place: Place, ports: Collection[int] = (VXLAN_PORT,)
) -> tuple[Sighting, ...]:
    """The packets of one probe in a capture, in the order in which the kernel saw them.

    `ports` are the UDP ports whose packets are VXLAN. Packets to other machines that a device merely overheard are
    left out.
    """
    found: list[Sighting] = []
    for number, packet in enumerate(_packets(capture, place)):
        if number >= MOST_RECORDS or len(found) >= MOST_SIGHTINGS:
            break
        one = _sighting(packet, token, place, ports)
        if one is not None:
            found.append(one)
    return tuple(found)


def all_sightings(
    captures: Iterable[tuple[Place, bytes]], token: Token, ports: Collection[int] = (VXLAN_PORT,)
) -> tuple[Sighting, ...]:
    """The packets of one probe in all captures of it.

    Source ports and echo identifiers that the sender chose are learned where its packets have both their addresses
    still, so that they are known again behind a translation. Where no capture holds the pattern, the sender could not
    set it: then the addresses tell the packets.
    """
    kept = tuple(captures)

    def read(by: Token) -> tuple[Sighting, ...]:
        return tuple(one for place, data in kept for one in sightings(data, by, place, ports))

    found = read(token)
    if token.protocol == "icmp":
        if not token.pattern or any(one.size is None and one.kind != "error" for one in found):
            return found
        token = msgspec.structs.replace(token, pattern=b"")
        found = read(token)
    learned = _learned(token, found)
    return found if learned == token else read(learned)


def _learned(token: Token, found: Iterable[Sighting]) -> Token:
    """With what requests that were recognised say of the sender."""
    requests = [one.headers[-1] for one in found if one.kind == "request" and one.size is None]
    if token.protocol == "icmp":
        told = {said[1] for header in requests if (said := _IDENTIFIER.search(header.detail or "")) is not None}
        return msgspec.structs.replace(token, identifier=int(told.pop())) if len(told) == 1 else token
    if token.source_ports:
        return token
    known = frozenset(header.source_port for header in requests if header.source_port is not None)
    return msgspec.structs.replace(token, source_ports=known)


def is_capture(data: bytes) -> bool:
    """Whether bytes begin as a pcap file of a kind that is read here."""
    return _head(data) is not None


def _sighting(packet: _Packet, token: Token, place: Place, ports: Collection[int]) -> Sighting | None:
    parts = parts_of(packet.data, ports)
    try:
        seen = recognise(parts, token, ports) if parts is not None else None
    except UNREADABLE:
        return None
    if parts is None or seen is None:
        return None
    named = place.devices.get(packet.interface) if packet.interface is not None else place.device
    return Sighting(
        node=place.node,
        device=clean(named or (f"interface {packet.interface}" if packet.interface is not None else "any")),
        time=packet.time,
        kind=seen.kind,
        headers=parts.headers,
        container=place.container,
        outgoing=packet.outgoing,
        sequence=seen.sequence,
        detail=seen.detail,
        frame=packet.data[:_KEPT],
        size=seen.size,
    )


class _Head(msgspec.Struct, frozen=True):
    record: Any
    fractions: float
    link_type: int


def _head(capture: bytes) -> _Head | None:
    """What a file's first bytes say of the rest."""
    try:
        head = dpkt.pcap.FileHdr(capture[: dpkt.pcap.FileHdr.__hdr_len__])
        magic = head.magic
        if magic in (dpkt.pcap.PMUDPCT_MAGIC, dpkt.pcap.PMUDPCT_MAGIC_NANO):
            head = dpkt.pcap.LEFileHdr(capture[: dpkt.pcap.FileHdr.__hdr_len__])
        elif magic not in (dpkt.pcap.TCPDUMP_MAGIC, dpkt.pcap.TCPDUMP_MAGIC_NANO):
            return None
    except dpkt.Error:
        return None
    nano = magic in (dpkt.pcap.TCPDUMP_MAGIC_NANO, dpkt.pcap.PMUDPCT_MAGIC_NANO)
    # The upper bits of the field tell of checksums at the frames' ends.
    return _Head(dpkt.pcap.MAGIC_TO_PKT_HDR[magic], 1e9 if nano else 1e6, head.linktype & 0xFFFF)


def _packets(capture: bytes, place: Place) -> Iterator[_Packet]:
    head = _head(capture)
    if head is None:
        return
    offset, size = dpkt.pcap.FileHdr.__hdr_len__, head.record.__hdr_len__
    while offset + size <= len(capture):
        record = head.record(capture[offset : offset + size])
        offset += size
        if record.caplen > len(capture) - offset:
            return
        data = capture[offset : offset + min(record.caplen, _LONGEST)]
        offset += record.caplen
        packet = _packet(data, head.link_type, place, record.tv_sec + record.tv_usec / head.fractions)
        if packet is not None:
            yield packet


def _packet(data: bytes, link_type: int, place: Place, time: float) -> _Packet | None:
    """The IP packet of a record, and what its link-layer header says of it."""
    # A cooked header is read by its fields: dpkt would take the packet behind it apart at once.
    if link_type == _SLL2 and len(data) >= 20:
        kind, interface, way = struct.unpack_from("!H2xi2xB", data)
        return _cooked(data[20:], kind, way, interface, time)
    if link_type == _SLL and len(data) >= 16:
        way, kind = struct.unpack_from("!H12xH", data)
        return _cooked(data[16:], kind, way, None, time)
    if link_type == _ETHERNET and len(data) >= 14:
        (kind,) = struct.unpack_from("!H", data, 12)
        mac = (place.mac or "").lower()
        outgoing = None if not mac else data[6:12].hex(":") == mac
        return _Packet(time, None, outgoing, data[14:]) if kind in _IP_TYPES else None
    if link_type in (_RAW, _RAW_BSD, _IPV4, _IPV6) and data:
        return _Packet(time, None, None, data)
    return None


def _cooked(data: bytes, kind: int, way: int, interface: int | None, time: float) -> _Packet | None:
    if kind not in _IP_TYPES or way not in (_TO_US, _FROM_US):
        return None
    return _Packet(time, interface, way == _FROM_US, data)
