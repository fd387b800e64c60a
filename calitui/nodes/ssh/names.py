"""Which texts may be a host or a user name.

Names of nodes and their addresses come from the cluster, and they end on the command line of `ssh` and in a
`ProxyCommand` that a shell runs. Only what a host name can consist of gets through; everything else is refused, never
quoted or repaired. This module must not know where a name came from.
"""

from __future__ import annotations

import ipaddress
import re

import msgspec

from calitui.errors import NodeError
from calitui.facts.text import clean

LONGEST = 255
"""Characters of a host name (RFC 1035)."""

_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.@+-]*")
_ZONE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


class Destination(msgspec.Struct, frozen=True):
    """What a person writes after `ssh`: `[user@]host[:port]`."""

    host: str
    user: str | None = None
    port: int | None = None


def checked_host(text: str, what: str) -> str:
    """`text` if it can be a host name, an alias or an address; `what` names it in the error.

    Raises:
        NodeError: it can't.
    """
    if is_host(text):
        return text
    raise NodeError(
        f"{what} {clean(text[:80])!r} is not a host name", "Map the node to a host in the [nodes] table of the config"
    )


def is_host(text: str) -> bool:
    """Whether `text` is an IPv4 or IPv6 address (a zone is allowed) or consists of what host names consist of."""
    if len(text) > LONGEST:
        return False
    if ":" in text:
        address, percent, zone = text.partition("%")
        return _is_ipv6(address) and (not percent or _ZONE.fullmatch(zone) is not None)
    return _HOST.fullmatch(text) is not None


def checked_user(text: str, what: str) -> str:
    """`text` if it can be a user name.

    Raises:
        NodeError: it can't.
    """
    if is_user(text):
        return text
    raise NodeError(f"{what} {clean(text[:80])!r} is not a user name", "Use letters, digits and . _ @ + - only")


def is_user(text: str) -> bool:
    """Whether `text` consists of what user names consist of."""
    return len(text) <= LONGEST and _USER.fullmatch(text) is not None


def parse_destination(text: str, what: str) -> Destination:
    """Read `host`, `user@host`, `host:port`, `[IPv6]:port` or `ssh://user@host:port`; a bare IPv6 address has no port.

    Raises:
        NodeError: a part of it is not what it should be.
    """
    rest = text.removeprefix("ssh://").removesuffix("/") if text.startswith("ssh://") else text
    user, at, host = rest.rpartition("@")
    port: str | None = None
    bracketed = re.fullmatch(r"\[([^\]]*)\](?::(.*))?", host, re.DOTALL)
    if bracketed:
        host, port = bracketed[1], bracketed[2]
    elif host.count(":") == 1:
        host, _, port = host.partition(":")
    return Destination(
        host=checked_host(host, what),
        user=checked_user(user, f"{what}: user") if at else None,
        port=None if port is None else _port(port, what),
    )


def _port(text: str, what: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) < 65536:
        return int(text)
    raise NodeError(f"{what}: {clean(text[:80])!r} is not a port", "A port is a number from 1 to 65535")


def _is_ipv6(text: str) -> bool:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return False
    return True
