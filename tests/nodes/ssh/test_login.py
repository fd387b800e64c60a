"""Ways to log in: keys, agents, certificates, and answers of a person."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from calitui.errors import Cancelled, NodeError
from calitui.nodes.ssh.connect import Limits
from calitui.nodes.ssh.prompts import SecretQuestion
from tests.nodes.ssh.conftest import Dialler, Person
from tests.sshd import USER, Client, Sshd, make_key

Dial = Callable[..., Dialler]


@pytest.fixture
def agent(client: Client, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    path = str(client.home / "agent")
    process = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL)
    for _ in range(500):
        with socket.socket(socket.AF_UNIX) as probe:
            if probe.connect_ex(path) == 0:
                break
        threading.Event().wait(0.01)
    yield path
    process.terminate()
    process.wait(5)


def add(agent: str, key: Path) -> None:
    env = {**os.environ, "SSH_AUTH_SOCK": agent}
    subprocess.run(["ssh-add", "-q", str(key)], check=True, env=env, stdin=subprocess.DEVNULL)


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_key_file_of_each_kind(server: Sshd, client: Client, dial: Dial, kind: str, tmp_path: Path) -> None:
    key = make_key(tmp_path / "mine", kind=kind)
    client.key.unlink()
    server.authorize(key)
    client.alias("node2", server, f"IdentityFile {key}", known=False)
    assert dial().run("node2", "true").status == 0


def test_key_in_old_pem_format(server: Sshd, client: Client, dial: Dial, tmp_path: Path) -> None:
    key = make_key(tmp_path / "mine", kind="rsa")
    subprocess.run(["ssh-keygen", "-q", "-p", "-m", "PEM", "-N", "", "-f", str(key)], check=True, capture_output=True)
    assert "BEGIN RSA PRIVATE KEY" in key.read_text()
    client.key.unlink()
    server.authorize(key)
    client.alias("node2", server, f"IdentityFile {key}", known=False)
    assert dial().run("node2", "true").status == 0


def test_agent(server: Sshd, client: Client, dial: Dial, agent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    add(agent, client.key)
    client.key.unlink()
    with pytest.raises(NodeError):
        dial().run("node1", "true")
    monkeypatch.setenv("SSH_AUTH_SOCK", agent)
    assert dial().run("node1", "true").status == 0


def test_identity_agent_of_the_ssh_config(server: Sshd, client: Client, dial: Dial, agent: str) -> None:
    add(agent, client.key)
    client.key.unlink()
    client.alias("node2", server, f"IdentityAgent {agent}", known=False)
    assert dial().run("node2", "true").status == 0


def test_identities_only_offers_no_other_keys_of_the_agent(
    server: Sshd, client: Client, dial: Dial, agent: str, tmp_path: Path
) -> None:
    many = [make_key(tmp_path / f"other{number}") for number in range(8)]
    for key in [*many, client.key]:
        add(agent, key)
    client.key.unlink()
    client.alias("all", server, f"IdentityAgent {agent}", f"IdentityFile {tmp_path}/none", known=False)
    with pytest.raises(NodeError, match="closed the connection during the login") as caught:
        dial().run("all", "true")
    assert "IdentitiesOnly" in caught.value.hint
    one = f"IdentityFile {client.key}"
    client.alias("one", server, f"IdentityAgent {agent}", "IdentitiesOnly yes", one, known=False)
    assert dial().run("one", "true").status == 0


def test_agent_that_is_gone_is_named(server: Sshd, client: Client, dial: Dial) -> None:
    client.alias("node2", server, "IdentityAgent /nowhere/agent", "IdentityFile /nowhere/key", known=False)
    client.key.unlink()
    with pytest.raises(NodeError, match=r"nothing to log in with.*agent at /nowhere/agent"):
        dial().run("node2", "true")


@pytest.fixture
def certified(tmp_path: Path, client: Client) -> Iterator[tuple[Sshd, Path]]:
    """A server that trusts an authority only, and a key with a certificate of it in `cert.pub`."""
    authority = make_key(tmp_path / "ca")
    mine = make_key(tmp_path / "mine")
    command = ["ssh-keygen", "-q", "-s", str(authority), "-I", "me", "-n", USER, f"{mine}.pub"]
    subprocess.run(command, check=True, capture_output=True)
    client.key.unlink()
    with Sshd(tmp_path / "trusting", options=f"TrustedUserCAKeys {authority}.pub") as running:
        yield running, mine


def test_certificate_beside_the_key(certified: tuple[Sshd, Path], client: Client, dial: Dial) -> None:
    running, mine = certified
    client.alias("node2", running, f"IdentityFile {mine}")
    assert dial().run("node2", "true").status == 0
    Path(f"{mine}-cert.pub").unlink()
    with pytest.raises(NodeError, match="refused"):
        dial().run("node2", "true")


def test_certificate_file_for_a_key_of_the_agent(
    certified: tuple[Sshd, Path], client: Client, dial: Dial, agent: str, tmp_path: Path
) -> None:
    running, mine = certified
    certificate = Path(f"{mine}-cert.pub").rename(tmp_path / "elsewhere.pub")
    add(agent, mine)
    mine.unlink()
    client.alias("node2", running, f"IdentityAgent {agent}", f"CertificateFile {certificate}")
    assert dial().run("node2", "true").status == 0


def test_certificate_in_the_agent(certified: tuple[Sshd, Path], client: Client, dial: Dial, agent: str) -> None:
    running, mine = certified
    add(agent, mine)
    mine.unlink()
    Path(f"{mine}-cert.pub").unlink()
    client.alias("node2", running, f"IdentityAgent {agent}")
    assert dial().run("node2", "true").status == 0


class TestPassphrase:
    @pytest.fixture
    def locked(self, server: Sshd, client: Client) -> Path:
        client.key.unlink()
        key = make_key(client.ssh / "locked", passphrase="open sesame")
        server.authorize(key)
        client.alias("node2", server, f"IdentityFile {key}", known=False)
        return key

    def test_it_is_asked_for_again_when_wrong_and_once_per_session(self, locked: Path, dial: Dial) -> None:
        person = Person({"passphrase": [("wrong",), ("open sesame",)]})
        dialler = dial(person)
        dialler.run("node2", "true")
        dialler.pool.drop(dialler.pool.get(dialler.target("node2"), "", print, dialler.stop).connection)
        dialler.run("node2", "true")
        assert [(one.target, one.attempt) for one in person.asked if isinstance(one, SecretQuestion)] == [
            (str(locked), 1),
            (str(locked), 2),
        ]

    def test_nobody_to_ask(self, locked: Path, dial: Dial) -> None:
        with pytest.raises(NodeError, match=f"{locked} needs its passphrase") as caught:
            dial().run("node2", "true")
        assert "ssh-add" in caught.value.hint

    def test_two_connections_ask_once_and_one_at_a_time(
        self, locked: Path, server: Sshd, client: Client, dial: Dial
    ) -> None:
        client.alias("node3", server, f"IdentityFile {locked}", "HostKeyAlias third", known=False)
        with client.known_hosts.open("a") as file:
            file.write(server.known_hosts_line(name="third"))
        person = Person({"passphrase": [("open sesame",)]})
        dialler = dial(person)
        threads = [threading.Thread(target=dialler.run, args=(name, "true")) for name in ("node2", "node3")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(person.asked), server.logins) == (1, 2)

    def test_time_to_think_does_not_count(self, locked: Path, dial: Dial) -> None:
        class Slow(Person):
            def secret(self, question: SecretQuestion) -> tuple[str, ...] | None:
                threading.Event().wait(3.0)
                return super().secret(question)

        limits = Limits(login=2.5, connection=2.8)
        assert dial(Slow({"passphrase": [("open sesame",)]}), limits).run("node2", "true").status == 0

    def test_stop_instead_of_an_answer(self, locked: Path, dial: Dial) -> None:
        class Stopping(Person):
            def secret(self, question: SecretQuestion) -> tuple[str, ...] | None:
                dialler.stop.set()
                return None

        dialler = dial(Stopping())
        with pytest.raises(Cancelled):
            dialler.run("node2", "true")


def test_failure_says_what_was_tried(server: Sshd, client: Client, dial: Dial) -> None:
    server.authorized.write_text("")
    with pytest.raises(NodeError) as caught:
        dial().run("node1", "true")
    assert str(client.key) in caught.value.what
    assert f"{USER}@127.0.0.1:{server.port}" in caught.value.what
    assert "it accepts publickey" in caught.value.what
    assert "--ssh-user" in caught.value.hint
