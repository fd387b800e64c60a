"""What the mesh screen says in words: the headline, the worst finding, and one pair both ways.

This module must not know widgets.
"""

from __future__ import annotations

from collections.abc import Iterable

from textual.content import Content

from calitui.diagnosis.audit import Audit, Reach
from calitui.facts.cluster import Pod
from calitui.facts.text import clean
from calitui.trace.finding import Finding
from calitui.tui.blocks import labelled, page, plain
from calitui.tui.findings.describe import STYLES, headed
from calitui.tui.mesh.grid import short_names
from calitui.tui.text import count, crop_middle

MARKS = {Reach.OK: "·", Reach.BROKEN: "✖", Reach.UNKNOWN: "?", Reach.ITSELF: "─", Reach.NOTHING: "─"}
WORDS = {
    Reach.OK: "ok",
    Reach.BROKEN: "broken",
    Reach.UNKNOWN: "unknown",
    Reach.ITSELF: "itself",
    Reach.NOTHING: "no block",
}
REACH_STYLES = {Reach.OK: "$good", Reach.BROKEN: "bold $bad", Reach.UNKNOWN: "bold $warn"}
LEGEND = (
    ("·", "the row's node can route to the column's node"),
    ("✖", "it can't: packets to pods there are lost"),
    ("?", "not known: something that decides it was not read"),
    ("─", "the node itself, or a node without any block: nothing to route to"),
    ("◆ ◇", "the node that the selected finding is about; the nodes that suffer from it"),
)


def tally(audit: Audit) -> list[Content]:
    """`4 of 4 nodes read · pairs ✖ 2 broken · ? 1 unknown · ✔ 9 ok`."""
    parts = [Content.styled(f"{len(audit.read):,} of {count(len(audit.nodes), 'node')} read", "bold")]
    for reach in (Reach.BROKEN, Reach.UNKNOWN, Reach.OK):
        number = audit.count(reach)
        if number or reach is Reach.OK:
            mark = "✔" if reach is Reach.OK else MARKS[reach]
            words = f"{mark} {number:,} {WORDS[reach]}"
            parts.append(Content.assemble("pairs " if len(parts) == 1 else "", (words, REACH_STYLES[reach])))
    return parts


def worst(audit: Audit) -> list[Content]:
    """The first finding, or that there is none and how far that goes."""
    if audit.findings:
        first = audit.findings[0]
        node = f" on {clean(first.node)}" if first.node else ""
        told = Content.styled(headed(first) + node, STYLES[first.severity])
        return [Content.assemble(told, (" · ", "$dim"), clean(first.summary))]
    if not audit.complete:
        return [Content.styled("nothing wrong in what was read so far", "$dim")]
    if audit.unchecked or audit.count(Reach.UNKNOWN):
        return [Content.styled("? nothing wrong was found in what was read; not everything was", "bold $warn")]
    return [Content.styled("✔ nothing wrong was found", "bold $good")]


def pair(audit: Audit, row: int, column: int, width: int, roomy: bool) -> Content:
    """Both ways between two nodes, with the causes."""
    if row == column:
        name = clean(audit.nodes[row])
        return page([plain(f"─ {name}: pods on one node reach each other over its own routes", width)], False)
    ways = [(row, column), (column, row)]
    short = short_names(audit.nodes)
    return page([_way(audit, short, first, second, width, roomy) for first, second in ways], roomy)


def _way(audit: Audit, short: tuple[str, ...], source: int, destination: int, width: int, roomy: bool) -> list[Content]:
    reach = audit.reach(source, destination)
    room = max(6, (width - 16) // 2)
    names = " → ".join(crop_middle(short[place], room) for place in (source, destination))
    head = Content.assemble((f"{MARKS[reach]} {names}", "bold"), (f"  {WORDS[reach]}", REACH_STYLES.get(reach, "$dim")))
    causes = [audit.findings[index] for index in audit.causes.get((source, destination), ())]
    reason = clean(audit.reasons.get((source, destination), ""))
    if reach is Reach.NOTHING:
        reason = reason or f"{clean(audit.nodes[destination])} has no block, so there is no pod to route to"
    if not roomy:
        text = _one_line(causes) or reason
        return [Content.assemble(head, ("  " + text if text else "", "")).truncate(width, ellipsis=True)]
    lines = [head]
    for finding in causes:
        lines += plain(headed(finding), width, STYLES[finding.severity], "  ")
        lines += plain(clean(finding.summary), width)
    if reason and (not causes or reach is Reach.UNKNOWN):
        lines += labelled("because", reason, width)
    return lines


def _one_line(causes: list[Finding]) -> str:
    if not causes:
        return ""
    more = f" (+{len(causes) - 1})" if len(causes) > 1 else ""
    return f"{clean(causes[0].code)}{more}: {clean(causes[0].summary)}"


def pods_between(pods: Iterable[Pod], source: str, destination: str) -> tuple[str, str] | str:
    """A pod of each node that can send, by name; or why there is no such pair, in one line."""
    found: dict[str, list[str]] = {source: [], destination: []}
    for pod in pods:
        if pod.node in found and pod.ips and not pod.host_network and not pod.is_finished:
            found[pod.node].append(f"{pod.namespace}/{pod.name}")
    if not found[source] or not found[destination]:
        empty = source if not found[source] else destination
        return f"No pod with an address of its own runs on {clean(empty)}: there is nothing to trace"
    if source == destination:
        pods_here = found[source]
        return (pods_here[0], pods_here[1]) if len(pods_here) > 1 else f"Only one pod runs on {clean(source)}"
    return found[source][0], found[destination][0]
