"""The dialog of a live proof: what will run where, in words, before anything does; then how far it is.

Nothing is sent before Enter or y. Of a recording nothing is sent at all: its proof is shown.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from calitui.errors import CalituiError, Cancelled
from calitui.facts.text import clean
from calitui.session import CannotProve, Progress, ProgressSink, ProofPlan, ProofRequest, Session
from calitui.trace.path import Trace
from calitui.tui.background import post, start
from calitui.tui.text import crop, width_of
from calitui.tui.trace import log

_FORMS = "icmp, tcp PORT or udp PORT"
_MOST = 10
_ASK = "y or Enter sends · Tab to change · Esc does not"
_RUNNING = "Esc stops"


def asked(what: str, number: str) -> ProofRequest | str:
    """What the fields ask for, or why they can't be read."""
    words = what.lower().split()
    if not number.strip().isdecimal() or not 1 <= int(number.strip()[:4]) <= _MOST:
        return f"how many is a number from 1 to {_MOST}"
    count = int(number)
    if words == ["icmp"]:
        return ProofRequest(count=count)
    if len(words) == 2 and words[0] in ("tcp", "udp") and words[1].isascii() and words[1].isdecimal():
        port = int(words[1][:7])
        if 0 < port < 65536:
            return ProofRequest(protocol=words[0], port=port, count=count)
    return f"what to send is {_FORMS}"


News = Progress | ProofPlan | CannotProve | Trace | CalituiError
"""What the threads of the dialog bring."""
Work = Callable[[ProgressSink, threading.Event], ProofPlan | CannotProve | Trace]


def _is_command(sentence: str) -> bool:
    """A plan's commands are indented."""
    return sentence.startswith(" ")


class _Told(Message):
    """From a thread of the dialog: progress, a plan, the proved trace, or an error; `run` tells late ones apart."""

    def __init__(self, run: int, news: News) -> None:
        super().__init__()
        self.run = run
        self.news = news


class ProofScreen(ModalScreen[Trace | None]):
    """Plans, asks, runs; the result is the trace with its proof, None where there is none."""

    AUTO_FOCUS = ""
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y,enter", "send", "send"),
        Binding("escape", "back", "back"),
        Binding("tab", "change(1)", show=False),
        Binding("shift+tab", "change(-1)", show=False),
        Binding("j,down,pagedown", "scroll(4)", show=False),
        Binding("k,up,pageup", "scroll(-4)", show=False),
    ]
    DEFAULT_CSS = """
    ProofScreen { align: center middle; background: $background 60%; }
    ProofScreen > VerticalScroll {
        width: 96%; max-width: 110; height: auto; max-height: 96%; border: round $link; background: $surface;
        padding: 0 1; border-title-color: $link; border-title-style: bold; border-subtitle-color: $foreground;
        scrollbar-size-vertical: 1;
    }
    ProofScreen Horizontal { height: 1; }
    ProofScreen .label { width: auto; color: $dim; }
    ProofScreen Input {
        border: none; height: 1; padding: 0; background: $panel; background-tint: transparent; margin: 0 2 0 1;
    }
    ProofScreen #what { width: 16; }
    ProofScreen #number { width: 5; }
    ProofScreen #plan { margin: 1 0 0 0; }
    """

    def __init__(self, session: Session, trace: Trace) -> None:
        """`trace` is what is to be proved."""
        super().__init__()
        self.session = session
        self.of = trace
        self.plan: ProofPlan | CannotProve | None = None
        self.sentences: tuple[str, ...] = ()
        self.running = False
        self.run = 0
        self._stop = threading.Event()

    def compose(self) -> ComposeResult:
        """The fields, the plan, and a line for what is going on."""
        box = VerticalScroll(can_focus=False)
        box.border_title = Content("Proof by packet")
        with box:
            with Horizontal():
                yield Static("send", classes="label", markup=False)
                yield self._field("icmp", "what")
                yield Static("how many", classes="label", markup=False)
                yield self._field(str(ProofRequest().count), "number")
                yield Static(f"({_FORMS})", classes="label", markup=False)
            yield Static("", id="state", markup=False)
            yield Static("", id="plan", markup=False)

    def _field(self, value: str, name: str) -> Input:
        field = Input(value, compact=True, select_on_focus=True, id=name)
        field.cursor_blink = False
        return field

    def on_mount(self) -> None:
        """A recording's proof is there already; else say what would be done."""
        self._subtitle(_ASK)
        if self.session.recorded:
            self._show_plan(["This is a recording: nothing is sent, the proof that it holds is shown."])
            self.action_send()
        else:
            self._changed()

    def on_unmount(self) -> None:
        """Nobody waits any more."""
        self._stop.set()

    @property
    def request(self) -> ProofRequest | str:
        """What the fields ask for now."""
        return asked(self.query_one("#what", Input).value, self.query_one("#number", Input).value)

    # the plan

    @on(Input.Changed)
    def _changed(self) -> None:
        if self.running or self.session.recorded:
            return
        self.plan = None
        request = self.request
        if isinstance(request, str):
            self._show_plan([])
            self._say(f"✖ {request}", "bold $bad")
            return
        self._say("◌ planning", "$dim")
        self._start(lambda progress, stop: self.session.proof_plan(self.of, request, progress, stop))

    @on(Input.Submitted)
    def _typed(self) -> None:
        """The plan is read before it is agreed to: the first Enter only leaves the field."""
        self.set_focus(None)

    def _planned(self, plan: ProofPlan | CannotProve) -> None:
        self.plan = plan
        if isinstance(plan, CannotProve):
            self._show_plan([])
            self._say("\n".join(f"✖ {reason}" for reason in plan.reasons), "bold $bad")
            return
        self._show_plan(plan.sentences)
        self._say("", "")

    def _show_plan(self, sentences: list[str] | tuple[str, ...]) -> None:
        self.sentences = tuple(clean(sentence) for sentence in sentences)
        self._draw_plan()

    def _draw_plan(self) -> None:
        """The sentences with the beginning of each command; those that are longer stand below in full."""
        # A recorded proof closes the dialog before its first drawing: there may be nothing left to draw on.
        box, plan = self.query(VerticalScroll), self.query("#plan").results(Static)
        width = max(30, box.first().scrollable_content_region.width - 1) if box else 30
        lines = [
            Content.styled(crop(line, width), "bold") if _is_command(line) else Content(line) for line in self.sentences
        ]
        long = [line.strip() for line in self.sentences if _is_command(line) and width_of(line) > width]
        if long:
            lines += [Content.styled("\nIn full:", "$dim"), *(Content.styled(line, "$dim") for line in long)]
        for drawn in plan:
            drawn.update(Content("\n").join(lines))

    def on_resize(self) -> None:
        """Commands are cut to the width."""
        self.call_after_refresh(self._draw_plan)

    # running

    def action_send(self) -> None:
        """Run what is shown."""
        request = self.request
        if self.running or isinstance(request, str):
            return
        if not self.session.recorded and not isinstance(self.plan, ProofPlan):
            return
        self.running = True
        for field in self.query(Input):
            field.disabled = True
        self._subtitle(_RUNNING)
        self._say("◌ starting", "bold $warn")
        self._start(lambda progress, stop: self.session.prove(self.of, request, progress, stop))

    def action_back(self) -> None:
        """Stop what runs; else leave without a proof."""
        if not self.running:
            self.dismiss(None)
            return
        self._stop.set()
        self._say("◌ stopping, and ending what runs on the nodes", "bold $warn")

    def action_change(self, step: int) -> None:
        """To the next field."""
        if self.running:
            return
        fields = [*self.query(Input)]
        at = fields.index(self.focused) if isinstance(self.focused, Input) else -1 if step > 0 else 0
        self.set_focus(fields[(at + step) % len(fields)])

    def action_scroll(self, lines: int) -> None:
        """A long plan."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)

    def _start(self, work: Work) -> None:
        self._stop.set()
        self._stop = stop = threading.Event()
        self.run += 1
        run = self.run

        def tell(news: News) -> None:
            post(self, _Told(run, news))

        start("proof", lambda: tell(work(tell, stop)), tell)

    @on(_Told)
    def _heard(self, message: _Told) -> None:
        news = message.news
        if message.run != self.run:
            return
        if isinstance(news, Progress):
            self._say(f"◌ {log.line(news).plain}", "bold $warn")
        elif isinstance(news, Trace):
            self.dismiss(news)
        elif isinstance(news, CalituiError):
            self._failed(news)
        else:
            self._planned(news)

    def _failed(self, error: CalituiError) -> None:
        if isinstance(error, Cancelled) and self.running:
            self.dismiss(None)
            return
        self.running = False
        for field in self.query(Input):
            field.disabled = False
        self._subtitle(_ASK)
        self._say(f"✖ {error}", "bold $bad")

    def _say(self, text: str, style: str) -> None:
        lines = [Content.styled(clean(line), style) for line in text.splitlines()]
        self.query_one("#state", Static).update(Content("\n").join(lines))

    def _subtitle(self, words: str) -> None:
        self.query_one(VerticalScroll).border_subtitle = Content(words)
