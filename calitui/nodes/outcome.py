"""What came of a command on a node, whatever the way in."""

from __future__ import annotations

import msgspec

from calitui.facts.text import clean


class Outcome(msgspec.Struct, frozen=True):
    """What came of a command. `status` is its exit status, None if it was not told (killed, cut off, timed out).

    `truncated` says that there was more output than was taken; `cut` why it ended early otherwise ("" if it did not):
    it was still running at the deadline, or the connection broke. `failure` is why a container runtime could not start
    it.
    """

    output: bytes = b""
    errors: str = ""
    status: int | None = None
    truncated: bool = False
    cut: str = ""
    failure: str = ""

    @property
    def complaint(self) -> str:
        """The last line of the error output."""
        lines = [line.strip() for line in self.errors.splitlines() if line.strip()]
        return clean(lines[-1]) if lines else ""
