"""What a netlink message holds, whoever decoded it: attributes by name, names of devices, text made harmless.

Everything that turns messages into facts goes through here. Knows pyroute2's shape of a message and does not import it,
so that facts can be made from recorded messages on any machine.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
from collections.abc import Mapping
from typing import Any

from calitui.facts.text import clean

IPV4 = 2
IPV6 = 10
BRIDGE = 7
"""Address families as the kernel numbers them; Python's `socket` has no AF_BRIDGE, and macOS numbers AF_INET6 else."""

_FLAG_BITS = 0x3FFF
# Python raises these where a message is not of the shape that its type promises.
UNDECODABLE = (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError)


class Devices:
    """Names of one namespace's devices by index."""

    def __init__(self, names: Mapping[int, str]) -> None:
        """`names` as the links were listed."""
        self._names = dict(names)

    def name(self, index: int) -> str:
        """The device's name; one that came after the links were listed is asked for, else it is `ifN` as iproute2's."""
        known = self._names.get(index)
        if known is None:
            try:
                known = clean(socket.if_indextoname(index))
            except (OSError, OverflowError):
                known = f"if{index}"
            self._names[index] = known
        return known


def attributes(message: Mapping[str, Any], unnamed: Mapping[int, str] | None = None) -> dict[str, Any]:
    """The attributes of a message, or of one nested in it, by pyroute2's names; a missing attribute is not there.

    `unnamed` names attributes that pyroute2 has no name for: they are numbers. Any other becomes `#N`, as bytes.

    Raises:
        One of UNDECODABLE: it is no message.
    """
    found: dict[str, Any] = {}
    for slot in message["attrs"]:
        name = slot[0]
        if name != "UNKNOWN":
            found[name] = slot[1]
            continue
        number, body = _raw(slot)
        given = (unnamed or {}).get(number)
        found[given or f"#{number}"] = int.from_bytes(body, sys.byteorder) if given else body
    return found


def payload(message: Mapping[str, Any], name: str) -> bytes:
    """The bytes of one attribute, b"" where it is missing."""
    for slot in message["attrs"]:
        if slot[0] == name:
            return _raw(slot)[1]
    return b""


def word(value: object) -> str:
    """A string of the kernel as a fact; bytes that are no UTF-8 become visible escapes."""
    if isinstance(value, bytes):
        value = value.rstrip(b"\0").decode("utf-8", "backslashreplace")
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return clean(value)


def network(address: str | None, length: int, family: int) -> str:
    """A prefix as a fact; the kernel leaves the address out where it is all zeroes.

    Raises:
        ValueError: it is no prefix.
    """
    zeroes = ipaddress.IPv6Address(0) if family == IPV6 else ipaddress.IPv4Address(0)
    return str(ipaddress.ip_network(f"{address or zeroes}/{length}", strict=False))


def link_address(body: bytes) -> str:
    """A hardware address as iproute2 prints it."""
    return ":".join(f"{byte:02x}" for byte in body)


def _raw(slot: Any) -> tuple[int, bytes]:
    """The number and the bytes of an attribute. Reads pyroute2's own buffer: some attributes it decodes are shorter
    than it takes them to be (the 4 byte hardware address of a tunnel).
    """
    nla = slot.nla
    start, number = nla.offset, nla.offset + 2
    length = int.from_bytes(nla.data[start:number], sys.byteorder)
    kind = int.from_bytes(nla.data[number : number + 2], sys.byteorder)
    return kind & _FLAG_BITS, bytes(nla.data[start + 4 : start + length])
