"""A packet as a packet filter looks at it, and what can be told of whether a rule's words match it.

Matching has three values: True, False, and None where it can't be told. One packet may stand for many: its addresses
are prefixes, and a protocol, port, device or mark of None is any.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

import msgspec

PROTOCOLS = {
    "icmp": 1,
    "igmp": 2,
    "ipencap": 4,
    "ipv4": 4,
    "tcp": 6,
    "udp": 17,
    "dccp": 33,
    "ipv6": 41,
    "gre": 47,
    "esp": 50,
    "ah": 51,
    "ipv6-icmp": 58,
    "icmpv6": 58,
    "ospf": 89,
    "ospfigp": 89,
    "ipip": 94,
    "vrrp": 112,
    "sctp": 132,
    "udplite": 136,
}
"""Names of `/etc/protocols`; `ipip` is not the protocol of an IPIP tunnel there, that is `ipencap` (4)."""

TCP, UDP, IPENCAP = 6, 17, 4
WITH_PORTS = frozenset({TCP, UDP, 33, 132, 136})
ALL_BITS = 0xFFFFFFFF
_STATES = frozenset({"new", "established", "related", "invalid", "untracked", "snat", "dnat"})

Range = tuple[int, int, int]
"""Family (4 or 6), first and last address."""


class Packet(msgspec.Struct, frozen=True, kw_only=True):
    """The first packet of a connection, or with `state` `established` a later one; rules that come before connection
    tracking see each as `invalid`, and "" is where it can't be told which it is.

    `source` and `destination` are addresses or prefixes, None for any. A device of "" is none: a packet has no output
    device before it is routed. `port` is the destination's. `mark` is what the packet carries when it gets here.
    `from_here`, `to_here` say whether the addresses are the node's own.
    """

    family: int
    protocol: int | None = None
    source: str | None = None
    destination: str | None = None
    in_device: str | None = None
    out_device: str | None = None
    source_port: int | None = None
    port: int | None = None
    state: str = "new"
    mark: int | None = 0
    from_here: bool | None = None
    to_here: bool | None = None


class Changes(msgspec.Struct, frozen=True):
    """What rules may have done to a packet so far.

    Of `mark` only the bits in `known` can be told, the others are 0. `tracked` is None when a rule may have kept it out
    of connection tracking, `rewritten` when its addresses may not be the ones it came with.
    """

    mark: int
    known: int
    tracked: bool | None = True
    rewritten: bool = False

    def marked(self, value: int, mask: int) -> Changes:
        """With the bits of `mask` replaced by those of `value`."""
        mark = (self.mark & ~mask | value & mask) & ALL_BITS
        return msgspec.structs.replace(self, mark=mark, known=(self.known | mask) & ALL_BITS)

    def marked_anyhow(self, mask: int = ALL_BITS) -> Changes:
        """With a mark that can't be told in the bits of `mask`."""
        return msgspec.structs.replace(self, mark=self.mark & ~mask, known=self.known & ~mask)

    def untracked(self, packet: Packet) -> Changes:
        """Kept out of connection tracking, which is too late where that has seen it."""
        if packet.state not in ("invalid", ""):
            return self
        return msgspec.structs.replace(self, tracked=None if not packet.state else False)

    def flipped(self, value: int) -> Changes:
        """With the bits of `value` turned round."""
        return msgspec.structs.replace(self, mark=(self.mark ^ value) & self.known)

    def joined(self, other: Changes) -> Changes:
        """What can be told when it is either of the two."""
        if self == other:
            return self
        known = self.known & other.known & ~(self.mark ^ other.mark)
        return Changes(
            mark=self.mark & known,
            known=known,
            tracked=self.tracked if self.tracked == other.tracked else None,
            rewritten=self.rewritten or other.rewritten,
        )

    def has_mark(self, value: int, mask: int = ALL_BITS) -> bool | None:
        """Whether the bits of `mask` are those of `value`."""
        if (self.mark ^ value) & mask & self.known or value & ~mask:
            return False
        return True if mask & ALL_BITS & ~self.known == 0 else None


def untouched(packet: Packet) -> Changes:
    """No rule has seen the packet yet."""
    return Changes(0, 0) if packet.mark is None else Changes(packet.mark, ALL_BITS)


def touched() -> Changes:
    """Anything may have been done."""
    return Changes(0, 0, tracked=None, rewritten=True)


def negated(truth: bool | None, inverted: bool = True) -> bool | None:
    """The opposite, if `inverted`."""
    return truth if truth is None or not inverted else not truth


def both(one: bool | None, other: bool | None) -> bool | None:
    """And."""
    if one is False or other is False:
        return False
    return True if one and other else None


def any_of(truths: Iterable[bool | None]) -> bool | None:
    """Or."""
    told: bool | None = False
    for truth in truths:
        if truth:
            return True
        if truth is None:
            told = None
    return told


def address_in(held: str | None, wanted: str) -> bool | None:
    """Whether every address of the prefix `held` is one of `wanted` (prefix, or `first-last`): None if some are."""
    theirs = addresses(wanted)
    ours = addresses(held) if held is not None else None
    if theirs is None or ours is None:
        return None
    if ours[0] != theirs[0] or ours[2] < theirs[1] or theirs[2] < ours[1]:
        return False
    return True if theirs[1] <= ours[1] and ours[2] <= theirs[2] else None


@lru_cache(maxsize=4096)
def addresses(text: str) -> Range | None:
    """The addresses of a prefix, of one address or of `first-last`; None if it is none of them."""
    first, dash, last = text.partition("-")
    try:
        if dash:
            low, high = ipaddress.ip_address(first), ipaddress.ip_address(last)
            return (low.version, int(low), int(high)) if low.version == high.version else None
        whole = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
    return whole.version, int(whole.network_address), int(whole.broadcast_address)


def number_in(held: int | None, wanted: str, names: dict[str, int], dash: str = "-") -> bool | None:
    """Whether a number is one of `wanted`: a number, a name of `names`, or a range `first-last`."""
    if wanted in names:
        return None if held is None else held == names[wanted]
    first, between, last = wanted.partition(dash)
    low, high = as_number(first), as_number(last) if between else None
    if low is None or (between and high is None):
        return None
    if held is None:
        return None
    return low <= held <= (low if high is None else high)


def as_number(text: str) -> int | None:
    """A number as rules spell it, decimal or `0x` hexadecimal."""
    try:
        return int(text, 16) if text.startswith("0x") else int(text) if text.isdecimal() and len(text) < 20 else None
    except ValueError:
        return None


def device_is(held: str | None, wanted: str, wildcard: str) -> bool | None:
    """Whether a device has the name `wanted`, which ends in `wildcard` where it is the beginning of a name."""
    if held is None:
        return None
    if wanted.endswith(wildcard):
        return held.startswith(wanted[: -len(wildcard)])
    return held == wanted


def state_in(packet: Packet, changes: Changes, wanted: Iterable[str]) -> bool | None:
    """Whether the connection's state is one of `wanted`, in lower case; `snat` and `dnat` are conntrack's too."""
    if changes.tracked is None or not packet.state:
        return None
    told: bool | None = False
    for state in wanted:
        if state == ("untracked" if changes.tracked is False else packet.state):
            return True
        if state not in _STATES or (state in ("dnat", "snat") and (changes.rewritten or packet.state != "new")):
            told = None
    return told


def type_is(packet: Packet, changes: Changes, wanted: str, *, of_source: bool) -> bool | None:
    """Whether an address is of a kind that the routing tables know: `local` for the node's own, `unicast` ..."""
    is_local = packet.from_here if of_source else packet.to_here
    if is_local is None or changes.rewritten:
        return None
    return wanted.lower() == ("local" if is_local else "unicast")
