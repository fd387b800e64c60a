"""Text from clusters and nodes made harmless before it becomes a fact.

Nodes, pods and API servers are not trusted: a pod annotation or an interface alias may carry terminal escapes. Readers
pass every string through `clean` on its way into facts, so no screen or report has to think of it again. Markup of
drawing libraries is not escaped here: screens draw facts as plain text.
"""

from __future__ import annotations

import re

LONGEST_LINE = 4096
"""Characters kept of one line; far above any line that iproute2 or Kubernetes prints for one object."""

# C0 and C1 controls, line and paragraph separators, bidirectional overrides and isolates, zero-width characters, lone
# surrogates: each can move the cursor, hide text or reorder what a person reads.
_UNSAFE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff\ufff9-\ufffb]"
)


def clean(text: str) -> str:
    r"""Return `text` as one printable line: unsafe characters become visible escapes such as `\x1b`, the rest stays.

    A line longer than `LONGEST_LINE` is cut and ends in `…`.
    """
    if len(text) > LONGEST_LINE:
        text = text[: LONGEST_LINE - 1] + "…"
    if text.isascii() and text.isprintable():
        return text
    return _UNSAFE.sub(_visible, text)


def is_unsafe(text: str) -> bool:
    """Whether `text` holds a character that `clean` would make visible, other than a line's end."""
    return _UNSAFE.search(text.replace("\n", "")) is not None


def _visible(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
