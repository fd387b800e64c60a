"""`calitui explain`: every code told in each form, and README's table of them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from calitui.diagnosis.catalogue import CATALOGUE
from calitui.report.explain import entries_markdown, entry_markdown, entry_text
from tests.cli.running import ROOT, run

NAMES = {"BIRD", "BGP", "Calico", "Felix", "IPAM", "IPIP", "IPv6", "MTU", "MTUs", "Kubernetes", "VXLAN", "WireGuard"}
CODE = "block-route-unreachable"


def test_a_code(home: Path) -> None:
    ran = run("explain", CODE, home=home)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == entry_text(CATALOGUE[CODE], 100, False)
    assert ran.out.startswith(f"{CODE}  error\n")
    words = " ".join(ran.out.split())
    assert CATALOGUE[CODE].background in words
    assert CATALOGUE[CODE].remedy in words


def test_every_form(home: Path) -> None:
    (one,) = json.loads(run("explain", CODE, "-o", "json", home=home).out)["codes"]
    assert list(one) == ["code", "severity", "title", "background", "remedy", "reference", "steps", "explains"]
    assert one["background"] == CATALOGUE[CODE].background
    assert run("explain", CODE, "-o", "markdown", home=home).out == entry_markdown(CATALOGUE[CODE])


def test_the_list(home: Path) -> None:
    alone = run("explain", home=home)
    assert alone.code == 0
    assert [line.split()[0] for line in alone.out.splitlines()] == ["CODE", *CATALOGUE]
    assert run("explain", "--list", home=home).out == alone.out
    data = json.loads(run("explain", "--list", "-o", "json", home=home).out)
    assert data["schema"] == "calitui.explain/1"
    assert [one["code"] for one in data["codes"]] == list(CATALOGUE)
    assert run("explain", "--list", "-o", "markdown", home=home).out == entries_markdown(list(CATALOGUE.values()))


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("block-route-unreachble", f"Did you mean {CODE}"),
        ("BLOCK-ROUTE-UNREACHABLE", f"Did you mean {CODE}"),
        ("blackholed", "borrowed-address-blackholed"),
        ("zzzzzzzz", "lists all"),
        ("", "lists all"),
        ("\x1b]0;owned\x07", "No code"),
    ],
)
def test_an_unknown_code_is_one_line(home: Path, code: str, words: str) -> None:
    ran = run("explain", code, home=home)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.count("\n") == 1
    assert words in ran.err
    assert "\x1b" not in ran.err


def test_codes_complete_in_a_shell(home: Path) -> None:
    ran = run(home=home, _CALITUI_COMPLETE="bash_complete", COMP_WORDS="calitui explain block-route", COMP_CWORD="2")
    offered = [line.partition(",")[2] for line in ran.out.splitlines()]
    assert offered == [code for code in CATALOGUE if code.startswith("block-route")]
    assert len(offered) > 1


@pytest.mark.parametrize("code", CATALOGUE)
def test_every_entry_is_fit_to_read(code: str) -> None:
    entry = CATALOGUE[code]
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", code)
    assert entry.title[0].islower() or entry.title.split()[0].removesuffix("'s") in NAMES, (
        "it stands after `why: ` in a verdict"
    )
    assert len(entry.title) <= 70
    assert not entry.title.endswith(".")
    assert entry.background.count(". ") >= 1, "a paragraph"
    assert entry.remedy
    assert entry.reference
    for width in (40, 80):
        assert max(len(line) for line in entry_text(entry, width, False).splitlines()) <= width


def test_what_is_explained_is_in_the_catalogue() -> None:
    assert {code for entry in CATALOGUE.values() for code in entry.explains} <= set(CATALOGUE)


def test_the_readme_lists_every_code() -> None:
    table = re.search(r"<!-- codes -->\n(.*?)<!-- /codes -->", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
    assert table is not None
    assert table[1].strip() == entries_markdown(list(CATALOGUE.values())).strip(), (
        "paste what `calitui explain --list -o markdown` prints"
    )
