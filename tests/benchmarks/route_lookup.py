"""`python -m tests.benchmarks.route_lookup`: what a route lookup costs from 100 to 100,000 routes, beside a scan.

Tables as Calico makes them: a block route of each node, pod routes, and a few longer and shorter prefixes. The scan
compares integers only, so it is the cheapest there can be. Nothing is asserted: the numbers are printed side by side.
"""

from __future__ import annotations

import ipaddress
import random
import time
from collections.abc import Callable

from calitui.facts.node import NetworkNamespace, Route
from calitui.trace.fib import Fib

SIZES = (100, 1_000, 10_000, 100_000)
_LENGTHS = {4: (16, 20, 24, 26, 26, 26, 28, 32, 32, 32), 6: (32, 48, 64, 64, 122, 122, 122, 128, 128, 128)}
_BASES = {4: int(ipaddress.IPv4Address("10.0.0.0")), 6: int(ipaddress.IPv6Address("fd00::"))}
_FREE = {4: 24, 6: 112}


def main() -> None:
    """Print one block for each family."""
    for family in (4, 6):
        print(f"IPv{family}: cost of one lookup and of building, and how much more than with {SIZES[0]} routes")
        print("   routes    lookup        scan          scan/lookup     build   a route")
        first: tuple[float, float] | None = None
        for size in SIZES:
            lookup, scan, build = _measure(family, size)
            first = first or (lookup, scan)
            print(
                f"{size:9,} {lookup * 1e6:7.1f} us {lookup / first[0]:4.1f}x "
                f"{scan * 1e6:9.1f} us {scan / first[1]:6.1f}x {scan / lookup:8.1f} "
                f"{build * 1e3:10.1f} ms {build / size * 1e6:5.2f} us"
            )


def _measure(family: int, size: int) -> tuple[float, float, float]:
    """Seconds for one lookup, for one scan, and for building."""
    chance = random.Random(f"{family} {size}")  # noqa: S311
    width = 32 if family == 4 else 128
    seen: dict[tuple[int, int], Route] = {}
    while len(seen) < size - 1:
        length = chance.choice(_LENGTHS[family])
        value = _BASES[family] | chance.getrandbits(_FREE[family])
        network = value >> (width - length) << (width - length)
        seen[network, length] = Route(f"{_shown(network, family)}/{length}", gateway="192.0.2.1", device="eth0")
    routes = [*seen.values(), Route("0.0.0.0/0" if family == 4 else "::/0", device="eth0")]
    namespace = NetworkNamespace(routes=tuple(routes))
    build = min(_seconds(lambda: Fib(namespace)) for _ in range(3))
    fib = Fib(namespace)
    targets = [chance.choice(list(seen))[0] for _ in range(50)]
    targets += [_BASES[family] | chance.getrandbits(_FREE[family]) for _ in range(50)]
    shown = [_shown(target, family) for target in targets]
    plain = [(network, width - length, route) for (network, length), route in seen.items()]

    def scan_all(count: int) -> None:
        for target in targets[:count]:
            best = -1
            for network, free, _ in plain:
                if target >> free << free == network and width - free > best:
                    best = width - free

    def look_up_all() -> None:
        for target in shown:
            fib.lookup(target)

    scanned = max(1, min(len(targets), 200_000 // size))
    lookup = min(_seconds(look_up_all) for _ in range(7)) / len(shown)
    return lookup, min(_seconds(lambda: scan_all(scanned)) for _ in range(3)) / scanned, build


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _shown(value: int, family: int) -> str:
    return str(ipaddress.IPv4Address(value) if family == 4 else ipaddress.IPv6Address(value))


if __name__ == "__main__":
    main()
