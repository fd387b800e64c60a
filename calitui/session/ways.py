"""How each node would be dialled, without dialling: what `doctor` shows before anybody connects."""

from __future__ import annotations

import msgspec

from calitui.errors import NodeError
from calitui.facts.cluster import Node
from calitui.nodes.ssh.resolve import Resolver
from calitui.session.options import Options
from calitui.session.ways_in import ssh_options


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """The way to one node. `target` is `user@host:port`, `why` is why there (`InternalIP`, `nodes table`).

    `jumps` are the hosts on the way, `a > b`. `error` says why there is no way; `warnings` what a person should know.
    """

    node: str
    target: str = ""
    why: str = ""
    jumps: str = ""
    warnings: tuple[str, ...] = ()
    error: str = ""


def ways(options: Options, nodes: tuple[Node, ...]) -> tuple[Way, ...]:
    """One way for each node; a node that can't be resolved costs its own line only.

    Raises:
        NodeError: the options themselves make no sense.
    """
    resolver = Resolver(ssh_options(options))
    return tuple(_way(resolver, node) for node in nodes)


def _way(resolver: Resolver, node: Node) -> Way:
    try:
        found = resolver.resolve(node)
    except NodeError as error:
        return Way(node=node.name, error=str(error))
    return Way(
        node=node.name,
        target=found.target.login,
        why=found.address_source,
        jumps=found.target.way,
        warnings=found.warnings,
    )
