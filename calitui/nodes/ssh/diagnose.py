"""Answers to "how would you reach this node, and can you?", for a person who sets calitui up.

This module must not know the script.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from calitui.facts.cluster import Node
from calitui.nodes.deadline import Deadline
from calitui.nodes.ssh.connect import Connection, Limits
from calitui.nodes.ssh.hostkey import known
from calitui.nodes.ssh.known_hosts import fingerprint
from calitui.nodes.ssh.resolve import Resolved
from calitui.nodes.ssh.run import run
from calitui.nodes.ssh.sudo import refusal

MOST_OUTPUT = 64 * 1024


class Description(msgspec.Struct, frozen=True, kw_only=True):
    """How a node would be dialled. `asked` is what ssh was asked for, `command` what a person would type, `way` the
    jump hosts or the ProxyCommand.

    `host_keys` are the known keys, `TYPE FINGERPRINT (FILE:LINE)`; none means that its key is unknown. `keys` are the
    key files that exist, `agent` the agent's socket.
    """

    node: str
    asked: str
    command: str
    address_source: str
    host: str
    port: int
    user: str
    way: str = ""
    known_as: str = ""
    host_keys: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    agent: str | None = None
    warnings: tuple[str, ...] = ()


class Check(msgspec.Struct, frozen=True):
    """Whether a node can be logged in to, `reason` if not.

    `sudo` is whether `sudo -n true` worked, None if it was not tried; `sudo_reason` says why not.
    """

    node: str
    reached: bool
    reason: str = ""
    login: str = ""
    sudo: bool | None = None
    sudo_reason: str = ""


def describe(node: Node, resolved: Resolved) -> Description:
    """How `node` would be dialled, from files only."""
    target = resolved.target
    return Description(
        node=node.name,
        asked=target.name,
        command=target.command,
        address_source=resolved.address_source,
        host=target.host,
        port=target.port,
        user=target.user,
        way=target.way or (f"ProxyCommand {target.proxy_command}" if target.proxy_command else ""),
        known_as=target.known_as,
        host_keys=tuple(f"{key.key_type} {fingerprint(key.blob)} ({key.where})" for key in known(target).keys),
        keys=tuple(path for path in target.identity_files if Path(path).is_file()),
        agent=target.agent,
        warnings=resolved.warnings,
    )


def check_login(node: str, connection: Connection, limits: Limits, around: Deadline) -> Check:
    """Whether commands run on `connection`, and with sudo.

    Raises:
        NodeError: none does.
        Cancelled: the user stopped.
    """
    plain = run(connection, "true", b"", limits, MOST_OUTPUT, around)
    login = connection.target.login
    if plain.status != 0:
        said = plain.complaint or plain.cut or f"exit status {plain.status}"
        return Check(node, reached=False, reason=f"{login}: `true` failed ({said})", login=login)
    outcome = run(connection, "sudo -n true", b"", limits, MOST_OUTPUT, around)
    if outcome.status == 0:
        return Check(node, reached=True, login=login, sudo=True)
    return Check(node, reached=True, login=login, sudo=False, sudo_reason=refusal(outcome))
