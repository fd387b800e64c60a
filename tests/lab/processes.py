"""Processes that a lab started, remembered so that exactly those can be ended, also by another run after a crash.

A process is its id together with its start time: an id alone may belong to somebody else by now.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from tests.lab.needs import LabError


class Process(msgspec.Struct, frozen=True):
    """A started process; `started` is its start time in clock ticks since boot (field 22 of /proc/PID/stat)."""

    pid: int
    started: int
    what: str

    @property
    def is_alive(self) -> bool:
        """Whether it still runs, and is not a zombie or another process under the same id."""
        return _started(self.pid) == self.started


def start(command: list[str], what: str, log: Path, environment: Mapping[str, str] | None = None) -> Process:
    """Start a process that outlives this one, in a session of its own, with its output in `log`.

    `command` starts with an absolute path.
    """
    append = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    files = [
        (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), append, 0o644),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    pid = os.posix_spawn(command[0], command, environment or os.environ, file_actions=files, setsid=True)
    return remember(pid, what)


def remember(pid: int, what: str) -> Process:
    """A running process by its id."""
    return Process(pid, _started(pid) or 0, what)


def end(processes: Sequence[Process], patience: float = 15.0) -> list[Process]:
    """End processes at once, the latest first; returns those that are still there after `patience` seconds.

    The first process of a PID namespace takes everything in it along; `unshare`, started before it, then buries it.
    """
    for process in reversed(processes):
        if process.is_alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
    with contextlib.suppress(LabError):
        wait_until(lambda: not any(process.is_alive for process in processes), "processes end", patience)
    return [process for process in processes if process.is_alive]


def descendants(pid: int) -> list[int]:
    """The ids of its children and theirs, children first."""
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    children = [int(word) for word in text.split()]
    return children + [below for child in children for below in descendants(child)]


def wait_until(condition: Callable[[], bool], what: str, seconds: float, every: float = 0.05) -> None:
    """Poll until `condition` holds.

    Raises:
        LabError: it did not within `seconds`.
    """
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise LabError(f"waited {seconds:.0f} s in vain: {what}")
        time.sleep(every)


def _started(pid: int) -> int | None:
    # A child of this very process stays a zombie until it is waited for.
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])
