"""The reader as a session uses it: facts of real nodes, never an exception for a node, connections kept."""

from __future__ import annotations

import shutil
import socket
import threading
from pathlib import Path

import paramiko
import pytest

from calitui.errors import Cancelled
from calitui.facts.cluster import Node
from calitui.facts.node import NodeFacts, Question
from calitui.nodes.reading import ReadRequest, read_all
from calitui.nodes.ssh.connect import Limits
from tests.nodes.ssh.conftest import NODE, Make, Person, read
from tests.sshd import USER, Client, Sshd

pytestmark = pytest.mark.skipif(not shutil.which("ip"), reason="no iproute2 here: there is nothing to read")


def reason(facts: NodeFacts) -> str:
    assert facts.host is None
    (missing,) = facts.missing
    assert (missing.what, missing.node) == ("node", facts.name)
    assert missing.reason.isprintable()
    return missing.reason


def test_node_is_read(server: Sshd, reader: Make) -> None:
    facts = read(reader(), questions=(Question("127.0.0.1", "127.0.0.1"),))
    assert (facts.name, facts.via, facts.address_source) == ("node1", "ssh", "ssh config")
    assert facts.target == f"{USER}@127.0.0.1:{server.port}"
    assert facts.host is not None
    assert any(link.name == "lo" for link in facts.host.links)
    assert any(answer.destination == "127.0.0.1" for answer in facts.answers)
    assert facts.hostname == socket.gethostname()


def test_connection_is_kept_for_the_next_read(server: Sshd, reader: Make) -> None:
    kept = reader()
    read(kept)
    assert read(kept).host is not None
    assert server.logins == 1


def test_dead_connection_is_made_again(server: Sshd, reader: Make) -> None:
    kept = reader()
    read(kept)
    server.hang_up()
    assert read(kept).host is not None
    assert server.logins == 2


def test_dead_jump_host_is_logged_in_to_again(server: Sshd, client: Client, reader: Make, tmp_path: Path) -> None:
    with Sshd(tmp_path / "second") as second:
        second.authorize(client.key)
        client.alias("node2", second, "ProxyJump node1")
        kept = reader()
        read(kept, Node("node2"))
        server.hang_up()
        assert read(kept, Node("node2")).host is not None
        assert (server.logins, second.logins) == (2, 2)


def test_two_nodes_at_once_in_order_and_one_that_is_down(
    server: Sshd, client: Client, reader: Make, tmp_path: Path
) -> None:
    told: list[tuple[str, str]] = []
    with Sshd(tmp_path / "second") as second:
        second.authorize(client.key)
        client.alias("node2", second)
        with client.config.open("a") as file:
            file.write("Host down\n  HostName 127.0.0.1\n  Port 1\n")
        requests = [ReadRequest(Node(name)) for name in ("node2", "down", "node1")]
        facts = read_all(reader().read, requests, lambda name, what: told.append((name, what)), threading.Event())
    assert [one.name for one in facts] == ["node2", "down", "node1"]
    assert facts[0].host is not None
    assert "127.0.0.1:1 refused the connection" in reason(facts[1])
    assert facts[2].host is not None
    assert {name for name, _ in told} == {"node1", "node2", "down"}


def test_both_nodes_are_read_at_the_same_time(client: Client, reader: Make, tmp_path: Path) -> None:
    """Each of two servers holds its client until the other one has one too."""
    meet = tmp_path / "meet"
    meet.mkdir()
    wait = (
        f"touch {meet}/$$; n=0; while [ $(ls {meet} | wc -l) -lt 2 ] && [ $n -lt 300 ]; do sleep 0.1; n=$((n+1)); done"
    )
    script = tmp_path / "wait.sh"
    script.write_text(f'{wait}\n[ $(ls {meet} | wc -l) -ge 2 ] || exit 1\neval "$SSH_ORIGINAL_COMMAND"\n')
    options = f"ForceCommand sh {script}"
    with Sshd(tmp_path / "a", options=options) as first, Sshd(tmp_path / "b", options=options) as second:
        for name, one in (("node1", first), ("node2", second)):
            one.authorize(client.key)
            client.alias(name, one)
        requests = [ReadRequest(Node("node1")), ReadRequest(Node("node2"))]
        facts = read_all(reader().read, requests, lambda *_: None, threading.Event())
    assert all(one.host is not None for one in facts)


def test_hostile_node_is_one_line(reader: Make, client: Client) -> None:
    words = reason(read(reader(), Node("-oProxyCommand=\x1b[31mid", internal_ips=("$(id)",))))
    assert "is not a host name" in words


@pytest.mark.parametrize("ips", [("not an ip", "10.0.0.1"), ("10.0.0.1", "fd00::1"), ("-f", "/etc/shadow")])
def test_questions_that_are_no_addresses(server: Sshd, reader: Make, ips: tuple[str, str]) -> None:
    assert "can't be asked" in reason(read(reader(), questions=(Question(*ips),)))
    assert server.logins == 0


def test_unknown_host_key_is_a_reason(server: Sshd, client: Client, reader: Make) -> None:
    client.known_hosts.write_text("")
    assert "is not known (ssh-ed25519 SHA256:" in reason(read(reader()))


def test_stop_is_heard(server: Sshd, reader: Make) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        reader().read(NODE, (), (), lambda _: None, stop)
    with pytest.raises(Cancelled):
        read_all(reader().read, [ReadRequest(NODE), ReadRequest(NODE)], lambda *_: None, stop)


def test_stop_while_a_node_is_silent(client: Client, reader: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        client.config.write_text(f"Host node1\n  HostName 127.0.0.1\n  Port {silent.getsockname()[1]}\n")
        stop = threading.Event()
        threading.Timer(0.2, stop.set).start()
        with pytest.raises(Cancelled):
            reader().read(NODE, (), (), lambda _: None, stop)


def test_server_that_only_prints_a_notice(client: Client, reader: Make, tmp_path: Path) -> None:
    with Sshd(tmp_path / "notice", options="ForceCommand echo 'Account \x1b[5m closed'") as notice:
        notice.authorize(client.key)
        client.alias("node1", notice)
        facts = read(reader())
    assert facts.host is None
    assert all("the script did not run" in one.reason for one in facts.missing)
    assert all(one.reason.isprintable() for one in facts.missing)


def test_slow_node_keeps_what_was_read(client: Client, reader: Make, tmp_path: Path) -> None:
    script = tmp_path / "slow.sh"
    script.write_text('sh -c "$SSH_ORIGINAL_COMMAND" | head -n 30\nsleep 600\n')
    with Sshd(tmp_path / "slow", options=f"ForceCommand sh {script}") as slow:
        slow.authorize(client.key)
        client.alias("node1", slow)
        facts = read(reader(limits=Limits(script=5.0)))
    assert facts.host is not None
    assert any("still running after 5 s" in one.reason for one in facts.missing)


def test_one_question_at_a_time(client: Client, reader: Make, tmp_path: Path) -> None:
    class Careful(Person):
        def confirm_host_key(self, question: object) -> bool:
            assert busy.acquire(blocking=False), "two questions are open"
            threading.Event().wait(0.2)
            busy.release()
            return True

    busy = threading.Lock()
    with Sshd(tmp_path / "a") as first, Sshd(tmp_path / "b") as second:
        for name, one in (("node1", first), ("node2", second)):
            one.authorize(client.key)
            client.alias(name, one, known=False)
        requests = [ReadRequest(Node("node1")), ReadRequest(Node("node2"))]
        facts = read_all(reader(Careful()).read, requests, lambda *_: None, threading.Event())
    assert all(one.host is not None for one in facts)


def test_nothing_is_printed(server: Sshd, client: Client, reader: Make, capfd: pytest.CaptureFixture[str]) -> None:
    client.known_hosts.write_text("")
    read(reader())
    server.stop()
    read(reader())
    assert capfd.readouterr() == ("", "")


def test_closed_reader_reads_nothing(server: Sshd, reader: Make) -> None:
    closed = reader()
    read(closed)
    closed.close()
    closed.close()
    assert "closed" in reason(read(closed))


def test_nothing_is_left_behind(server: Sshd, client: Client, reader: Make, tmp_path: Path) -> None:
    def open_files() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    client.alias("piped", server, "ProxyCommand exec sh -c 'exec python3 -c \"$1\" %h %p' x 'raise SystemExit(1)'")
    client.alias("jumping", server, "ProxyJump node1")
    requests = [ReadRequest(Node(name)) for name in ("node1", "jumping", "piped", "-bad")]
    before: tuple[int, int] | None = None
    for _ in range(3):
        one = reader()
        facts = read_all(one.read, requests, lambda *_: None, threading.Event())
        assert [found.host is not None for found in facts] == [True, True, False, False]
        one.close()
        _settle()
        before = before or (open_files(), threading.active_count())
    # Fewer is fine: threads of earlier tests may end meanwhile.
    assert before is not None
    assert open_files() <= before[0]
    assert threading.active_count() <= before[1]


def _settle() -> None:
    """Threads of closed connections need a moment to notice."""
    for _ in range(100):
        if not any(isinstance(thread, paramiko.Transport) for thread in threading.enumerate()):
            return
        threading.Event().wait(0.05)


def test_many_nodes_at_once(client: Client, reader: Make, tmp_path: Path) -> None:
    with Sshd(tmp_path / "many") as many:
        many.authorize(client.key)
        for number in range(12):
            client.alias(f"n{number}", many, f"HostKeyAlias n{number}", known=False)
        client.known_hosts.write_text(many.known_hosts_line(name="n*"))
        requests = [ReadRequest(Node(f"n{number}")) for number in range(12)]
        facts = read_all(reader().read, requests, lambda *_: None, threading.Event())
        assert [one.name for one in facts if one.host] == [f"n{number}" for number in range(12)]
        assert many.logins == 12


def test_node_that_floods(client: Client, reader: Make, tmp_path: Path) -> None:
    script = tmp_path / "flood.sh"
    script.write_text('sh -c "$SSH_ORIGINAL_COMMAND" | head -n 30\nhead -c 50000000 /dev/zero\n')
    with Sshd(tmp_path / "flooding", options=f"ForceCommand sh {script}") as flooding:
        flooding.authorize(client.key)
        client.alias("node1", flooding)
        facts = read(reader())
    assert any("larger than 32 MiB" in one.reason for one in facts.missing)
    assert all(one.reason.isprintable() for one in facts.missing)
