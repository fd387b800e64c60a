"""Work that may take long: what it does is told on stderr, and ctrl-c ends it at once."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from calitui.cli import output
from calitui.session import Progress, ProgressSink

PATIENCE = 2.0
"""Seconds that work gets to end after ctrl-c."""

Result = TypeVar("Result")
Work = Callable[[ProgressSink, threading.Event], Result]


def run(work: Work[Result], verbose: bool, patience: float = PATIENCE) -> Result:
    """Do `work(progress, stop)` in a thread of its own, so that no wait of it can hold a ctrl-c back.

    Progress is told when a person looks at stderr or asked for it. Raises what the work raises, and KeyboardInterrupt.
    """
    stop = threading.Event()
    future: Future[Result] = Future()
    tell = _tell if verbose or sys.stderr.isatty() else _stay_silent

    def body() -> None:
        try:
            future.set_result(work(tell, stop))
        except BaseException as error:  # noqa: BLE001 - handed to the waiting thread, which raises it
            future.set_exception(error)

    thread = threading.Thread(target=body, name="calitui-work", daemon=True)
    thread.start()
    try:
        return future.result()
    except KeyboardInterrupt:
        stop.set()
        thread.join(patience)
        raise


def run_kept(work: Work[Result], verbose: bool, patience: float) -> tuple[Result | None, bool]:
    """Like `run`, but after ctrl-c wait up to `patience` seconds for the work to end, and keep what it has by then.

    The second value is whether ctrl-c came. Another ctrl-c waits no more.
    """
    kept: Future[Result] = Future()

    def keeping(progress: ProgressSink, stop: threading.Event) -> None:
        try:
            kept.set_result(work(progress, stop))
        except BaseException as error:
            kept.set_exception(error)
            raise

    try:
        run(keeping, verbose, patience)
    except KeyboardInterrupt:
        usable = kept.done() and kept.exception() is None
        return (kept.result() if usable else None), True
    return kept.result(), False


def _tell(progress: Progress) -> None:
    output.note(f"{progress.node}: {progress.what}" if progress.node else progress.what)


def _stay_silent(_progress: Progress) -> None:
    return
