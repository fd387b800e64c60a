"""A session on a snapshot: everything comes from the file, nothing is read again."""

from __future__ import annotations

import difflib
import threading
from collections.abc import Callable, Iterator, Sequence
from importlib import resources
from pathlib import Path

import msgspec

from calitui.diagnosis.audit import Audit
from calitui.diagnosis.diagnose import diagnose
from calitui.diagnosis.matrix import audit
from calitui.errors import SnapshotError, UsageError
from calitui.facts.cluster import Cluster, Freshness, Inventory
from calitui.facts.proof import Probe
from calitui.facts.snapshot import Snapshot, decode
from calitui.nodes.files import is_archive
from calitui.proof.analysis import prove
from calitui.proof.plan import CannotProve, ProofPlan, ProofRequest, plan
from calitui.session.progress import Progress, ProgressSink
from calitui.session.telling import Pair, telling_pair
from calitui.trace.ends import resolve
from calitui.trace.path import Trace
from calitui.trace.tracing import trace

DEMO = "demo:"


class RecordedSession:
    """Implements `calitui.session.Session`; `origin` is the file's name or `demo:NAME`."""

    recorded = True

    def __init__(self, snapshot: Snapshot, origin: str, namespace: str | None = None) -> None:
        """`namespace` is where bare pod names are looked for, if not in the recorded context's."""
        self.origin = origin
        self._snapshot = snapshot
        self._namespace = namespace

    def follow(self, stop: threading.Event) -> Iterator[Inventory]:
        """Once: a recording does not change."""
        if not stop.is_set():
            yield Inventory(self._snapshot.cluster, Freshness.RECORDED)

    def cluster(self) -> Cluster:
        """As it was recorded."""
        return self._snapshot.cluster

    def trace(
        self,
        source: str,
        destination: str,
        progress: ProgressSink,
        stop: threading.Event,
        family: int | None = None,
    ) -> Trace:
        """The path as it was when the recording was made."""
        progress(Progress(f"from {self.origin}"))
        cluster = self._snapshot.cluster
        ends = (resolve(cluster, source, self._namespace), resolve(cluster, destination, self._namespace))
        return diagnose(trace(cluster, self._snapshot.nodes, *ends, family), cluster, self._snapshot.nodes)

    def audit(
        self, progress: ProgressSink, stop: threading.Event, partial: Callable[[Audit], None] | None = None
    ) -> Audit:
        """The cluster as it was when the recording was made."""
        progress(Progress(f"from {self.origin}"))
        return audit(self._snapshot.cluster, self._snapshot.nodes)

    def proof_plan(
        self, of: Trace, request: ProofRequest, progress: ProgressSink, stop: threading.Event
    ) -> ProofPlan | CannotProve:
        """What would have been done: nothing is run."""
        return plan(of, self._snapshot.nodes, self._snapshot.cluster, request, bytes(16))

    def prove(self, of: Trace, request: ProofRequest, progress: ProgressSink, stop: threading.Event) -> Trace:
        """The proof of this pair that was recorded."""
        of_pair = [one for one in self._snapshot.proofs if _ends(one.probe) == (of.source.ip, of.destination.ip)]
        if not of_pair:
            between = f"{of.source.label} and {of.destination.label}"
            raise UsageError(
                f"A recording can't be proved, and {self.origin} holds no proof between {between}", self._proved()
            )
        asked = (request.protocol, request.port)
        found = next((one for one in of_pair if (one.probe.protocol, one.probe.port) == asked), None)
        if found is None:
            there = ", ".join(one.probe.protocol + (f" {one.probe.port}" if one.probe.port else "") for one in of_pair)
            raise UsageError(f"A recording can't be proved, and {self.origin} holds no such proof", f"It has {there}")
        return prove(of, found, self._snapshot.cluster)

    def record(
        self,
        progress: ProgressSink,
        stop: threading.Event,
        nodes: tuple[str, ...] = (),
        proofs: Sequence[tuple[str, str]] = (),
    ) -> Snapshot:
        """The same recording again, of the nodes named only."""
        if proofs:
            raise UsageError(f"Nothing can be proved anew in {self.origin}", "Leave --prove out, or use a live cluster")
        if not nodes:
            return self._snapshot
        known = {node.name for node in self._snapshot.nodes}
        unknown = next((name for name in nodes if name not in known), None)
        if unknown is not None:
            raise UsageError(f"{self.origin} has no node {unknown}", f"It has {', '.join(sorted(known))}")
        kept = tuple(node for node in self._snapshot.nodes if node.name in nodes)
        return msgspec.structs.replace(self._snapshot, nodes=kept)

    def telling_pair(self) -> Pair | None:
        """The pair of pods to begin a walkthrough with, None where no two pods were read."""
        return telling_pair(self._snapshot)

    def close(self) -> None:
        """Nothing is held."""

    def _proved(self) -> str:
        """Which pairs the recording holds proofs of, for a hint."""
        names = {ip: f"{pod.namespace}/{pod.name}" for pod in self._snapshot.cluster.pods for ip in pod.ips}
        pairs = (tuple(names.get(ip, ip) for ip in _ends(one.probe)) for one in self._snapshot.proofs[:4])
        held = ", ".join(f"{source} to {destination}" for source, destination in pairs)
        return f"It has one of {held}" if held else "Use a live cluster"


def open_recorded(name: str, namespace: str | None = None) -> RecordedSession:
    """A session on a snapshot file, on a folder or tarball of `calicoctl cluster diags`, or on `demo:NAME`.

    Raises:
        UsageError: no demo has that name.
        SnapshotError: the file can't be read or is no snapshot.
    """
    if name.startswith(DEMO):
        return open_demo(name.removeprefix(DEMO), namespace)
    path = Path(name)
    try:
        data = b"" if path.is_dir() else path.read_bytes()
    except OSError as error:
        raise SnapshotError(f"{name} can't be read: {error.strerror or error}") from None
    if path.is_dir() or is_archive(data):
        # Reading Kubernetes objects from files takes the decoders, and those the client: half a second.
        from calitui.session.folder import read_folder

        return RecordedSession(read_folder(path), path.name, namespace)
    return RecordedSession(decode(data, name), path.name, namespace)


def demos() -> dict[str, str]:
    """Name and title of each recorded cluster that comes with calitui."""
    return {name: decode(_demo_file(name), DEMO + name).title for name in _demo_names()}


def open_demo(name: str, namespace: str | None = None) -> RecordedSession:
    """A session on one of `demos`.

    Raises:
        UsageError: there is none of that name.
    """
    names = _demo_names()
    if name not in names:
        close = difflib.get_close_matches(name, names, n=1)
        hint = f"Did you mean {close[0]}?" if close else f"There are {', '.join(names)}"
        raise UsageError(f"No demo {name!r}", hint)
    return RecordedSession(decode(_demo_file(name), DEMO + name), DEMO + name, namespace)


def _ends(probe: Probe) -> tuple[str, str]:
    return probe.source, probe.destination


def _demo_names() -> list[str]:
    files = resources.files("calitui.demo").iterdir()
    return sorted(file.name.removesuffix(".json") for file in files if file.name.endswith(".json"))


def _demo_file(name: str) -> bytes:
    return resources.files("calitui.demo").joinpath(f"{name}.json").read_bytes()
