"""The walkthrough screen: the packet on its line, the text of the step, and this cluster's evidence.

From 110 columns packet and evidence stand beside the text; below, under it. Nothing moves by itself: one step a key.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import msgspec
from textual.app import ComposeResult
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.screen import Screen

from calitui.facts.cluster import IPPool
from calitui.trace.path import Trace
from calitui.tui.actions import EVERYWHERE, WALKTHROUGH, Action, bindings
from calitui.tui.drawn import Drawn
from calitui.tui.help import HelpScreen
from calitui.tui.lines import KeyBar, Line
from calitui.tui.trace.verdict import ends
from calitui.tui.walkthrough import page
from calitui.tui.walkthrough.rail import joined, rail
from calitui.walkthrough.slides import Slide
from calitui.walkthrough.steps import walkthrough
from calitui.walkthrough.wording import Language, texts

MEDIUM = 110
_ROOMY_LINES = 30


class Left(msgspec.Struct, frozen=True):
    """Where the walkthrough was left: the direction and hop that it showed, if any, and its language."""

    language: Language
    place: tuple[int, int] | None


class WalkthroughScreen(Screen[Left]):
    """All steps of a trace, forward and return."""

    CSS_PATH = "walkthrough.tcss"
    BINDINGS = bindings(WALKTHROUGH)

    def __init__(self, trace: Trace, pools: Iterable[IPPool], language: Language) -> None:
        """`pools` are the cluster's."""
        super().__init__()
        self.trace = trace
        self.told = walkthrough(trace, pools)
        self.language = language
        self.texts = texts(language)
        self.number = 0

    def compose(self) -> ComposeResult:
        """From top to bottom."""
        yield Line(id="title")
        yield Drawn(id="line")
        with VerticalScroll(id="body", can_focus=False), Container(id="page"):
            yield Drawn(id="told")
            yield Drawn(id="shown")
        yield KeyBar(WALKTHROUGH, EVERYWHERE)

    def on_resize(self) -> None:
        """Choose the arrangement for the width."""
        self.set_class(self.size.width >= MEDIUM, "-wide")
        self._show()

    @property
    def slide(self) -> Slide:
        """The present step."""
        return self.told.slides[self.number]

    def _show(self) -> None:
        slide, words = self.slide, self.texts
        way = self.trace.directions[slide.direction]
        step = words.of_screen("step", number=self.number + 1, count=len(self.told.slides))
        left = [Content.styled(words.of_screen(way.name), "bold"), Content(step)]
        if self.size.width >= MEDIUM:
            left.insert(0, Content.styled(words.of_screen("walkthrough"), "bold $link"))
        taken = sum(part.cell_length + 3 for part in left)
        first, second = self.trace.source.label, self.trace.destination.label
        pair = (first, second) if slide.direction == 0 else (second, first)
        self.query_one("#title", Line).show(left, ends(*pair, max(24, self.size.width - taken - 4)))
        self.query_one("#line", Drawn).show(partial(_rail, self, slide))
        roomy = self.size.width >= MEDIUM and self.size.height >= _ROOMY_LINES
        self.query_one("#told", Drawn).show(lambda width: page.told(slide, words, width, roomy))
        self.query_one("#shown", Drawn).show(lambda width: page.shown(slide, words, width, roomy))
        self._rename_keys()

    def _rename_keys(self) -> None:
        keys = self.texts.keys
        back = self.slide.direction == 1
        self.query_one(KeyBar).rename(
            {
                "step(1)": keys["next"] if self.number < len(self.told.slides) - 1 else "",
                "step(-1)": keys["previous"] if self.number else "",
                "direction": keys["direction-back" if back else "direction"] if len(self.told.lines) > 1 else "",
                "language": keys["language"],
                "back": keys["back"],
                "app.help": keys["help"],
                "app.quit": keys["quit"],
            }
        )

    def _go(self, number: int) -> None:
        self.number = max(0, min(number, len(self.told.slides) - 1))
        self.query_one("#body", VerticalScroll).scroll_home(animate=False)
        self._show()

    def help_screen(self) -> HelpScreen:
        """The keys in the present language, and what is drawn on the line."""
        words = self.texts
        keys = [_worded(action, words.help) for action in (*WALKTHROUGH, *EVERYWHERE)]
        return HelpScreen(words.of_screen("walkthrough"), keys, words.of_screen("legend"), words.legend.items())

    # keys

    def action_step(self, steps: int) -> None:
        """Forth and back."""
        self._go(self.number + steps)

    def action_first(self) -> None:
        """The opening."""
        self._go(0)

    def action_last(self) -> None:
        """The verdict."""
        self._go(len(self.told.slides) - 1)

    def action_direction(self) -> None:
        """To the start of the other direction."""
        if len(self.told.lines) > 1:
            self._go(self.told.first_of(1 - self.slide.direction))

    def action_language(self) -> None:
        """The same step in the next language."""
        self.language = self.language.other
        self.texts = texts(self.language)
        self._show()

    def action_scroll(self, pages: float) -> None:
        """Scroll a page that is longer than the screen."""
        body = self.query_one("#body", VerticalScroll)
        body.scroll_relative(y=round(pages * max(2, body.size.height)), animate=False)

    def action_back(self) -> None:
        """Leave, and say where."""
        slide = self.slide
        place = None if slide.station is None else (slide.direction, slide.station)
        self.dismiss(Left(self.language, place))


def _rail(screen: WalkthroughScreen, slide: Slide, width: int) -> Content:
    return joined(rail(screen.told.lines[slide.direction], slide, width, screen.texts))


def _worded(action: Action, words: dict[str, str]) -> Action:
    """An action with its help in another language; one without help stays out of it."""
    name = action.name.partition("(")[0].replace(".", "-")
    key = {"step": "next" if "(1)" in action.name else "previous", "last": "", "scroll": "scroll"}.get(name, name)
    return msgspec.structs.replace(action, help=words.get(key, "") if action.help else "")
