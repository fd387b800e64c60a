"""What a trace costs over SSH: `python -m tests.benchmarks.ssh_trace [ROUNDS]`.

Two real sshd on loopback stand for two nodes. Each round measures everything in turn, so that a busy machine is busy
for all of it; the medians of the rounds and their ratios are printed. Nothing is asserted.
"""

from __future__ import annotations

import os
import shlex
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import paramiko

from calitui.facts.cluster import Node
from calitui.facts.node import NodeFacts, Question
from calitui.nodes.reading import ReadRequest, read_all
from calitui.nodes.script import SCRIPT, arguments, command
from calitui.nodes.ssh.prompts import NoPrompts
from calitui.nodes.ssh.reader import SshReader
from calitui.nodes.ssh.resolve import SshOptions
from tests.sshd import USER, Client, Sshd, why_not

QUESTIONS = (Question("127.0.0.1", "127.0.0.1"),)
REQUESTS = [ReadRequest(Node(name), QUESTIONS) for name in ("node1", "node2")]


class Floor:
    """The least that paramiko alone needs, without known_hosts, ssh config or a deadline."""

    def __init__(self, client: Client, server: Sshd, *, nodelay: bool) -> None:
        self._key = paramiko.PKey.from_path(client.key)
        self._server = server
        self._known_hosts = client.known_hosts
        self._nodelay = nodelay
        self.client = self.connect()

    def connect(self) -> paramiko.SSHClient:
        client = paramiko.SSHClient()
        client.load_host_keys(str(self._known_hosts))
        stream = socket.create_connection(("127.0.0.1", self._server.port)) if self._nodelay else None
        if stream is not None:
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.connect(
            "127.0.0.1",
            self._server.port,
            USER,
            pkey=self._key,
            sock=stream,
            allow_agent=False,
            look_for_keys=False,
        )
        return client

    def run(self, client: paramiko.SSHClient, line: str, script: str = "") -> bytes:
        stdin, stdout, _ = client.exec_command(line)
        stdin.write(script)
        stdin.channel.shutdown_write()
        output = stdout.read()
        stdout.channel.recv_exit_status()
        return output

    def connect_and_true(self) -> None:
        client = self.connect()
        self.run(client, "true")
        client.close()

    def script(self) -> None:
        line = shlex.join(command(arguments(QUESTIONS, ())))
        assert b"=== calitui" in self.run(self.client, line, SCRIPT)


def timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def at_once(*calls: Callable[[], None]) -> None:
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def both_nodes(reader: SshReader) -> list[NodeFacts]:
    facts = read_all(reader.read, REQUESTS, lambda *_: None, threading.Event())
    assert all(one.host is not None for one in facts), [one.missing for one in facts]
    return facts


def cold(options: SshOptions) -> float:
    reader = SshReader(options, NoPrompts())
    seconds = timed(lambda: both_nodes(reader))
    reader.close()
    return seconds


def measure(client: Client, first: Sshd, second: Sshd, rounds: int) -> dict[str, float]:
    options = SshOptions(config=str(client.config))
    plain = Floor(client, first, nodelay=False)
    quick, other = Floor(client, first, nodelay=True), Floor(client, second, nodelay=True)
    warm = SshReader(options, NoPrompts())
    both_nodes(warm)
    steps: dict[str, Callable[[], float]] = {
        "paramiko: connect + exec true": lambda: timed(plain.connect_and_true),
        "  with TCP_NODELAY": lambda: timed(quick.connect_and_true),
        "  with TCP_NODELAY, two servers at once": lambda: timed(
            lambda: at_once(quick.connect_and_true, other.connect_and_true)
        ),
        "calitui: two nodes, cold": lambda: cold(options),
        "paramiko: one exec of the script": lambda: timed(quick.script),
        "  on two servers at once": lambda: timed(lambda: at_once(quick.script, other.script)),
        "calitui: two nodes, again": lambda: timed(lambda: both_nodes(warm)),
    }
    taken: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(rounds):
        for name, step in steps.items():
            taken[name].append(step())
    warm.close()
    for floor in (plain, quick, other):
        floor.client.close()
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def main() -> None:
    """Measure and print."""
    if reason := why_not():
        sys.exit(reason)
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    with tempfile.TemporaryDirectory() as directory:
        os.environ["HOME"] = f"{directory}/home"
        os.environ.pop("SSH_AUTH_SOCK", None)
        client = Client(Path(directory) / "home")
        with Sshd(Path(directory) / "a") as first, Sshd(Path(directory) / "b") as second:
            for name, server in (("node1", first), ("node2", second)):
                server.authorize(client.key)
                client.alias(name, server)
            medians = measure(client, first, second, rounds)
    for name, seconds in medians.items():
        print(f"{name:42} {seconds * 1000:7.0f} ms")
    values = list(medians.values())
    print(f"\ncold / (connect + true)                    {values[3] / values[0]:7.2f}    budget 1.5")
    print(f"cold / (connect + true, TCP_NODELAY)       {values[3] / values[1]:7.2f}")
    print(f"cold / (the same on two servers at once)   {values[3] / values[2]:7.2f}")
    print(f"again / one exec of the script             {values[6] / values[4]:7.2f}    budget: about 1")
    print(f"again / the same on two servers at once    {values[6] / values[5]:7.2f}")


if __name__ == "__main__":
    main()
