"""The screens over the recorded lab: what the article says must be readable from them."""

from __future__ import annotations

import msgspec
import pytest

from calitui.session import open_demo
from calitui.trace.path import Disposition, Header, Hop, NextHopChoice, Step, Verdict
from calitui.tui.trace.detail import detail
from calitui.tui.trace.packet import boxes
from calitui.tui.trace.words import essence
from tests.tui import samples
from tests.tui.driving import LARGE, SMALL, opened
from tests.tui.recorded import RecordedSession

IPIP = ("huang1/huangtest-69d9fddd97-2b8hr", "huang2/hhh-6897d64fcd-kqsj4")
BGP = ("huang2/hhh-6897d64fcd-4zph4", "huang1/huangtest-69d9fddd97-pbvvw")


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_the_ipip_example_is_readable(size: tuple[int, int]) -> None:
    async with opened(open_demo("ipip"), size=size) as driven:
        await driven.until_pods()
        assert "IPIP Always" in driven.text
        await driven.press("slash", *"2b8hr", "enter", "enter", "slash", *"kqsj4", "enter", "enter")
        await driven.until_trace()
        assert "✔ delivered both ways" in driven.text
        for words in (
            "default via 169.254.1.1 dev eth0",
            "cali3683f65394b",
            "192.168.210.128/26 via 10.173.32.26 dev tunl0",
            "tunl0  10.173.32.23 → 10.173.32.26",
            "eth0 → 10.173.32.26",
            "eth0  holds 10.173.32.26",
            "192.168.210.129 dev cali5ce61eb6bc2",
            "eth0  holds 192.168.210.129",
        ):
            assert words in driven.text, words


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_the_bgp_example_is_readable(size: tuple[int, int]) -> None:
    async with opened(open_demo("bgp"), size=size, source=BGP[0], destination=BGP[1]) as driven:
        await driven.until_trace()
        for words in (
            "calic285cddbb40",
            "192.168.210.192/26 via 10.173.32.26 dev eth0",
            "eth0 → 10.173.32.26",
            "eth0  holds 10.173.32.26",
            "192.168.210.194 dev calif6874dae1d2",
        ):
            assert words in driven.text, words
        assert "holds 10.173.32.23" in driven.text or size == SMALL
        assert "tunl0" not in driven.text


def test_an_address_that_the_hop_does_not_name_is_not_claimed() -> None:
    silent = msgspec.structs.replace(samples.FORWARD.hops[5], explanation="", lines=(), check=None)
    direction = msgspec.structs.replace(samples.FORWARD, hops=(*samples.FORWARD.hops[:5], silent))
    assert essence(samples.FORWARD, 5) == "eth0  holds 10.173.32.26"
    assert essence(direction, 5) == "eth0"


def test_equal_next_hops_are_listed_and_only_the_chosen_one_is_called_the_next_hop() -> None:
    hop: Hop = msgspec.structs.replace(
        samples.FORWARD.hops[4],
        route="default nexthop via 10.0.0.1 dev eth0 nexthop via 10.0.0.2 dev eth0",
        explanation="Two equal next hops, 10.0.0.1 and 10.0.0.2.",
        next_hops=(
            NextHopChoice(gateway="10.0.0.1", device="eth0"),
            NextHopChoice(gateway="10.0.0.2", device="eth0", chosen=True),
        ),
    )
    direction = msgspec.structs.replace(samples.FORWARD, hops=(*samples.FORWARD.hops[:4], hop))
    assert hop.step is Step.NIC_OUT
    assert essence(direction, 4).startswith("eth0 → 10.0.0.2 ")
    assert "10.0.0.2 dev eth0 (the kernel's choice)" in detail(samples.DELIVERED, hop, 118, True).plain


def test_a_vxlan_header_says_its_port() -> None:
    packet = (Header("udp", "10.0.0.1", "10.0.0.2", "VXLAN port 4789 VNI 4096"), Header("any", "10.1.0.1", "10.2.0.1"))
    assert "outer IP 10.0.0.1 → 10.0.0.2 · VXLAN port 4789 VNI 4096" in boxes(packet, 100)[0]


async def test_the_other_ip_family_is_announced_and_one_key_away() -> None:
    other = msgspec.structs.replace(
        samples.BROKEN,
        family=6,
        source=msgspec.structs.replace(samples.BROKEN.source, ip="fd00::1"),
    )
    both = msgspec.structs.replace(samples.DELIVERED, other_family=other, notes=("The dataplane is eBPF",))
    session = RecordedSession(answers={(samples.SOURCE, samples.DESTINATION): both})
    async with opened(session, size=LARGE, source=samples.SOURCE, destination=samples.DESTINATION) as driven:
        await driven.until_trace()
        assert "IPv6: broken" in driven.text
        assert "The dataplane is eBPF" in driven.text
        await driven.press("6")
        assert driven.trace.trace is not None
        assert driven.trace.trace.verdict is Verdict.BROKEN
        assert driven.trace.trace.forward.disposition is Disposition.BLACKHOLE
        assert "IPv4: delivered both ways" in driven.text
        await driven.press("x", "6")
        first = driven.text.splitlines()[0]
        assert "✔ delivered" in first
        assert first.index("kqsj4") < first.index("2b8hr")
