"""Into another network namespace, with one thread only.

A thread that has entered another namespace must not be given other work, so each visit has a thread of its own, which
ends with it. pyroute2's own way forks the process, which a process with threads and a screen should not do, and by
default makes a namespace that is not there.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from pyroute2 import netns

T = TypeVar("T")


def inside(path: str | None, work: Callable[[], T]) -> T:
    """Do `work` in a thread of its own that is in the network namespace at `path`, None for this process's own.

    Raises:
        OSError: it can't be entered: it is gone, is no namespace, or takes root.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="network namespace") as thread:
        return thread.submit(_enter, path, work).result()


def _enter(path: str | None, work: Callable[[], T]) -> T:
    if path is not None:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            netns.setns(descriptor, flags=0, libc=ctypes.CDLL(None, use_errno=True))
        finally:
            os.close(descriptor)
    return work()
