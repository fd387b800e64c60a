"""A trace as Markdown for an incident ticket.

Names and evidence go into code spans and fenced blocks that their own backticks cannot close, prose is escaped: nothing
that came from a cluster can become a link, an image, a heading or HTML in somebody's ticket.
"""

from __future__ import annotations

import re

from calitui.facts.text import clean
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
from calitui.trace.finding import Finding
from calitui.trace.path import Direction, Hop, Trace

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!&$])")
_LEADING = re.compile(r"^([-+=]|\d+[.)])")
_BACKTICKS = re.compile(r"`+")
_URL = re.compile(r"(?i)(https?|ftp)://|(www)\.")


def as_markdown(trace: Trace) -> str:
    """The trace as GitHub-flavoured Markdown: verdict, ends, each direction's hops and evidence, what was not read."""
    blocks = [
        f"## Packet path {span(trace.source.label)} → {span(trace.destination.label)}",
        f"**{prose(verdict_line(trace))}**",
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
    for direction in trace.directions:
        blocks += _direction(direction)
    if trace.findings:
        blocks.append("### Findings")
        for finding in trace.findings:
            blocks += _finding(finding)
    if trace.unread:
        blocks.append("### Not read")
        lines = (unread_line(missing.node, missing.what, missing.reason) for missing in trace.unread)
        blocks.append("\n".join(f"- {prose(line)}" for line in lines))
    return "\n\n".join(blocks) + "\n"


def prose(text: str) -> str:
    """`text` as one line that Markdown prints as it is, links included."""
    escaped = _SPECIAL.sub(r"\\\1", clean(text))
    escaped = _LEADING.sub(lambda match: match[1][:-1] + "\\" + match[1][-1], escaped)
    return _URL.sub(lambda match: f"{match[1]}\\://" if match[1] else f"{match[2]}\\.", escaped)


def span(text: str, *, cell: bool = False) -> str:
    """`text` in a code span that it can't leave; `cell` also keeps it inside its table cell."""
    words = clean(text)
    if not words:
        return ""
    fence = "`" * (_longest_run(words) + 1)
    padding = " " if words[0] in "` " or words[-1] in "` " else ""
    return f"{fence}{padding}{words.replace('|', chr(92) + '|') if cell else words}{padding}{fence}"


def fenced(lines: list[str]) -> str:
    """`lines` verbatim in a fenced block that none of them can close."""
    body = [clean(line) for line in lines]
    fence = "`" * max(3, *(_longest_run(line) + 1 for line in body))
    return "\n".join([f"{fence}text", *body, fence])


def _longest_run(text: str) -> int:
    return max((len(run) for run in _BACKTICKS.findall(text)), default=0)


def _direction(direction: Direction) -> list[str]:
    title = direction_line(direction)
    blocks = [f"### {prose(title[:1].upper() + title[1:])}"]
    if not direction.hops:
        return [*blocks, "No hop is known."]
    rows = ["| # | step | node | device | route | evidence | MTU |", "|--:|---|---|---|---|---|--:|"]
    rows += [_row(hop) for hop in direction.hops]
    blocks.append("\n".join(rows))
    for hop in direction.hops:
        blocks += _detail(hop)
    return blocks


def _row(hop: Hop) -> str:
    ends = f", {hop.ends.value}" if hop.ends is not None else ""
    cells = [
        str(hop.number),
        f"{hop.step.value}{ends}",
        span(hop.node or "", cell=True),
        span(hop.device or "", cell=True),
        span(hop.route or "", cell=True),
        hop.evidence.value,
        str(hop.mtu) if hop.mtu is not None else "",
    ]
    return "| " + " | ".join(cells) + " |"


def _detail(hop: Hop) -> list[str]:
    sentences = [hop.explanation]
    if hop.reason:
        sentences.append(f"Why: {hop.reason.rstrip('.')}.")
    if hop.disagreement:
        sentences.append(f"Disagreement: {hop.disagreement.rstrip('.')}.")
    said = " ".join(prose(sentence) for sentence in sentences if sentence)
    blocks = [f"**Hop {hop.number}, {hop.step.value}.** {said}".rstrip()]
    lines = [f"packet: {headers_line(hop.packet)}"] if hop.packet else []
    lines += hop.lines
    if hop.check:
        lines.append(f"$ {hop.check}")
    if lines:
        blocks.append(fenced(lines))
    return blocks


def _finding(finding: Finding) -> list[str]:
    where = f" on {span(finding.node)}" if finding.node else ""
    blocks = [f"**{prose(finding.severity)} {span(finding.code)}**{where}: {prose(finding.summary)}"]
    if finding.evidence:
        blocks.append(fenced(list(finding.evidence)))
    if finding.fix:
        blocks += ["Fix:", fenced(list(finding.fix))]
    return blocks
