"""A reader of one endpoint, and the programs that calico-node's image has."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import ApiClient, Configuration

from calitui.facts.cluster import Node, Pod
from calitui.facts.node import NodeFacts, Question
from calitui.nodes.exec.channels import Limits
from calitui.nodes.exec.reader import ExecReader
from tests.apiserver.plugin import apiserver
from tests.lab.plugin import bgp_lab
from tests.nodes.exec.endpoint import Endpoint

__all__ = ["apiserver", "bgp_lab"]

NODE = Node("k8s-calico2", internal_ips=("10.173.32.23",))
CALICO_NODE = Pod(
    "kube-system",
    "calico-node-4zph4",
    node="k8s-calico2",
    phase="Running",
    status="Running",
    host_network=True,
    labels={"k8s-app": "calico-node"},
)
QUESTION = Question("192.168.97.1", "192.168.210.129")

IMAGE = ("ip", "cat", "grep", "sed", "sort", "tail", "ls")
"""Programs of calico-node's image since v3.18, of those that a script could want; `sh` comes beside them."""


class Reading:
    """A reader of an endpoint, with what it said while it read."""

    def __init__(self, url: str, limits: Limits | None = None, tokens: Sequence[str] = ("secret",)) -> None:
        self.url = url
        self.pods: tuple[Pod, ...] = (CALICO_NODE,)
        self.said: list[str] = []
        self.stop = threading.Event()
        self.tokens = list(tokens)
        self.reader = ExecReader(self.new_client, lambda: self.pods, limits)

    def new_client(self, refused: Any = None) -> Any:
        """A client with the next token."""
        configuration = Configuration(host=self.url)
        configuration.retries = False
        configuration.proxy = None
        configuration.api_key = {"authorization": f"Bearer {self.tokens[0]}"}
        if len(self.tokens) > 1:
            self.tokens.pop(0)
        return ApiClient(configuration=configuration)

    def read(self, questions: Sequence[Question] = (QUESTION,), containers: Sequence[str] = ()) -> NodeFacts:
        return self.reader.read(NODE, questions, containers, self.said.append, self.stop)


def reasons(facts: NodeFacts) -> dict[str, str]:
    """What is missing, and why."""
    return {one.what: one.reason for one in facts.missing}


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def reading() -> Iterator[Callable[..., Reading]]:
    made: list[Reading] = []

    def make(endpoint: Endpoint, limits: Limits | None = None, tokens: Sequence[str] = ("secret",)) -> Reading:
        made.append(Reading(endpoint.url, limits, tokens))
        return made[-1]

    yield make
    for one in made:
        one.reader.close()


@pytest.fixture(params=["dash", "bash", "busybox"])
def image(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A directory that has the image's programs and nothing else, with each kind of `sh`."""
    directory = tmp_path / "bin"
    directory.mkdir()
    for name, program in [("sh", request.param), *((name, name) for name in IMAGE)]:
        found = shutil.which(program, path="/usr/sbin:/usr/bin:/sbin:/bin")
        if found is None:
            pytest.skip(f"{program} is not installed")
        (directory / name).symlink_to(found)
    return directory
