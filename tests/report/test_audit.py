"""An audit in its three forms: the contract, what a person reads, and clusters of any size."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from calitui.diagnosis.audit import Audit, Reach
from calitui.facts.missing import Missing
from calitui.report import AuditVerdict, audit_headline, audit_json, audit_markdown, audit_schema, audit_text
from calitui.report import audit_verdict as verdict
from calitui.report.audit_contract import AuditReport
from calitui.report.audit_matrix import matrix
from calitui.report.audit_words import stretches
from calitui.trace.finding import Finding, Severity, Unchecked
from tests.report.audits import BROKEN, NODES, OK, SILENT, UNKNOWN, WORRY, closed, large
from tests.report.test_reports import HOSTILE

GOLDEN = Path(__file__).parent / "golden"
FORMS = [
    ("audit-broken.json", audit_json(BROKEN).decode()),
    ("audit-broken.md", audit_markdown(BROKEN)),
    ("audit-broken.txt", audit_text(BROKEN, 100, False)),
    ("audit-ok.txt", audit_text(OK, 80, False)),
    ("audit-unknown-80.txt", audit_text(UNKNOWN, 80, False)),
    ("audit-large.txt", audit_text(large(60, 7, 30), 100, False)),
]
KEYS = "schema taken_at verdict counts nodes read marks rows pairs findings unchecked unread complete"


@pytest.mark.parametrize(("name", "report"), FORMS, ids=[name for name, _ in FORMS])
def test_golden(name: str, report: str) -> None:
    assert report == (GOLDEN / name).read_text("utf-8")


@pytest.mark.parametrize("audit", [OK, BROKEN, UNKNOWN, large(50, 3), closed(5)])
def test_json_keeps_the_contract(audit: Audit) -> None:
    data = json.loads(audit_json(audit))
    assert list(data) == KEYS.split()
    assert data["schema"] == "calitui.audit/1"
    told = [
        (source, destination)
        for source, row in zip(data["nodes"], data["rows"], strict=True)
        for destination, mark in zip(data["nodes"], row, strict=True)
        if mark == "x" or (mark == "?" and source in data["read"])
    ]
    assert [(pair["from"], pair["to"]) for pair in data["pairs"]] == told
    assert all(list(pair) == ["from", "to", "reach", "codes", "reason"] for pair in data["pairs"])
    assert [len(row) for row in data["rows"]] == [len(data["nodes"])] * len(data["nodes"])
    assert {mark for row in data["rows"] for mark in row} <= set(data["marks"])
    assert msgspec.json.decode(audit_json(audit), type=AuditReport).verdict is verdict(audit)
    assert set(audit_schema()["$defs"]["AuditReport"]["required"]) == set(KEYS.split())


def test_json_names_pairs_and_their_causes() -> None:
    data = json.loads(audit_json(BROKEN))
    assert data["pairs"][0] == {
        "from": "k8s-calico1",
        "to": "k8s-calico3",
        "reach": "broken",
        "codes": ["a-silence"],
        "reason": None,
    }
    assert {pair["from"] for pair in data["pairs"]} == {"k8s-calico1", "k8s-calico2", "k8s-calico3"}
    assert any(entry["node"] == "k8s-calico4" and "refused" in entry["reason"] for entry in data["unread"])
    assert data["counts"] == {
        "nodes": 4, "read": 3, "pods": 12, "blocks": 3, "ok": 2, "broken": 4, "unknown": 3, "errors": 1, "warnings": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("audit", "said"),
    [
        (OK, AuditVerdict.OK),
        (replace(OK, findings=(WORRY,)), AuditVerdict.OK),
        (replace(OK, findings=(SILENT,)), AuditVerdict.BROKEN),
        (BROKEN, AuditVerdict.BROKEN),
        (UNKNOWN, AuditVerdict.UNKNOWN),
        (replace(OK, complete=False), AuditVerdict.UNKNOWN),
        (replace(OK, read=frozenset(NODES[:2])), AuditVerdict.UNKNOWN),
        (replace(OK, nodes=(), read=frozenset(), rows=()), AuditVerdict.UNKNOWN),
        (replace(OK, rows=("=-", "-="), nodes=NODES[:2], read=frozenset(NODES[:2])), AuditVerdict.OK),
    ],
)
def test_the_verdict(audit: Audit, said: AuditVerdict) -> None:
    assert verdict(audit) is said
    assert audit_headline(audit).startswith(f"{said}: ")


@pytest.mark.parametrize(
    ("audit", "line"),
    [
        (OK, "ok: all 6 pairs of nodes can route · 3 of 3 nodes read · routing only"),
        (
            BROKEN,
            "broken: 4 of 9 pairs of nodes · why: a-silence · 1 warning · 3 pairs unknown · 3 of 4 nodes read"
            " · routing only",
        ),
        (
            replace(BROKEN, findings=(replace(SILENT, code="elsewhere"), SILENT), causes={(0, 2): (1,)}),
            "broken: 4 of 9 pairs of nodes · why: a-silence · 1 more error · 3 pairs unknown · 3 of 4 nodes read"
            " · routing only",
        ),
        (
            replace(BROKEN, causes={}),
            "broken: 4 of 9 pairs of nodes · found: a-silence · 1 warning · 3 pairs unknown · 3 of 4 nodes read"
            " · routing only",
        ),
        (replace(OK, findings=(SILENT,)), "broken: a-silence · 3 of 3 nodes read · routing only"),
        (UNKNOWN, "unknown: 3 of 9 pairs of nodes · 1 warning · 3 of 4 nodes read · routing only"),
        (
            replace(OK, read=frozenset(NODES[:2])),
            "unknown: k8s-calico3 not read · 2 of 3 nodes read · routing only",
        ),
        (
            replace(OK, complete=False),
            "unknown: not every node is read yet · 3 of 3 nodes read · not complete · routing only",
        ),
        (
            replace(OK, nodes=(), read=frozenset(), rows=()),
            "unknown: no node is known · 0 of 0 nodes read · routing only",
        ),
    ],
)
def test_the_headline(audit: Audit, line: str) -> None:
    assert audit_headline(audit) == line


def test_one_broken_node_is_told_in_two_lines() -> None:
    out, back = stretches(large(1000, 17), Reach.BROKEN)
    assert (len(out.sources), len(out.destinations), out.why) == (1, 999, "a-silence")
    assert (len(back.sources), back.destinations) == (999, ("node-0017",))
    text = audit_text(large(1000, 17), 100, False)
    assert "node-0017 → node-0000, node-0001, node-0002 and 996 more: a-silence" in text
    assert len(text.splitlines()) < 40


def test_many_findings_of_one_code_are_told_in_short() -> None:
    findings = tuple(replace(SILENT, node=f"n{number}") for number in range(40))
    text = audit_text(replace(OK, findings=findings), 100, False)
    assert text.count("evidence") == 3
    assert "37 more findings of a-silence:" in text
    assert "and 17 more; -o json has them all" in text
    assert "and 17 more; -o json has them all" in audit_markdown(replace(OK, findings=findings))
    assert len(json.loads(audit_json(replace(OK, findings=findings)))["findings"]) == 40


@pytest.mark.parametrize("width", [1, 40, 60, 80, 200])
@pytest.mark.parametrize("audit", [OK, BROKEN, UNKNOWN, large(12, 3), large(40, 3), large(60, 1), closed(50)])
def test_widths(audit: Audit, width: int) -> None:
    lines = audit_text(audit, width, False).splitlines()
    verbatim = ("fix ", "evidence ")
    assert max(len(line) for line in lines if not line.strip().startswith(verbatim)) <= max(width, 40)


def test_the_matrix_has_a_column_per_node_and_gives_up_where_it_does_not_fit() -> None:
    lines = matrix(large(12, 3), 80)
    assert lines[0].split() == ["1", "1", "1"]
    assert lines[1].split() == list("123456789012")
    assert lines[5].split() == ["4", "node-0003", *"xxx=xxxxxxxx"]
    assert matrix(large(40, 3), 60)[2] == " 1 node-0000  =..x" + "." * 36
    assert matrix(large(40, 3), 50) == []
    assert matrix(large(60, 3), 200) == []
    assert matrix(large(60), 200) == []


def test_of_a_large_cluster_only_what_is_not_ok_is_drawn() -> None:
    audit = large(60)
    rows = list(audit.rows)
    rows[3] = rows[3][:50] + "x" + rows[3][51:]
    rows[4] = rows[4][:50] + "?" + rows[4][51:]
    assert matrix(replace(audit, rows=tuple(rows)), 80) == [
        " " * 14 + "5",
        " " * 14 + "1",
        " 4 node-0003  x",
        " 5 node-0004  ?",
        "51 node-0050",
    ]


@pytest.mark.parametrize("audit", [replace(OK, nodes=(), read=frozenset(), rows=()), large(1), closed(1)])
def test_tiny_clusters(audit: Audit) -> None:
    assert audit_text(audit, 80, False)
    assert audit_markdown(audit)
    assert json.loads(audit_json(audit))["pairs"] == []


def test_a_cluster_that_can_not_be_read_stays_readable() -> None:
    text = audit_text(closed(300), 100, False)
    assert "not judged" in text
    assert "and 280 more" in text
    assert len(text.splitlines()) < 80


def hostile() -> Audit:
    finding = Finding(
        code=HOSTILE,
        severity=Severity.ERROR,
        node=HOSTILE,
        subject=HOSTILE,
        summary=HOSTILE,
        evidence=(HOSTILE, "```"),
        fix=(HOSTILE, "```sh"),
        reference=HOSTILE,
        affected=(HOSTILE,),
        consequences=(HOSTILE,),
    )
    return replace(
        BROKEN,
        nodes=(HOSTILE, HOSTILE + "2", "| |", "x" * 5000),
        read=frozenset({HOSTILE}),
        reasons={(3, 0): HOSTILE},
        findings=(finding,) * 5,
        unread=(Missing(HOSTILE, HOSTILE, HOSTILE),),
        unchecked=(Unchecked(code=HOSTILE, node=HOSTILE, reason=HOSTILE),),
    )


@pytest.mark.parametrize(
    "report",
    [audit_json(hostile()).decode(), audit_markdown(hostile()), audit_text(hostile(), 80, False)],
    ids=["json", "md", "text"],
)
def test_no_control_character_survives(report: str) -> None:
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", report)


def test_markdown_of_facts_stays_text() -> None:
    outside, fence = [], ""
    for line in audit_markdown(hostile()).splitlines():
        mark = re.match(r"^(`{3,})", line)
        if fence:
            fence = "" if line == fence else fence
        elif mark:
            fence = mark[1]
        else:
            outside.append(re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", re.sub(r"\\`", "", line)))
    assert not fence
    text = "\n".join(outside)
    assert not re.search(r"(?<!\\)[<\[]", text)
    assert "http://" not in text
    rows = [line for line in outside if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {4}


def test_colour_changes_no_word() -> None:
    coloured = audit_text(BROKEN, 80, True)
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == audit_text(BROKEN, 80, False)
