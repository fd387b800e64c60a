"""The key bar's words on the trace screen: only what a key would do now.

This module must not know widgets.
"""

from __future__ import annotations

from calitui.trace.path import Trace
from calitui.tui.trace import words

_OF_A_PATH = dict.fromkeys(
    ("detail", "copy", "export", "unread", "direction", "family", "why", "walkthrough", "prove"), ""
)


def labels(trace: Trace | None, direction: int, *, busy: bool, whole_detail: bool) -> dict[str, str]:
    """Words by action; an empty one leaves the key out."""
    if trace is None:
        return _OF_A_PATH | {"back": "stop" if busy else "back", "again": "" if busy else "read again"}
    other = trace.directions[1 - direction]
    family = trace.other_family
    return {
        "family": f"IPv{family.family}" if family is not None else "",
        "direction": f"{other.name} {words.ending(other).split()[0]}",
        "unread": "unread" if trace.unread else "",
        "why": "why" if trace.findings or trace.unchecked else "",
        "detail": "path" if whole_detail else "detail",
    }
