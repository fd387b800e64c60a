"""One conversation with one cluster, live or recorded: what both front ends see of the rest of the program.

A front end opens a `Session`, follows its inventory, asks for traces and closes it. It never meets a Kubernetes client,
an SSH connection or a route table. Every call here blocks: front ends run them in threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from calitui.diagnosis.audit import Audit
from calitui.facts.cluster import Cluster, Inventory
from calitui.facts.snapshot import Snapshot
from calitui.nodes.ssh.prompts import HostKeyQuestion, Prompts, SecretField, SecretQuestion
from calitui.proof.plan import CannotProve, ProofPlan, ProofRequest
from calitui.session.options import Options
from calitui.session.progress import Progress, ProgressSink
from calitui.session.recorded import demos, open_demo, open_recorded
from calitui.trace.path import Trace

__all__ = [
    "CannotProve",
    "HostKeyQuestion",
    "Options",
    "Progress",
    "ProgressSink",
    "Prompts",
    "ProofPlan",
    "ProofRequest",
    "SecretField",
    "SecretQuestion",
    "Session",
    "demos",
    "node_script",
    "open_demo",
    "open_session",
    "proof_script",
]


class Session(Protocol):
    """One cluster. Methods may be called from different threads; each may raise `calitui.errors.CalituiError`."""

    @property
    def origin(self) -> str:
        """Where facts come from, for a title: the kubeconfig context, a file's name, `demo:ipip`."""

    @property
    def recorded(self) -> bool:
        """Whether everything comes from a file."""

    def follow(self, stop: threading.Event) -> Iterator[Inventory]:
        """Yield the inventory as it grows (the first page of pods at once), then each time it changed, until `stop`.

        Changes are coalesced to at most four a second. A recorded session yields once.

        Raises:
            ClusterError: nothing could be read at all.
        """

    def cluster(self) -> Cluster:
        """The newest inventory, read now if nothing was read before."""

    def trace(
        self,
        source: str,
        destination: str,
        progress: ProgressSink,
        stop: threading.Event,
        family: int | None = None,
    ) -> Trace:
        """Read the nodes that matter and compute both directions; `namespace/pod`, a pod name or an address each.

        `family` is 4 or 6, unset the one of the source's first address; where both ends have both, the other one is
        in the trace too. Its findings are the causes that the facts show.

        Raises:
            UsageError: no such pod, or one without an address.
            Cancelled: `stop` was set.
        """

    def audit(
        self, progress: ProgressSink, stop: threading.Event, partial: Callable[[Audit], None] | None = None
    ) -> Audit:
        """Read every node once and judge the whole cluster; `partial` is given what the nodes read so far tell.

        Raises:
            Cancelled: `stop` was set.
        """

    def proof_plan(
        self, of: Trace, request: ProofRequest, progress: ProgressSink, stop: threading.Event
    ) -> ProofPlan | CannotProve:
        """What `prove` would run, and where, for a person to agree to; or why it can't. Nothing is run.

        A live session that does not know any more what the trace was computed from reads the nodes again. For a
        recorded session it is what would have been done.

        Raises:
            Cancelled: `stop` was set.
        """

    def prove(self, of: Trace, request: ProofRequest, progress: ProgressSink, stop: threading.Event) -> Trace:
        """Send the packets of `proof_plan`, watch them on their way, and say at each hop what was seen.

        The trace that comes back is of that moment: the nodes are read again before. Whatever fails on the way is part
        of its `proof`. Nothing runs on any node afterwards, whatever is raised. A recorded session returns the proof
        that was recorded.

        Raises:
            UsageError: it can't be done, as `proof_plan` says, or the recording holds no such proof.
            Cancelled: `stop` was set.
        """

    def record(
        self,
        progress: ProgressSink,
        stop: threading.Event,
        nodes: tuple[str, ...] = (),
        proofs: Sequence[tuple[str, str]] = (),
    ) -> Snapshot:
        """Read the cluster and every node (or those named) into a snapshot.

        `proofs` are pairs of ends to prove by ICMP and keep the proofs of, source first.

        Raises:
            UsageError: no such node or end, or a pair can't be proved.
            Cancelled: `stop` was set.
        """

    def close(self) -> None:
        """Let connections go. Safe to call twice."""


def open_session(options: Options, prompts: Prompts | None = None) -> Session:
    """A session as `options` say; `prompts` answers what a connection asks, None refuses it.

    Raises:
        UsageError: no such context, demo or way in.
        ClusterError: the kubeconfig can't be used.
        SnapshotError: the file can't be read.
    """
    if options.from_ is not None:
        return open_recorded(options.from_, options.namespace)
    from calitui.session.live import open_live

    return open_live(options, prompts)


def node_script() -> str:
    """The one script that runs on nodes, for a person to read before she lets it."""
    from calitui.nodes.script import SCRIPT

    return SCRIPT


def proof_script() -> str:
    """The one script that a live proof runs on nodes, for a person to read before she lets it."""
    from calitui.nodes.proving.script import SCRIPT

    return SCRIPT
