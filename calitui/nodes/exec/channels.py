"""The streams of a command that share one websocket, as the API server speaks it (v4 and v5.channel.k8s.io).

Each message begins with a byte that names its stream. The kubernetes package makes the websocket, with the
kubeconfig's certificates and proxies; its own reader of the streams is not used because it collects without limit for
as long as anything comes. This module must not know what is run.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

import msgspec
import websocket
from kubernetes.stream.ws_client import create_websocket, get_websocket_url

from calitui.errors import NodeError
from calitui.facts.decoding import decoder
from calitui.facts.text import clean
from calitui.nodes.deadline import Deadline, StepTimeoutError, guarded, in_background
from calitui.nodes.exec.refusal import SSH, ExecRefusedError, short, unreachable
from calitui.nodes.outcome import Outcome

STDIN, STDOUT, STDERR, STATUS = range(4)
"""Kubernetes: pkg/kubelet/cri/streaming/remotecommand/websocket.go; v5 adds 255, "this stream ends"."""

MOST_STDERR = 16 * 1024
MOST_STATUS = 64 * 1024
"""Bytes that are kept of these streams; the rest is read and dropped."""

AFTER_STATUS = 2.0
"""Seconds that a server may take to close after it told the status, which is its last word."""

FAILURES = (websocket.WebSocketException, OSError, ValueError)


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds that each step may take: one question of rights, the websocket's opening, the whole run of the script."""

    rights: float = 10.0
    connection: float = 20.0
    script: float = 60.0


class _Cause(msgspec.Struct):
    reason: str = ""
    message: str = ""


class _Details(msgspec.Struct):
    causes: list[_Cause] | None = None


class _Status(msgspec.Struct):
    status: str = ""
    message: str = ""
    details: _Details | None = None


def connect(
    client: Any, namespace: str, pod: str, container: str, command: Sequence[str], limits: Limits, around: Deadline
) -> websocket.WebSocket:
    """Start `command` in the container, or in the pod's only one if `container` is empty.

    Raises:
        ExecRefusedError: it was not started.
        Cancelled: the user stopped.
    """
    configuration = client.configuration
    server = clean(str(configuration.host))
    if str(configuration.proxy or "").lower().startswith("socks"):
        raise ExecRefusedError("The kubernetes package opens no websocket through a SOCKS proxy", SSH)
    words = [*([("container", container)] if container else []), *(("command", word) for word in command)]
    _, url, headers, *_ = client.param_serialize(
        "GET",
        f"/api/v1/namespaces/{quote(namespace, safe='')}/pods/{quote(pod, safe='')}/exec",
        query_params=[*words, ("stdin", "true"), ("stdout", "true"), ("stderr", "true"), ("tty", "false")],
        auth_settings=["BearerToken"],
    )
    step = around.step(limits.connection, f"{server} did not begin the exec within {limits.connection:.0f} s", SSH)

    def open_() -> websocket.WebSocket:
        streams: websocket.WebSocket = create_websocket(configuration, get_websocket_url(url), headers)
        return streams

    try:
        # Nothing else limits the time of the handshake, and nothing can interrupt it.
        return in_background(open_, step, drop)
    except StepTimeoutError as error:
        raise ExecRefusedError(error.what, error.hint) from None
    except FAILURES as error:
        raise unreachable(error, server) from None


def run(streams: websocket.WebSocket, stdin: bytes, limits: Limits, largest: int, around: Deadline) -> Outcome:
    """Give `stdin` to the command that was started and take at most `largest` bytes of its output; closes `streams`.

    The other side's stdin is never closed, which v4 can't do: the command must end by itself.

    Raises:
        Cancelled: the user stopped.
    """
    output, errors, status = bytearray(), bytearray(), bytearray()
    kept = {STDOUT: (output, largest), STDERR: (errors, MOST_STDERR), STATUS: (status, MOST_STATUS)}
    truncated, cut = False, ""
    try:
        with guarded(around.step(limits.script, "timed out"), lambda: _wake(streams)):
            streams.settimeout(limits.script)
            streams.send_binary(bytes([STDIN]) + stdin)
            for channel, data in messages(streams):
                if channel not in kept:
                    continue
                where, room = kept[channel]
                where += data[: max(0, room - len(where))]
                if channel == STDOUT and len(where) >= room:
                    truncated = True
                    break
                if channel == STATUS:
                    streams.settimeout(AFTER_STATUS)
    except StepTimeoutError:
        cut = f"it was still running after {limits.script:.0f} s"
    except FAILURES as error:
        # A command that ends at once may be gone before it took its stdin: its status tells why.
        cut = "" if status else f"the connection broke ({short(str(error)) or type(error).__name__})"
    finally:
        drop(streams)
    if not (status or cut or truncated):
        cut = "the connection was closed before the script's status was told"
    code, failure = understood(bytes(status))
    return Outcome(bytes(output), errors.decode("utf-8", "replace"), code, truncated, cut, failure)


def messages(streams: websocket.WebSocket) -> Iterator[tuple[int, bytes]]:
    """Stream and data of each message until the other side closes."""
    while True:
        opcode, frame = streams.recv_data_frame(True)
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            return
        if opcode in (websocket.ABNF.OPCODE_BINARY, websocket.ABNF.OPCODE_TEXT) and frame.data:
            yield frame.data[0], frame.data[1:]


def understood(status: bytes) -> tuple[int | None, str]:
    """Exit status and failure of the `Status` object that stream 3 carries."""
    if not status:
        return None, ""
    try:
        told = decoder(_Status).decode(status)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        # v1 of the protocol has plain text here.
        return None, short(status.decode("utf-8", "replace"))
    if told.status == "Success":
        return 0, ""
    for cause in (told.details.causes or []) if told.details else []:
        if cause.reason == "ExitCode" and cause.message.isascii() and cause.message.isdecimal():
            return int(cause.message[:9]), ""
    return None, short(told.message) or "no reason was given"


def _wake(streams: websocket.WebSocket) -> None:
    """Make a read or write that another thread waits in fail now."""
    if streams.sock is not None:
        with contextlib.suppress(OSError):
            # Below TLS: its own shutdown must not run beside a read.
            socket.socket.shutdown(streams.sock, socket.SHUT_RDWR)


def drop(streams: websocket.WebSocket) -> None:
    """Let go of the connection at once, without the websocket's farewell, which the other side may never answer."""
    _wake(streams)
    if streams.sock is not None:
        with contextlib.suppress(OSError):
            streams.sock.close()


def failed(outcome: Outcome, target: str) -> NodeError:
    """The error for a command of which nothing was heard on stdout."""
    if outcome.failure:
        no_shell = "executable file not found" in outcome.failure or "no such file" in outcome.failure
        what = "there is no sh in it" if no_shell else "it could not be started"
        return NodeError(f"{target}: the script did not run, {what} ({outcome.failure})", SSH)
    status = "no exit status" if outcome.status is None else f"exit status {outcome.status}"
    return NodeError(f"{target}: the script printed nothing ({outcome.cut or outcome.complaint or status})", SSH)
