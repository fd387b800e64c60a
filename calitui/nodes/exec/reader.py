"""Reads nodes through the calico-node pods that run on them: one exec of the one script per read.

Whatever goes wrong becomes a `Missing` with one line that says what to try. The inside of other pods is out of reach
from there (calico-node does not share the node's process ids), so it is never asked for: the trace infers it. This
module must not know what the script prints.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import msgspec

from calitui.errors import CalituiError, Cancelled, NodeError
from calitui.facts.cluster import Node, Pod
from calitui.facts.missing import Missing
from calitui.facts.node import NodeFacts, Question
from calitui.facts.text import clean
from calitui.nodes.deadline import Deadline
from calitui.nodes.exec.access import Access, NewClient
from calitui.nodes.exec.channels import Limits, failed, run
from calitui.nodes.exec.pod import calico_node, target
from calitui.nodes.outcome import Outcome
from calitui.nodes.parse.sections import NEEDS_ROOT
from calitui.nodes.script import LARGEST_OUTPUT, SCRIPT, arguments, command, parse_output

VIA = "exec"
ADDRESS_SOURCE = "calico-node pod"
NO_VIEW = "calico-node has no view of other processes' namespaces"
"""Why the inside of a pod is not read."""

WHOLE = 120.0
"""Seconds for one node from finding the pod to the last byte."""


class ExecReader:
    """Reads nodes by exec. All methods may be called from several threads at once; a `calitui.nodes.reading.Reader`."""

    def __init__(
        self, new_client: NewClient, pods: Callable[[], tuple[Pod, ...]], limits: Limits | None = None
    ) -> None:
        """`pods` are the cluster's pods as they are known now; it is asked at each read and must not block for long."""
        self.pods = pods
        self._limits = limits or Limits()
        self.access = Access(new_client, self._limits)

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
        name = ""
        try:
            pod = calico_node(node, self.pods())
            name = target(pod)
            return self._read(node, pod, questions, containers, progress, Deadline(WHOLE, stop))
        except Cancelled:
            raise
        except CalituiError as error:
            return _nothing(node.name, error, name)

    def close(self) -> None:
        """Let connections go. Safe to call twice."""
        self.access.close()

    def _read(
        self,
        node: Node,
        pod: Pod,
        questions: Sequence[Question],
        containers: Sequence[str],
        progress: Callable[[str], None],
        deadline: Deadline,
    ) -> NodeFacts:
        try:
            words = command(arguments(questions, ()))
        except ValueError as error:
            raise NodeError(f"This can't be asked of {node.name}: {clean(str(error))}") from None
        progress(f"reading routes, links and neighbours in {target(pod)}")
        outcome = self._run(pod, words, SCRIPT.encode(), LARGEST_OUTPUT, deadline)
        if not outcome.output:
            raise failed(outcome, target(pod))
        facts = parse_output(
            outcome.output,
            node=node.name,
            via=VIA,
            target=target(pod),
            address_source=ADDRESS_SOURCE,
            read_at=time.time(),
            containers_asked=(),
            truncated=outcome.truncated,
        )
        read = (_without_root(one) for one in facts.missing)
        unseen = [Missing(f"container {clean(ip)}", NO_VIEW, node.name) for ip in dict.fromkeys(containers)]
        return msgspec.structs.replace(facts, missing=(*read, *unseen, *_interrupted(node.name, outcome)))

    def _run(self, pod: Pod, words: Sequence[str], stdin: bytes, largest: int, deadline: Deadline) -> Outcome:
        return run(self.access.open(pod, words, deadline), stdin, self._limits, largest, deadline)


def _without_root(missing: Missing) -> Missing:
    """There is no --sudo in a pod."""
    why = "needs root, which commands in calico-node do not have here"
    return msgspec.structs.replace(missing, reason=missing.reason.replace(NEEDS_ROOT, why))


def _interrupted(name: str, outcome: Outcome) -> list[Missing]:
    """What only the transport knows about an output that stops too early."""
    if outcome.cut:
        how = f"was cut off, {outcome.cut}"
    elif outcome.failure:
        how = f"failed: {outcome.failure}"
    elif outcome.status:
        how = f"ended with exit status {outcome.status}" + (f" ({outcome.complaint})" if outcome.complaint else "")
    else:
        return []
    return [Missing("rest of the output", f"the script {how}; what it had read by then is kept", name)]


def _nothing(name: str, error: CalituiError, where: str) -> NodeFacts:
    return NodeFacts(
        name=name,
        via=VIA,
        target=where,
        address_source=ADDRESS_SOURCE if where else "",
        read_at=time.time(),
        missing=(Missing(what="node", reason=str(error), node=name),),
    )
