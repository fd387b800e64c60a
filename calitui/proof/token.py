"""What tells the packets of one probe from all others. Knows no capture and no plan."""

from __future__ import annotations

import msgspec

VXLAN_PORT = 4789
"""Where VXLAN is sent unless Felix' `vxlanPort` says otherwise."""


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """The marks of one probe's packets.

    `source` and `destination` are the addresses as they were sent; a translation on the way may have changed either.
    `pattern` is in the payload of echoes and datagrams, `size_pattern` in that of the size probes; each is empty where
    the sender could not set it. `identifier` is the echo identifier where it could be chosen. `port` is the
    destination's, `source_ports` the sender's where they are known. `carriers` are the addresses that the outer packets
    travel between.
    """

    protocol: str
    source: str
    destination: str
    pattern: bytes = b""
    size_pattern: bytes = b""
    identifier: int | None = None
    port: int | None = None
    source_ports: frozenset[int] = frozenset()
    carriers: frozenset[str] = frozenset()

    @property
    def ends(self) -> frozenset[str]:
        """Both addresses."""
        return frozenset({self.source, self.destination})
