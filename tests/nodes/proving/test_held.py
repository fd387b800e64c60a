"""Commands that are held open: on this machine, over a real sshd, by exec; how they end, whoever ends them."""

from __future__ import annotations

import io
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dpkt
import pytest

from calitui.errors import Cancelled, NodeError
from calitui.nodes.deadline import Deadline
from calitui.nodes.local.held import LocalProver
from calitui.nodes.outcome import Outcome
from calitui.nodes.proving.held import Held, Prover
from calitui.nodes.proving.script import STARTED, TOOLS, Where, parse_ping, parse_tools, parse_watch, refusal, watch
from calitui.nodes.proving.script import ping as echo
from calitui.nodes.ssh.held import SshProver
from tests.nodes.proving.namespaces import ONE, TWO, Pair, pair, settled, state
from tests.nodes.ssh.conftest import NODE, Make, _sshd_possible, client, reader, server
from tests.sshd import Client, Sshd

__all__ = ["_sshd_possible", "client", "reader", "server"]

in_lab = [
    pytest.mark.lab,
    pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs root: it makes network namespaces"),
    pytest.mark.skipif(
        not all(shutil.which(name) for name in ("ip", "tcpdump", "ping")),
        reason="needs iproute2, tcpdump and iputils-ping",
    ),
]


def marked(test: Callable[..., None]) -> Callable[..., None]:
    for mark in in_lab:
        test = mark(test)
    return test


@pytest.fixture(scope="module")
def net() -> Iterator[Pair]:
    with pair() as made:
        yield made


@pytest.fixture(params=["ssh", "local"])
def prover(request: pytest.FixtureRequest) -> Iterator[Prover]:
    if request.param == "local":
        yield LocalProver()
        return
    request.getfixturevalue("server")
    yield SshProver(request.getfixturevalue("reader")())


def hold(prover: Prover, words: list[str] | tuple[str, ...], stop: threading.Event | None = None) -> Held:
    return prover.hold(NODE, words, lambda _: None, stop or threading.Event())


def run(prover: Prover, words: list[str] | tuple[str, ...]) -> Outcome:
    return hold(prover, words).finish(Deadline(30, threading.Event()))


def _watch(net: Pair, *, seconds: int = 10, text: str = "icmp", count: int = 50) -> list[str]:
    return watch(Where(net.path, ONE), text, seconds=seconds, count=count, snaplen=192)


def _listens(held: Held) -> bool:
    return held.wait(lambda one: "listening on" in one.errors, Deadline(10, threading.Event()))


def _packets(outcome: Outcome) -> int:
    return len(list(dpkt.pcap.Reader(io.BytesIO(parse_watch(outcome.output).pcap))))


def test_command_that_ends_by_itself(prover: Prover) -> None:
    outcome = run(prover, TOOLS)
    assert not outcome.cut
    assert outcome.status == 0
    assert "ip" in parse_tools(outcome.output).programs


def test_refusal_of_the_script_is_no_failure_of_the_way(prover: Prover) -> None:
    outcome = run(prover, ["watch", "x"])
    assert refusal(outcome.output)
    assert outcome.status == 2


@marked
def test_three_captures_and_a_probe_at_once(net: Pair, prover: Prover) -> None:
    before = state(net.one, net.one)
    other = Where(f"/run/netns/{net.two}", TWO)
    words = [
        _watch(net),
        _watch(net, text="icmp and (icmp[0]=0)"),
        watch(other, "icmp", seconds=10, count=9, snaplen=96),
    ]
    helds = [hold(prover, one) for one in words]
    assert all(_listens(held) for held in helds)
    told = parse_ping(run(prover, echo(Where(net.path, ONE), TWO, count=2, payload=56, pattern="ca11")).output)
    assert (told.sent, told.answered) == (2, 2)
    time.sleep(0.3)
    assert not any(held.ended for held in helds)
    outcomes = [held.stop() for held in helds]
    assert [_packets(outcome) for outcome in outcomes] == [4, 2, 4]
    assert [outcome.cut for outcome in outcomes] == ["", "", ""]
    assert all("0 packets dropped by kernel" in outcome.errors for outcome in outcomes)
    assert helds[0].stop() == outcomes[0]
    assert settled(before, net.one, net.one) == before


@marked
def test_user_s_stop_ends_what_is_waited_for(net: Pair, prover: Prover) -> None:
    before, stop = state(net.one, net.one), threading.Event()
    held = hold(prover, _watch(net), stop)
    threading.Timer(0.3, stop.set).start()
    with pytest.raises(Cancelled):
        held.finish(Deadline(30, stop))
    assert settled(before, net.one, net.one) == before
    with pytest.raises(Cancelled):
        hold(prover, _watch(net), stop)
    assert settled(before, net.one, net.one) == before


@marked
def test_command_that_runs_too_long_is_ended(net: Pair, prover: Prover) -> None:
    outcome = hold(prover, _watch(net)).finish(Deadline(0.5, threading.Event()))
    assert "longer than" in outcome.cut


@marked
@pytest.mark.parametrize("how", ["sessions", "socket"])
def test_connection_that_is_cut_leaves_nothing(net: Pair, server: Sshd, reader: Make, how: str) -> None:
    before = state(net.one, net.one)
    made = reader()
    held = hold(SshProver(made), _watch(net, seconds=20))
    assert _listens(held)
    if how == "sessions":
        server.hang_up()
    else:
        made.connected(NODE, lambda connection: connection.transport.sock.close(), lambda _: None, threading.Event())
    outcome = held.finish(Deadline(10, threading.Event()))
    assert "broke" in outcome.cut
    assert settled(before, net.one, net.one) == before
    assert run(SshProver(made), TOOLS).output.startswith(STARTED)


@marked
def test_killed_program_leaves_nothing(net: Pair, server: Sshd, client: Client, tmp_path: Path) -> None:
    """A process of its own holds captures over SSH and on this machine, and is killed."""
    before = state(net.one, net.one)
    program = tmp_path / "program.py"
    program.write_text(
        "import sys, threading, time\n"
        "from calitui.nodes.local.held import LocalProver\n"
        "from calitui.nodes.ssh.held import SshProver\n"
        "from calitui.nodes.ssh.prompts import NoPrompts\n"
        "from calitui.nodes.ssh.reader import SshReader\n"
        "from calitui.nodes.ssh.resolve import SshOptions\n"
        "from calitui.facts.cluster import Node\n"
        "ssh = SshReader(SshOptions(config=sys.argv[1]), NoPrompts())\n"
        "for prover in (SshProver(ssh), LocalProver()):\n"
        "    held = prover.hold(Node('node1'), sys.argv[2:], print, threading.Event())\n"
        "    while 'listening on' not in held.errors: time.sleep(0.01)\n"
        "print('both listen', flush=True)\n"
        "time.sleep(60)\n"
    )
    words = [sys.executable, str(program), str(client.config), *_watch(net, seconds=20)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=os.environ | {"SHELL": "/bin/sh"}) as process:
        assert process.stdout
        assert any("both listen" in line for line in iter(process.stdout.readline, ""))
        assert len([one for one in state(net.one, net.one).processes if "tcpdump -n" in one]) >= 2
        process.send_signal(signal.SIGKILL)
        process.wait(10)
    assert settled(before, net.one, net.one) == before


def test_sudo_that_refuses_is_told_and_tried_once(tmp_path: Path, client: Client, reader: Make) -> None:
    directory = tmp_path / "bin"
    directory.mkdir()
    (directory / "sudo").write_text(
        f"#!/bin/sh\necho x >>{tmp_path}/asked\necho 'sudo: a password is required' >&2\nexit 1\n"
    )
    (directory / "sudo").chmod(0o755)
    options = f"SetEnv PATH={directory}:/usr/sbin:/usr/bin:/sbin:/bin"
    with Sshd(tmp_path / "sshd", options=options) as server:
        server.authorize(client.key)
        client.alias("node1", server)
        prover, said = SshProver(reader(sudo=True)), list[str]()
        for _ in range(2):
            held = prover.hold(NODE, TOOLS, said.append, threading.Event())
            assert "wants a password" in held.note
            assert held.finish(Deadline(10, threading.Event())).status == 0
        assert (tmp_path / "asked").read_text() == "x\n"
        assert any("sudo refused" in line for line in said)


def test_sudo_that_works_is_used(tmp_path: Path, client: Client, reader: Make) -> None:
    directory = tmp_path / "bin"
    directory.mkdir()
    (directory / "sudo").write_text(f'#!/bin/sh\necho "$*" >>{tmp_path}/asked\nshift\nexec "$@"\n')
    (directory / "sudo").chmod(0o755)
    options = f"SetEnv PATH={directory}:/usr/sbin:/usr/bin:/sbin:/bin"
    with Sshd(tmp_path / "sshd", options=options) as server:
        server.authorize(client.key)
        client.alias("node1", server)
        assert run(SshProver(reader(sudo=True)), TOOLS).status == 0
    assert (tmp_path / "asked").read_text() == "-n sh -s -- tools\n"


@pytest.mark.parametrize(
    ("shell", "words"),
    [("/bin/false", "did not run"), ("/bin/cat", "did not begin|did not run")],
)
def test_login_that_runs_no_script(tmp_path: Path, client: Client, reader: Make, shell: str, words: str) -> None:
    with Sshd(tmp_path / "sshd", options=f"ForceCommand {shell}") as server:
        server.authorize(client.key)
        client.alias("node1", server)
        with pytest.raises(NodeError, match=words):
            hold(SshProver(reader()), TOOLS)
