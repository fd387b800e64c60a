"""The real API server for tests of the cluster reader, and a reader of it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from calitui.cluster import Api
from tests.apiserver import ApiServer
from tests.apiserver.plugin import apiserver

__all__ = ["apiserver"]


@pytest.fixture
def api(apiserver: ApiServer) -> Iterator[Api]:
    """The session's API server as admin."""
    with Api(str(apiserver.kubeconfig)) as found:
        yield found


@pytest.fixture
def clean_cluster(apiserver: ApiServer) -> Iterator[None]:
    """No pods and no nodes before and after the test, however many there were."""
    for prefix in ("/registry/pods/", "/registry/minions/"):
        apiserver.etcd.delete_prefix(prefix)
    yield
    for prefix in ("/registry/pods/", "/registry/minions/"):
        apiserver.etcd.delete_prefix(prefix)
