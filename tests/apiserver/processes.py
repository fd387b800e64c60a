"""Child processes of the test API server: started in a network namespace if asked, ended by their own pid."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path


class Child:
    """One server process whose output goes to a file."""

    def __init__(self, arguments: list[str], log: Path, netns: str | None) -> None:
        """Start `arguments` in the network namespace `netns` (a name of `ip netns`) or in our own."""
        self.name = Path(arguments[0]).name
        self.log = log
        if netns:
            arguments = ["ip", "netns", "exec", netns, *arguments]
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                arguments, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )

    def check(self) -> None:
        """Raise RuntimeError with the end of its log if it is not running any more."""
        code = self._process.poll()
        if code is not None:
            tail = self.log.read_text(errors="replace")[-2000:]
            raise RuntimeError(f"{self.name} ended with {code}; the end of {self.log}:\n{tail}")

    def signal(self, number: int) -> None:
        """Send it a signal, as SIGSTOP to make it hang."""
        self._process.send_signal(number)

    def stop(self) -> None:
        """End it: asked first, then killed."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGCONT)
            self._process.terminate()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            os.kill(self._process.pid, signal.SIGKILL)
            self._process.wait(5)


def free_port(address: str) -> int:
    """A TCP port of `address` that nothing listens on right now."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for(what: str, ready: Callable[[], object], child: Child | None = None, seconds: float = 120) -> None:
    """Call `ready` until it returns something true; raise TimeoutError after `seconds`, or as soon as `child` ended."""
    deadline = time.monotonic() + seconds
    while True:
        if child is not None:
            child.check()
        if ready():
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} took longer than {seconds:.0f} s")
        time.sleep(0.05)
