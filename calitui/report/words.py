"""The words of a verdict, shared by every front end so that all of them say the same.

A verdict is worded, never only coloured, and says what it rests on: how many hops are inferred, where kernel and tables
disagree, that policies were not evaluated. Why a path is broken is only said where a finding is about that very hop.
"""

from __future__ import annotations

from datetime import UTC, datetime

from calitui.diagnosis.catalogue import CATALOGUE
from calitui.facts.text import clean
from calitui.trace.finding import Finding, Severity, Spot
from calitui.trace.path import (
    Direction,
    Disposition,
    Encapsulation,
    Endpoint,
    Evidence,
    Header,
    Hop,
    Policies,
    Reading,
    Step,
    Trace,
    Verdict,
)

SEPARATOR = " · "
_HARMLESS = (Disposition.DELIVERED, Disposition.UNKNOWN)
MOST_NAMES = 3
"""Names written out before the rest is counted."""

_ENCAPSULATION = {
    Encapsulation.NONE: "no encapsulation",
    Encapsulation.IPIP: "IPIP",
    Encapsulation.VXLAN: "VXLAN",
    Encapsulation.WIREGUARD: "WireGuard",
}


def verdict_line(trace: Trace) -> str:
    """Both directions in one line: `delivered both ways · IPIP · path MTU 1480 · 2 hops inferred · routing only`.

    With findings the first error is in it: `broken: forward blackhole at hop 9 on n3 · why: no route to the pod
    (pod-route-missing) · return delivered · 1 warning`.
    """
    cause = [words] if (words := cause_words(trace)) else []
    more = _further(trace) + _doubts(trace.directions)
    if trace.verdict is Verdict.DELIVERED:
        parts = ["delivered both ways", *_carriage(trace), *cause]
    elif trace.verdict is Verdict.BROKEN:
        worst = _worst_first(trace)
        failing = [way for way in worst if way.disposition not in _HARMLESS]
        parts = ["broken: " + SEPARATOR.join(_outcome(trace, way) for way in failing or worst)]
        parts += cause + [_outcome(trace, way) for way in worst if failing and way not in failing]
    else:
        undecided = [way for way in trace.directions if way.disposition is Disposition.UNKNOWN]
        parts = ["unknown: " + _why_unknown(trace, undecided)]
        parts += [_outcome(trace, way) for way in trace.directions if way not in undecided]
        parts += cause
    return SEPARATOR.join([*parts, *more, *_policies(trace.policies)])


def cause_words(trace: Trace) -> str:
    """The first error among the findings in a few words, "" if there is none.

    `why:` only before an error about the hop where the path ends, `but:` where the routes deliver all the same, else
    `found:`.
    """
    errors = _errors(trace)
    because = next((finding for finding in errors if _explains(finding, trace)), None)
    if because is not None:
        return f"why: {named(because)}"
    if not errors:
        return ""
    return f"{'but' if trace.verdict is Verdict.DELIVERED else 'found'}: {named(errors[0])}"


def named(finding: Finding) -> str:
    """A finding in a few words: `the node has no route to the pod (pod-route-missing)`."""
    words = title(finding.code)
    return f"{words} ({clean(finding.code)})" if words else clean(finding.code)


def title(code: str) -> str:
    """The few words that the catalogue has for a code; "" for one that it does not know."""
    entry = CATALOGUE.get(code)
    return clean(entry.title).rstrip(".") if entry is not None else ""


def direction_line(direction: Direction) -> str:
    """One direction in one line: `forward: delivered · IPIP · path MTU 1480 · 2 hops inferred`."""
    parts = [f"{clean(direction.name)}: {_ending(direction)}", _ENCAPSULATION[direction.encapsulation]]
    if direction.path_mtu is not None:
        parts.append(f"path MTU {direction.path_mtu}")
    elif direction.disposition is Disposition.DELIVERED:
        parts.append("path MTU unknown")
    return SEPARATOR.join(parts + _doubts((direction,)))


def endpoint_line(endpoint: Endpoint) -> str:
    """Who an end is: `pod huang1/web on k8s-calico2, 192.168.97.1`."""
    kind = "outside address" if endpoint.kind == "external" else clean(endpoint.kind.replace("-", " "))
    words = f"{kind} {clean(endpoint.label)}"
    if endpoint.node:
        words += f" on {clean(endpoint.node)}"
    if endpoint.ip and endpoint.name:
        words += f", {clean(endpoint.ip)}"
    return words


def headers_line(packet: tuple[Header, ...]) -> str:
    """The packet's headers, outermost first: `ipip 10.0.0.1 > 10.0.0.2 [ any 192.168.0.1 > 192.168.1.1 ]`."""
    words = [
        clean(f"{header.protocol} {header.src} > {header.dst}" + (f" {header.detail}" if header.detail else ""))
        for header in packet
    ]
    return " [ ".join(words) + " ]" * (len(words) - 1)


def next_hops_line(hop: Hop) -> str:
    """The equal next hops of a route: `10.0.0.12 dev eth0 (the kernel's choice), 10.0.0.1 dev eth0`; "" for one."""
    words = []
    for choice in hop.next_hops:
        via = f"{choice.gateway} dev {choice.device}" if choice.gateway else f"dev {choice.device}"
        words.append(clean(via) + (" (the kernel's choice)" if choice.chosen else ""))
    return ", ".join(words)


def reading_line(reading: Reading) -> str:
    """How a node was read: `k8s-calico2 by ssh, calitui@10.173.32.23:22 (ssh config)`."""
    words = f"{reading.node} by {reading.via}" + (f", {reading.target}" if reading.target else "")
    return clean(words + (f" ({reading.why})" if reading.why else ""))


def family_line(trace: Trace) -> str:
    """What the pair's other IP family says, in one line; "" where there is none."""
    other = trace.other_family
    return f"IPv{other.family}: {verdict_line(other)}" if other is not None else ""


def moment(seconds: float) -> datetime | None:
    """A time of the facts in UTC to the second, or None where it is not known (0) or absurd."""
    if seconds <= 0:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=0)
    except (OverflowError, OSError, ValueError):
        return None


def moment_line(seconds: float) -> str:
    """A time of the facts for a person."""
    when = moment(seconds)
    return when.strftime("%Y-%m-%d %H:%M:%S UTC") if when else "at an unknown time"


def unread_line(node: str | None, what: str, reason: str) -> str:
    """One thing that was not read: `k8s-calico3: routes: connection refused`."""
    return ": ".join(clean(part) for part in (node, what, reason) if part)


def counted(number: int, noun: str) -> str:
    """`1 hop`, `2 hops`, `3 policies`."""
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{number} {noun if number == 1 else plural}"


def listed(names: list[str]) -> str:
    """`a, b, c and 4 more`."""
    shown = ", ".join(clean(name) for name in names[:MOST_NAMES])
    return f"{shown} and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else shown


def _ending(direction: Direction) -> str:
    hop = next((hop for hop in reversed(direction.hops) if hop.ends is not None), None)
    if direction.disposition is Disposition.DELIVERED or hop is None:
        return direction.disposition.value
    return f"{direction.disposition.value} at {_place(hop)}"


def _outcome(trace: Trace, direction: Direction) -> str:
    if direction.disposition is Disposition.UNKNOWN:
        return f"{clean(direction.name)} unknown: {_why_unknown(trace, [direction])}"
    return f"{clean(direction.name)} {_ending(direction)}"


def _worst_first(trace: Trace) -> list[Direction]:
    return sorted(trace.directions, key=lambda way: way.disposition in _HARMLESS)


def _errors(trace: Trace) -> list[Finding]:
    return [finding for finding in trace.findings if finding.severity is Severity.ERROR]


def _further(trace: Trace) -> list[str]:
    """How many errors there are beside the one that is named, and how many warnings."""
    errors = len(_errors(trace)) - 1
    warnings = sum(finding.severity is Severity.WARNING for finding in trace.findings)
    words = [counted(errors, "more error")] if errors > 0 else []
    return words + ([counted(warnings, "warning")] if warnings else [])


def _explains(finding: Finding, trace: Trace) -> bool:
    """Whether a finding is about a hop at which a direction fails: it shows there, or it is the node's or hits it."""
    if trace.verdict is not Verdict.BROKEN:
        return False
    ends = [(way, hop) for way in trace.directions if way.disposition not in _HARMLESS for hop in way.hops if hop.ends]
    if finding.hops:
        return any(Spot(way.name, hop.number) in finding.hops for way, hop in ends)
    return any(hop.node is not None and hop.node in (finding.node, *finding.affected) for _, hop in ends)


def _why_unknown(trace: Trace, undecided: list[Direction]) -> str:
    closed = [hop for way in undecided for hop in way.hops if hop.evidence is Evidence.NOT_READ]
    seen = {hop.node for way in trace.directions for hop in way.hops if _is_read(hop)}
    nodes = list(dict.fromkeys(hop.node for hop in closed if hop.node and hop.node not in seen))
    if nodes:
        return f"{listed(nodes)} not read"
    if closed:
        return f"{_place(closed[0])} not read"
    if all(way.hops for way in undecided) and undecided:
        return " and ".join(_indecision(trace, way) for way in undecided)
    if nodes := list(dict.fromkeys(missing.node for missing in trace.unread if missing.node)):
        return f"{listed(nodes)} not read"
    if trace.unread:
        return f"{listed([missing.what for missing in trace.unread])} not read"
    return " and ".join(clean(way.name) for way in undecided or trace.directions) + " not decided"


def _indecision(trace: Trace, direction: Direction) -> str:
    name = clean(direction.name)
    start, end = (trace.source, trace.destination) if direction is trace.forward else (trace.destination, trace.source)
    last = direction.hops[-1]
    if end.kind == "external" and last.step is Step.NIC_OUT:
        return f"{name} leaves the cluster at {_place(last)}"
    if start.kind == "external" and direction.blind_at == 1:
        return f"{name} comes from outside of the cluster"
    return f"{name} not decided at {_place(_undecided(direction))}"


def _undecided(direction: Direction) -> Hop:
    """The hop from which on nothing is certain: the first that could not be read whole, else the last."""
    return next((hop for hop in direction.hops if hop.number == direction.blind_at), direction.hops[-1])


def _is_read(hop: Hop) -> bool:
    return hop.evidence in (Evidence.KERNEL, Evidence.TABLE, Evidence.OBSERVED)


def _place(hop: Hop) -> str:
    return f"hop {hop.number}" + (f" on {clean(hop.node)}" if hop.node else "")


def _carriage(trace: Trace) -> list[str]:
    kinds = [_ENCAPSULATION[way.encapsulation] for way in trace.directions]
    mtus = [str(way.path_mtu) if way.path_mtu is not None else "unknown" for way in trace.directions]
    names = [clean(way.name) for way in trace.directions]
    return [_both(kinds, names), "path MTU " + _both(mtus, names)]


def _both(values: list[str], names: list[str]) -> str:
    if len(set(values)) == 1:
        return values[0]
    return ", ".join(f"{value} {name}" for value, name in zip(values, names, strict=True))


def _doubts(directions: tuple[Direction, ...]) -> list[str]:
    doubts = []
    if inferred := sum(way.inferred for way in directions):
        doubts.append(f"{counted(inferred, 'hop')} inferred")
    hops = [hop for way in directions for hop in way.hops]
    if sum(hop.evidence is Evidence.NOT_READ for hop in hops) and all(
        way.disposition is Disposition.DELIVERED for way in directions
    ):
        doubts.append(f"{counted(sum(hop.evidence is Evidence.NOT_READ for hop in hops), 'hop')} not read")
    if disagreements := sum(hop.disagreement is not None for hop in hops):
        doubts.append(f"kernel and tables disagree at {counted(disagreements, 'hop')}")
    return doubts


def _policies(policies: Policies) -> list[str]:
    if policies.evaluated:
        return []
    if policies.count is None:
        return ["routing only (policies not read)"]
    if policies.count == 0:
        return ["routing only (no policies found)"]
    return [f"routing only ({counted(policies.count, 'policy')} not evaluated)"]
