"""From a Kubernetes node to the SSH server to dial.

The names of a cluster's nodes rarely resolve where a person sits, so what to dial is a choice: the `[nodes]` table of
the config, an alias of the ssh config, or an address of the node. The choice is always reported. This module must not
open a connection.
"""

from __future__ import annotations

import threading
from pathlib import Path

import msgspec

from calitui.errors import NodeError, UsageError
from calitui.facts.cluster import Node
from calitui.nodes.ssh.names import Destination, checked_host, is_host, is_user, parse_destination
from calitui.nodes.ssh.settings import Answer, ask
from calitui.nodes.ssh.target import Target, from_settings, jumps

ADDRESSES = ("auto", "InternalIP", "ExternalIP", "Hostname", "name")
"""Which address of a node can be asked for."""
MOST_JUMPS = 8
"""Hops of a ProxyJump chain, after which it is taken for a circle."""


class SshOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How nodes are reached.

    `user` logs in where neither the `[nodes]` table nor the ssh config says otherwise for jump hosts; `config` is an
    ssh config file in place of the user's own. `address` is one of `ADDRESSES`. `targets` is the `[nodes]` table.
    `sudo` runs the script by `sudo -n`.
    """

    user: str | None = None
    config: str | None = None
    address: str = "auto"
    sudo: bool = False
    targets: dict[str, str] = {}


class Resolved(msgspec.Struct, frozen=True):
    """Where to find a node. `address_source` says why there; `warnings` what a person should know."""

    target: Target
    address_source: str
    warnings: tuple[str, ...] = ()


class Resolver:
    """Resolves nodes and remembers the answers; safe to use from several threads."""

    def __init__(self, options: SshOptions) -> None:
        """`options.address` must be one of `ADDRESSES`.

        Raises:
            UsageError: it is not, the user is no user name, or there is no such ssh config file.
        """
        if options.address not in ADDRESSES:
            raise UsageError(f"No node address {options.address!r}", f"Use one of {', '.join(ADDRESSES)}")
        if options.user is not None and not is_user(options.user):
            raise UsageError(f"{options.user!r} is not a user name", "Check --ssh-user")
        if options.config is not None and not Path(options.config).expanduser().is_file():
            raise UsageError(f"No ssh config file {options.config}", "Check --ssh-config")
        self._options = options
        self._answers: dict[tuple[Destination, str | None], Answer] = {}
        self._lock = threading.Lock()

    def resolve(self, node: Node) -> Resolved:
        """The server to dial for `node`.

        Raises:
            NodeError: the node has no such address, or its name or address can't be one, or the ssh config is broken.
        """
        destination, source = self._choose(node)
        warnings: dict[str, None] = {}
        target = self._target(destination, self._options.user, (), warnings)
        return Resolved(target, source, tuple(warnings))

    def _choose(self, node: Node) -> tuple[Destination, str]:
        where = f"node {node.name[:80]!r}"
        if (text := self._options.targets.get(node.name)) is not None:
            return parse_destination(text, f"[nodes] entry of {where}"), "nodes table"
        wish = self._options.address
        if wish == "auto":
            if is_host(node.name) and self._is_alias(node.name):
                return Destination(node.name), "ssh config"
            wish = next((kind for kind in ADDRESSES[1:] if _address(node, kind)), "name")
        address = _address(node, wish)
        if not address:
            raise NodeError(f"{where} has no {wish} address", "Choose another one or map it in the [nodes] table")
        return Destination(checked_host(address, f"{where}: {wish}")), wish

    def _is_alias(self, name: str) -> bool:
        host = self._ask(Destination(name), self._options.user).settings.get("hostname", ())
        return bool(host) and host[0].lower() != name.lower()

    def _ask(self, destination: Destination, user: str | None) -> Answer:
        key = (destination, user)
        with self._lock:
            known = self._answers.get(key)
        if known is None:
            known = ask(destination, self._options.config, user)
            with self._lock:
                self._answers[key] = known
        return known

    def _target(
        self,
        destination: Destination,
        user: str | None,
        passed: tuple[str, ...],
        warnings: dict[str, None],
        via: tuple[str, ...] | None = None,
    ) -> Target:
        """Resolve one hop; `via` are the hops before it where the chain names them, else its own ProxyJump decides."""
        if destination.host in passed or len(passed) >= MOST_JUMPS:
            chain = " > ".join((*passed, destination.host))
            raise NodeError(f"ProxyJump goes in a circle: {chain}", "Exclude the jump host from the Host pattern")
        answer = self._ask(destination, user)
        if answer.warning:
            warnings[answer.warning] = None
        hops = jumps(answer.settings) if via is None else via
        jump: Target | None = None
        if hops:
            last = parse_destination(hops[-1], f"ProxyJump of {destination.host}")
            # As `ssh -J a,b` does: b is reached by way of a; a single hop follows its own configuration.
            before = hops[:-1] or None
            jump = self._target(last, None, (*passed, destination.host), warnings, before)
        return from_settings(destination.host, answer.settings, jump, answer.command)


def _address(node: Node, kind: str) -> str:
    return {
        "InternalIP": node.internal_ips[0] if node.internal_ips else "",
        "ExternalIP": node.external_ips[0] if node.external_ips else "",
        "Hostname": node.hostname,
        "name": node.name,
    }[kind]
