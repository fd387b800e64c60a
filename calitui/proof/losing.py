"""Where packets were lost, and what may have taken them: the last place that saw them and the first that did not."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from calitui.diagnosis.entry import Entry
from calitui.diagnosis.proof_entries import (
    DROPPED,
    DROPS_IPIP,
    DROPS_PLAIN,
    DROPS_VXLAN,
    LOST,
    REPLY_LOST,
)
from calitui.facts.proof import Proof, RuleCount, SeenHeader
from calitui.proof.observing import OUTWARDS, Scene, passed
from calitui.trace.finding import Finding, Spot
from calitui.trace.path import Hop, Observed, Step, Trace

_DROPS = ("drop", "reject")
MOST_SHOWN = 4


class Loss(msgspec.Struct, frozen=True):
    """Packets passed the hop at position `last` (None: not even the first) and not the one at `at`.

    `unwatched` are the hops between the two that nobody watched.
    """

    last: int | None
    at: int
    unwatched: tuple[Hop, ...] = ()


def loss(scene: Scene, observed: Sequence[Observed]) -> Loss | None:
    """Where a direction's packets were lost, None if that was not seen: of interfaces, the first that they missed."""
    hops = scene.direction.hops
    places = [place for place, hop in enumerate(hops) if hop.step in OUTWARDS]
    last = max((place for place in places if passed(observed[place])), default=None)
    after = [place for place in places if last is None or place > last]
    at = next((place for place in after if observed[place].seen is False), None)
    if at is None:
        return None
    between = tuple(hops[place] for place in after if place < at)
    return Loss(last, at, between)


class Cause(msgspec.Struct, frozen=True):
    """What may have taken the packets: the kind of fault, and the words for it."""

    entry: Entry
    node: str | None
    subject: str
    words: str
    evidence: tuple[str, ...]
    fix: tuple[str, ...]


def finding(scene: Scene, lost: Loss, observed: Sequence[Observed], trace: Trace) -> Finding:
    """The finding about lost packets; replies that are lost are told as such, with the cause of this place."""
    cause = _cause(scene, lost, observed, trace)
    entry, summary = cause.entry, cause.words
    if scene.kind == "reply":
        entry = REPLY_LOST
        summary = f"The requests arrive and are answered, but the replies are lost: {summary[0].lower()}{summary[1:]}"
    found = entry.found(
        cause.node, summary, subject=cause.subject, evidence=cause.evidence, fix=cause.fix, affected=_ends(scene)
    )
    spot = Spot(scene.direction.name, scene.direction.hops[lost.at].number)
    return msgspec.structs.replace(found, hops=(spot,))


def _ends(scene: Scene) -> Iterator[str]:
    yield from (name for name in (scene.source.node, scene.destination.node) if name)


def _cause(scene: Scene, lost: Loss, observed: Sequence[Observed], trace: Trace) -> Cause:
    hops = scene.direction.hops
    at = hops[lost.at]
    last = hops[lost.last] if lost.last is not None else None
    seen = observed[lost.last].headers if lost.last is not None else ()
    evidence = [*_seen_lines(last, observed[lost.last] if lost.last is not None else None), _missed(scene, at)]
    evidence += [f"{one.node} {one.device}: {one.detail}" for one in _errors(scene.proof)]
    if last is not None and lost.unwatched:
        between = ", ".join(f"{hop.node} {hop.device or hop.step.value}" for hop in lost.unwatched)
        words = f"{_left(last, seen)} and never {_came(at)}; in between, {between} was not watched."
        return Cause(LOST, None, at.device or "", words, tuple(evidence), ("calitui trace ... --prove --sudo",))
    if last is not None and last.step is Step.NIC_OUT and at.step is Step.NIC_IN:
        return _underlay(last, at, seen, tuple(evidence))
    return _in_node(scene, last, at, seen, evidence, trace)


def _underlay(last: Hop, at: Hop, seen: tuple[SeenHeader, ...], evidence: tuple[str, ...]) -> Cause:
    entry, what, word = _carrying(seen)
    here, there = (seen[0].src, seen[0].dst) if seen else (last.node or "?", at.node or "?")
    words = f"{_left(last, seen)}, never {_came(at)}: the underlay drops {what}."
    fix = (
        f"# let {word} pass between {here} and {there}: security groups, firewalls and switches between the nodes",
        f"ssh {shlex.quote(at.node or '?')} sudo tcpdump -ni {shlex.quote(at.device or 'any')} host {here}",
    )
    return Cause(entry, None, f"{last.node} to {at.node}", words, evidence, fix)


def _carrying(seen: tuple[SeenHeader, ...]) -> tuple[Entry, str, str]:
    """What the underlay was given: the entry, the words for the sentence, and for a rule that lets it pass."""
    outer = seen[0] if len(seen) > 1 else None
    if outer is None:
        what = f"packets of {seen[0].src}" if seen else "these packets"
        return DROPS_PLAIN, what, "packets with pods' addresses"
    if outer.protocol == "udp":
        return DROPS_VXLAN, f"UDP port {outer.destination_port}", f"UDP port {outer.destination_port} (VXLAN)"
    number = 41 if outer.protocol == "ipv6" else 4
    return DROPS_IPIP, f"protocol {number}", f"IP protocol {number} (IPIP)"


def _in_node(
    scene: Scene, last: Hop | None, at: Hop, seen: tuple[SeenHeader, ...], evidence: list[str], trace: Trace
) -> Cause:
    node = at.node if last is None or last.step in (Step.NIC_IN, Step.TUNNEL_IN) else last.node
    came = "left its sender" if last is None else _left(last, seen)
    words = f"{came} and never {_came(at)}"
    if last is None:
        words = f"Packets were sent and never {_came(at)}"
    rules = _dropping(scene.proof, {name for name in (at.node, node) if name})
    reverse = _reverse_path(scene, last, node, trace)
    fix: list[str] = []
    if _is_gone(scene.proof, at):
        words += f": {_spot(at)} went away meanwhile, as when its pod is deleted."
        evidence = [*evidence, f"{at.node} /proc/net/dev: {at.device} is there before the packets, and not after"]
        fix += ["kubectl get pods -A -o wide  # is it still there, on this node, with this address?"]
    elif rules:
        first = rules[0]
        whose = f" of {first.policy}" if first.policy else ""
        words += f": meanwhile a rule in chain {first.chain}{whose} on {first.node} dropped {_packets(first.packets)}."
        fix += _repair(first)
    elif reverse is not None:
        words += f": {reverse[0]}."
        fix += [f"ssh {shlex.quote(node or '?')} ip route get {seen[0].src if seen else '?'}  # the way back"]
        evidence = [*evidence, *reverse[1]]
    else:
        words += f": {node} drops them, and no counter tells why."
        fix += [f"ssh {shlex.quote(node or '?')} sudo nft list ruleset  # or iptables-save -c, before and after"]
    evidence += [f"{one.node} {one.chain}: {one.text} ({_packets(one.packets)} more)" for one in rules[:MOST_SHOWN]]
    return Cause(DROPPED, node, at.device or "", words, tuple(evidence), tuple(fix))


def _is_gone(proof: Proof, hop: Hop) -> bool:
    """Whether a node's device was there before the probes and not after."""
    found = next((one for one in proof.carried if one.node == hop.node and one.after), None)
    if found is None or hop.device is None or hop.step in (Step.CONTAINER_OUT, Step.CONTAINER_IN):
        return False
    before, after = ({one.device for one in rows} for rows in (found.before, found.after))
    return hop.device in before - after


def _repair(rule: RuleCount) -> Iterator[str]:
    kind, _, name = rule.policy.partition(" ")
    if kind == "policy":
        namespace, slash, policy = name.rpartition("/")
        where = f"-n {shlex.quote(namespace)} networkpolicy" if slash else "globalnetworkpolicy.crd.projectcalico.org"
        yield f"kubectl get {where} {shlex.quote(policy)} -o yaml  # let these packets pass, if they should"
    elif kind == "pod":
        yield f"kubectl get networkpolicy -n {shlex.quote(name.partition('/')[0])}  # those that select the pod"
    else:
        table, _, chain = rule.chain.partition(" ")
        where = f"-t {shlex.quote(table)} -nvL {shlex.quote(chain)}"
        yield f"ssh {shlex.quote(rule.node)} sudo iptables {where} --line-numbers"


def _dropping(proof: Proof, nodes: set[str]) -> list[RuleCount]:
    """Rules that dropped: those that count just what was lost before others, and Calico's end of a tier last."""
    found = [one for one in proof.rules if one.node in nodes and one.verdict in _DROPS and one.packets > 0]
    return sorted(found, key=lambda one: (one.packets != proof.probe.count, one.packets < proof.probe.count))


def _reverse_path(scene: Scene, last: Hop | None, node: str | None, trace: Trace) -> tuple[str, tuple[str, ...]] | None:
    """Why the reverse path filter may have taken the packets, with evidence; None if nothing says so."""
    if last is None or last.step not in (Step.NIC_IN, Step.TUNNEL_IN, Step.VETH_IN):
        return None
    strict = [one for one in trace.findings if one.code == "rp-filter-strict" and one.node == node]
    counted = next((one.reverse_path_drops for one in scene.proof.carried if one.node == node), None)
    if counted:
        words = f"{node}'s reverse path filter (rp_filter) dropped {_packets(counted)} meanwhile"
        return words, (f"{node} /proc/net/netstat IPReversePathFilter: {counted} more", *_lines(strict))
    if strict and counted is None:
        words = f"{node}'s reverse path filter (rp_filter) is strict and its route back to the source is another"
        return words, tuple(_lines(strict))
    return None


def _lines(found: Iterable[Finding]) -> Iterator[str]:
    for one in found:
        yield from one.evidence


def _errors(proof: Proof) -> list[_Said]:
    told = {(one.node, one.detail): one for one in proof.sightings if one.kind == "error" and one.size is None}
    return [_Said(one.node, one.device, f"{one.headers[-1].src} says {one.detail}") for one in told.values()]


class _Said(msgspec.Struct, frozen=True):
    node: str
    device: str
    detail: str


def _seen_lines(hop: Hop | None, observed: Observed | None) -> Iterator[str]:
    if hop is not None and observed is not None:
        yield f"{place(hop)}: {described(observed.headers)} ({_packets(observed.count)})"


def _missed(scene: Scene, hop: Hop) -> str:
    watch = scene.watch(hop.node)
    how = watch.how if watch is not None else "tcpdump"
    return f"{place(hop)}: no packet of the probe ({how})"


def place(hop: Hop) -> str:
    """Where a hop is, for evidence: `k8s-calico2 eth0 out`."""
    where = f"{hop.node} container" if hop.step in (Step.CONTAINER_OUT, Step.CONTAINER_IN) else hop.node
    return f"{where} {hop.device or '?'} {'out' if OUTWARDS.get(hop.step) else 'in'}"


def described(headers: Iterable[SeenHeader]) -> str:
    """Headers in one line: `10.0.0.1 > 10.0.0.2 ipip | 192.168.97.1 > 192.168.210.129 icmp echo request ...`."""
    return " | ".join(
        f"{one.src} > {one.dst} {one.protocol}{f' {one.detail}' if one.detail else ''}" for one in headers
    )


def _left(hop: Hop, seen: tuple[SeenHeader, ...]) -> str:
    """`left k8s-calico2 eth0 as IPIP`."""
    verb = "Left" if OUTWARDS[hop.step] else "Came in to"
    return f"{verb} {_spot(hop)}{_as(seen)}"


def _as(seen: tuple[SeenHeader, ...]) -> str:
    if len(seen) < 2:
        return ""
    return " as VXLAN" if seen[0].protocol == "udp" else " as IPIP"


def _came(hop: Hop) -> str:
    """`arrived at k8s-calico3 eth0`."""
    return f"{'left' if OUTWARDS[hop.step] else 'arrived at'} {_spot(hop)}"


def _spot(hop: Hop) -> str:
    inside = hop.step in (Step.CONTAINER_OUT, Step.CONTAINER_IN)
    return f"{hop.node} {hop.device or '?'}{' in the container' if inside else ''}"


def _packets(count: int) -> str:
    return f"{count} {'packet' if count == 1 else 'packets'}"
