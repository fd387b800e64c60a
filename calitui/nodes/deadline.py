"""One limit for a whole step, and the user's wish to stop.

paramiko has a time limit per kind of waiting and none for the sum of them, and nothing in it can be interrupted. Here a
step is a `Deadline`, and `guarded` closes whatever the step waits on as soon as its time is up or the user stops it.
This module must not know what it guards.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TypeVar

from calitui.errors import CalituiError, Cancelled, NodeError

Result = TypeVar("Result")

POLL = 0.05
"""Seconds between two looks at the clock and at the stop event: how late an abort can be."""


class StepTimeoutError(NodeError):
    """A step did not end in time."""


class Deadline:
    """`seconds` from now for the step called `what` ("node k8s-calico2 did not ..."), within those of `parent`.

    Time that a person needs to answer a question does not count: see `paused`.
    """

    def __init__(
        self, seconds: float, stop: threading.Event, what: str = "", hint: str = "", parent: Deadline | None = None
    ) -> None:
        """The step begins now; `what` and `hint` are the words of the `StepTimeoutError` that `check` raises."""
        self.stop = stop
        self.seconds = seconds
        self._ends = time.monotonic() + seconds
        self._what = what
        self._hint = hint
        self._parent = parent
        self._pauses = 0

    def step(self, seconds: float, what: str, hint: str = "") -> Deadline:
        """A part of this step with a limit of its own; it never outlasts this one."""
        return Deadline(seconds, self.stop, what, hint, self)

    @property
    def remaining(self) -> float:
        """Seconds left, at least 0.001 so that it can be handed to calls that take 0 for "do not wait"."""
        left = max(0.001, self._ends - time.monotonic())
        return min(left, self._parent.remaining) if self._parent else left

    @property
    def over(self) -> bool:
        """Whether the time is up, or the user stopped."""
        return self.stop.is_set() or self._expired

    @property
    def _expired(self) -> bool:
        if self._parent is not None and self._parent._expired:
            return True
        return not self._pauses and time.monotonic() >= self._ends

    def check(self) -> None:
        """Raise when the step is over.

        Raises:
            Cancelled: the user stopped.
            StepTimeoutError: the time is up.
        """
        if self.stop.is_set():
            raise Cancelled
        if self._expired:
            raise StepTimeoutError(self._what, self._hint)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """While the block runs, no time passes for this step and those around it."""
        began = time.monotonic()
        around = self._around()
        for deadline in around:
            deadline._pauses += 1
        try:
            yield
        finally:
            for deadline in around:
                deadline._pauses -= 1
                deadline._ends += time.monotonic() - began

    def _around(self) -> list[Deadline]:
        found: list[Deadline] = []
        deadline: Deadline | None = self
        while deadline is not None:
            found.append(deadline)
            deadline = deadline._parent
        return found


@contextmanager
def guarded(deadline: Deadline, abort: Callable[[], object]) -> Iterator[None]:
    """Run the block; `abort` is called from another thread when the deadline is over, and must make the block fail.

    Raises:
        Cancelled: the user stopped, whatever the block raised because of that.
        StepTimeoutError: the time was up, whatever the block raised because of that.
    """
    done = threading.Event()

    def watch() -> None:
        while not done.wait(POLL):
            if deadline.over:
                abort()
                return

    deadline.check()
    watcher = threading.Thread(target=watch, name="ssh deadline", daemon=True)
    watcher.start()
    try:
        yield
    except Exception:
        deadline.check()
        raise
    finally:
        done.set()
        watcher.join()


def in_background(
    call: Callable[[], Result], deadline: Deadline, discard: Callable[[Result], object] | None = None
) -> Result:
    """The result of a call that can't be interrupted, made in a thread that is left behind when the deadline is over.

    `discard` is given a result that came too late.

    Raises:
        Cancelled: the user stopped.
        StepTimeoutError: the time is up.
        Exception: whatever `call` raised.
    """
    future: Future[Result] = Future()
    done = threading.Event()

    def work() -> None:
        try:
            result = call()
        except Exception as error:  # noqa: BLE001 - it is raised in the thread that waits
            future.set_exception(error)
        else:
            future.set_result(result)
        done.set()

    def late(finished: Future[Result]) -> None:
        if discard is not None and finished.exception() is None:
            discard(finished.result())

    deadline.check()
    threading.Thread(target=work, name="ssh step", daemon=True).start()
    while not done.wait(POLL):
        try:
            deadline.check()
        except CalituiError:
            future.add_done_callback(late)
            raise
    return future.result()


def acquire(lock: threading.Lock, stop: threading.Event) -> None:
    """Take `lock`, however long another thread holds it.

    Raises:
        Cancelled: the user stopped.
    """
    while not lock.acquire(timeout=POLL):
        if stop.is_set():
            raise Cancelled
