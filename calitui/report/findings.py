"""Findings in each form, the same in traces and in audits: text, Markdown and JSON.

A finding is told whole: what is wrong, where it shows, the lines that prove it, what to type, and what else follows
from it. What could not be looked for is never left out: it is counted by the reason.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from calitui.facts.text import clean
from calitui.report.escaping import fenced, prose, span
from calitui.report.page import INDENT, LABEL, Page
from calitui.report.words import counted, listed, title
from calitui.trace.finding import Finding, Severity, Spot, Unchecked

MOST_REASONS = 12
"""Lines of what could not be looked for before the rest is counted."""
STYLE = {Severity.ERROR: "bold red", Severity.WARNING: "bold yellow", Severity.INFO: "bold"}


class SpotReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A hop where a finding shows."""

    direction: str
    number: int


class FindingReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A cause. `severity` is `error`, `warning` or `info`.

    `subject` is the prefix, device, pod or peer it is about; `fix` has a line per command or setting; `affected` are
    other nodes that suffer; `hops` is empty outside of a trace; `consequences` are sentences.
    """

    code: str
    severity: str
    node: str | None
    summary: str
    evidence: tuple[str, ...]
    fix: str | None
    subject: str | None
    reference: str | None
    affected: tuple[str, ...]
    hops: tuple[SpotReport, ...]
    consequences: tuple[str, ...]


class UncheckedReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A cause that could not be looked for; `node` is null for the whole cluster."""

    code: str
    node: str | None
    reason: str


def finding_report(finding: Finding) -> FindingReport:
    """The finding as scripts read it."""
    return FindingReport(
        code=clean(finding.code),
        severity=clean(finding.severity),
        node=_text(finding.node),
        summary=clean(finding.summary),
        evidence=tuple(clean(line) for line in finding.evidence),
        fix="\n".join(clean(line) for line in finding.fix) or None,
        subject=_text(finding.subject),
        reference=_text(finding.reference),
        affected=tuple(clean(node) for node in finding.affected),
        hops=tuple(SpotReport(clean(spot.direction), spot.number) for spot in finding.hops),
        consequences=tuple(clean(sentence) for sentence in finding.consequences),
    )


def unchecked_report(unchecked: Unchecked) -> UncheckedReport:
    """The same of a cause that could not be looked for."""
    return UncheckedReport(clean(unchecked.code), _text(unchecked.node), clean(unchecked.reason))


def finding_line(finding: Finding) -> str:
    """A finding in one line: `error pod-route-missing on k8s-calico3: the node has no route to ...`."""
    where = f" on {finding.node}" if finding.node else ""
    return clean(f"{finding.severity} {finding.code}{where}: {finding.summary}")


def spots_line(spots: Iterable[Spot]) -> str:
    """Where on the path it shows: `forward hop 4, return hop 7`."""
    return ", ".join(f"{clean(spot.direction)} hop {spot.number}" for spot in spots)


def marks(findings: Iterable[Finding]) -> dict[Spot, list[Finding]]:
    """The findings of each hop."""
    found: dict[Spot, list[Finding]] = {}
    for finding in findings:
        for spot in finding.hops:
            found.setdefault(spot, []).append(finding)
    return found


def mark_line(finding: Finding) -> str:
    """What a hop says of its finding: `error pod-route-missing, the node has no route to the pod`."""
    words = title(finding.code)
    return clean(f"{finding.severity} {finding.code}") + (f", {words}" if words else "")


def unchecked_lines(unchecked: Iterable[Unchecked]) -> list[str]:
    """What could not be looked for, a line per reason, the first line the count; empty if nothing.

    `7 causes could not be looked for`, `k8s-calico3: not read: bird-not-running, ... and 4 more`.
    """
    reasons: dict[str, tuple[dict[str, None], dict[str, None]]] = {}
    for one in unchecked:
        codes, nodes = reasons.setdefault(_without_node(one), ({}, {}))
        codes[one.code] = None
        if one.node:
            nodes[one.node] = None
    if not reasons:
        return []
    total = len({code for codes, _ in reasons.values() for code in codes})
    lines = [f"{counted(total, 'cause')} could not be looked for"]
    for reason, (codes, nodes) in list(reasons.items())[:MOST_REASONS]:
        where = f"{listed(list(nodes))}: " if nodes else ""
        lines.append(f"{where}{clean(reason)}: {listed(list(codes))}")
    if len(reasons) > MOST_REASONS:
        lines.append(f"and for {counted(len(reasons) - MOST_REASONS, 'more reason')}")
    return lines


def _without_node(one: Unchecked) -> str:
    """The reason without the node's name, which would keep equal reasons of many nodes apart."""
    return one.reason.removeprefix(f"{one.node} was ").removesuffix(f" on {one.node}") if one.node else one.reason


def write_finding(page: Page, finding: Finding) -> None:
    """The finding as text: the sentence, then what proves it and what to type, whole lines to copy."""
    page.prose("", finding_line(finding), 2, STYLE[finding.severity])
    if finding.hops:
        page.prose("shows at", spots_line(finding.hops), INDENT)
    for number, line in enumerate(finding.evidence):
        page.verbatim("" if number else "evidence", line, INDENT)
    for number, line in enumerate(finding.fix):
        page.verbatim("" if number else "fix", line, INDENT)
    for number, sentence in enumerate(finding.consequences):
        page.prose("" if number else "so also", sentence, INDENT + (LABEL + 1 if number else 0))
    if finding.affected:
        page.prose("affects", listed(list(finding.affected)), INDENT)
    if finding.reference:
        page.prose("reference", finding.reference, INDENT)


def write_unchecked(page: Page, unchecked: Iterable[Unchecked]) -> None:
    """The closing lines as text."""
    lines = unchecked_lines(unchecked)
    if lines:
        page.line()
    for number, line in enumerate(lines):
        page.prose("", line, 2 if number else 0, "" if number else "bold yellow")


def finding_blocks(finding: Finding) -> list[str]:
    """The finding as Markdown blocks."""
    where = f" on {span(finding.node)}" if finding.node else ""
    shown = f" ({spots_line(finding.hops)})" if finding.hops else ""
    blocks = [f"**{prose(finding.severity)} {span(finding.code)}**{where}{prose(shown)}: {prose(finding.summary)}"]
    if finding.evidence:
        blocks.append(fenced(list(finding.evidence)))
    if finding.fix:
        blocks += ["What mends it:", fenced(list(finding.fix), "sh")]
    if finding.consequences:
        blocks.append("What else follows from it:")
        blocks.append("\n".join(f"- {prose(sentence)}" for sentence in finding.consequences))
    if finding.affected:
        blocks.append(f"Affects: {prose(listed(list(finding.affected)))}")
    if finding.reference:
        blocks.append(f"Reference: {prose(finding.reference)}")
    return blocks


def unchecked_blocks(unchecked: Iterable[Unchecked]) -> list[str]:
    """The closing lines as Markdown blocks."""
    first, *rest = unchecked_lines(unchecked) or [""]
    return [f"{prose(first)}:", "\n".join(f"- {prose(line)}" for line in rest)] if first else []


def _text(text: str | None) -> str | None:
    return clean(text) if text else None
