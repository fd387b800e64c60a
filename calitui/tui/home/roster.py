"""The pods in the order they are shown, with what a keystroke in the filter needs ready beside them.

Built on the thread that follows the cluster, then never changed, so the screen can read it without a lock. Work per
change is one pass over the pods; text is made only for pods that are new or changed. This module must not know widgets.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Sequence
from heapq import merge
from itertools import pairwise

from calitui.facts.cluster import Pod
from calitui.tui.home.columns import Naturals
from calitui.tui.home.filter import EVERYTHING, Filter, haystack

Key = str
"""`namespace/name`: what a pod is known by while it changes."""

_PIECE = 4096
"""Pods sorted in one go: no other thread runs meanwhile."""


def order(pod: Pod) -> Key:
    """What the list is sorted by: the API server's own order, in which pages already come."""
    return f"{pod.namespace}/{pod.name}"


def ordered(pods: Sequence[Pod]) -> list[Pod]:
    """`pods` in their order, in steps short enough for a screen to go on beside."""
    if all(order(one) <= order(other) for one, other in pairwise(pods)):
        return list(pods)
    pieces = [sorted(pods[start : start + _PIECE], key=order) for start in range(0, len(pods), _PIECE)]
    return list(merge(*pieces, key=order))


class Roster:
    """Sorted pods, their haystacks, and the widest text of each column."""

    def __init__(self, pods: tuple[Pod, ...] = (), previous: Roster | None = None) -> None:
        """`previous` lends its haystacks for pods that did not change."""
        self.pods: list[Pod] = ordered(pods)
        known = {} if previous is None else previous.by_identity
        self.by_identity: dict[int, str] = {}
        self.haystacks: list[str] = []
        for pod in self.pods:
            text = known.get(id(pod)) or haystack(pod)
            self.by_identity[id(pod)] = text
            self.haystacks.append(text)
        self.naturals = Naturals.of(self.pods)

    def __len__(self) -> int:
        """How many pods there are."""
        return len(self.pods)


def place(rows: list[Pod], key: Key) -> tuple[int, bool]:
    """Where the pod of `order` `key` is in sorted `rows`, or would be; and whether it is there."""
    index = bisect_left(rows, key, key=order)
    return index, index < len(rows) and order(rows[index]) == key


class Scan:
    """One evaluation of a filter over a roster, in steps, so that nobody has to wait for its end."""

    SMALLEST, LARGEST = 64, 4096
    """Pods between two looks at the clock: more while they are quick, as a regex may take a thousand times longer."""

    def __init__(self, roster: Roster, wanted: Filter = EVERYTHING, namespace: str | None = None) -> None:
        """`namespace` None is all of them."""
        self.roster = roster
        self.wanted = wanted
        self.namespace = namespace
        self.rows: list[Pod] = []
        self._position = 0
        self._end = len(roster.pods)
        self.cancelled = False
        if namespace is not None:
            self._position = place(roster.pods, f"{namespace}/")[0]
            # "0" is the letter after "/": the first key beyond the namespace's own.
            self._end = place(roster.pods, f"{namespace}0")[0]
        if not wanted.tests:
            self.rows = roster.pods if namespace is None else roster.pods[self._position : self._end]
            self._position = self._end

    @property
    def complete(self) -> bool:
        """Whether every pod was looked at."""
        return self._position >= self._end

    def step(self, seconds: float) -> bool:
        """Work for about `seconds`; True when `rows` is complete."""
        now = time.perf_counter()
        deadline = now + seconds
        size = self.SMALLEST
        while self._position < self._end:
            began = now
            stop = min(self._position + size, self._end)
            chunk = slice(self._position, stop)
            self.rows += self.wanted.select(self.roster.pods[chunk], self.roster.haystacks[chunk])
            self._position = stop
            now = time.perf_counter()
            if now >= deadline:
                break
            size = min(size * 2, self.LARGEST) if now - began < 0.001 else max(size // 2, 1)
        return self.complete

    def finish(self) -> bool:
        """Work to the end unless cancelled meanwhile; for a thread. True when complete."""
        while not self.cancelled:
            if self.step(0.02):
                return True
        return False
