"""`calitui trace`: what it prints, where, and with which exit code."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from calitui.report import as_json, as_markdown, as_text
from calitui.session.recorded import open_recorded
from calitui.trace.path import Trace
from tests.cli.conftest import recorded, save
from tests.cli.running import run
from tests.trace import seed

ENDS = (seed.IPIP_SOURCE, seed.IPIP_DESTINATION)


def traced(name: str) -> Trace:
    return open_recorded(name).trace(*ENDS, lambda _: None, threading.Event())


def test_json_is_the_contract_and_alone_on_stdout(ipip: str, home: Path) -> None:
    ran = run("trace", *ENDS, "--from", ipip, "-o", "json", home=home)
    assert ran.code == 0
    assert ran.out.encode() == as_json(traced(ipip))
    assert ran.err == ""
    hops = json.loads(ran.out)["directions"][0]["hops"]
    assert [hop["number"] for hop in hops] == list(range(1, 11))


def test_markdown_and_text(ipip: str, home: Path) -> None:
    assert run("trace", *ENDS, "--from", ipip, "-o", "markdown", home=home).out == as_markdown(traced(ipip))
    assert run("trace", *ENDS, "--from", ipip, home=home).out == as_text(traced(ipip), 100, False)


def test_the_exit_code_is_the_verdict(ipip: str, broken: str, unread: str, home: Path) -> None:
    codes = {}
    for name in (ipip, broken, unread):
        ran = run("trace", *ENDS, "--from", name, "-o", "json", home=home)
        codes[json.loads(ran.out)["verdict"]] = ran.code
    assert codes == {"delivered": 0, "broken": 1, "unknown": 4}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((), ("huangtest-69d9fddd97-2b8hr", "huang2/hhh-6897d64fcd-kqsj4", "-n", "huang1")),
        (("-n", "huang1"), ("huangtest-69d9fddd97-2b8hr", "192.168.210.129")),
        (("--namespace=huang2",), ("huangtest-69d9fddd97-2b8hr", "192.168.210.129", "--namespace=huang1")),
        ((), ("192.168.97.1", "192.168.210.129")),
    ],
)
def test_names_and_addresses(ipip: str, home: Path, before: tuple[str, ...], after: tuple[str, ...]) -> None:
    ran = run(*before, "trace", *after, "--from", ipip, "-o", "json", home=home)
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["source"]["name"] == "huangtest-69d9fddd97-2b8hr"


def test_from_works_before_the_command_too(ipip: str, home: Path) -> None:
    assert run("--from", ipip, "trace", *ENDS, home=home).code == 0


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("huang1/huangtest-69d9fddd97-2b8hx", "huangtest-69d9fddd97-2b8hr"),
        ("192.168.200.7", "192.168.200.7"),
        ("", "No pod"),
    ],
)
def test_no_such_pod_is_usage(ipip: str, home: Path, source: str, words: str) -> None:
    ran = run("trace", source, ENDS[1], "--from", ipip, home=home)
    assert ran.code == 2
    assert ran.out == ""
    assert ran.err.count("\n") == 1
    assert ran.err.startswith("calitui: ")
    assert words in ran.err


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [
        ({}, False),
        ({"FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": "0"}, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_colour_is_asked_for(ipip: str, home: Path, environment: dict[str, str], coloured: bool) -> None:
    assert ("\x1b[" in run("trace", *ENDS, "--from", ipip, home=home, **environment).out) is coloured


def test_verbose_talks_on_stderr(ipip: str, home: Path) -> None:
    ran = run("trace", *ENDS, "--from", ipip, "-v", home=home)
    assert "ipip.json" in ran.err
    assert ran.out.encode() == as_text(traced(ipip), 100, False).encode()


def test_hostile_names_reach_no_terminal(ipip: str, home: Path) -> None:
    ran = run("trace", "huang1/\x1b]0;owned\x07", ENDS[1], "--from", ipip, home=home)
    assert ran.code == 2
    assert "\x1b" not in ran.err


def test_what_changed_since_a_recording(ipip: str, broken: str, home: Path) -> None:
    ran = run("trace", *ENDS, "--from", broken, "--since", ipip, "-o", "json", home=home)
    assert ran.code == 1
    since = json.loads(ran.out)["since"]
    assert since["origin"] == "ipip.json"
    assert since["changes"][0]["before"] == "delivered"
    same = run("trace", *ENDS, "--from", ipip, "--since", ipip, home=home)
    assert same.code == 0
    assert same.out.splitlines()[-1].startswith("nothing changed since ipip.json")
    assert json.loads(run("trace", *ENDS, "--from", ipip, "-o", "json", home=home).out)["since"] is None


@pytest.mark.parametrize(("since", "code"), [("demo:bgp", 2), ("/nowhere.json", 3)])
def test_a_recording_that_is_no_use(ipip: str, home: Path, since: str, code: int) -> None:
    ran = run("trace", *ENDS, "--from", ipip, "--since", since, home=home)
    assert (ran.code, ran.out) == (code, "")
    assert ran.err.count("\n") == 1
    assert since in ran.err


def test_the_cause_is_told(home: Path, tmp_path: Path) -> None:
    """The destination's node has lost the route of its own pod."""
    route = "192.168.210.129 dev cali5ce61eb6bc2 scope link"
    node = seed.node("ipip", "k8s-calico3", without=[route])
    name = save(tmp_path / "lost.json", recorded(node))
    ran = run("trace", *ENDS, "--from", name, home=home)
    assert ran.code == 1
    assert "why: the node has no route to its own pod (pod-route-missing)" in " ".join(ran.out.split("\n\n")[0].split())
    assert "  error pod-route-missing on k8s-calico3: " in ran.out
    first = json.loads(run("trace", *ENDS, "--from", name, "-o", "json", home=home).out)["findings"][0]
    assert (first["code"], first["severity"]) == ("pod-route-missing", "error")
    assert first["hops"]
    assert first["fix"]
