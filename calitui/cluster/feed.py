"""The cluster as it is now, again and again: pods and nodes by watches, Calico's objects by reading them repeatedly.

Threads fetch and decode; what they find arrives in one queue, and one generator turns it into inventories. Only that
generator touches the state, and only it decides how fresh the whole is: live when everything was read and both watches
are open, stale when one of them is cut.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Generator, Iterator
from typing import Any

import msgspec

from calitui.cluster import calico, nodes, pods
from calitui.cluster.api import Api
from calitui.cluster.following import Alive, Changed, Cut, Follower, Listed
from calitui.cluster.reading import NODES_PATH, PODS_PATH, allowed_pods_path, kubernetes_version
from calitui.cluster.refusal import ApiError
from calitui.cluster.table import Table
from calitui.facts.cluster import Cluster, Freshness, Inventory, Node, Pod
from calitui.facts.missing import Missing

BETWEEN_YIELDS = 0.25
"""Seconds: a screen over SSH is not repainted more often."""
GATHER = 0.03
"""Seconds to wait for what belongs to a change: a rollout is many events."""
POLL = 0.1
"""Seconds within which `stop` is noticed."""
CALICO_AGAIN = 60.0
"""Seconds between readings of Calico's objects, or fifty times what a reading takes if that is more."""


class _CalicoRead(msgspec.Struct):
    calico: calico.Calico


class _VersionRead(msgspec.Struct):
    version: str


class _CalicoReader(threading.Thread):
    """Reads Calico's objects now, when `again` is set, and every minute or so."""

    def __init__(self, api: Api, events: queue.SimpleQueue[Any]) -> None:
        super().__init__(name="calico", daemon=True)
        self.again = threading.Event()
        self._api = api
        self._events = events
        self._halt = threading.Event()

    def halt(self) -> None:
        """End after the reading under way."""
        self._halt.set()
        self.again.set()

    def run(self) -> None:
        """Read until halted."""
        while not self._halt.is_set():
            began = time.monotonic()
            self.again.clear()
            self._events.put(_CalicoRead(calico.read(self._api)))
            self.again.wait(max(CALICO_AGAIN, 50 * (time.monotonic() - began)))


def _pod_key(pod: Pod) -> tuple[str, ...]:
    return (pod.namespace, pod.name) if pod.name else ()


def _node_key(node: Node) -> tuple[str, ...]:
    return (node.name,) if node.name else ()


class _State:
    """What is known so far."""

    def __init__(self, api: Api) -> None:
        words = pods.Words()
        self._base = Cluster(context=api.context, server=api.server, namespace=api.namespace)
        self._calico: calico.Calico | None = None
        self._missing: dict[str, Missing] = {}
        self.seen_pods = False
        self.pods: Table[pods.RawPod, Pod] = Table(lambda raw: pods.pod(raw, words), _pod_key)
        self.nodes: Table[nodes.RawNode, Node] = Table(lambda raw: nodes.node(raw, words), _node_key)

    def take(self, event: object) -> bool:
        """Apply an event; whether anything changed."""
        match event:
            case Listed() | Changed() | Alive() | Cut():
                return self._take_objects(event)
            case Missing():
                self._missing[event.what] = event
            case _VersionRead():
                self._base = msgspec.structs.replace(self._base, kubernetes_version=event.version)
            case _CalicoRead() if self._calico is None or event.calico.reached:
                changed = event.calico != self._calico
                self._calico = event.calico
                return changed
            case _:
                return False
        return True

    def _take_objects(self, event: Listed[Any] | Changed[Any] | Alive | Cut) -> bool:
        if event.source == "pods":
            self.seen_pods |= isinstance(event, Listed)
            return self.pods.take(event)
        if isinstance(event, Cut) and not self.nodes.complete and event.error.status in (401, 403):
            known = "nodes" in self._missing
            self._missing["nodes"] = Missing("nodes", event.error.what)
            return not known
        if isinstance(event, Listed):
            self._missing.pop("nodes", None)
        return self.nodes.take(event)

    def inventory(self) -> Inventory:
        """Everything known, and how fresh it is."""
        cluster = msgspec.structs.replace(
            self._base,
            read_at=time.time(),
            pods=self.pods.facts(),
            nodes=self.nodes.facts(),
            missing=tuple(self._missing.values()),
        )
        if self._calico is not None:
            cluster = self._calico.onto(cluster)
        tables = (self.pods,) if "nodes" in self._missing else (self.pods, self.nodes)
        cuts = [table.cut for table in tables if table.cut is not None]
        if cuts:
            cut = min(cuts, key=lambda each: each.since)
            return Inventory(cluster, Freshness.STALE, cut.since, cut.error.what)
        live = self._calico is not None and all(table.complete and table.followed for table in tables)
        return Inventory(cluster, Freshness.LIVE if live else Freshness.LOADING)


def follow(api: Api, stop: threading.Event) -> Generator[Inventory, None, None]:
    """Yield the inventory as it grows, then each time it changed, until `stop`; at most four times a second.

    The first inventory has the first page of pods; the second page is asked for when the next inventory is. It is
    `LOADING` until pods, nodes and Calico's objects are there, `LIVE` while both watches are open, and `STALE` while
    one is cut: what was known then stays, and it is tried again for as long as it takes.

    Raises:
        ClusterError: not even a first page of pods could be read.
    """
    events: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def elsewhere(error: ApiError) -> str:
        path, missing = allowed_pods_path(api, error)
        events.put(missing)
        return path

    pod_list = Follower(api, "pods", PODS_PATH, pods.RawPod, events, elsewhere=elsewhere)
    node_list = Follower(api, "nodes", NODES_PATH, nodes.RawNode, events)
    node_list.go_on.set()
    calico_objects = _CalicoReader(api, events)
    version = threading.Thread(
        target=lambda: events.put(_VersionRead(kubernetes_version(api))), name="version", daemon=True
    )
    threads = (pod_list, node_list, calico_objects, version)
    for thread in threads:
        thread.start()
    try:
        yield from _inventories(_State(api), events, pod_list, calico_objects, stop)
    finally:
        for follower in (pod_list, node_list, calico_objects):
            follower.halt()
        for thread in threads:
            thread.join(0.5)


def _inventories(
    state: _State,
    events: queue.SimpleQueue[Any],
    pod_list: Follower[pods.RawPod],
    calico_objects: _CalicoReader,
    stop: threading.Event,
) -> Iterator[Inventory]:
    def taken(seconds: float) -> bool:
        """Wait for one event and apply it; whether it changed anything."""
        try:
            event = events.get(timeout=min(seconds, POLL))
        except queue.Empty:
            return False
        if isinstance(event, Cut) and event.source == "pods" and not state.seen_pods:
            raise event.error
        if isinstance(event, Listed) and event.source == "pods" and event.first and state.pods.complete:
            calico_objects.again.set()
        return state.take(event)

    while not state.seen_pods:
        if stop.is_set():
            return
        taken(POLL)
    yield state.inventory()
    pod_list.go_on.set()
    yielded = time.monotonic()
    while not stop.is_set():
        if not taken(POLL):
            continue
        due = max(yielded + BETWEEN_YIELDS, time.monotonic() + GATHER)
        while not stop.is_set() and (left := due - time.monotonic()) > 0:
            taken(left)
        if stop.is_set():
            return
        yield state.inventory()
        yielded = time.monotonic()
