"""A command of a live proof on the machine that calitui runs on."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess
import threading
from collections.abc import Callable, Sequence

from calitui.errors import NodeError
from calitui.facts.cluster import Node, Pod
from calitui.nodes.deadline import POLL, Deadline
from calitui.nodes.proving.held import TO_BEGIN, Held, Received, begun, silence
from calitui.nodes.proving.script import SCRIPT
from calitui.nodes.script import command

_CHUNK = 1 << 18
_WHERE = "this machine"


class LocalProver:
    """Implements `calitui.nodes.proving.held.Prover`; needs no sudo where calitui runs as root."""

    def hold(
        self,
        node: Node,
        words: Sequence[str],
        progress: Callable[[str], None],
        stop: threading.Event,
        pod: Pod | None = None,
    ) -> Held:
        """Run the script here: `node` is this machine, as whoever chose this way in has made sure."""
        try:
            channel = _Process(command(words))
        except OSError as error:
            raise NodeError(f"{_WHERE}: sh can't be started ({error.strerror or error})") from None
        held = Held(channel)
        if not begun(held, _WHERE, Deadline(TO_BEGIN, stop)):
            raise silence(_WHERE, held.stop())
        return held


class _Process:
    """Implements `calitui.nodes.proving.held.Channel`."""

    def __init__(self, words: Sequence[str]) -> None:
        # A session of its own: Ctrl-C in our terminal is ours alone, and it is left when its input ends.
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )
        self._pending = SCRIPT.encode()
        self._lock = threading.Lock()
        stdin, stdout, stderr = self._process.stdin, self._process.stdout, self._process.stderr
        if stdin is None or stdout is None or stderr is None:
            raise OSError("no pipes")
        self._input = stdin
        self._errors = stderr.fileno()
        self._outputs = {stdout.fileno(): stdout, self._errors: stderr}
        os.set_blocking(self._input.fileno(), False)

    def receive(self) -> Received | None:
        self._feed()
        if not self._outputs:
            return None
        poll = select.poll()
        for descriptor in self._outputs:
            poll.register(descriptor, select.POLLIN)
        output = errors = b""
        for descriptor, _ in poll.poll(POLL * 1000):
            data = os.read(descriptor, _CHUNK)
            if not data:
                self._outputs.pop(descriptor).close()
            elif descriptor == self._errors:
                errors = data
            else:
                output = data
        return Received(output, errors)

    def end_input(self) -> None:
        with self._lock, contextlib.suppress(OSError):
            self._pending = b""
            self._input.close()

    def close(self) -> None:
        self.end_input()
        if self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGTERM)

    def status(self) -> int | None:
        self.end_input()
        try:
            return self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            return None

    def _feed(self) -> None:
        with self._lock:
            while self._pending:
                try:
                    self._pending = self._pending[os.write(self._input.fileno(), self._pending) :]
                except BlockingIOError:
                    return
                except OSError:
                    self._pending = b""
