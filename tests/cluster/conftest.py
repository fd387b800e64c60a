"""The real API server for tests of the cluster reader, and a reader of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from calitui.cluster import Api
from tests.apiserver import ApiServer
from tests.apiserver.plugin import apiserver

__all__ = ["apiserver"]


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(autouse=True)
def nothing_reaches_the_terminal(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    yield
    assert capfd.readouterr() == ("", "")


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
