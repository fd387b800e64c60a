"""Reads the node that calitui runs on: no login, the kernel asked over netlink, the node script for all the rest.

What it brings is what the node script brings from elsewhere, so that a trace can't tell the two apart. Whatever can't
be read becomes a `Missing`. This module imports pyroute2 only when it reads: it can be imported on any platform.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from calitui.errors import Cancelled
from calitui.facts.cluster import Node
from calitui.facts.missing import Missing
from calitui.facts.node import Container, NodeFacts, Question
from calitui.facts.text import clean
from calitui.nodes.local.machine import Machine, evidence, read_machine, unsupported, why_not
from calitui.nodes.script import arguments

VIA = "local"


class LocalReader:
    """Reads this machine. Methods may be called from several threads at once, with or without an event loop."""

    def read(
        self,
        node: Node,
        questions: Sequence[Question],
        containers: Sequence[str],
        progress: Callable[[str], None],
        stop: threading.Event,
    ) -> NodeFacts:
        """Everything of this machine that a trace asks of `node`; a failure is a `Missing` of `node`.

        A node that this machine is not is not read: its facts would be another's.

        Raises:
            Cancelled: `stop` was set.
        """
        why = unsupported()
        if why:
            return _nothing(node.name, why)
        try:
            positional = arguments(questions, containers)
        except ValueError as error:
            return _nothing(node.name, f"This can't be asked of {node.name}: {clean(str(error))}")
        asked, addresses = _split(positional)
        if stop.is_set():
            raise Cancelled
        try:
            machine = read_machine()
            why = why_not(node, machine)
            if why:
                return _nothing(node.name, why, machine.hostname)
            progress("reading routes, links and neighbours")
            return _read(node, machine, asked, addresses, stop)
        except OSError as error:
            return _nothing(node.name, f"netlink can't be used here: {error.strerror or error}")

    def close(self) -> None:
        """Nothing is kept open."""


def _split(positional: Sequence[str]) -> tuple[tuple[Question, ...], tuple[str, ...]]:
    """The questions and containers as the node script would be given them: checked, in their usual spelling, once."""
    words = list(positional)
    end = words.index("--") if "--" in words else len(words)
    pairs = zip(words[0:end:2], words[1:end:2], strict=True)
    return tuple(Question(source, destination) for source, destination in pairs), tuple(words[end + 1 :])


def _read(
    node: Node, machine: Machine, questions: Sequence[Question], containers: Sequence[str], stop: threading.Event
) -> NodeFacts:
    from calitui.nodes.local.containers import Search
    from calitui.nodes.local.entering import inside
    from calitui.nodes.local.host import read_host
    from calitui.nodes.local.names import read_names
    from calitui.nodes.local.script_parts import with_script_parts

    host = inside(None, lambda: read_host(questions, containers, Search(stop, read_names())))
    found: list[Container] = [container for container, _ in host.containers if container is not None]
    missing = [*host.seen.missing(), *host.unanswered]
    missing += [one for _, unread in host.containers for one in unread]
    facts = NodeFacts(
        name=node.name,
        via=VIA,
        target="this machine",
        address_source=evidence(node, machine),
        read_at=time.time(),
        hostname=machine.hostname,
        kernel=machine.release,
        host=host.seen.namespace,
        containers=tuple(found),
        answers=host.answers,
        missing=tuple(Missing(one.what, clean(one.reason), node.name) for one in missing),
    )
    return with_script_parts(facts, stop)


def _nothing(name: str, reason: str, hostname: str = "") -> NodeFacts:
    return NodeFacts(
        name=name,
        via=VIA,
        target="this machine",
        read_at=time.time(),
        hostname=hostname,
        missing=(Missing(what="node", reason=reason, node=name),),
    )
