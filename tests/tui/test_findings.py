"""Findings in the trace and on their own screen: the cause is told where it is, with evidence and what to type."""

from __future__ import annotations

import msgspec
import pytest

from calitui.diagnosis.catalogue import CATALOGUE
from calitui.trace.finding import Finding, Spot
from calitui.trace.path import Disposition, Trace, Verdict
from calitui.tui.blocks import page
from calitui.tui.findings.describe import concise, unsure, whole
from calitui.tui.findings.findinglist import FindingList
from calitui.tui.findings.lines import columns, items, line
from calitui.tui.findings.screen import FindingsScreen
from calitui.tui.help import HelpScreen
from calitui.tui.text import width_of
from calitui.tui.trace import why
from calitui.tui.trace.changes import ChangesScreen
from calitui.tui.trace.screen import TraceScreen
from calitui.tui.trace.views import first_look, swapped
from tests.tui import samples, troubled
from tests.tui.driving import LARGE, SMALL, Driven, opened
from tests.tui.recorded import RecordedSession

ENDS = (samples.SOURCE, samples.DESTINATION)
SIZES = pytest.mark.parametrize("size", [SMALL, LARGE])


def answering(answer: Trace) -> RecordedSession:
    return RecordedSession(answers={ENDS: answer})


def joined(driven: Driven) -> str:
    return " ".join(driven.text.split())


def current(driven: Driven) -> Finding | None:
    screen = driven.app.screen
    assert isinstance(screen, FindingsScreen)
    return screen.current


@SIZES
async def test_the_cause_is_in_the_verdict_and_at_its_hop(size: tuple[int, int]) -> None:
    async with opened(answering(troubled.TRACE), size=size, source=ENDS[0], destination=ENDS[1]) as driven:
        await driven.until_trace()
        first, second = driven.text.splitlines()[:2]
        assert "✖ broken: forward blackhole at hop 3" in first
        assert second.startswith(" why: no route to the other node's pods (block-route-missing")
        assert "d all 3" in second
        assert "▸✖! 3 route" in driven.text
        text = driven.text
        assert text.index("✖ error:") < text.index("evidence")
        assert text.index("evidence") < text.index("kubectl -n kube-system delete pod") < text.index("leads to")


@SIZES
async def test_a_finding_without_a_hop_stands_under_the_verdict(size: tuple[int, int]) -> None:
    async with opened(answering(troubled.TRACE), size=size, source=ENDS[0], destination=ENDS[1]) as driven:
        await driven.until_trace()
        assert "▲ warning: The pool default-ipv4-ippool holds addresses" in driven.text
        assert "[red]" in driven.text or size == SMALL


async def test_the_normal_detail_follows_the_finding() -> None:
    async with opened(answering(troubled.TRACE), size=(120, 60), source=ENDS[0], destination=ENDS[1]) as driven:
        await driven.until_trace()
        assert driven.text.index("leads to") < driven.text.index("BLACKHOLE: ends here")
        await driven.press("k")
        assert "leads to" not in driven.text
        assert "2 it comes out on the node" in driven.text


def test_a_broken_path_opens_at_its_cause_even_if_it_ends_elsewhere() -> None:
    elsewhere = msgspec.structs.replace(troubled.LOST, hops=(Spot("return", 5),))
    trace = msgspec.structs.replace(troubled.TRACE, findings=(elsewhere,))
    assert first_look(trace) == (1, [2, 4])
    delivered = msgspec.structs.replace(samples.DELIVERED, findings=(troubled.SMALL_MTU,))
    assert first_look(delivered) == (0, [0, 0])
    nowhere = msgspec.structs.replace(troubled.LOST, hops=(Spot("forward", 77),))
    assert first_look(msgspec.structs.replace(troubled.TRACE, findings=(nowhere,))) == (0, [2, 0])


def test_swapping_takes_findings_to_the_other_direction() -> None:
    turned = swapped(troubled.TRACE)
    assert turned is not None
    assert turned.findings[0].hops == (Spot("return", 3),)
    assert set(why.marks(turned, "return")) == {3}
    assert set(why.marks(turned, "forward")) == {2}


@SIZES
async def test_all_findings_with_background_and_what_could_not_be_checked(size: tuple[int, int]) -> None:
    async with opened(answering(troubled.TRACE), size=size, source=ENDS[0], destination=ENDS[1]) as driven:
        await driven.until_trace()
        await driven.press("d")
        assert current(driven) == troubled.LOST
        assert "✖ 1 error · ▲ 2 warnings" in driven.text.splitlines()[0]
        assert "mtu-too-big" in driven.text
        await driven.press("enter")
        if size == SMALL:
            await driven.press("pagedown", "pagedown")
        words = " ".join(CATALOGUE["block-route-missing"].background.split()[-4:])
        assert words in joined(driven)
        await driven.press("enter", "G")
        assert current(driven) is None
        assert "? packet filter: needs root, try --sudo" in driven.text
        assert "firewall-drops-forwarded, firewall-drops-tunnel" in joined(driven)
        await driven.press("question_mark")
        assert isinstance(driven.app.screen, HelpScreen)
        await driven.press("escape", "escape")
        assert isinstance(driven.app.screen, TraceScreen)


async def test_what_to_type_is_copied_verbatim() -> None:
    async with opened(answering(troubled.TRACE), source=ENDS[0], destination=ENDS[1]) as driven:
        await driven.until_trace()
        await driven.press("d", "y")
        assert driven.app.clipboard == "\n".join(troubled.LOST.fix) + "\n"
        assert "Copied 3 lines" in driven.said
        await driven.press("G", "y")
        assert "nothing to type" in driven.said


async def test_a_finding_leads_to_its_hop() -> None:
    async with opened(answering(troubled.TRACE), source=ENDS[0], destination=ENDS[1]) as driven:
        await driven.until_trace()
        await driven.press("d", "j", "p")
        assert (driven.trace.direction, driven.trace.selected[1]) == (1, 1)
        assert "▸●! 2 veth in" in driven.text
        await driven.press("d")
        assert current(driven) == troubled.SMALL_MTU
        await driven.press("j", "p")
        assert "belongs to no hop" in driven.said


async def test_no_cause_found_is_said_where_not_everything_was_checked() -> None:
    trace = msgspec.structs.replace(troubled.TRACE, findings=())
    async with opened(answering(trace), source=ENDS[0], destination=ENDS[1]) as driven:
        await driven.until_trace()
        assert "? why: no cause found, and 3 causes could not be checked" in driven.text
        await driven.press("d")
        assert "no findings" in driven.text
        assert "birdcl: not found" in driven.text


async def test_a_path_without_findings_has_no_line_for_them() -> None:
    async with opened(source=ENDS[0], destination=ENDS[1]) as driven:
        await driven.until_trace()
        assert "why" not in driven.text
        await driven.press("d")
        assert "Nothing wrong was found in what was read." in driven.text


@SIZES
async def test_reading_again_says_and_marks_what_changed(size: tuple[int, int]) -> None:
    session = answering(samples.DELIVERED)
    async with opened(session, size=size, source=ENDS[0], destination=ENDS[1]) as driven:
        await driven.until_trace()
        await driven.press("c")
        assert "no reading before this one" in driven.said
        session.answers[ENDS] = troubled.TRACE
        await driven.press("r")
        await driven.until_text("✖ broken")
        assert "~ changed since 22:13:20: verdict: delivered → broken" in driven.text
        assert "✖! 3~route" in driven.text
        await driven.press("c")
        assert isinstance(driven.app.screen, ChangesScreen)
        assert "new finding" in driven.text
        assert "blackhole 192.168.210.128/26 proto bird" in driven.text or size == SMALL
        await driven.press("c")
        await driven.press("r")
        await driven.until_text("= nothing changed since 22:13:20")
        await driven.press("x")
        assert "= nothing changed" in driven.text


async def test_changes_are_turned_with_the_path() -> None:
    session = answering(samples.DELIVERED)
    async with opened(session, size=LARGE, source=ENDS[0], destination=ENDS[1]) as driven:
        await driven.until_trace()
        session.answers[ENDS] = troubled.TRACE
        await driven.press("r")
        await driven.until_text("✖ broken")
        await driven.press("x", "c")
        assert "return hop 3" in driven.text
        assert "forward hop 3" not in driven.text


@pytest.mark.parametrize("width", [30, 46, 70, 100, 160])
def test_a_finding_fits_its_pane(width: int) -> None:
    for finding in troubled.TRACE.findings:
        for blocks in (concise(finding, width, False), concise(finding, width, True), whole(finding, width)):
            assert all(width_of(text) <= width for text in page(blocks, True).plain.splitlines())
    assert all(width_of(text) <= width for text in page(unsure(troubled.UNCHECKED, width), True).plain.splitlines())
    shown = items(troubled.TRACE.findings, troubled.UNCHECKED)
    shape = columns(shown, width)
    for item in shown:
        for row in range(shape.high):
            assert width_of(line(item, shape, row, width)) == width


def test_evidence_stands_whole_where_there_is_room_and_is_counted_where_not() -> None:
    roomy = page(concise(troubled.LOST, 120, True), True).plain
    assert all(text in roomy for text in (*troubled.LOST.evidence, *troubled.LOST.fix))
    assert "… 1 more line: d shows all" in page(concise(troubled.LOST, 120, False), False).plain


async def test_hostile_findings_are_drawn_as_they_are() -> None:
    evil = msgspec.structs.replace(
        troubled.LOST,
        node="[b]n\x1b[31m",
        summary="[link=http://x]\x1b[2Jx",
        evidence=("\u202eevil [/]",),
        fix=("$(rm)\x07",),
    )
    trace = msgspec.structs.replace(troubled.TRACE, findings=(evil,))
    async with opened(answering(trace), size=LARGE, source=ENDS[0], destination=ENDS[1]) as driven:
        await driven.until_trace()
        await driven.press("d")
        assert "[link=http://x]\\x1b[2Jx" in driven.text
        assert "[b]n\\x1b[31m" in driven.text
        assert not {"\x1b", "\x07", "\u202e"} & set(driven.text)
        await driven.press("y")
        assert driven.app.clipboard == "$(rm)\\x07\n"


async def test_the_list_stays_with_its_finding_and_takes_thousands() -> None:
    many = tuple(
        msgspec.structs.replace(troubled.LOST, node=f"node-{number}", subject=str(number)) for number in range(5000)
    )
    trace = msgspec.structs.replace(troubled.TRACE, findings=many)
    async with opened(answering(trace), source=ENDS[0], destination=ENDS[1]) as driven:
        await driven.until_trace()
        await driven.press("d", "G", "k")
        assert current(driven) == many[-1]
        assert "node-4999" in driven.text
        driven.app.screen.query_one(FindingList).show(items(many[4000:], ()))
        await driven.pilot.pause()
        assert current(driven) == many[-1]
        await driven.pilot.resize_terminal(60, 20)
        await driven.until(lambda: all(len(text) <= 60 for text in driven.text.splitlines()))
        assert "node-4999" in driven.text


def test_samples_are_what_they_claim() -> None:
    assert troubled.TRACE.verdict is Verdict.BROKEN
    assert troubled.TRACE.forward.disposition is Disposition.BLACKHOLE
