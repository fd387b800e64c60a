"""How long a keystroke in the filter holds the event loop at 100,000 pods: `python -m tests.benchmarks.filter [PODS]`.

Drives the real app. A ticker on the event loop measures its longest pause while keys are typed; the floor is one plain
substring scan over the same haystacks in one list comprehension. Also shown: what a change of the cluster costs.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import msgspec
from textual.pilot import Pilot

from calitui.diagnosis.audit import Audit
from calitui.facts.cluster import Cluster, Freshness, Inventory, Pod
from calitui.facts.snapshot import Snapshot
from calitui.session import CannotProve, ProgressSink, ProofPlan, ProofRequest
from calitui.trace.path import Trace
from calitui.tui.app import CalituiApp
from calitui.tui.home.filterline import FilterInput
from calitui.tui.home.roster import Roster
from calitui.tui.home.screen import HomeScreen

TYPED = {
    "plain text": "ns-7/web",
    "address": "10.3.1",
    "two words": "web node-12",
    "inverse": "!web",
    "regex": "^web-.*9$",
    "slow regex": ".*a.*b.*c.*9z",
    "labels": "-l app=web,tier in (a,b)",
    "fuzzy": "-f wb99",
}
TICK = 0.001


class Gates:
    """A session of one big cluster, and of its changes when they are asked for."""

    origin = "benchmark"
    recorded = False

    def __init__(self, inventories: list[Inventory]) -> None:
        """The first one comes at once."""
        self.inventories = inventories
        self.next = threading.Semaphore(1)

    def follow(self, stop: threading.Event) -> Iterator[Inventory]:
        """One inventory for each release."""
        for inventory in self.inventories:
            self.next.acquire()
            if stop.is_set():
                return
            yield inventory

    def cluster(self) -> Cluster:
        """The first."""
        return self.inventories[0].cluster

    def trace(
        self, source: str, destination: str, progress: ProgressSink, stop: threading.Event, family: int | None = None
    ) -> Trace:
        """Not measured here."""
        raise LookupError(source)

    def audit(
        self, progress: ProgressSink, stop: threading.Event, partial: Callable[[Audit], None] | None = None
    ) -> Audit:
        """Not measured here."""
        raise LookupError

    def proof_plan(
        self, of: Trace, request: ProofRequest, progress: ProgressSink, stop: threading.Event
    ) -> ProofPlan | CannotProve:
        """Not measured here."""
        raise LookupError

    def prove(self, of: Trace, request: ProofRequest, progress: ProgressSink, stop: threading.Event) -> Trace:
        """Not measured here."""
        raise LookupError

    def record(
        self,
        progress: ProgressSink,
        stop: threading.Event,
        nodes: tuple[str, ...] = (),
        proofs: Sequence[tuple[str, str]] = (),
    ) -> Snapshot:
        """Not measured here."""
        return Snapshot(self.cluster())

    def close(self) -> None:
        """Nothing is open."""


def pods(number: int) -> tuple[Pod, ...]:
    """Names, addresses and labels as a large cluster has them."""
    kinds = ("web", "api", "cache", "worker", "db")
    return tuple(
        Pod(
            f"ns-{index % 200}",
            f"{kinds[index % 5]}-{index % 977:x}d4c8f-{index:05x}",
            f"node-{index % 1000}.eu-west-1.compute.internal",
            (f"10.{index >> 16 & 255}.{index >> 8 & 255}.{index & 255}",),
            "Running",
            "Running",
            created=1.0,
            labels={"app": kinds[index % 5], "tier": "abc"[index % 3]},
        )
        for index in range(number)
    )


class Ticker:
    """The longest pause of the event loop since `reset`, and the longest in which this program itself was busy."""

    def __init__(self) -> None:
        """Nothing measured yet."""
        self.longest = self.longest_own = 0.0
        self._last, self._worked = time.perf_counter(), time.process_time()

    async def run(self) -> None:
        """Tick until cancelled."""
        while True:
            await asyncio.sleep(TICK)
            now, worked = time.perf_counter(), time.process_time()
            self.longest = max(self.longest, now - self._last - TICK)
            self.longest_own = max(self.longest_own, min(now - self._last, worked - self._worked))
            self._last, self._worked = now, worked

    def reset(self) -> None:
        """Start over."""
        self.longest = self.longest_own = 0.0
        self._last, self._worked = time.perf_counter(), time.process_time()


async def settled(home: HomeScreen, pilot: Pilot[int]) -> None:
    """Until the newest scan is complete and shown."""
    while not home.scan.complete or home.pods.rows is not home.scan.rows:
        await asyncio.sleep(0.002)
    await asyncio.sleep(0.02)


async def measure(number: int) -> None:
    """Print the table."""
    everything = pods(number)
    cluster = Cluster(context="benchmark", pods=everything)
    changed = msgspec.structs.replace(cluster, pods=everything[: number // 2] + everything[number // 2 + 1 :])
    started = time.perf_counter()
    roster = Roster(everything)
    built = time.perf_counter() - started
    started = time.perf_counter()
    Roster(changed.pods, roster)
    rebuilt = time.perf_counter() - started
    floor = min(scan_once(roster.haystacks) for _ in range(5))
    print(f"{number:,} pods; floor: one substring scan {floor * 1000:.1f} ms")
    print(f"on the following thread: first haystacks {built * 1000:.0f} ms, after a change {rebuilt * 1000:.0f} ms")
    del roster

    session = Gates([Inventory(cluster, Freshness.LIVE), Inventory(changed, Freshness.LIVE)])
    app = CalituiApp(session)
    gc.freeze()  # as calitui.tui.run does
    async with app.run_test(size=(120, 36)) as pilot:
        home = app.screen
        assert isinstance(home, HomeScreen)
        ticker = Ticker()
        ticking = asyncio.create_task(ticker.run())
        while not home.pods.rows:
            await asyncio.sleep(0.01)
        shown = ticker.longest
        ticker.reset()
        await asyncio.sleep(2)
        print(f"{'doing nothing for 2 s':<24}longest block {ticker.longest * 1000:6.1f} ms (other programs)")
        print(f"{'first list on screen':<24}longest block {shown * 1000:6.1f} ms")
        heads = ("longest block", "of it our own CPU", "answered after", "x floor", "matches")
        print(f"{'typed':<24}" + "".join(f"{head:>19}" for head in heads))
        for name, text in TYPED.items():
            await pilot.press("slash")
            await asyncio.sleep(0.05)
            longest = own = slowest = 0.0
            for letter in text:
                ticker.reset()
                began = time.perf_counter()
                home.query_one(FilterInput).insert_text_at_cursor(letter)
                await asyncio.sleep(0)
                while home.filter_text[-1:] != letter:
                    await asyncio.sleep(0)
                await settled(home, pilot)
                slowest = max(slowest, time.perf_counter() - began - 0.02)
                longest, own = max(longest, ticker.longest), max(own, ticker.longest_own)
            print(
                f"{name:<24}{longest * 1000:16.1f} ms{own * 1000:16.1f} ms{slowest * 1000:16.1f} ms"
                f"{slowest / floor:19.1f}{len(home.pods.rows):>19,}"
            )
            await pilot.press("escape")
            await settled(home, pilot)
        ticker.reset()
        session.next.release()
        while len(home.roster) == number:
            await asyncio.sleep(0.002)
        await settled(home, pilot)
        print(f"{'a pod goes away':<24}longest block {ticker.longest * 1000:6.1f} ms")
        ticking.cancel()
        session.next.release()


def scan_once(haystacks: list[str]) -> float:
    """Seconds of the floor."""
    started = time.perf_counter()
    found = [text for text in haystacks if "ns-7/web" in text]
    return time.perf_counter() - started + 0.0 * len(found)


if __name__ == "__main__":
    asyncio.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000))
