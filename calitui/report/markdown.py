"""A trace as Markdown for an incident ticket.

Names and evidence go into code spans and fenced blocks that their own backticks cannot close, prose is escaped: nothing
that came from a cluster can become a link, an image, a heading or HTML in somebody's ticket.
"""

from __future__ import annotations

from calitui.report.escaping import fenced, prose, span
from calitui.report.findings import finding_blocks, mark_line, marks, unchecked_blocks
from calitui.report.proof import proof_blocks
from calitui.report.proved import beside, mark, proof_line, seen_line
from calitui.report.since import Since, since_blocks
from calitui.report.sizes import sizes_blocks
from calitui.report.words import (
    direction_line,
    endpoint_line,
    family_line,
    headers_line,
    moment_line,
    reading_line,
    unread_line,
    verdict_line,
)
from calitui.trace.finding import Finding, Spot
from calitui.trace.path import Direction, Hop, Trace
from calitui.trace.sizes import path_mtu


def as_markdown(trace: Trace, since: Since | None = None) -> str:
    """The trace as GitHub-flavoured Markdown: verdict, ends, causes, each direction's hops, what was not read."""
    blocks = [
        f"## Packet path {span(trace.source.label)} → {span(trace.destination.label)}",
        *([f"**{prose(proof_line(trace))}**"] if trace.proof is not None else []),
        f"**{prose(beside(trace, verdict_line(trace)))}**",
        "\n".join(
            [
                f"- Source: {prose(endpoint_line(trace.source))}",
                f"- Destination: {prose(endpoint_line(trace.destination))}",
                f"- Policies: {prose(trace.policies.sentence or 'not evaluated')}",
                f"- Read: {moment_line(trace.taken_at)}",
                *(f"- Node: {prose(reading_line(reading))}" for reading in trace.readings),
                *(f"- Note: {prose(note)}" for note in trace.notes),
                *([f"- Other family: {prose(family_line(trace))}"] if trace.other_family is not None else []),
            ]
        ),
    ]
    if trace.findings:
        blocks.append("### Findings")
        for finding in trace.findings:
            blocks += finding_blocks(finding)
    blocks += proof_blocks(trace)
    belongs = marks(trace.findings)
    for direction in trace.directions:
        blocks += _direction(trace, direction, belongs)
    if trace.unread:
        blocks.append("### Not read")
        lines = (unread_line(missing.node, missing.what, missing.reason) for missing in trace.unread)
        blocks.append("\n".join(f"- {prose(line)}" for line in lines))
    blocks += unchecked_blocks(trace.unchecked)
    if since is not None:
        blocks += since_blocks(since, trace)
    return "\n\n".join(blocks) + "\n"


def _direction(trace: Trace, direction: Direction, belongs: dict[Spot, list[Finding]]) -> list[str]:
    title = direction_line(direction)
    blocks = [f"### {prose(title[:1].upper() + title[1:])}"]
    if not direction.hops:
        return [*blocks, "No hop is known."]
    rows = ["| # | step | node | device | route | evidence | MTU |", "|--:|---|---|---|---|---|--:|"]
    if trace.proof is not None:
        rows = [
            "| # | step | node | device | route | predicted | observed | MTU |",
            "|--:|---|---|---|---|---|---|--:|",
        ]
    findings = {hop.number: belongs.get(Spot(direction.name, hop.number), []) for hop in direction.hops}
    rows += [_row(hop, findings[hop.number], proved=trace.proof is not None) for hop in direction.hops]
    blocks.append("\n".join(rows))
    for hop in direction.hops:
        blocks += _detail(hop, findings[hop.number], seen_line(trace, direction, hop))
    return blocks + sizes_blocks(path_mtu(direction))


def _row(hop: Hop, findings: list[Finding], *, proved: bool) -> str:
    ends = f", {hop.ends.value}" if hop.ends is not None else ""
    cells = [
        str(hop.number),
        f"{hop.step.value}{ends}" + "".join(f", **{span(finding.code, cell=True)}**" for finding in findings),
        span(hop.node or "", cell=True),
        span(hop.device or "", cell=True),
        span(hop.route or "", cell=True),
        hop.evidence.value,
        *([_observed(hop)] if proved else []),
        str(hop.mtu) if hop.mtu is not None else "",
    ]
    return "| " + " | ".join(cells) + " |"


def _observed(hop: Hop) -> str:
    words = mark(hop)
    return f"**{words}**" if words == "not seen" else words


def _detail(hop: Hop, findings: list[Finding], seen: str) -> list[str]:
    sentences = [hop.explanation]
    if seen:
        sentences.append(f"{seen[:1].upper()}{seen[1:]}.")
    if hop.reason:
        sentences.append(f"Why: {hop.reason.rstrip('.')}.")
    if hop.disagreement:
        sentences.append(f"Disagreement: {hop.disagreement.rstrip('.')}.")
    sentences += [f"Finding: {mark_line(finding)}." for finding in findings]
    said = " ".join(prose(sentence) for sentence in sentences if sentence)
    blocks = [f"**Hop {hop.number}, {hop.step.value}.** {said}".rstrip()]
    lines = [f"packet: {headers_line(hop.packet)}"] if hop.packet else []
    lines += hop.lines
    if hop.check:
        lines.append(f"$ {hop.check}")
    if lines:
        blocks.append(fenced(lines))
    return blocks
