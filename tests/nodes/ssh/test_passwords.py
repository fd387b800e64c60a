"""Passwords and keyboard-interactive questions, asked by a server that is not OpenSSH (which needs PAM for them)."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import paramiko
import pytest
from paramiko.common import AUTH_FAILED, AUTH_PARTIALLY_SUCCESSFUL, AUTH_SUCCESSFUL, OPEN_SUCCEEDED
from paramiko.server import InteractiveQuery

from calitui.errors import NodeError
from calitui.nodes.ssh.prompts import HostKeyQuestion, SecretQuestion
from tests.nodes.ssh.conftest import Dialler, Person
from tests.sshd import Client

Dial = Callable[..., Dialler]


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


def test_secrets_are_in_no_message(door: Door, dial: Dial, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    person = Person({"password": [("hunter2",), ("hunter2",), ("hunter2",)]})
    dialler = dial(person)
    with pytest.raises(NodeError) as caught:
        dialler.run("door", "x")
    told = str(caught.value) + caplog.text + repr(person.asked) + " ".join(dialler.said)
    assert "hunter2" not in told
    assert not [one for one in person.asked if isinstance(one, HostKeyQuestion)]
