"""A trace through exec alone, in the lab: real kube-apiserver, a kubelet on each node's address, the nodes' kernels."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from calitui.cluster.api import Api
from calitui.cluster.reading import read
from calitui.facts.cluster import Cluster
from calitui.facts.node import NodeFacts
from calitui.nodes.exec.reader import NO_VIEW, ExecReader
from calitui.nodes.reading import ReadRequest
from calitui.nodes.ssh.prompts import NoPrompts
from calitui.nodes.ssh.reader import SshReader
from calitui.nodes.ssh.resolve import SshOptions
from calitui.trace.ends import resolve
from calitui.trace.tracing import containers_on, nodes_on_the_way, questions, trace
from tests.lab import build
from tests.lab.lab import Lab
from tests.nodes.exec.endpoint import commands
from tests.nodes.exec.kubelet import Kubelet, certificate, kubelet, reachable

pytestmark = pytest.mark.lab

PORT = 10250
PAIR = ("huang2/hhh-6897d64fcd-4zph4", "huang1/huangtest-69d9fddd97-pbvvw")


@contextlib.contextmanager
def _in_netns(name: str) -> Iterator[None]:
    """Move the calling thread into a network namespace; sockets and threads made meanwhile stay there."""
    from pyroute2 import netns

    with Path("/proc/thread-self/ns/net").open() as home:
        netns.setns(name, flags=0)
        try:
            yield
        finally:
            netns.setns(home.fileno())


@pytest.fixture(scope="module")
def kubelets(bgp_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Kubelet]]:
    """A kubelet on every node. What it is told to run in calico-node it runs on the node, whose network that is."""
    if bgp_lab.without_api:
        pytest.skip(f"the lab has no API server: {bgp_lab.without_api}")
    keys = certificate(tmp_path_factory.mktemp("kubelet"))
    http = bgp_lab.http()
    merge = {"Content-Type": "application/merge-patch+json"}
    made = {}
    with contextlib.ExitStack() as closing:
        closing.callback(http.close)
        for node in bgp_lab.nodes:
            path = f"/api/v1/nodes/{node.name}/status"
            before = http.json("GET", path)["status"]["addresses"]
            closing.callback(http.json, "PATCH", path, {"status": {"addresses": before}}, merge)
            http.json("PATCH", path, {"status": reachable(node.spec.address, PORT)}, merge)
            runtime = commands(prefix=node.command("")[:-1])
            with _in_netns(build.netns(bgp_lab.name, node.name)):
                made[node.name] = closing.enter_context(kubelet(runtime, node.spec.address, keys, PORT))
        yield made


def _requests(cluster: Cluster) -> list[ReadRequest]:
    ends = resolve(cluster, PAIR[0]), resolve(cluster, PAIR[1])
    nodes = {node.name: node for node in cluster.nodes}
    names = nodes_on_the_way(*ends)
    return [ReadRequest(nodes[name], questions(*ends), containers_on(name, *ends)) for name in names]


def _by_exec(lab: Lab) -> tuple[Cluster, list[NodeFacts]]:
    with (
        lab.inside(),
        Api(str(lab.kubeconfig)) as api,
        contextlib.closing(ExecReader(api.new_client, lambda: cluster.pods)) as reader,
    ):
        cluster = read(api)
        return cluster, reader.read_all(_requests(cluster), lambda *_: None, threading.Event())


def test_a_trace_through_exec_is_delivered_and_says_what_it_infers(bgp_lab: Lab, kubelets: dict[str, Kubelet]) -> None:
    cluster, facts = _by_exec(bgp_lab)
    assert [one.via for one in facts] == ["exec", "exec"]
    assert [one.hostname for one in facts] == [one.name for one in facts]
    assert {missing.reason for one in facts for missing in one.missing} == {NO_VIEW}
    assert [len(kubelets[one.name].seen) for one in facts] == [1, 1]
    found = trace(cluster, facts, resolve(cluster, PAIR[0]), resolve(cluster, PAIR[1]))
    assert str(found.verdict) == "delivered"
    evidence = {(hop.step, str(hop.evidence)) for direction in found.directions for hop in direction.hops}
    assert ("route", "kernel") in evidence
    assert ("container-out", "inferred") in evidence


def test_exec_and_ssh_read_the_same(bgp_lab: Lab, kubelets: dict[str, Kubelet]) -> None:
    cluster, by_exec = _by_exec(bgp_lab)
    options = SshOptions(user="root", config=str(bgp_lab.ssh_config))
    with bgp_lab.inside(), contextlib.closing(SshReader(options, NoPrompts())) as reader:
        by_ssh = reader.read_all(_requests(cluster), lambda *_: None, threading.Event())
    for one, other in zip(by_exec, by_ssh, strict=True):
        assert one.host is not None
        assert other.host is not None
        assert (one.name, one.hostname, one.kernel) == (other.name, other.hostname, other.kernel)
        assert (one.host.links, one.host.routes, one.host.rules) == (
            other.host.links,
            other.host.routes,
            other.host.rules,
        )
        assert one.host.complete == other.host.complete
        assert [answer.command for answer in one.answers] == [answer.command for answer in other.answers]
