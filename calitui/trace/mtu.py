"""The sizes a path lets through, station by station: the shape, so that a path can carry it.

How it is computed from a path's hops is `calitui.trace.sizes`'s.
"""

from __future__ import annotations

import msgspec

# IP header and ICMP header, in bytes, of a ping by family.
_PING = {4: 28, 6: 48}


class MtuStation(msgspec.Struct, frozen=True, kw_only=True):
    """One device, or a route with an `mtu` of its own, that a packet passes.

    `what` is `container`, `veth`, `route`, `tunnel` or `NIC`. `mtu` is in bytes, None if not read; `overhead` the bytes
    of outer headers around the packet here; `fits` the largest inner packet that passes. `limits` is False where the
    MTU does not matter to this direction: at a tunnel that unwraps. `silent` says that what is too big vanishes here;
    elsewhere the kernel answers with ICMP (fragmentation needed, packet too big) or fragments.
    """

    number: int
    node: str | None
    device: str | None
    what: str
    mtu: int | None = None
    overhead: int = 0
    fits: int | None = None
    limits: bool = True
    silent: bool = False


class Squeeze(msgspec.Struct, frozen=True, kw_only=True):
    """Packets of `smallest` to `largest` bytes that reach `station` and do not pass it as they are."""

    station: MtuStation
    smallest: int
    largest: int


class PathMtu(msgspec.Struct, frozen=True, kw_only=True):
    """The MTU along one direction, in bytes of the inner IP packet.

    `encapsulation` is the direction's. `sends` is the largest packet that the source makes (its container's MTU, else
    its veth's), None if not known. `carries` is the largest that everything after the source lets through, None unless
    all of it was read and the direction is delivered; `at_most` the same over what was read. `narrowest` is the
    position in `stations` that sets `at_most`. `overhead` is the most that outer headers take. `squeezes` are the
    stations where packets of the source do not pass as they are, in order.
    """

    family: int
    encapsulation: str
    stations: tuple[MtuStation, ...]
    overhead: int = 0
    sends: int | None = None
    carries: int | None = None
    at_most: int | None = None
    narrowest: int | None = None
    squeezes: tuple[Squeeze, ...] = ()

    @property
    def fails(self) -> int | None:
        """The smallest inner packet that does not pass as it is, None if not known."""
        return None if self.carries is None else self.carries + 1

    @property
    def ping_passes(self) -> int | None:
        """The largest payload of a ping with fragmentation forbidden (`ping -M do -s SIZE`) that passes."""
        return None if self.carries is None else max(self.carries - _PING[self.family], 0)

    @property
    def ping_fails(self) -> int | None:
        """The smallest payload of such a ping that does not."""
        return None if self.ping_passes is None else self.ping_passes + 1

    @property
    def is_too_small(self) -> bool:
        """Whether the source makes packets that do not pass as they are."""
        return bool(self.squeezes)
