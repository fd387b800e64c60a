from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calitui.facts.node import Neighbour
from calitui.nodes.parse import parse_neighbours, parse_sysctls

NEIGHBOURS = [
    (
        "10.0.0.7 dev br0 lladdr 02:00:00:00:00:01 REACHABLE ",
        Neighbour("10.0.0.7", "br0", "02:00:00:00:00:01", "REACHABLE"),
    ),
    ("10.0.0.8 dev br0  FAILED", Neighbour("10.0.0.8", "br0", None, "FAILED")),
    ("10.0.0.9 dev br0  INCOMPLETE", Neighbour("10.0.0.9", "br0", None, "INCOMPLETE")),
    (
        "fe80::1 dev eth0 lladdr 02:00:00:00:00:02 router STALE",
        Neighbour("fe80::1", "eth0", "02:00:00:00:00:02", "STALE"),
    ),
    (
        "10.0.0.7 dev br0 lladdr 02:00:00:00:00:01  used 0/0/0probes 0 PERMANENT ",
        Neighbour("10.0.0.7", "br0", "02:00:00:00:00:01", "PERMANENT"),
    ),
    (
        "10.0.0.7 dev br0 lladdr 02:00:00:00:00:01 ref 1 used 2/0/0 probes 4 DELAY",
        Neighbour("10.0.0.7", "br0", "02:00:00:00:00:01", "DELAY"),
    ),
    ("10.0.0.8 dev br0 proxy ", Neighbour("10.0.0.8", "br0")),
]


@pytest.mark.parametrize(("line", "neighbour"), NEIGHBOURS, ids=[line for line, _ in NEIGHBOURS])
def test_one_line_is_one_neighbour(line: str, neighbour: Neighbour) -> None:
    (found,) = parse_neighbours(line).items
    assert (found.ip, found.device, found.mac, found.state) == (
        neighbour.ip,
        neighbour.device,
        neighbour.mac,
        neighbour.state,
    )
    assert found.text == line.strip()


def test_the_device_that_was_asked_for_is_not_in_the_line() -> None:
    assert parse_neighbours("10.0.0.7 lladdr 02:00:00:00:00:01 STALE", "vxlan.calico").items[0].device == "vxlan.calico"
    assert parse_neighbours("10.0.0.7 lladdr 02:00:00:00:00:01 STALE").unparsed != ()


def test_sysctls_by_their_path_below_net() -> None:
    values, unparsed = parse_sysctls(
        "/proc/sys/net/ipv4/ip_forward:1\n/proc/sys/net/ipv4/conf/eth0.100/rp_filter:2\ngrep: oh dear\n"
    )
    assert values == {"ipv4/ip_forward": "1", "ipv4/conf/eth0.100/rp_filter": "2"}
    assert unparsed == ("grep: oh dear",)


@given(st.text())
def test_no_text_raises(text: str) -> None:
    parse_neighbours(text)
    parse_sysctls(f"/proc/sys/net/{text}")
