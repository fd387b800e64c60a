"""What the walk says of packets, held against what a kernel does to them, for packet filters out of a generator."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator

import pytest

from calitui.diagnosis.firewall.packet import Packet
from calitui.diagnosis.firewall.walk import Outcome, Walk
from calitui.nodes.parse.packet_filter import parse_packet_filter
from tests.diagnosis.filter_kernel import FAR, NEAR, Middle, packet, why_impossible
from tests.diagnosis.filter_rulesets import DESTINATIONS, PORTS, SOURCES, ruleset

pytestmark = pytest.mark.lab

RULESETS = 120
PROBES = 6


@pytest.fixture(scope="module")
def middle() -> Iterator[Middle]:
    why = why_impossible()
    if why:
        pytest.skip(why)
    with Middle() as made:
        yield made


def test_the_walk_says_what_the_kernel_does(middle: Middle) -> None:
    told: Counter[Outcome] = Counter()
    wrong: list[str] = []
    number, loaded = 1, 0
    for seed in range(RULESETS):
        made = ruleset(seed)
        if middle.load(made.nft, made.iptables):
            continue  # nft refuses a rule that contradicts itself
        loaded += 1
        printed = middle.printed()
        walk = Walk(parse_packet_filter(printed))
        pick = random.Random(seed)  # noqa: S311
        for _ in range(PROBES):
            number += 1
            way = pick.choice(("forward", "forward", "input", "output"))
            protocol, port = pick.choice((6, 17, 1, 4)), pick.choice(PORTS)
            # No two probes have both addresses in common, so each is a connection of its own.
            source = f"{pick.choice(SOURCES)}.{number % 250 + 1}" if way != "output" else "10.0.2.1"
            destination = f"{pick.choice(DESTINATIONS)}.{number // 250 + 1}" if way != "input" else "10.0.1.1"
            sent = packet(protocol, source, destination, 1024 + number, port, number)
            has_port = protocol in (6, 17)
            said = walk.judge(
                Packet(
                    family=4,
                    protocol=protocol,
                    source=source,
                    destination=destination,
                    in_device=NEAR,
                    out_device=FAR,
                    source_port=1024 + number if has_port else None,
                    port=port if has_port else None,
                ),
                way,
            )
            told[said.outcome] += 1
            if said.outcome is not Outcome.UNKNOWN:
                passes = middle.passes(way, sent, number)
                if passes is not (said.outcome is Outcome.ACCEPTED):
                    wrong.append(f"seed {seed} {way} {protocol} {source} {destination} {port}: {said} passes={passes}")
                    wrong.append(str(printed))
    assert loaded >= 80
    assert not wrong, "\n".join(wrong[:6])
    assert told[Outcome.UNKNOWN] < 0.2 * told.total(), told
    assert min(told[Outcome.ACCEPTED], told[Outcome.DROPPED]) > 0.2 * told.total(), told
