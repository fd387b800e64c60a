"""A command whose standard input stays open: its output is read as it comes, and it ends when it is told to.

Closing its standard input is what tells it, so that a connection that is cut, or a calitui that is killed, tells it
too. Each way into a node has a `Channel` of its own; this module must not know what the command means.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Protocol

import msgspec

from calitui.errors import NodeError
from calitui.facts.cluster import Node, Pod
from calitui.nodes.deadline import POLL, Deadline
from calitui.nodes.outcome import Outcome
from calitui.nodes.proving.script import STARTED

LARGEST = 8 * 1024 * 1024
"""Bytes of standard output that are kept; a capture has a packet count and a length, and is far smaller."""

MOST_ERRORS = 16 * 1024
"""Bytes of the error output that are kept; the rest is read and dropped."""

TO_BEGIN = 10.0
"""Seconds from starting the script to its first line."""

TO_END = 3.0
"""Seconds that a command may take to end after it was told to; then its channel is closed."""


class LostError(Exception):
    """The channel broke; the text says how."""


class Received(msgspec.Struct, frozen=True):
    """What came of both outputs since the last time; both may be empty."""

    output: bytes = b""
    errors: bytes = b""


class Channel(Protocol):
    """One running command, as its way in sees it. `receive` is called from one thread, the others from any."""

    def receive(self) -> Received | None:
        """What came, after `POLL` seconds at the latest; None when both outputs have ended.

        Raises:
            LostError: the connection broke.
        """

    def end_input(self) -> None:
        """Close the command's standard input; never raises."""

    def close(self) -> None:
        """Let go of it at once, whatever it does; never raises. Safe to call twice."""

    def status(self) -> int | None:
        """Its exit status after its outputs ended, None if it was not told."""


class Held:
    """A command that runs until it is stopped. Leaving its `with` block stops it."""

    def __init__(self, channel: Channel, note: str = "", largest: int = LARGEST) -> None:
        """Takes over `channel`. `note` is what a person should know of the way it runs, such as a sudo that refused."""
        self.note = note
        self._channel = channel
        self._largest = largest
        self._output = bytearray()
        self._errors = bytearray()
        self._status: int | None = None
        self._truncated = False
        self._cut = ""
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._receive, name="proof", daemon=True)
        self._thread.start()

    @property
    def output(self) -> bytes:
        """What it printed so far."""
        with self._changed:
            return bytes(self._output)

    @property
    def errors(self) -> str:
        """What it printed on standard error so far."""
        with self._changed:
            return self._errors.decode("utf-8", "replace")

    @property
    def ended(self) -> bool:
        """Whether it has ended, by itself or not."""
        with self._changed:
            return self._ended

    def wait(self, until: Callable[[Held], bool], deadline: Deadline) -> bool:
        """Wait until `until` holds, it ended, or the time of `deadline` is up; whether `until` holds.

        Raises:
            Cancelled: the user stopped.
        """
        while True:
            if until(self):
                return True
            with self._changed:
                ended = self._ended
                if not ended:
                    self._changed.wait(POLL)
            if ended:
                return until(self)
            if deadline.over:
                if deadline.stop.is_set():
                    deadline.check()
                return until(self)

    def finish(self, deadline: Deadline) -> Outcome:
        """Wait until it ends by itself, `deadline` at the latest.

        Raises:
            Cancelled: the user stopped; the command was told to end.
        """
        try:
            ended = self.wait(lambda held: held.ended, deadline)
        finally:
            outcome = self.stop()
        return (
            outcome if ended else msgspec.structs.replace(outcome, cut=f"it ran longer than {deadline.seconds:.0f} s")
        )

    def stop(self, seconds: float = TO_END) -> Outcome:
        """Tell it to end, take its last words, and let go of it. Never raises; safe to call twice."""
        with self._changed:
            ended = self._ended
        if not ended:
            self._channel.end_input()
            self._thread.join(seconds)
        with self._changed:
            if not self._ended and not self._cut:
                self._cut = f"it did not end within {seconds:.0f} s of being told to"
        self._channel.close()
        self._thread.join(seconds)
        with self._changed:
            errors = self._errors.decode("utf-8", "replace")
            return Outcome(bytes(self._output), errors, self._status, self._truncated, self._cut)

    def __enter__(self) -> Held:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop()

    def _receive(self) -> None:
        try:
            while (got := self._channel.receive()) is not None:
                if got.output or got.errors:
                    self._take(got)
            status = self._channel.status()
            with self._changed:
                self._status = status
        except LostError as error:
            with self._changed:
                self._cut = self._cut or str(error)
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _take(self, got: Received) -> None:
        with self._changed:
            room = self._largest - len(self._output)
            self._output += got.output[: max(0, room)]
            self._errors += got.errors[: max(0, MOST_ERRORS - len(self._errors))]
            flooded = len(got.output) > room and not self._truncated
            self._truncated = self._truncated or flooded
            self._changed.notify_all()
        if flooded:
            self._channel.end_input()


class Prover(Protocol):
    """One way into a node for a live proof."""

    def hold(
        self,
        node: Node,
        words: Sequence[str],
        progress: Callable[[str], None],
        stop: threading.Event,
        pod: Pod | None = None,
    ) -> Held:
        """The script of `calitui.nodes.proving.script` with these words, after its first line came.

        `pod` is whose network namespace is meant by `-` where a way in can't enter namespaces but can run commands in
        pods; others do not look at it.

        Raises:
            NodeError: it did not begin; the message says why.
            Cancelled: the user stopped.
        """


def begun(held: Held, where: str, deadline: Deadline) -> bool:
    """Whether the script's first line came; if not, `held` has ended.

    Raises:
        NodeError: nothing came in time; `held` was stopped.
        Cancelled: the user stopped; `held` was stopped.
    """
    came = False
    try:
        came = held.wait(lambda one: STARTED in one.output, deadline)
        if not came and not held.ended:
            raise NodeError(f"{where}: the script did not begin within {deadline.seconds:.0f} s")
    finally:
        if not came:
            held.stop()
    return came


def silence(where: str, outcome: Outcome) -> NodeError:
    """The error for a script that did not begin."""
    status = "no exit status" if outcome.status is None else f"exit status {outcome.status}"
    return NodeError(f"{where}: the script did not run ({outcome.cut or outcome.complaint or status})")
