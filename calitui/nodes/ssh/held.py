"""Commands of a live proof over SSH: several at once on the connection to a node that is kept anyway.

sshd closes a command's standard input when its connection ends, however it ends; where a network forgets a connection
without telling sshd, the command's own limit of time is what ends it.
"""

from __future__ import annotations

import contextlib
import select
import shlex
import threading
from collections.abc import Callable, Sequence

import paramiko

from calitui.errors import NodeError
from calitui.facts.cluster import Node, Pod
from calitui.nodes.deadline import POLL, Deadline, StepTimeoutError, guarded
from calitui.nodes.proving.held import TO_BEGIN, Held, LostError, Received, begun, silence
from calitui.nodes.proving.script import SCRIPT
from calitui.nodes.script import command
from calitui.nodes.ssh.connect import FAILURES, Connection, Limits, said, translated
from calitui.nodes.ssh.pool import WHOLE
from calitui.nodes.ssh.reader import SshReader
from calitui.nodes.ssh.run import CHUNK, SessionRefusedError, open_session, start
from calitui.nodes.ssh.sudo import refusal

_STATUS = 2.0
"""Seconds that the exit status may come after the end of both outputs."""


class SshProver:
    """Implements `calitui.nodes.proving.held.Prover` on the connections of a reader."""

    def __init__(self, reader: SshReader) -> None:
        """`reader` resolves, connects and keeps connections."""
        self._reader = reader
        self._refused: dict[str, str] = {}

    def hold(
        self,
        node: Node,
        words: Sequence[str],
        progress: Callable[[str], None],
        stop: threading.Event,
        pod: Pod | None = None,
    ) -> Held:
        """Run the script on the node, as root where the options say sudo and sudo lets us."""
        refused = self._refused.get(node.name, "")
        if self._reader.sudo and not refused:
            held, where = self._start(node, command(words, sudo=True), "", progress, stop)
            if begun(held, where, Deadline(TO_BEGIN, stop)):
                return held
            ended = held.stop()
            if ended.cut:
                raise silence(where, ended)
            refused = refusal(ended)
            self._refused[node.name] = refused
            progress(f"sudo refused: {refused}")
        note = f"sudo -n was refused: {refused}" if refused else ""
        held, where = self._start(node, command(words), note, progress, stop)
        if not begun(held, where, Deadline(TO_BEGIN, stop)):
            raise silence(where, held.stop())
        return held

    def _start(
        self, node: Node, words: Sequence[str], note: str, progress: Callable[[str], None], stop: threading.Event
    ) -> tuple[Held, str]:
        line, limits = shlex.join(words), self._reader.limits

        def once(connection: Connection) -> tuple[Held, str]:
            return Held(_open(connection, line, limits, Deadline(WHOLE, stop)), note), connection.target.login

        return self._reader.connected(node, once, progress, stop)


def _open(connection: Connection, line: str, limits: Limits, around: Deadline) -> _Session:
    """A session that runs `line` and has been given the script.

    Raises:
        SessionRefusedError: the command was not started.
        NodeError: the connection broke meanwhile.
        Cancelled: the user stopped.
    """
    channel = open_session(connection, limits, around)
    where = connection.target.address
    step = around.step(limits.channel, f"{where} did not start the command within {limits.channel:.0f} s")
    try:
        with guarded(step, channel.close), translated():
            channel.settimeout(limits.channel)
            start(channel, line, connection)
            # A command that did not wait for its input tells by what it says.
            with contextlib.suppress(OSError):
                channel.sendall(SCRIPT.encode())
    except (StepTimeoutError, SessionRefusedError):
        channel.close()
        raise
    except FAILURES as error:
        channel.close()
        raise NodeError(f"{where}: the connection broke ({said(error)})") from None
    except BaseException:
        channel.close()
        raise
    return _Session(channel)


class _Session:
    """Implements `calitui.nodes.proving.held.Channel`."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel
        self._readable = select.poll()
        self._readable.register(channel.fileno(), select.POLLIN)

    def receive(self) -> Received | None:
        channel = self._channel
        try:
            with translated():
                over = channel.eof_received or channel.closed
                if not over:
                    self._readable.poll(POLL * 1000)
                output = channel.recv(CHUNK) if channel.recv_ready() else b""
                errors = channel.recv_stderr(CHUNK) if channel.recv_stderr_ready() else b""
        except FAILURES as error:
            raise LostError(f"the connection broke ({said(error)})") from None
        if output or errors:
            return Received(output, errors)
        if not channel.get_transport().is_active():
            raise LostError("the connection broke")
        return None if over else Received()

    def end_input(self) -> None:
        with contextlib.suppress(*FAILURES):
            self._channel.shutdown_write()

    def close(self) -> None:
        with contextlib.suppress(*FAILURES):
            self._channel.close()

    def status(self) -> int | None:
        if not self._channel.status_event.wait(_STATUS):
            return None
        status = self._channel.recv_exit_status()
        return None if status == -1 else status
