"""Reading a node through the endpoint: the real script with the image's programs, and everything that can fail."""

from __future__ import annotations

import shutil
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from websockets.sync.server import ServerConnection

from calitui.errors import Cancelled
from calitui.facts.cluster import Node
from calitui.facts.node import NodeFacts, Question
from calitui.nodes.exec.channels import Limits
from calitui.nodes.reading import ReadRequest, read_all
from tests.nodes.exec.conftest import CALICO_NODE, QUESTION, Reading, reasons
from tests.nodes.exec.endpoint import (
    STATUS,
    STDERR,
    STDOUT,
    V4,
    V5,
    Container,
    Endpoint,
    Exec,
    commands,
    exit_status,
    failure,
    send,
)

needs_ip = pytest.mark.skipif(
    shutil.which("ip", path="/usr/sbin:/usr/bin:/sbin:/bin") is None, reason="needs iproute2 (apt-get install iproute2)"
)
Make = Callable[..., Reading]

SECTIONS = {"links", "addresses", "routes", "routes6", "rules", "rules6", "neighbours", "sysctls", "counters"}


def _says(*messages: tuple[int, bytes], abort: bool = False) -> Container:
    """A container that says this and ends, with a farewell or without."""

    def serve(connection: ServerConnection, asked: Exec) -> None:
        connection.recv()
        for channel, data in messages:
            send(connection, channel, data)
        if abort:
            connection.socket.shutdown(socket.SHUT_RDWR)

    return serve


def _output(asked: Exec, script: bytes) -> bytes:
    done = subprocess.run(list(asked.command), input=script, capture_output=True, check=True, timeout=60)
    return done.stdout


def _half(*, abort: bool) -> Container:
    """The script's real output up to the routes."""

    def serve(connection: ServerConnection, asked: Exec) -> None:
        message = connection.recv()
        assert isinstance(message, bytes)
        whole = _output(asked, message[1:])
        send(connection, STDOUT, whole[: whole.index(b" section rules6") - 60])
        if abort:
            connection.socket.shutdown(socket.SHUT_RDWR)

    return serve


def _silent(connection: ServerConnection, asked: Exec) -> None:
    for _ in connection:
        pass


def _routing_unread(facts: NodeFacts) -> dict[str, str]:
    """What is missing but for what the machine around may or may not have: BIRDs of others, programs for rules."""
    return {what: reason for what, reason in reasons(facts).items() if what not in ("BIRD", "packet filter")}


@needs_ip
@pytest.mark.parametrize("protocol", [V4, V5])
def test_everything_is_read_in_the_image(image: Path, reading: Make, protocol: str) -> None:
    with Endpoint(commands(path=image), protocols=[protocol]) as endpoint:  # type: ignore[list-item]
        one = reading(endpoint)
        facts = one.read([Question("127.0.0.1", "127.0.0.1")], ["192.168.97.1"])
    assert (facts.name, facts.via) == ("k8s-calico2", "exec")
    assert (facts.target, facts.address_source) == ("kube-system/calico-node-4zph4", "calico-node pod")
    assert facts.host is not None
    assert facts.host.complete == SECTIONS
    assert facts.answers[0].route is not None
    assert _routing_unread(facts) == {
        "container 192.168.97.1": "calico-node has no view of other processes' namespaces"
    }
    asked = endpoint.seen[-1]
    assert (asked.namespace, asked.pod, asked.container) == ("kube-system", "calico-node-4zph4", "calico-node")
    assert asked.command == ("sh", "-s", "--", "127.0.0.1", "127.0.0.1")
    assert asked.authorization == "Bearer secret"
    assert endpoint.protocols_used == [protocol]
    assert one.said == ["reading routes, links and neighbours in kube-system/calico-node-4zph4"]


@needs_ip
def test_the_rights_are_asked_once_and_again_after_a_refusal(reading: Make) -> None:
    refusals = [(403, "not any more")]
    with Endpoint(commands(), answer=lambda _: refusals.pop() if len(endpoint.seen) == 3 else None) as endpoint:
        one = reading(endpoint)
        asked = []
        for _ in range(4):
            one.read()
            asked.append(len(endpoint.reviewed))
    assert asked == [2, 2, 2, 4]
    assert endpoint.reviewed[0] == {
        "namespace": "kube-system",
        "verb": "create",
        "resource": "pods",
        "subresource": "exec",
    }


@pytest.mark.parametrize(
    ("verbs", "words"),
    [
        ((), "create and get on pods/exec is denied"),
        (("get",), "create on pods/exec is denied"),
        (("create",), "get on pods/exec is denied"),
    ],
)
def test_without_the_rights_nothing_is_run(reading: Make, verbs: tuple[str, ...], words: str) -> None:
    with Endpoint(commands(), verbs=verbs) as endpoint:
        facts = reading(endpoint).read()
    assert endpoint.seen == []
    assert facts.host is None
    assert reasons(facts)["node"] == (
        f"You may not exec into pods of kube-system: {words}. "
        "Ask for create and get on pods/exec in kube-system, or use --via ssh"
    )


@needs_ip
def test_expired_credentials_are_renewed_once(reading: Make) -> None:
    with Endpoint(commands(), token="new") as endpoint:
        assert reading(endpoint, tokens=("old", "new")).read().host is not None
        facts = reading(endpoint, tokens=("old", "older")).read()
    assert "does not accept your credentials" in reasons(facts)["node"]


@needs_ip
def test_credentials_that_expire_after_the_rights_were_asked_are_renewed(reading: Make) -> None:
    with Endpoint(commands(), token="first") as endpoint:
        one = reading(endpoint, tokens=("first", "second"))
        assert one.read().host is not None
        endpoint.token = "second"
        assert one.read().host is not None


@pytest.mark.parametrize(
    ("status", "message", "words"),
    [
        (403, 'pods "calico-node-4zph4" is forbidden', 'Not allowed: pods "calico-node-4zph4" is forbidden'),
        (404, 'pods "calico-node-4zph4" not found', 'The calico-node pod is gone (pods "calico-node-4zph4" not found)'),
        (400, "container calico-node is not valid for pod x", "container calico-node is not valid for pod x"),
        (400, "Upgrade request required", "A proxy before it may not pass websockets"),
        (500, "error dialing backend: dial tcp 10.173.32.23:10250: connect: connection refused", "10250"),
        (500, 'unable to upgrade connection: container not found ("calico-node")', "container not found"),
        (503, "\x1b[31mred\x1b[0m\n" * 500, "\\x1b[31mred"),
        (200, "hello", "answered the exec with 200 and no websocket"),
    ],
)
def test_an_exec_that_is_refused_is_said_in_one_line(reading: Make, status: int, message: str, words: str) -> None:
    with Endpoint(commands(), answer=lambda _: (status, message)) as endpoint:
        facts = reading(endpoint).read()
    assert facts.host is None
    assert facts.target == "kube-system/calico-node-4zph4"
    reason = reasons(facts)["node"]
    assert words in reason
    assert "\n" not in reason
    assert "\x1b" not in reason
    assert len(reason) < 600


def test_a_node_without_the_pod_is_missing(reading: Make) -> None:
    with Endpoint(commands()) as endpoint:
        one = reading(endpoint)
        one.pods = ()
        facts = one.read()
    assert (len(endpoint.seen), len(endpoint.reviewed)) == (0, 0)
    assert (facts.host, facts.target) == (None, "")
    assert "No calico-node pod of k8s-calico2" in reasons(facts)["node"]


def test_an_api_server_that_is_not_there_is_said(reading: Make) -> None:
    with Endpoint(commands()) as endpoint:
        one = reading(endpoint)
    assert "connection refused" in reasons(one.read())["node"]


def test_an_image_without_a_shell_is_said(reading: Make, tmp_path: Path) -> None:
    with Endpoint(commands(path=tmp_path)) as endpoint:
        one = reading(endpoint)
        facts = one.read()
    assert facts.host is None
    assert "the script did not run, there is no sh in it" in reasons(facts)["node"]


@needs_ip
@pytest.mark.parametrize(
    ("abort", "words"), [(True, "the connection broke"), (False, "closed before the script's status was told")]
)
def test_what_came_before_the_cut_is_kept(reading: Make, abort: bool, words: str) -> None:
    with Endpoint(_half(abort=abort)) as endpoint:
        facts = reading(endpoint).read([Question("127.0.0.1", "127.0.0.1")])
    assert facts.host is not None
    assert {"links", "addresses"} <= facts.host.complete
    assert "routes" not in facts.host.complete
    missing = reasons(facts)
    assert missing["routes"] == "the output was cut off"
    assert words in missing["rest of the output"]


def test_a_silent_container_costs_its_time_and_is_said(reading: Make) -> None:
    with Endpoint(_silent) as endpoint:
        facts = reading(endpoint, Limits(script=0.3)).read()
    assert "the script printed nothing (it was still running after 0 s)" in reasons(facts)["node"]


def test_an_api_server_that_never_answers_the_exec_is_said(reading: Make) -> None:
    never = threading.Event()

    def answer(asked: Exec) -> None:
        never.wait(30)

    with Endpoint(_silent, answer=answer) as endpoint:
        facts = reading(endpoint, Limits(connection=0.3)).read()
        never.set()
    assert "did not begin the exec within 0 s" in reasons(facts)["node"]


@pytest.mark.parametrize("hanging", ["container", "handshake"])
def test_stopping_ends_a_read_that_hangs(reading: Make, hanging: str) -> None:
    never = threading.Event()
    reached = threading.Event()

    def answer(asked: Exec) -> None:
        if hanging == "handshake":
            reached.set()
            never.wait(30)

    def container(connection: ServerConnection, asked: Exec) -> None:
        connection.recv()
        reached.set()
        _silent(connection, asked)

    with Endpoint(container, answer=answer) as endpoint:
        one = reading(endpoint)

        def stop() -> None:
            reached.wait(30)
            one.stop.set()

        stopper = threading.Thread(target=stop)
        stopper.start()
        with pytest.raises(Cancelled):
            one.read()
        stopper.join()
        never.set()


def test_a_flood_is_cut_at_the_limit(reading: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("calitui.nodes.exec.reader.LARGEST_OUTPUT", 1 << 20)

    def flood(connection: ServerConnection, asked: Exec) -> None:
        connection.recv()
        send(connection, STDOUT, b"\n=== calitui 1 1-2\n=== 1-2 section links\n")
        while True:
            send(connection, STDOUT, b"1: lo: <LOOPBACK>\n" * 2000)

    with Endpoint(flood) as endpoint:
        facts = reading(endpoint).read()
    assert facts.host is not None
    assert facts.host.complete == frozenset()
    assert "is larger than" in reasons(facts)["links"]


@needs_ip
def test_noise_on_standard_error_is_drained_and_not_taken_for_facts(reading: Make) -> None:
    real = commands()

    def noisy(connection: ServerConnection, asked: Exec) -> None:
        for _ in range(2000):
            send(connection, STDERR, b"=== calitui 1 x\n=== x section routes\nWARN\x1b[2J\n" * 20)
        real(connection, asked)

    with Endpoint(noisy) as endpoint:
        facts = reading(endpoint).read()
    assert facts.host is not None
    assert facts.host.complete == SECTIONS
    assert _routing_unread(facts) == {}


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([(STDERR, b"sh: boom\n"), (STATUS, exit_status(126))], "printed nothing (sh: boom)"),
        ([(STATUS, exit_status(137))], "printed nothing (exit status 137)"),
        ([(STATUS, failure("runtime is \x1b[1msad"))], "could not be started (runtime is \\x1b[1msad)"),
        ([(STATUS, b"\xff not json")], "did not run"),
        ([(STATUS, b'{"status": "Failure", "details": {"causes": null}}')], "no reason was given"),
        ([(STATUS, b"[" * 100_000)], "did not run"),
        ([(77, b"what?"), (STATUS, exit_status(0))], "printed nothing (exit status 0)"),
    ],
)
def test_a_script_that_says_nothing_is_missing_with_the_reason(
    reading: Make, messages: list[tuple[int, bytes]], words: str
) -> None:
    with Endpoint(_says(*messages)) as endpoint:
        facts = reading(endpoint).read()
    assert facts.host is None
    assert words in reasons(facts)["node"]
    assert "\x1b" not in reasons(facts)["node"]


def test_old_runtimes_complain_on_standard_output(reading: Make) -> None:
    said = b'OCI runtime exec failed: exec: "sh": executable file not found in $PATH: unknown\r\n'
    with Endpoint(_says((STDOUT, said), (STATUS, exit_status(126)))) as endpoint:
        facts = reading(endpoint).read()
    assert facts.host is None
    assert "the script did not run: OCI runtime exec failed" in reasons(facts)["routes"]
    assert "exit status 126" in reasons(facts)["rest of the output"]


@needs_ip
def test_a_script_that_is_killed_is_said_and_what_it_read_is_kept(reading: Make) -> None:
    def killed(connection: ServerConnection, asked: Exec) -> None:
        message = connection.recv()
        assert isinstance(message, bytes)
        send(connection, STDOUT, _output(asked, message[1:])[:-2000])
        send(connection, STATUS, exit_status(137))

    with Endpoint(killed) as endpoint:
        facts = reading(endpoint).read()
    assert facts.host is not None
    assert "links" in facts.host.complete
    assert "ended with exit status 137" in reasons(facts)["rest of the output"]


def test_what_is_no_address_never_reaches_the_command(reading: Make) -> None:
    with Endpoint(commands()) as endpoint:
        facts = reading(endpoint).read([Question("1.1.1.1", "$(reboot)")])
    assert endpoint.seen == []
    assert "This can't be asked of k8s-calico2" in reasons(facts)["node"]


@needs_ip
def test_many_nodes_are_read_at_once_and_in_order(reading: Make) -> None:
    together = threading.Barrier(3, timeout=30)
    real = commands()

    def meeting(connection: ServerConnection, asked: Exec) -> None:
        together.wait()
        real(connection, asked)

    names = ["k8s-calico3", "k8s-calico2", "k8s-calico1", "elsewhere"]
    with Endpoint(meeting) as endpoint:
        one = reading(endpoint)
        one.pods = tuple(
            type(CALICO_NODE)(
                "kube-system",
                f"calico-node-{name}",
                name,
                phase="Running",
                host_network=True,
                labels=CALICO_NODE.labels,
            )
            for name in names[:3]
        )
        told: list[tuple[str, str]] = []
        requests = [ReadRequest(Node(name), (QUESTION,)) for name in names]
        found = read_all(one.reader.read, requests, lambda name, what: told.append((name, what)), one.stop)
    assert [facts.name for facts in found] == names
    assert [facts.host is not None for facts in found] == [True, True, True, False]
    assert {name for name, _ in told} == set(names[:3])
    assert len(endpoint.reviewed) == 2
