"""Connections kept for the next trace, jump hosts included: a server is logged in to once, whoever needs it.

This module must not know what connections are used for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future

import msgspec

from calitui.errors import Cancelled, NodeError
from calitui.nodes.deadline import POLL, Deadline
from calitui.nodes.ssh.connect import Connection, Ways, connect
from calitui.nodes.ssh.target import Target

WHOLE = 600.0
"""Seconds for a whole chain of connections; each of them has a shorter limit of its own."""


class Lease(msgspec.Struct, frozen=True):
    """A connection, and whether it was there before: then it may be dead without having told."""

    connection: Connection
    kept: bool


class Pool:
    """One connection per server; safe to use from several threads, which share an attempt and its failure."""

    def __init__(self, ways: Ways) -> None:
        """Empty; connections are made as `ways` allows."""
        self._ways = ways
        self._lock = threading.Lock()
        self._connections: dict[Target, Connection] = {}
        self._attempts: dict[Target, Future[Connection]] = {}
        self._closed = False

    def get(self, target: Target, node: str, progress: Callable[[str], None], stop: threading.Event) -> Lease:
        """A connection to `target`, made now if there is none.

        Raises:
            NodeError: it can't be made, or the pool is closed.
            Cancelled: the user stopped.
        """
        while True:
            with self._lock:
                if self._closed:
                    raise NodeError("Connections are closed")
                connection = self._connections.get(target)
                if connection is not None and connection.alive:
                    return Lease(connection, kept=True)
                attempt = self._attempts.get(target)
                ours = attempt is None
                if attempt is None:
                    attempt = self._attempts[target] = Future()
            if ours:
                return Lease(self._make(target, attempt, node, progress, stop), kept=False)
            try:
                return Lease(_await(attempt, stop), kept=False)
            except Cancelled:
                # Whoever made the attempt was stopped; we were not.
                if stop.is_set():
                    raise

    def drop(self, connection: Connection) -> None:
        """Close a connection that turned out to be dead."""
        with self._lock:
            if self._connections.get(connection.target) is connection:
                del self._connections[connection.target]
        connection.close()

    def close(self) -> None:
        """Close all connections, nodes before the jump hosts they go through. Safe to call twice."""
        with self._lock:
            self._closed = True
            connections = list(self._connections.values())
            self._connections.clear()
        for connection in reversed(connections):
            connection.close()

    def _make(
        self,
        target: Target,
        attempt: Future[Connection],
        node: str,
        progress: Callable[[str], None],
        stop: threading.Event,
    ) -> Connection:
        try:
            connection = self._connect(target, node, progress, stop)
        except BaseException as error:
            with self._lock:
                del self._attempts[target]
            attempt.set_exception(error)
            raise
        with self._lock:
            del self._attempts[target]
            previous = self._connections.get(target)
            closed = self._closed
            if not closed:
                self._connections[target] = connection
        if previous is not None:
            previous.close()
        if closed:
            connection.close()
        attempt.set_result(connection)
        return connection

    def _connect(self, target: Target, node: str, progress: Callable[[str], None], stop: threading.Event) -> Connection:
        around = Deadline(WHOLE, stop, f"{target.address}: no connection")
        if target.jump is None:
            return connect(target, None, node, self._ways, progress, around)
        lease = self.get(target.jump, node, progress, stop)
        try:
            return connect(target, lease.connection, node, self._ways, progress, around)
        except NodeError:
            if not lease.kept or lease.connection.alive:
                raise
        self.drop(lease.connection)
        lease = self.get(target.jump, node, progress, stop)
        return connect(target, lease.connection, node, self._ways, progress, around)


def _await(attempt: Future[Connection], stop: threading.Event) -> Connection:
    done = threading.Event()
    attempt.add_done_callback(lambda _: done.set())
    while not done.wait(POLL):
        if stop.is_set():
            raise Cancelled
    return attempt.result()
