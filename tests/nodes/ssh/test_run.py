"""One command: both outputs, limits, stopping, and connections that die."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from calitui.errors import Cancelled, NodeError
from calitui.nodes.deadline import Deadline
from calitui.nodes.ssh.connect import Limits
from calitui.nodes.ssh.run import SessionRefusedError, run
from tests.nodes.ssh.conftest import Dialler
from tests.sshd import Client, Sshd

Dial = Callable[..., Dialler]


def test_output_above_the_cap_is_cut(server: Sshd, dial: Dial) -> None:
    outcome = dial().run("node1", "head -c 50000000 /dev/zero", largest=1 << 20)
    assert (len(outcome.output), outcome.truncated, outcome.status) == (1 << 20, True, None)


def test_output_of_exactly_the_cap_is_whole(server: Sshd, dial: Dial) -> None:
    outcome = dial().run("node1", "head -c 1048576 /dev/zero", largest=1 << 20)
    assert (len(outcome.output), outcome.truncated, outcome.status) == (1 << 20, False, 0)


def test_large_output_arrives_unchanged(server: Sshd, dial: Dial) -> None:
    given = bytes(range(256)) * 20_000
    assert dial().run("node1", "cat", given, largest=1 << 24).output == given


def test_flood_of_errors_does_not_block(server: Sshd, dial: Dial) -> None:
    outcome = dial().run("node1", "head -c 20000000 /dev/zero | tr '\\0' 'e' >&2; echo done")
    assert (outcome.output, outcome.status) == (b"done\n", 0)
    assert len(outcome.errors) <= 16 * 1024


def test_endless_output_ends_at_the_cap(server: Sshd, dial: Dial) -> None:
    dialler = dial()
    assert dialler.run("node1", "yes", largest=100_000).truncated
    assert dialler.run("node1", "echo again").output == b"again\n"


def test_deadline_keeps_what_was_read(server: Sshd, dial: Dial) -> None:
    outcome = dial(limits=Limits(script=3.0)).run("node1", "echo first; sleep 600")
    assert (outcome.output, outcome.status) == (b"first\n", None)
    assert "still running" in outcome.cut


def test_stop_while_a_command_runs(server: Sshd, dial: Dial) -> None:
    dialler = dial()
    lease = dialler.pool.get(dialler.target("node1"), "", print, dialler.stop)
    threading.Timer(0.2, dialler.stop.set).start()
    with pytest.raises(Cancelled):
        dialler.run("node1", "sleep 600")
    assert not lease.connection.alive


def test_stop_before_anything(server: Sshd, dial: Dial) -> None:
    dialler = dial()
    dialler.stop.set()
    with pytest.raises(Cancelled):
        dialler.run("node1", "true")
    assert server.logins == 0


def test_connection_that_breaks_while_a_command_runs(server: Sshd, dial: Dial) -> None:
    outcome = dial().run("node1", "echo first; sleep 0.5; kill -9 $PPID; sleep 5")
    assert outcome.output == b"first\n"
    assert "the connection broke" in outcome.cut


def test_command_killed_by_a_signal_has_no_status(server: Sshd, dial: Dial) -> None:
    outcome = dial().run("node1", "kill -9 $$")
    assert (outcome.status, outcome.cut) == (None, "")


def test_dead_connection_refuses(server: Sshd, dial: Dial) -> None:
    dialler = dial()
    lease = dialler.pool.get(dialler.target("node1"), "", print, dialler.stop)
    server.hang_up()
    with pytest.raises(SessionRefusedError):
        run(lease.connection, "true", b"", Limits(), 100, Deadline(60, dialler.stop))


def test_server_that_allows_no_sessions(tmp_path: Path, client: Client, dial: Dial) -> None:
    with Sshd(tmp_path / "forwarding", options="MaxSessions 0") as running:
        running.authorize(client.key)
        client.alias("node2", running)
        with pytest.raises(NodeError, match=r"allows no more sessions.*MaxSessions"):
            dial().run("node2", "true")


def test_command_that_does_not_read_its_input(server: Sshd, dial: Dial) -> None:
    outcome = dial().run("node1", "exec true", b"x" * 8_000_000)
    assert outcome.status == 0
