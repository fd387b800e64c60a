"""The app: themes, the stack of screens, help and commands, and dialogs for connections that ask.

It knows a session and nothing behind it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import ClassVar

from textual import on
from textual.app import App, SystemCommand
from textual.binding import Binding, BindingType
from textual.screen import Screen

from calitui.diagnosis.audit import Audit
from calitui.errors import Exit, UsageError
from calitui.session import HostKeyQuestion, Session
from calitui.trace.path import Trace
from calitui.tui.actions import AUDIT, EVERYWHERE, FINDINGS, HOME, LIST, MESH, TRACE, WALKTHROUGH, Action, bindings
from calitui.tui.dialogs import HostKeyScreen, SecretScreen
from calitui.tui.findings.screen import FindingsScreen
from calitui.tui.help import EVIDENCE, SEVERITIES, HelpScreen
from calitui.tui.home.filter import GRAMMAR
from calitui.tui.home.screen import HomeScreen
from calitui.tui.mesh.screen import MeshScreen
from calitui.tui.mesh.words import LEGEND
from calitui.tui.messages import MeshWanted, TraceRead, TraceWanted, WalkthroughWanted
from calitui.tui.prompts import Answer, Asked, TuiPrompts, settle
from calitui.tui.themes import DARK, LIGHT, LIGHT_VARIABLES, THEMES, VARIABLES
from calitui.tui.trace.screen import TraceScreen
from calitui.tui.walkthrough.screen import Left, WalkthroughScreen
from calitui.walkthrough.wording import Language


class CalituiApp(App[int]):
    """One session on screen. Its return value is the exit code."""

    TITLE = "calitui"
    CSS = "CommandPalette SearchIcon { display: none; }"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS: ClassVar[list[BindingType]] = [
        *bindings(EVERYWHERE),
        Binding("ctrl+c", "quit", show=False, priority=True),
    ]

    def __init__(
        self,
        session: Session,
        *,
        theme: str | None = None,
        source: str | None = None,
        destination: str | None = None,
        namespace: str | None = None,
        prompts: TuiPrompts | None = None,
        now: Callable[[], float] = time.time,
        language: Language = Language.EN,
        walking: bool = False,
    ) -> None:
        """With both ends given the trace opens at once; with one it is marked. `namespace` is the only one listed.
        `language` is the walkthrough's, `walking` opens that as soon as the first trace is there.

        Raises:
            UsageError: there is no such theme.
        """
        super().__init__()
        self.session = session
        self.now = now
        self.prompts = prompts
        self.source, self.destination = source, destination
        self.namespace = namespace
        self.language, self.walking = language, walking
        self.audit: Audit | None = None
        self.animation_level = "none"
        for own in THEMES:
            self.register_theme(own)
        if theme is not None and theme not in self.available_themes:
            raise UsageError(f"No theme {theme!r}", f"There are: {', '.join(sorted(self.available_themes))}")
        self.theme = theme or DARK

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Our own variables, for themes that do not define them."""
        return VARIABLES if self.current_theme.dark else LIGHT_VARIABLES

    def on_mount(self) -> None:
        """Home, and the trace over it if both ends are known."""
        if self.prompts is not None:
            self.prompts.attach(self)
        self.push_screen(HomeScreen(self.session, self.now, self.source, self.namespace))
        if self.source and self.destination:
            self._open(self.source, self.destination)

    def on_unmount(self) -> None:
        """Let threads go that wait for an answer."""
        if self.prompts is not None:
            self.prompts.detach()

    @on(TraceWanted)
    def _wanted(self, message: TraceWanted) -> None:
        self._open(message.source, message.destination)

    @on(MeshWanted)
    def _mesh(self) -> None:
        def left(audit: Audit | None) -> None:
            self.audit = audit

        self.push_screen(MeshScreen(self.session, self.now, self.audit), left)

    @on(TraceRead)
    def _walk_at_once(self) -> None:
        if self.walking and isinstance(self.screen, TraceScreen) and self.screen.trace is not None:
            self.walking = False
            self._walk(self.screen, self.screen.trace)

    @on(WalkthroughWanted)
    def _walkthrough(self, message: WalkthroughWanted) -> None:
        if isinstance(self.screen, TraceScreen):
            self._walk(self.screen, message.trace)

    def _walk(self, screen: TraceScreen, trace: Trace) -> None:
        def left(result: Left | None) -> None:
            if result is not None:
                self.language = result.language
                if result.place is not None:
                    screen.go_to(trace, result.place)

        self.push_screen(WalkthroughScreen(trace, self.session.cluster().pools, self.language), left)

    def _open(self, source: str, destination: str) -> None:
        self.push_screen(TraceScreen(self.session, source, destination, self.now))

    @on(Asked)
    def _asked(self, message: Asked) -> None:
        def answered(value: Answer) -> None:
            settle(message.answer, value)

        question = message.question
        if isinstance(question, HostKeyQuestion):
            self.push_screen(HostKeyScreen(question), answered)
        else:
            self.push_screen(SecretScreen(question), answered)

    # actions

    async def action_quit(self) -> None:
        """Leave, whatever is under way."""
        self.exit(int(Exit.DELIVERED))

    def action_toggle_theme(self) -> None:
        """Dark to light and back."""
        self.theme = LIGHT if self.current_theme.dark else DARK

    def action_help(self) -> None:
        """Help for the screen that is on top."""
        if isinstance(self.screen, TraceScreen):
            self.push_screen(HelpScreen("Trace", (*TRACE, *EVERYWHERE), "Stations on the path", EVIDENCE))
        elif isinstance(self.screen, HomeScreen):
            self.push_screen(HelpScreen("Pods", (*HOME, *LIST, *EVERYWHERE), "Filter", GRAMMAR))
        elif isinstance(self.screen, FindingsScreen):
            self.push_screen(HelpScreen("Findings", (*FINDINGS, *LIST, *EVERYWHERE), "Findings", SEVERITIES))
        elif isinstance(self.screen, MeshScreen):
            self.push_screen(HelpScreen("Mesh", (*MESH, *AUDIT, *EVERYWHERE), "Marks", LEGEND))
        elif isinstance(self.screen, WalkthroughScreen):
            self.push_screen(self.screen.help_screen())

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The commands of `screen`, from the table of actions."""
        tables: dict[type, tuple[Action, ...]] = {
            TraceScreen: TRACE,
            HomeScreen: HOME,
            FindingsScreen: FINDINGS,
            MeshScreen: AUDIT,
            WalkthroughScreen: WALKTHROUGH,
        }
        for action in (*tables.get(type(screen), ()), *EVERYWHERE):
            if action.command:
                title = action.title or action.label or action.name.removeprefix("app.").replace("_", " ")
                title = title[:1].upper() + title[1:]
                yield SystemCommand(f"{title} ({action.shown})", action.help, self._command(screen, action.name))

    def _command(self, screen: Screen[object], name: str) -> Callable[[], None]:
        def perform() -> None:
            self.call_later(self.run_action, name, screen)

        return perform
