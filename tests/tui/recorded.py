"""A session over recorded structs: it yields and returns what it was given, and computes nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence

from calitui.diagnosis.audit import Audit
from calitui.errors import CalituiError, Cancelled, UsageError
from calitui.facts.cluster import Cluster, Freshness, Inventory
from calitui.facts.snapshot import Snapshot
from calitui.session import CannotProve, Progress, ProgressSink, ProofPlan, ProofRequest
from calitui.trace.path import Trace
from tests.tui import samples, troubled

STEPS = (
    Progress("connecting to 10.173.32.23:22", "k8s-calico2"),
    Progress("connecting to 10.173.32.26:22", "k8s-calico3"),
    Progress("reading links, routes, rules, neighbours", "k8s-calico2"),
    Progress("reading links, routes, rules, neighbours", "k8s-calico3"),
)
PATIENCE = 10.0
"""Seconds after which a test that never opens a gate ends anyway."""


class RecordedSession:
    """`answers` maps (source, destination) to a trace or an error. While `gate` is closed, a trace hangs after its
    progress; `inventories` come one after the other, each once `next_inventory` is released.
    """

    def __init__(
        self,
        inventories: tuple[Inventory, ...] = (Inventory(samples.CLUSTER, Freshness.RECORDED),),
        answers: Mapping[tuple[str, str], Trace | CalituiError] | None = None,
        error: CalituiError | None = None,
        recorded: bool = True,
        origin: str = "demo:ipip",
        audit: Audit | CalituiError = troubled.AUDIT,
        partials: tuple[Audit, ...] = (),
    ) -> None:
        """`error` ends `follow` after the inventories. An audit hangs at the gate too, after its `partials`."""
        self._origin = origin
        self._recorded = recorded
        self.inventories = inventories
        self.error = error
        self.audited = audit
        self.partials = partials
        self.audits = 0
        self.answers = dict(answers or {(samples.SOURCE, samples.DESTINATION): samples.DELIVERED})
        self.gate = threading.Event()
        self.gate.set()
        self.next_inventory = threading.Semaphore(1)
        self.asked: list[tuple[str, str]] = []
        self.stops: list[threading.Event] = []
        self.closed = False

    @property
    def origin(self) -> str:
        return self._origin

    @property
    def recorded(self) -> bool:
        return self._recorded

    def follow(self, stop: threading.Event) -> Iterator[Inventory]:
        for inventory in self.inventories:
            self.next_inventory.acquire(timeout=PATIENCE)
            if stop.is_set():
                return
            yield inventory
        if self.error is not None:
            raise self.error

    def cluster(self) -> Cluster:
        return self.inventories[-1].cluster

    def trace(
        self, source: str, destination: str, progress: ProgressSink, stop: threading.Event, family: int | None = None
    ) -> Trace:
        self.asked.append((source, destination))
        self.stops.append(stop)
        for step in STEPS:
            progress(step)
        self._hang(stop)
        answer = self.answers.get((source, destination))
        if answer is None:
            raise UsageError(f"No pod {destination}", "Is it in another namespace?")
        if isinstance(answer, CalituiError):
            raise answer
        return answer

    def audit(
        self, progress: ProgressSink, stop: threading.Event, partial: Callable[[Audit], None] | None = None
    ) -> Audit:
        self.audits += 1
        self.stops.append(stop)
        for step in STEPS:
            progress(step)
        for one in self.partials:
            if partial is not None:
                partial(one)
        self._hang(stop)
        if isinstance(self.audited, CalituiError):
            raise self.audited
        return self.audited

    def _hang(self, stop: threading.Event) -> None:
        for _ in range(int(PATIENCE * 100)):
            if self.gate.wait(0.01) or stop.is_set():
                break
        if stop.is_set():
            raise Cancelled

    def proof_plan(
        self, of: Trace, request: ProofRequest, progress: ProgressSink, stop: threading.Event
    ) -> ProofPlan | CannotProve:
        return CannotProve(("nothing can be sent here",))

    def prove(self, of: Trace, request: ProofRequest, progress: ProgressSink, stop: threading.Event) -> Trace:
        raise UsageError("nothing can be sent here")

    def record(
        self,
        progress: ProgressSink,
        stop: threading.Event,
        nodes: tuple[str, ...] = (),
        proofs: Sequence[tuple[str, str]] = (),
    ) -> Snapshot:
        return Snapshot(self.cluster())

    def close(self) -> None:
        self.closed = True
