"""An audit as Markdown for an incident ticket; nothing that came from a cluster can leave its code span or block."""

from __future__ import annotations

from calitui.diagnosis.audit import Audit, Reach
from calitui.report.audit_matrix import LEGEND, matrix
from calitui.report.audit_text import MOST_LINES, MOST_WHOLE, REST
from calitui.report.audit_words import by_code, headline, pairs_line, stretches, unread_lines
from calitui.report.escaping import fenced, prose
from calitui.report.findings import finding_blocks, finding_line, unchecked_blocks
from calitui.report.words import counted, listed, moment_line
from calitui.trace.finding import Finding

_MATRIX_WIDTH = 120


def audit_markdown(audit: Audit) -> str:
    """The audit as GitHub-flavoured Markdown: verdict, causes, matrix, who can't reach whom, what was not judged."""
    blocks = [
        "## Audit of the cluster",
        f"**{prose(headline(audit))}**",
        "\n".join(
            [
                f"- Read: {moment_line(audit.taken_at)}",
                f"- Pairs of nodes: {pairs_line(audit)}",
                f"- Pods: {counted(audit.pods, 'pod')} in {counted(audit.blocks, 'block')}",
            ]
        ),
    ]
    if audit.findings:
        blocks.append("### Findings")
        for group in by_code(audit.findings):
            blocks += _group(group)
    if lines := matrix(audit, _MATRIX_WIDTH):
        blocks += ["### Matrix", "Rows send, columns receive.", fenced([*lines, LEGEND])]
    blocks += _stretches(audit, Reach.BROKEN, "Cannot reach")
    blocks += _stretches(audit, Reach.UNKNOWN, "Not judged")
    if unread := unread_lines(audit, MOST_LINES):
        blocks += ["### Not read", "\n".join(f"- {prose(line)}" for line in unread)]
    return "\n\n".join(blocks + unchecked_blocks(audit.unchecked)) + "\n"


def _group(group: list[Finding]) -> list[str]:
    blocks = [block for finding in group[:MOST_WHOLE] for block in finding_blocks(finding)]
    rest = group[MOST_WHOLE:]
    if not rest:
        return blocks
    lines = [f"- {prose(finding_line(finding))}" for finding in rest[:MOST_LINES]]
    if len(rest) > MOST_LINES:
        lines.append(f"- and {len(rest) - MOST_LINES} more; {REST}")
    return [*blocks, f"{counted(len(rest), 'more finding')} of {prose(group[0].code)}:", "\n".join(lines)]


def _stretches(audit: Audit, reach: Reach, title: str) -> list[str]:
    found = stretches(audit, reach)
    if not found:
        return []
    rows = [
        f"| {prose(listed(list(one.sources)))} | {prose(listed(list(one.destinations)))} | {prose(one.why)} |"
        for one in found[:MOST_LINES]
    ]
    blocks = [f"### {title}", "\n".join(["| from | to | why |", "|---|---|---|", *rows])]
    return [*blocks, f"And {len(found) - MOST_LINES} more; {REST}."] if len(found) > MOST_LINES else blocks
