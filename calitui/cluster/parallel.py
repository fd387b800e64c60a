"""Requests beside each other in daemon threads.

`concurrent.futures` waits for its threads when the program ends, so leaving while a server hangs would take until the
last time limit; nothing here keeps a program from ending.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def spawn(call: Callable[[], T]) -> Future[T]:
    """Start `call` in a thread of its own; the future has its result or its exception."""
    future: Future[T] = Future()
    threading.Thread(target=_settle, args=(future, call), name="request", daemon=True).start()
    return future


def all_of(calls: Sequence[Callable[[], T]], workers: int) -> list[T]:
    """The results of all calls in their order, at most `workers` running at once; the first failure is raised."""
    waiting: queue.SimpleQueue[tuple[Future[T], Callable[[], T]]] = queue.SimpleQueue()
    futures: list[Future[T]] = []
    for call in calls:
        futures.append(Future())
        waiting.put((futures[-1], call))

    def work() -> None:
        while True:
            try:
                future, call = waiting.get_nowait()
            except queue.Empty:
                return
            _settle(future, call)

    for _ in range(min(workers, len(calls))):
        threading.Thread(target=work, name="request", daemon=True).start()
    return [future.result() for future in futures]


def _settle(future: Future[T], call: Callable[[], T]) -> None:
    try:
        future.set_result(call())
    except BaseException as error:  # noqa: BLE001 - raised again where the result is asked for
        future.set_exception(error)
