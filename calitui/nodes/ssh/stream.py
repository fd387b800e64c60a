"""The bytes under an SSH connection: a TCP connection, or the standard streams of a ProxyCommand.

paramiko would open the socket itself, but without TCP_NODELAY, which costs some 40 ms for every channel. This module
must not know SSH.
"""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import signal
import socket
import subprocess
import threading

from calitui.errors import NodeError
from calitui.facts.text import clean
from calitui.nodes.deadline import POLL, Deadline, in_background
from calitui.nodes.ssh.target import Target

Address = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]
_FAMILIES = {"inet": socket.AF_INET, "inet6": socket.AF_INET6}
_WORDS = {
    errno.ECONNREFUSED: ("refused the connection", "Is sshd running there, and is the port right?"),
    errno.EHOSTUNREACH: (
        "can't be reached: no route to host",
        "Choose another address with --ssh-address or a ProxyJump",
    ),
    errno.ENETUNREACH: ("can't be reached: network is unreachable", "Choose another address or a ProxyJump"),
    errno.ETIMEDOUT: ("did not answer", "Is it up, and does a firewall let SSH through?"),
    errno.ECONNRESET: ("reset the connection", "Does a firewall or MaxStartups of its sshd cut it?"),
    errno.EACCES: ("can't be reached: not permitted", "Does a local firewall forbid it?"),
}


class ProxyProcess:
    """A running ProxyCommand; one end of a socket pair is its standard input and output."""

    def __init__(self, command: str) -> None:
        """Start it as OpenSSH does: by the user's shell, which it replaces.

        Raises:
            OSError: it can't be started.
        """
        ours, theirs = socket.socketpair()
        try:
            # A session of its own has no terminal, so a nested ssh can't draw its questions over ours.
            self._process = subprocess.Popen(
                [os.environ.get("SHELL") or "/bin/sh", "-c", f"exec {command}"],
                stdin=theirs.fileno(),
                stdout=theirs.fileno(),
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        self.socket = ours
        self._said = b""
        self._listener = threading.Thread(target=self._listen, name="ProxyCommand stderr", daemon=True)
        self._listener.start()

    @property
    def said(self) -> str:
        """The last line it wrote to its standard error, cleaned."""
        self._listener.join(0.2)
        lines = self._said.decode("utf-8", "replace").strip().splitlines()
        return clean(lines[-1].strip()) if lines else ""

    def close(self) -> None:
        """Kill it, and whatever it started. Safe to call twice."""
        self.socket.close()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._listener.join(1.0)

    def _listen(self) -> None:
        pipe = self._process.stderr
        if pipe is None:
            return
        with pipe:
            while chunk := os.read(pipe.fileno(), 4096):
                self._said = (self._said + chunk)[-4096:]


class PromptSocket(socket.socket):
    """A TCP socket that acknowledges what it received at once.

    sshd sends two small packets in a row after a login; with Nagle's algorithm on its side and delayed acknowledgements
    on ours the second one, the answer to our first request, would come 40 ms late. Only Linux can be told.
    """

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Receive, then acknowledge."""
        data = super().recv(size, flags)
        if data and hasattr(socket, "TCP_QUICKACK"):
            with contextlib.suppress(OSError):
                self.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        return data


def dial(target: Target, deadline: Deadline) -> socket.socket:
    """A TCP connection to `target`, to whichever of its addresses answers first in the resolver's order.

    Raises:
        NodeError: there is no such host, or none of its addresses takes the connection.
        Cancelled: the user stopped.
    """
    failure: NodeError | None = None
    for family, address in _addresses(target, deadline):
        try:
            return _connect(family, address, target, deadline)
        except NodeError as error:
            deadline.check()
            failure = failure or error
    raise failure or NodeError(f"{target.host} has no address", "Check AddressFamily in the ssh config")


def _addresses(target: Target, deadline: Deadline) -> list[tuple[int, Address]]:
    family = _FAMILIES.get(target.family, socket.AF_UNSPEC)

    def resolve() -> list[tuple[int, Address]]:
        return [(info[0], info[4]) for info in socket.getaddrinfo(target.host, target.port, family, socket.SOCK_STREAM)]

    try:
        return in_background(resolve, deadline)
    except (OSError, UnicodeError):
        raise NodeError(
            f"No address for host name {target.host}",
            "Use --ssh-address InternalIP, an alias in the ssh config, or the [nodes] table of the config",
        ) from None


def _connect(family: int, address: Address, target: Target, deadline: Deadline) -> socket.socket:
    connection = PromptSocket(family, socket.SOCK_STREAM)
    try:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            # A kept connection to a peer that is gone ends after 30 s, not after a quarter of an hour.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 30_000)
        status = connection.connect_ex(address)
        if status == errno.EINPROGRESS:
            with selectors.DefaultSelector() as selector:
                selector.register(connection, selectors.EVENT_WRITE)
                while not selector.select(POLL):
                    deadline.check()
            status = connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if status:
            words, hint = _WORDS.get(status, (f"can't be reached: {os.strerror(status)}", ""))
            raise NodeError(f"{target.address} {words}", hint)
        connection.setblocking(True)
    except OSError as error:
        connection.close()
        raise NodeError(f"{target.address} can't be reached: {error.strerror or error}") from None
    except BaseException:
        connection.close()
        raise
    return connection
