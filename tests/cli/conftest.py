"""A home that holds nothing, and snapshots of the article's clusters made from facts."""

from __future__ import annotations

from pathlib import Path

import pytest

from calitui.facts.missing import Missing
from calitui.facts.node import NodeFacts
from calitui.facts.snapshot import Snapshot, encode
from tests.apiserver.plugin import apiserver
from tests.trace import seed

__all__ = ["apiserver"]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    where = tmp_path / "home"
    where.mkdir()
    return where


@pytest.fixture
def ipip(tmp_path: Path) -> str:
    return save(tmp_path / "ipip.json", recorded())


@pytest.fixture
def broken(tmp_path: Path) -> str:
    """The source's node has a blackhole in place of the route."""
    route = "192.168.210.128/26 via 10.173.32.26 dev tunl0 proto bird onlink"
    hole = seed.node("ipip", "k8s-calico2", without=[route], more=["blackhole 192.168.210.128/26 proto bird"])
    return save(tmp_path / "broken.json", recorded(hole))


@pytest.fixture
def unread(tmp_path: Path) -> str:
    """The destination's node could not be read."""
    return save(tmp_path / "unread.json", recorded(closed("k8s-calico3")))


def closed(name: str) -> NodeFacts:
    missing = (Missing("everything", "ssh: connect to host 10.173.32.26 port 22: Connection refused", name),)
    return NodeFacts(name, "ssh", "root@10.173.32.26:22", "InternalIP", missing=missing)


def recorded(*changed: NodeFacts) -> Snapshot:
    return Snapshot(
        cluster=seed.cluster("Always"), nodes=seed.pair("ipip", *changed), taken_at=1e6, title="The article"
    )


def save(path: Path, snapshot: Snapshot) -> str:
    path.write_bytes(encode(snapshot))
    return str(path)
