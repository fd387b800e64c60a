"""Where packets really go: a capture on every interface of every machine and pod of a lab while one pod pings another.

What comes back is the ordered list of interfaces that the request crossed, and of those that the reply crossed. This
is what a trace has to agree with.
"""

from __future__ import annotations

import base64
import contextlib
import shlex
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import msgspec

from tests.lab.lab import Lab
from tests.lab.needs import LabError, program
from tests.lab.node import Machine, Node
from tests.lab.packets import Direction, Echo, echoes

_FIRST_IDENTIFIER = 0x4C00
_SECONDS = 120
"""A capture ends by itself after this long, whatever became of the test."""
_SCRIPT = (Path(__file__).parent / "capture.sh").read_text()


class Sighting(msgspec.Struct, frozen=True):
    """A packet on an interface. `pod` is `namespace/name` when the interface is inside a container.

    `headers` are source and destination of each IP header, outermost first.
    """

    machine: str
    pod: str | None
    device: str
    direction: Direction
    headers: tuple[tuple[str, str], ...]


class Visit(msgspec.Struct, frozen=True):
    """The interfaces that one ping's request crossed and those that its reply crossed, each in order."""

    request: tuple[Sighting, ...]
    reply: tuple[Sighting, ...]


class Ping(msgspec.Struct, frozen=True):
    """A ping to send: `source` is `namespace/name` of a pod, `destination` an address."""

    source: str
    destination: str


def follow(lab: Lab, pings: Sequence[Ping], *, warm: bool = True) -> dict[Ping, Visit]:
    """Send each ping once, with a capture everywhere, and tell where its packets went.

    With `warm`, neighbours are made known by pings before the capture.

    Raises:
        LabUnavailableError: there is no tcpdump.
        LabError: a ping was not answered, or a capture failed.
    """
    program("tcpdump")
    for ping in pings if warm else ():
        send(lab, ping)
    with contextlib.ExitStack() as stack:
        captures = [_Capture(machine, stack) for machine in lab.machines]
        for capture in captures:
            capture.wait_until_ready()
        for number, ping in enumerate(pings):
            send(lab, ping, f"-c 1 -e {_FIRST_IDENTIFIER + number}")
        seen = [sighting for capture in captures for sighting in capture.finish()]
    # Two sightings in one namespace may bear the same time: their order in there counts, and the sort keeps it.
    seen.sort(key=lambda entry: entry[0].time)
    visits = {}
    for number, ping in enumerate(pings):
        own = [(echo, where) for echo, where in seen if echo.identifier == _FIRST_IDENTIFIER + number]
        request = tuple(where for echo, where in own if not echo.is_reply)
        visits[ping] = Visit(request, tuple(where for echo, where in own if echo.is_reply))
    return visits


def send(lab: Lab, ping: Ping, options: str = "-c 2 -i 0.2") -> None:
    """Have the source ping the destination.

    Raises:
        LabError: there was no answer.
    """
    node, pod = lab.spec.find(ping.source)
    command = f"ping -n -W 5 {options} {ping.destination}"
    if pod.ip is None:
        lab.node(node.name).run(command)
    else:
        lab.pod(ping.source).run(command)


class _Capture:
    """The captures on one machine: one of its own namespace and one of each of its pods'."""

    def __init__(self, machine: Machine, stack: contextlib.ExitStack) -> None:
        self._machine = machine
        pods = machine.spec.workloads if isinstance(machine, Node) else ()
        self._pods = {pod.netns: pod.key for pod in pods}
        words = ["sh", "-c", _SCRIPT, "capture", str(_SECONDS), *self._pods]
        self._process = subprocess.Popen(
            machine.command(shlex.join(words)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        stack.callback(self._end)

    def wait_until_ready(self) -> None:
        if self._pipe(self._process.stdout).readline() != "ready\n":
            raise self._failure()

    def finish(self) -> list[tuple[Echo, Sighting]]:
        """Stop it and read what it saw, in order for each namespace."""
        output, _ = self._process.communicate("stop\n", timeout=_SECONDS)
        if self._process.returncode:
            raise self._failure()
        return list(self._sightings(output))

    def _sightings(self, output: str) -> Iterator[tuple[Echo, Sighting]]:
        for part in output.split("=== ")[1:]:
            netns, devices, capture = part.split("\n---\n")
            names = {
                int(line.split(":")[0]): line.split(":")[1].partition("@")[0].strip() for line in devices.split("\n")
            }
            for echo in echoes(base64.b64decode(capture)):
                pod = self._pods.get(netns.strip())
                device = names.get(echo.interface, f"interface {echo.interface}")
                yield echo, Sighting(self._machine.name, pod, device, echo.direction, echo.headers)

    def _failure(self) -> LabError:
        self._process.kill()
        return LabError(f"{self._machine.name}: capture failed: {self._pipe(self._process.stderr).read().strip()}")

    def _end(self) -> None:
        # The far side ends when its input does.
        with contextlib.suppress(OSError):
            self._pipe(self._process.stdin).close()
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdout, self._process.stderr):
            self._pipe(pipe).close()

    def _pipe(self, pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None
        return pipe
