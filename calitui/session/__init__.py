"""One conversation with one cluster, live or recorded: what both front ends see of the rest of the program.

A front end opens a `Session`, follows its inventory, asks for traces and closes it. It never meets a Kubernetes client,
an SSH connection or a route table. Every call here blocks: front ends run them in threads.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Protocol

import msgspec

from calitui.facts.cluster import Cluster, Inventory
from calitui.facts.snapshot import Snapshot
from calitui.trace.path import Trace


class Progress(msgspec.Struct, frozen=True):
    """What is being done right now, for a person: `node` is None for something of the cluster."""

    what: str
    node: str | None = None


ProgressSink = Callable[[Progress], None]


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

    def trace(self, source: str, destination: str, progress: ProgressSink, stop: threading.Event) -> Trace:
        """Read the nodes that matter and compute both directions; `namespace/pod`, a pod name or an address each.

        Raises:
            UsageError: no such pod, or one without an address.
            Cancelled: `stop` was set.
        """

    def record(self, progress: ProgressSink, stop: threading.Event, nodes: tuple[str, ...] = ()) -> Snapshot:
        """Read the cluster and every node (or those named) into a snapshot."""

    def close(self) -> None:
        """Let connections go. Safe to call twice."""
