"""The screens on a live cluster: the list that follows it, two pods picked by key, and the path read over SSH."""

from __future__ import annotations

import asyncio

import pytest

from tests.end_to_end.calitui_in_lab import EXAMPLES, live
from tests.lab.lab import Lab
from tests.tui.driving import LARGE, SMALL, Driven, opened

pytestmark = [pytest.mark.lab, pytest.mark.apiserver, pytest.mark.timeout(600)]


async def until(driven: Driven, words: str, seconds: float = 90) -> None:
    """Wait for a word on the screen, for a bounded time."""
    for _ in range(int(seconds * 10)):
        if words in driven.text:
            return
        await asyncio.sleep(0.1)
        await driven.pilot.pause()
    raise AssertionError(f"{words!r} did not come:\n{driven.text}")


async def pick(driven: Driven, name: str) -> None:
    """Filter for a pod as a person does, and press Enter on it."""
    await driven.press("slash", *name.rpartition("/")[2], "enter", "enter")


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_two_pods_are_picked_and_the_path_is_read(bgp_lab: Lab, size: tuple[int, int]) -> None:
    source, destination = EXAMPLES["bgp"]
    with live(bgp_lab) as session:
        async with opened(session, size=size) as driven:
            await until(driven, "● live")
            assert "hhh-6897d64fcd-4zph4" in driven.text
            await pick(driven, source)
            await driven.press("escape")
            await pick(driven, destination)
            await until(driven, "delivered both ways")
            assert "192.168.210.192/26 via 10.173.32.26 dev eth0" in driven.text
            await driven.press("x")
            await until(driven, "192.168.97.0/26 via 10.173.32.23 dev eth0")


async def test_the_list_follows_the_cluster(bgp_lab: Lab) -> None:
    with live(bgp_lab) as session:
        async with opened(session, size=LARGE) as driven:
            await until(driven, "● live")
            bgp_lab.kubectl("create", "namespace", "newcomers")
            try:
                pod = (
                    '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"just-born","namespace":"newcomers"},'
                    '"spec":{"containers":[{"name":"c","image":"i"}]}}'
                )
                bgp_lab.kubectl("apply", "-f", "-", text=pod)
                await until(driven, "just-born")
                bgp_lab.kubectl("delete", "pod", "-n", "newcomers", "just-born", "--grace-period=0", "--force")
                for _ in range(300):
                    if "just-born" not in driven.text:
                        break
                    await asyncio.sleep(0.1)
                    await driven.pilot.pause()
                assert "just-born" not in driven.text
            finally:
                bgp_lab.kubectl("delete", "namespace", "newcomers", "--wait=false")


@pytest.mark.uml
async def test_the_ipip_path_on_screen(ipip_lab: Lab) -> None:
    source, destination = EXAMPLES["ipip"]
    with live(ipip_lab) as session:
        async with opened(session, size=LARGE, source=source, destination=destination) as driven:
            await until(driven, "delivered both ways", 150)
            assert "underlay 10.173.32.0/24" in driven.text
            assert "192.168.210.128/26 via 10.173.32.26 dev tunl0" in driven.text
