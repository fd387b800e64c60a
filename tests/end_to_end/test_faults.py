"""The lab, broken in one way after the other: calitui names the cause, live over SSH and from a recording alike.

What is broken and what is to be said of it is in `tests.lab.faults`; FAULTS.md shows it as a table.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest

from calitui.diagnosis.catalogue import FAMILIES
from calitui.facts import snapshot
from calitui.session import Options, Session, open_session
from calitui.trace.finding import Finding, Severity
from tests.end_to_end.calitui_in_lab import calitui, live
from tests.lab.breaking import Fault, broken
from tests.lab.clusters import CLUSTERS
from tests.lab.faults import FAULTS, NOT_INJECTED, table
from tests.lab.lab import Lab
from tests.lab.needs import LabUnavailableError, program

in_the_lab = [pytest.mark.apiserver, pytest.mark.lab, pytest.mark.timeout(600)]
LOST, NOT_KNOWN = 1, 4
"""What the command line exits with where packets are lost, and where nobody can say what becomes of them."""
BY_COMMAND = ("no-pod-route", "bird-stopped", "vxlan-filtered")
"""Faults that the command line is tried with; the others are told to sessions as it opens them."""
TABLE = Path(__file__).with_name("FAULTS.md")


def parameters(*names: str) -> Iterator[object]:
    for fault in (FAULTS[name] for name in names or FAULTS):
        marks = [*in_the_lab, *([pytest.mark.uml] if CLUSTERS[fault.cluster].ipip else [])]
        yield pytest.param(fault.cluster, fault, marks=marks, id=f"{fault.cluster}-{fault.name}")


def test_the_table_is_that_of_the_faults() -> None:
    """`python -m tests.lab.faults` prints the lines of the tables."""
    lines = [line for line in TABLE.read_text().splitlines() if line.startswith("|")]
    assert lines == [line for line in table() if line]


def test_each_code_has_a_fault_or_a_reason() -> None:
    injected = {code for fault in FAULTS.values() for code in (fault.code, fault.audit_code) if code}
    # A family without checks is of what only a live packet shows.
    looked_for = {entry.code for entries, checks in FAMILIES if checks for entry in entries}
    assert injected | set(NOT_INJECTED) == looked_for
    assert not injected & set(NOT_INJECTED)


def test_what_is_not_told_has_a_reason() -> None:
    assert all(bool(fault.code) is not bool(fault.undetectable) for fault in FAULTS.values())


@pytest.mark.parametrize(("lab", "fault"), parameters(), indirect=["lab"], scope="session")
def test_the_cause_comes_first_and_alone(lab: Lab, fault: Fault, tmp_path: Path) -> None:
    for name in fault.needs:
        try:
            program(name)
        except LabUnavailableError as reason:
            pytest.skip(str(reason))
    recording = tmp_path / f"{fault.name}.json"
    with broken(lab, fault), live(lab) as session:
        if fault.in_trace:
            traced(session, fault)
        else:
            audited(session, fault)
        # A process in the guest is slow, and all nodes' are in one guest.
        ends = tuple(node.name for node in lab.spec.nodes if lab.saved.kernel == "uml" and concerns(node.name, fault))
        recording.write_bytes(snapshot.encode(session.record(lambda _: None, threading.Event(), ends)))
    replayed = open_session(Options(from_=str(recording)))
    traced(replayed, fault)
    audited(replayed, fault)


@pytest.mark.parametrize(("lab", "fault"), parameters(*BY_COMMAND), indirect=["lab"], scope="session")
def test_commands_name_the_cause(lab: Lab, fault: Fault, tmp_path: Path) -> None:
    recording = tmp_path / f"{fault.name}.json"
    ends = ("trace", fault.source, fault.destination)
    with broken(lab, fault):
        said = [calitui(lab, *ends, "-o", "json"), calitui(lab, "audit", "-o", "json")]
        recorded = calitui(lab, "record", "-o", str(recording))
    assert recorded.returncode == 0, recorded.stderr
    said += [calitui(lab, *words, "-o", "json", "--from", str(recording)) for words in (ends, ("audit",))]
    for done in said:
        assert done.stdout, done.stderr
        findings = msgspec.json.decode(done.stdout)["findings"]
        assert [one["code"] for one in findings if one["severity"] == "error"] == [fault.code], done.args
        assert findings[0]["code"] == fault.code
        assert done.returncode in (LOST, NOT_KNOWN), done.args
    # What was recorded is judged as what was read.
    assert [done.returncode for done in said[:2]] == [done.returncode for done in said[2:]]


def concerns(node: str, fault: Fault) -> bool:
    """Whether it is the node of one of the fault's ends."""
    cluster = CLUSTERS[fault.cluster]
    return node in {cluster.find(end)[0].name for end in (fault.source, fault.destination)}


def traced(session: Session, fault: Fault) -> None:
    found = session.trace(fault.source, fault.destination, lambda _: None, threading.Event(), fault.family)
    check(found.findings, fault.code if fault.in_trace else "", fault)


def audited(session: Session, fault: Fault) -> None:
    found = session.audit(lambda _: None, threading.Event())
    check(found.findings, (fault.audit_code or fault.code) if fault.in_audit else "", fault)


def check(findings: Sequence[Finding], code: str, fault: Fault) -> None:
    """The code comes first; no other one is an error beside it."""
    told = [f"{finding.severity} {finding.code} {finding.node}: {finding.summary}" for finding in findings]
    if code:
        assert findings, f"{fault.name}: {code} is not told"
        assert findings[0].code == code, told
        assert findings[0].evidence, told
        assert findings[0].fix, told
    errors = {finding.code for finding in findings if finding.severity is Severity.ERROR}
    assert errors <= {code}, told
