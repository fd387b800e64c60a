"""What could not be read, and why: as much a fact as what could."""

from __future__ import annotations

import msgspec


class Missing(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that was asked for and not read.

    `node` is the node's name, or None for something of the cluster. `what` names the thing in the field's words
    ("routes", "IPPools", "container 192.168.97.1"). `reason` is one sentence for a person.
    """

    what: str
    reason: str
    node: str | None = None
