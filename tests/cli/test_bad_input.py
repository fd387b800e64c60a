"""What bad input gets: one line on stderr, nothing on stdout, the right code, never a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from calitui.cli.flags import duration
from tests.cli.running import run

ENDS = ("huang1/huangtest-69d9fddd97-2b8hr", "huang2/hhh-6897d64fcd-kqsj4")
COMMANDS = (("trace", *ENDS), ("audit",), ("pods",), ("record", "-o", "-"))


def make(where: Path, ipip: str) -> dict[str, Path]:
    good = Path(ipip).read_bytes()
    files = {
        "truncated": good[: len(good) // 2],
        "empty": b"",
        "foreign": b'{"apiVersion": "v1", "kind": "PodList", "items": []}',
        "newer": b'{"schema": "calitui.snapshot/99"}',
        "binary": bytes(range(256)) * 64,
        "deep": b"[" * 100_000,
        "wrong-types": good.replace(b'"pods": [', b'"pods": [7, ', 1),
        "escapes": b'{"schema": "\\u001b]0;owned\\u0007"}',
    }
    for name, content in files.items():
        (where / name).write_bytes(content)
    return {name: where / name for name in files}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: str(command[0]))
@pytest.mark.parametrize(
    "name", ["truncated", "empty", "foreign", "newer", "binary", "deep", "wrong-types", "escapes", "missing", "."]
)
def test_files_that_are_no_snapshot(ipip: str, home: Path, tmp_path: Path, name: str, command: tuple[str, ...]) -> None:
    make(tmp_path, ipip)
    ran = run(*command, "--from", str(tmp_path / name), home=home)
    assert ran.code == 3
    assert ran.out == ""
    assert ran.err.startswith("calitui: ")
    assert ran.err.count("\n") == 1
    assert "Traceback" not in ran.err
    assert "\x1b" not in ran.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("pods", "--from", "demo:ipipp"), "No demo"),
        (("demo", "nonsense"), ""),
        (("trace", *ENDS, "-o", "yaml"), "yaml"),
        (("pods", "-o", "yaml"), "yaml"),
        (("trace", "one"), "DST"),
        (("audit", "-o", "yaml"), "yaml"),
        (("audit", "one"), "one"),
        (("explain", "-o", "yaml"), "yaml"),
        (("explain", "nonsense"), "nonsense"),
        (("trase", *ENDS), "trace"),
        (("pods", "--via", "pigeon"), "exec"),
        (("pods", "--ssh-address", "internalip"), "InternalIP"),
        (("pods", "--request-timeout", "soon"), "5s"),
        (("pods", "--request-timeout", "-5s"), "5s"),
        (("pods", "--request-timeout=5 s"), "5s"),
        (("pods", "--config", "/nowhere/config.toml"), "/nowhere/config.toml"),
        (("pods", "--bogus"), "--bogus"),
        (("record",), "-o"),
    ],
)
def test_usage(home: Path, arguments: tuple[str, ...], words: str) -> None:
    ran = run(*arguments, home=home)
    assert ran.code == 2, ran.err
    assert ran.out == ""
    assert words in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nodes = 3", "nodes"),
        ("[ssh]\nadress = 'auto'", "adress"),
        ("[ssh]\naddress = 'internal'", "internal"),
        ("[nodes]\nworker = 7", "$.nodes"),
        ("[nodes", "can't be read"),
        ("colour = 'red'", "colour"),
    ],
)
def test_config_files(ipip: str, home: Path, text: str, words: str) -> None:
    config = home / "config" / "calitui" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(text)
    ran = run("pods", "--from", ipip, home=home)
    assert ran.code == 2
    assert words in ran.err
    assert str(config) in ran.err
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("5", 5), ("5s", 5), ("1m", 60), ("1m30s", 90), ("1.5h", 5400), ("250ms", 0.25), (".5s", 0.5)],
)
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "s", "5x", "1s ", "-1s", "1e3s", "5 s", "٥s", "9" * 50, "1m-1s", "0x5s", "nan"])
def test_no_durations(text: str) -> None:
    with pytest.raises(ValueError, match="no duration"):
        duration(text)
