"""What every way into a node has in common: what is asked of it, and who answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import msgspec

from calitui.facts.cluster import Node
from calitui.facts.node import NodeFacts, Question


class ReadRequest(msgspec.Struct, frozen=True):
    """What to read from `node`: the kernel's answers to `questions`, and the inside of pods with these addresses."""

    node: Node
    questions: tuple[Question, ...] = ()
    containers: tuple[str, ...] = ()


MOST_AT_ONCE = 32
"""Nodes that are read at the same time."""

Read = Callable[
    [Node, Sequence[Question], Sequence[str], Callable[[str], None], threading.Event],
    NodeFacts,
]
"""`Reader.read`."""


class Reader(Protocol):
    """One way in. A node that can't be read comes back with the reason in its `missing`, never as an exception."""

    def read(
        self,
        node: Node,
        questions: Sequence[Question],
        containers: Sequence[str],
        progress: Callable[[str], None],
        stop: threading.Event,
    ) -> NodeFacts:
        """Everything that is read of one node.

        Raises:
            Cancelled: `stop` was set.
        """

    def close(self) -> None:
        """Let connections go. Safe to call twice."""


def read_all(
    read: Read, requests: Sequence[ReadRequest], progress: Callable[[str, str], None], stop: threading.Event
) -> list[NodeFacts]:
    """Read several nodes at once, in the order of `requests`; `progress` is told the node's name and what it is.

    Raises:
        Cancelled: `stop` was set.
    """
    if not requests:
        return []

    def one(request: ReadRequest) -> NodeFacts:
        name = request.node.name
        return read(request.node, request.questions, request.containers, lambda what: progress(name, what), stop)

    with ThreadPoolExecutor(min(MOST_AT_ONCE, len(requests)), thread_name_prefix="node") as executor:
        futures = [executor.submit(one, request) for request in requests]
        return [future.result() for future in futures]
