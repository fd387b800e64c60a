"""Everything about one finding in the order a person needs it: what is wrong, what proves it, what to type.

This module must not know widgets.
"""

from __future__ import annotations

from collections.abc import Iterable

from textual.content import Content

from calitui.diagnosis.catalogue import CATALOGUE
from calitui.facts.text import clean
from calitui.report.words import named
from calitui.trace.finding import Finding, Severity, Unchecked
from calitui.tui.blocks import labelled, listed, plain
from calitui.tui.text import count

GLYPHS = {Severity.ERROR: "✖", Severity.WARNING: "▲", Severity.INFO: "i"}
STYLES = {Severity.ERROR: "bold $bad", Severity.WARNING: "bold $warn", Severity.INFO: "bold $link"}
_FEW_LINES = 2
"""Lines of evidence where there is little room; all of them are one key away."""


def headed(finding: Finding) -> str:
    """`✖ error: the node has no route to the pod (pod-route-missing)`."""
    return f"{GLYPHS[finding.severity]} {finding.severity.value}: {named(finding)}"


def concise(finding: Finding, width: int, roomy: bool) -> list[list[Content]]:
    """What stands at a hop: headline, summary, evidence, fix, what follows, reference."""
    evidence = [clean(line) for line in finding.evidence]
    if not roomy and len(evidence) > _FEW_LINES:
        left_out = len(evidence) - _FEW_LINES
        evidence = [*evidence[:_FEW_LINES], f"… {count(left_out, 'more line')}: d shows all"]
    return [
        [*plain(headed(finding), width, STYLES[finding.severity], "  "), *plain(clean(finding.summary), width)],
        listed("evidence", evidence, width),
        _fix(finding, width),
        listed("leads to", (f"· {clean(text)}" for text in finding.consequences), width),
        labelled("reference", clean(finding.reference), width, "$dim") if finding.reference and roomy else [],
    ]


def whole(finding: Finding, width: int) -> list[list[Content]]:
    """The same with where it shows, whom it affects, and the background that `calitui explain` tells."""
    blocks = concise(finding, width, roomy=True)
    reference = blocks.pop()
    node = clean(finding.node) if finding.node else "the whole cluster"
    where = [labelled("where", node + (f", {clean(finding.subject)}" if finding.subject else ""), width)]
    if finding.hops:
        spots = ", ".join(f"{spot.direction} hop {spot.number}" for spot in finding.hops)
        where.append(labelled("path", spots, width))
    if finding.affected:
        where.append(labelled("affects", ", ".join(clean(name) for name in finding.affected), width))
    blocks.insert(1, [line for lines in where for line in lines])
    entry = CATALOGUE.get(finding.code)
    if entry is not None:
        blocks.append([Content.styled("What this is", "bold"), *plain(clean(entry.background), width)])
        blocks.append(labelled("remedy", clean(entry.remedy), width))
    return [*blocks, reference]


def unsure(unchecked: Iterable[Unchecked], width: int) -> list[list[Content]]:
    """What could not be looked for, by reason."""
    reasons: dict[str, list[Unchecked]] = {}
    for item in unchecked:
        reasons.setdefault(clean(item.reason), []).append(item)
    blocks = [plain("Could not check: these causes are neither found nor ruled out", width, "bold $warn", "  ")]
    for reason, items in reasons.items():
        nodes = ", ".join(dict.fromkeys(clean(item.node) for item in items if item.node))
        codes = ", ".join(dict.fromkeys(clean(item.code) for item in items))
        block = plain(f"? {reason}", width, "bold", "  ")
        block += labelled("on", nodes, width) if nodes else []
        blocks.append([*block, *labelled("so not", codes, width, "$dim")])
    return blocks


def _fix(finding: Finding, width: int) -> list[Content]:
    lines: list[Content] = []
    for number, line in enumerate(finding.fix):
        style = "$dim" if line.lstrip().startswith("#") else "bold"
        lines += labelled("" if number else "fix", clean(line), width, style, "  ")
    return lines
