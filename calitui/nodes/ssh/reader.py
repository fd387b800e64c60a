"""Reads nodes over SSH: one connection per node, kept; one run of the one script per read.

Whatever goes wrong on the way to a node becomes a `Missing` with one line that says what to try: a dead node costs
hops that are not read, never the trace. This module must not know what the script prints.
"""

from __future__ import annotations

import contextlib
import shlex
import threading
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec

from calitui.errors import Cancelled, NodeError
from calitui.facts.cluster import Node
from calitui.facts.missing import Missing
from calitui.facts.node import NodeFacts, Question
from calitui.facts.text import clean
from calitui.nodes.deadline import Deadline, in_background
from calitui.nodes.outcome import Outcome
from calitui.nodes.script import LARGEST_OUTPUT, SCRIPT, arguments, command, parse_output
from calitui.nodes.ssh.connect import Connection, Limits, Ways, silence_paramiko
from calitui.nodes.ssh.keys import Keyring
from calitui.nodes.ssh.pool import WHOLE, Pool
from calitui.nodes.ssh.prompts import Asking, Prompts
from calitui.nodes.ssh.resolve import Resolved, Resolver, SshOptions
from calitui.nodes.ssh.run import SessionRefusedError, run
from calitui.nodes.ssh.sudo import explained, refusal

Result = TypeVar("Result")

VIA = "ssh"
_STARTED = b"=== calitui "
"""The script's first words: where they are missing it did not run."""


class SshReader:
    """Reads nodes over SSH. All methods may be called from several threads at once."""

    def __init__(self, options: SshOptions, prompts: Prompts, limits: Limits | None = None) -> None:
        """`prompts` is asked one question at a time, from worker threads.

        Raises:
            UsageError: an option is not what it should be.
        """
        silence_paramiko()
        self._options = options
        self._resolver = Resolver(options)
        self.limits = limits or Limits()
        self._pool = Pool(Ways(Asking(prompts), Keyring(), {}, self.limits))

    @property
    def sudo(self) -> bool:
        """Whether commands are to be run as root by sudo."""
        return self._options.sudo

    def read(
        self,
        node: Node,
        questions: Sequence[Question],
        containers: Sequence[str],
        progress: Callable[[str], None],
        stop: threading.Event,
    ) -> NodeFacts:
        """Everything the script reads on `node`; a failure is a `Missing` of `node`.

        Raises:
            Cancelled: `stop` was set.
        """
        try:
            resolved = self._resolve(node, stop)
        except NodeError as error:
            return _nothing(node.name, error)
        for warning in resolved.warnings:
            progress(warning)
        try:
            return self._read(node, resolved, questions, containers, progress, stop)
        except Cancelled:
            raise
        except NodeError as error:
            return _nothing(node.name, error, resolved)

    def connected(
        self,
        node: Node,
        action: Callable[[Connection], Result],
        progress: Callable[[str], None],
        stop: threading.Event,
    ) -> Result:
        """Do something else with the connection to `node`, which is made if there is none.

        Raises:
            NodeError: there is no connection, or `action` raised it.
            Cancelled: `stop` was set.
        """
        return self._connected(node.name, self._resolve(node, stop), action, progress, stop)

    def close(self) -> None:
        """Close all connections. Safe to call twice."""
        self._pool.close()

    def _read(
        self,
        node: Node,
        resolved: Resolved,
        questions: Sequence[Question],
        containers: Sequence[str],
        progress: Callable[[str], None],
        stop: threading.Event,
    ) -> NodeFacts:
        try:
            positional = arguments(questions, containers)
        except ValueError as error:
            raise NodeError(f"This can't be asked of {node.name}: {clean(str(error))}") from None
        refused = ""
        outcome: Outcome | None = None
        if self._options.sudo:
            outcome = self._run(node.name, resolved, command(positional, sudo=True), progress, stop)
            if _STARTED not in outcome.output and not outcome.cut:
                refused = refusal(outcome)
                progress(f"sudo refused: {refused}; reading without it")
        if outcome is None or refused:
            outcome = self._run(node.name, resolved, command(positional), progress, stop)
        if not outcome.output:
            raise NodeError(_silence(resolved, outcome), f"Try `{resolved.target.command} true`")
        facts = parse_output(
            outcome.output,
            node=node.name,
            via=VIA,
            target=resolved.target.login,
            address_source=resolved.address_source,
            read_at=time.time(),
            containers_asked=tuple(containers),
            truncated=outcome.truncated,
        )
        return _explained(facts, outcome, refused)

    def _resolve(self, node: Node, stop: threading.Event) -> Resolved:
        """Resolve in a thread that can be left behind: `ssh -G` may ask name servers and run what Match exec says."""
        return in_background(lambda: self._resolver.resolve(node), Deadline(WHOLE, stop))

    def _run(
        self, name: str, resolved: Resolved, words: list[str], progress: Callable[[str], None], stop: threading.Event
    ) -> Outcome:
        line, script = shlex.join(words), SCRIPT.encode()

        def once(connection: Connection) -> Outcome:
            progress("reading routes, links and neighbours")
            return run(connection, line, script, self.limits, LARGEST_OUTPUT, Deadline(WHOLE, stop))

        return self._connected(name, resolved, once, progress, stop)

    def _connected(
        self,
        name: str,
        resolved: Resolved,
        action: Callable[[Connection], Result],
        progress: Callable[[str], None],
        stop: threading.Event,
    ) -> Result:
        """Do something with a connection to the node, a new one if the kept one turns out to be dead."""
        lease = self._pool.get(resolved.target, name, progress, stop)
        if lease.kept:
            # Nothing was run on a connection that refuses, so a second attempt can do no harm.
            with contextlib.suppress(SessionRefusedError):
                return action(lease.connection)
            self._pool.drop(lease.connection)
            lease = self._pool.get(resolved.target, name, progress, stop)
        return action(lease.connection)


def _explained(facts: NodeFacts, outcome: Outcome, refused: str) -> NodeFacts:
    """Say why something is missing where only the transport knows it."""
    missing = explained(facts.missing, refused) if refused else facts.missing
    if outcome.cut:
        late = f"the script was cut off, {outcome.cut}; what it had read by then is kept"
        missing = (*missing, Missing(what="rest of the output", reason=late, node=facts.name))
    return msgspec.structs.replace(facts, missing=missing)


def _silence(resolved: Resolved, outcome: Outcome) -> str:
    status = "no exit status" if outcome.status is None else f"exit status {outcome.status}"
    return f"{resolved.target.login}: the script printed nothing ({outcome.cut or outcome.complaint or status})"


def _nothing(name: str, error: NodeError, resolved: Resolved | None = None) -> NodeFacts:
    return NodeFacts(
        name=name,
        via=VIA,
        target=resolved.target.login if resolved else "",
        address_source=resolved.address_source if resolved else "",
        read_at=time.time(),
        missing=(Missing(what="node", reason=str(error), node=name),),
    )
