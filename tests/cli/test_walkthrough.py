"""`calitui demo --walkthrough`: from the command line into the first step, in the language that was asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.running import ENTRY, run
from tests.cli.test_terminal import on_a_terminal

OPENING = {"en": "One packet, from end to end", "zh": "一个报文，从头走到尾"}
SIZE = {"COLUMNS": "120", "LINES": "36", "TERM": "xterm-256color"}


def opened(home: Path, *arguments: str, until: str, **environment: str) -> str:
    """What a terminal shows of `calitui demo ARGUMENTS`, which is left by `q` once `until` is there."""
    code, shown = on_a_terminal(
        ENTRY.format(name="calitui"),
        "demo",
        *arguments,
        home=home,
        typed=b"q",
        prompt=until.encode(),
        more=SIZE | environment,
    )
    assert code == 0, shown[-2000:]
    return shown


@pytest.mark.parametrize(
    ("arguments", "environment", "language"),
    [
        ((), {"LC_ALL": "C.UTF-8"}, "en"),
        ((), {"LC_ALL": "zh_CN.UTF-8"}, "zh"),
        (("--lang", "en"), {"LC_ALL": "zh_CN.UTF-8"}, "en"),
        (("--lang", "zh"), {"LC_ALL": "C.UTF-8"}, "zh"),
    ],
)
def test_it_begins_with_the_articles_pair(
    home: Path, arguments: tuple[str, ...], environment: dict[str, str], language: str
) -> None:
    shown = opened(home, "ipip", "--walkthrough", *arguments, until=OPENING[language], **environment)
    assert OPENING[language] in shown
    assert "kqsj4" in shown


def test_the_config_file_names_the_language_too(home: Path) -> None:
    config = home / "own.toml"
    config.write_text("lang = 'zh'\n")
    arguments = ("ipip", "--walkthrough", "--config", str(config))
    assert OPENING["zh"] in opened(home, *arguments, until=OPENING["zh"], LC_ALL="C.UTF-8")


def test_a_language_that_there_is_not(home: Path) -> None:
    ran = run("demo", "--walkthrough", "--lang", "tlh", home=home)
    assert ran.code == 2
    assert "'en', 'zh'" in ran.err
    config = home / "own.toml"
    config.write_text("lang = 'tlh'\n")
    shown = on_a_terminal(
        ENTRY.format(name="calitui"), "demo", "--walkthrough", "--config", str(config), home=home, more=SIZE
    )
    assert shown[0] == 2
    assert "lang" in shown[1]


def test_without_a_terminal_it_says_so(home: Path) -> None:
    ran = run("demo", "ipip", "--walkthrough", home=home)
    assert ran.code == 2
    assert "need a terminal" in ran.err
