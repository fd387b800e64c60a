"""Which size to try next, until the largest packet that passes is known. A pure function of what was tried.

First what was computed: the size that is to pass, and the next larger one. If that is wrong, sizes that common links
let through come before any other, so that a few packets do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import msgspec

from calitui.facts.proof import SizeProbe
from calitui.trace.mtu import PathMtu

MOST_SIZES = 8
_FLOORS = {4: 576, 6: 1280}
_HEADERS = {4: 28, 6: 48}
_LINKS = (
    *(9001, 9000, 8951, 8950, 8500, 1500, 1492, 1480, 1476, 1472, 1460, 1450, 1440),
    *(1430, 1420, 1410, 1400, 1380, 1376, 1360, 1350, 1320, 1300, 1280, 1200, 1000),
)
"""MTUs of links that are to be met: Ethernet, jumbo frames, DSL, the tunnels and clouds in between."""
_SAID = re.compile(r"mtu\s*[= ]\s*(\d{2,5})", re.IGNORECASE)


class SizeQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be found out: sizes are bytes of the inner IP packet.

    `carries` is the computed largest that passes, None if it could not be computed; `sends` the largest that the source
    makes; `overhead` what outer headers take on the way. `header` is what IP and ICMP headers take of a size: what is
    left is the payload to ask ping for. `most` is how many packets may be sent.
    """

    sends: int
    carries: int | None = None
    overhead: int = 0
    floor: int = _FLOORS[4]
    header: int = _HEADERS[4]
    most: int = MOST_SIZES


def question(path: PathMtu) -> SizeQuestion | None:
    """The question about a path, None if the source's own limit is not known."""
    floor = _FLOORS[path.family]
    if path.sends is None or path.sends < floor:
        return None
    expected = path.carries if path.carries is not None else path.at_most
    return SizeQuestion(
        sends=path.sends,
        carries=None if expected is None else min(max(expected, floor), path.sends),
        overhead=path.overhead,
        floor=floor,
        header=_HEADERS[path.family],
    )


def next_size(asked: SizeQuestion, results: Sequence[SizeProbe]) -> int | None:
    """The size to send next, None when nothing more is to be learned, or may be sent."""
    if len(results) >= asked.most:
        return None
    first = asked.carries if asked.carries is not None else asked.sends
    tried = {one.size for one in results}
    if first not in tried:
        return first
    low, high = bounds(results)
    above = asked.sends + 1 if high is None else high
    if low is None and asked.floor not in tried and len(results) >= 2:
        return asked.floor
    if low is None and asked.floor in tried:
        return None
    below = asked.floor - 1 if low is None else low
    if above - below <= 1:
        return None
    if low == first and high is None:
        return low + 1 if low + 1 == asked.sends or asked.sends not in tried else asked.sends
    for hint in _hints(results):
        for size in (hint, hint + 1):
            if below < size < above:
                return size
    common = sorted({mtu - asked.overhead for mtu in _LINKS if below < mtu - asked.overhead < above})
    if low is not None and low != first and low + asked.overhead in _LINKS and low + 1 not in tried:
        return low + 1
    return common[len(common) // 2] if common else (below + above) // 2


def bounds(results: Iterable[SizeProbe]) -> tuple[int | None, int | None]:
    """The largest size that passed, and the smallest larger one that did not."""
    kept = tuple(results)
    low = max((one.size for one in kept if one.passed), default=None)
    high = min((one.size for one in kept if not one.passed and (low is None or one.size > low)), default=None)
    return low, high


def _hints(results: Iterable[SizeProbe]) -> list[int]:
    """The MTUs that answers named."""
    return [int(found[1]) for one in results if not one.passed and (found := _SAID.search(one.said))]
