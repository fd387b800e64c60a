"""The list of what could not be read, and why: one screen for the cluster's, a trace's and an audit's."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.content import Content

from calitui.facts.missing import Missing
from calitui.facts.text import clean
from calitui.tui.framed import FramedScreen


class UnreadScreen(FramedScreen):
    """Everything in full, in the order it was missed."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("u", "dismiss", show=False)]

    def __init__(self, missing: Iterable[Missing]) -> None:
        """At least one."""
        missing = tuple(missing)
        super().__init__(f"{len(missing)} not read", described(missing))


def described(missing: Iterable[Missing]) -> Content:
    """One paragraph each: where and what, then why."""
    blocks = []
    for item in missing:
        where = f"{item.node}: " if item.node else ""
        blocks.append(Content.assemble((clean(f"{where}{item.what}"), "bold"), "\n", clean(item.reason)))
    return Content("\n").join(blocks)
