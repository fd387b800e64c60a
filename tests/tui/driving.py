"""Opening the app in a test and waiting for its threads without ever asserting a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from textual.pilot import Pilot
from textual.widgets import Static

from calitui.session import Session
from calitui.tui.app import CalituiApp
from calitui.tui.home.screen import HomeScreen
from calitui.tui.lines import KeyBar
from calitui.tui.prompts import TuiPrompts
from calitui.tui.trace.screen import TraceScreen
from tests.tui import samples
from tests.tui.recorded import RecordedSession

SMALL, LARGE = (80, 24), (120, 36)
ROUNDS = 1000
"""Looks at a condition before it is given up; bounds a hanging test."""


class Driven:
    """An app under test with its pilot."""

    def __init__(self, app: CalituiApp, pilot: Pilot[int]) -> None:
        self.app = app
        self.pilot = pilot

    async def until(self, condition: Callable[[], bool]) -> None:
        for _ in range(ROUNDS):
            await self.pilot.pause()
            if condition():
                await self.pilot.pause()
                return
            await asyncio.sleep(0.005)
        raise AssertionError("never came true:\n" + self.text)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def until_pods(self) -> None:
        await self.until(lambda: isinstance(self.app.screen, HomeScreen) and bool(self.home.pods.rows))

    async def until_trace(self) -> None:
        await self.until(lambda: isinstance(self.app.screen, TraceScreen) and self.trace.trace is not None)

    async def until_text(self, text: str) -> None:
        await self.until(lambda: text in self.text)

    @property
    def home(self) -> HomeScreen:
        screen = next(screen for screen in self.app.screen_stack if isinstance(screen, HomeScreen))
        assert isinstance(screen, HomeScreen)
        return screen

    @property
    def trace(self) -> TraceScreen:
        screen = self.app.screen
        assert isinstance(screen, TraceScreen)
        return screen

    @property
    def text(self) -> str:
        """What is on screen, line by line."""
        width = self.app.size.width
        strips = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text[:width] for strip in strips)

    @property
    def said(self) -> str:
        return self.app.screen.query_one(KeyBar).message

    @property
    def listed(self) -> list[str]:
        return [pod.name for pod in self.home.pods.rows]

    def static(self, selector: str) -> str:
        return str(self.app.screen.query_one(selector, Static).content)


@asynccontextmanager
async def opened(
    session: Session | None = None,
    size: tuple[int, int] = SMALL,
    source: str | None = None,
    destination: str | None = None,
    prompts: TuiPrompts | None = None,
    theme: str | None = None,
    namespace: str | None = None,
) -> AsyncIterator[Driven]:
    app = CalituiApp(
        session or RecordedSession(),
        source=source,
        destination=destination,
        prompts=prompts,
        theme=theme,
        namespace=namespace,
        now=lambda: samples.READ_AT + 60,
    )
    async with app.run_test(size=size) as pilot:
        yield Driven(app, pilot)
