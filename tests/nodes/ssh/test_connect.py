"""Getting to a server: TCP, jumps, ProxyCommand, host keys, and what a person reads when it fails."""

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
from calitui.nodes.ssh.prompts import HostKeyQuestion, NoPrompts
from tests.nodes.ssh.conftest import Dialler, Person
from tests.sshd import Client, Sshd, make_key, public

Dial = Callable[..., Dialler]


@pytest.fixture
def second(tmp_path: Path, client: Client) -> Iterator[Sshd]:
    with Sshd(tmp_path / "second") as running:
        running.authorize(client.key)
        yield running


def test_a_command_runs(server: Sshd, dial: Dial) -> None:
    outcome = dial().run("node1", "cat; echo oops >&2; exit 3", b"given")
    assert (outcome.output, outcome.complaint, outcome.status) == (b"given", "oops", 3)


def test_a_connection_is_used_again(server: Sshd, dial: Dial) -> None:
    dialler = dial()
    dialler.run("node1", "true")
    dialler.run("node1", "true")
    assert server.logins == 1


def test_jump_host_is_logged_in_to_once_for_two_nodes(server: Sshd, second: Sshd, client: Client, dial: Dial) -> None:
    client.alias("node2", second, "ProxyJump node1")
    client.alias("node3", second, "ProxyJump node1", "HostKeyAlias third", known=False)
    with client.known_hosts.open("a") as file:
        file.write(second.known_hosts_line(name="third"))
    dialler = dial()
    for name in ("node2", "node3"):
        outcome = dialler.run(name, "echo $SSH_CONNECTION")
        assert outcome.output.split()[3] == str(second.port).encode()
    assert (server.logins, second.logins) == (1, 2)


def test_jump_hosts_key_is_checked_too(server: Sshd, second: Sshd, client: Client, dial: Dial) -> None:
    client.known_hosts.write_text(second.known_hosts_line())
    client.alias("node2", second, "ProxyJump node1")
    with pytest.raises(NodeError, match=rf"Host key of \[127.0.0.1\]:{server.port} is not known"):
        dial().run("node2", "true")


def test_node_behind_a_jump_host_that_is_down(server: Sshd, second: Sshd, client: Client, dial: Dial) -> None:
    client.alias("node2", second, "ProxyJump node1")
    second.stop()
    with pytest.raises(NodeError, match=rf"127.0.0.1:{second.port} can't be reached from 127.0.0.1:{server.port}"):
        dial().run("node2", "true")


def test_jump_host_that_forbids_forwarding(tmp_path: Path, second: Sshd, client: Client, dial: Dial) -> None:
    with Sshd(tmp_path / "strict", options="AllowTcpForwarding no") as strict:
        strict.authorize(client.key)
        client.alias("bastion", strict)
        client.alias("node2", second, "ProxyJump bastion")
        with pytest.raises(NodeError, match="does not let us through"):
            dial().run("node2", "true")


def test_circle_of_jumps(client: Client, dial: Dial) -> None:
    client.config.write_text("Host node1\n  ProxyJump a\nHost a\n  ProxyJump b\nHost b\n  ProxyJump a\n")
    with pytest.raises(NodeError, match="circle: node1 > a > b > a"):
        dial().target("node1")


def test_proxy_command_ends_with_the_connection(server: Sshd, client: Client, dial: Dial, tmp_path: Path) -> None:
    relay = tmp_path / "relay.py"
    relay.write_text(
        "import os, socket, sys, threading\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n"
        "print('noise', file=sys.stderr)\n"
        "s = socket.create_connection((sys.argv[1], int(sys.argv[2])))\n"
        "def up():\n"
        "    while d := os.read(0, 65536): s.sendall(d)\n"
        "threading.Thread(target=up, daemon=True).start()\n"
        "while d := s.recv(65536): os.write(1, d)\n"
    )
    client.alias("node2", server, f"ProxyCommand python3 {relay} %h %p 2>/dev/null")
    dialler = dial()
    assert dialler.run("node2", "echo hello").output == b"hello\n"
    pid = int((tmp_path / "pid").read_text())
    os.kill(pid, 0)
    dialler.pool.close()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_proxy_command_that_fails_says_what_it_said(server: Sshd, client: Client, dial: Dial) -> None:
    client.alias("node2", server, "ProxyCommand echo '\x1b[31mno way' >&2; exit 1")
    with pytest.raises(NodeError, match=r"ProxyCommand for node2 brought no SSH server: \\x1b\[31mno way"):
        dial().run("node2", "true")


def test_refused_port(client: Client, dial: Dial, server: Sshd) -> None:
    server.stop()
    with pytest.raises(NodeError, match=rf"127.0.0.1:{server.port} refused the connection. Is sshd running"):
        dial().run("node1", "true")


def test_name_without_an_address(client: Client, dial: Dial) -> None:
    client.config.write_text("Host node1\n  HostName no-such-host.invalid\n")
    with pytest.raises(NodeError, match=r"No address for host name no-such-host\.invalid"):
        dial().run("node1", "true")


@pytest.fixture
def silent(client: Client) -> Iterator[socket.socket]:
    """Takes connections and never says anything; alias `quiet`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client.config.write_text(f"Host quiet\n  HostName 127.0.0.1\n  Port {listener.getsockname()[1]}\n")
        yield listener


def test_silent_port_runs_into_the_deadline(silent: socket.socket, dial: Dial) -> None:
    with pytest.raises(NodeError, match="takes the connection but says nothing"):
        dial(limits=Limits(handshake=0.2)).run("quiet", "true")


def test_silent_port_and_the_user_stops(silent: socket.socket, dial: Dial) -> None:
    dialler = dial()
    threading.Timer(0.1, dialler.stop.set).start()
    with pytest.raises(Cancelled):
        dialler.run("quiet", "true")


def test_port_that_is_not_ssh(silent: socket.socket, dial: Dial) -> None:
    def greet() -> None:
        connection, _ = silent.accept()
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n" * 200)
        connection.close()

    thread = threading.Thread(target=greet)
    thread.start()
    with pytest.raises(NodeError, match=r"127.0.0.1:[0-9]+ (does not speak SSH|closed the connection before)"):
        dial().run("quiet", "true")
    thread.join()


def test_sshd_without_common_algorithms_is_called_old(tmp_path: Path, client: Client, dial: Dial) -> None:
    with Sshd(tmp_path / "old", options="KexAlgorithms diffie-hellman-group14-sha1") as old:
        client.alias("node2", old)
        with pytest.raises(NodeError, match="too old"):
            dial().run("node2", "true")


class TestHostKeys:
    def test_unknown_key_is_refused_with_its_fingerprint(self, server: Sshd, client: Client, dial: Dial) -> None:
        client.known_hosts.write_text("")
        told = subprocess.run(
            ["ssh-keygen", "-l", "-f", f"{server.host_keys[0]}.pub"], capture_output=True, text=True, check=True
        )
        with pytest.raises(NodeError) as caught:
            dial().run("node1", "true")
        assert told.stdout.split()[1] in caught.value.what
        assert "--accept-new-host-keys" in caught.value.hint
        assert client.known_hosts.read_text() == ""
        assert server.logins == 0

    @pytest.mark.parametrize("hashed", ["yes", "no"])
    def test_accepted_key_is_written_as_openssh_reads_it(
        self, server: Sshd, client: Client, dial: Dial, hashed: str
    ) -> None:
        client.known_hosts.write_text("# no newline at the end")
        client.alias("node2", server, f"HashKnownHosts {hashed}", known=False)
        person = Person(trusts=True)
        dialler = dial(person)
        dialler.run("node2", "true")
        (question,) = person.asked
        assert isinstance(question, HostKeyQuestion)
        assert (question.name, question.file) == (f"[127.0.0.1]:{server.port}", str(client.known_hosts))
        assert any(str(client.known_hosts) in line for line in dialler.said)
        found = subprocess.run(
            ["ssh-keygen", "-F", f"[127.0.0.1]:{server.port}", "-f", str(client.known_hosts)],
            capture_output=True,
            text=True,
            check=True,
        )
        assert public(server.host_keys[0]) in found.stdout
        assert client.known_hosts.read_text().splitlines()[1].startswith("|1|") is (hashed == "yes")
        dial().run("node2", "true")

    def test_command_line_accepts_new_keys_in_advance(self, server: Sshd, client: Client, dial: Dial) -> None:
        client.known_hosts.write_text("")
        dial(NoPrompts(accept_new_host_keys=True)).run("node1", "true")
        assert client.known_hosts.read_text() == server.known_hosts_line()

    def test_accept_new_of_the_ssh_config_is_not_silent(self, server: Sshd, client: Client, dial: Dial) -> None:
        client.alias("node2", server, "StrictHostKeyChecking accept-new", known=False)
        client.known_hosts.write_text("")
        dialler = dial()
        dialler.run("node2", "true")
        assert any("accepted the ssh-ed25519 key SHA256:" in line for line in dialler.said)

    @pytest.mark.parametrize("checking", ["no", "accept-new", "ask", "yes"])
    def test_changed_key_is_never_accepted(
        self, server: Sshd, client: Client, dial: Dial, tmp_path: Path, checking: str
    ) -> None:
        other = make_key(tmp_path / "other")
        client.known_hosts.write_text(f"# first\n[127.0.0.1]:{server.port} {public(other)}\n")
        client.alias("node2", server, f"StrictHostKeyChecking {checking}", known=False)
        with pytest.raises(NodeError) as caught:
            dial(NoPrompts(accept_new_host_keys=True)).run("node2", "true")
        assert "has changed" in caught.value.what
        assert caught.value.what.count("SHA256:") == 2
        assert f"{client.known_hosts}:2" in caught.value.what
        assert "ssh-keygen -R" in caught.value.hint

    def test_revoked_key_is_refused_although_it_is_known(self, server: Sshd, client: Client, dial: Dial) -> None:
        with client.known_hosts.open("a") as file:
            file.write(f"@revoked * {public(server.host_keys[0])}\n")
        with pytest.raises(NodeError, match=r"is revoked in .*known_hosts:2"):
            dial(Person(trusts=True)).run("node1", "true")

    @pytest.mark.parametrize("krl", [False, True])
    def test_revoked_host_keys_file(self, server: Sshd, client: Client, dial: Dial, tmp_path: Path, krl: bool) -> None:
        def revoke(key: Path) -> None:
            revoked.unlink(missing_ok=True)
            if krl:
                command = ["ssh-keygen", "-q", "-k", "-f", str(revoked), f"{key}.pub"]
                subprocess.run(command, check=True)
            else:
                revoked.write_text(f"# stolen\n{public(key)}\n")

        revoked = tmp_path / "revoked"
        revoke(server.host_keys[0])
        client.alias("node2", server, f"RevokedHostKeys {revoked}", known=False)
        with pytest.raises(NodeError, match="is revoked in"):
            dial().run("node2", "true")
        revoke(client.key)
        assert dial().run("node2", "true").status == 0
        revoked.unlink()
        with pytest.raises(NodeError, match="can't be checked against"):
            dial().run("node2", "true")

    def test_certificate_authority_is_named(self, server: Sshd, client: Client, dial: Dial, tmp_path: Path) -> None:
        client.known_hosts.write_text(f"@cert-authority [127.0.0.1]:* {public(make_key(tmp_path / 'ca'))}\n")
        with pytest.raises(NodeError, match="@cert-authority line names it"):
            dial().run("node1", "true")

    def test_known_type_of_key_is_negotiated(self, tmp_path: Path, client: Client, dial: Dial) -> None:
        with Sshd(tmp_path / "three", host_keys=("ed25519", "rsa", "ecdsa")) as three:
            three.authorize(client.key)
            client.alias("node3", three, known=False)
            for index in range(3):
                client.known_hosts.write_text(three.known_hosts_line(index))
                dial().run("node3", "true")

    def test_unknown_type_of_a_known_host_is_told_apart(
        self, server: Sshd, client: Client, dial: Dial, tmp_path: Path
    ) -> None:
        rsa = make_key(tmp_path / "rsa", kind="rsa")
        client.known_hosts.write_text(f"[127.0.0.1]:{server.port} {public(rsa)}\n")
        with pytest.raises(NodeError, match="keys of other types are known: ssh-rsa"):
            dial(NoPrompts(accept_new_host_keys=True)).run("node1", "true")


def test_proxy_command_that_never_connects(client: Client, dial: Dial, server: Sshd) -> None:
    client.alias("node2", server, "ProxyCommand echo 'dialling' >&2; exec sleep 600")
    with pytest.raises(NodeError, match="ProxyCommand for node2 brought no SSH server: dialling"):
        dial(limits=Limits(handshake=1.0)).run("node2", "true")
