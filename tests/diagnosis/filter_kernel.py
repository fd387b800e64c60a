"""Three network namespaces in a row, with the packet filter under test in the middle one, and packets sent through it.

They live as long as the process that made them: children hold them open and end when their standard input is closed.
"""

from __future__ import annotations

import ctypes
import os
import select
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from calitui.nodes.parse.packet_filter import SECTIONS

NEAR, FAR = "cali0a", "eth1"
"""The middle namespace's devices."""

_LIBC = ctypes.CDLL(None, use_errno=True)


def why_impossible() -> str:
    """Why no packet filter can be tried here, or ""."""
    if os.geteuid() != 0:
        return "needs root: it makes network namespaces"
    for name in ("ip", "unshare", "nsenter", "nft", "iptables-nft", "iptables-nft-save", "iptables-legacy"):
        if shutil.which(name) is None:
            return f"{name} is not installed"
    for tried in ("nft add table inet probe", "iptables-legacy -S", "ip link add probe type veth"):
        done = subprocess.run(["unshare", "--net", "sh", "-c", tried], capture_output=True, text=True, check=False)
        if done.returncode:
            return f"this kernel refuses `{tried}` in a new namespace: {done.stderr.strip()}"
    return ""


class Middle:
    """A context manager around the namespaces: `near` -- the filter -- `far`."""

    def __enter__(self) -> Self:
        self._held = [
            subprocess.Popen(
                ["unshare", "--net", "sh", "-c", "ip link set lo up; echo ready; exec cat"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(3)
        ]
        for held in self._held:
            assert held.stdout is not None
            assert held.stdout.readline() == "ready\n"
        near, far = self._held[0].pid, self._held[2].pid
        self._in(1, f"ip link add {NEAR} type veth peer name n0 && ip link set n0 netns {near}")
        self._in(1, f"ip link add {FAR} type veth peer name f0 && ip link set f0 netns {far}")
        loose = "for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $f; done"
        self._in(0, "ip addr add 10.0.1.2/24 dev n0; ip link set n0 up; ip route add default via 10.0.1.1")
        self._in(
            1,
            f"ip addr add 10.0.1.1/24 dev {NEAR}; ip link set {NEAR} up; ip addr add 10.0.2.1/24 dev {FAR};"
            f" ip link set {FAR} up; ip route add 10.1.0.0/16 via 10.0.1.2; ip route add 10.2.0.0/16 via 10.0.2.2;"
            f" echo 1 > /proc/sys/net/ipv4/ip_forward; {loose}",
        )
        self._in(2, f"ip addr add 10.0.2.2/24 dev f0; ip link set f0 up; ip route add default via 10.0.2.1; {loose}")
        self._sender = self._socket(0, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self._own = self._socket(1, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self._seen = self._socket(2, socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
        self._taken = [
            self._socket(1, socket.AF_INET, socket.SOCK_RAW, protocol) for protocol in (socket.IPPROTO_TCP, 17, 1, 4)
        ]
        assert self.passes("forward", packet(6, "10.1.0.1", "10.2.0.1", 1, 1, 1), 1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for opened in (self._sender, self._own, self._seen, *self._taken):
            opened.close()
        for held in self._held:
            held.communicate()

    def load(self, nft: str, iptables: Iterable[tuple[str, str]]) -> str:
        """Empty the packet filter and fill it; `iptables` are a command and what `-restore` reads. Why not, or ""."""
        done = self._in(1, "nft -f -", "flush ruleset\n")
        for table in ("raw", "mangle", "filter", "nat"):
            built_in = {"raw": "PO", "mangle": "PIFO", "filter": "IFO", "nat": "PO"}[table]
            names = {"P": "PREROUTING", "I": "INPUT", "F": "FORWARD", "O": "OUTPUT"}
            text = f"*{table}\n" + "".join(f":{names[one]} ACCEPT [0:0]\n" for one in built_in) + "COMMIT\n"
            done = self._in(1, "iptables-legacy-restore", text)
        for command, text in iptables:
            done = self._in(1, f"{command}-restore", text)
            if done.returncode:
                return done.stderr
        done = self._in(1, "nft -f -", nft) if nft else done
        return done.stderr if done.returncode else ""

    def printed(self) -> dict[str, str]:
        """What the node's commands print, by section."""
        told = {name: self._in(1, f"{name}-save -c").stdout for name in SECTIONS if name.startswith("iptables")}
        return {**told, "nft": self._in(1, "nft list ruleset").stdout}

    def passes(self, way: str, sent: bytes, number: int) -> bool:
        """Whether a packet comes out behind the filter; `number` is its identification."""
        sockets = self._taken if way == "input" else [self._seen]
        for opened in sockets:
            _drain(opened)
        destination = socket.inet_ntoa(sent[16:20])
        try:
            (self._own if way == "output" else self._sender).sendto(sent, (destination, 0))
        except PermissionError:
            return False  # that is how the kernel tells a sender that the packet was dropped on its way out
        end = time.monotonic() + 0.08
        while (left := end - time.monotonic()) > 0:
            for opened in select.select(sockets, [], [], left)[0]:
                data = opened.recv(4096)
                if len(data) >= 20 and data[16:20] == sent[16:20] and data[4:6] == struct.pack("!H", number):
                    return True
        return False

    def _in(self, which: int, script: str, text: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["nsenter", "--target", str(self._held[which].pid), "--net", "sh", "-c", script],
            input=text,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def _socket(self, which: int, family: int, kind: int, protocol: int) -> socket.socket:
        """A socket of one of the namespaces, made by a thread that ends there."""
        made: list[socket.socket] = []

        def make() -> None:
            with Path(f"/proc/{self._held[which].pid}/ns/net").open("rb") as there:
                if _LIBC.setns(there.fileno(), 0x40000000) == 0:
                    made.append(socket.socket(family, kind, protocol))

        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        return made[0]


def packet(protocol: int, source: str, destination: str, source_port: int, port: int, number: int) -> bytes:
    """An IPv4 packet: a TCP SYN, a UDP datagram, an ICMP echo request, or eight bytes of another protocol."""
    if protocol == 6:
        inside = struct.pack("!HHIIBBHHH", source_port, port, 1, 0, 5 << 4, 2, 1024, 0, 0)
        pseudo = socket.inet_aton(source) + socket.inet_aton(destination) + struct.pack("!BBH", 0, 6, len(inside))
        inside = inside[:16] + struct.pack("!H", _checksum(pseudo + inside)) + inside[18:]
    elif protocol == 17:
        inside = struct.pack("!HHHH", source_port, port, 8, 0)
    elif protocol == 1:
        inside = struct.pack("!BBHHH", 8, 0, 0, source_port, 1)
        inside = inside[:2] + struct.pack("!H", _checksum(inside)) + inside[4:]
    else:
        inside = bytes(8)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(inside), number, 0, 64, protocol, 0)
    head += socket.inet_aton(source) + socket.inet_aton(destination)
    return head[:10] + struct.pack("!H", _checksum(head)) + head[12:] + inside


def _checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def _drain(opened: socket.socket) -> None:
    while select.select([opened], [], [], 0)[0]:
        opened.recv(4096)
