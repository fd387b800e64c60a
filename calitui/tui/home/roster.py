"""The pods in the order they are shown, with what a keystroke in the filter needs ready beside them.

Built on the thread that follows the cluster, then never changed, so the screen can read it without a lock. Work per
change is one pass over the pods; text is made only for pods that are new or changed. This module must not know widgets.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Callable
from operator import attrgetter

from calitui.facts.cluster import Pod
from calitui.tui.home.columns import Naturals
from calitui.tui.home.filter import EVERYTHING, Filter, haystack

Key = tuple[str, str]
"""Namespace and name: what a pod is known by while it changes."""

order: Callable[[Pod], Key] = attrgetter("namespace", "name")
"""The key the list is sorted by."""


class Roster:
    """Sorted pods, their haystacks, and the widest text of each column."""

    def __init__(self, pods: tuple[Pod, ...] = (), previous: Roster | None = None) -> None:
        """`previous` lends its haystacks for pods that did not change."""
        self.pods: list[Pod] = sorted(pods, key=order)
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
    """Where `key` is in sorted `rows`, or would be; and whether it is there."""
    index = bisect_left(rows, key, key=order)
    return index, index < len(rows) and order(rows[index]) == key


class Scan:
    """One evaluation of a filter over a roster, in steps, so that nobody has to wait for its end."""

    STEP = 512
    """Pods between two looks at the clock."""

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
            self._position = place(roster.pods, (namespace, ""))[0]
            self._end = place(roster.pods, (namespace + "\0", ""))[0]
        if not wanted.tests:
            self.rows = roster.pods if namespace is None else roster.pods[self._position : self._end]
            self._position = self._end

    def step(self, seconds: float) -> bool:
        """Work for about `seconds`; True when `rows` is complete."""
        deadline = time.perf_counter() + seconds
        while self._position < self._end:
            stop = min(self._position + self.STEP, self._end)
            chunk = slice(self._position, stop)
            self.rows += self.wanted.select(self.roster.pods[chunk], self.roster.haystacks[chunk])
            self._position = stop
            if time.perf_counter() >= deadline:
                break
        return self._position >= self._end

    def finish(self) -> bool:
        """Work to the end unless cancelled meanwhile; for a thread. True when complete."""
        while not self.cancelled:
            if self.step(0.02):
                return True
        return False
