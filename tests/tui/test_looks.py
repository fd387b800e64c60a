"""Snapshots of the screens; `pytest --snapshot-update` accepts new looks, after a person has seen them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
import textual
from textual.pilot import Pilot

from calitui.trace.path import Trace
from calitui.tui.app import CalituiApp
from tests.report import proofs
from tests.trace import seed
from tests.tui import samples, test_proving, troubled
from tests.tui.driving import LARGE, SMALL, Driven
from tests.tui.recorded import RecordedSession

Compare = Callable[..., bool]
pytestmark = pytest.mark.skipif(
    not textual.__version__.startswith("8.2."), reason="the snapshots were drawn by Textual 8.2"
)


def app(answer: Trace = samples.DELIVERED, theme: str | None = None, both: bool = True) -> CalituiApp:
    session = RecordedSession(answers={(samples.SOURCE, samples.DESTINATION): answer})
    destination = samples.DESTINATION if both else None
    now = samples.READ_AT + 60
    return CalituiApp(session, source=samples.SOURCE, destination=destination, theme=theme, now=lambda: now)


def settled(*keys: str, trace: bool = True) -> Callable[[Pilot[int]], Awaitable[None]]:
    async def wait(pilot: Pilot[int]) -> None:
        assert isinstance(pilot.app, CalituiApp)
        driven = Driven(pilot.app, pilot)
        await (driven.until_trace() if trace else driven.until_pods())
        await driven.press(*keys)
        await pilot.pause()

    return wait


def proved(*keys: str) -> Callable[[Pilot[int]], Awaitable[None]]:
    async def wait(pilot: Pilot[int]) -> None:
        assert isinstance(pilot.app, CalituiApp)
        driven = Driven(pilot.app, pilot)
        await driven.until_trace()
        await driven.press("p")
        await driven.until_text("as icmp")
        await driven.press("y")
        await driven.until_trace()
        await driven.until_text("◉")
        await driven.press(*keys)
        await pilot.pause()

    return wait


def meshed(*keys: str) -> Callable[[Pilot[int]], Awaitable[None]]:
    async def wait(pilot: Pilot[int]) -> None:
        assert isinstance(pilot.app, CalituiApp)
        driven = Driven(pilot.app, pilot)
        await driven.until_pods()
        await driven.press("m")
        await driven.until_text("3 of 4 nodes read")
        await driven.press(*keys)
        await pilot.pause()

    return wait


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_home(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(app(both=False), terminal_size=size, run_before=settled("down", trace=False))


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_trace(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(app(), terminal_size=size, run_before=settled("j", "j", "j"))


@pytest.mark.parametrize("answer", [samples.BROKEN, samples.UNREAD], ids=["broken", "unread"])
def test_trace_that_does_not_arrive(snap_compare: Compare, answer: Trace) -> None:
    assert snap_compare(app(answer), terminal_size=SMALL, run_before=settled())


def test_trace_in_light(snap_compare: Compare) -> None:
    assert snap_compare(app(theme="calitui-light"), terminal_size=LARGE, run_before=settled())


def test_help(snap_compare: Compare) -> None:
    assert snap_compare(app(), terminal_size=LARGE, run_before=settled("question_mark"))


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_trace_with_its_cause(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(app(troubled.TRACE), terminal_size=size, run_before=settled())


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_findings(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(app(troubled.TRACE), terminal_size=size, run_before=settled("d"))


@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest.mark.parametrize(("found", "keys"), [(proofs.DELIVERED, "jjjj"), (proofs.LOST, "")], ids=["delivered", "lost"])
def test_trace_with_a_proof(snap_compare: Compare, size: tuple[int, int], found: Trace, keys: str) -> None:
    now = proofs.TAKEN_AT + 60
    shown = CalituiApp(
        test_proving.Proving(found), source=seed.IPIP_SOURCE, destination=seed.IPIP_DESTINATION, now=lambda: now
    )
    assert snap_compare(shown, terminal_size=size, run_before=proved(*keys))


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_mesh(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(app(both=False), terminal_size=size, run_before=meshed())


def test_mesh_in_light(snap_compare: Compare) -> None:
    shown = app(theme="calitui-light", both=False)
    assert snap_compare(shown, terminal_size=LARGE, run_before=meshed("tab", "j"))
