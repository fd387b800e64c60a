"""One reading of the whole cluster: what the command line needs, and the pieces that following it starts from."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from typing import Any, TypeVar

import msgspec

from calitui.cluster import calico, nodes, pods
from calitui.cluster.api import Api
from calitui.cluster.listing import pages
from calitui.cluster.parallel import spawn
from calitui.cluster.refusal import ApiError
from calitui.facts.cluster import Cluster, Node, Pod
from calitui.facts.decoding import decoder
from calitui.facts.missing import Missing
from calitui.facts.text import clean

PODS_PATH = "/api/v1/pods"
NODES_PATH = "/api/v1/nodes"
T = TypeVar("T")


class _Version(msgspec.Struct, rename="camel"):
    git_version: str = ""


def kubernetes_version(api: Api) -> str:
    """The API server's version as it says itself (`v1.30.2`), "" if it doesn't."""
    try:
        return clean(decoder(_Version).decode(api.get("/version")).git_version)
    except (ApiError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""


def allowed_pods_path(api: Api, error: ApiError) -> tuple[str, Missing]:
    """Where to list pods after listing all of them failed with `error`: the context's namespace, if it was a 403.

    Raises:
        ApiError: `error`, when it was something else.
    """
    if error.status != 403:
        raise error
    return f"/api/v1/namespaces/{api.namespace}/pods", Missing("pods of other namespaces", error.what)


def read(api: Api) -> Cluster:
    """Read pods, nodes and Calico's objects at once.

    Whatever can't be read is in `missing`, except pods: without them there is nothing to say.

    Raises:
        ClusterError: the server can't be reached, or pods can't be listed.
    """
    version = spawn(lambda: kubernetes_version(api))
    node_list = spawn(lambda: _nodes(api))
    objects = spawn(lambda: calico.read(api))
    try:
        all_pods, missing = _pods(api)
    except ApiError:
        # The others fail alike in a moment; ended requests leave no connection behind when `api` is closed next.
        others: list[Future[Any]] = [version, node_list, objects]
        wait(others, timeout=1)
        raise
    found_nodes = _result(node_list, "nodes")
    cluster = Cluster(
        context=api.context,
        server=api.server,
        namespace=api.namespace,
        kubernetes_version=version.result(),
        read_at=time.time(),
        pods=all_pods,
        nodes=() if isinstance(found_nodes, Missing) else found_nodes,
        missing=missing + ((found_nodes,) if isinstance(found_nodes, Missing) else ()),
    )
    return objects.result().onto(cluster)


def _result(future: Future[T], what: str) -> T | Missing:
    try:
        return future.result()
    except ApiError as error:
        return Missing(what, error.what)


def _pods(api: Api) -> tuple[tuple[Pod, ...], tuple[Missing, ...]]:
    try:
        return _all_pods(api.get, PODS_PATH), ()
    except ApiError as error:
        path, missing = allowed_pods_path(api, error)
        try:
            return _all_pods(api.get, path), (missing,)
        except ApiError:
            raise error from None


def _all_pods(get: Callable[[str, Mapping[str, str | int]], bytearray], path: str) -> tuple[Pod, ...]:
    words = pods.Words()
    found: list[Pod] = []
    for chunk in pages(get, path, pods.RawPod, ahead=True):
        if chunk.first:
            found = []
        found.extend(pod for raw in chunk.items if (pod := pods.pod(raw, words)).name)
    return tuple(found)


def _nodes(api: Api) -> tuple[Node, ...]:
    words = pods.Words()
    found: list[Node] = []
    for chunk in pages(api.get, NODES_PATH, nodes.RawNode):
        if chunk.first:
            found = []
        found.extend(node for raw in chunk.items if (node := nodes.node(raw, words)).name)
    return tuple(found)
