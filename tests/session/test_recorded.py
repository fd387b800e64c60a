"""Sessions on recordings: demos, files, and files that are none."""

from __future__ import annotations

import threading
from pathlib import Path

import msgspec
import pytest

from calitui.errors import CalituiError, SnapshotError, UsageError
from calitui.facts.cluster import Freshness
from calitui.facts.snapshot import Snapshot, encode
from calitui.session import Options, Progress, demos, open_demo, open_session
from calitui.trace.path import Disposition
from tests.trace import seed


def quiet(_: Progress) -> None:
    """Progress nobody wants."""


def saved(tmp_path: Path, *nodes: str) -> str:
    taken = Snapshot(seed.cluster("Always"), tuple(seed.node("ipip", name) for name in nodes), taken_at=1.0)
    file = tmp_path / "cluster.json"
    file.write_bytes(encode(taken))
    return str(file)


def test_every_demo_opens_and_has_a_title() -> None:
    titles = demos()
    assert {"bgp", "ipip"} <= set(titles)
    for name, title in titles.items():
        assert title
        session = open_demo(name)
        assert session.origin == f"demo:{name}"
        (inventory,) = session.follow(threading.Event())
        assert inventory.freshness is Freshness.RECORDED
        assert inventory.cluster.pods


def test_a_file_is_traced_like_the_cluster_it_was_taken_of(tmp_path: Path) -> None:
    with_both = open_session(Options(from_=saved(tmp_path, "k8s-calico2", "k8s-calico3")))
    found = with_both.trace(seed.IPIP_SOURCE, seed.IPIP_DESTINATION, quiet, threading.Event())
    assert {direction.disposition for direction in found.directions} == {Disposition.DELIVERED}


def test_a_node_that_is_not_in_the_file_is_not_read(tmp_path: Path) -> None:
    session = open_session(Options(from_=saved(tmp_path, "k8s-calico2")))
    found = session.trace(seed.IPIP_SOURCE, seed.IPIP_DESTINATION, quiet, threading.Event())
    assert found.forward.hops[-1].reason == "k8s-calico3 was not read"


def test_a_recording_of_some_nodes_can_be_cut_out_of_one(tmp_path: Path) -> None:
    session = open_session(Options(from_=saved(tmp_path, "k8s-calico2", "k8s-calico3")))
    cut = session.record(quiet, threading.Event(), ("k8s-calico3",))
    assert [node.name for node in cut.nodes] == ["k8s-calico3"]
    with pytest.raises(UsageError, match="no node nowhere"):
        session.record(quiet, threading.Event(), ("nowhere",))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a calitui snapshot"),
        (b"\x00\xff\xfe", "not a calitui snapshot"),
        (b"[1, 2]", "not a calitui snapshot"),
        (b'{"kind": "PodList", "items": []}', "names no schema"),
        (b'{"schema": "calitui.snapshot/99"}', "calitui.snapshot/99"),
        (b'{"schema": "calitui.snapshot/1", "snapshot": {}}', "damaged"),
        (b'{"schema": "calitui.snapshot/1", "snapshot": {"cluster": {"pods": [{"namespace": 1}]}}}', "damaged"),
        (b"[" * 100_000, "not a calitui snapshot"),
    ],
)
def test_a_file_that_is_no_snapshot_is_one_line(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "odd.json"
    file.write_bytes(content)
    with pytest.raises(SnapshotError) as raised:
        open_session(Options(from_=str(file)))
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_snapshot_cut_anywhere_is_refused_or_whole(tmp_path: Path) -> None:
    whole = Path(saved(tmp_path, "k8s-calico2")).read_bytes()
    for length in range(0, len(whole) - 2, 997):
        file = tmp_path / "cut.json"
        file.write_bytes(whole[:length])
        with pytest.raises(SnapshotError):
            open_session(Options(from_=str(file)))


@pytest.mark.parametrize(
    ("name", "words"),
    [("demo:ipop", "Did you mean ipip"), ("demo:", "There are"), ("/nowhere/x.json", "can't be read")],
)
def test_what_is_not_there_is_said(name: str, words: str) -> None:
    with pytest.raises(CalituiError) as raised:
        open_session(Options(from_=name))
    assert words in str(raised.value)


def test_hostile_text_in_a_snapshot_is_made_harmless(tmp_path: Path) -> None:
    cluster = seed.cluster("Always")
    pod = msgspec.structs.replace(cluster.pods[0], name="evil\x1b[2J\u202e", status="[red]x[/red]")
    file = tmp_path / "evil.json"
    file.write_bytes(encode(Snapshot(msgspec.structs.replace(cluster, pods=(pod,)))))
    found = open_session(Options(from_=str(file))).cluster().pods[0]
    assert found.name == "evil\\x1b[2J\\u202e"
    assert found.status == "[red]x[/red]"


def test_prefixes_that_are_none_are_damage_not_a_crash(tmp_path: Path) -> None:
    text = Path(saved(tmp_path, "k8s-calico2")).read_text("utf-8").replace("10.173.32.0/24", "not/a/prefix")
    file = tmp_path / "prefix.json"
    file.write_text(text)
    with pytest.raises(SnapshotError, match="damaged"):
        open_session(Options(from_=str(file)))
