"""What a session sees of sudo."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from calitui.facts.missing import Missing
from calitui.nodes.ssh.sudo import explained
from tests.nodes.ssh.conftest import NODE, Make, read
from tests.sshd import Client, Sshd

pytestmark = pytest.mark.skipif(not shutil.which("ip"), reason="no iproute2 here: there is nothing to read")


def test_what_needs_root_says_why_there_was_none() -> None:
    missing = [Missing("BIRD", "Permission denied (needs root: run with --sudo)"), Missing("fdb", "no `bridge`")]
    assert [one.reason for one in explained(missing, "requiretty is set")] == [
        "Permission denied (needs root, and sudo -n was refused: requiretty is set)",
        "no `bridge`",
    ]


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
