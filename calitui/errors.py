"""Errors that a person reads.

Each says in one line what failed and where, and what to try next. Front ends print `str(error)` and leave with
`error.exit`; nothing else may reach a terminal as a traceback. This module must not know who raises or who prints.
"""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of the command line; scripts test them."""

    DELIVERED = 0
    """The path is delivered both ways, or the command did what it was asked."""
    BROKEN = 1
    """At least one direction is known to fail."""
    USAGE = 2
    """Wrong arguments, or no such pod, demo or context."""
    UNREADABLE = 3
    """The cluster or the file can't be read."""
    UNKNOWN = 4
    """Something that decides the verdict could not be read."""
    INTERRUPTED = 130
    """Stopped by the user."""


class CalituiError(Exception):
    """What failed and where (`what`), and what to try (`hint`, may be empty). Both are plain text in one line."""

    exit: Exit = Exit.UNREADABLE

    def __init__(self, what: str, hint: str = "") -> None:
        """`what` and `hint` are sentences without a final full stop."""
        super().__init__(what, hint)
        self.what = what
        self.hint = hint

    def __str__(self) -> str:
        """One line: the failure, then what to try."""
        return f"{self.what}. {self.hint}" if self.hint else self.what


class UsageError(CalituiError):
    """The question can't be asked like this: no such pod, demo, context or flag value."""

    exit = Exit.USAGE


class ClusterError(CalituiError):
    """The Kubernetes API can't be reached or refuses us."""


class SnapshotError(CalituiError):
    """A snapshot file can't be read: truncated, foreign or of a newer version."""


class NodeError(CalituiError):
    """One node can't be read. Costs `not-read` hops, never the trace."""

    exit = Exit.UNKNOWN


class Cancelled(CalituiError):  # noqa: N818 - a decision of the user, not a failure
    """The user stopped what was under way."""

    exit = Exit.INTERRUPTED

    def __init__(self) -> None:
        """Needs no words: the user knows."""
        super().__init__("Stopped")
