from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calitui.facts.node import ForwardingEntry, Neighbour
from calitui.nodes.parse import parse_fdb, parse_neighbours, parse_sysctls

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


MAC = "66:35:31:bd:3e:3a"
ENTRIES = [
    (f"{MAC} dst 10.0.0.26 self permanent", ForwardingEntry(MAC, "vxlan.calico", "10.0.0.26", ("self", "permanent"))),
    (
        f"{MAC} dev vxlan-v6.calico dst fd00::26 self permanent",
        ForwardingEntry(MAC, "vxlan-v6.calico", "fd00::26", ("self", "permanent")),
    ),
    (
        f"{MAC} dst 10.0.0.26 port 4790 vni 4097 via eth0 used 12/30 self offload extern_learn",
        ForwardingEntry(MAC, "vxlan.calico", "10.0.0.26", ("self", "offload", "extern_learn")),
    ),
    (f"{MAC} nhid 10 self", ForwardingEntry(MAC, "vxlan.calico", None, ("self",))),
    (f"{MAC} dev veth1 vlan 1 master br0 permanent", ForwardingEntry(MAC, "veth1", None, ("permanent",))),
]


@pytest.mark.parametrize(("line", "entry"), ENTRIES, ids=[line for line, _ in ENTRIES])
def test_one_line_is_one_forwarding_entry(line: str, entry: ForwardingEntry) -> None:
    parsed = parse_fdb(f"{line}\n", "vxlan.calico")
    assert parsed.unparsed == ()
    assert [(one.mac, one.device, one.destination, one.flags) for one in parsed.items] == [
        (entry.mac, entry.device, entry.destination, entry.flags)
    ]
    assert parsed.items[0].text == line


@pytest.mark.parametrize(
    "line", ["10.0.0.26 self", f"{MAC} dst somewhere self", "66:35 dst 10.0.0.26", "Dump terminated"]
)
def test_what_is_no_forwarding_entry_is_kept(line: str) -> None:
    parsed = parse_fdb(line, "vxlan.calico")
    assert (parsed.items, parsed.unparsed) == ((), (line,))


def test_a_forwarding_entry_of_no_device_is_none() -> None:
    assert parse_fdb(f"{MAC} dst 10.0.0.26 self permanent").items == ()


@given(st.text())
def test_no_text_makes_forwarding_entries_raise(text: str) -> None:
    parse_fdb(text, "vxlan.calico")
