"""The process as a whole: what it imports, how it is called, how it ends."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from calitui.cli.entry import program_name
from tests.cli.running import ROOT, environment_of, run
from tests.trace import seed

HEAVY = ("textual", "kubernetes", "paramiko", "pydantic")
IMPORTED = """
import sys
from calitui.cli import main
try:
    main({arguments!r})
except SystemExit as end:
    assert not end.code, end.code
print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["trace", "--help"],
        ["version"],
        ["demo", "--list"],
        ["trace", seed.IPIP_SOURCE, seed.IPIP_DESTINATION, "--from", "IPIP"],
        ["pods", "--from", "IPIP"],
        ["audit", "--from", "demo:ipip"],
        ["explain"],
        ["explain", "block-route-unreachable"],
        ["record", "-o", "-", "--from", "IPIP"],
    ],
)
def test_what_needs_no_cluster_imports_no_client_and_no_screen(ipip: str, home: Path, arguments: list[str]) -> None:
    code = IMPORTED.format(arguments=[ipip if word == "IPIP" else word for word in arguments], heavy=HEAVY)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=False, cwd=ROOT, env=environment_of(home)
    )
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr.decode().splitlines()[-1] == "[]"


def hops(home: Path, demo: str, *ends: str) -> list[dict[str, Any]]:
    ran = run("trace", *ends, "--from", f"demo:{demo}", "-o", "json", home=home)
    assert ran.code == 0, ran.err
    data = json.loads(ran.out)
    assert data["verdict"] == "delivered"
    assert [direction["disposition"] for direction in data["directions"]] == ["delivered", "delivered"]
    found: list[dict[str, Any]] = data["directions"][0]["hops"]
    return found


def test_the_articles_ipip_example(home: Path) -> None:
    found = hops(home, "ipip", seed.IPIP_SOURCE, seed.IPIP_DESTINATION)
    assert len(found) == 10
    assert found[1]["device"] == "cali3683f65394b"
    assert found[2]["route"] == "192.168.210.128/26 via 10.173.32.26 dev tunl0 proto bird onlink"
    assert found[3]["packet"][0] == {"protocol": "ipip", "src": "10.173.32.23", "dst": "10.173.32.26"}
    assert found[8]["device"] == "cali5ce61eb6bc2"


def test_the_articles_bgp_example(home: Path) -> None:
    found = hops(home, "bgp", seed.BGP_SOURCE, seed.BGP_DESTINATION)
    assert len(found) == 8
    assert not any("tunnel" in hop["step"] for hop in found)
    assert found[2]["route"] == "192.168.210.192/26 via 10.173.32.26 dev eth0 proto bird"
    assert found[6]["device"] == "calif6874dae1d2"


@pytest.mark.parametrize(
    ("argv0", "name"),
    [
        ("/usr/local/bin/calitui", "calitui"),
        ("/home/x/.krew/bin/kubectl-calitui", "kubectl calitui"),
        ("/src/calitui/__main__.py", "calitui"),
        ("", "calitui"),
    ],
)
def test_program_name(argv0: str, name: str) -> None:
    assert program_name(argv0) == name


def test_usage_shows_what_was_typed(home: Path) -> None:
    assert run("trace", home=home, name="/bin/kubectl-calitui").err.startswith("Usage: kubectl calitui trace ")
    assert run("trace", home=home).err.startswith("Usage: calitui trace ")


def test_help_names_every_command_and_exit_code(home: Path) -> None:
    out = run("--help", home=home).out
    for word in (
        "trace",
        "pods",
        "demo",
        "record",
        "doctor",
        "audit",
        "explain",
        "version",
        "--from",
        "--context",
        "130",
    ):
        assert word in out


def test_help_lines_are_those_of_the_commands(home: Path) -> None:
    """The table that spares the import must not drift from what the commands are."""
    from importlib import import_module

    from calitui.cli.commands import COMMANDS

    for name in COMMANDS:
        command = import_module(f"calitui.cli.{name}").command
        assert command.name == name
        assert command.get_short_help_str()


def test_version(home: Path) -> None:
    from calitui import __version__

    assert run("version", home=home).out == run("--version", home=home).out == f"calitui {__version__}\n"


def test_the_screens_need_a_terminal(ipip: str, home: Path) -> None:
    for arguments in (("--from", ipip), ("demo",)):
        ran = run(*arguments, home=home)
        assert ran.code == 2
        assert "need a terminal" in ran.err


def test_a_reader_that_goes_away_changes_no_exit_code(broken: str, home: Path) -> None:
    code = f"import sys; from calitui.cli import main; main({['trace', *ENDS, '--from', broken]!r})"
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-c", code],
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
        cwd=ROOT,
        env=environment_of(home),
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")


ENDS = (seed.IPIP_SOURCE, seed.IPIP_DESTINATION)

STUCK = """
import signal, sys, threading
signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background of a script ignores it
from calitui.cli import main, sessions
from calitui.session import recorded
def never(self, *rest):
    print("stuck", file=sys.stderr, flush=True)
    threading.Event().wait()
recorded.RecordedSession.trace = never
main({arguments!r})
"""


def test_ctrl_c_ends_what_hangs(ipip: str, home: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", STUCK.format(arguments=["trace", *ENDS, "--from", ipip])],
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        env=environment_of(home),
    )
    assert process.stderr is not None
    assert process.stderr.readline() == b"stuck\n"
    process.send_signal(signal.SIGINT)
    _out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"Traceback" not in err


DEFECT = """
import sys
from calitui.cli import main
from calitui.session import recorded
def defect(self, *rest):
    raise ZeroDivisionError("\\x1b[31mred")
recorded.RecordedSession.trace = defect
main({arguments!r})
"""


def defect(ipip: str, home: Path) -> subprocess.CompletedProcess[bytes]:
    code = DEFECT.format(arguments=["trace", *ENDS, "--from", ipip])
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=False, cwd=ROOT, env=environment_of(home)
    )


def test_a_defect_is_one_line_and_a_log(ipip: str, home: Path) -> None:
    done = defect(ipip, home)
    log = home / "state" / "calitui" / "log"
    assert done.returncode == 4
    assert done.stdout == b""
    assert done.stderr.count(b"\n") == 1
    assert b"ZeroDivisionError" in done.stderr
    assert str(log).encode() in done.stderr
    assert b"\x1b" not in done.stderr
    assert "Traceback" in log.read_text()
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert stat.S_IMODE(log.parent.stat().st_mode) == 0o700


def test_a_log_that_can_not_be_written_is_said(ipip: str, home: Path) -> None:
    (home / "state").write_text("a file where a folder should be")
    done = defect(ipip, home)
    assert done.returncode == 4
    assert b"could not be written" in done.stderr
    assert b"Traceback" not in done.stderr


def test_libraries_and_warnings_talk_to_the_log(ipip: str, home: Path) -> None:
    code = (
        "import logging, warnings; from calitui.cli import logs; logs.to_file();"
        "logging.getLogger('paramiko').error('secret\\nlines'); warnings.warn('old')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=False, cwd=ROOT, env=environment_of(home)
    )
    assert (done.stdout, done.stderr) == (b"", b"")
    log = (home / "state" / "calitui" / "log").read_text()
    assert "ERROR paramiko" in log
    assert "UserWarning" in log


def test_the_module_runs_like_the_command(home: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "calitui", "--version"], capture_output=True, text=True, check=True, timeout=60, cwd=home
    )
    assert done.stdout.startswith("calitui ")
