"""The JSON of an audit, `"schema": "calitui.audit/1"`: what scripts read.

Every key is always there, `null` where nothing is known. Fields are added, never renamed or removed.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from calitui.diagnosis.audit import Audit, Reach
from calitui.facts.text import clean
from calitui.report.audit_words import AuditVerdict, pairs, verdict
from calitui.report.findings import FindingReport, UncheckedReport, finding_report, unchecked_report
from calitui.report.words import moment
from calitui.trace.finding import Severity

SCHEMA: Final = "calitui.audit/1"
MARKS = {
    Reach.OK: "ok",
    Reach.BROKEN: "broken",
    Reach.UNKNOWN: "unknown",
    Reach.ITSELF: "itself",
    Reach.NOTHING: "nothing",
}


class PairReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One pair that is not OK. `reach` is `broken` or `unknown`, `codes` are of `findings`."""

    source: str = msgspec.field(name="from")
    destination: str = msgspec.field(name="to")
    reach: str
    codes: tuple[str, ...]
    reason: str | None


class AuditUnreadReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that was asked for and not read; `node` is null for something of the cluster."""

    node: str | None
    what: str
    reason: str


class CountsReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many there are; `ok`, `broken` and `unknown` are ordered pairs of nodes."""

    nodes: int
    read: int
    pods: int
    blocks: int
    ok: int
    broken: int
    unknown: int
    errors: int
    warnings: int


class AuditReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole report.

    `rows[i][j]` is the mark from `nodes[i]` to `nodes[j]`, `marks` says what each means. `complete` is false where
    nodes were still being read. `pairs` are those that are not ok, without the pairs that start at a node that was not
    read: all of these are unknown, for one reason, which is in `unread`.
    """

    schema: Literal["calitui.audit/1"]
    taken_at: datetime | None
    verdict: AuditVerdict
    counts: CountsReport
    nodes: tuple[str, ...]
    read: tuple[str, ...]
    marks: dict[str, str]
    rows: tuple[str, ...]
    pairs: tuple[PairReport, ...]
    findings: tuple[FindingReport, ...]
    unchecked: tuple[UncheckedReport, ...]
    unread: tuple[AuditUnreadReport, ...]
    complete: bool


def audit_json(audit: Audit) -> bytes:
    """The audit as UTF-8 JSON, indented, ending in a newline."""
    return msgspec.json.format(msgspec.json.encode(audit_report(audit)), indent=2) + b"\n"


def audit_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) that `audit_json` keeps to."""
    return msgspec.json.schema(AuditReport)


def audit_report(audit: Audit) -> AuditReport:
    """The audit in the shape that scripts read, every text printable."""
    severities = [finding.severity for finding in audit.findings]
    return AuditReport(
        schema=SCHEMA,
        taken_at=moment(audit.taken_at),
        verdict=verdict(audit),
        counts=CountsReport(
            nodes=len(audit.nodes),
            read=len(audit.read),
            pods=audit.pods,
            blocks=audit.blocks,
            ok=audit.count(Reach.OK),
            broken=audit.count(Reach.BROKEN),
            unknown=audit.count(Reach.UNKNOWN),
            errors=severities.count(Severity.ERROR),
            warnings=severities.count(Severity.WARNING),
        ),
        nodes=tuple(clean(node) for node in audit.nodes),
        read=tuple(clean(node) for node in audit.nodes if node in audit.read),
        marks={reach.value: word for reach, word in MARKS.items()},
        rows=audit.rows,
        pairs=tuple(
            PairReport(pair.source, pair.destination, MARKS[pair.reach], pair.codes, pair.reason or None)
            for pair in pairs(audit, Reach.BROKEN, Reach.UNKNOWN)
            if pair.reach is Reach.BROKEN or pair.source in audit.read
        ),
        findings=tuple(finding_report(finding) for finding in audit.findings),
        unchecked=tuple(unchecked_report(one) for one in audit.unchecked),
        unread=tuple(
            AuditUnreadReport(clean(one.node) if one.node else None, clean(one.what), clean(one.reason))
            for one in audit.unread
        ),
        complete=audit.complete,
    )
