"""Both directions between two ends, from facts alone."""

from __future__ import annotations

from collections.abc import Iterable

from calitui.facts.cluster import Cluster
from calitui.facts.missing import Missing
from calitui.facts.node import NodeFacts, Question
from calitui.trace.fabric import Fabric
from calitui.trace.notes import notes
from calitui.trace.path import Direction, Disposition, Endpoint, Policies, Trace, Verdict
from calitui.trace.walk import walk


def trace(cluster: Cluster, nodes: Iterable[NodeFacts], source: Endpoint, destination: Endpoint) -> Trace:
    """The path from `source` to `destination` and the way back, as far as `nodes` tell."""
    facts = tuple(nodes)
    fabric = Fabric(cluster, facts)
    there = walk(fabric, "forward", source, destination)
    seen_as = there.packet.src
    back = walk(fabric, "return", destination, source, towards=seen_as if seen_as != source.ip else None)
    directions = (there.finish(), back.finish())
    involved = {source.node, destination.node}
    moments = [node.read_at for node in facts if node.name in involved and node.read_at]
    return Trace(
        taken_at=min(moments, default=cluster.read_at),
        verdict=_verdict(directions),
        source=source,
        destination=destination,
        directions=directions,
        policies=_policies(cluster, source, destination),
        unread=_unread(cluster, facts, involved),
        notes=notes(fabric, source, destination),
    )


def questions(source: Endpoint, destination: Endpoint) -> tuple[Question, ...]:
    """What every node on the way should ask its kernel: the packet of each direction."""
    if source.ip is None or destination.ip is None:
        return ()
    return (Question(source.ip, destination.ip), Question(destination.ip, source.ip))


def nodes_on_the_way(source: Endpoint, destination: Endpoint) -> tuple[str, ...]:
    """The nodes that have to be read for a trace, the source's first."""
    return tuple(dict.fromkeys(end.node for end in (source, destination) if end.node))


def containers_on(node: str, *ends: Endpoint) -> tuple[str, ...]:
    """Addresses of the ends that have a network namespace of their own on `node`."""
    return tuple(end.ip for end in ends if end.kind == "pod" and end.node == node and end.ip)


def _verdict(directions: tuple[Direction, ...]) -> Verdict:
    dispositions = {direction.disposition for direction in directions}
    if dispositions == {Disposition.DELIVERED}:
        return Verdict.DELIVERED
    if dispositions <= {Disposition.DELIVERED, Disposition.UNKNOWN}:
        return Verdict.UNKNOWN
    return Verdict.BROKEN


def _policies(cluster: Cluster, source: Endpoint, destination: Endpoint) -> Policies:
    """How many policies could apply to either end; none of them is evaluated."""
    namespaces = {end.namespace for end in (source, destination) if end.namespace}
    scope = " or ".join(sorted(namespaces)) or "either end"
    head = "Delivered speaks of routing only: policies are not evaluated."
    unread = [entry.what for entry in cluster.missing if entry.what.endswith(("NetworkPolicies",))]
    if cluster.policies is None:
        return Policies(sentence=f"{head} How many there are for {scope} could not be read.")
    count = sum(1 for policy in cluster.policies if not policy.namespace or policy.namespace in namespaces)
    noun = "policy exists" if count == 1 else "policies exist"
    sentence = f"{head} {count} {noun} for {scope}, global ones included."
    if count == 0:
        sentence = f"{head} None exists for {scope}."
    if unread:
        sentence = f"{head} At least {count} {noun} for {scope}; not read: {', '.join(unread)}."
        return Policies(count=None, sentence=sentence)
    return Policies(count=count, sentence=sentence)


def _unread(cluster: Cluster, facts: tuple[NodeFacts, ...], involved: set[str | None]) -> tuple[Missing, ...]:
    """Everything that was asked for and not read, of the cluster and of the nodes involved."""
    of_nodes = [entry for node in facts if node.name in involved for entry in node.missing]
    return (*cluster.missing, *of_nodes)
