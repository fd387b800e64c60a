"""Whether a captured packet belongs to a probe, and what it is of it: a request, a reply, or an error about one."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import dpkt
import msgspec

from calitui.facts.proof import SeenHeader
from calitui.proof.headers import Parts, unwrapped
from calitui.proof.token import VXLAN_PORT, Token

_ERRORS = {"icmp": (3, 4, 11, 12), "icmp6": (1, 2, 3, 4)}


class Recognised(msgspec.Struct, frozen=True):
    """What a packet is of a probe; the fields are those of a sighting."""

    kind: str
    sequence: int | None = None
    detail: str = ""
    size: int | None = None


def recognise(parts: Parts, token: Token, ports: Collection[int] = (VXLAN_PORT,)) -> Recognised | None:
    """What a packet is of the probe, None if it is not of it.

    A pattern in the payload is enough, whatever the addresses have become. Where the payload has none, one of the
    probe's addresses has to be there, and both if nothing else is known of the probe. `ports` are VXLAN's.

    Raises:
        what dpkt raises on a quoted packet that it can't read; see `calitui.proof.headers.UNREADABLE`.
    """
    header = parts.headers[-1]
    message = parts.carried
    if isinstance(message, dpkt.icmp.ICMP | dpkt.icmp6.ICMP6):
        if message.type in _ERRORS["icmp6" if isinstance(message, dpkt.icmp6.ICMP6) else "icmp"]:
            return _error(header, message, token, ports)
        return _echo(header, message, token)
    return _segment(header, message, token)


def _echo(header: SeenHeader, message: Any, token: Token) -> Recognised | None:
    echo = message.data
    if not isinstance(echo, dpkt.icmp.ICMP.Echo | dpkt.icmp6.ICMP6.Echo):
        return None
    payload = bytes(echo.data)
    kind = "request" if message.type in (8, 128) else "reply"
    if token.size_pattern and token.size_pattern in payload:
        return Recognised(kind, echo.seq, size=header.length)
    if token.protocol != "icmp" or not _is_own_echo(header, echo.id, payload, token):
        return None
    return Recognised(kind, echo.seq)


def _is_own_echo(header: SeenHeader, identifier: int, payload: bytes, token: Token) -> bool:
    if token.pattern and token.pattern in payload:
        return True
    # The start of each payload is the time it was sent, so what is cut off there can't hold the pattern.
    if token.pattern and len(payload) >= 16 + len(token.pattern):
        return False
    if token.identifier is not None and identifier != token.identifier:
        return False
    return _by_addresses(header, token, surely=token.identifier is not None)


def _by_addresses(header: SeenHeader, token: Token, *, surely: bool) -> bool:
    """Whether the addresses are the probe's: one of them will do where something else tells it `surely`."""
    found = token.ends & {header.src, header.dst}
    return bool(found) if surely else found == token.ends


def _segment(header: SeenHeader, message: Any, token: Token) -> Recognised | None:
    if header.protocol != token.protocol or token.port is None or header.source_port is None:
        return None
    marked = bool(token.pattern) and token.protocol == "udp" and token.pattern in _payload(message)
    if not marked and not _by_addresses(header, token, surely=bool(token.source_ports)):
        return None
    there = header.destination_port == token.port and _is_senders(header.source_port, token)
    back = header.source_port == token.port and _is_senders(header.destination_port, token)
    if there and back:
        back = header.src == token.destination or header.dst == token.source
        there = not back
    return Recognised("request" if there else "reply") if there or back else None


def _is_senders(port: int | None, token: Token) -> bool:
    return not token.source_ports or port in token.source_ports


def _payload(message: Any) -> bytes:
    return bytes(message.data) if isinstance(message, dpkt.udp.UDP) else b""


def _error(header: SeenHeader, message: Any, token: Token, ports: Collection[int]) -> Recognised | None:
    """An ICMP error about a packet of the probe, that it quotes; as far as the quote goes."""
    quote = getattr(message.data, "data", None)
    if not isinstance(quote, dpkt.ip.IP | dpkt.ip6.IP6):
        return None
    quoted, words = unwrapped(quote, ports), header.detail or ""
    about = quoted.headers[-1]
    if isinstance(quoted.carried, dpkt.icmp.ICMP | dpkt.icmp6.ICMP6):
        found = _echo(about, quoted.carried, token)
    else:
        found = _segment(about, quoted.carried, token)
    if found is None:
        return _about_carrier(about, words, token, ports)
    if words == "port unreachable" and found.kind == "request" and header.src in (token.destination, about.dst):
        # The destination itself has looked at the packet: that is as good an answer as any.
        return Recognised("reply", found.sequence, words)
    return Recognised("error", found.sequence, words, found.size)


def _about_carrier(about: SeenHeader, words: str, token: Token, ports: Collection[int]) -> Recognised | None:
    """Routers may quote no more than the outer header: then it is about a tunnel's packet, of the probe or not."""
    if not {about.src, about.dst} <= token.carriers:
        return None
    is_tunnel = about.protocol in ("ipip", "ipv6") or (about.protocol == "udp" and about.destination_port in ports)
    too_big = words.startswith(("fragmentation needed", "packet too big"))
    return Recognised("error", detail=words, size=0 if too_big else None) if is_tunnel else None
