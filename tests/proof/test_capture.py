"""Captures of all the kinds that tcpdump writes, read as sightings of one probe."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calitui.facts.proof import Sighting
from calitui.proof.capture import MOST_SIGHTINGS, Place, all_sightings, is_capture, sightings
from calitui.proof.pcap import to_pcap, to_pcapng
from calitui.proof.token import Token
from tests.proof.packets import (
    DESTINATION,
    DESTINATION6,
    ETHERNET,
    NODES,
    PATTERN,
    RAW,
    SLL,
    SLL2,
    SOURCE,
    SOURCE6,
    TOKEN,
    echo,
    error,
    ethernet,
    ip,
    pcap,
    sll,
    sll2,
    tcp,
    udp,
    vxlan,
)

PLACE = Place(node="k8s-calico2", devices={2: "eth0", 3: "tunl0", 7: "cali3683f65394b"})
REQUEST = ip(1, SOURCE, DESTINATION, echo())
REPLY = ip(1, DESTINATION, SOURCE, echo(0))
IN, OUT = 0, 4


def read(*packets: bytes, token: Token = TOKEN, way: int = OUT) -> tuple[Sighting, ...]:
    return sightings(pcap(SLL2, [sll2(one, 2, way) for one in packets]), token, PLACE)


@pytest.mark.parametrize("nano", [True, False])
@pytest.mark.parametrize("order", ["<", ">"])
def test_a_request_and_its_reply_on_their_interfaces(nano: bool, order: str) -> None:
    capture = pcap(SLL2, [sll2(REQUEST, 7, IN), sll2(REPLY, 7, OUT)], nano=nano, order=order)
    there, back = sightings(capture, TOKEN, PLACE)
    assert (there.kind, there.device, there.outgoing, there.sequence, there.time) == (
        "request",
        "cali3683f65394b",
        False,
        1,
        1000.0,
    )
    assert (back.kind, back.outgoing, back.time) == ("reply", True, 1000.5)
    (header,) = there.headers
    assert (header.protocol, header.src, header.dst, header.ttl, header.length) == ("icmp", SOURCE, DESTINATION, 63, 84)
    assert header.dont_fragment is True
    assert header.detail == "echo request, id 7, seq 1"
    assert there.frame == REQUEST


def test_other_link_types() -> None:
    place = Place(node="n", device="eth0", mac="02:00:00:00:00:01")
    (cooked,) = sightings(pcap(SLL, [sll(REQUEST, OUT)]), TOKEN, place)
    assert (cooked.device, cooked.outgoing) == ("eth0", True)
    out, back = sightings(
        pcap(ETHERNET, [ethernet(REQUEST, "02:00:00:00:00:01"), ethernet(REPLY, "02:00:00:00:00:02")]), TOKEN, place
    )
    assert (out.outgoing, back.outgoing) == (True, False)
    (raw,) = sightings(pcap(RAW, [REQUEST]), TOKEN, msgspec.structs.replace(place, mac=None))
    assert raw.outgoing is None


def test_packets_that_were_overheard_are_left_out() -> None:
    assert sightings(pcap(SLL2, [sll2(REQUEST, 2, 3), sll2(REQUEST, 2, 1)]), TOKEN, PLACE) == ()


def test_an_interface_without_a_name_has_its_number() -> None:
    (one,) = sightings(pcap(SLL2, [sll2(REQUEST, 9, OUT)]), TOKEN, PLACE)
    assert one.device == "interface 9"


INNER6 = ip(58, SOURCE6, DESTINATION6, echo(128))
IN_VXLAN = "VXLAN port 4789 VNI 4096"
TUNNELS: dict[str, tuple[bytes, tuple[str, str, str, str | None], tuple[str, str, str]]] = {
    "ipip": (ip(4, *NODES, REQUEST, df=False), ("ipip", *NODES, None), ("icmp", SOURCE, DESTINATION)),
    "vxlan": (ip(17, *NODES, vxlan(REQUEST)), ("udp", *NODES, IN_VXLAN), ("icmp", SOURCE, DESTINATION)),
    "vxlan6": (
        ip(17, "fd32::23", "fd32::26", vxlan(INNER6)),
        ("udp", "fd32::23", "fd32::26", IN_VXLAN),
        ("icmp6", SOURCE6, DESTINATION6),
    ),
    "6in4": (ip(41, *NODES, INNER6), ("ipv6", *NODES, None), ("icmp6", SOURCE6, DESTINATION6)),
}


@pytest.mark.parametrize("kind", TUNNELS)
def test_headers_are_read_from_the_outermost_in(kind: str) -> None:
    packet, around, within = TUNNELS[kind]
    (one,) = read(packet)
    outer, inner = one.headers
    assert (outer.protocol, outer.src, outer.dst, outer.detail) == around
    assert (inner.protocol, inner.src, inner.dst) == within


def test_vxlan_on_a_port_of_ones_own() -> None:
    packet = ip(17, *NODES, vxlan(REQUEST, port=8472))
    assert read(packet) == ()
    capture = pcap(SLL2, [sll2(packet, 2, OUT)])
    (one,) = sightings(capture, TOKEN, PLACE, ports=(8472,))
    assert one.headers[0].detail == "VXLAN port 8472 VNI 4096"


def test_packets_of_others_are_not_the_probes() -> None:
    theirs = ip(1, SOURCE, DESTINATION, echo(payload=bytes(range(56))))
    assert read(theirs) == ()
    assert read(ip(17, SOURCE, DESTINATION, udp(1, 2, PATTERN))) == ()
    assert read(ip(89, SOURCE, DESTINATION, bytes(40))) == ()


def test_a_rewritten_source_is_still_the_probe() -> None:
    (one,) = read(ip(1, "10.173.32.23", DESTINATION, echo()))
    assert one.headers[0].src == "10.173.32.23"


def test_without_a_pattern_both_addresses_have_to_be_there_or_the_identifier() -> None:
    bare = msgspec.structs.replace(TOKEN, pattern=b"", size_pattern=b"")
    own = ip(1, SOURCE, DESTINATION, echo(payload=b""))
    behind = ip(1, "10.173.32.23", DESTINATION, echo(payload=b""))
    assert len(read(own, behind, token=bare)) == 1
    known = msgspec.structs.replace(bare, identifier=7)
    assert len(read(own, behind, token=known)) == 2
    assert read(own, token=msgspec.structs.replace(bare, identifier=8)) == ()


def test_a_payload_that_was_cut_off_is_judged_by_the_addresses() -> None:
    cut = ip(1, SOURCE, DESTINATION, echo(payload=bytes(16)), length=84)
    assert len(read(cut)) == 1


def test_a_size_probe_is_told_apart_by_its_pattern() -> None:
    large = ip(1, SOURCE, DESTINATION, echo(payload=bytes(16) + PATTERN[::-1] * 2), length=1440)
    (one,) = read(large)
    assert one.size == 1440


# errors

TOO_BIG_FOR_THE_TUNNEL = error(3, 4, ip(4, *NODES, REQUEST), mtu=1480)
FRAGMENTATION = error(3, 4, ip(1, SOURCE, DESTINATION, echo()), mtu=1400)


@pytest.mark.parametrize(
    ("packet", "words"),
    [
        (ip(1, "10.173.32.1", SOURCE, FRAGMENTATION), "fragmentation needed, MTU 1400"),
        (ip(1, "10.173.32.1", SOURCE, error(3, 13, REQUEST)), "communication administratively prohibited"),
        (ip(1, "10.173.32.1", SOURCE, error(11, 0, REQUEST)), "time exceeded"),
        (ip(1, "10.173.32.1", NODES[0], TOO_BIG_FOR_THE_TUNNEL), "fragmentation needed, MTU 1480"),
        (ip(1, "10.173.32.1", NODES[0], error(3, 1, ip(17, *NODES, vxlan(REQUEST)))), "host unreachable"),
        (ip(58, "fd32::1", SOURCE6, error(2, 0, INNER6, mtu=1280)), "packet too big, MTU 1280"),
        (ip(58, "fd32::1", SOURCE6, error(1, 0, INNER6)), "no route"),
    ],
)  # fmt: skip
def test_an_error_is_matched_to_the_probe_it_quotes(packet: bytes, words: str) -> None:
    (one,) = read(packet, way=IN)
    assert (one.kind, one.detail) == ("error", words)


def test_an_error_that_quotes_no_more_than_the_tunnels_header() -> None:
    quoted = ip(4, *NODES, REQUEST)[:28]
    (one,) = read(ip(1, "10.173.32.1", NODES[0], error(3, 4, quoted, mtu=1480)))
    assert (one.kind, one.size) == ("error", 0)
    stranger = ip(4, "10.9.9.9", NODES[1], REQUEST)[:28]
    assert read(ip(1, "10.173.32.1", "10.9.9.9", error(3, 4, stranger))) == ()


def test_an_error_about_others_is_left_out() -> None:
    theirs = ip(1, "10.9.9.9", "10.9.9.8", echo(payload=bytes(56)))
    assert read(ip(1, "10.173.32.1", SOURCE, error(11, 0, theirs))) == ()


# ports


def test_tcp_by_its_ports_and_flags() -> None:
    token = Token(protocol="tcp", source=SOURCE, destination=DESTINATION, port=80)
    there = ip(6, SOURCE, DESTINATION, tcp(40123, 80, 0x02))
    back = ip(6, DESTINATION, SOURCE, tcp(80, 40123, 0x14))
    found = read(there, back, ip(6, SOURCE, DESTINATION, tcp(40123, 81, 0x02)), token=token)
    assert [(one.kind, one.headers[0].detail) for one in found] == [("request", "SYN"), ("reply", "ACK, RST")]
    assert (found[0].headers[0].source_port, found[0].headers[0].destination_port) == (40123, 80)


def test_a_translated_connection_is_known_by_the_port_that_its_sender_took() -> None:
    token = Token(protocol="tcp", source=SOURCE, destination=DESTINATION, port=80)
    there = pcap(SLL2, [sll2(ip(6, SOURCE, DESTINATION, tcp(40123, 80, 0x02)), 7, IN)])
    behind = [ip(6, "10.173.32.23", DESTINATION, tcp(port, 80, 0x02)) for port in (40123, 50999)]
    found = all_sightings(
        [(PLACE, there), (Place(node="k8s-calico3"), pcap(SLL2, [sll2(one, 2, IN) for one in behind]))], token
    )
    assert [(one.node, one.headers[0].src) for one in found] == [
        ("k8s-calico2", SOURCE),
        ("k8s-calico3", "10.173.32.23"),
    ]


def test_a_sender_that_could_set_no_pattern_is_known_by_addresses_and_its_identifier() -> None:
    mute = echo(payload=bytes(56))
    there = pcap(SLL2, [sll2(ip(1, SOURCE, DESTINATION, mute), 7, IN)])
    behind = pcap(SLL2, [sll2(ip(1, "10.173.32.23", DESTINATION, mute), 2, IN)])
    found = all_sightings([(PLACE, there), (Place(node="k8s-calico3"), behind)], TOKEN)
    assert [one.headers[0].src for one in found] == [SOURCE, "10.173.32.23"]
    own = pcap(SLL2, [sll2(REQUEST, 7, IN), sll2(ip(1, SOURCE, DESTINATION, mute), 7, IN)])
    assert len(all_sightings([(PLACE, own)], TOKEN)) == 1, "another ping of the same pair"


def test_udp_by_its_pattern_and_an_unreachable_port_as_its_answer() -> None:
    token = Token(protocol="udp", source=SOURCE, destination=DESTINATION, port=53, pattern=PATTERN)
    sent = ip(17, SOURCE, DESTINATION, udp(40123, 53, PATTERN))
    translated = ip(17, "10.173.32.23", DESTINATION, udp(50999, 53, PATTERN))
    refused = ip(1, DESTINATION, SOURCE, error(3, 3, sent))
    on_the_way = ip(1, "10.173.32.1", SOURCE, error(3, 3, sent[:28]))
    found = read(sent, translated, refused, on_the_way, token=token)
    assert [one.kind for one in found] == ["request", "request", "reply", "error"]
    assert found[2].detail == "port unreachable"


# hostile and broken captures


def test_a_capture_that_is_cut_off_ends_early() -> None:
    capture = pcap(SLL2, [sll2(REQUEST, 2, OUT), sll2(REPLY, 2, IN)])
    assert len(sightings(capture[:-1], TOKEN, PLACE)) == 1
    assert sightings(capture[:30], TOKEN, PLACE) == ()
    assert sightings(b"", TOKEN, PLACE) == ()
    assert not is_capture(b"tcpdump: permission denied")
    assert is_capture(capture)


def test_a_flood_is_bounded() -> None:
    capture = pcap(SLL2, [sll2(REQUEST, 2, OUT)] * (MOST_SIGHTINGS + 100))
    assert len(sightings(capture, TOKEN, PLACE)) == MOST_SIGHTINGS


def test_headers_inside_of_headers_without_end() -> None:
    packet = REQUEST
    while len(packet) < 60_000:
        packet = ip(4, *NODES, packet)
    sightings(pcap(SLL2, [sll2(packet, 2, OUT)]), TOKEN, PLACE)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400), st.sampled_from([SLL2, SLL, ETHERNET, RAW, 12, 228, 9999]))
def test_garbage_is_no_packet_and_raises_nothing(data: bytes, link_type: int) -> None:
    sightings(data, TOKEN, PLACE)
    sightings(pcap(link_type, [data, data[::-1]]), TOKEN, PLACE)
    sightings(pcap(SLL2, [sll2(one, 2, OUT) for one in (data, data[7:]) if one]), TOKEN, PLACE)


WHOLE = [packet for packet, _, _ in TUNNELS.values()] + [ip(1, "10.173.32.1", SOURCE, FRAGMENTATION)]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_packets_with_bytes_changed_raise_nothing(data: st.DataObject) -> None:
    packet = bytearray(data.draw(st.sampled_from(WHOLE)))
    for _ in range(data.draw(st.integers(1, 6))):
        packet[data.draw(st.integers(0, len(packet) - 1))] = data.draw(st.integers(0, 255))
    end = data.draw(st.integers(1, len(packet)))
    found = read(bytes(packet[:end]))
    to_pcap(found)
    to_pcapng(found)


# files


def test_a_written_file_is_read_again() -> None:
    first = read(*(packet for packet, _, _ in TUNNELS.values()))
    again = sightings(to_pcap(reversed(first)), TOKEN, Place(node="k8s-calico2", device="eth0"))
    assert [(one.frame, one.headers, one.kind) for one in again] == [
        (one.frame, one.headers, one.kind) for one in first
    ]
    assert [one.time for one in again] == [one.time for one in first]


def test_a_packet_that_was_cut_keeps_its_whole_length() -> None:
    (one,) = read(ip(1, SOURCE, DESTINATION, echo(), length=1400))
    record = to_pcap([one])[24:40]
    assert int.from_bytes(record[8:12], "little") == len(one.frame)
    assert int.from_bytes(record[12:16], "little") == 1400


def test_a_pcapng_file_names_each_interface() -> None:
    capture = pcap(SLL2, [sll2(REQUEST, 7, IN), sll2(ip(4, *NODES, REQUEST), 2, OUT)])
    made = to_pcapng(sightings(capture, TOKEN, PLACE), "calitui 0.1")
    for words in (
        b"k8s-calico2 cali3683f65394b",
        b"k8s-calico2 eth0",
        b"request 1 out of k8s-calico2 eth0",
        b"calitui 0.1",
    ):
        assert words in made
