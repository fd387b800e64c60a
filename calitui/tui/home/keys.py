"""The key bar's words on the home screen: only what a key would do now.

This module must not know widgets.
"""

from __future__ import annotations

_TYPING = dict.fromkeys(("filter", "namespace", "all_namespaces", "mesh", "unread", "app.help", "app.quit"), "") | {
    "mark": "keep the filter",
    "back": "clear it",
}


def labels(*, typing: bool, source_marked: bool, missing: bool, one_namespace: bool, failed: bool) -> dict[str, str]:
    """Words by action; an empty one leaves the key out. While `typing`, letters are letters."""
    if typing:
        return _TYPING
    return {
        "mark": "trace" if source_marked else "mark source",
        "unread": "unread" if missing else "",
        "all_namespaces": "all" if one_namespace else "",
        "again": "try again" if failed else "",
    }
