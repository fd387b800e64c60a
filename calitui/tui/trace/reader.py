"""The thread that reads one trace: it posts progress, then the trace or why there is none.

This module must not touch a widget.
"""

from __future__ import annotations

import threading

from textual.message_pump import MessagePump

from calitui.errors import CalituiError
from calitui.session import Progress, Session
from calitui.tui.background import post, start
from calitui.tui.messages import TraceFailed, TraceProgress, TraceRead


class Reader:
    """Reads traces for one screen, one at a time; messages of a superseded run have an old number."""

    def __init__(self, session: Session, screen: MessagePump) -> None:
        """Nothing happens before `read`."""
        self.session = session
        self.screen = screen
        self.run = 0
        self.busy = False
        self._stop = threading.Event()

    def read(self, source: str, destination: str) -> None:
        """Start reading; what was under way is stopped."""
        self.stop()
        self.run += 1
        self.busy = True
        self._stop = threading.Event()
        run, stop = self.run, self._stop

        def progress(news: Progress) -> None:
            post(self.screen, TraceProgress(run, news))

        def work() -> None:
            trace = self.session.trace(source, destination, progress, stop)
            post(self.screen, TraceRead(run, trace))

        def failed(error: CalituiError) -> None:
            post(self.screen, TraceFailed(run, error))

        start("trace", work, failed)

    def stop(self) -> None:
        """Ask the thread to end; it says so with a message."""
        self._stop.set()
