"""One connection to one SSH server: bytes, handshake, host key, login, each with a limit of its own.

This module must not know nodes' scripts, nor which connections are kept.
"""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Callable, Iterator

import msgspec
import paramiko

from calitui.errors import CalituiError, NodeError
from calitui.facts.text import clean
from calitui.nodes.deadline import Deadline, StepTimeoutError, guarded, in_background
from calitui.nodes.ssh import hostkey
from calitui.nodes.ssh.auth import Login
from calitui.nodes.ssh.keys import Keyring
from calitui.nodes.ssh.prompts import Asking
from calitui.nodes.ssh.stream import ProxyProcess, dial
from calitui.nodes.ssh.target import Target

KEEPALIVE = 15
"""Seconds between keepalives where ServerAliveInterval says nothing: firewalls forget silent connections."""
FAILURES = (paramiko.SSHException, EOFError, OSError)
"""How a connection fails in paramiko."""
_NEVER = 3600.0
"""Seconds; paramiko's own limits are out of the way, ours end the step."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds that each step may take; the time a person needs to answer a question never counts.

    `tcp` covers name resolution too and gives way to ConnectTimeout of the ssh config. `connection` is the whole of one
    connection, `script` the whole run of the script on a node.
    """

    tcp: float = 10.0
    handshake: float = 20.0
    login: float = 30.0
    connection: float = 45.0
    channel: float = 10.0
    script: float = 60.0


class Ways(msgspec.Struct, frozen=True):
    """What all connections of a session share: who is asked, which keys and passwords are known by now."""

    asking: Asking
    keyring: Keyring
    passwords: dict[str, str]
    limits: Limits


class Connection:
    """A server we are logged in to."""

    def __init__(self, target: Target, transport: paramiko.Transport, proxy: ProxyProcess | None) -> None:
        """Takes over `transport` and `proxy`: both end with `close`."""
        self.target = target
        self.transport = transport
        self._proxy = proxy

    @property
    def alive(self) -> bool:
        """Whether it was not closed by either side, as far as this side knows."""
        return self.transport.is_active() and self.transport.is_authenticated()

    def close(self) -> None:
        """Hang up. Safe to call twice and from any thread."""
        self.transport.close()
        if self._proxy is not None:
            self._proxy.close()


def silence_paramiko() -> None:
    """Keep paramiko's log, with its tracebacks, away from the terminal unless somebody has asked for it."""
    logger = logging.getLogger("paramiko")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
        logger.propagate = False


def connect(
    target: Target,
    jump: Connection | None,
    node: str,
    ways: Ways,
    progress: Callable[[str], None],
    around: Deadline,
) -> Connection:
    """Connect and log in to `target`, through `jump` if there is one; `node` is whom questions are about.

    Raises:
        NodeError: it failed; the message says at which step and what to try.
        Cancelled: the user stopped.
    """
    limits = ways.limits
    overall = around.step(limits.connection, f"{target.address}: no connection within {limits.connection:.0f} s")
    progress(f"connecting to {target.login}" + (f" by way of {jump.target.address}" if jump else ""))
    proxy: ProxyProcess | None = None
    if target.proxy_command is not None:
        try:
            proxy = ProxyProcess(target.proxy_command)
        except OSError as error:
            raise NodeError(f"ProxyCommand for {target.name} can't be started: {error.strerror}") from None
    stream: socket.socket | paramiko.Channel | None = None
    transport: paramiko.Transport | None = None
    try:
        stream = proxy.socket if proxy else _stream(target, jump, limits, overall)
        transport = paramiko.Transport(stream)
        entries = hostkey.known(target)
        hostkey.prefer(transport, entries)
        _shake_hands(transport, target, proxy, limits, overall)
        hostkey.verify(transport.get_remote_server_key(), entries, target, node, ways.asking, overall, progress)
        _log_in(transport, target, node, ways, overall)
    except BaseException:
        if transport is not None:
            transport.close()
        if stream is not None:
            with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
                stream.close()
        if proxy is not None:
            proxy.close()
        raise
    transport.set_keepalive(target.keepalive or KEEPALIVE)
    return Connection(target, transport, proxy)


def _stream(
    target: Target, jump: Connection | None, limits: Limits, overall: Deadline
) -> socket.socket | paramiko.Channel:
    if jump is None:
        seconds = target.connect_timeout or limits.tcp
        hint = "Is it up, and does a firewall let SSH through?"
        return dial(target, overall.step(seconds, f"{target.address} did not answer within {seconds:.0f} s", hint))
    where = f"from {jump.target.address} (ProxyJump)"
    step = overall.step(limits.tcp, f"{target.address} did not answer {where} within {limits.tcp:.0f} s")
    transport = jump.transport
    try:
        with translated():
            return in_background(
                lambda: transport.open_channel(
                    "direct-tcpip", (target.host, target.port), ("127.0.0.1", 0), timeout=limits.tcp * 2
                ),
                step,
                lambda channel: channel.close(),
            )
    except paramiko.ChannelException as error:
        if error.code == 1:
            what = f"{jump.target.address} does not let us through to {target.address}"
            raise NodeError(what, "AllowTcpForwarding must be on at the jump host") from None
        raise NodeError(f"{target.address} can't be reached {where}", "Is sshd running there?") from None
    except FAILURES as error:
        raise NodeError(f"{target.address} can't be reached {where}: {said(error)}") from None


def _shake_hands(
    transport: paramiko.Transport, target: Target, proxy: ProxyProcess | None, limits: Limits, overall: Deadline
) -> None:
    transport.banner_timeout = transport.handshake_timeout = transport.auth_timeout = _NEVER
    step = overall.step(limits.handshake, f"{target.address} is silent", "Something listens there, but it is not sshd")
    try:
        with guarded(step, transport.close), translated():
            transport.start_client(timeout=_NEVER)
    except StepTimeoutError as error:
        if proxy is not None and not transport.remote_version:
            raise _handshake_failure(transport, target, proxy, error) from None
        if transport.remote_version:
            raise NodeError(f"{target.address}: the SSH handshake did not end within {step.seconds:.0f} s") from None
        raise NodeError(
            f"{target.address} takes the connection but says nothing ({step.seconds:.0f} s)",
            "Is it an SSH port, and is the node overloaded?",
        ) from None
    except paramiko.ssh_exception.IncompatiblePeer as error:
        raise NodeError(
            f"{target.address}: its sshd shares no algorithms with us ({said(error)})",
            "The node's sshd is too old (only SHA-1 or DSA) or locked down too far; use another --via",
        ) from None
    except FAILURES as error:
        raise _handshake_failure(transport, target, proxy, error) from None


def _handshake_failure(
    transport: paramiko.Transport, target: Target, proxy: ProxyProcess | None, error: Exception
) -> NodeError:
    if proxy is not None and not transport.remote_version:
        words = proxy.said
        return NodeError(
            f"ProxyCommand for {target.name} brought no SSH server" + (f": {words}" if words else ""),
            f"Try `{target.command}`",
        )
    if transport.remote_version:
        return NodeError(f"SSH handshake with {target.address} failed: {said(error)}")
    if "banner" in str(error) and "Invalid" in str(error):
        return NodeError(f"{target.address} does not speak SSH", "Check the port")
    return NodeError(
        f"{target.address} closed the connection before it said anything",
        "A firewall, tcp wrappers or MaxStartups of its sshd may do that; try again",
    )


def _log_in(transport: paramiko.Transport, target: Target, node: str, ways: Ways, overall: Deadline) -> None:
    step = overall.step(ways.limits.login, f"{target.login}: the login did not end within {ways.limits.login:.0f} s")
    try:
        with guarded(step, transport.close), translated():
            Login(transport, target, node, ways.keyring, ways.passwords, ways.asking, step).run()
    except FAILURES as error:
        raise NodeError(f"{target.login}: the login failed: {said(error)}") from None


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Let the block raise nothing but ours and `FAILURES`: a server that breaks the protocol can make paramiko raise
    any exception there is.
    """
    try:
        yield
    except (CalituiError, *FAILURES):
        raise
    except Exception as error:  # noqa: BLE001 - paramiko hands on what its parsers raised
        raise paramiko.SSHException(f"it sent something that makes no sense ({type(error).__name__})") from None


def said(error: Exception) -> str:
    """What one of `FAILURES` means in words."""
    return "it closed the connection" if isinstance(error, EOFError) else clean(str(error))[:200] or "no reason given"
