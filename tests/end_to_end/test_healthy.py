"""Nothing is wrong with the lab's clusters, and calitui finds nothing: no warning and no error, in no scenario.

They run after the faults of the same lab, so they also tell that all of those were mended.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from calitui.diagnosis.audit import Reach
from calitui.trace.finding import Finding, Severity
from tests.end_to_end.calitui_in_lab import live
from tests.lab.clusters import CLUSTERS
from tests.lab.lab import Lab

pytestmark = [pytest.mark.apiserver, pytest.mark.lab, pytest.mark.timeout(600)]


def clusters() -> Iterator[object]:
    for name, cluster in CLUSTERS.items():
        yield pytest.param(name, marks=[pytest.mark.uml] if cluster.ipip else [])


def alarms(findings: tuple[Finding, ...]) -> list[str]:
    return [f"{one.code} {one.node}: {one.summary}" for one in findings if one.severity is not Severity.INFO]


@pytest.mark.parametrize("lab", clusters(), indirect=True, scope="session")
def test_an_audit_has_nothing_to_say(lab: Lab) -> None:
    with live(lab) as session:
        found = session.audit(lambda _: None, threading.Event())
    assert alarms(found.findings) == []
    assert found.count(Reach.BROKEN) == found.count(Reach.UNKNOWN) == 0, found.rows
    assert found.read == {node.name for node in lab.spec.nodes}


@pytest.mark.parametrize("lab", clusters(), indirect=True, scope="session")
def test_no_trace_has_anything_to_say(lab: Lab) -> None:
    # In the guest every read takes seconds.
    pairs = lab.spec.pairs[:1] if lab.saved.kernel == "uml" else lab.spec.pairs
    with live(lab) as session:
        for source, destination in pairs:
            found = session.trace(source, destination, lambda _: None, threading.Event())
            assert alarms(found.findings) == [], (source, destination)
            if found.other_family is not None:
                assert alarms(found.other_family.findings) == [], (source, destination)
