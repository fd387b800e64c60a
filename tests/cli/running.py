"""Running calitui as a person or a script would: as a process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec

ENTRY = "import sys; from calitui.cli import main; sys.argv[0] = {name!r}; main()"
ROOT = Path(__file__).parents[2]


class Ran(msgspec.Struct, frozen=True):
    """What came out of it."""

    code: int
    out: str
    err: str


def run(*arguments: str, home: Path, name: str = "calitui", **environment: str) -> Ran:
    """Run `calitui ARGUMENTS` without a terminal, with nothing of this machine's user in sight."""
    done = subprocess.run(
        [sys.executable, "-c", ENTRY.format(name=name), *arguments],
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
        cwd=ROOT,
        env=environment_of(home, **environment),
        timeout=120,
    )
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())


def environment_of(home: Path, **more: str) -> dict[str, str]:
    """A user who has nothing: no kubeconfig, no ssh config, no agent, no terminal."""
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_STATE_HOME": str(home / "state"),
        "PYTHONPATH": str(ROOT),
        "LC_ALL": "C.UTF-8",
        **more,
    }
