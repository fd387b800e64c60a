"""What is read out of a capture, on captures made byte by byte."""

from __future__ import annotations

import ipaddress
import struct

import pytest

from tests.lab.packets import Direction, Echo, echoes

REQUEST, REPLY, REQUEST6 = 8, 0, 128
IN, OUT, ELSEWHERE = 0, 4, 3


def icmp(kind: int, identifier: int) -> bytes:
    return struct.pack("!BBHHH", kind, 0, 0, identifier, 1) + b"payload"


def ipv4(source: str, destination: str, protocol: int, inside: bytes) -> bytes:
    ends = ipaddress.ip_address(source).packed + ipaddress.ip_address(destination).packed
    return struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(inside), 0, 0, 64, protocol, 0) + ends + inside


def ipv6(source: str, destination: str, inside: bytes) -> bytes:
    ends = ipaddress.ip_address(source).packed + ipaddress.ip_address(destination).packed
    return struct.pack("!IHBB", 0x60000000, len(inside), 58, 64) + ends + inside


def vxlan(port: int, inside: bytes) -> bytes:
    udp = struct.pack("!HHHH", 40000, port, 16 + 14 + len(inside), 0)
    return udp + bytes(8) + bytes(12) + struct.pack("!H", 0x0800) + inside


def capture(*packets: tuple[int, int, int, bytes]) -> bytes:
    """A file of packets, each as ethertype, interface, kind and data; a second lies between them."""
    whole = struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262144, 276)
    for second, (protocol, interface, kind, data) in enumerate(packets, 1):
        record = struct.pack("!HHIHBB8s", protocol, 0, interface, 1, kind, 6, bytes(8)) + data
        whole += struct.pack("<IIII", second, 5, len(record), len(record)) + record
    return whole


INNER = ipv4("10.244.1.1", "10.244.2.2", 1, icmp(REQUEST, 77))
ENDS = ("10.244.1.1", "10.244.2.2")
NODES = ("10.0.0.1", "10.0.0.2")


@pytest.mark.parametrize(
    ("packet", "headers"),
    [
        pytest.param(INNER, (ENDS,), id="plain"),
        pytest.param(ipv4(*NODES, 4, INNER), (NODES, ENDS), id="ipip"),
        pytest.param(ipv4(*NODES, 17, vxlan(4789, INNER)), (NODES, ENDS), id="vxlan"),
    ],
)
def test_every_header_around_an_echo_is_told(packet: bytes, headers: tuple[tuple[str, str], ...]) -> None:
    found = list(echoes(capture((0x0800, 3, OUT, packet))))
    assert found == [Echo(10**9 + 5, 3, Direction.OUT, headers, 77, is_reply=False)]


def test_requests_and_replies_of_both_families_in_their_order() -> None:
    six = ipv6("fd00::1", "fd00::2", icmp(REQUEST6, 5))
    reply = ipv4("10.0.0.2", "10.0.0.1", 1, icmp(REPLY, 5))
    found = list(echoes(capture((0x86DD, 2, IN, six), (0x0800, 2, OUT, reply))))
    assert [(one.direction.value, one.is_reply, one.headers[0][0]) for one in found] == [
        ("in", False, "fd00::1"),
        ("out", True, "10.0.0.2"),
    ]


def test_what_is_no_echo_or_for_another_machine_is_left_out() -> None:
    other_port = ipv4(*NODES, 17, vxlan(53, INNER))
    unreachable = ipv4(*NODES, 1, icmp(3, 0))
    arp = bytes(28)
    packets = ((0x0800, 1, ELSEWHERE, INNER), (0x0800, 1, IN, other_port), (0x0800, 1, IN, unreachable))
    assert list(echoes(capture(*packets, (0x0806, 1, IN, arp)))) == []


def test_a_capture_that_was_cut_off_ends_early() -> None:
    whole = capture((0x0800, 1, OUT, INNER), (0x0800, 2, IN, INNER))
    assert [one.interface for one in echoes(whole[:-1])] == [1]


def test_what_is_no_capture_is_refused() -> None:
    with pytest.raises(ValueError, match="no pcap file"):
        list(echoes(b""))
    with pytest.raises(ValueError, match="LINUX_SLL2"):
        list(echoes(capture()[:20] + struct.pack("<I", 1)))
