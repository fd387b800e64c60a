"""Which way into a node is taken, and why: the node itself, SSH, or exec into its calico-node pod.

`auto` takes the node that calitui runs on from its own kernel, any other over SSH, and falls back to exec where SSH
does not get in. What was taken is part of the facts, so that every screen and report can say it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import msgspec

from calitui.cluster.api import Api
from calitui.errors import UsageError
from calitui.facts.cluster import Node, Pod
from calitui.facts.missing import Missing
from calitui.facts.node import NodeFacts, Question
from calitui.nodes.local import LocalReader, is_this_node
from calitui.nodes.local.machine import Machine, read_machine, unsupported
from calitui.nodes.proving.held import Prover
from calitui.nodes.reading import Reader
from calitui.nodes.ssh.prompts import NoPrompts, Prompts
from calitui.nodes.ssh.reader import SshReader
from calitui.nodes.ssh.resolve import SshOptions
from calitui.session.options import Options

WAYS_IN = ("auto", "ssh", "exec", "local")


def open_reader(options: Options, prompts: Prompts | None, api: Api, pods: Callable[[], tuple[Pod, ...]]) -> Reader:
    """The reader that `options.via` names; nothing is connected yet. `pods` tells where calico-node runs.

    Raises:
        UsageError: there is no such way in, or an option of it makes no sense.
    """
    if options.via not in WAYS_IN:
        raise UsageError(f"No way in {options.via!r}", f"Use one of {', '.join(WAYS_IN)}")
    if options.via == "local":
        return LocalReader()
    if options.via == "exec":
        return _exec(api, pods)
    ssh = SshReader(ssh_options(options), prompts or NoPrompts(accept_new_host_keys=options.accept_new_host_keys))
    return ssh if options.via == "ssh" else AutoReader(LocalReader(), ssh, _exec(api, pods))


def open_provers(reader: Reader) -> dict[str, Prover]:
    """How commands of a live proof are run on nodes that `reader` reads, by the `via` of what it read."""
    if isinstance(reader, AutoReader):
        return {via: prover for one in reader.ways for via, prover in open_provers(one).items()}
    if isinstance(reader, LocalReader):
        from calitui.nodes.local.held import LocalProver

        return {"local": LocalProver()}
    if isinstance(reader, SshReader):
        from calitui.nodes.ssh.held import SshProver

        return {"ssh": SshProver(reader)}
    return _exec_provers(reader)


def ssh_options(options: Options) -> SshOptions:
    """What concerns SSH of a session's options."""
    return SshOptions(
        user=options.ssh_user,
        config=options.ssh_config,
        address=options.ssh_address,
        sudo=options.sudo,
        targets=options.node_targets,
    )


class AutoReader:
    """Picks a way for each node and remembers where SSH did not get in. Implements `calitui.nodes.reading.Reader`."""

    def __init__(self, local: Reader, ssh: Reader, execs: Reader, machine: Machine | None = None) -> None:
        """`machine` is this one; it is read when first needed if it is not given."""
        self._local = local
        self._ssh = ssh
        self._execs = execs
        self._machine = machine
        self._lock = threading.Lock()
        self._refused: dict[str, str] = {}

    @property
    def ways(self) -> tuple[Reader, ...]:
        """The ways it picks from."""
        return self._local, self._ssh, self._execs

    def read(
        self,
        node: Node,
        questions: Sequence[Question],
        containers: Sequence[str],
        progress: Callable[[str], None],
        stop: threading.Event,
    ) -> NodeFacts:
        """Everything that the first way which gets in can read.

        Raises:
            Cancelled: `stop` was set.
        """
        here = self._is_here(node)
        if here is not None:
            progress(f"reading this machine's own kernel: {here}")
            facts = self._local.read(node, questions, containers, progress, stop)
            if facts.host is not None:
                return msgspec.structs.replace(facts, why=here)
        refused = self._refused.get(node.name)
        if refused is None:
            facts = self._ssh.read(node, questions, containers, progress, stop)
            if facts.host is not None:
                return msgspec.structs.replace(facts, why="SSH gets in")
            refused = _reason(facts)
            progress(f"SSH does not get in ({refused}), trying exec into calico-node")
        other = self._execs.read(node, questions, containers, progress, stop)
        if other.host is not None:
            self._refused[node.name] = refused
            return msgspec.structs.replace(other, why=f"SSH did not get in: {refused}")
        self._refused.pop(node.name, None)
        both = Missing("node", f"SSH: {refused}; exec: {_reason(other)}", node.name)
        return msgspec.structs.replace(other, via="auto", missing=(both,))

    def close(self) -> None:
        """Close all ways."""
        for reader in self.ways:
            reader.close()

    def _is_here(self, node: Node) -> str | None:
        if unsupported():
            return None
        with self._lock:
            if self._machine is None:
                self._machine = read_machine()
        return is_this_node(node, self._machine)


def _exec(api: Api, pods: Callable[[], tuple[Pod, ...]]) -> Reader:
    from calitui.nodes.exec.reader import ExecReader

    return ExecReader(api.new_client, pods)


def _exec_provers(reader: Reader) -> dict[str, Prover]:
    from calitui.nodes.exec.held import ExecProver
    from calitui.nodes.exec.reader import ExecReader

    return {"exec": ExecProver(reader)} if isinstance(reader, ExecReader) else {}


def _reason(facts: NodeFacts) -> str:
    return facts.missing[0].reason if facts.missing else "no reason was given"
