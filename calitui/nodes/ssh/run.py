"""One command on one server, with both of its outputs read to the end.

A server that fills one output while we wait for the other would hang us, and one that never stops would fill our
memory: both are read as they come and have a limit. This module must not know what the command means.
"""

from __future__ import annotations

import select
import threading

import paramiko

from calitui.errors import NodeError
from calitui.nodes.deadline import POLL, Deadline, StepTimeoutError, guarded, in_background
from calitui.nodes.outcome import Outcome
from calitui.nodes.ssh.connect import FAILURES, Connection, Limits, said, translated

CHUNK = 1 << 18
MOST_STDERR = 16 * 1024
"""Bytes of the error output that are kept; the rest is read and dropped."""


class SessionRefusedError(NodeError):
    """No command could be started on the connection: it is dead, or the server allows no more."""


def run(connection: Connection, command: str, stdin: bytes, limits: Limits, largest: int, around: Deadline) -> Outcome:
    """Run `command` by the login shell of the user, give it `stdin`, and take at most `largest` bytes of its output.

    The connection is closed when the command does not end in time, since nothing else stops it for certain.

    Raises:
        SessionRefusedError: the command was not started.
        Cancelled: the user stopped.
    """
    channel = open_session(connection, limits, around)
    output = bytearray()
    errors = bytearray()
    step = around.step(limits.script, "timed out")
    truncated, cut = False, ""
    try:
        with guarded(step, connection.transport.close), translated():
            channel.settimeout(limits.script)
            start(channel, command, connection)
            truncated = _exchange(channel, stdin, output, errors, largest)
            if not truncated:
                _await_status(channel)
            if not connection.alive:
                step.check()
    except StepTimeoutError:
        cut = f"it was still running after {limits.script:.0f} s"
    except FAILURES as error:
        cut = f"the connection broke ({said(error)})"
    finally:
        if connection.alive:
            channel.close()
    status = channel.recv_exit_status() if channel.exit_status_ready() and not (truncated or cut) else -1
    if not truncated and not cut and status == -1 and not connection.alive:
        around.check()
        cut = "the connection broke"
    return Outcome(
        output=bytes(output),
        errors=errors.decode("utf-8", "replace"),
        status=None if status == -1 else status,
        truncated=truncated,
        cut=cut,
    )


def open_session(connection: Connection, limits: Limits, around: Deadline) -> paramiko.Channel:
    """A channel for one command.

    Raises:
        SessionRefusedError: there is none.
        Cancelled: the user stopped.
    """
    address = connection.target.address
    step = around.step(limits.channel, f"{address} opened no session within {limits.channel:.0f} s")
    try:
        with translated():
            return in_background(
                lambda: connection.transport.open_session(timeout=limits.channel * 2),
                step,
                lambda channel: channel.close(),
            )
    except StepTimeoutError as error:
        raise SessionRefusedError(error.what, error.hint) from None
    except paramiko.ChannelException:
        raise SessionRefusedError(
            f"{address} allows no more sessions on this connection", "Look at MaxSessions in its sshd_config"
        ) from None
    except FAILURES as error:
        raise SessionRefusedError(f"{address} opens no session: {said(error)}") from None


def start(channel: paramiko.Channel, command: str, connection: Connection) -> None:
    """Have the login shell of the user run `command`.

    Raises:
        SessionRefusedError: it was not started.
    """
    try:
        channel.exec_command(command)
    except paramiko.SSHException:
        if not connection.alive:
            raise SessionRefusedError(f"{connection.target.address} closed the connection") from None
        raise SessionRefusedError(
            f"{connection.target.login} may not run commands", "Look for ForceCommand or a nologin shell"
        ) from None


def _exchange(channel: paramiko.Channel, stdin: bytes, output: bytearray, errors: bytearray, largest: int) -> bool:
    """Give `stdin` and read both outputs until they end; whether there was more than `largest` of the first."""
    readable = select.poll()
    readable.register(channel.fileno(), select.POLLIN)
    open_output = open_errors = True
    given = 0
    while open_output or open_errors:
        given = _feed(channel, stdin, given)
        readable.poll(POLL * 1000)
        while open_output and (channel.recv_ready() or channel.eof_received or channel.closed):
            chunk = channel.recv(CHUNK)
            room = largest - len(output)
            output += chunk[:room]
            open_output = bool(chunk)
            if len(chunk) > room:
                return True
        while open_errors and (channel.recv_stderr_ready() or channel.eof_received or channel.closed):
            chunk = channel.recv_stderr(CHUNK)
            errors += chunk[: max(0, MOST_STDERR - len(errors))]
            open_errors = bool(chunk)
        if not channel.get_transport().is_active() and not channel.recv_ready():
            break
    return False


def _feed(channel: paramiko.Channel, stdin: bytes, given: int) -> int:
    """Send as much of `stdin` as the other side takes now, then its end; how much was sent, one more for the end."""
    try:
        while given < len(stdin) and channel.send_ready():
            given += channel.send(stdin[given : given + CHUNK])
        if given == len(stdin):
            channel.shutdown_write()
            given += 1
    except OSError:
        # The command did not wait for its input (no such program, a forced command): what it says tells why.
        return len(stdin) + 1
    return given


def _await_status(channel: paramiko.Channel) -> None:
    event: threading.Event = channel.status_event
    while not event.wait(POLL):
        if channel.closed or not channel.get_transport().is_active():
            return
