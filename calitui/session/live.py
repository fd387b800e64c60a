"""A session on a live cluster: the Kubernetes API for the inventory, a way in for the nodes that a trace crosses."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from calitui import __version__
from calitui.cluster.api import Api
from calitui.cluster.feed import follow
from calitui.cluster.reading import read
from calitui.diagnosis.audit import Audit
from calitui.diagnosis.diagnose import diagnose
from calitui.diagnosis.matrix import audit
from calitui.errors import Cancelled, UsageError
from calitui.facts.cluster import Cluster, Freshness, Inventory, Node, Pod
from calitui.facts.node import NodeFacts
from calitui.facts.snapshot import Snapshot
from calitui.nodes.proving.held import Prover
from calitui.nodes.reading import Reader, ReadRequest, read_all
from calitui.nodes.ssh.prompts import Prompts
from calitui.proof.analysis import prove as judged
from calitui.proof.plan import CannotProve, ProofPlan, ProofRequest
from calitui.proof.plan import plan as plan_proof
from calitui.session.options import Options
from calitui.session.progress import Progress, ProgressSink
from calitui.session.proving import Ground, carry_out
from calitui.session.recording import plan
from calitui.session.sweep import Sweep
from calitui.session.ways_in import open_provers, open_reader
from calitui.trace.ends import resolve
from calitui.trace.path import Endpoint, Trace
from calitui.trace.tracing import containers_on, detours, nodes_on_the_way, questions, trace

_MOST_KEPT = 16
"""Pairs whose facts are kept for the plan of a proof."""
_MOST_NODES = 6
"""Nodes of one trace beyond which no more are read: its ends', and third ones that packets turn out to go to."""

_PATIENCE = 20.0
"""Seconds a trace waits for Calico's objects when the list of pods is still coming."""


def open_live(options: Options, prompts: Prompts | None) -> LiveSession:
    """Connect to nothing yet, but refuse what can't work.

    Raises:
        UsageError: no such context or way in.
        ClusterError: the kubeconfig can't be used.
    """
    api = Api(options.kubeconfig, options.context, options.request_timeout)
    return LiveSession(api, lambda pods: open_reader(options, prompts, api, pods), options.namespace)


class LiveSession:
    """Implements `calitui.session.Session`."""

    recorded = False

    def __init__(
        self, api: Api, open_reader: Callable[[Callable[[], tuple[Pod, ...]]], Reader], namespace: str | None
    ) -> None:
        """`open_reader` is given how to look pods up; `namespace` is where bare pod names are looked for, if not in the
        context's.
        """
        self._api = api
        self._newest: Inventory | None = None
        self._reader = open_reader(lambda: self._newest.cluster.pods if self._newest else ())
        self._namespace = namespace
        self._changed = threading.Condition()
        self._rests_on: dict[tuple[Endpoint, Endpoint], tuple[NodeFacts, ...]] = {}
        self._provers: dict[str, Prover] = {}

    @property
    def origin(self) -> str:
        """The kubeconfig context."""
        return self._api.context

    def follow(self, stop: threading.Event) -> Iterator[Inventory]:
        """The inventory as it grows and changes; see `calitui.cluster.feed.follow`."""
        for inventory in follow(self._api, stop):
            with self._changed:
                self._newest = inventory
                self._changed.notify_all()
            yield inventory

    def cluster(self) -> Cluster:
        """The newest that was followed, or read now."""
        newest = self._newest
        if newest is None:
            newest = Inventory(read(self._api), Freshness.LIVE)
            self._newest = newest
        return newest.cluster

    def trace(
        self,
        source: str,
        destination: str,
        progress: ProgressSink,
        stop: threading.Event,
        family: int | None = None,
    ) -> Trace:
        """Read the nodes of both ends at once, then compute."""
        if self._newest is None:
            progress(Progress("reading pods, nodes and Calico's objects"))
        cluster = self.cluster()
        ends = (resolve(cluster, source, self._namespace), resolve(cluster, destination, self._namespace))
        found, cluster, facts = self._read(ends, family, progress, stop)
        return diagnose(found, cluster, facts)

    def proof_plan(
        self, of: Trace, request: ProofRequest, progress: ProgressSink, stop: threading.Event
    ) -> ProofPlan | CannotProve:
        """From the facts that the trace was computed from, or from newer ones if they are not known any more."""
        facts = self._rests_on.get((of.source, of.destination))
        if facts is None:
            facts = tuple(self._read((of.source, of.destination), of.family, progress, stop)[2])
        return self._plan(of, facts, self.cluster(), request)

    def prove(self, of: Trace, request: ProofRequest, progress: ProgressSink, stop: threading.Event) -> Trace:
        """Read the nodes anew, so that packets are compared with what the routes say at that moment."""
        ends = (of.source, of.destination)
        now, cluster, facts = self._read(ends, of.family, progress, stop)
        now = diagnose(now, cluster, facts)
        planned = self._plan(now, facts, cluster, request)
        if isinstance(planned, CannotProve):
            raise UsageError("; ".join(planned.reasons))

        def again() -> Sequence[NodeFacts]:
            return self._read_nodes([one.name for one in facts], ends, progress, stop)

        self._provers = self._provers or open_provers(self._reader)
        ground = Ground(now, cluster, tuple(facts), self._provers, again)
        return judged(now, carry_out(planned, ground, progress, stop), cluster)

    def audit(
        self, progress: ProgressSink, stop: threading.Event, partial: Callable[[Audit], None] | None = None
    ) -> Audit:
        """Read every node once, many at a time, without looking into containers."""
        progress(Progress("reading pods, nodes and Calico's objects"))
        self.cluster()
        self._wait_for_objects(progress, stop)
        cluster = self.cluster()
        sweep = Sweep(cluster, partial)
        requests = [ReadRequest(node) for node in cluster.nodes]
        read = sweep.taking(self._reader.read, lambda what: progress(Progress(what)))
        facts = read_all(read, requests, lambda node, what: progress(Progress(what, node)), stop)
        return audit(self.cluster(), facts)

    def record(
        self,
        progress: ProgressSink,
        stop: threading.Event,
        nodes: tuple[str, ...] = (),
        proofs: Sequence[tuple[str, str]] = (),
    ) -> Snapshot:
        """Read everything anew, so that the recording is of one moment; the proofs come after that."""
        progress(Progress("reading pods, nodes and Calico's objects"))
        cluster = read(self._api)
        known = {node.name for node in cluster.nodes}
        unknown = next((name for name in nodes if name not in known), None)
        if unknown is not None:
            raise UsageError(f"No node {unknown}", f"The cluster has {', '.join(sorted(known)[:8])}")
        chosen = tuple(node for node in cluster.nodes if not nodes or node.name in nodes)
        self._newest = self._newest or Inventory(cluster, Freshness.LIVE)
        requests = plan(cluster, chosen)
        facts = read_all(self._reader.read, requests, lambda node, what: progress(Progress(what, node)), stop)
        taken_at = time.time()
        proved = (self.prove(self.trace(*pair, progress, stop), ProofRequest(), progress, stop) for pair in proofs)
        kept = tuple(one.proof for one in proved if one.proof is not None)
        return Snapshot(cluster, tuple(facts), taken_at, f"calitui {__version__}", proofs=kept)

    def close(self) -> None:
        """Close the nodes' connections."""
        self._reader.close()

    def _read(
        self, ends: tuple[Endpoint, Endpoint], family: int | None, progress: ProgressSink, stop: threading.Event
    ) -> tuple[Trace, Cluster, list[NodeFacts]]:
        """The path between two ends from its nodes read now, with what it was computed from."""
        facts: list[NodeFacts] = []
        more = nodes_on_the_way(*ends)
        while True:
            facts += self._read_nodes(more, ends, progress, stop)
            self._wait_for_objects(progress, stop)
            cluster = self.cluster()
            found = trace(cluster, facts, *ends, family)
            read = {one.name for one in facts}
            more = tuple(name for name in detours(found) if name not in read)
            if not more or len(read) > _MOST_NODES:
                break
        while len(self._rests_on) >= _MOST_KEPT:
            self._rests_on.pop(next(iter(self._rests_on)), None)
        self._rests_on[found.source, found.destination] = tuple(facts)
        return found, cluster, facts

    def _read_nodes(
        self, names: Sequence[str], ends: tuple[Endpoint, Endpoint], progress: ProgressSink, stop: threading.Event
    ) -> list[NodeFacts]:
        cluster = self.cluster()
        requests = [ReadRequest(_node(cluster, name), questions(*ends), containers_on(name, *ends)) for name in names]
        return read_all(self._reader.read, requests, lambda node, what: progress(Progress(what, node)), stop)

    def _plan(
        self, of: Trace, facts: Sequence[NodeFacts], cluster: Cluster, request: ProofRequest
    ) -> ProofPlan | CannotProve:
        by_exec = any(one.name == of.source.node and one.via == "exec" for one in facts)
        return plan_proof(of, facts, cluster, request, secrets.token_bytes(16), exec_in_pods=by_exec)

    def _wait_for_objects(self, progress: ProgressSink, stop: threading.Event) -> None:
        """Let Calico's objects come, for `_PATIENCE` at most, where the list of pods is still loading."""
        deadline = time.monotonic() + _PATIENCE
        if self._is_loading():
            progress(Progress("waiting for Calico's objects"))
        with self._changed:
            while self._is_loading() and time.monotonic() < deadline:
                if stop.is_set():
                    raise Cancelled
                self._changed.wait(0.25)

    def _is_loading(self) -> bool:
        return self._newest is not None and self._newest.freshness is Freshness.LOADING


def _node(cluster: Cluster, name: str) -> Node:
    """The node as the API knows it; without the right to list nodes only its name is known."""
    return next((node for node in cluster.nodes if node.name == name), Node(name))
