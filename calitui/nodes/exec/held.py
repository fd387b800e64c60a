"""Commands of a live proof by exec: in calico-node, which has no tcpdump, and in a user's own pod.

v4 of the protocol can't close a standard input; closing the websocket does, and the container runtime hands that on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import websocket

from calitui.errors import CalituiError, Cancelled, NodeError
from calitui.facts.cluster import Node, Pod
from calitui.nodes.deadline import POLL, Deadline
from calitui.nodes.exec.channels import FAILURES, MOST_STATUS, STATUS, STDERR, STDIN, STDOUT, drop, messages, understood
from calitui.nodes.exec.pod import calico_node, target
from calitui.nodes.exec.reader import WHOLE, ExecReader
from calitui.nodes.exec.refusal import short
from calitui.nodes.outcome import Outcome
from calitui.nodes.proving.held import TO_BEGIN, Held, LostError, Received, begun, silence
from calitui.nodes.proving.script import SCRIPT
from calitui.nodes.script import command


class ExecProver:
    """Implements `calitui.nodes.proving.held.Prover` with the rights and pods of a reader."""

    def __init__(self, reader: ExecReader) -> None:
        """`reader` knows the API server and the pods."""
        self._reader = reader

    def hold(
        self,
        node: Node,
        words: Sequence[str],
        progress: Callable[[str], None],
        stop: threading.Event,
        pod: Pod | None = None,
    ) -> Held:
        """Run the script in `pod`, or in the node's calico-node if there is none."""
        into = calico_node(node, self._reader.pods()) if pod is None else pod
        try:
            streams = self._open(into, command(words), Deadline(WHOLE, stop), is_calico_node=pod is None)
        except (Cancelled, NodeError):
            raise
        except CalituiError as error:
            raise NodeError(error.what, error.hint) from None
        try:
            streams.send_binary(bytes([STDIN]) + SCRIPT.encode())
        except FAILURES as error:
            drop(streams)
            raise NodeError(f"{target(into)}: the connection broke ({short(str(error))})") from None
        channel = _Streams(streams)
        held = Held(channel)
        try:
            if begun(held, target(into), Deadline(TO_BEGIN, stop)):
                return held
        except Cancelled:
            held.stop()
            raise
        raise _why(target(into), channel, held.stop())

    def _open(self, pod: Pod, words: Sequence[str], deadline: Deadline, *, is_calico_node: bool) -> websocket.WebSocket:
        access = self._reader.access
        if is_calico_node:
            return access.open(pod, words, deadline)
        return access.open(pod, words, deadline, access.container(pod, deadline))


def _why(where: str, channel: _Streams, outcome: Outcome) -> NodeError:
    """The error for a script that did not begin: most often there is no shell in the container."""
    if channel.failure:
        missing = "executable file not found" in channel.failure or "no such file" in channel.failure
        what = "there is no sh in it" if missing else "it could not be started"
        return NodeError(f"{where}: the script did not run, {what} ({channel.failure})")
    return silence(where, outcome)


class _Streams:
    """Implements `calitui.nodes.proving.held.Channel`. `failure` is why the runtime could not start the command."""

    def __init__(self, streams: websocket.WebSocket) -> None:
        self.failure = ""
        self._streams = streams
        self._told = bytearray()
        self._code: int | None = None
        self._closing = False
        self._messages = messages(streams)
        streams.settimeout(POLL)

    def receive(self) -> Received | None:
        try:
            channel, data = next(self._messages)
        except StopIteration:
            self._understand()
            return None
        except websocket.WebSocketTimeoutException:
            # The generator is over with its exception; what was received of a message is kept in the websocket.
            self._messages = messages(self._streams)
            return Received()
        except FAILURES as error:
            self._understand()
            if self._closing or self._told:
                return None
            raise LostError(f"the connection broke ({short(str(error)) or type(error).__name__})") from None
        if channel == STATUS:
            self._told += data[: max(0, MOST_STATUS - len(self._told))]
            self._understand()
            return None
        return Received(data if channel == STDOUT else b"", data if channel == STDERR else b"")

    def end_input(self) -> None:
        self._closing = True
        drop(self._streams)

    def close(self) -> None:
        self._closing = True
        drop(self._streams)

    def status(self) -> int | None:
        drop(self._streams)
        return self._code

    def _understand(self) -> None:
        self._code, self.failure = understood(bytes(self._told))
