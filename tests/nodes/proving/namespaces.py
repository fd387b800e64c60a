"""Two network namespaces with a veth between them, and what runs on this machine that did not before."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

_SET_UP = """
-n {one} link set lo up
-n {two} link set lo up
-n {one} link add eth0 mtu 1400 type veth peer name eth0 netns {two}
-n {one} link set eth0 up
-n {two} link set eth0 up
-n {one} addr add 192.0.2.1/24 dev eth0
-n {two} addr add 192.0.2.2/24 dev eth0
-n {one} -6 addr add 2001:db8::1/64 dev eth0 nodad
-n {two} -6 addr add 2001:db8::2/64 dev eth0 nodad
"""
ONE, TWO = "192.0.2.1", "192.0.2.2"
ONE6, TWO6 = "2001:db8::1", "2001:db8::2"


class Pair(msgspec.Struct, frozen=True):
    """The names of both namespaces."""

    one: str
    two: str

    @property
    def path(self) -> str:
        """The first one's, as a place for the script."""
        return f"/run/netns/{self.one}"


@contextmanager
def pair() -> Iterator[Pair]:
    """Make both, and take them away again."""
    made = Pair(f"ctp-{os.getpid()}-1", f"ctp-{os.getpid()}-2")
    try:
        for name in (made.one, made.two):
            ip("netns", "add", name)
        for line in _SET_UP.strip().splitlines():
            ip(*line.format(one=made.one, two=made.two).split())
        yield made
    finally:
        for name in (made.one, made.two):
            subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)


def ip(*words: str) -> str:
    """What `ip` prints."""
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr}"
    return done.stdout


class State(msgspec.Struct, frozen=True):
    """What a proof must leave as it was: processes of the kinds it starts, files where files could be left, rules.

    Processes are told by their command line with the process id, so that those of others do not matter.
    """

    processes: frozenset[str]
    files: frozenset[str]
    rules: str


_KINDS = ("tcpdump", "timeout", "ping", "cat", "sh", "dash", "bash", "busybox", "sleep", "nsenter", "sudo", "python3")


def state(namespace: str, mark: str) -> State:
    """The state now; only processes that have `mark` in their environment or words are looked at."""
    found = set()
    for directory in Path("/proc").iterdir():
        if not directory.name.isdecimal() or int(directory.name) == os.getpid():
            continue
        try:
            words = (directory / "cmdline").read_bytes()
            environment = (directory / "environ").read_bytes()
            name = (directory / "comm").read_text().strip()
        except OSError:
            continue
        if name in _KINDS and (mark.encode() in words or f"MARK={mark}".encode() in environment):
            found.add(f"{directory.name} {words.replace(bytes(1), b' ').decode(errors='replace')}")
    files = {str(path) for place in ("/tmp", "/run", "/var/tmp", "/dev/shm") for path in Path(place).glob("*")}
    rules = ip("-n", namespace, "rule") + ip("-n", namespace, "-o", "link") + ip("-n", namespace, "route")
    return State(frozenset(found), frozenset(one for one in files if "ctp" in one or "pcap" in one), rules)


def settled(before: State, namespace: str, mark: str, seconds: float = 8.0) -> State:
    """The state as soon as it is as `before`, or after `seconds`."""
    ends = time.monotonic() + seconds
    while True:
        now = state(namespace, mark)
        if now == before or time.monotonic() > ends:
            return now
        time.sleep(0.05)
