"""The key bar's words on the mesh screen: only what a key would do now.

This module must not know widgets.
"""

from __future__ import annotations

from calitui.diagnosis.audit import Audit, Reach

_OF_AN_AUDIT = dict.fromkeys(("open", "other_pane", "next_trouble", "why", "copy", "export", "unread"), "")


def labels(audit: Audit | None, *, busy: bool, on_findings: bool) -> dict[str, str]:
    """Words by action; an empty one leaves the key out. `on_findings` is where the cursor is."""
    reading = {"again": "" if busy else "read again", "back": "stop" if busy else "back"}
    if audit is None:
        return _OF_AN_AUDIT | reading
    return reading | {
        "open": "all about it" if on_findings else "trace",
        "other_pane": "nodes" if on_findings else "findings",
        "next_trouble": "next broken" if audit.count(Reach.BROKEN) or audit.count(Reach.UNKNOWN) else "",
        "why": "why" if audit.findings or audit.unchecked else "",
        "unread": "unread" if audit.unread else "",
    }
