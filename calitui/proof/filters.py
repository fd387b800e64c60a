"""The pcap filter of a watch: tight, so that a node that carries much traffic hands over nothing but the probe.

A packet in a tunnel is looked into by its bytes. The words keep to letters, digits and `. : = ( ) [ ]`, so that they
pass through shells unharmed.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

_NUMBERS = {"icmp": 1, "tcp": 6, "udp": 17, "icmp6": 58}
_IPV4_HEADER, _IPV6_HEADER = 20, 40
_UDP_VXLAN_ETHERNET = 8 + 8 + 14
_ECHOES = {"icmp": (8, 0), "icmp6": (128, 129)}
_ERRORS = {"icmp": (3, 11), "icmp6": (1, 2, 3)}


def plain(protocol: str, ends: tuple[str, str], port: int | None, errors_to: Iterable[str] = ()) -> str:
    """Packets of the probe as they are sent, and ICMP errors to their ends and to `errors_to`."""
    six = _is_six(ends[0])
    echo = "icmp6" if six else "icmp"
    hosts = _any(f"host {ip}" for ip in ends)
    what = _typed(six, _ECHOES[echo]) if protocol == "icmp" else f"{protocol} port {port}"
    both = f"({what} and {hosts})"
    clauses = [both]
    for family_six in dict.fromkeys((six, *(_is_six(ip) for ip in errors_to))):
        told = [ip for ip in dict.fromkeys((*ends, *errors_to)) if _is_six(ip) is family_six]
        heard = _any(f"dst host {ip}" for ip in told)
        clauses.append(f"({_typed(family_six, _ERRORS['icmp6' if family_six else 'icmp'])} and {heard})")
    return " or ".join(clauses)


def tunnelled(protocol: str, ends: tuple[str, str], port: int | None, vxlan_port: int, *, outer_six: bool) -> str:
    """Packets of the probe inside of IPIP and VXLAN, whichever addresses the tunnel has."""
    layer, header = ("ip6", _IPV6_HEADER) if outer_six else ("ip", _IPV4_HEADER)
    number = 41 if _is_six(ends[0]) else 4
    carried = _inner(layer, header, protocol, ends, port)
    in_udp = _inner(layer, header + _UDP_VXLAN_ETHERNET, protocol, ends, port)
    return f"({layer} proto {number} and {carried}) or ({layer} and udp dst port {vxlan_port} and {in_udp})"


def _inner(layer: str, at: int, protocol: str, ends: tuple[str, str], port: int | None) -> str:
    """The inner header begins `at` bytes after the start of the outer one, which has no options."""
    six = _is_six(ends[0])
    kind, source, size, header = (6, 8, 16, _IPV6_HEADER) if six else (9, 12, 4, _IPV4_HEADER)
    echo = _NUMBERS["icmp6" if six else "icmp"]
    hosts = _any(_bytes(layer, at + source + place, ip) for ip in ends for place in (0, size))
    if port is None:
        return f"({layer}[{at + kind}]={echo} and {hosts})"
    ports = _any(f"{layer}[{at + header + place}:2]={port}" for place in (0, 2))
    # What answers a datagram is most often an ICMP error, which has no port where the datagram has it.
    sent = f"({layer}[{at + kind}]={_NUMBERS[protocol]} and {ports})"
    return f"({hosts} and ({sent} or {layer}[{at + kind}]={echo}))"


def _bytes(layer: str, at: int, ip: str) -> str:
    """That the address stands at these bytes."""
    packed = ipaddress.ip_address(ip).packed
    words = (f"{layer}[{at + i}:4]=0x{packed[i : i + 4].hex()}" for i in range(0, len(packed), 4))
    return f"({' and '.join(words)})" if len(packed) > 4 else next(words)


def _typed(six: bool, types: Iterable[int]) -> str:
    """ICMP of these types; libpcap looks into ICMPv6 by the bytes behind a plain IPv6 header only."""
    if six:
        return f"icmp6 and {_any(f'ip6[{_IPV6_HEADER}]={number}' for number in types)}"
    return f"icmp and {_any(f'icmp[0]={number}' for number in types)}"


def _any(clauses: Iterable[str]) -> str:
    return f"({' or '.join(clauses)})"


def _is_six(ip: str) -> bool:
    return ":" in ip
