"""What a session sees of sudo, and what `calitui doctor` is told."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from calitui.errors import NodeError
from calitui.facts.cluster import Node
from tests.nodes.ssh.conftest import NODE, Make, read
from tests.sshd import USER, Client, Sshd

pytestmark = pytest.mark.skipif(not shutil.which("ip"), reason="no iproute2 here: there is nothing to read")


class TestSudo:
    """`sudo` is a program of the test, first in the PATH that the server gives to commands."""

    @pytest.fixture
    def with_sudo(self, tmp_path: Path, client: Client) -> Iterator[Callable[[str], Sshd]]:
        running: list[Sshd] = []

        def start(body: str) -> Sshd:
            directory = tmp_path / "bin"
            directory.mkdir()
            if body:
                (directory / "sudo").write_text(f"#!/bin/sh\n{body}\n")
                (directory / "sudo").chmod(0o755)
            path = f"{directory}:/usr/sbin:/usr/bin:/sbin:/bin" if body else str(self._without_sudo(directory))
            running.append(Sshd(tmp_path / "sshd", options=f"SetEnv PATH={path}").start())
            running[0].authorize(client.key)
            client.alias("node1", running[0])
            return running[0]

        yield start
        for server in running:
            server.stop()

    @staticmethod
    def _without_sudo(directory: Path) -> Path:
        for program in ("sh", "ip", "cat", "grep", "true"):
            (directory / program).symlink_to(shutil.which(program) or f"/bin/{program}")
        return directory

    def test_script_runs_under_sudo(self, with_sudo: Callable[[str], Sshd], reader: Make, tmp_path: Path) -> None:
        with_sudo(f'echo "$*" >{tmp_path}/asked; shift; exec "$@"')
        assert read(reader(sudo=True)).host is not None
        assert (tmp_path / "asked").read_text() == "-n sh -s --\n"

    @pytest.mark.parametrize(
        ("body", "words"),
        [
            ("echo 'sudo: a password is required' >&2; exit 1", "it wants a password"),
            ("echo 'sudo: sorry, you must have a tty to run sudo' >&2; exit 1", "requiretty"),
            ("echo 'bob is not in the sudoers file.' >&2; exit 1", "the sudoers forbid it"),
            ("", "there is no sudo"),
        ],
    )
    def test_without_sudo_the_node_is_read_and_it_is_said(
        self, with_sudo: Callable[[str], Sshd], reader: Make, body: str, words: str
    ) -> None:
        server = with_sudo(body)
        told: list[str] = []
        facts = reader(sudo=True).read(NODE, (), ("192.0.2.9",), told.append, threading.Event())
        assert facts.host is not None
        assert any("sudo refused" in line and words in line for line in told)
        assert [one.what for one in facts.missing if "container" in one.what] == ["container 192.0.2.9"]
        assert server.logins == 1

    def test_check_tells_login_and_sudo_apart(self, with_sudo: Callable[[str], Sshd], reader: Make) -> None:
        with_sudo("echo 'sudo: a password is required' >&2; exit 1")
        check = reader().check(NODE, lambda _: None, threading.Event())
        assert (check.reached, check.sudo) == (True, False)
        assert "password" in check.sudo_reason


class TestDoctor:
    def test_check(self, server: Sshd, client: Client, reader: Make) -> None:
        check = reader().check(NODE, lambda _: None, threading.Event())
        assert (check.reached, check.login) == (True, f"{USER}@127.0.0.1:{server.port}")
        client.known_hosts.write_text("")
        check = reader().check(NODE, lambda _: None, threading.Event())
        assert not check.reached
        assert "is not known" in check.reason

    def test_describe_connects_to_nothing(self, server: Sshd, client: Client, reader: Make) -> None:
        client.alias("node2", server, "ProxyJump node1", "User ops", "HostKeyAlias other", known=False)
        first = reader().describe(NODE)
        assert (first.host, first.port, first.user, first.way) == ("127.0.0.1", server.port, USER, "")
        (known,) = first.host_keys
        assert known.startswith("ssh-ed25519 SHA256:")
        assert known.endswith(f"({client.known_hosts}:1)")
        assert first.keys == (str(client.key),)
        second = reader().describe(Node("node2"))
        assert (second.user, second.host_keys, second.known_as) == ("ops", (), "other")
        assert second.way == f"{USER}@127.0.0.1:{server.port}"
        assert server.logins == 0

    def test_describe_of_a_hostile_node(self, client: Client, reader: Make) -> None:
        with pytest.raises(NodeError):
            reader().describe(Node("-bad"))
