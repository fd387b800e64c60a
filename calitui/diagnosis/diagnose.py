"""From facts to findings: every check is run, what follows from something else is told under it."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from calitui.diagnosis.catalogue import CATALOGUE, CHECKS
from calitui.diagnosis.grouping import Grouped, group
from calitui.diagnosis.placing import placed
from calitui.diagnosis.scene import Scene
from calitui.diagnosis.stopping import stopped
from calitui.facts.cluster import Cluster
from calitui.facts.node import NodeFacts
from calitui.trace.finding import Finding, Unchecked
from calitui.trace.path import Trace


def diagnose(trace: Trace, cluster: Cluster, nodes: Iterable[NodeFacts]) -> Trace:
    """The trace with the findings that concern it, the most likely cause first, each with the hops where it shows.

    A direction that its routes deliver, and that a finding is sure to stop, ends where the finding shows.
    """
    facts = tuple(nodes)
    grouped, unchecked = examine(Scene(cluster, facts, trace))
    other = trace.other_family
    findings = tuple(placed(finding, trace, CATALOGUE) for finding in grouped.findings)
    return msgspec.structs.replace(
        stopped(trace, findings, CATALOGUE),
        findings=findings,
        unchecked=unchecked,
        other_family=None if other is None else diagnose(other, cluster, facts),
    )


def examine(scene: Scene) -> tuple[Grouped, tuple[Unchecked, ...]]:
    """Run every check on a scene."""
    findings: list[Finding] = []
    unchecked: dict[Unchecked, None] = {}
    for check in CHECKS:
        for said in check(scene):
            if isinstance(said, Finding):
                findings.append(said)
            else:
                unchecked[said] = None
    return group(findings, CATALOGUE), tuple(unchecked)
