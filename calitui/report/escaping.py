"""Text of a cluster inside Markdown: names in code spans, evidence in fenced blocks, prose escaped.

Nothing that comes through here can become a link, an image, a heading or HTML in somebody's ticket.
"""

from __future__ import annotations

import re

from calitui.facts.text import clean

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!&$])")
_LEADING = re.compile(r"^([-+=]|\d+[.)])")
_BACKTICKS = re.compile(r"`+")
_URL = re.compile(r"(?i)(https?|ftp)://|(www)\.")


def prose(text: str) -> str:
    """`text` as one line that Markdown prints as it is, links included."""
    escaped = _SPECIAL.sub(r"\\\1", clean(text))
    escaped = _LEADING.sub(lambda match: match[1][:-1] + "\\" + match[1][-1], escaped)
    return _URL.sub(lambda match: f"{match[1]}\\://" if match[1] else f"{match[2]}\\.", escaped)


def span(text: str, *, cell: bool = False) -> str:
    """`text` in a code span that it can't leave; `cell` also keeps it inside its table cell."""
    words = clean(text)
    if not words:
        return ""
    fence = "`" * (_longest_run(words) + 1)
    padding = " " if words[0] in "` " or words[-1] in "` " else ""
    return f"{fence}{padding}{words.replace('|', chr(92) + '|') if cell else words}{padding}{fence}"


def fenced(lines: list[str], language: str = "text") -> str:
    """`lines` verbatim in a fenced block that none of them can close; `language` is a word of ours."""
    body = [clean(line) for line in lines]
    fence = "`" * max(3, *(_longest_run(line) + 1 for line in body))
    return "\n".join([f"{fence}{language}", *body, fence])


def _longest_run(text: str) -> int:
    return max((len(run) for run in _BACKTICKS.findall(text)), default=0)
