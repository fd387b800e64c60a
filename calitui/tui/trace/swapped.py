"""The same facts seen from the other end.

Both directions of a trace were computed on their own from one reading, so swapping the ends only renames them. This
module must not know widgets.
"""

from __future__ import annotations

import msgspec

from calitui.trace.path import Trace


def swapped(trace: Trace) -> Trace:
    """`trace` with source and destination exchanged."""
    return msgspec.structs.replace(
        trace,
        source=trace.destination,
        destination=trace.source,
        directions=tuple(
            msgspec.structs.replace(direction, name=name)
            for direction, name in zip(reversed(trace.directions), ("forward", "return"), strict=True)
        ),
    )
