"""The home screen as a person uses it: marks, filter, live changes, errors and what is said about them."""

from __future__ import annotations

import msgspec
import pytest

from calitui.errors import ClusterError
from calitui.facts.cluster import Freshness, Inventory, Pod
from calitui.tui.help import HelpScreen
from calitui.tui.home.screen import HomeScreen
from calitui.tui.trace.screen import TraceScreen
from calitui.tui.unread import UnreadScreen
from tests.tui import samples
from tests.tui.driving import LARGE, SMALL, opened
from tests.tui.recorded import RecordedSession


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_the_screen_says_at_a_glance_what_this_cluster_is(size: tuple[int, int]) -> None:
    async with opened(size=size) as driven:
        await driven.until_pods()
        top = driven.text.splitlines()[:2]
        assert "demo:ipip › all namespaces" in top[0]
        assert "5 pods · 4 nodes" in top[0]
        assert "■ recorded" in top[0]
        assert "Calico v3.1.3 · kdd · IPIP Always 192.168.0.0/16 · BGP mesh on · iptables" in top[1]
        for word in ("huangtest-69d9fddd97-2b8hr", "192.168.97.1", "k8s-calico2", "Running", "▲ 1 not read: BGPPeers"):
            assert word in driven.text
        assert "Enter marks the source" in driven.text


async def test_two_enters_mark_both_ends_and_open_the_trace() -> None:
    session = RecordedSession()
    async with opened(session) as driven:
        await driven.until_pods()
        await driven.press("enter")
        assert driven.home.marks.letters == {samples.SOURCE: "S"}
        assert "▸S huang1 huangtest" in driven.text
        await driven.press("enter")
        assert "is the source already" in driven.said
        await driven.press("down")
        assert "Enter traces to the pod at the cursor" in driven.text
        await driven.press("down", "enter")
        await driven.until_trace()
        assert session.asked == [(samples.SOURCE, samples.DESTINATION)]
        await driven.press("escape")
        assert isinstance(driven.app.screen, HomeScreen)
        assert "▸D huang2 hhh-6897d64fcd-kqsj4" in driven.text


async def test_escape_takes_back_destination_then_source() -> None:
    async with opened() as driven:
        await driven.until_pods()
        await driven.press("enter", "j", "j", "enter")
        await driven.until_trace()
        await driven.press("escape", "escape")
        assert list(driven.home.marks.letters.values()) == ["S"]
        await driven.press("escape")
        assert driven.home.marks.letters == {}
        await driven.press("escape")
        assert isinstance(driven.app.screen, HomeScreen)


@pytest.mark.parametrize(("pod", "words"), [(3, "has finished (Completed)"), (4, "has no IP yet (ContainerCreating)")])
async def test_a_pod_that_cannot_send_is_refused_in_one_line(pod: int, words: str) -> None:
    async with opened() as driven:
        await driven.until_pods()
        await driven.press(*["down"] * pod, "enter")
        assert words in driven.said
        assert driven.home.marks.letters == {}
        assert words in driven.text.splitlines()[-1]
        await driven.press("up")
        assert driven.said == ""


async def test_the_filter_narrows_while_typing_and_keeps_the_cursor_on_its_pod() -> None:
    async with opened() as driven:
        await driven.until_pods()
        await driven.press("j", "j")
        assert driven.home.pods.current == samples.PODS[2]
        assert "Enter mark source" in driven.text.splitlines()[-1]
        await driven.press("slash", *"huang2")
        assert driven.text.splitlines()[-1].split() == ["Enter", "keep", "the", "filter", "Esc", "clear", "it"]
        assert driven.listed == ["hhh-6897d64fcd-kqsj4", "job-8x7zk", "new-5c9f4-abcde"]
        assert driven.home.pods.current == samples.PODS[2]
        assert "3 of 5 pods" in driven.text
        await driven.press("down")
        assert driven.home.pods.current == samples.PODS[3]
        await driven.press("enter", "k")
        assert driven.home.pods.has_focus
        assert driven.home.pods.current == samples.PODS[2]
        await driven.press("escape")
        assert len(driven.listed) == 5
        assert driven.home.pods.current == samples.PODS[2]


async def test_letters_are_letters_in_the_filter() -> None:
    async with opened() as driven:
        await driven.until_pods()
        await driven.press("slash", *"qxt?:0n")
        assert driven.home.filter_text == "qxt?:0n"
        assert isinstance(driven.app.screen, HomeScreen)


async def test_an_unfinished_regex_is_said_and_the_last_result_stays() -> None:
    async with opened() as driven:
        await driven.until_pods()
        await driven.press("slash", *"hhh")
        assert driven.listed == ["hhh-6897d64fcd-kqsj4"]
        await driven.press("(")
        assert "not a regex: missing )" in driven.text
        assert driven.listed == ["hhh-6897d64fcd-kqsj4"]
        await driven.press("escape")
        assert len(driven.listed) == 5


async def test_an_empty_result_says_why() -> None:
    async with opened() as driven:
        await driven.until_pods()
        await driven.press("slash", *"zzz")
        assert "None of 5 pods matches the filter 'zzz'" in driven.text
        assert "-l app=web" in driven.text
        await driven.press("enter", "enter")
        assert driven.home.marks.letters == {}


async def test_one_namespace_and_all_again() -> None:
    async with opened() as driven:
        await driven.until_pods()
        await driven.press("G", "n")
        assert len(driven.listed) == 3
        assert "demo:ipip › huang2" in driven.text
        await driven.press("0")
        assert len(driven.listed) == 5


async def test_what_was_not_read_can_be_read_in_full() -> None:
    async with opened() as driven:
        await driven.until_pods()
        await driven.press("u")
        assert isinstance(driven.app.screen, UnreadScreen)
        assert "bgppeers.crd.projectcalico.org" in driven.text
        await driven.press("escape")
        assert isinstance(driven.app.screen, HomeScreen)


async def test_help_explains_keys_and_grammar() -> None:
    async with opened() as driven:
        await driven.until_pods()
        await driven.press("question_mark")
        assert isinstance(driven.app.screen, HelpScreen)
        await driven.until_text("Mark the source, then the destination")
        assert "-l app=web" in driven.text
        await driven.press("q")
        assert isinstance(driven.app.screen, HomeScreen)


def live(*pods: Pod, freshness: Freshness = Freshness.LIVE, reason: str = "") -> Inventory:
    cluster = msgspec.structs.replace(samples.CLUSTER, pods=pods)
    return Inventory(cluster, freshness, samples.READ_AT if reason else None, reason)


async def test_the_cursor_stays_with_its_pod_while_the_cluster_changes() -> None:
    early = Pod("aaa", "early", "k8s-calico1", ("192.168.1.1",), "Running", "Running")
    session = RecordedSession(
        (
            live(*samples.PODS[:2], freshness=Freshness.LOADING),
            live(early, *samples.PODS),
            live(early, *samples.PODS[:2]),
            live(early, *samples.PODS[:2], freshness=Freshness.STALE, reason="connection reset by 10.0.0.1:6443"),
        ),
        recorded=False,
        origin="prod-eu",
    )
    async with opened(session) as driven:
        await driven.until_pods()
        assert "◌ loading 2 pods so far" in driven.text
        await driven.press("down")
        session.next_inventory.release()
        await driven.until(lambda: len(driven.listed) == 6)
        assert "● live" in driven.text
        assert driven.home.pods.current == samples.PODS[1]
        await driven.press("G")
        session.next_inventory.release()
        await driven.until(lambda: len(driven.listed) == 3)
        assert driven.home.pods.current == samples.PODS[1]
        session.next_inventory.release()
        await driven.until_text("▲ stale since 22:13:20")
        assert "what you see is old: connection reset by 10.0.0.1:6443" in driven.text
        assert "prod-eu" in driven.text


async def test_a_filter_follows_the_cluster_too() -> None:
    session = RecordedSession((live(*samples.PODS[:1]), live(*samples.PODS)), recorded=False)
    async with opened(session) as driven:
        await driven.until_pods()
        await driven.press("slash", *"huangtest")
        session.next_inventory.release()
        await driven.until(lambda: len(driven.listed) == 2)


async def test_a_cluster_that_cannot_be_reached_says_what_to_try_and_can_be_tried_again() -> None:
    error = ClusterError("No kubeconfig: /nowhere does not exist", "Give --kubeconfig, or try `calitui demo`")
    session = RecordedSession((), error=error, recorded=False, origin="prod-eu")
    async with opened(session) as driven:
        await driven.until_text("No kubeconfig: /nowhere does not exist")
        assert "Give --kubeconfig, or try `calitui demo`" in driven.text
        assert "✖ not connected" in driven.text
        session.error = None
        session.inventories = (live(*samples.PODS),)
        await driven.press("r")
        await driven.until_pods()
        assert "● live" in driven.text


async def test_pods_stay_on_screen_when_following_ends() -> None:
    session = RecordedSession((live(*samples.PODS),), error=ClusterError("The token has expired"), recorded=False)
    async with opened(session) as driven:
        await driven.until_text("what you see is old: The token has expired")
        assert len(driven.listed) == 5
        assert "▲ stale since 22:14:20" in driven.text


async def test_a_cluster_without_pods_says_so() -> None:
    async with opened(RecordedSession((live(),), recorded=False, origin="prod-eu")) as driven:
        await driven.until_text("There are no pods here")


async def test_ends_from_the_command_line_open_the_trace_over_home() -> None:
    async with opened(source=samples.SOURCE, destination=samples.DESTINATION) as driven:
        await driven.until_trace()
        await driven.press("escape")
        await driven.until_pods()
        assert list(driven.home.marks.letters.values()) == ["S"]


@pytest.mark.parametrize("given", [samples.SOURCE, "huangtest-69d9fddd97-2b8hr", "192.168.97.1"])
async def test_a_source_from_the_command_line_is_marked(given: str) -> None:
    async with opened(source=given) as driven:
        await driven.until_pods()
        assert driven.home.marks.letters == {samples.SOURCE: "S"}


async def test_the_palette_offers_the_screens_own_commands() -> None:
    async with opened() as driven:
        await driven.until_pods()
        await driven.press("colon")
        await driven.until_text("Namespace (n)")
        await driven.press(*"toggle theme")
        await driven.until_text("Toggle theme (t)")
        await driven.press("enter")
        await driven.until(lambda: driven.app.theme == "calitui-light")


async def test_theme_is_toggled_and_quit_leaves() -> None:
    async with opened() as driven:
        await driven.until_pods()
        assert driven.app.theme == "calitui-dark"
        await driven.press("t")
        assert driven.app.theme == "calitui-light"
        await driven.press("q")
    assert driven.app.return_value == 0


@pytest.mark.parametrize("theme", ["nord", "textual-light", "ansi-dark"])
async def test_any_theme_of_textual_works(theme: str) -> None:
    async with opened(theme=theme, source=samples.SOURCE, destination=samples.DESTINATION) as driven:
        await driven.until_trace()
        assert "delivered both ways" in driven.text


async def test_a_resize_rearranges() -> None:
    async with opened(size=LARGE) as driven:
        await driven.until_pods()
        assert "NAMESPACE" in driven.text
        await driven.pilot.resize_terminal(60, 20)
        await driven.until_text("NS ")
        assert all(len(line) <= 60 for line in driven.text.splitlines())


async def test_a_click_moves_the_cursor_and_a_double_click_marks() -> None:
    async with opened() as driven:
        await driven.until_pods()
        await driven.pilot.click("#pods", offset=(5, 2))
        assert driven.home.pods.cursor == 2
        await driven.pilot.double_click("#pods", offset=(5, 0))
        assert list(driven.home.marks.letters) == [samples.SOURCE]


async def test_hostile_text_is_drawn_as_it_is() -> None:
    session = RecordedSession((live(samples.HOSTILE),), recorded=False, origin="[red]ctx[/red]")
    async with opened(session, size=LARGE) as driven:
        await driven.until_pods()
        for word in ("[red]ctx[/red]", "[red]ns[/red]", "evil-\\x1b[31m[link=http://x]pod[/link]", "node[/]"):
            assert word in driven.text
        assert "\x1b" not in driven.text
        await driven.press("enter")
        assert "[red]ns[/red]/evil" in driven.text
        await driven.press("n")
        assert "[red]ctx[/red] › [red]ns[/red]" in driven.text
        await driven.press("slash", *"[b]x")
        assert isinstance(driven.app.screen, HomeScreen)
        assert not isinstance(driven.app.screen, TraceScreen)


async def test_a_namespace_given_at_the_start_is_the_only_one_listed() -> None:
    async with opened(namespace="huang2") as driven:
        await driven.until_pods()
        assert {pod.namespace for pod in driven.home.pods.rows} == {"huang2"}
        await driven.press("0")
        await driven.until(lambda: {pod.namespace for pod in driven.home.pods.rows} > {"huang2"})
