"""Rights for the users of the test API server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from tests.apiserver.server import ApiServer

API = "rbac.authorization.k8s.io"
Rule = tuple[str, str, list[str]]
"""API group, resource and verbs."""


@contextlib.contextmanager
def allowed(server: ApiServer, user: str, *rules: Rule, namespace: str | None = None) -> Iterator[None]:
    """`user` may do what `rules` say, everywhere or in one namespace, until the block ends."""
    prefix = "" if namespace else "Cluster"
    metadata: dict[str, Any] = {"name": f"test-{user}"} | ({"namespace": namespace} if namespace else {})
    role = {
        "apiVersion": f"{API}/v1",
        "kind": f"{prefix}Role",
        "metadata": dict(metadata),
        "rules": [{"apiGroups": [group], "resources": [resource], "verbs": verbs} for group, resource, verbs in rules],
    }
    binding = {
        "apiVersion": f"{API}/v1",
        "kind": f"{prefix}RoleBinding",
        "metadata": dict(metadata),
        "roleRef": {"apiGroup": API, "kind": f"{prefix}Role", "name": metadata["name"]},
        "subjects": [{"kind": "User", "name": user, "apiGroup": API}],
    }
    server.apply_all([role, binding])
    try:
        yield
    finally:
        server.delete(binding)
        server.delete(role)
