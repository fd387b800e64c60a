"""Sightings as a file that Wireshark and tcpdump open.

The packets of all nodes stand in one file by time, from the outermost IP header on. A pcap file is read by anything; a
pcapng file also tells on which interface of which node each packet was seen.
"""

from __future__ import annotations

from collections.abc import Iterable

import dpkt
from dpkt import pcapng

from calitui.facts.proof import Sighting
from calitui.proof.headers import parts_of

_LINKTYPE_RAW = 101
"""LINKTYPE_RAW of a file; dpkt's DLT_RAW is the number that the same has inside of some kernels."""
_LINKTYPE_IPV4, _LINKTYPE_IPV6 = 228, 229
_SNAPLEN = 65535
_NANOSECONDS = 10**9


def to_pcap(sightings: Iterable[Sighting]) -> bytes:
    """A pcap file with nanoseconds, link type raw IP."""
    head = dpkt.pcap.LEFileHdr(magic=dpkt.pcap.TCPDUMP_MAGIC_NANO, snaplen=_SNAPLEN, linktype=_LINKTYPE_RAW)
    parts = [bytes(head)]
    for one in _in_order(sightings):
        seconds, fraction = divmod(_time(one), _NANOSECONDS)
        record = dpkt.pcap.LEPktHdr(
            tv_sec=seconds & 0xFFFFFFFF, tv_usec=fraction, caplen=len(one.frame), len=_whole(one)
        )
        parts += [bytes(record), one.frame]
    return b"".join(parts)


def to_pcapng(sightings: Iterable[Sighting], written_by: str = "calitui") -> bytes:
    """A pcapng file: an interface for each one that packets were seen on, and what each packet is as its comment."""
    ordered = _in_order(sightings)
    interfaces = {key: number for number, key in enumerate(dict.fromkeys(_key(one) for one in ordered))}
    blocks = [pcapng.SectionHeaderBlockLE(opts=_options((pcapng.PCAPNG_OPT_SHB_USERAPPL, written_by.encode())))]
    for name, link_type in interfaces:
        options = ((pcapng.PCAPNG_OPT_IF_NAME, name.encode()), (pcapng.PCAPNG_OPT_IF_TSRESOL, b"\x09"))
        blocks.append(pcapng.InterfaceDescriptionBlockLE(linktype=link_type, snaplen=_SNAPLEN, opts=_options(*options)))
    for one in ordered:
        high, low = divmod(_time(one) & 0xFFFFFFFFFFFFFFFF, 1 << 32)
        blocks.append(
            pcapng.EnhancedPacketBlockLE(
                iface_id=interfaces[_key(one)],
                ts_high=high,
                ts_low=low,
                caplen=len(one.frame),
                pkt_len=_whole(one),
                pkt_data=one.frame,
                opts=_options((pcapng.PCAPNG_OPT_COMMENT, _comment(one).encode())),
            )
        )
    return b"".join(bytes(block) for block in blocks)


def _options(*options: tuple[int, bytes]) -> list[pcapng.PcapngOptionLE]:
    made = [pcapng.PcapngOptionLE(code=code, data=data, len=len(data)) for code, data in options]
    return [*made, pcapng.PcapngOptionLE()]


def _in_order(sightings: Iterable[Sighting]) -> list[Sighting]:
    return sorted((one for one in sightings if one.frame), key=lambda one: one.time)


def _time(one: Sighting) -> int:
    return max(round(one.time * _NANOSECONDS), 0)


def _whole(one: Sighting) -> int:
    """The packet's length as its outermost header has it; of what was captured at the least."""
    parts = parts_of(one.frame)
    said = parts.headers[0].length if parts is not None else None
    return max(said or 0, len(one.frame))


def _key(one: Sighting) -> tuple[str, int]:
    """Libpcap refuses a second interface of raw IP, but not one of IPv4 or IPv6 by name."""
    return _interface(one), _LINKTYPE_IPV6 if one.frame[0] >> 4 == 6 else _LINKTYPE_IPV4


def _interface(one: Sighting) -> str:
    place = f"{one.node} container {one.container}" if one.container else one.node
    return f"{place} {one.device}"


def _comment(one: Sighting) -> str:
    way = {True: "out of", False: "in by", None: "on"}[one.outgoing]
    what = f"{one.kind} {one.sequence}" if one.sequence is not None else one.kind
    return f"{what} {way} {_interface(one)}{f': {one.detail}' if one.detail else ''}"
