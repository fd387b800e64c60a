"""What is being done right now, told to whoever waits."""

from __future__ import annotations

from collections.abc import Callable

import msgspec


class Progress(msgspec.Struct, frozen=True):
    """What is being done right now, for a person: `node` is None for something of the cluster."""

    what: str
    node: str | None = None


ProgressSink = Callable[[Progress], None]
