"""`calitui audit`: what it prints, where, and with which exit code."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from msgspec.structs import replace

from calitui.diagnosis.audit import Audit
from calitui.facts.missing import Missing
from calitui.facts.node import NodeFacts
from calitui.facts.snapshot import Snapshot
from calitui.report import audit_json, audit_markdown, audit_text
from calitui.session import demos, open_demo
from calitui.session.recorded import open_recorded
from calitui.trace.finding import Severity
from tests.cli.conftest import save
from tests.cli.running import run

SICK = "k8s-calico2"


def recorded() -> Snapshot:
    return open_demo("ipip").record(lambda _: None, threading.Event())


def audited(name: str) -> Audit:
    return open_recorded(name).audit(lambda _: None, threading.Event())


def changed(node: NodeFacts) -> Snapshot:
    snapshot = recorded()
    return replace(snapshot, nodes=tuple(node if node.name == one.name else one for one in snapshot.nodes))


@pytest.fixture
def broken(tmp_path: Path) -> str:
    """One node has lost BIRD's routes."""
    node = next(one for one in recorded().nodes if one.name == SICK)
    assert node.host is not None
    routes = tuple(route for route in node.host.routes if route.protocol != "bird")
    assert len(routes) < len(node.host.routes)
    return save(tmp_path / "broken.json", changed(replace(node, host=replace(node.host, routes=routes))))


@pytest.fixture
def unread(tmp_path: Path) -> str:
    refused = (Missing("everything", "connection \x1b[31mrefused", SICK),)
    return save(tmp_path / "unread.json", changed(NodeFacts(SICK, "ssh", missing=refused)))


def test_the_three_forms(home: Path) -> None:
    whole = audited("demo:ipip")
    assert run("audit", "--from", "demo:ipip", home=home).out == audit_text(whole, 100, False)
    assert run("audit", "--from", "demo:ipip", "-o", "markdown", home=home).out == audit_markdown(whole)
    ran = run("audit", "--from", "demo:ipip", "-o", "json", home=home)
    assert ran.out.encode() == audit_json(whole)
    assert ran.err == ""


@pytest.mark.parametrize("demo", [name for name in demos() if not name.startswith("broken")])
def test_healthy_clusters_have_no_error(home: Path, demo: str) -> None:
    ran = run("audit", "--from", f"demo:{demo}", "-o", "json", home=home)
    data = json.loads(ran.out)
    assert (ran.code, data["verdict"]) == (0, "ok"), [one["summary"] for one in data["findings"]]
    assert (data["counts"]["errors"], data["counts"]["warnings"]) == (0, 0)
    assert data["counts"]["read"] == data["counts"]["nodes"] > 1


def test_broken_clusters_say_why() -> None:
    """Each recording of a broken cluster has a finding that is no mere note, with what proves it and what to type."""
    for demo in (name for name in demos() if name.startswith("broken")):
        found = audited(f"demo:{demo}")
        assert found.findings, demo
        assert found.findings[0].severity in (Severity.ERROR, Severity.WARNING), demo
        assert found.findings[0].evidence, demo
        assert found.findings[0].fix, demo


def test_a_broken_node(broken: str, home: Path) -> None:
    ran = run("audit", "--from", broken, "-o", "json", home=home)
    assert ran.code == 1, ran.err
    data = json.loads(ran.out)
    assert data["verdict"] == "broken"
    assert {pair["from"] for pair in data["pairs"] if pair["reach"] == "broken"} == {SICK}
    assert all(pair["codes"] for pair in data["pairs"])
    text = run("audit", "--from", broken, home=home)
    assert text.code == 1
    assert f"{SICK} → " in text.out


def test_a_node_that_was_not_read(unread: str, home: Path) -> None:
    ran = run("audit", "--from", unread, "-o", "json", home=home)
    data = json.loads(ran.out)
    assert (ran.code, data["verdict"]) == (4, "unknown")
    assert SICK not in data["read"]
    assert data["unread"][0]["node"] == SICK
    assert data["unchecked"]
    text = run("audit", "--from", unread, home=home).out
    assert f"{SICK}: everything: connection \\x1b[31mrefused" in text
    assert "could not be looked for" in text
    assert "\x1b" not in text


def test_progress_is_told_on_stderr(home: Path) -> None:
    ran = run("audit", "--from", "demo:ipip", "-v", home=home)
    assert "from demo:ipip" in ran.err
    assert ran.out == audit_text(audited("demo:ipip"), 100, False)


def test_colour_is_asked_for(home: Path) -> None:
    assert "\x1b[" in run("audit", "--from", "demo:ipip", home=home, FORCE_COLOR="1").out
    assert "\x1b[" not in run("audit", "--from", "demo:ipip", home=home).out


def test_no_such_demo(home: Path) -> None:
    assert run("audit", "--from", "demo:nothing", home=home).code == 2
