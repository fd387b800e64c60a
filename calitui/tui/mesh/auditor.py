"""The thread that reads a whole cluster: what it learns waits in one place, however often it changes.

A screen is told once that something is new and takes the newest: a thousand nodes do not make a thousand drawings.
This module must not touch a widget.
"""

from __future__ import annotations

import threading

from textual.message_pump import MessagePump

from calitui.diagnosis.audit import Audit
from calitui.errors import CalituiError
from calitui.session import Progress, Session
from calitui.tui.background import post, start
from calitui.tui.messages import AuditFailed, AuditNews, AuditRead


class Auditor:
    """Reads audits for one screen, one at a time; messages of a superseded run have an old number."""

    def __init__(self, session: Session, screen: MessagePump) -> None:
        """Nothing happens before `read`."""
        self.session = session
        self.screen = screen
        self.run = 0
        self.busy = False
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._told = False
        self._progress: Progress | None = None
        self._partial: Audit | None = None

    def read(self) -> None:
        """Start reading; what was under way is stopped."""
        self.stop()
        self.run += 1
        self.busy = True
        self._stop = threading.Event()
        run, stop = self.run, self._stop
        with self._lock:
            self._told, self._progress, self._partial = False, None, None

        def progress(news: Progress) -> None:
            self._keep(run, news, None)

        def partial(audit: Audit) -> None:
            self._keep(run, None, audit)

        def work() -> None:
            post(self.screen, AuditRead(run, self.session.audit(progress, stop, partial)))

        def failed(error: CalituiError) -> None:
            post(self.screen, AuditFailed(run, error))

        start("audit", work, failed)

    def _keep(self, run: int, progress: Progress | None, partial: Audit | None) -> None:
        with self._lock:
            if run != self.run:
                return
            self._progress = progress or self._progress
            self._partial = partial or self._partial
            told, self._told = self._told, True
        if not told:
            post(self.screen, AuditNews(run))

    @property
    def has_news(self) -> bool:
        """Whether `take` would return something."""
        return self._told

    def take(self) -> tuple[Progress | None, Audit | None]:
        """The newest progress and partial result since the last time; each None where there is nothing new."""
        with self._lock:
            news = self._progress, self._partial
            self._told, self._progress, self._partial = False, None, None
        return news

    def stop(self) -> None:
        """Ask the thread to end; it says so with a message."""
        self._stop.set()
