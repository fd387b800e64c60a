"""Audits for reports to show: four nodes of which one is broken and one not read, and clusters too large to draw."""

from __future__ import annotations

from msgspec.structs import replace

from calitui.diagnosis.audit import Audit
from calitui.facts.missing import Missing
from calitui.trace.finding import Finding, Severity, Unchecked

NODES = ("k8s-calico1", "k8s-calico2", "k8s-calico3", "k8s-calico4")

SILENT = Finding(
    code="a-silence",
    severity=Severity.ERROR,
    node="k8s-calico3",
    subject="bird",
    summary="BIRD does not answer on k8s-calico3, so nobody learns the way to its pods",
    evidence=("k8s-calico3 birdcl show protocols: Unable to connect to server control socket",),
    fix=("kubectl -n kube-system delete pod calico-node-5cq8t",),
    reference="calico/node",
    affected=("k8s-calico1", "k8s-calico2"),
    consequences=("k8s-calico1 has no route to 192.168.210.128/26",),
)
WORRY = Finding(code="a-worry", severity=Severity.WARNING, node=None, summary="Two pools overlap")

OK = Audit(
    taken_at=1529906400.0,
    nodes=NODES[:3],
    read=frozenset(NODES[:3]),
    rows=("=..", ".=.", "..="),
    pods=12,
    blocks=3,
)
BROKEN = Audit(
    taken_at=1529906400.0,
    nodes=NODES,
    read=frozenset(NODES[:3]),
    rows=("=.x-", ".=x-", "xx=-", "???="),
    causes=dict.fromkeys(((0, 2), (1, 2), (2, 0), (2, 1)), (0,)),
    reasons={(3, column): "k8s-calico4 refused the connection" for column in range(3)},
    findings=(SILENT, WORRY),
    unchecked=(Unchecked(code="a-policy", node="k8s-calico4", reason="not read"),),
    unread=(Missing("everything", "connection refused", "k8s-calico4"), Missing("IPPools", "forbidden")),
    pods=12,
    blocks=3,
)
UNKNOWN = replace(BROKEN, rows=("=..-", ".=.-", "..=-", "???="), causes={}, findings=(WORRY,))


def large(size: int, *broken: int) -> Audit:
    """`size` nodes; each of `broken` can't be reached, nor reach anybody."""
    names = tuple(f"node-{number:04}" for number in range(size))
    marks = [["x" if row in broken or column in broken else "." for column in range(size)] for row in range(size)]
    for at in range(size):
        marks[at][at] = "="
    causes = {
        (row, column): (broken.index(row if row in broken else column),)
        for row in range(size)
        for column in range(size)
        if marks[row][column] == "x"
    }
    findings = tuple(replace(SILENT, node=names[at], summary=f"BIRD does not answer on {names[at]}") for at in broken)
    return replace(
        OK,
        nodes=names,
        read=frozenset(names),
        rows=tuple("".join(row) for row in marks),
        causes=causes,
        findings=findings,
    )


def closed(size: int) -> Audit:
    """`size` nodes, none of which could be read."""
    names = tuple(f"node-{number:04}" for number in range(size))
    return replace(
        OK,
        nodes=names,
        read=frozenset(),
        rows=tuple("?" * at + "=" + "?" * (size - at - 1) for at in range(size)),
        unread=tuple(Missing("everything", "connection refused", name) for name in names),
        unchecked=tuple(Unchecked(code="a-policy", node=name, reason="connection refused") for name in names),
    )
