"""The pure parts of the drawing: everything fits, edges meet, and the telling part of a name survives."""

from __future__ import annotations

import msgspec
import pytest

from calitui.facts.cluster import Pod
from calitui.trace.path import Direction, Header, Trace
from calitui.tui.home import columns
from calitui.tui.text import age, crop, crop_middle, crop_name, fit, width_of, wrap
from calitui.tui.trace import verdict
from calitui.tui.trace.detail import detail
from calitui.tui.trace.packet import boxes
from calitui.tui.trace.pathlines import rows
from calitui.tui.trace.views import swapped
from tests.tui import samples, troubled

TRACES = (samples.DELIVERED, samples.BROKEN, samples.UNREAD, troubled.TRACE)


@pytest.mark.parametrize("width", range(1, 40))
@pytest.mark.parametrize(
    "text", ["", "ab", "huangtest-69d9fddd97-2b8hr", "名前空間/ポッド-2b8hr", "huang1/huangtest-2b8hr"]
)
def test_cropped_text_fits(text: str, width: int) -> None:
    assert width_of(crop(text, width)) <= width
    assert width_of(crop_middle(text, width)) <= width
    assert width_of(crop_name(text, width)) <= width
    assert width_of(fit(text, width)) == width


def test_the_suffix_of_a_name_survives() -> None:
    assert crop_middle("huangtest-69d9fddd97-2b8hr", 16) == "huangte…97-2b8hr"
    assert crop_name("huang1/huangtest-69d9fddd97-2b8hr", 20).endswith("-2b8hr")
    assert crop_name("a-very-long-namespace-name/huangtest-69d9fddd97-2b8hr", 24).endswith("2b8hr")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "?"), (-5, "0s"), (45, "45s"), (180, "3m"), (3 * 3600, "3h"), (3 * 86400, "3d"), (900 * 86400, "2y")],
)
def test_ages(seconds: float | None, words: str) -> None:
    assert age(seconds) == words


@pytest.mark.parametrize("compact", [False, True])
@pytest.mark.parametrize("width", [16, 20, 31, 52, 76, 120])
@pytest.mark.parametrize("depth", [0, 1, 2, 3])
def test_boxes_are_nested_and_their_edges_meet(depth: int, width: int, compact: bool) -> None:
    packet = tuple(Header("ipip", f"10.173.32.{number}", "10.173.32.26") for number in range(depth))
    lines = boxes(packet, width, compact)
    assert all(width_of(line) == width for line in lines)
    assert [line[0] for line in lines if line[0] in "┌└"] == (["┌", "└"] if depth > (1 if compact else 0) else [])
    if depth == 2 and not compact and width >= 52:
        assert "outer" in lines[0]
        assert lines[1].startswith("│ ┌ inner")
        assert lines[2].startswith("│ └")


@pytest.mark.parametrize("compact", [False, True])
@pytest.mark.parametrize("width", [24, 52, 62, 80, 120])
@pytest.mark.parametrize("direction", [way for trace in TRACES for way in trace.directions])
def test_a_hop_is_one_line_at_any_width(direction: Direction, width: int, compact: bool) -> None:
    drawn = rows(direction, width, 0, compact)
    assert [row.hop for row in drawn if row.hop is not None] == list(range(len(direction.hops)))
    for row in drawn:
        assert "\n" not in row.content.plain
        assert row.content.cell_length <= width


def test_ten_hops_leave_room_for_the_detail_on_a_small_screen() -> None:
    assert len(rows(samples.FORWARD, 80, 0, True)) == 12


def test_the_whole_route_stands_in_its_line_on_a_small_screen() -> None:
    lines = [row.content.plain for row in rows(samples.FORWARD, 80, 2, True)]
    assert any("192.168.210.128/26 via 10.173.32.26 dev tunl0 proto bird onlink" in line for line in lines)


def test_path_shows_machines_underlay_and_where_it_ends() -> None:
    text = "\n".join(row.content.plain for row in rows(samples.FORWARD, 62, None, False))
    assert text.index("k8s-calico2") < text.index("underlay 10.173.32.0/24") < text.index("k8s-calico3")
    broken = [row.content.plain for row in rows(samples.BROKEN.forward, 80, None, True)]
    assert "✖ the path ends here: blackhole" in broken[-1]
    unread = [row.content.plain for row in rows(samples.UNREAD.forward, 80, None, True)]
    assert "not known" in unread[-1]
    assert "not read: k8s-calico3: connection refused" in unread[-2]


@pytest.mark.parametrize("width", [38, 54, 78, 118])
@pytest.mark.parametrize("trace", TRACES)
def test_every_detail_fits_its_pane_and_says_its_evidence(trace: Trace, width: int) -> None:
    for direction in trace.directions:
        for hop in direction.hops:
            for roomy in (False, True):
                drawn = detail(trace, hop, width, roomy)
                assert all(width_of(line) <= width for line in drawn.plain.splitlines())
                assert hop.evidence.value.replace("-", " ") in drawn.plain.splitlines()[0]
                if hop.check:
                    assert hop.check.split()[-1] in drawn.plain


def test_the_detail_shouts_what_is_wrong() -> None:
    text = detail(samples.BROKEN, samples.BROKEN.forward.hops[2], 118, True).plain
    assert "✖ BLACKHOLE: ends here. k8s-calico2 believes" in text
    assert "▲ KERNEL AND TABLES DISAGREE: the kernel answers" in text
    inferred = detail(samples.DELIVERED, samples.FORWARD.hops[9], 118, True).plain
    assert "needs root: try --sudo" in inferred


@pytest.mark.parametrize("width", [78, 118, 168])
@pytest.mark.parametrize("trace", TRACES)
def test_the_top_always_says_verdict_names_and_that_policies_are_not_in_it(trace: Trace, width: int) -> None:
    left, right = verdict.headline(trace, width)
    assert trace.verdict.value in left[0].plain
    assert right.plain.split(" → ")[0].endswith("2b8hr")
    assert right.plain.endswith("kqsj4")
    assert sum(part.cell_length for part in left) + 2 + right.cell_length <= width
    parts, _ = verdict.basis(trace, width, samples.READ_AT)
    assert parts[0].plain.lower().startswith("routing only")


def naturals(*pods: Pod) -> columns.Naturals:
    return columns.Naturals.of(pods)


@pytest.mark.parametrize("width", [40, 60, 72, 80, 100, 120, 200])
def test_columns_fit_the_viewport(width: int) -> None:
    long = Pod(
        "n" * 60, "p" * 200, "node" * 30, ("fd00:1234:5678:9abc:def0:1234:5678:9abc",), status="CrashLoopBackOff"
    )
    for found in (naturals(*samples.PODS), naturals(long), naturals(long, *samples.PODS)):
        shown = columns.layout(width, found)
        assert width_of(columns.header(shown)) <= width
        assert shown.widths[1] >= 8
        assert shown.widths[2] > 0


def test_age_goes_before_status_and_node_before_the_address() -> None:
    found = naturals(*samples.PODS)
    assert all(columns.layout(120, found).widths)
    assert columns.layout(70, found).widths[5] == 0
    assert columns.layout(70, found).widths[4] > 0
    assert columns.layout(40, found).widths[3] == 0


def test_wrap_keeps_long_words_inside() -> None:
    assert all(len(line) <= 20 for line in wrap("x" * 95 + " yy", 20))


def test_swapping_twice_is_the_same() -> None:
    once = swapped(samples.DELIVERED)
    assert once is not None
    assert once.source == samples.DELIVERED.destination
    assert [way.name for way in once.directions] == ["forward", "return"]
    assert msgspec.structs.replace(once.forward, name="return") == samples.DELIVERED.back
    assert swapped(once) == samples.DELIVERED
