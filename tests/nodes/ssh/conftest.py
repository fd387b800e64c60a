"""A home directory of the test's own, real servers, and somebody who answers questions."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from calitui.facts.cluster import Node
from calitui.facts.node import NodeFacts, Question
from calitui.nodes.deadline import Deadline
from calitui.nodes.outcome import Outcome
from calitui.nodes.ssh.connect import Limits, Ways, silence_paramiko
from calitui.nodes.ssh.keys import Keyring
from calitui.nodes.ssh.pool import Pool
from calitui.nodes.ssh.prompts import Asking, HostKeyQuestion, NoPrompts, Prompts, SecretQuestion
from calitui.nodes.ssh.reader import SshReader
from calitui.nodes.ssh.resolve import Resolver, SshOptions
from calitui.nodes.ssh.run import run
from calitui.nodes.ssh.target import Target
from tests.sshd import Client, Sshd, why_not

NODE = Node("node1", internal_ips=("192.0.2.1",))
Make = Callable[..., SshReader]


class Person:
    """Answers from a script and remembers what was asked; `busy` counts questions that are open at once."""

    def __init__(self, secrets: dict[str, list[tuple[str, ...] | None]] | None = None, *, trusts: bool = False) -> None:
        self.secrets = secrets or {}
        self.trusts = trusts
        self.asked: list[HostKeyQuestion | SecretQuestion] = []

    def confirm_host_key(self, question: HostKeyQuestion) -> bool:
        self.asked.append(question)
        return self.trusts

    def secret(self, question: SecretQuestion) -> tuple[str, ...] | None:
        self.asked.append(question)
        answers = self.secrets.get(question.kind, [])
        return answers.pop(0) if answers else None


class Dialler:
    """Connects to an alias of the test's ssh config and runs commands, without the script."""

    def __init__(self, prompts: Prompts, limits: Limits, config: Path) -> None:
        silence_paramiko()
        self.limits = limits
        self.resolver = Resolver(SshOptions(config=str(config)))
        self.pool = Pool(Ways(Asking(prompts), Keyring(), {}, limits))
        self.said: list[str] = []
        self.stop = threading.Event()

    def target(self, name: str) -> Target:
        return self.resolver.resolve(Node(name)).target

    def run(self, name: str, command: str, stdin: bytes = b"", largest: int = 1 << 20) -> Outcome:
        lease = self.pool.get(self.target(name), name, self.said.append, self.stop)
        return run(lease.connection, command, stdin, self.limits, largest, Deadline(600, self.stop))


@pytest.fixture(scope="session")
def _sshd_possible() -> None:
    if reason := why_not():
        pytest.skip(reason)


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, _sshd_possible: None) -> Client:
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    monkeypatch.setenv("SHELL", "/bin/sh")
    return Client(home)


@pytest.fixture
def server(tmp_path: Path, client: Client) -> Iterator[Sshd]:
    """A server that knows the client's key, under the alias `node1`."""
    with Sshd(tmp_path / "sshd") as running:
        running.authorize(client.key)
        client.alias("node1", running)
        yield running


@pytest.fixture
def dial(client: Client) -> Iterator[Callable[..., Dialler]]:
    made: list[Dialler] = []

    def make(prompts: Prompts | None = None, limits: Limits | None = None) -> Dialler:
        made.append(Dialler(prompts or NoPrompts(), limits or Limits(), client.config))
        return made[-1]

    yield make
    for dialler in made:
        dialler.pool.close()


@pytest.fixture
def reader(client: Client) -> Iterator[Make]:
    made: list[SshReader] = []

    def make(prompts: Prompts | None = None, limits: Limits | None = None, sudo: bool = False) -> SshReader:
        options = SshOptions(config=str(client.config), sudo=sudo)
        made.append(SshReader(options, prompts or NoPrompts(), limits))
        return made[-1]

    yield make
    for one in made:
        one.close()


def read(
    reader: SshReader, node: Node = NODE, questions: tuple[Question, ...] = (), containers: tuple[str, ...] = ()
) -> NodeFacts:
    return reader.read(node, questions, containers, lambda _: None, threading.Event())
