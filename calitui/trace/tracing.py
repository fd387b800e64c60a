"""Both directions between two ends, from facts alone."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from calitui.errors import UsageError
from calitui.facts.cluster import Cluster
from calitui.facts.missing import Missing
from calitui.facts.node import NodeFacts, Question
from calitui.trace.fabric import Fabric
from calitui.trace.notes import notes
from calitui.trace.path import Direction, Disposition, Endpoint, Policies, Reading, Trace, Verdict
from calitui.trace.walk import walk


def trace(
    cluster: Cluster, nodes: Iterable[NodeFacts], source: Endpoint, destination: Endpoint, family: int | None = None
) -> Trace:
    """The path from `source` to `destination` and the way back, as far as `nodes` tell.

    `family` is 4 or 6; unset, it is the one of the source's first address that both ends have.

    Raises:
        UsageError: the ends have no address family in common, or not the one asked for.
    """
    facts = tuple(nodes)
    common = families(source, destination)
    if not common or (family is not None and family not in common):
        wanted = "no IP family in common" if family is None or not common else f"not both an IPv{family} address"
        raise UsageError(f"{source.label} and {destination.label} have {wanted}", "Pick other ends or another family")
    order = common if family is None else (family, *(other for other in common if other != family))
    fabric = Fabric(cluster, facts)
    first, *others = [_trace(fabric, facts, source, destination, one) for one in order]
    return msgspec.structs.replace(first, other_family=others[0]) if others else first


def families(source: Endpoint, destination: Endpoint) -> tuple[int, ...]:
    """The IP families that both ends have, that of the source's own address first."""
    order = (6, 4) if ":" in (source.ip or "") else (4, 6)
    return tuple(one for one in order if source.of_family(one) and destination.of_family(one))


def questions(source: Endpoint, destination: Endpoint) -> tuple[Question, ...]:
    """What every node on the way should ask its kernel: the packet of each direction, of each family."""
    asked = []
    for family in families(source, destination):
        one, other = source.of_family(family), destination.of_family(family)
        if one and other and one.ip and other.ip:
            asked += [Question(one.ip, other.ip), Question(other.ip, one.ip)]
    return tuple(asked)


def nodes_on_the_way(source: Endpoint, destination: Endpoint) -> tuple[str, ...]:
    """The nodes that have to be read for a trace, the source's first."""
    return tuple(dict.fromkeys(end.node for end in (source, destination) if end.node))


def detours(trace: Trace) -> tuple[str, ...]:
    """Third nodes that packets go to and that have to be read before the answer is whole."""
    both = (trace, *((trace.other_family,) if trace.other_family is not None else ()))
    return tuple(dict.fromkeys(way.leads_to for one in both for way in one.directions if way.leads_to))


def containers_on(node: str, *ends: Endpoint) -> tuple[str, ...]:
    """One address of each end that has a network namespace of its own on `node`."""
    return tuple(end.ip for end in ends if end.kind == "pod" and end.node == node and end.ip)


def _trace(fabric: Fabric, facts: tuple[NodeFacts, ...], source: Endpoint, destination: Endpoint, family: int) -> Trace:
    start, end = source.of_family(family) or source, destination.of_family(family) or destination
    there = walk(fabric, "forward", start, end)
    seen_as = there.packet.src
    back = walk(fabric, "return", end, start, towards=seen_as if seen_as != start.ip else None)
    directions = (there.finish(), back.finish())
    involved = {start.node, end.node, *(hop.node for way in directions for hop in way.hops)}
    moments = [node.read_at for node in facts if node.name in involved and node.read_at]
    return Trace(
        taken_at=min(moments, default=fabric.cluster.read_at),
        verdict=_verdict(directions),
        source=start,
        destination=end,
        directions=directions,
        policies=_policies(fabric.cluster, start, end),
        unread=_unread(fabric.cluster, facts, involved),
        family=family,
        notes=notes(fabric, start, end),
        readings=tuple(_reading(node) for node in facts if node.name in involved),
    )


def _reading(node: NodeFacts) -> Reading:
    why = ", ".join(part for part in (node.address_source, node.why) if part)
    return Reading(node=node.name, via=node.via, target=node.target, why=why)


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
