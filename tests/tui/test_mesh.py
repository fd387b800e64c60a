"""The mesh screen as a person uses it: reading in parts, moving between pairs and findings, tracing from a cell."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import msgspec
import pytest
from textual.geometry import Region
from textual.widgets import Input

from calitui.diagnosis.audit import Audit, Reach
from calitui.errors import CalituiError, ClusterError
from calitui.facts.cluster import Freshness, Inventory
from calitui.report import audit_json, audit_markdown
from calitui.session import open_demo
from calitui.tui.findings.findinglist import FindingList
from calitui.tui.findings.screen import FindingsScreen
from calitui.tui.help import HelpScreen
from calitui.tui.home.screen import HomeScreen
from calitui.tui.mesh.grid import grid, short_names
from calitui.tui.mesh.matrix import Matrix
from calitui.tui.mesh.screen import MeshScreen
from calitui.tui.mesh.words import pods_between
from calitui.tui.unread import UnreadScreen
from tests.tui import samples, troubled
from tests.tui.driving import LARGE, SMALL, Driven, opened
from tests.tui.recorded import RecordedSession

SIZES = pytest.mark.parametrize("size", [SMALL, LARGE])
ENDS = (samples.SOURCE, samples.DESTINATION)


def auditing(audit: Audit | CalituiError, **options: object) -> RecordedSession:
    session = RecordedSession(audit=audit)
    for name, value in options.items():
        setattr(session, name, value)
    return session


def screen_of(driven: Driven) -> MeshScreen:
    screen = driven.app.screen
    assert isinstance(screen, MeshScreen)
    return screen


def matrix_of(driven: Driven) -> Matrix:
    return driven.app.screen.query_one(Matrix)


def has_lines(driven: Driven, number: int) -> bool:
    return len(driven.text.splitlines()) == number


async def open_mesh(driven: Driven, *, complete: bool = True) -> None:
    await driven.until_pods()
    await driven.press("m")
    await driven.until(lambda: isinstance(driven.app.screen, MeshScreen))
    if complete:
        await driven.until(lambda: screen_of(driven).complete is not None)


@SIZES
async def test_the_matrix_says_who_reaches_whom_and_opens_at_what_is_broken(size: tuple[int, int]) -> None:
    async with opened(size=size) as driven:
        await open_mesh(driven)
        lines = driven.text.splitlines()
        assert "3 of 4 nodes read · pairs ✖ 1 broken · ? 5 unknown · ✔ 3 ok" in lines[0]
        assert "✖ error: no route to the other node's pods (block-route-missing) on k8s-calic" in lines[1]
        assert "from ↓ to →" in lines[2]
        assert all(name in lines[2] for name in troubled.AUDIT.nodes)
        row = next(text for text in lines if "2 k8s-calico2" in text)
        assert row.startswith("▸◆2")
        assert "[✖ broken" in row
        assert "? unknown" in row
        assert "─ itself" in row
        assert "✖ k8s-calico2 → k8s-calico3  broken" in driven.text
        assert "· k8s-calico3 → k8s-calico2  ok" in driven.text
        assert "block-route-missing" in driven.text
        assert "kubectl -n kube-system delete pod" in driven.text or size == SMALL


async def test_unknown_says_why_and_a_node_without_a_block_is_nothing_to_reach() -> None:
    async with opened(size=LARGE) as driven:
        await open_mesh(driven)
        await driven.press("l")
        assert "? k8s-calico2 → k8s-calico4  unknown" in driven.text
        assert "k8s-calico4 was not read" in driven.text
        await driven.press("h", "h", "h")
        assert "k8s-calico1 has no block, so there is no pod to route to" in driven.text
        await driven.press("k")
        assert "k8s-calico1: pods on one node reach each other" in driven.text


@SIZES
async def test_tab_goes_to_the_findings_and_they_show_in_the_matrix(size: tuple[int, int]) -> None:
    async with opened(size=size) as driven:
        await open_mesh(driven)
        await driven.press("tab", "j")
        assert driven.app.screen.query_one(FindingList).has_focus
        rows = [text for text in driven.text.splitlines() if "k8s-calico" in text]
        assert any(text.startswith(" ◆3") for text in rows)
        assert "Enter all about it" in driven.text.splitlines()[-1]
        await driven.press("enter")
        assert isinstance(driven.app.screen, FindingsScreen)
        assert driven.app.screen.current == troubled.AUDIT.findings[1]
        await driven.press("escape", "tab")
        assert matrix_of(driven).has_focus


async def test_the_cursor_selects_the_cause_of_its_pair() -> None:
    async with opened() as driven:
        await open_mesh(driven)
        await driven.press("tab", "j", "tab", "l", "h")
        item = driven.app.screen.query_one(FindingList).current
        assert item is not None
        assert item.finding == troubled.AUDIT.findings[0]


async def test_progress_and_parts_are_drawn_at_once() -> None:
    session = auditing(troubled.AUDIT, partials=(troubled.PARTIAL,))
    session.gate.clear()
    async with opened(session) as driven:
        await open_mesh(driven, complete=False)
        await driven.until_text("◌ reading, 1 of 4 nodes")
        assert "k8s-calico3: reading links, routes, rules, neighbours" in driven.text.splitlines()[1]
        assert "· ok" in driven.text
        assert "Esc stop" in driven.text.splitlines()[-1]
        session.gate.set()
        await driven.until_text("✖ 1 broken")
        assert "reading" not in driven.text.splitlines()[0]


async def test_what_was_read_so_far_is_not_called_healthy() -> None:
    session = auditing(troubled.AUDIT, partials=(troubled.PARTIAL,))
    session.gate.clear()
    async with opened(session, size=LARGE) as driven:
        await open_mesh(driven, complete=False)
        await driven.until_text("nothing wrong in what was read so far")
        assert "✔ nothing wrong" not in driven.text
        session.gate.set()


async def test_a_thousand_messages_are_not_a_thousand_drawings(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[Audit] = []
    show = Matrix.show

    def counted(matrix: Matrix, audit: Audit) -> None:
        drawn.append(audit)
        show(matrix, audit)

    monkeypatch.setattr(Matrix, "show", counted)
    session = auditing(troubled.AUDIT, partials=(troubled.PARTIAL,) * 1000)
    async with opened(session) as driven:
        await open_mesh(driven)
    assert drawn[-1] == troubled.AUDIT
    assert len(drawn) < 100


async def test_escape_stops_and_keeps_what_was_read() -> None:
    session = auditing(troubled.AUDIT, partials=(troubled.PARTIAL,))
    session.gate.clear()
    async with opened(session) as driven:
        await open_mesh(driven, complete=False)
        await driven.until_text("1 of 4 nodes")
        await driven.press("escape")
        await driven.until(lambda: "Stopped; this is what was read until 22:13:20" in driven.said)
        assert session.stops[-1].is_set()
        assert "■ stopped · 1 of 4 nodes read" in driven.text
        await driven.press("escape")
        assert isinstance(driven.app.screen, HomeScreen)


async def test_the_last_audit_is_shown_at_once_and_r_reads_again() -> None:
    session = auditing(troubled.AUDIT)
    async with opened(session) as driven:
        await open_mesh(driven)
        await driven.press("escape")
        await open_mesh(driven)
        assert session.audits == 1
        assert "✖ 1 broken" in driven.text
        session.gate.clear()
        session.audited = troubled.HEALTHY
        await driven.press("r")
        await driven.until_text("◌ reading")
        assert "✖ 1 broken" in driven.text
        session.gate.set()
        await driven.until_text("✔ nothing wrong was found")
        assert "4 of 4 nodes read · pairs ✔ 12 ok" in driven.text
        assert "Read again at" in driven.said


async def test_a_failed_audit_is_one_line_with_what_to_try() -> None:
    async with opened(auditing(ClusterError("The API server hung up", "Is it there?"))) as driven:
        await open_mesh(driven, complete=False)
        await driven.until_text("✖ The API server hung up")
        assert "Is it there?" in driven.text
        await driven.press("enter", "n", "d", "y", "e", "u", "tab", "j")
        assert isinstance(driven.app.screen, MeshScreen)


async def test_enter_on_a_pair_traces_between_a_pod_of_each() -> None:
    session = RecordedSession()
    async with opened(session) as driven:
        await open_mesh(driven)
        await driven.press("enter")
        await driven.until_trace()
        assert session.asked == [ENDS]
        await driven.press("escape")
        assert matrix_of(driven).pair == ("k8s-calico2", "k8s-calico3")


async def test_a_pair_without_pods_says_so() -> None:
    async with opened() as driven:
        await open_mesh(driven)
        await driven.press("g", "l", "enter")
        await driven.until(lambda: "No pod with an address of its own runs on k8s-calico1" in driven.said)


def test_host_network_and_finished_pods_are_no_ends() -> None:
    hosted = msgspec.structs.replace(samples.PODS[0], host_network=True)
    assert pods_between(samples.PODS, "k8s-calico2", "k8s-calico3") == ENDS
    assert isinstance(pods_between((hosted, *samples.PODS[1:]), "k8s-calico2", "k8s-calico3"), str)
    assert isinstance(pods_between(samples.PODS, "k8s-calico3", "k8s-calico3"), str)
    twins = (samples.PODS[0], msgspec.structs.replace(samples.PODS[0], name="twin"))
    assert pods_between(twins, "k8s-calico2", "k8s-calico2") == (samples.SOURCE, "huang1/twin")


async def test_the_next_broken_pair_and_round_again() -> None:
    async with opened(auditing(troubled.large(30)), size=LARGE) as driven:
        await open_mesh(driven)
        matrix = matrix_of(driven)
        assert (matrix.row, matrix.column) == (0, 15)
        await driven.press("n", "n")
        assert (matrix.row, matrix.column) == (2, 15)
        await driven.press("G", "n")
        assert (matrix.row, matrix.column) == (0, 15)
    async with opened(auditing(troubled.HEALTHY)) as driven:
        await open_mesh(driven)
        await driven.press("n")
        assert "No pair is broken or unknown" in driven.said


@SIZES
async def test_only_the_cells_in_view_of_a_thousand_nodes_are_drawn(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int]] = []
    reach = Audit.reach

    def counted(audit: Audit, source: int, destination: int) -> Reach:
        asked.append((source, destination))
        return reach(audit, source, destination)

    monkeypatch.setattr(Audit, "reach", counted)
    async with opened(auditing(troubled.large(1000)), size=size) as driven:
        await open_mesh(driven)
        assert "1,000 of 1,000 nodes read · pairs ✖ 1,998 broken · ✔ 997,002 ok" in driven.text
        assert "ip-10-0-0-0 " in driven.text
        asked.clear()
        await driven.press("j")
        assert 0 < len(asked) < size[0] * size[1]
        await driven.press("G")
        assert matrix_of(driven).pair == (troubled.large(1000).nodes[-1],) * 2
        assert "1000 ip-10-0-3-231" in driven.text
        assert "[─]" in driven.text
        await driven.press("pageup", "home")
        assert "   1 ip-10-0-0-0" in driven.text


@pytest.mark.parametrize("count", [0, 1, 2, 9, 12, 99, 100, 1000])
@pytest.mark.parametrize("width", [30, 60, 79, 119, 200])
def test_heads_are_as_wide_as_their_columns(count: int, width: int) -> None:
    shown = grid([f"node-{number}" for number in range(count)], width)
    for texts in shown.columns:
        assert {len(text) for text in texts} <= {shown.cell - 1}
    assert all(len(name) == shown.label - 4 - shown.digits for name in shown.names)
    if shown.wordy:
        assert shown.width <= width


def test_a_domain_that_all_nodes_share_is_left_out() -> None:
    assert short_names(("a.x.y", "b.x.y")) == ("a", "b")
    assert short_names(("a.x.y", "b.x.z")) == ("a.x.y", "b.x.z")
    assert short_names(("a.x.y",)) == ("a.x.y",)


async def test_marks_cursor_and_heads_stand_over_each_other() -> None:
    async with opened(auditing(troubled.large(30)), size=SMALL) as driven:
        await open_mesh(driven)
        lines = driven.text.splitlines()
        row = next(text for text in lines if text.startswith("▸"))
        place = row.index("✖")
        assert row[place - 1] + row[place + 1] == "[]"
        marks = next(text for text in lines if "▾" in text)
        assert marks[place - 1 : place + 1] == "▾◆"
        heads = lines[2 : lines.index(marks)]
        assert "".join(text[place] for text in heads) == "16"


async def test_a_click_selects_a_pair_and_a_double_click_traces() -> None:
    session = RecordedSession()
    async with opened(session) as driven:
        await open_mesh(driven)
        region: Region = matrix_of(driven).region
        line = next(number for number, text in enumerate(driven.text.splitlines()) if "3 k8s-calico3" in text)
        column = driven.text.splitlines()[2].index("k8s-calico2")
        await driven.pilot.click("#matrix", offset=(column - region.x, line - region.y))
        assert matrix_of(driven).pair == ("k8s-calico3", "k8s-calico2")
        session.answers[(ENDS[1], ENDS[0])] = samples.DELIVERED
        await driven.pilot.double_click("#matrix", offset=(column - region.x, line - region.y))
        await driven.until_trace()


async def test_copy_and_export_write_the_audit(tmp_path: Path) -> None:
    async with opened() as driven:
        await open_mesh(driven)
        await driven.press("y")
        assert driven.app.clipboard == audit_markdown(troubled.AUDIT)
        target = tmp_path / "audit.json"
        await driven.press("e")
        driven.app.screen.query_one(Input).value = str(target)
        await driven.press("enter")
        assert target.read_bytes() == audit_json(troubled.AUDIT)


async def test_unread_help_and_the_palette() -> None:
    async with opened(size=LARGE) as driven:
        await driven.until_pods()
        await driven.press("colon")
        await driven.until_text("Mesh: audit of all nodes (m)")
        await driven.press("escape")
        await open_mesh(driven)
        await driven.press("u")
        assert isinstance(driven.app.screen, UnreadScreen)
        assert "connection refused at 10.173.32.25:22" in " ".join(driven.text.split())
        await driven.press("escape", "question_mark")
        assert isinstance(driven.app.screen, HelpScreen)
        await driven.until_text("packets to pods there are lost")


@SIZES
async def test_a_resize_rearranges(size: tuple[int, int]) -> None:
    async with opened(size=size) as driven:
        await open_mesh(driven)
        for other in (LARGE, SMALL, (50, 15), (200, 50)):
            await driven.pilot.resize_terminal(*other)
            await driven.until(partial(has_lines, driven, other[1]))
            assert "✖" in driven.text
            assert all(len(text) <= other[0] for text in driven.text.splitlines())


async def test_hostile_names_are_drawn_as_they_are() -> None:
    audit = msgspec.structs.replace(
        troubled.AUDIT,
        nodes=("[red]a\x1b[2J", "[/]b", "c" * 300, "d"),
        findings=(),
        causes={},
        reasons={(1, 2): "[b]\x07"},
    )
    async with opened(auditing(audit), size=LARGE) as driven:
        await open_mesh(driven)
        assert "[/]b" in driven.text
        assert "[b]\\x07" in driven.text
        assert not {"\x1b", "\x07"} & set(driven.text)


async def test_a_cluster_without_nodes_says_so() -> None:
    empty = msgspec.structs.replace(troubled.HEALTHY, nodes=(), rows=(), read=frozenset())
    cluster = msgspec.structs.replace(samples.CLUSTER, nodes=())
    session = RecordedSession((Inventory(cluster, Freshness.RECORDED),), audit=empty)
    async with opened(session) as driven:
        await open_mesh(driven)
        assert "no node that this account may see" in driven.text
        await driven.press("j", "l", "G", "g", "enter", "n", "tab")


@pytest.mark.parametrize("demo", ["ipip", "vxlan"])
async def test_a_recorded_healthy_cluster_has_no_broken_pair(demo: str) -> None:
    async with opened(open_demo(demo), size=LARGE) as driven:
        await open_mesh(driven)
        audit = screen_of(driven).audit
        assert audit is not None
        assert audit.count(Reach.BROKEN) == 0
        assert "✖" not in driven.text
