"""Questions of connections, carried from the thread that connects to the person at the screen.

`TuiPrompts` is handed to a session before there is an app; the app attaches itself. Until then, and once it has ended,
every question is refused. Answers are never kept.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future

from textual.app import App
from textual.message import Message

from calitui.session import HostKeyQuestion, SecretQuestion
from calitui.tui.background import post

Answer = bool | tuple[str, ...] | None


class Asked(Message):
    """A thread waits for `answer` to `question`."""

    def __init__(self, question: HostKeyQuestion | SecretQuestion, answer: Future[Answer]) -> None:
        """`answer` is set exactly once, by the screen or when the app ends."""
        super().__init__()
        self.question = question
        self.answer = answer


class TuiPrompts:
    """Asks in the app that is attached; threads wait here for the answer."""

    def __init__(self) -> None:
        """Attached to nothing."""
        self._app: App[int] | None = None
        self._waiting: set[Future[Answer]] = set()
        self._lock = threading.Lock()

    def attach(self, app: App[int]) -> None:
        """Questions go to `app` from now on."""
        self._app = app

    def detach(self) -> None:
        """Refuse what waits, and everything after it."""
        with self._lock:
            self._app = None
            waiting = tuple(self._waiting)
        for answer in waiting:
            settle(answer, None)

    def confirm_host_key(self, question: HostKeyQuestion) -> bool:
        """Whether the person at the screen accepts the key."""
        return self._ask(question) is True

    def secret(self, question: SecretQuestion) -> tuple[str, ...] | None:
        """What the person typed, or None."""
        answer = self._ask(question)
        return answer if isinstance(answer, tuple) else None

    def _ask(self, question: HostKeyQuestion | SecretQuestion) -> Answer:
        answer: Future[Answer] = Future()
        with self._lock:
            app = self._app
            if app is None:
                return None
            self._waiting.add(answer)
        if not post(app, Asked(question, answer)):
            settle(answer, None)
        try:
            return answer.result()
        finally:
            with self._lock:
                self._waiting.discard(answer)


def settle(answer: Future[Answer], value: Answer) -> None:
    """Answer, unless somebody was quicker."""
    if answer.set_running_or_notify_cancel() if not answer.done() and not answer.running() else False:
        answer.set_result(value)
