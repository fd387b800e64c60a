"""Lines and words of iproute2's text, made harmless, and the names that iproute2 prints for numbers.

Splits at blanks and tabs only: a device may be named with any other character, and a name that holds one of Unicode's
many separators must not be able to pass for two words. Knows nothing of routes, links or rules.
"""

from __future__ import annotations

import ipaddress
import re
import sys
from functools import lru_cache
from typing import Generic, TypeVar

import msgspec

from calitui.facts.text import clean

T = TypeVar("T")

PROTOCOLS = {
    "0": "unspec",
    "1": "redirect",
    "2": "kernel",
    "3": "",
    "boot": "",
    "4": "static",
    "8": "gated",
    "9": "ra",
    "10": "mrt",
    "11": "zebra",
    "12": "bird",
    "13": "dnrouted",
    "14": "xorp",
    "15": "ntk",
    "16": "dhcp",
    "18": "keepalived",
    "42": "babel",
    "99": "openr",
    "186": "bgp",
    "187": "isis",
    "188": "ospf",
    "189": "rip",
    "192": "eigrp",
}
"""Numbers of `/etc/iproute2/rt_protos`; a node without that file prints the number. `boot` is the unprinted one."""

TABLES = {"0": "unspec", "253": "default", "254": "main", "255": "local"}
"""Numbers of `/etc/iproute2/rt_tables`."""

SCOPES = {"0": "", "global": "", "200": "site", "253": "link", "254": "host", "255": "nowhere"}
"""Numbers of `/etc/iproute2/rt_scopes`; `global` is the unprinted one."""

LONGEST_PARSED = 64 * 1024
"""Characters; a route with a thousand next hops is shorter, and a hostile line could take very long to read."""

_LONGEST_ADDRESS = 64
"""Characters of an address with its prefix length; the longest is 49."""

_BLANKS = re.compile(r"[ \t]+")


class Parsed(msgspec.Struct, Generic[T], frozen=True):
    """What a piece of text held: `items` in its order, and the lines that no grammar covers, verbatim."""

    items: tuple[T, ...] = ()
    unparsed: tuple[str, ...] = ()


def lines(text: str) -> list[str]:
    """The lines of `text` without their line ends, empty ones left out."""
    return [line for raw in text.split("\n") if (line := raw.rstrip(" \t\r")).strip(" \t")]


def words(line: str) -> list[str]:
    """The words of one line, each cleaned on its own so that a long line is not cut before it is understood.

    None at all for a line beyond `LONGEST_PARSED`.
    """
    if len(line) > LONGEST_PARSED:
        return []
    split = [sys.intern(word) for word in _BLANKS.split(line) if word]
    return split if line.isascii() and line.isprintable() else [clean(word) for word in split]


def verbatim(line: str) -> str:
    """The line as a fact: cleaned, without indentation and trailing blanks, tabs as blanks."""
    return clean(line.replace("\t", " ").strip(" \r"))


def address(word: str) -> str | None:
    """The IP address in its usual spelling, or None when `word` is none. Zones (`%eth0`) are none of iproute2's."""
    return _address(word) if len(word) <= _LONGEST_ADDRESS else None


def prefix(word: str, family: int) -> str | None:
    """`word` as `address/length` with the host bits cleared, or None; `default` and `all` are those of `family`."""
    if word in ("default", "all"):
        return "::/0" if family == 6 else "0.0.0.0/0"
    return _prefix(word) if len(word) <= _LONGEST_ADDRESS else None


@lru_cache(maxsize=1 << 16)
def _address(word: str) -> str | None:
    try:
        return None if "%" in word else str(ipaddress.ip_address(word))
    except ValueError:
        return None


# Every node of a cluster names the same blocks and nodes: remembered, they are read and kept once.
@lru_cache(maxsize=1 << 16)
def _prefix(word: str) -> str | None:
    try:
        return None if "%" in word else str(ipaddress.ip_network(word, strict=False))
    except ValueError:
        return None


def number(word: str) -> int | None:
    """A count or mark in decimal or `0x` hexadecimal, never negative, or None."""
    try:
        value = int(word, 16) if word.startswith("0x") else int(word)
    except ValueError:
        return None
    return value if 0 <= value < 2**64 else None
