"""The words of an audit: its verdict, its headline, and who can't reach whom in as few lines as it takes.

One broken node of a thousand breaks two thousand pairs: pairs that share a cause are told by the node they have in
common.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from enum import StrEnum

import msgspec

from calitui.diagnosis.audit import Audit, Reach
from calitui.facts.text import clean
from calitui.report.words import SEPARATOR, counted, listed, named
from calitui.trace.finding import Finding, Severity


class AuditVerdict(StrEnum):
    """All of an audit in a word."""

    OK = "ok"
    """Every node was read, no error was found, no pair is broken or unknown."""
    BROKEN = "broken"
    """An error was found, or a pair is broken."""
    UNKNOWN = "unknown"
    """Nothing is known to be broken, but a node or a pair could not be judged."""


class Pair(msgspec.Struct, frozen=True):
    """From one node to another, by name, that is not OK. `codes` are of the findings that say why."""

    source: str
    destination: str
    reach: Reach
    codes: tuple[str, ...]
    reason: str


class Stretch(msgspec.Struct, frozen=True):
    """Pairs of one cause that have a node in common: one source and its destinations, or the other way round."""

    sources: tuple[str, ...]
    destinations: tuple[str, ...]
    why: str


def verdict(audit: Audit) -> AuditVerdict:
    """The whole cluster in a word."""
    if audit.count(Reach.BROKEN) or any(finding.severity is Severity.ERROR for finding in audit.findings):
        return AuditVerdict.BROKEN
    judged = audit.complete and audit.nodes and all(node in audit.read for node in audit.nodes)
    return AuditVerdict.OK if judged and not audit.count(Reach.UNKNOWN) else AuditVerdict.UNKNOWN


def headline(audit: Audit) -> str:
    """The audit in one line: `broken: 6 of 12 pairs of nodes · why: BIRD does not run (bird-not-running) · ...`."""
    errors = [finding for finding in audit.findings if finding.severity is Severity.ERROR]
    warnings = sum(finding.severity is Severity.WARNING for finding in audit.findings)
    said = verdict(audit)
    parts = [f"{said.value}: {_first_words(audit, said, errors)}"]
    if errors and audit.count(Reach.BROKEN):
        because = _because(audit)
        parts.append(f"why: {named(because)}" if because is not None else f"found: {named(errors[0])}")
    if len(errors) > 1:
        parts.append(counted(len(errors) - 1, "more error"))
    if warnings:
        parts.append(counted(warnings, "warning"))
    if said is AuditVerdict.BROKEN and (unknown := audit.count(Reach.UNKNOWN)):
        parts.append(f"{counted(unknown, 'pair')} unknown")
    parts.append(f"{len(audit.read)} of {counted(len(audit.nodes), 'node')} read")
    return SEPARATOR.join([*parts, *([] if audit.complete else ["not complete"]), "routing only"])


def pairs_line(audit: Audit) -> str:
    """How many ordered pairs of nodes are how: `10 ok, 2 broken, 0 unknown`."""
    kinds = ((Reach.OK, "ok"), (Reach.BROKEN, "broken"), (Reach.UNKNOWN, "unknown"))
    return ", ".join(f"{audit.count(reach)} {word}" for reach, word in kinds)


def pairs(audit: Audit, *reaches: Reach) -> Iterator[Pair]:
    """The pairs that are like one of `reaches`, in the order of the matrix."""
    wanted = {reach.value: reach for reach in reaches}
    for source, row in enumerate(audit.rows):
        if any(mark in row for mark in wanted):
            for destination, mark in enumerate(row):
                if mark in wanted:
                    yield _pair(audit, source, destination, wanted[mark])


def stretches(audit: Audit, reach: Reach) -> list[Stretch]:
    """The pairs that are like `reach`, those with a cause and a node in common together, the longest first."""
    groups: dict[str, list[tuple[int, int]]] = {}
    words: dict[tuple[int, ...], str] = {}
    for source, row in enumerate(audit.rows):
        for destination, mark in enumerate(row) if reach.value in row else ():
            if mark == reach.value:
                at = (source, destination)
                causes = audit.causes.get(at, ())
                if causes not in words:
                    words[causes] = ", ".join(_codes(audit, causes))
                why = words[causes] or audit.reasons.get(at) or "the reason is not known"
                groups.setdefault(why, []).append(at)
    names = [clean(node) for node in audit.nodes]
    found = [stretch for why, members in groups.items() for stretch in _joined(clean(why), members, names)]
    return sorted(found, key=lambda one: -len(one.sources) * len(one.destinations))


def by_code(findings: tuple[Finding, ...]) -> list[list[Finding]]:
    """Findings of one code and severity together, in the order in which the first of each came."""
    groups: dict[tuple[str, Severity], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.code, finding.severity), []).append(finding)
    return list(groups.values())


def unread_lines(audit: Audit, most: int) -> list[str]:
    """What was not read, nodes that were not read at all first, at most so many lines."""
    whole = [missing for missing in audit.unread if missing.node and missing.node not in audit.read]
    part = [missing for missing in audit.unread if not missing.node or missing.node in audit.read]
    told = {missing.node for missing in whole}
    silent = [node for node in audit.nodes if node not in audit.read and node not in told]
    lines = [": ".join(clean(word) for word in (one.node, one.what, one.reason) if word) for one in (*whole, *part)]
    lines[len(whole) : len(whole)] = [f"{clean(node)}: no facts of it" for node in silent]
    return [*lines[:most], f"and {len(lines) - most} more"] if len(lines) > most else lines


def _first_words(audit: Audit, said: AuditVerdict, errors: list[Finding]) -> str:
    total = sum(audit.count(reach) for reach in (Reach.OK, Reach.BROKEN, Reach.UNKNOWN))
    if broken := audit.count(Reach.BROKEN):
        return f"{broken} of {counted(total, 'pair')} of nodes"
    if errors:
        return named(errors[0])
    if said is AuditVerdict.OK:
        if not total:
            return "no node has pods' addresses to route to"
        return f"all {counted(total, 'pair')} of nodes can route" if total > 1 else "the 1 pair of nodes can route"
    if not audit.nodes:
        return "no node is known"
    if unknown := audit.count(Reach.UNKNOWN):
        return f"{unknown} of {counted(total, 'pair')} of nodes"
    unread = [node for node in audit.nodes if node not in audit.read]
    return f"{listed(unread)} not read" if unread else "not every node is read yet"


def _because(audit: Audit) -> Finding | None:
    """The finding that breaks pairs and comes first."""
    broken = (at for pair, causes in audit.causes.items() if audit.reach(*pair) is Reach.BROKEN for at in causes)
    first = min(broken, default=len(audit.findings))
    return audit.findings[first] if first < len(audit.findings) else None


def _pair(audit: Audit, source: int, destination: int, reach: Reach) -> Pair:
    codes = _codes(audit, audit.causes.get((source, destination), ()))
    reason = clean(audit.reasons.get((source, destination), ""))
    return Pair(clean(audit.nodes[source]), clean(audit.nodes[destination]), reach, codes, reason)


def _codes(audit: Audit, causes: tuple[int, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(clean(audit.findings[at].code) for at in causes if at < len(audit.findings)))


def _joined(why: str, members: list[tuple[int, int]], names: list[str]) -> Iterator[Stretch]:
    outward = Counter(source for source, _ in members)
    inward = Counter(destination for _, destination in members)
    rows: dict[int, list[str]] = {}
    columns: dict[int, list[str]] = {}
    for source, destination in members:
        if outward[source] >= inward[destination]:
            rows.setdefault(source, []).append(names[destination])
        else:
            columns.setdefault(destination, []).append(names[source])
    yield from (Stretch((names[source],), tuple(others), why) for source, others in rows.items())
    yield from (Stretch(tuple(others), (names[destination],), why) for destination, others in columns.items())
