"""Bundles of the wrong shape, of two clusters, cut off, hostile: one clear line, or something that is missing."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest

from calitui.errors import SnapshotError
from calitui.facts.snapshot import Snapshot
from calitui.nodes.files import bundle
from calitui.session.folder import read_folder
from calitui.trace.path import Verdict
from tests.nodes.files import diags
from tests.nodes.files.test_bundles import traced, unread

ROUTE = "nodes/k8s-calico2/ip-route.txt"


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.size = kind, link, size
    return made


def changed(tmp_path: Path, **files: str | bytes | None) -> Snapshot:
    """The healthy bundle with files replaced or, for None, left out."""
    content: dict[str, str | bytes] = dict(diags.files("ipip"))
    for name, text in files.items():
        content.pop(name)
        if text is not None:
            content[name] = text
    return read_folder(diags.folder(tmp_path / "x", content))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({}, "holds no file of a node and none of the cluster's objects"),
        ({"readme.txt": "hello"}, "holds no file of a node"),
        ({"pods/x.yaml": "a: 1", "nodes/ip-route.txt": "default via 10.0.0.1 dev eth0"}, "holds no file of a node"),
        ({"a/nodes/n/ip-route.txt": "", "b/nodes/n/ip-route.txt": ""}, "holds 2 bundles (a, b). Give one of them"),
    ],
)
def test_folders_of_another_shape(content: dict[str, str], said: str, tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match=said.replace("(", r"\(").replace(")", r"\)")):
        read_folder(diags.folder(tmp_path / "x", content) if content else tmp_path)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "no tarball"),
        (b"PK\x03\x04rest", "is a zip file"),
        (b"\x28\xb5\x2f\xfdrest", "is a zstd file"),
        (b"\x1f\x8bnothing packed", "no tarball"),
        (gzip.compress(b"\0" * 3000), "holds no file of a node"),
        (b"{not json", "no tarball"),
    ],
)
def test_files_that_are_no_bundle(data: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(data)
    with pytest.raises(SnapshotError, match=said):
        read_folder(tmp_path / "x")


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(SnapshotError, match="can't be read: No such file"):
        read_folder(tmp_path / "x")


def test_hostile_members_are_left_out_and_nothing_is_written(tmp_path: Path) -> None:
    top = f"{diags.STAMP}/nodes/k8s-calico4"
    hostile = [
        member("/nodes/abs/ip-route.txt"),
        member(f"{diags.STAMP}/../nodes/up/ip-route.txt"),
        member(f"{top}/ip-route.txt", tarfile.SYMTYPE, "/etc/passwd"),
        member(f"{top}/ip-rule.txt", tarfile.LNKTYPE, "../../../etc/passwd"),
        member(f"{top}/ip-addr.txt", tarfile.CHRTYPE),
        member(f"{top}/ip-link.txt", tarfile.FIFOTYPE),
    ]
    path = diags.tarball(tmp_path / "x.tar.gz", diags.files("ipip"), *hostile)
    snapshot = read_folder(path)
    assert traced(snapshot, "ipip").verdict is Verdict.DELIVERED
    assert [node.name for node in snapshot.nodes] == list(diags.NODES)
    assert {what: reason for what, reason in unread(snapshot, None).items() if what.startswith("file ")} == {
        "file /nodes/abs/ip-route.txt": "its name leads out of the tarball",
        f"file {diags.STAMP}/../nodes/up/ip-route.txt": "its name leads out of the tarball",
        f"file {top}/ip-route.txt": "it is a link, and links are not followed",
        f"file {top}/ip-rule.txt": "it is a link, and links are not followed",
        f"file {top}/ip-addr.txt": "it is no ordinary file",
        f"file {top}/ip-link.txt": "it is no ordinary file",
    }
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_there_twice_is_read_once(tmp_path: Path) -> None:
    path = diags.tarball(tmp_path / "x.tar", diags.files("ipip") | {f"./{ROUTE}": "default via 6.6.6.6 dev eth0\n"})
    snapshot = read_folder(path)
    assert unread(snapshot, None)[f"file {diags.STAMP}/{ROUTE}"] == "it is there twice, and the first was read"
    assert traced(snapshot, "ipip").verdict is Verdict.DELIVERED


def test_a_tarball_that_is_cut_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = diags.tarball(tmp_path / "x.tar.gz", diags.files("ipip"))
    packed, whole = path.read_bytes(), read_folder(path)
    plain = gzip.decompress(packed)
    cut = [packed[:end] for end in range(0, len(packed), len(packed) // 20)]
    cut += [plain[:end] for end in (512, 1024, 1536, 2000, 2048, 20480, 20992, 21000)]
    read = 0
    for data in cut:
        path.write_bytes(data)
        try:
            snapshot = read_folder(path)
        except SnapshotError as error:
            said = str(error)
        else:
            said = unread(snapshot, None).get("the rest of the tarball", "")
            read += 1
            assert said.startswith("it is cut off or damaged: ") or snapshot.nodes == whole.nodes
        assert "\n" not in said
    assert read > len(cut) / 2


def test_a_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "LARGEST_FILE", 1 << 20)
    monkeypatch.setattr(bundle, "LARGEST_UNPACKED", 8 << 20)
    name = f"{diags.STAMP}/nodes/n/ip-route.txt"
    said = tarfile.TarInfo(name)
    said.size = 1 << 40
    honest = member(name, size=4 << 20)
    cases = {
        "says": said.tobuf(),
        "large": honest.tobuf() + bytes(honest.size) + bytes(1024),
        "long name": tarfile.TarInfo("x").tobuf()[:124] + b"77777777777\0" + tarfile.TarInfo("x").tobuf()[136:],
        "logs": member("log", size=16 << 20).tobuf() + bytes(16 << 20) + tarfile.TarInfo(name).tobuf() + bytes(1024),
    }
    for case, data in cases.items():
        path = tmp_path / f"{case}.tgz"
        path.write_bytes(gzip.compress(data))
        with pytest.raises(SnapshotError) as error:
            read_folder(path)
        assert "\n" not in str(error.value)


def test_a_header_that_says_to_be_huge_is_not_read(tmp_path: Path) -> None:
    """The headers of long names are read as a whole by whoever trusts their size."""
    header = tarfile.TarInfo("././@PaxHeader")
    header.type, header.size = tarfile.XHDTYPE, 1 << 35
    path = tmp_path / "x.tar"
    path.write_bytes(header.tobuf(tarfile.GNU_FORMAT) + bytes(4096))
    with pytest.raises(SnapshotError, match="larger than any real one"):
        read_folder(path)


def test_links_and_pipes_in_a_folder_are_left_out(tmp_path: Path) -> None:
    top = diags.folder(tmp_path / "x", diags.files("ipip"))
    (top / ROUTE).unlink()
    (top / ROUTE).symlink_to("/etc/passwd")
    (top / "nodes/k8s-calico3/ip-route.txt").unlink()
    os.mkfifo(top / "nodes/k8s-calico3/ip-route.txt")
    (top / "nodes/k8s-calico4").symlink_to("/etc", target_is_directory=True)
    snapshot = read_folder(top)
    assert unread(snapshot, None)[f"file {ROUTE}"] == "it is a link, and links are not followed"
    assert unread(snapshot, None)["file nodes/k8s-calico3/ip-route.txt"] == "it is no ordinary file"
    assert traced(snapshot, "ipip").verdict is Verdict.UNKNOWN


def test_a_node_of_another_cluster_is_not_mixed_in(tmp_path: Path) -> None:
    content = diags.files("ipip")
    content["nodes/stranger/ip-route.txt"] = "192.168.97.1 dev calixyz scope link\n"
    snapshot = read_folder(diags.folder(tmp_path, content))
    assert [node.name for node in snapshot.nodes] == list(diags.NODES)
    assert unread(snapshot, None)["node stranger"].startswith("nodes.yaml knows no such node")


def test_a_node_of_the_same_name_with_other_addresses_is_said(tmp_path: Path) -> None:
    name = "nodes/k8s-calico2/ip-addr.txt"
    other = diags.files("ipip")[name].replace("10.173.32.23", "10.9.9.9")
    snapshot = changed(tmp_path, **{name: other})
    assert unread(snapshot, "k8s-calico2")["node"].startswith(
        "none of its addresses in nodes.yaml (10.173.32.23) is in its ip-addr.txt"
    )
    assert "node" not in unread(snapshot, "k8s-calico3")


def test_a_folder_named_for_the_pod_that_was_used(tmp_path: Path) -> None:
    content = {name.replace("nodes/k8s-calico2/", "nodes/calico-node-2/"): t for name, t in diags.files("ipip").items()}
    snapshot = read_folder(diags.folder(tmp_path, content))
    assert {node.name for node in snapshot.nodes} == set(diags.NODES)
    twice = content | {"nodes/k8s-calico2/ip-route.txt": "default via 10.0.0.1 dev eth0\n"}
    snapshot = read_folder(diags.folder(tmp_path / "twice", twice))
    assert unread(snapshot, None)["files in nodes/k8s-calico2"] == "another folder is of k8s-calico2 too"


def test_a_line_that_no_grammar_covers_is_kept_and_said(tmp_path: Path) -> None:
    odd = "rainbow \x1b]0;x\x07via 10.0.0.1"
    snapshot = changed(tmp_path, **{ROUTE: f"{diags.files('ipip')[ROUTE]}{odd}\n"})
    host = snapshot.nodes[0].host
    assert host is not None
    assert host.unparsed == ("rainbow via 10.0.0.1",)
    assert "routes" not in host.complete
    assert unread(snapshot, "k8s-calico2")["routes"].startswith("1 of its lines in a form that is not known")
    assert traced(snapshot, "ipip").verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "nodes/k8s-calico2/ip-route.txt is empty"),
        (diags.TTY, "nodes/k8s-calico2/ip-route.txt is empty"),
        (
            'Error from server (NotFound): pods "calico-node-x" not found\n',
            'Error from server (NotFound): pods "calico-node-x" not found',
        ),
        ("error: unable to upgrade connection: x\x1b[31m\n", "error: unable to upgrade connection: x"),
        (
            "default via 10.0.0.1 dev eth0\ncommand terminated with exit code 137\n",
            "command terminated with exit code 137",
        ),
        ("sh: ip: not found\n", "sh: ip: not found"),
    ],
)
def test_what_was_said_instead_of_routes_is_the_reason(text: str, reason: str, tmp_path: Path) -> None:
    snapshot = changed(tmp_path, **{ROUTE: text})
    assert unread(snapshot, "k8s-calico2")["routes"] == reason
    assert traced(snapshot, "ipip").verdict is Verdict.UNKNOWN


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Error from server (Forbidden): pods is forbidden\n", "Error from server (Forbidden): pods is forbidden"),
        ("items:\n- {a: [b\n", "not YAML in line 3"),
        ("items: [" + "[" * 100_000, "is nested deeper than 100 levels"),
        ("a: &x [1]\nitems: [*x, *x]\n", "has an anchor, which nothing of Kubernetes has"),
        ("items:\n- *nothing\n", "has an alias"),
    ],
)
def test_a_list_of_pods_that_can_not_be_read_is_missing(text: str, reason: str, tmp_path: Path) -> None:
    snapshot = changed(tmp_path, **{"cluster/kubernetes/pods.yaml": text})
    assert reason in unread(snapshot, None)["pods"]
    assert unread(snapshot, None)["pods"].startswith("cluster/kubernetes/pods.yaml: ")


def test_bytes_of_any_encoding(tmp_path: Path) -> None:
    pods, route = "cluster/kubernetes/pods.yaml", diags.files("ipip")[ROUTE]
    windows = diags.files("ipip")[pods].replace("\n", "\r\n").encode("utf-16")
    snapshot = changed(tmp_path, **{pods: windows, ROUTE: route.replace("\n", "\r\n").encode() + b"\xff\xfe\x00\n"})
    assert len(snapshot.cluster.pods) == 7
    host = snapshot.nodes[0].host
    assert host is not None
    assert host.unparsed == ("\\xff\\xfe\\x00",)
    assert len(host.routes) == len(route.splitlines()) - 1


def test_pods_before_the_cut_are_there(tmp_path: Path) -> None:
    name = "cluster/kubernetes/pods.yaml"
    text = diags.files("ipip")[name]
    snapshot = changed(tmp_path, **{name: text[: len(text) // 2] + "\n\t}"})
    assert 0 < len(snapshot.cluster.pods) < 7
    assert "not YAML in line" in unread(snapshot, None)["pods"]


def test_an_archive_in_memory_is_recognised() -> None:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("x"))
    assert bundle.is_archive(plain.getvalue())
    assert bundle.is_archive(gzip.compress(b"x"))
    assert not bundle.is_archive(b'{"schema": "calitui.snapshot/1"}')
