"""Fixtures that hand out labs; a conftest that wants them imports them.

One lab of each cluster serves a whole test session. A test that breaks something repairs it, or makes its own lab.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.lab import state
from tests.lab.lab import Lab
from tests.lab.needs import LabUnavailableError

__all__ = ["bgp_lab", "ipip_lab", "lab_of"]


@pytest.fixture(scope="session")
def bgp_lab() -> Iterator[Lab]:
    """The BGP cluster, on this machine's kernel."""
    yield from lab_of("bgp")


@pytest.fixture(scope="session")
def ipip_lab() -> Iterator[Lab]:
    """The IPIP cluster, under user-mode-linux where this machine's kernel has no ipip."""
    yield from lab_of("ipip")


def lab_of(cluster: str) -> Iterator[Lab]:
    """Bring a cluster up for a fixture and take it down again; the test is skipped where this machine can't."""
    _remove_left_overs()
    name = f"pytest-{cluster}-{os.getpid()}"
    if name in state.names():
        # Another conftest imported the fixture too: its lab is up until the session ends.
        yield Lab.find(name)
        return
    try:
        lab = Lab.up(cluster, name)
    except LabUnavailableError as reason:
        pytest.skip(str(reason))
    with lab:
        yield lab


def _remove_left_overs() -> None:
    """Take down labs of test sessions that were killed before they could."""
    if os.geteuid() != 0:
        return
    for name in state.names():
        saved = state.read(name)
        if name.startswith("pytest-") and not saved.maker.is_alive:
            Lab(saved).down()
