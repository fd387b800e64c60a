"""Through a real kube-apiserver: its rights, its refusals, and execs that it proxies to the endpoint as kubelet."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from calitui.cluster.api import Api
from calitui.cluster.reading import read
from calitui.facts.cluster import Node
from calitui.facts.node import NodeFacts, Question
from calitui.nodes.exec.reader import ExecReader
from tests.apiserver import ApiServer
from tests.apiserver.rbac import allowed
from tests.nodes.exec.conftest import reasons
from tests.nodes.exec.endpoint import commands
from tests.nodes.exec.kubelet import Kubelet, calico_node, certificate, node
from tests.nodes.exec.kubelet import kubelet as started

pytestmark = pytest.mark.apiserver

ADDRESS = "127.0.0.1"
NAME = "exec-node"
READ = ("", "pods", ["list", "watch"])
QUESTION = Question("127.0.0.1", "127.0.0.1")


@pytest.fixture(scope="module")
def kubelet(apiserver: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubelet]:
    keys = certificate(tmp_path_factory.mktemp("kubelet"))
    with started(commands(), ADDRESS, keys) as running:
        things = [node(NAME, ADDRESS, running.port), calico_node(NAME)]
        apiserver.apply_all(things)
        yield running
        for thing in reversed(things):
            apiserver.delete(thing)


def _read(apiserver: ApiServer, kubeconfig: Path) -> NodeFacts:
    with Api(str(apiserver.kubeconfig)) as admin:
        pods = read(admin).pods
    with Api(str(kubeconfig)) as api, contextlib.closing(ExecReader(api.new_client, lambda: pods)) as reader:
        return reader.read(Node(NAME), [QUESTION], [], lambda _: None, threading.Event())


def test_a_node_is_read_through_the_api_server(apiserver: ApiServer, kubelet: Kubelet) -> None:
    facts = _read(apiserver, apiserver.kubeconfig)
    assert reasons(facts) == {}
    assert facts.host is not None
    assert "routes" in facts.host.complete
    asked = kubelet.seen[-1]
    assert (asked.namespace, asked.pod, asked.container) == ("kube-system", f"calico-node-{NAME}", "calico-node")
    assert asked.command[:3] == ("sh", "-s", "--")


@pytest.mark.parametrize("namespace", [None, "kube-system"])
def test_create_and_get_on_pods_exec_are_enough(apiserver: ApiServer, kubelet: Kubelet, namespace: str | None) -> None:
    with allowed(apiserver, "viewer", ("", "pods/exec", ["create", "get"]), namespace=namespace):
        facts = _read(apiserver, apiserver.kubeconfig_for("viewer"))
    assert reasons(facts) == {}
    assert facts.host is not None


@pytest.mark.parametrize(
    ("verbs", "denied"),
    [([], "create and get"), (["get"], "create"), (["create"], "get"), (["list"], "create and get")],
)
def test_a_user_without_the_rights_is_told_so(
    apiserver: ApiServer, kubelet: Kubelet, verbs: list[str], denied: str
) -> None:
    before = len(kubelet.seen)
    with contextlib.ExitStack() as rights:
        if verbs:
            rights.enter_context(allowed(apiserver, "viewer", ("", "pods/exec", verbs)))
        facts = _read(apiserver, apiserver.kubeconfig_for("viewer"))
    assert f"You may not exec into pods of kube-system: {denied} on pods/exec is denied" in reasons(facts)["node"]
    assert len(kubelet.seen) == before


def test_credentials_that_are_not_accepted_are_said(apiserver: ApiServer, kubelet: Kubelet) -> None:
    facts = _read(apiserver, apiserver.kubeconfig_for("stranger", token="forged"))
    assert "does not accept your credentials (401 Unauthorized)" in reasons(facts)["node"]


def test_a_container_of_another_name_is_said(apiserver: ApiServer, kubelet: Kubelet) -> None:
    pod = calico_node(NAME, "something-else")
    apiserver.delete(pod)
    apiserver.apply(pod)
    try:
        facts = _read(apiserver, apiserver.kubeconfig)
    finally:
        apiserver.delete(pod)
        apiserver.apply(calico_node(NAME))
    assert "container calico-node is not valid for pod" in reasons(facts)["node"]


def test_a_pod_that_went_away_meanwhile_is_said(apiserver: ApiServer, kubelet: Kubelet) -> None:
    with Api(str(apiserver.kubeconfig)) as api:
        pods = read(api).pods
        apiserver.delete(calico_node(NAME))
        try:
            with contextlib.closing(ExecReader(api.new_client, lambda: pods)) as reader:
                facts = reader.read(Node(NAME), [QUESTION], [], lambda _: None, threading.Event())
        finally:
            apiserver.apply(calico_node(NAME))
    assert f'The calico-node pod is gone (pods "calico-node-{NAME}" not found)' in reasons(facts)["node"]


def test_a_kubelet_that_is_not_there_is_said(apiserver: ApiServer, kubelet: Kubelet) -> None:
    apiserver.apply(node(NAME, ADDRESS, 1))
    try:
        facts = _read(apiserver, apiserver.kubeconfig)
    finally:
        apiserver.apply(node(NAME, ADDRESS, kubelet.port))
    assert "connection refused" in reasons(facts)["node"]
    assert "kubelet" in reasons(facts)["node"]
