"""The walkthrough screen as a person uses it: steps, directions, languages, sizes, and where it leads back to."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest
import textual
from rich.cells import cell_len
from textual.pilot import Pilot

from calitui.session import open_demo
from calitui.trace.path import Trace
from calitui.tui.app import CalituiApp
from calitui.tui.help import HelpScreen
from calitui.tui.trace.screen import TraceScreen
from calitui.tui.walkthrough.flow import flow
from calitui.tui.walkthrough.rail import HEIGHT, rail
from calitui.tui.walkthrough.screen import WalkthroughScreen
from calitui.walkthrough.slides import Kind
from calitui.walkthrough.steps import walkthrough
from calitui.walkthrough.wording import Language, texts
from tests.trace import seed
from tests.trace.test_faults import FAULTS
from tests.tui import samples, troubled
from tests.tui.driving import LARGE, SMALL, Driven
from tests.tui.recorded import RecordedSession

ENDS = (samples.SOURCE, samples.DESTINATION)
PROJECTOR = (200, 50)
SIZES = [SMALL, LARGE, PROJECTOR]
Compare = Callable[..., bool]


def walking_app(
    answer: Trace | None = None, language: Language = Language.EN, demo: str = "ipip", theme: str | None = None
) -> CalituiApp:
    """The app that begins with a walkthrough: of `answer`, else of the demo's own pair."""
    if answer is not None:
        session = RecordedSession(answers={ENDS: answer})
        source, destination = ENDS
        now = samples.READ_AT + 60
        return CalituiApp(
            session,
            source=source,
            destination=destination,
            now=lambda: now,
            language=language,
            walking=True,
            theme=theme,
        )
    recorded = open_demo(demo)
    pair = recorded.telling_pair()
    assert pair is not None
    then = recorded.cluster().read_at + 60
    return CalituiApp(
        recorded,
        source=pair.source,
        destination=pair.destination,
        now=lambda: then,
        language=language,
        walking=True,
        theme=theme,
    )


def shown(driven: Driven) -> WalkthroughScreen:
    screen = driven.app.screen
    assert isinstance(screen, WalkthroughScreen)
    return screen


@asynccontextmanager
async def walking(
    answer: Trace | None = None, size: tuple[int, int] = SMALL, language: Language = Language.EN, demo: str = "ipip"
) -> AsyncIterator[Driven]:
    app = walking_app(answer, language, demo)
    async with app.run_test(size=size) as pilot:
        driven = Driven(app, pilot)
        await driven.until(lambda: isinstance(app.screen, WalkthroughScreen))
        yield driven


async def test_one_key_is_one_step_forth_and_back() -> None:
    async with walking() as driven:
        assert "step 1 of 25" in driven.text
        assert "One packet, from end to end" in driven.text
        for number, key in enumerate(("right", "space", "enter", "n"), 2):
            await driven.press(key)
            assert f"step {number} of 25" in driven.text
        for number, key in zip((4, 3, 2), ("left", "backspace", "p"), strict=True):
            await driven.press(key)
            assert f"step {number} of 25" in driven.text
        await driven.press("G")
        assert "step 25 of 25" in driven.text
        assert "There and back: both ways work" in driven.text
        await driven.press("n")
        assert "step 25 of 25" in driven.text
        await driven.press("g", "p")
        assert "step 1 of 25" in driven.text


@pytest.mark.parametrize("size", SIZES)
async def test_the_packet_moves_and_its_headers_are_put_on_and_taken_off(size: tuple[int, int]) -> None:
    async with walking(size=size) as driven:
        rails = []
        for _ in range(12):
            rails.append(driven.text.splitlines()[2])
            await driven.press("n")
        places = [re.search(r"\[+■\]+", row) for row in rails]
        assert places[0] is None
        columns = [place.start() for place in places[1:] if place is not None]
        assert columns == sorted(columns)
        assert len(set(columns)) == 11
        depths = [place.group().count("[") for place in places[1:] if place is not None]
        assert depths == [1, 1, 1, 2, 2, 2, 2, 1, 1, 1, 1]


@pytest.mark.parametrize("size", SIZES)
async def test_at_tunl0_the_outer_header_is_said_and_drawn_with_evidence_beside(size: tuple[int, int]) -> None:
    async with walking(size=size) as driven:
        await driven.press("n", "n", "n", "n")
        assert "tunl0 wraps the packet" in driven.text
        assert "+ outer header put on: 10.173.32.23 → 10.173.32.26" in driven.text
        assert "IPIP proto 4" in driven.text
        assert "inner IP 192.168.97.1 → 192.168.210.129" in driven.text
        assert "ipip-proto-4" in " ".join(driven.text.split())
        assert "ip route get 192.168.210.129" in driven.text


@pytest.mark.parametrize(
    ("demo", "language", "size"),
    [
        ("bgp", Language.EN, SMALL),
        ("crosssubnet", Language.ZH, SMALL),
        ("crosssubnet", Language.EN, LARGE),
        ("bgp", Language.ZH, PROJECTOR),
    ],
)
async def test_every_step_is_drawn_without_spilling(demo: str, language: Language, size: tuple[int, int]) -> None:
    async with walking(size=size, language=language, demo=demo) as driven:
        known = texts(language)
        for slide in shown(driven).told.slides:
            lines = driven.text.splitlines()
            assert len(lines) == size[1]
            assert all(cell_len(line) <= size[0] for line in lines)
            title = known.titled(slide.title)
            assert any(title in line for line in lines), title
            assert not any("… " in line for line in lines[1:5])
            await driven.press("n")


async def test_the_language_changes_and_the_step_stays() -> None:
    async with walking() as driven:
        await driven.press("n", "n", "n", "n", "l")
        assert "第 5 步，共 25 步" in driven.text
        assert "tunl0 给报文做封装" in driven.text
        assert "下一步" in driven.text
        await driven.press("l")
        assert "tunl0 wraps the packet" in driven.text


async def test_a_language_once_chosen_stays_chosen() -> None:
    async with walking() as driven:
        await driven.press("l", "escape", "w")
        await driven.until(lambda: isinstance(driven.app.screen, WalkthroughScreen))
        assert "一个报文，从头走到尾" in driven.text


async def test_it_begins_in_the_language_that_was_asked_for() -> None:
    async with walking(language=Language.ZH) as driven:
        assert "一个报文，从头走到尾" in driven.text


async def test_tab_goes_to_the_other_direction() -> None:
    async with walking() as driven:
        await driven.press("tab")
        assert "The reply finds its own way" in driven.text
        first = driven.text.splitlines()[0]
        assert "return" in first
        assert first.index("kqsj4") < first.index("2b8hr")
        await driven.press("f")
        assert "step 1 of 25" in driven.text


async def test_leaving_leads_to_the_hop_that_was_shown() -> None:
    async with walking() as driven:
        await driven.press("n", "n", "n", "n", "escape")
        assert isinstance(driven.app.screen, TraceScreen)
        assert (driven.trace.direction, driven.trace.selected[0]) == (0, 3)
        await driven.press("w")
        await driven.until(lambda: isinstance(driven.app.screen, WalkthroughScreen))
        await driven.press("tab", "n", "n", "w")
        assert (driven.trace.direction, driven.trace.selected[1]) == (1, 1)


async def test_help_is_in_the_language_of_the_texts() -> None:
    async with walking(size=LARGE) as driven:
        await driven.press("question_mark")
        assert isinstance(driven.app.screen, HelpScreen)
        assert "the packet inside an outer header" in driven.text
        await driven.press("escape", "l", "question_mark")
        assert "套着外层报文头的报文" in driven.text


async def test_a_long_page_scrolls_and_a_step_begins_at_its_top() -> None:
    async with walking() as driven:
        await driven.press("n", "n", "n", "pagedown", "pagedown")
        assert "see it" in driven.text
        assert "looks up the route" not in driven.text
        await driven.press("n")
        assert "tunl0 wraps the packet" in driven.text


@pytest.mark.parametrize("size", SIZES)
async def test_a_broken_path_ends_with_the_cause_and_what_to_type(size: tuple[int, int]) -> None:
    async with walking(troubled.TRACE, size=size) as driven:
        while shown(driven).slide.kind is not Kind.ENDING:
            await driven.press("n")
        assert "[✖]" in driven.text.splitlines()[2]
        assert "The packet is lost on k8s-calico2" in driven.text
        assert "block-route-missing" in driven.text
        await driven.press("pagedown", "pagedown")
        assert "kubectl -n kube-system delete pod calico-node-x7x2p" in driven.text


async def test_hostile_names_are_drawn_as_text() -> None:
    evil = msgspec.structs.replace(samples.FORWARD.hops[2], node="[red]x[/red]\x1b[31m", lines=("[b]\x1b]0;x\x07",))
    forward = msgspec.structs.replace(
        samples.FORWARD, hops=(*samples.FORWARD.hops[:2], evil, *samples.FORWARD.hops[3:])
    )
    trace = msgspec.structs.replace(samples.DELIVERED, directions=(forward, samples.DELIVERED.back))
    async with walking(trace, size=LARGE) as driven:
        await driven.press("n", "n", "n", "n")
        while shown(driven).slide.hop != 2:
            await driven.press("p")
        assert "[red]x[/red]\\x1b[31m" in driven.text
        assert "[b]\\x1b]0;x\\x07" in driven.text
        assert "\x1b" not in driven.text


@pytest.mark.parametrize("width", [40, 60, 78, 118, 198])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_line_of_any_path_has_its_packet_and_fits(fault: object, width: int) -> None:
    assert isinstance(fault, type(FAULTS[0]))
    told = walkthrough(seed.run(fault.which, fault.facts))
    for slide in told.slides:
        rows = rail(told.lines[slide.direction], slide, width, texts(Language.ZH))
        assert len(rows) == HEIGHT
        assert all(row.cell_length <= width for row in rows)
        assert ("■" in rows[1].plain or "✖]" in rows[1].plain) == (slide.station is not None)


def test_prose_breaks_between_words_and_between_characters() -> None:
    assert flow("one two three", 8) == ["one two", "three"]
    assert flow("路由表里没有去往这个地址的路由。", 12) == ["路由表里没有", "去往这个地址", "的路由。"]
    assert flow("经 tunl0 发出，", 8) == ["经 tunl0", "发出，"]
    assert flow("", 10) == [""]
    assert flow("x" * 25, 10) == ["x" * 10, "x" * 10, "x" * 5]


@pytest.mark.parametrize("width", range(9, 40))
def test_no_line_is_too_wide_begins_with_a_closing_mark_or_loses_text(width: int) -> None:
    text = "节点（k8s-calico2）查路由：192.168.210.128/26，“最长前缀”胜出；下一跳是 10.173.32.26。"
    lines = flow(text, width, "  ")
    assert all(cell_len(line) <= width for line in lines)
    assert not any(line.strip()[:1] in "，。；：”）" for line in lines)
    assert not any(line.rstrip()[-1:] in "（“" for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def walked(*keys: str) -> Callable[[Pilot[int]], object]:
    async def wait(pilot: Pilot[int]) -> None:
        assert isinstance(pilot.app, CalituiApp)
        driven = Driven(pilot.app, pilot)
        await driven.until(lambda: isinstance(pilot.app.screen, WalkthroughScreen))
        await driven.press(*keys)
        await pilot.pause()

    return wait


LOOKS = pytest.mark.skipif(not textual.__version__.startswith("8.2."), reason="the snapshots were drawn by Textual 8.2")


@LOOKS
@pytest.mark.parametrize("size", SIZES)
def test_looks_at_tunl0(snap_compare: Compare, size: tuple[int, int]) -> None:
    assert snap_compare(walking_app(samples.DELIVERED), terminal_size=size, run_before=walked(*"nnnn"))


@LOOKS
@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_looks_in_chinese(snap_compare: Compare, size: tuple[int, int]) -> None:
    app = walking_app(samples.DELIVERED, Language.ZH)
    assert snap_compare(app, terminal_size=size, run_before=walked(*"nnnnnn"))


@LOOKS
def test_looks_of_a_broken_path_in_light(snap_compare: Compare) -> None:
    app = walking_app(troubled.TRACE, theme="calitui-light")
    assert snap_compare(app, terminal_size=LARGE, run_before=walked(*"nnnn"))
