"""Fixtures of the test API server; a conftest that wants them imports them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.apiserver.server import ApiServer, assets, why_not

__all__ = ["apiserver"]


@pytest.fixture(scope="session")
def apiserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """One real kube-apiserver for the whole run; tests use namespaces of their own and clean up cluster-wide things."""
    if assets() is None:
        pytest.skip(why_not())
    with ApiServer.start(tmp_path_factory.mktemp("apiserver")) as server:
        yield server
