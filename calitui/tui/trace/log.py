"""What stands in the place of a path while there is none: what is being read, or why there will be no path.

This module must not know widgets.
"""

from __future__ import annotations

from collections.abc import Iterable

from textual.content import Content

from calitui.errors import CalituiError, Cancelled
from calitui.facts.text import clean
from calitui.session import Progress

MOST_LINES = 200
"""Lines that are kept."""


def line(progress: Progress) -> Content:
    """`k8s-calico2: reading routes`."""
    where = f"{clean(progress.node)}: " if progress.node else ""
    return Content.assemble((where, "bold"), clean(progress.what))


def state(error: CalituiError | None) -> Content:
    """The verdict's place: a glyph and a word."""
    if error is None:
        return Content.styled("◌ reading", "bold $warn")
    return Content.styled("■ stopped" if isinstance(error, Cancelled) else "✖ no trace", "bold $bad")


def page(lines: Iterable[Content], error: CalituiError | None) -> Content:
    """Everything so far, and how it ended."""
    shown = list(lines)
    if error is not None:
        stopped = isinstance(error, Cancelled)
        what = "Stopped before a path could be computed" if stopped else f"✖ {error.what}"
        shown += [Content(""), Content.styled(clean(what), "bold $warn" if stopped else "bold $bad")]
        if error.hint:
            shown.append(Content(clean(error.hint)))
        shown.append(Content.styled("r reads again · Esc goes back to the pods", "$dim"))
    return Content("\n").join(shown or [Content.styled("starting", "$dim")])
