"""The local reader in the namespace of a test's node: a thread enters it, the machine around stays the same."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence

import msgspec

from calitui.facts.cluster import Node
from calitui.facts.node import NodeFacts, Question
from calitui.nodes.local import LocalReader
from calitui.nodes.local.entering import inside
from tests.nodes.script.namespaces import NODE_IP


def this_node() -> Node:
    """The node of the tests as the API would have it, called like this machine."""
    return Node(os.uname().nodename, internal_ips=(NODE_IP,))


def read_locally(
    namespace: str,
    questions: Sequence[Question] = (),
    containers: Sequence[str] = (),
    *,
    node: Node | None = None,
    stop: threading.Event | None = None,
) -> NodeFacts:
    """What the local reader says of a named namespace; the facts fit into a snapshot."""
    facts = inside(
        f"/run/netns/{namespace}",
        lambda: LocalReader().read(
            node or this_node(), questions, containers, lambda _: None, stop or threading.Event()
        ),
    )
    assert msgspec.json.decode(msgspec.json.encode(facts), type=NodeFacts) == facts
    return facts
