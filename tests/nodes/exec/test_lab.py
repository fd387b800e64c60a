"""A trace through exec alone, in the lab: real kube-apiserver, a kubelet on each node's address, the nodes' kernels."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import pytest

from calitui.cluster.api import Api
from calitui.cluster.reading import read
from calitui.facts.cluster import Cluster
from calitui.facts.node import NodeFacts
from calitui.nodes.exec.reader import NO_VIEW, ExecReader
from calitui.nodes.reading import ReadRequest, read_all
from calitui.nodes.ssh.prompts import NoPrompts
from calitui.nodes.ssh.reader import SshReader
from calitui.nodes.ssh.resolve import SshOptions
from calitui.trace.ends import resolve
from calitui.trace.tracing import containers_on, nodes_on_the_way, questions, trace
from tests.end_to_end.kubelets import kubelets as kubelets_of
from tests.lab.lab import Lab
from tests.nodes.exec.kubelet import Kubelet

pytestmark = pytest.mark.lab

PAIR = ("huang2/hhh-6897d64fcd-4zph4", "huang1/huangtest-69d9fddd97-pbvvw")


@pytest.fixture(scope="module")
def kubelets(bgp_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Kubelet]]:
    """A kubelet on every node."""
    if bgp_lab.without_api:
        pytest.skip(f"the lab has no API server: {bgp_lab.without_api}")
    with kubelets_of(bgp_lab, tmp_path_factory.mktemp("kubelet")) as made:
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
        return cluster, read_all(reader.read, _requests(cluster), lambda *_: None, threading.Event())


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
        by_ssh = read_all(reader.read, _requests(cluster), lambda *_: None, threading.Event())
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
