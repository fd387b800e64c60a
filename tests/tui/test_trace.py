"""The trace screen as a person uses it: reading, stopping, moving, swapping, copying, and what failures look like."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import msgspec
import pytest
from textual.widgets import Input

from calitui.errors import CalituiError, ClusterError
from calitui.report import as_json, as_markdown
from calitui.trace.path import Reading, Trace
from calitui.tui.export import ExportScreen
from calitui.tui.home.screen import HomeScreen
from calitui.tui.unread import UnreadScreen
from tests.tui import samples
from tests.tui.driving import LARGE, SMALL, Driven, opened
from tests.tui.recorded import RecordedSession

ENDS = (samples.SOURCE, samples.DESTINATION)
WIDE = (180, 50)


def answering(answer: Trace | CalituiError) -> RecordedSession:
    return RecordedSession(answers={ENDS: answer})


def has_lines(driven: Driven, number: int) -> bool:
    return len(driven.text.splitlines()) == number


async def read(driven: Driven) -> None:
    await driven.until_trace()


@pytest.mark.parametrize("size", [SMALL, LARGE, WIDE])
async def test_the_whole_forward_path_is_on_screen(size: tuple[int, int]) -> None:
    async with opened(size=size, source=ENDS[0], destination=ENDS[1]) as driven:
        await read(driven)
        lines = driven.text.splitlines()
        assert "✔ delivered both ways" in lines[0]
        assert "2b8hr → " in lines[0]
        assert lines[0].rstrip().endswith("kqsj4")
        assert "outing only" in lines[1]
        for hop in range(1, 11):
            assert sum(f" {hop} " in line[:8] for line in lines) >= 1, hop
        assert "underlay 10.173.32.0/24" in driven.text
        assert "the packet leaves the pod" in driven.text
        assert "see it" in driven.text


@pytest.mark.parametrize("size", [LARGE, WIDE])
async def test_both_directions_are_shown_where_there_is_room(size: tuple[int, int]) -> None:
    async with opened(size=size, source=ENDS[0], destination=ENDS[1]) as driven:
        await read(driven)
        assert "forward  ✔ delivered" in driven.text
        assert "return  ✔ delivered" in driven.text


async def test_a_small_screen_shows_one_direction_and_switches() -> None:
    async with opened(source=ENDS[0], destination=ENDS[1]) as driven:
        await read(driven)
        assert "forward  ✔ delivered" in driven.text
        assert "return  ✔" not in driven.text
        await driven.press("tab")
        assert "return  ✔ delivered" in driven.text
        assert "192.168.97.0/26 via 10.173.32.23 dev tunl0 proto bird onlink" in driven.text
        await driven.press("f")
        assert "forward  ✔ delivered" in driven.text


async def test_the_detail_follows_the_selected_hop() -> None:
    async with opened(source=ENDS[0], destination=ENDS[1]) as driven:
        await read(driven)
        await driven.press("j", "down", "j")
        assert "4 the tunnel wraps it" in driven.text
        assert "outer IP 10.173.32.23 → 10.173.32.26" in driven.text
        assert "inner IP 192.168.97.1 → 192.168.210.129" in driven.text
        await driven.press("G")
        assert "10 it arrives in the pod" in driven.text
        await driven.press("j")
        assert "10 it arrives in the pod" in driven.text
        await driven.press("g", "k")
        assert "1 the packet leaves the pod" in driven.text


async def test_where_both_directions_are_listed_the_cursor_runs_through_both() -> None:
    async with opened(size=LARGE, source=ENDS[0], destination=ENDS[1]) as driven:
        await read(driven)
        await driven.press("G", "down")
        assert driven.trace.direction == 1
        assert driven.trace.selected[1] == 0
        await driven.press("up")
        assert (driven.trace.direction, driven.trace.selected[0]) == (0, 9)


async def test_enter_gives_the_detail_the_whole_screen_and_takes_it_back() -> None:
    async with opened(source=ENDS[0], destination=ENDS[1]) as driven:
        await read(driven)
        await driven.press("j", "j", "enter")
        assert "underlay" not in driven.text
        assert "ip route get 192.168.210.129 from 192.168.97.1 iif cali3683f65394b" in " ".join(driven.text.split())
        await driven.press("j")
        assert "4 the tunnel wraps it" in driven.text
        await driven.press("escape")
        assert "underlay" in driven.text


async def test_progress_says_what_is_read_from_which_node() -> None:
    session = RecordedSession()
    session.gate.clear()
    async with opened(session, source=ENDS[0], destination=ENDS[1]) as driven:
        await driven.until_text("k8s-calico3: reading links, routes, rules, neighbours")
        assert "k8s-calico2: connecting to 10.173.32.23:22" in driven.text
        assert "◌ reading" in driven.text
        assert "Esc stop" in driven.text
        session.gate.set()
        await read(driven)


async def test_escape_stops_reading_and_says_so() -> None:
    session = RecordedSession()
    session.gate.clear()
    async with opened(session, source=ENDS[0], destination=ENDS[1]) as driven:
        await driven.until_text("k8s-calico3: reading")
        await driven.press("escape")
        await driven.until_text("■ stopped")
        assert session.stops[0].is_set()
        assert "k8s-calico3: reading links" in driven.text
        assert "Stopped before a path could be computed" in driven.text
        session.gate.set()
        await driven.press("r")
        await read(driven)
        await driven.press("escape")
        await driven.until_pods()
        assert isinstance(driven.app.screen, HomeScreen)


async def test_reading_again_keeps_the_old_path_and_says_when() -> None:
    session = RecordedSession()
    async with opened(session, source=ENDS[0], destination=ENDS[1]) as driven:
        await read(driven)
        await driven.press("j", "j")
        session.gate.clear()
        session.answers[ENDS] = samples.BROKEN
        await driven.press("r")
        await driven.until(lambda: "reading again: k8s-calico3: reading" in driven.said)
        assert "✔ delivered both ways" in driven.text
        await driven.press("j")
        assert "Esc stops" in driven.said
        session.gate.set()
        await driven.until_text("✖ broken")
        assert driven.said == "Read again at 22:14:20"


async def test_stopping_a_second_reading_keeps_the_first() -> None:
    session = RecordedSession()
    async with opened(session, source=ENDS[0], destination=ENDS[1]) as driven:
        await read(driven)
        session.gate.clear()
        await driven.press("r")
        await driven.until(lambda: "reading again: k8s-calico3" in driven.said)
        await driven.press("escape")
        await driven.until(lambda: "still the path of 22:13:20" in driven.said)
        assert "✔ delivered both ways" in driven.text


async def test_a_failed_second_reading_keeps_the_first_and_says_why() -> None:
    session = RecordedSession()
    async with opened(session, size=LARGE, source=ENDS[0], destination=ENDS[1]) as driven:
        await read(driven)
        session.answers[ENDS] = ClusterError("The API server hung up")
        await driven.press("r")
        await driven.until(lambda: "The API server hung up; this is still the path of 22:13:20" in driven.said)
        assert "✔ delivered both ways" in driven.text


async def test_no_such_pod_is_one_line_with_what_to_try() -> None:
    async with opened(source=ENDS[0], destination="huang2/nope") as driven:
        await driven.until_text("✖ No pod huang2/nope")
        assert "Is it in another namespace?" in driven.text
        assert "r reads again · Esc goes back" in driven.text


async def test_a_failure_of_our_own_is_no_traceback() -> None:
    class Failing(RecordedSession):
        def trace(self, *arguments: object) -> Trace:
            raise RuntimeError("\x1b[31mboom [red]")

    async with opened(Failing(), source=ENDS[0], destination=ENDS[1]) as driven:
        await driven.until_text("calitui itself failed: RuntimeError: \\x1b[31mboom [red]")
        assert "Traceback" not in driven.text


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_a_broken_path_opens_where_it_breaks(size: tuple[int, int]) -> None:
    async with opened(answering(samples.BROKEN), size=size, source=ENDS[0], destination=ENDS[1]) as driven:
        await read(driven)
        assert "✖ broken: forward blackhole at hop 3" in driven.text.splitlines()[0]
        assert "▸✖  3 route" in driven.text
        assert "✖ the path ends here: blackhole" in driven.text
        assert "BLACKHOLE: ends here" in driven.text
        assert "KERNEL AND TABLES DISAGREE" in driven.text


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_what_could_not_be_read_is_never_called_delivered(size: tuple[int, int]) -> None:
    async with opened(answering(samples.UNREAD), size=size, source=ENDS[0], destination=ENDS[1]) as driven:
        await read(driven)
        assert "? unknown: k8s-calico3 not read" in driven.text
        assert "delivered" not in driven.text
        assert "▲ 2 not read: k8s-calico3: everything" in driven.text
        assert "policies" in driven.text.splitlines()[1]
        await driven.press("u")
        assert isinstance(driven.app.screen, UnreadScreen)
        assert "k8s-calico2: container 192.168.97.1" in driven.text
        await driven.press("escape")


async def test_swap_turns_the_trace_round_without_reading() -> None:
    session = RecordedSession()
    async with opened(session, source=ENDS[0], destination=ENDS[1]) as driven:
        await read(driven)
        await driven.press("x")
        first = driven.text.splitlines()[0]
        assert first.index("kqsj4") < first.index("2b8hr")
        assert "192.168.97.0/26 via 10.173.32.23 dev tunl0" in driven.text
        assert len(session.asked) == 1
        session.answers[(ENDS[1], ENDS[0])] = samples.BROKEN
        await driven.press("r")
        await driven.until(lambda: len(session.asked) == 2)
        assert session.asked[1] == (ENDS[1], ENDS[0])


async def test_swap_with_an_end_that_is_no_pod_reads_again() -> None:
    host = msgspec.structs.replace(
        samples.DELIVERED, source=msgspec.structs.replace(samples.DELIVERED.source, kind="host-network-pod")
    )
    session = RecordedSession(answers={ENDS: host, (ENDS[1], ENDS[0]): samples.BROKEN})
    async with opened(session, source=ENDS[0], destination=ENDS[1]) as driven:
        await read(driven)
        await driven.press("x")
        await driven.until(lambda: len(session.asked) == 2)
        assert session.asked[1] == (ENDS[1], ENDS[0])
        await driven.until_text("broken")


async def test_the_detail_says_how_the_node_was_read() -> None:
    reading = Reading(node="k8s-calico2", via="ssh", target="ops@10.173.32.23:22", why="InternalIP")
    trace = msgspec.structs.replace(samples.DELIVERED, readings=(reading,))
    async with opened(answering(trace), size=LARGE, source=ENDS[0], destination=ENDS[1]) as driven:
        await read(driven)
        assert "k8s-calico2 by ssh, ops@10.173.32.23:22" in driven.text


async def test_copy_puts_the_markdown_on_the_clipboard() -> None:
    async with opened(source=ENDS[0], destination=ENDS[1]) as driven:
        await read(driven)
        await driven.press("y")
        assert driven.app.clipboard == as_markdown(samples.DELIVERED)
        assert "OSC 52" in driven.said


async def test_export_writes_by_ending_and_asks_before_overwriting(tmp_path: Path) -> None:
    async with opened(source=ENDS[0], destination=ENDS[1]) as driven:
        await read(driven)

        async def export(name: str, *, enters: int = 1) -> None:
            await driven.press("e")
            assert isinstance(driven.app.screen, ExportScreen)
            driven.app.screen.query_one(Input).value = name
            await driven.press(*["enter"] * enters)

        target = tmp_path / "trace.json"
        await export(str(target))
        assert target.read_bytes() == as_json(samples.DELIVERED)
        assert f"Written: {target}"[:40] in driven.said

        target.write_text("precious")
        await export(str(target))
        assert "exists: Enter again overwrites it" in driven.text
        assert target.read_text() == "precious"
        await driven.press("enter")
        assert target.read_bytes() == as_json(samples.DELIVERED)

        await export(str(tmp_path / "trace.md"))
        assert (tmp_path / "trace.md").read_text() == as_markdown(samples.DELIVERED)
        await export(str(tmp_path / "trace.txt"))
        assert "k8s-calico2" in (tmp_path / "trace.txt").read_text()


@pytest.mark.parametrize(
    ("name", "words"),
    [("trace.pdf", "must end in one of .md, .json, .txt"), ("nowhere/trace.md", "No such file or directory")],
)
async def test_an_export_that_cannot_be_written_says_why(tmp_path: Path, name: str, words: str) -> None:
    async with opened(size=(200, 30), source=ENDS[0], destination=ENDS[1]) as driven:
        await read(driven)
        await driven.press("e")
        driven.app.screen.query_one(Input).value = str(tmp_path / name)
        await driven.press("enter")
        assert isinstance(driven.app.screen, ExportScreen)
        assert words in " ".join(driven.text.split())
        await driven.press("escape")


async def test_keys_of_a_path_are_harmless_while_there_is_none() -> None:
    session = RecordedSession()
    session.gate.clear()
    async with opened(session, source=ENDS[0], destination=ENDS[1]) as driven:
        await driven.until_text("k8s-calico3: reading")
        await driven.press("j", "k", "g", "G", "tab", "enter", "y", "e", "u", "ctrl+d")
        assert driven.trace.trace is None
        session.gate.set()
        await read(driven)


async def test_a_resize_rearranges() -> None:
    async with opened(size=WIDE, source=ENDS[0], destination=ENDS[1]) as driven:
        await read(driven)
        for size in (LARGE, SMALL, (50, 15), WIDE):
            await driven.pilot.resize_terminal(*size)
            await driven.until(partial(has_lines, driven, size[1]))
            assert "2b8hr" in driven.text
            assert all(len(line) <= size[0] for line in driven.text.splitlines())


async def test_a_click_selects_a_hop() -> None:
    async with opened(size=LARGE, source=ENDS[0], destination=ENDS[1]) as driven:
        await read(driven)
        await driven.pilot.click("#back", offset=(10, 4))
        assert (driven.trace.direction, driven.trace.selected[1]) == (1, 2)


@pytest.mark.parametrize("key", ["q", "ctrl+c"])
async def test_quit_does_not_wait_for_a_node(key: str) -> None:
    session = RecordedSession()
    session.gate.clear()
    async with opened(session, source=ENDS[0], destination=ENDS[1]) as driven:
        await driven.until_text("k8s-calico3: reading")
        await driven.press(key)
    assert driven.app.return_value == 0
    assert session.stops[0].is_set()


async def test_the_end_of_a_superseded_reading_is_not_mistaken_for_the_new_one() -> None:
    session = RecordedSession(answers={ENDS: samples.BROKEN, (ENDS[1], ENDS[0]): samples.DELIVERED})
    session.gate.clear()
    async with opened(session, source=ENDS[0], destination=ENDS[1]) as driven:
        await driven.until_text("k8s-calico3: reading")
        await driven.press("x")
        await driven.until(lambda: len(session.stops) == 2 and session.stops[0].is_set())
        await driven.until_text("k8s-calico3: reading")
        for _ in range(20):
            await driven.pilot.pause(0.01)
        assert "◌ reading" in driven.text
        assert "stopped" not in driven.text
        session.gate.set()
        await driven.until_trace()
        assert "✔ delivered both ways" in driven.text
