"""An audit under way: what the nodes read so far tell, computed no more often than it is worth."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from calitui.diagnosis.audit import Audit
from calitui.diagnosis.matrix import audit
from calitui.facts.cluster import Cluster, Node
from calitui.facts.node import NodeFacts, Question
from calitui.nodes.reading import Read

_SHARE = 4
"""Judging what is there may take one part in so many of the time that passes."""


class Sweep:
    """Collects nodes as they come and hands an `Audit` of them on."""

    def __init__(self, cluster: Cluster, partial: Callable[[Audit], None] | None) -> None:
        """`partial` is called from the threads that read, one at a time; None wants no partial audits."""
        self._cluster = cluster
        self._partial = partial
        self._facts: list[NodeFacts] = []
        self._lock = threading.Lock()
        self._judging = threading.Lock()
        self._not_before = 0.0

    def taking(self, read: Read, told: Callable[[str], None]) -> Read:
        """`read`, with every node that it brings taken in; `told` gets a line of how far it is."""

        def one(
            node: Node,
            questions: Sequence[Question],
            containers: Sequence[str],
            progress: Callable[[str], None],
            stop: threading.Event,
        ) -> NodeFacts:
            facts = read(node, questions, containers, progress, stop)
            with self._lock:
                self._facts.append(facts)
                done = len(self._facts)
            told(f"read {done} of {len(self._cluster.nodes)} nodes")
            if not stop.is_set():
                self._judge()
            return facts

        return one

    def _judge(self) -> None:
        if self._partial is None or not self._judging.acquire(blocking=False):
            return
        try:
            started = time.monotonic()
            if started < self._not_before:
                return
            with self._lock:
                facts = tuple(self._facts)
            if len(facts) == len(self._cluster.nodes):
                return
            self._partial(audit(self._cluster, facts, complete=False))
            ended = time.monotonic()
            self._not_before = ended + _SHARE * (ended - started)
        finally:
            self._judging.release()
