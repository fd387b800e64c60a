"""A live proof under way: captures on both nodes, then the probes between, then all of it ended.

Whatever fails becomes a reason in the `Proof`, not an exception, and the rest of it stays: a pod may go, a node may
have no tcpdump, a capture may flood. Only the user's wish to stop ends it without one; nothing runs on then either.
"""

from __future__ import annotations

import contextlib
import shlex
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import msgspec

from calitui.errors import Cancelled, NodeError
from calitui.facts.cluster import Cluster, Node, Pod
from calitui.facts.missing import Missing
from calitui.facts.node import NodeFacts
from calitui.facts.proof import Carried, Probe, Proof, RuleCount, SizeProbe
from calitui.facts.text import clean
from calitui.nodes.deadline import Deadline
from calitui.nodes.outcome import Outcome
from calitui.nodes.proving.held import Held, Prover
from calitui.nodes.proving.script import (
    COUNTS,
    HERE,
    TOOLS,
    Answers,
    Tools,
    Where,
    parse_counts,
    parse_ping,
    parse_tools,
    parse_tries,
    ping,
    tcp,
    udp,
)
from calitui.proof.capture import all_sightings
from calitui.proof.counting import risen
from calitui.proof.plan import PlannedProbe, ProofPlan, probe_command
from calitui.proof.sizing import next_size
from calitui.proof.token import Token
from calitui.session.progress import Progress, ProgressSink
from calitui.session.watching import Site, Watching
from calitui.trace.path import Step, Trace

Subject = TypeVar("Subject")
Result = TypeVar("Result")

MOST_SECONDS = 45.0
"""How long the probes of one command may take; the script's own limits are shorter."""

LATE = 1.0
"""Seconds that answers and their captures may still be on the way after the last probe."""

_DROPS = "IPReversePathFilter"
_INSIDE = (Step.CONTAINER_OUT, Step.CONTAINER_IN)
_SAYS = ("mtu", "too long", "frag needed", "too big", "unreachable")


class Ground(msgspec.Struct, frozen=True):
    """What a proof stands on: the trace and the nodes as they were read just before, and how to run commands there."""

    trace: Trace
    cluster: Cluster
    before: tuple[NodeFacts, ...]
    provers: Mapping[str, Prover]
    again: Callable[[], Sequence[NodeFacts]]
    """Reads the nodes once more, in the same way."""

    def node(self, name: str) -> Node:
        """The node as the API knows it."""
        return next((node for node in self.cluster.nodes if node.name == name), Node(name))

    def facts(self, name: str) -> NodeFacts | None:
        """What was read of a node before."""
        return next((facts for facts in self.before if facts.name == name), None)

    def prover(self, name: str) -> Prover:
        """The way in by which the node was read.

        Raises:
            NodeError: nothing can be run there.
        """
        facts = self.facts(name)
        found = self.provers.get(facts.via) if facts is not None else None
        if found is None:
            raise NodeError(f"Nothing can be run on {name}: it was not read by SSH, exec or from here")
        return found


def carry_out(plan: ProofPlan, ground: Ground, progress: ProgressSink, stop: threading.Event) -> Proof:
    """Do what `plan` says and bring back what came of it.

    Raises:
        Cancelled: the user stopped; everything was ended first.
    """
    taken_at = time.time()
    run = _Run(plan, ground, progress, stop)
    names = tuple(dict.fromkeys([*(watch.node for watch in plan.watches), plan.probe.node]))
    with contextlib.ExitStack() as stack:
        tools = dict(zip(names, run.at_once(run.tools, names), strict=True))
        watching = [Watching(site) for site in run.sites(tools)]
        for one in watching:
            stack.callback(one.stop)
        run.at_once(lambda one: one.start(run.told(), stop), watching)
        token = run.token(tools)
        counted = run.at_once(run.counts, names)
        probe = run.probe()
        run.pause(LATE)
        for one in watching:
            one.check()
        counted_after = run.at_once(run.counts, names)
        sizes = tuple(run.sizes(probe))
        watches = tuple(run.at_once(Watching.stop, watching))
    drops = {name: _more(old, new) for name, old, new in zip(names, counted, counted_after, strict=True)}
    captures = [capture for one in watching for capture in one.captures()]
    carried, rules, missing = run.compared(drops)
    return Proof(
        taken_at=taken_at,
        probe=probe,
        watches=watches,
        sightings=all_sightings(captures, token, plan.vxlan_ports),
        sizes=sizes,
        carried=carried,
        rules=rules,
        missing=missing,
    )


class _Run:
    """One proof's steps."""

    def __init__(self, plan: ProofPlan, ground: Ground, progress: ProgressSink, stop: threading.Event) -> None:
        self._plan = plan
        self._ground = ground
        self._progress = progress
        self._stop = stop

    def told(self, node: str | None = None) -> Callable[[str], None]:
        return lambda what: self._progress(Progress(what, node))

    def at_once(self, action: Callable[[Subject], Result], over: Sequence[Subject]) -> list[Result]:
        """`action` on each of them in a thread of its own; what the first raises is raised after all have ended."""
        if not over:
            return []
        with ThreadPoolExecutor(len(over), thread_name_prefix="proof") as executor:
            futures = [executor.submit(action, one) for one in over]
        return [future.result() for future in futures]

    def run(self, node: str, words: Sequence[str], pod: Pod | None = None) -> tuple[Outcome, str]:
        """The outcome of a command that ends by itself, and a note of how it ran.

        Raises:
            NodeError: it did not begin.
            Cancelled: the user stopped.
        """
        held: Held = self._ground.prover(node).hold(self._ground.node(node), words, self.told(node), self._stop, pod)
        return held.finish(Deadline(MOST_SECONDS, self._stop)), held.note

    def tools(self, node: str, pod: Pod | None = None) -> Tools:
        try:
            outcome, _ = self.run(node, TOOLS, pod)
        except Cancelled:
            raise
        except NodeError as error:
            return Tools(refused=str(error))
        return parse_tools(outcome.output)

    def token(self, tools: Mapping[str, Tools]) -> Token:
        """By what the packets will be known: a ping that is not that of iputils fills them with what it likes."""
        planned, token = self._plan.probe, self._plan.token
        if planned.protocol != "icmp":
            return token
        with contextlib.suppress(NodeError):
            pod = self._pod(planned)
            there = tools[planned.node] if pod is None else self.tools(planned.node, pod)
            if not there.refused and not there.fragmentation:
                return msgspec.structs.replace(token, pattern=b"", size_pattern=b"")
        return token

    def counts(self, node: str) -> dict[str, int]:
        try:
            outcome, _ = self.run(node, COUNTS)
        except Cancelled:
            raise
        except NodeError:
            return {}
        return parse_counts(outcome.output)

    def sites(self, tools: Mapping[str, Tools]) -> Iterator[Site]:
        for planned in self._plan.watches:
            facts = self._ground.facts(planned.node)
            inside = next((one for one in facts.containers if one.ip == planned.container), None) if facts else None
            namespace = inside.namespace if inside else facts.host if facts and not planned.container else None
            try:
                prover = self._ground.prover(planned.node)
            except NodeError:
                continue
            yield Site(
                node=self._ground.node(planned.node),
                planned=planned,
                prover=prover,
                tools=tools[planned.node],
                devices=self._devices(planned.node, inside=planned.container is not None),
                namespace=namespace,
            )

    def _devices(self, node: str, *, inside: bool) -> tuple[str, ...]:
        hops = (hop for way in self._ground.trace.directions for hop in way.hops if hop.node == node and hop.device)
        return tuple(dict.fromkeys(hop.device for hop in hops if hop.device and (hop.step in _INSIDE) is inside))

    def probe(self) -> Probe:
        planned = self._plan.probe
        self.told(planned.node)(f"sending {planned.count} {planned.protocol} packets to {planned.destination}")
        made = Probe(
            node=planned.node,
            source=planned.source,
            destination=planned.destination,
            protocol=planned.protocol,
            port=planned.port,
            command=_command(planned),
        )
        try:
            where, pod = _where(planned), self._pod(planned)
            outcome, note = self.run(planned.node, _words(planned, where), pod)
        except Cancelled:
            raise
        except (NodeError, ValueError) as error:
            return msgspec.structs.replace(made, error=clean(str(error)))
        parsed: Answers = (parse_ping if planned.protocol == "icmp" else parse_tries)(outcome.output)
        said = tuple(clean(line)[:300] for line in outcome.errors.splitlines() if line.strip())
        why = parsed.refused and (f"{parsed.refused} ({note})" if note else parsed.refused)
        if not why and not parsed.sent:
            ended = (
                "how many were sent was not told: it was killed, or the connection broke"
                if outcome.status is None
                else "nothing was sent"
            )
            why = outcome.cut or outcome.complaint or ended
        lines = (*parsed.lines, *said)[:100]
        return msgspec.structs.replace(made, count=parsed.sent, answered=parsed.answered, output=lines, error=why)

    def sizes(self, probe: Probe) -> Iterator[SizeProbe]:
        """Packets of one size after the other, each not to be fragmented; none where small ones are not answered."""
        asked, planned = self._plan.sizes, self._plan.probe
        if asked is None or probe.error or not probe.answered:
            return
        tried: list[SizeProbe] = []
        while (size := next_size(asked, tried)) is not None:
            self.told(planned.node)(f"trying a packet of {size} bytes")
            try:
                words = ping(
                    _where(planned),
                    planned.destination,
                    count=1,
                    payload=max(0, size - asked.header),
                    pattern=self._plan.token.size_pattern.hex(),
                    dont_fragment=True,
                )
                outcome, _ = self.run(planned.node, words)
            except Cancelled:
                raise
            except (NodeError, ValueError):
                return
            parsed = parse_ping(outcome.output)
            if parsed.refused or outcome.cut:
                return
            one = SizeProbe(size, parsed.answered > 0, "" if parsed.answered else _said(parsed, outcome))
            tried.append(one)
            yield one

    def pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise Cancelled

    def compared(
        self, drops: Mapping[str, int | None]
    ) -> tuple[tuple[Carried, ...], tuple[RuleCount, ...], tuple[Missing, ...]]:
        """What the nodes counted meanwhile, by a reading before and one after."""
        self.told()("reading counters and packet filters again")
        carried: list[Carried] = []
        rules: list[RuleCount] = []
        missing: list[Missing] = []
        for after in self._ground.again():
            before = self._ground.facts(after.name)
            if before is None or before.host is None or after.host is None:
                why = after.missing[0].reason if after.missing else "it was not read"
                missing.append(Missing("counters", f"the node could not be read a second time: {why}", after.name))
                continue
            counters = (before.host.counters, after.host.counters)
            carried.append(Carried(after.name, *counters, reverse_path_drops=drops.get(after.name)))
            if before.packet_filter is not None and after.packet_filter is not None:
                rules += risen(after.name, before.packet_filter, after.packet_filter, self._ground.cluster)
            else:
                unread = next((one.reason for one in after.missing if one.what == "packet filter"), "it was not read")
                missing.append(Missing("packet filter", unread, after.name))
        return tuple(carried), tuple(rules), tuple(missing)

    def _pod(self, planned: PlannedProbe) -> Pod | None:
        if planned.pod is None:
            return None
        for pod in self._ground.cluster.pods:
            if f"{pod.namespace}/{pod.name}" == planned.pod:
                return pod
        raise NodeError(f"The pod {planned.pod} is gone", "Trace again")


def _where(planned: PlannedProbe) -> Where:
    return Where(planned.namespace or HERE, planned.holds or "")


def _words(planned: PlannedProbe, where: Where) -> list[str]:
    to, count, pattern = planned.destination, planned.count, planned.pattern.hex()
    if planned.protocol == "icmp":
        return ping(where, to, count=count, payload=planned.payload, pattern=pattern)
    if planned.port is None:
        raise ValueError("no port")
    if planned.protocol == "tcp":
        return tcp(where, to, planned.port, count=count)
    return udp(where, to, planned.port, count=count, pattern=pattern)


def _command(planned: PlannedProbe) -> str:
    words = list(probe_command(planned))
    return shlex.join(["nsenter", f"--net={planned.namespace}", *words] if planned.namespace else words)


def _said(parsed: Answers, outcome: Outcome) -> str:
    """What came instead of an answer: the line that names a limit, if one does."""
    lines = [*outcome.errors.splitlines(), *parsed.lines]
    told = next((line for line in lines if any(word in line.lower() for word in _SAYS)), "")
    return clean(told.strip())[:200] or "no answer"


def _more(before: Mapping[str, int], after: Mapping[str, int]) -> int | None:
    """How many packets the reverse path filter dropped in between, None if the kernel does not say."""
    if _DROPS not in before or _DROPS not in after:
        return None
    return max(0, after[_DROPS] - before[_DROPS])
