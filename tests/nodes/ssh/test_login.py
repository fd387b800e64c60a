"""Ways to log in: keys, agents, certificates, and answers of a person."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import paramiko
import pytest
from paramiko.common import AUTH_FAILED, AUTH_PARTIALLY_SUCCESSFUL, AUTH_SUCCESSFUL, OPEN_SUCCEEDED
from paramiko.server import InteractiveQuery

from calitui.errors import Cancelled, NodeError
from calitui.nodes.ssh.connect import Limits
from calitui.nodes.ssh.prompts import HostKeyQuestion, SecretQuestion
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


class Doorkeeper(paramiko.ServerInterface):
    """Lets in who knows the password, or both the word and the number; OpenSSH can't do this without PAM."""

    def __init__(self, methods: str) -> None:
        self.methods = methods
        self.tries = 0

    def get_allowed_auths(self, username: str) -> str:
        return self.methods

    def check_auth_password(self, username: str, password: str) -> int:
        self.tries += 1
        return AUTH_SUCCESSFUL if password == "secret" else AUTH_FAILED

    def check_auth_interactive(self, username: str, submethods: str) -> int | InteractiveQuery:
        self.tries += 1
        return InteractiveQuery("Token\x1b[2J", "Use\nyour \x07device", ("Word: ", True), ("Number: ", False))

    def check_auth_interactive_response(self, responses: list[str]) -> int | InteractiveQuery:
        return AUTH_SUCCESSFUL if responses == ["friend", "42"] else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        threading.Thread(target=self._answer, args=(channel,)).start()
        return True

    def _answer(self, channel: paramiko.Channel) -> None:
        while channel.recv(1024):
            pass
        channel.sendall(b"welcome\n")
        channel.send_exit_status(0)
        channel.close()


class Door:
    """Serves connections with a `Doorkeeper`."""

    def __init__(self, client: Client) -> None:
        self.keeper = Doorkeeper("password")
        self.key = paramiko.ECDSAKey.generate()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.transports: list[paramiko.Transport] = []
        port = self.listener.getsockname()[1]
        client.config.write_text(f"Host door\n  HostName 127.0.0.1\n  Port {port}\n  User bob\n")
        client.known_hosts.write_text(f"[127.0.0.1]:{port} {self.key.get_name()} {self.key.get_base64()}\n")
        self.thread = threading.Thread(target=self._serve)
        self.thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(connection)
            transport.add_server_key(self.key)
            transport.start_server(event=threading.Event(), server=self.keeper)
            self.transports.append(transport)

    def close(self) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join()
        for transport in self.transports:
            transport.close()


@pytest.fixture
def door(client: Client) -> Iterator[Door]:
    opened = Door(client)
    yield opened
    opened.close()


def test_password_is_asked_for_and_kept(door: Door, dial: Dial) -> None:
    person = Person({"password": [("wrong",), ("secret",)]})
    dialler = dial(person)
    assert dialler.run("door", "x").output == b"welcome\n"
    dialler.pool.drop(dialler.pool.get(dialler.target("door"), "", print, dialler.stop).connection)
    assert dialler.run("door", "x").output == b"welcome\n"
    assert len(person.asked) == 2
    assert door.keeper.tries == 3


def test_wrong_passwords_end(door: Door, dial: Dial) -> None:
    person = Person({"password": [("one",), ("two",), ("three",), ("four",)]})
    with pytest.raises(NodeError, match=r"bob@127.0.0.1:\d+: refused .*password; it accepts password"):
        dial(person).run("door", "x")
    assert len(person.asked) == 3


def test_keyboard_interactive_with_hostile_words(door: Door, dial: Dial) -> None:
    door.keeper.methods = "keyboard-interactive"
    person = Person({"keyboard-interactive": [("friend", "41"), ("friend", "42")]})
    assert dial(person).run("door", "x").output == b"welcome\n"
    first, second = person.asked
    assert isinstance(first, SecretQuestion)
    assert isinstance(second, SecretQuestion)
    assert [(field.label, field.echo) for field in first.fields] == [("Word:", True), ("Number:", False)]
    assert (first.title, first.instructions) == ("Token\\x1b[2J", "Use your \\x07device")
    assert (first.attempt, second.attempt) == (1, 2)


def test_keyboard_interactive_with_nobody(door: Door, dial: Dial) -> None:
    door.keeper.methods = "keyboard-interactive"
    with pytest.raises(NodeError, match="nobody answered the server's question"):
        dial().run("door", "x")


def test_server_wants_a_key_and_a_password(door: Door, dial: Dial, client: Client) -> None:
    class Both(Doorkeeper):
        def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
            self.methods = "password"
            return AUTH_PARTIALLY_SUCCESSFUL

    door.keeper = Both("publickey")
    person = Person({"password": [("secret",)]})
    assert dial(person).run("door", "x").output == b"welcome\n"


def test_failure_says_what_was_tried(server: Sshd, client: Client, dial: Dial) -> None:
    server.authorized.write_text("")
    with pytest.raises(NodeError) as caught:
        dial().run("node1", "true")
    assert str(client.key) in caught.value.what
    assert f"{USER}@127.0.0.1:{server.port}" in caught.value.what
    assert "it accepts publickey" in caught.value.what
    assert "--ssh-user" in caught.value.hint


def test_secrets_are_in_no_message(door: Door, dial: Dial, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    person = Person({"password": [("hunter2",), ("hunter2",), ("hunter2",)]})
    dialler = dial(person)
    with pytest.raises(NodeError) as caught:
        dialler.run("door", "x")
    told = str(caught.value) + caplog.text + repr(person.asked) + " ".join(dialler.said)
    assert "hunter2" not in told
    assert not [one for one in person.asked if isinstance(one, HostKeyQuestion)]
