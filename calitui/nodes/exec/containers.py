"""Which container of a user's pod a command goes to, as kubectl chooses: the annotated one, or the first."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec
import urllib3.exceptions as http
from kubernetes.client import ApiException

from calitui.errors import NodeError
from calitui.facts.cluster import Pod
from calitui.facts.decoding import decoder
from calitui.facts.text import clean
from calitui.nodes.deadline import Deadline, in_background
from calitui.nodes.exec.channels import Limits
from calitui.nodes.exec.refusal import refused, unreachable

ANNOTATION = "kubectl.kubernetes.io/default-container"
LARGEST_ANSWER = 4 << 20


class _Metadata(msgspec.Struct):
    annotations: dict[str, str] | None = None


class _Container(msgspec.Struct):
    name: str = ""


class _Spec(msgspec.Struct):
    containers: list[_Container] = []


class _Pod(msgspec.Struct):
    metadata: _Metadata = msgspec.field(default_factory=_Metadata)
    spec: _Spec = msgspec.field(default_factory=_Spec)


def main_container(client: Any, pod: Pod, limits: Limits, around: Deadline) -> str:
    """The name of the container.

    Raises:
        ExecRefusedError: the server can't be reached, or refuses.
        NodeError: the pod is none that can be understood.
        Cancelled: the user stopped.
    """
    step = around.step(limits.rights * 2, f"{clean(str(client.configuration.host))} did not tell of the pod in time")
    return in_background(lambda: _asked(client, pod, limits.rights), step)


def _asked(client: Any, pod: Pod, timeout: float) -> str:
    server = clean(str(client.configuration.host))
    path = f"/api/v1/namespaces/{quote(pod.namespace, safe='')}/pods/{quote(pod.name, safe='')}"
    try:
        request = client.param_serialize(
            "GET", path, header_params={"Accept": "application/json"}, auth_settings=["BearerToken"]
        )
        response = client.call_api(*request, _request_timeout=(timeout, timeout)).response
        try:
            status, body = int(response.status), bytes(response.read(LARGEST_ANSWER))
        finally:
            response.close()
    except (ApiException, http.HTTPError, OSError, ValueError) as error:
        raise unreachable(error, server) from None
    if status == 404:
        raise NodeError(f"The pod {clean(pod.namespace)}/{clean(pod.name)} is gone", "Trace again")
    if not 200 <= status < 300:
        raise refused(status, body, server)
    try:
        found = decoder(_Pod).decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise NodeError(
            f"{server} told of {clean(pod.namespace)}/{clean(pod.name)} in a form that is not known"
        ) from None
    names = [container.name for container in found.spec.containers if container.name]
    annotated = (found.metadata.annotations or {}).get(ANNOTATION, "")
    return annotated if annotated in names else next(iter(names), "")
