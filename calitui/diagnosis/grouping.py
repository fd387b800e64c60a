"""One cause, one finding: what follows from another finding is told under it, and the worst comes first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from calitui.diagnosis.entry import Entry
from calitui.trace.finding import Finding, Severity

Key = tuple[str, str | None, str]
"""What makes a finding one of its own: code, node, subject."""

_BADNESS = {Severity.ERROR: 0, Severity.WARNING: 1, Severity.INFO: 2}
MOST_TOLD = 20
"""Consequences that are written out; a dead node of a large cluster has thousands."""


class Grouped(msgspec.Struct, frozen=True):
    """Findings in the order to tell them, every finding there was, and the position of the one each is told in."""

    findings: tuple[Finding, ...]
    every: tuple[Finding, ...]
    positions: dict[Key, int]


def group(findings: Iterable[Finding], catalogue: Mapping[str, Entry]) -> Grouped:
    """Put findings under those that explain them, and order what is left: the worst first, then closest to the cause.

    A finding explains another if its entry says so of the code, and its node is the other's node or among those that
    the other affects (one without a node explains all). What is explained makes it as severe as itself.
    """
    rank = {code: number for number, code in enumerate(catalogue)}
    once: dict[Key, Finding] = {}
    for finding in findings:
        once.setdefault(key(finding), finding)
    ordered = sorted(once.values(), key=lambda one: (rank.get(one.code, len(rank)), _BADNESS[one.severity]))
    roots: dict[Key, Key] = {}
    explainers: dict[tuple[str, str | None], Key] = {}
    for finding in ordered:
        own = key(finding)
        touched = (finding.node, *finding.affected, None)
        cause = next((found for name in touched if (found := explainers.get((finding.code, name)))), None)
        roots[own] = own if cause is None else cause
        entry = catalogue.get(finding.code)
        for code in entry.explains if entry is not None else ():
            explainers.setdefault((code, finding.node), roots[own])
    following: dict[Key, list[Finding]] = {root: [] for root in roots.values()}
    for own, root in roots.items():
        if own != root:
            following[root].append(once[own])
    told = [_with_consequences(once[root], others) for root, others in following.items()]
    told.sort(key=lambda one: (_BADNESS[one.severity], rank.get(one.code, len(rank)), one.node or "", one.subject))
    places = {key(finding): position for position, finding in enumerate(told)}
    return Grouped(tuple(told), tuple(ordered), {own: places[root] for own, root in roots.items()})


def key(finding: Finding) -> Key:
    """What tells a finding from others."""
    return finding.code, finding.node, finding.subject


def _with_consequences(cause: Finding, others: list[Finding]) -> Finding:
    if not others:
        return cause
    worst = min((cause.severity, *(other.severity for other in others)), key=_BADNESS.__getitem__)
    told = [other.summary for other in others[:MOST_TOLD]]
    if len(others) > MOST_TOLD:
        told.append(f"and {len(others) - MOST_TOLD} more")
    affected = dict.fromkeys((*cause.affected, *(name for one in others for name in (one.node, *one.affected) if name)))
    affected.pop(cause.node or "", None)
    return msgspec.structs.replace(cause, severity=worst, consequences=tuple(told), affected=tuple(affected))
