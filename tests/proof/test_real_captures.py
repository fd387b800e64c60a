"""Captures that tcpdump really made: a ping through the kernel's own VXLAN between two network namespaces."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from calitui.facts.proof import Sighting
from calitui.proof import filters
from calitui.proof.capture import Place, all_sightings
from calitui.proof.pcap import to_pcap, to_pcapng
from calitui.proof.token import Token
from tests.lab.needs import LabUnavailableError, program
from tests.proof.packets import DESTINATION, NODES, PATTERN, SOURCE

pytestmark = pytest.mark.lab

_TOKEN = Token(protocol="icmp", source=SOURCE, destination=DESTINATION, pattern=PATTERN, carriers=frozenset(NODES))
_SET_UP = """
netns add {0}
netns add {1}
link add eth0 netns {0} type veth peer name eth0 netns {1}
-n {0} addr add 10.173.32.23/24 dev eth0
-n {1} addr add 10.173.32.26/24 dev eth0
-n {0} link set eth0 up
-n {1} link set eth0 up
-n {0} link add vxlan.calico address 66:00:00:00:00:23 type vxlan local 10.173.32.23 {vxlan}
-n {1} link add vxlan.calico address 66:00:00:00:00:26 type vxlan local 10.173.32.26 {vxlan}
-n {0} link set vxlan.calico up
-n {1} link set vxlan.calico up
-n {0} addr add 192.168.97.1/32 dev vxlan.calico
-n {1} addr add 192.168.210.129/32 dev vxlan.calico
-n {0} neigh add 192.168.210.129 lladdr 66:00:00:00:00:26 dev vxlan.calico nud permanent
-n {1} neigh add 192.168.97.1 lladdr 66:00:00:00:00:23 dev vxlan.calico nud permanent
-n {0} route add 192.168.210.129 dev vxlan.calico src 192.168.97.1
-n {1} route add 192.168.97.1 dev vxlan.calico src 192.168.210.129
"""
_VXLAN = "id 4096 dev eth0 dstport 4789 nolearning"
_TABLES = (
    ("66:00:00:00:00:26", "10.173.32.26"),
    ("66:00:00:00:00:23", "10.173.32.23"),
)


@contextmanager
def two_nodes() -> Iterator[tuple[str, str]]:
    names = tuple(f"calitui-proof-{os.getpid()}-{side}" for side in "ab")
    try:
        for line in _SET_UP.format(*names, vxlan=_VXLAN).strip().splitlines():
            subprocess.run(["ip", *line.split()], check=True, capture_output=True, timeout=20)
        for name, (mac, ip) in zip(names, _TABLES, strict=True):
            words = ["bridge", "-n", name, "fdb", "add", mac, "dev", "vxlan.calico", "dst", ip]
            subprocess.run(words, check=True, capture_output=True, timeout=20)
        yield names[0], names[1]
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True, timeout=20)


def captured(names: tuple[str, str], folder: Path) -> tuple[Sighting, ...]:
    """A ping from one to the other, seen in both."""
    text = filters.plain("icmp", (SOURCE, DESTINATION), None, NODES)
    text += f" or {filters.tunnelled('icmp', (SOURCE, DESTINATION), None, 4789, outer_six=False)}"
    inside = {name: ["ip", "netns", "exec", name] for name in names}
    running = []
    for name in names:
        words = ["tcpdump", "-i", "any", "-n", "-p", "-U", "--immediate-mode", "-y", "LINUX_SLL2", "-s", "192"]
        with (folder / name).open("wb") as output:
            running.append(
                subprocess.Popen([*inside[name], *words, "-w", "-", text], stdout=output, stderr=subprocess.DEVNULL)
            )
    try:
        _wait(lambda: all((folder / name).stat().st_size >= 24 for name in names))
        ping = ["ping", "-n", "-c", "2", "-i", "0.2", "-W", "2", "-p", PATTERN.hex(), DESTINATION]
        subprocess.run([*inside[names[0]], *ping], check=True, capture_output=True, timeout=20)
        _wait(lambda: all((folder / name).stat().st_size > 1000 for name in names))
    finally:
        for process in running:
            process.terminate()
            process.wait(timeout=20)
    places = [Place(node=name, devices=_devices(name)) for name in names]
    return all_sightings([(place, (folder / place.node).read_bytes()) for place in places], _TOKEN)


def _wait(done: Callable[[], bool]) -> None:
    for _ in range(200):
        if done():
            return
        time.sleep(0.05)


def _devices(name: str) -> dict[int, str]:
    lines = subprocess.run(
        ["ip", "-n", name, "-o", "link"], check=True, capture_output=True, text=True, timeout=20
    ).stdout.splitlines()
    pairs = (line.split(":")[:2] for line in lines)
    return {int(number): device.strip().partition("@")[0] for number, device in pairs}


def test_a_ping_through_vxlan_is_seen_before_and_after_it_is_wrapped(tmp_path: Path) -> None:
    try:
        for name in ("tcpdump", "ip", "bridge", "ping"):
            program(name)
    except LabUnavailableError as error:
        pytest.skip(str(error))
    with two_nodes() as names:
        found = captured(names, tmp_path)
    first = [one for one in found if one.kind == "request" and one.sequence == 1]
    way = [(names.index(one.node), one.device, one.outgoing, len(one.headers)) for one in first]
    assert way == [
        (0, "vxlan.calico", True, 1),
        (0, "eth0", True, 2),
        (1, "eth0", False, 2),
        (1, "vxlan.calico", False, 1),
    ]
    outer, inner = first[1].headers
    assert (outer.src, outer.dst, outer.detail) == (*NODES, "VXLAN port 4789 VNI 4096")
    assert (inner.src, inner.dst, inner.length) == (SOURCE, DESTINATION, 84)
    assert len([one for one in found if one.kind == "reply"]) == 8
    for name, data in (("proof.pcap", to_pcap(found)), ("proof.pcapng", to_pcapng(found))):
        (tmp_path / name).write_bytes(data)
        words = ["tcpdump", "-nnt", "-r", str(tmp_path / name)]
        shown = subprocess.run(words, check=True, capture_output=True, text=True, timeout=20).stdout
        assert shown.count("VXLAN, flags [I] (0x08), vni 4096") == 8
        assert shown.count("ICMP echo request") == 8
