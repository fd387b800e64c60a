"""What threads tell the screens. Each carries the number of the run it belongs to, so a late one can be told apart."""

from __future__ import annotations

from textual.message import Message

from calitui.diagnosis.audit import Audit
from calitui.errors import CalituiError
from calitui.facts.cluster import Inventory
from calitui.session import Progress
from calitui.trace.path import Trace
from calitui.tui.home.roster import Roster, Scan


class InventoryArrived(Message):
    """The cluster as it is now."""

    def __init__(self, run: int, inventory: Inventory, roster: Roster) -> None:
        """`roster` belongs to `inventory`."""
        super().__init__()
        self.run = run
        self.inventory = inventory
        self.roster = roster


class FollowEnded(Message):
    """Nothing follows the cluster any more; `error` says why, None is the end of a recording."""

    def __init__(self, run: int, error: CalituiError | None) -> None:
        """`run` is the following that ended."""
        super().__init__()
        self.run = run
        self.error = error


class ScanEnded(Message):
    """A filter that took longer than a frame is done."""

    def __init__(self, scan: Scan) -> None:
        """`scan` is complete."""
        super().__init__()
        self.scan = scan


class TraceProgress(Message):
    """What is being read for a trace."""

    def __init__(self, run: int, progress: Progress) -> None:
        """`run` is the reading it belongs to."""
        super().__init__()
        self.run = run
        self.progress = progress


class TraceRead(Message):
    """A trace is there."""

    def __init__(self, run: int, trace: Trace) -> None:
        """`run` is the reading it belongs to."""
        super().__init__()
        self.run = run
        self.trace = trace


class TraceFailed(Message):
    """There will be no trace from this reading."""

    def __init__(self, run: int, error: CalituiError) -> None:
        """`run` is the reading it belongs to."""
        super().__init__()
        self.run = run
        self.error = error


class TraceWanted(Message):
    """Both ends of a path are known."""

    def __init__(self, source: str, destination: str) -> None:
        """What a session's `trace` takes."""
        super().__init__()
        self.source = source
        self.destination = destination


class WalkthroughWanted(Message):
    """A trace is to be told step by step."""

    def __init__(self, trace: Trace) -> None:
        """`trace` as it is on screen."""
        super().__init__()
        self.trace = trace


class MeshWanted(Message):
    """The whole cluster is to be looked at."""


class AuditNews(Message):
    """Something new waits at the auditor: progress, or what the nodes read so far tell."""

    def __init__(self, run: int) -> None:
        """`run` is the reading it belongs to."""
        super().__init__()
        self.run = run


class AuditRead(Message):
    """An audit is complete."""

    def __init__(self, run: int, audit: Audit) -> None:
        """`run` is the reading it belongs to."""
        super().__init__()
        self.run = run
        self.audit = audit


class AuditFailed(Message):
    """There will be no complete audit from this reading."""

    def __init__(self, run: int, error: CalituiError) -> None:
        """`run` is the reading it belongs to."""
        super().__init__()
        self.run = run
        self.error = error


class Refused(Message):
    """What a person asked for can't be done; `words` say why in one line."""

    def __init__(self, words: str) -> None:
        """For the key bar."""
        super().__init__()
        self.words = words
