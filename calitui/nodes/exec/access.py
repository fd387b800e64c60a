"""The API server as one user, for execs: a client made when it is needed, rights asked once for each namespace.

Credentials may expire while a session is open: a 401 asks for a client with newer ones, once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

import websocket

from calitui.facts.cluster import Pod
from calitui.nodes.deadline import Deadline, StepTimeoutError, acquire, in_background
from calitui.nodes.exec.channels import Limits, connect
from calitui.nodes.exec.containers import main_container
from calitui.nodes.exec.pod import CONTAINER
from calitui.nodes.exec.refusal import ExecRefusedError
from calitui.nodes.exec.rights import check_exec

Result = TypeVar("Result")


class NewClient(Protocol):
    """Makes API clients of the kubernetes package, each one's own: see `calitui.cluster.api.Api.new_client`."""

    def __call__(self, refused: Any = None) -> Any:
        """A client; `refused` is one whose credentials the server did not accept.

        Raises:
            CalituiError: there can be none.
        """


class Access:
    """Opens execs. Safe to use from several threads."""

    def __init__(self, new_client: NewClient, limits: Limits) -> None:
        """Nothing is asked of the server yet."""
        self._new_client = new_client
        self._limits = limits
        self._lock = threading.Lock()
        self._client: Any = None
        self._allowed: set[str] = set()

    def open(
        self, pod: Pod, command: Sequence[str], around: Deadline, container: str = CONTAINER
    ) -> websocket.WebSocket:
        """Start `command` in the pod's calico-node container or the one named, if the user may.

        Raises:
            CalituiError: it was not started; the message says why.
            Cancelled: the user stopped.
        """

        def start(client: Any) -> websocket.WebSocket:
            return connect(client, pod.namespace, pod.name, container, command, self._limits, around)

        acquire(self._lock, around.stop)
        try:
            if pod.namespace not in self._allowed:
                self._logged_in(lambda client: self._check(client, pod.namespace, around), around)
                self._allowed.add(pod.namespace)
        finally:
            self._lock.release()
        try:
            return self._logged_in(start, around)
        except ExecRefusedError as error:
            if error.status == 403:
                self._allowed.discard(pod.namespace)
            raise

    def container(self, pod: Pod, around: Deadline) -> str:
        """The container that kubectl would run a command in: the annotated one, or the first.

        Raises:
            CalituiError: the pod can't be read.
            Cancelled: the user stopped.
        """
        return self._logged_in(lambda client: main_container(client, pod, self._limits, around), around)

    def close(self) -> None:
        """Let the client's connections go. Safe to call twice."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _check(self, client: Any, namespace: str, around: Deadline) -> None:
        seconds = self._limits.rights
        step = around.step(seconds * 2, f"{client.configuration.host} did not tell your rights in time")
        in_background(lambda: check_exec(client, namespace, seconds), step)

    def _logged_in(self, action: Callable[[Any], Result], around: Deadline) -> Result:
        """Do it with a client, with a newer one if the credentials of the first are not accepted."""
        client = self._client or self._made(None, around)
        try:
            return action(client)
        except ExecRefusedError as error:
            if error.status != 401:
                raise
        return action(self._made(client, around))

    def _made(self, refused: Any, around: Deadline) -> Any:
        """A new client; a credential plugin may take its time."""
        step = around.step(self._limits.connection, "Getting credentials took too long")
        try:
            self._client = in_background(partial(self._new_client, refused), step)
        except StepTimeoutError as error:
            raise ExecRefusedError(error.what, error.hint) from None
        return self._client
