"""`calitui trace`: what it prints, where, and with which exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from calitui.report import as_json, as_markdown, as_text
from tests.cli.running import run
from tests.trace import seed

ENDS = (seed.IPIP_SOURCE, seed.IPIP_DESTINATION)


def test_json_is_the_contract_and_alone_on_stdout(ipip: str, home: Path) -> None:
    ran = run("trace", *ENDS, "--from", ipip, "-o", "json", home=home)
    assert ran.code == 0
    assert ran.out.encode() == as_json(seed.run("ipip"))
    assert ran.err == ""
    hops = json.loads(ran.out)["directions"][0]["hops"]
    assert [hop["number"] for hop in hops] == list(range(1, 11))


def test_markdown_and_text(ipip: str, home: Path) -> None:
    assert run("trace", *ENDS, "--from", ipip, "-o", "markdown", home=home).out == as_markdown(seed.run("ipip"))
    assert run("trace", *ENDS, "--from", ipip, home=home).out == as_text(seed.run("ipip"), 100, False)


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
    assert ran.out.encode() == as_text(seed.run("ipip"), 100, False).encode()


def test_hostile_names_reach_no_terminal(ipip: str, home: Path) -> None:
    ran = run("trace", "huang1/\x1b]0;owned\x07", ENDS[1], "--from", ipip, home=home)
    assert ran.code == 2
    assert "\x1b" not in ran.err
