"""What a lab has made so far, in a file: enough for another run to take it down after a crash.

Names are written down before the things themselves exist, processes as soon as they have an id.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import msgspec
import platformdirs

from tests.lab.needs import LabError
from tests.lab.processes import Process

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,30}")


class State(msgspec.Struct, frozen=True):
    """A lab on disk. `kernel` is `host` or `uml`; `maker` is the process that builds it."""

    name: str
    cluster: str
    kernel: str
    maker: Process
    namespaces: tuple[str, ...] = ()
    processes: tuple[Process, ...] = ()
    complete: bool = False
    without_api: str = ""
    """Why there is no API server, if there is none."""


def home() -> Path:
    """Where labs keep their files: $CALITUI_LAB_HOME or the user's state directory."""
    configured = os.environ.get("CALITUI_LAB_HOME")
    return Path(configured).resolve() if configured else platformdirs.user_state_path("calitui-lab")


def directory(name: str) -> Path:
    """The files of one lab.

    Raises:
        LabError: it is no name for a lab.
    """
    if not _NAME.fullmatch(name):
        raise LabError(f"{name!r} is no name for a lab: small letters, digits and dashes, at most 31")
    return home() / name


def kept_logs(name: str) -> Path:
    """Where the files of a lab that could not be built are kept, until the next one fails."""
    return home() / f"{name}.failed"


def names() -> list[str]:
    """The labs that left a state file, up or not."""
    return sorted(path.parent.name for path in home().glob("*/state.json"))


def read(name: str) -> State:
    """The lab of that name.

    Raises:
        LabError: there is none, or its file can't be read.
    """
    path = directory(name) / "state.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=State)
    except FileNotFoundError:
        there = ", ".join(names()) or "none"
        raise LabError(f"there is no lab called {name} (labs: {there}); python -m tests.lab up makes one") from None
    except (OSError, msgspec.MsgspecError) as error:
        raise LabError(f"{path} can't be read: {error}") from error


def write(state: State) -> None:
    """Replace the lab's file in one step, so that a crash leaves the old one or the new one."""
    path = directory(state.name) / "state.json"
    fresh = path.with_suffix(".new")
    fresh.write_bytes(msgspec.json.format(msgspec.json.encode(state), indent=1) + b"\n")
    fresh.replace(path)
