"""Kubelets for a lab's nodes, so that the real kube-apiserver can exec into their calico-node pods.

What is to be run in calico-node runs on the node itself, whose network calico-node shares.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.lab import build
from tests.lab.lab import Lab
from tests.nodes.exec.endpoint import commands
from tests.nodes.exec.kubelet import Kubelet, certificate, kubelet, reachable

_PORT = 10250
_MERGE = {"Content-Type": "application/merge-patch+json"}


@contextlib.contextmanager
def kubelets(lab: Lab, directory: Path) -> Iterator[dict[str, Kubelet]]:
    """Have a kubelet for each node until the block ends; `directory` is for their key.

    On this machine's kernel each listens at its node's own address. A guest's network namespaces can't be entered from
    here, so there they all listen at the client's, which the API server is told as the nodes' Hostname: it dials that
    first. What they run is run on the node either way.
    """
    keys = certificate(directory)
    made = {}
    http = lab.http()
    with contextlib.ExitStack() as closing:
        closing.callback(http.close)
        for number, node in enumerate(lab.nodes):
            path = f"/api/v1/nodes/{node.name}/status"
            before = http.json("GET", path)["status"]["addresses"]
            closing.callback(http.json, "PATCH", path, {"status": {"addresses": before}}, _MERGE)
            here = lab.saved.kernel == "host"
            address, port = (node.spec.address, _PORT) if here else (lab.spec.client, _PORT + number)
            status = reachable(address, port)
            # An API server would ask a resolver for the node's name if it were given one.
            status["addresses"] = [each for each in before if each["type"] == "InternalIP"]
            if not here:
                status["addresses"].append({"type": "Hostname", "address": address})
            http.json("PATCH", path, {"status": status}, _MERGE)
            runtime = commands(prefix=node.command("")[:-1])
            with _inside(build.netns(lab.name, node.name) if here else lab.client):
                made[node.name] = closing.enter_context(kubelet(runtime, address, keys, port))
        yield made


@contextlib.contextmanager
def _inside(name: str) -> Iterator[None]:
    """Move the calling thread into a network namespace; sockets and threads made meanwhile stay there."""
    from pyroute2 import netns  # there is none outside Linux, where tests import this module to be skipped

    with Path("/proc/thread-self/ns/net").open() as home:
        netns.setns(name, flags=0)
        try:
            yield
        finally:
            netns.setns(home.fileno())
