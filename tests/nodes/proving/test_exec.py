"""Commands of a live proof by exec, through a real websocket: in calico-node, and in a user's own pod."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from websockets.sync.server import ServerConnection

from calitui.errors import CalituiError, Cancelled, NodeError
from calitui.facts.cluster import Pod
from calitui.nodes.deadline import Deadline
from calitui.nodes.exec.held import ExecProver
from calitui.nodes.proving.held import Held
from calitui.nodes.proving.script import STARTED, TOOLS, Where, parse_ping, parse_tools, ping, refusal, watch
from tests.nodes.exec.conftest import NODE, Reading, _no_proxy, image, reading
from tests.nodes.exec.endpoint import STDOUT, Endpoint, Exec, commands, send

__all__ = ["_no_proxy", "image", "reading"]

Make = Callable[..., Reading]
WEB = Pod("shop", "web-1", node="k8s-calico2", ips=("192.168.97.1",), phase="Running")
OBJECT = {"metadata": {"name": "web-1"}, "spec": {"containers": [{"name": "app"}, {"name": "proxy"}]}}


def hold(made: Reading, words: list[str] | tuple[str, ...], pod: Pod | None = None) -> Held:
    return ExecProver(made.reader).hold(NODE, words, made.said.append, made.stop, pod)


def finish(held: Held) -> bytes:
    return held.finish(Deadline(20, threading.Event())).output


def test_calico_node_has_no_tcpdump_and_says_so(reading: Make, image: Path) -> None:
    with Endpoint(commands(path=image)) as endpoint:
        made = reading(endpoint)
        # The script looks in the administrator's directories too, so the programs of this machine are found here.
        tools = parse_tools(finish(hold(made, TOOLS)))
        assert not tools.refused
        assert "ip" in tools.programs
        assert endpoint.seen[-1].container == "calico-node"
        words = watch(Where("/run/netns/none"), "icmp", seconds=1, count=1, snaplen=64)
        assert refusal(finish(hold(made, words)))


@pytest.mark.skipif(shutil.which("ping") is None, reason="needs ping (apt-get install iputils-ping)")
@pytest.mark.parametrize("annotated", [False, True])
def test_probe_in_the_pod_of_the_user(reading: Make, annotated: bool) -> None:
    metadata = {"annotations": {"kubectl.kubernetes.io/default-container": "proxy"}} if annotated else {}
    with Endpoint(commands(), pods={"shop/web-1": OBJECT | {"metadata": metadata}}) as endpoint:
        words = ping(Where(), "127.0.0.1", count=2, payload=56, pattern="ca11")
        told = parse_ping(finish(hold(reading(endpoint), words, WEB)))
        assert (told.sent, told.answered) == (2, 2)
        assert (endpoint.seen[-1].pod, endpoint.seen[-1].container) == ("web-1", "proxy" if annotated else "app")


def test_pod_that_is_gone(reading: Make) -> None:
    with Endpoint(commands()) as endpoint, pytest.raises(NodeError, match="The pod shop/web-1 is gone"):
        hold(reading(endpoint), TOOLS, WEB)


def test_pod_without_a_shell(reading: Make, tmp_path: Path) -> None:
    no_shell = pytest.raises(NodeError, match="shop/web-1: the script did not run, there is no sh in it")
    with Endpoint(commands(path=tmp_path), pods={"shop/web-1": OBJECT}) as endpoint, no_shell:
        hold(reading(endpoint), TOOLS, WEB)


def test_no_right_to_exec(reading: Make) -> None:
    denied = pytest.raises(CalituiError, match="may not exec into pods of shop")
    with Endpoint(commands(), verbs=(), pods={"shop/web-1": OBJECT}) as endpoint, denied:
        hold(reading(endpoint), TOOLS, WEB)


def test_connection_that_breaks_keeps_what_came(reading: Make) -> None:
    def breaks(connection: ServerConnection, asked: Exec) -> None:
        connection.recv()
        send(connection, STDOUT, STARTED + b"half")
        time.sleep(0.3)
        connection.socket.close()

    with Endpoint(breaks) as endpoint:
        outcome = hold(reading(endpoint), TOOLS).finish(Deadline(10, threading.Event()))
    assert outcome.output == STARTED + b"half"
    assert outcome.status is None


def test_stop_lets_go_at_once(reading: Make) -> None:
    ended = threading.Event()

    def waits(connection: ServerConnection, asked: Exec) -> None:
        connection.recv()
        send(connection, STDOUT, STARTED)
        try:
            connection.recv()
        finally:
            ended.set()

    with Endpoint(waits) as endpoint:
        made = reading(endpoint)
        held = hold(made, TOOLS)
        threading.Timer(0.2, made.stop.set).start()
        with pytest.raises(Cancelled):
            held.finish(Deadline(10, made.stop))
        assert ended.wait(5)
