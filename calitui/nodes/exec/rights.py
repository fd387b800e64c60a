"""Whether the user may exec into pods of a namespace, asked of the API server before anything is run.

A websocket is opened with a GET, which API servers authorize as the verb `get` on pods/exec; since Kubernetes 1.35
they want `create` too (kubernetes/kubernetes#78741, #134577). Both are asked for everywhere: where `create` is denied
and an older server would let us in all the same, whoever wrote the role did not mean to.
"""

from __future__ import annotations

from typing import Any

import msgspec
import urllib3.exceptions as http
from kubernetes.client import ApiException

from calitui.facts.decoding import decoder
from calitui.facts.text import clean
from calitui.nodes.exec.refusal import ExecRefusedError, refused, short, unreachable

VERBS = ("create", "get")
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
LARGEST_ANSWER = 1 << 20


class _Decision(msgspec.Struct):
    allowed: bool = False
    reason: str = ""


class _Review(msgspec.Struct):
    status: _Decision = msgspec.field(default_factory=_Decision)


def check_exec(client: Any, namespace: str, timeout: float) -> None:
    """Ask whether pods of `namespace` may be exec'd into. A server that can't tell is taken for a yes: it will refuse.

    Raises:
        ExecRefusedError: it is denied, the server can't be reached, or it does not accept the credentials.
    """
    denied = {verb: reason for verb in VERBS if (reason := _denied(client, namespace, verb, timeout)) is not None}
    if not denied:
        return
    verbs = " and ".join(denied)
    why = next((f" ({reason})" for reason in denied.values() if reason), "")
    raise ExecRefusedError(
        f"You may not exec into pods of {clean(namespace)}: {verbs} on pods/exec is denied{why}",
        f"Ask for {' and '.join(VERBS)} on pods/exec in {clean(namespace)}, or use --via ssh",
        403,
    )


def _denied(client: Any, namespace: str, verb: str, timeout: float) -> str | None:
    """The reason of a denial, None where it is allowed or not told."""
    attributes = {"namespace": namespace, "verb": verb, "resource": "pods", "subresource": "exec"}
    question = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    server = clean(str(client.configuration.host))
    headers = {"Accept": "application/json", "Content-Type": "application/json"}
    try:
        request = client.param_serialize(
            "POST", REVIEWS, header_params=headers, body=question, auth_settings=["BearerToken"]
        )
        response = client.call_api(*request, _request_timeout=(timeout, timeout)).response
        try:
            status, body = int(response.status), bytes(response.read(LARGEST_ANSWER))
        finally:
            response.close()
    except (ApiException, http.HTTPError, OSError, ValueError) as error:
        raise unreachable(error, server) from None
    if status == 401:
        raise refused(status, body, server)
    try:
        decision = decoder(_Review).decode(body).status if 200 <= status < 300 else None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        decision = None
    return None if decision is None or decision.allowed else short(decision.reason)
