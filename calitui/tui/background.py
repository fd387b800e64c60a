"""Work that blocks, on threads that never touch a widget and never keep the program from ending.

Textual's own thread workers live in an executor that is joined at exit, so a reader that waits for a dead node would
hold `q` back; these threads are daemons. What they find reaches the screens as messages.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType

from textual.message import Message
from textual.message_pump import MessagePump

from calitui.errors import CalituiError
from calitui.facts.text import clean


class _Caught(AbstractContextManager[None]):
    """Gives any error to `report` as one a person can read."""

    def __init__(self, report: Callable[[CalituiError], None]) -> None:
        self.report = report

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is None:
            return True
        if isinstance(error, CalituiError):
            self.report(error)
        else:
            words = clean(str(error)) or "no message"
            self.report(CalituiError(f"calitui itself failed: {type(error).__name__}: {words}", "Please report this"))
        return True


def start(name: str, work: Callable[[], None], failed: Callable[[CalituiError], None]) -> threading.Thread:
    """Run `work` on a thread of its own; any error of it goes to `failed`, on that thread."""

    def run() -> None:
        with _Caught(failed):
            work()

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    return thread


def post(target: MessagePump, message: Message) -> bool:
    """Post from any thread; False when `target` or its loop has ended meanwhile."""
    try:
        return target.post_message(message)
    except RuntimeError:
        return False
