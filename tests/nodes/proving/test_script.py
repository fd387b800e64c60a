"""The script with real tcpdump and ping in real network namespaces: what comes, and that nothing is left."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import dpkt
import pytest

from calitui.nodes.proving.script import (
    SCRIPT,
    Where,
    parse_ping,
    parse_tools,
    parse_tries,
    parse_watch,
    refusal,
    tcp,
    udp,
    watch,
)
from calitui.nodes.proving.script import ping as echo
from calitui.nodes.script import command
from tests.nodes.proving.namespaces import ONE, TWO, TWO6, Pair, pair, settled, state

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs root: it makes network namespaces"),
    pytest.mark.skipif(
        not all(shutil.which(name) for name in ("ip", "tcpdump", "ping")),
        reason="needs iproute2, tcpdump and iputils-ping",
    ),
]

SHELLS = [("dash",), ("bash", "--posix"), ("busybox", "sh")]
PATTERN = "ca11ca11"


@pytest.fixture(scope="module")
def net() -> Iterator[Pair]:
    with pair() as made:
        yield made


@pytest.fixture(params=SHELLS, ids=" ".join)
def shell(request: pytest.FixtureRequest) -> tuple[str, ...]:
    words: tuple[str, ...] = request.param
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not installed (apt-get install {words[0]})")
    return words


class Running:
    """The script in a shell of this test; leaving the block ends its input."""

    def __init__(self, shell: Sequence[str], words: Sequence[str], mark: str = "", path: str = "") -> None:
        environment = os.environ | ({"MARK": mark} if mark else {}) | ({"PATH": path} if path else {})
        program = shutil.which(shell[0]) or shell[0]
        self.process = subprocess.Popen(
            [program, *shell[1:], *command(words)[1:]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )
        assert self.process.stdin
        self.process.stdin.write(SCRIPT.encode())
        self.process.stdin.flush()
        self.said = bytearray()
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def until(self, words: bytes) -> None:
        for _ in range(1000):
            if words in self.said:
                return
            time.sleep(0.01)
        raise AssertionError(bytes(self.said))

    def finish(self) -> bytes:
        """What it prints until it ends by itself."""
        assert self.process.stdout
        output = self.process.stdout.read()
        self.process.wait(10)
        self._listener.join(10)
        return output

    def end(self) -> bytes:
        """End its input, as a connection that ends does."""
        assert self.process.stdin
        self.process.stdin.close()
        return self.finish()

    def __enter__(self) -> Running:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            assert self.process.stdin
            self.process.stdin.close()
        self.process.wait(10)
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe
            pipe.close()

    def _listen(self) -> None:
        assert self.process.stderr
        with contextlib.suppress(OSError, ValueError):
            while data := os.read(self.process.stderr.fileno(), 4096):
                self.said += data


def _watch(net: Pair, text: str = "icmp", count: int = 20, seconds: int = 10, device: str = "any") -> list[str]:
    return watch(Where(net.path, ONE), text, seconds=seconds, count=count, snaplen=192, device=device)


def _ping(net: Pair, count: int = 2, to: str = TWO) -> None:
    words = ["ip", "netns", "exec", net.one, "ping", "-n", "-q", "-c", str(count), "-i", "0.2", "-W", "2", to]
    subprocess.run(words, check=True, capture_output=True, timeout=30)


def test_capture_arrives_and_ends_with_the_input(net: Pair, shell: tuple[str, ...]) -> None:
    before = state(net.one, "capture")
    with Running(shell, _watch(net, f"icmp and (host {ONE} and icmp[0]=8)"), "capture") as running:
        running.until(b"listening on")
        _ping(net)
        time.sleep(0.3)
        output = running.end()
    seen = parse_watch(output)
    assert set(seen.links.values()) == {"lo", "eth0"}
    packets = list(dpkt.pcap.Reader(io.BytesIO(seen.pcap)))
    assert len(packets) == 2
    assert b"2 packets captured" in running.said
    assert settled(before, net.one, "capture") == before


def test_capture_of_one_device(net: Pair) -> None:
    with Running(("sh",), _watch(net, device="eth0")) as running:
        running.until(b"listening on eth0")
        _ping(net, 1)
        time.sleep(0.3)
        assert len(list(dpkt.pcap.Reader(io.BytesIO(parse_watch(running.end()).pcap)))) == 2


def test_flood_ends_the_capture(net: Pair, shell: tuple[str, ...]) -> None:
    before = state(net.one, "flood")
    with Running(shell, _watch(net, count=3), "flood") as running:
        running.until(b"listening on")
        _ping(net, 4)
        output = running.finish()
        assert running.process.returncode == 0
    assert len(list(dpkt.pcap.Reader(io.BytesIO(parse_watch(output).pcap)))) == 3
    assert settled(before, net.one, "flood") == before


def test_time_ends_the_capture_whatever_its_input_does(net: Pair, shell: tuple[str, ...]) -> None:
    before = state(net.one, "time")
    with Running(shell, _watch(net, seconds=1), "time") as running:
        running.finish()
        assert running.process.returncode == 124
    assert settled(before, net.one, "time") == before


@pytest.mark.parametrize("whom", ["shell", "input"])
def test_killed_shell_leaves_nothing_but_what_time_ends(net: Pair, shell: tuple[str, ...], whom: str) -> None:
    before = state(net.one, f"killed-{whom}")
    with Running(shell, _watch(net, seconds=3), f"killed-{whom}") as running:
        running.until(b"listening on")
        if whom == "shell":
            running.process.kill()
        else:
            assert running.process.stdin
            running.process.stdin.close()
        running.process.wait(10)
    assert settled(before, net.one, f"killed-{whom}") == before


def test_signal_ends_it(net: Pair, shell: tuple[str, ...]) -> None:
    before = state(net.one, "signal")
    with Running(shell, _watch(net), "signal") as running:
        running.until(b"listening on")
        running.process.terminate()
        assert running.process.wait(10) == 143
    assert settled(before, net.one, "signal", 3) == before


def test_probes_in_the_namespace(net: Pair, shell: tuple[str, ...]) -> None:
    where = Where(net.path, ONE)
    for to in (TWO, TWO6):
        with Running(shell, echo(where, to, count=2, payload=56, pattern=PATTERN, identifier=77)) as running:
            told = parse_ping(running.finish())
        assert (told.sent, told.answered) == (2, 2), told
    with Running(shell, echo(where, TWO, count=1, payload=1473, pattern=PATTERN, dont_fragment=True)) as running:
        assert parse_ping(running.finish()).answered == 0
        assert b"mtu" in running.said
    with Running(shell, tcp(where, TWO, 9, count=2)) as running:
        told = parse_tries(running.finish())
    assert (told.sent, told.answered) == (2, 2), told


def test_datagrams_hold_the_pattern_and_are_answered(net: Pair) -> None:
    where = Where(net.path, ONE)
    with Running(("sh",), _watch(net, "udp port 9")) as capture:
        capture.until(b"listening on")
        with Running(("sh",), udp(where, TWO, 9, count=1, pattern="00ff2541ca11")) as running:
            told = parse_tries(running.finish())
        time.sleep(0.2)
        seen = parse_watch(capture.end())
    assert (told.sent, told.answered) == (1, 1), told
    assert bytes.fromhex("00ff2541ca11") in seen.pcap


@pytest.mark.parametrize(
    "words", [tcp(Where(), "192.0.2.9", 9, count=20), udp(Where(), "127.0.0.1", 9, count=20, pattern="00")]
)
def test_probes_end_with_the_input_too(net: Pair, words: list[str]) -> None:
    before = state(net.one, "probes")
    with Running(("sh",), words, "probes") as running:
        time.sleep(0.5)
        running.end()
    assert settled(before, net.one, "probes") == before


def test_namespace_that_is_gone_or_another_s(net: Pair) -> None:
    def said(where: Where) -> str:
        with Running(("sh",), echo(where, TWO, count=1, payload=8, pattern="00")) as running:
            return refusal(running.finish())

    assert said(Where("/run/netns/ctp-none")) == "the network namespace is gone"
    assert said(Where(net.path, "192.0.2.77")) == "192.0.2.77 is not in the network namespace any more"
    assert said(Where(net.path, "92.0.2.1")) == "92.0.2.1 is not in the network namespace any more"


def _path(tmp_path: Path, *without: str) -> str:
    directory = tmp_path / "bin"
    directory.mkdir(parents=True)
    for name in ("sh", "tcpdump", "ping", "timeout", "cat", "sleep", "sed", "ip", "nsenter", "bash"):
        if name not in without:
            (directory / name).symlink_to(shutil.which(name) or name)
    return str(directory)


def test_tools_that_are_missing(net: Pair, tmp_path: Path) -> None:
    # The script adds the administrator's directories to PATH: without any a program is hidden by one that fails.
    script = SCRIPT.replace("PATH=$PATH:/usr/sbin:/sbin:/usr/bin:/bin\n", "")
    for name, words in [("tcpdump", _watch(net)), ("ping", echo(Where(), TWO, count=1, payload=8, pattern="00"))]:
        path = _path(tmp_path / name, name)
        done = subprocess.run(
            [shutil.which("sh") or "sh", "-s", "--", *words],
            input=script.encode(),
            env={"PATH": path},
            capture_output=True,
            check=False,
        )
        assert refusal(done.stdout) == f"there is no {name}"
        done = subprocess.run(
            [shutil.which("sh") or "sh", "-s", "--", "tools"],
            input=script.encode(),
            env={"PATH": path},
            capture_output=True,
            check=False,
        )
        assert name not in parse_tools(done.stdout).programs


def test_tools(shell: tuple[str, ...]) -> None:
    with Running(shell, ["tools"]) as running:
        tools = parse_tools(running.finish())
    assert tools.root
    assert tools.devices
    assert tools.fragmentation
    assert {"tcpdump", "ping", "nsenter", "timeout", "ip"} <= tools.programs


def test_without_root_it_says_so(net: Pair) -> None:
    words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh"]
    with Running(words, _watch(net)) as running:
        assert refusal(running.finish()) == "needs root: run with --sudo"
