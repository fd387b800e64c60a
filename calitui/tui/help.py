"""The help screen: the keys of the screen it was opened on, and what a person can't guess."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from calitui.tui.actions import Action
from calitui.tui.text import wrap

EVIDENCE = (
    ("● read", "kernel: it was asked with `ip route get`; table: looked up in its dumped tables"),
    ("○ inferred", "computed, e.g. from a naming rule; nobody looked"),
    ("? not read", "nobody could look: the reason stands in the detail"),
    ("▲", "the kernel's answer and the tables differ"),
    ("✖", "the path ends at this hop"),
    ("◉ seen", "a live proof saw its packets here; ◌ not seen: it watched, and they did not come"),
    ("not watched", "nobody watched here all the time, so that nothing was seen means nothing"),
    ("!", "a finding belongs to this hop: select it, or d lists all findings"),
    ("~", "not as it was at the reading before: c lists all changes"),
)

SEVERITIES = (
    ("✖ error", "packets are lost now"),
    ("▲ warning", "they are lost in some cases, or soon"),
    ("i info", "worth knowing"),
    ("?", "could not be checked: what that needs was not read, so it is neither found nor ruled out"),
)


class HelpScreen(ModalScreen[None]):
    """Keys, then the screen's own subject."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1,enter", "dismiss", "close"),
        Binding("j,down", "scroll(1)", show=False),
        Binding("k,up", "scroll(-1)", show=False),
        Binding("ctrl+d,pagedown", "scroll(10)", show=False),
        Binding("ctrl+u,pageup", "scroll(-10)", show=False),
    ]
    DEFAULT_CSS = """
    HelpScreen { align: center middle; background: $background 60%; }
    HelpScreen > VerticalScroll {
        width: 96%; max-width: 100; height: auto; max-height: 96%;
        border: round $link; background: $surface; padding: 0 1; scrollbar-size-vertical: 1; scrollbar-gutter: stable;
        border-title-color: $link; border-title-style: bold; border-subtitle-color: $dim;
    }
    """

    def __init__(self, title: str, keys: Iterable[Action], subject: str, rows: Iterable[tuple[str, str]]) -> None:
        """`subject` heads `rows`, the part that is not about keys."""
        super().__init__()
        self.heading = title
        self.keys = tuple(keys)
        self.subject = subject
        self.rows = tuple(rows)

    def compose(self) -> ComposeResult:
        """A framed page."""
        page = VerticalScroll()
        page.border_title = Content(self.heading)
        page.border_subtitle = Content("Esc closes · j k scroll")
        with page:
            yield Static("", markup=False)

    def on_resize(self) -> None:
        """Wrap to the page's width."""
        self.call_after_refresh(self._fill)

    def _fill(self) -> None:
        page = self.query_one(VerticalScroll)
        width = max(30, page.scrollable_content_region.width)
        keys = [(action.shown, action.help) for action in self.keys if action.help]
        lines = [*table(keys, width), Content.styled(self.subject, "bold"), *table(self.rows, width)]
        page.query_one(Static).update(Content("\n").join(lines))

    def action_scroll(self, step: int) -> None:
        """Lines."""
        self.query_one(VerticalScroll).scroll_relative(y=step, animate=False)


def table(rows: Iterable[tuple[str, str]], width: int) -> list[Content]:
    """A key or an example, then its words, which wrap beside it."""
    lines: list[Content] = []
    for key, words in rows:
        for number, line in enumerate(wrap(words, width - 13)):
            lines.append(Content.assemble(((key if number == 0 else "").ljust(12), "bold $link"), " ", line))
    return lines
