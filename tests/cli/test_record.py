"""`calitui record`: the file is whole, private, and never replaces another unasked."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from calitui.cli.files import write
from calitui.errors import UsageError
from calitui.facts.snapshot import decode
from tests.cli.conftest import recorded
from tests.cli.running import run


def test_a_recording_can_be_replayed(ipip: str, home: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    ran = run("record", "-o", str(target), "--from", ipip, home=home)
    assert (ran.code, ran.out) == (0, "")
    assert decode(target.read_bytes(), "out") == recorded()
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert "2 of 2 nodes read" in ran.err
    assert "names and addresses" in ran.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "ipip.json", "out.json"]


def test_stdout(ipip: str, home: Path) -> None:
    ran = run("record", "-o", "-", "--from", ipip, home=home)
    assert ran.code == 0
    assert decode(ran.out.encode(), "stdout") == recorded()


def test_one_node(ipip: str, home: Path) -> None:
    ran = run("record", "-o", "-", "--node", "k8s-calico3", "--from", ipip, home=home)
    assert [node.name for node in decode(ran.out.encode(), "stdout").nodes] == ["k8s-calico3"]
    assert run("record", "-o", "-", "--node", "k8s-calico9", "--from", ipip, home=home).code == 2


def test_a_node_that_could_not_be_read_is_told_and_the_file_written(unread: str, home: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    ran = run("record", "-o", str(target), "--from", unread, home=home)
    assert ran.code == 4
    assert target.exists()
    assert "1 of 2 nodes read" in ran.err
    assert "k8s-calico3: ssh: connect to host" in ran.err


def test_an_existing_file_stays_without_force(ipip: str, home: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    target.write_text("precious")
    ran = run("record", "-o", str(target), "--from", ipip, home=home)
    assert ran.code == 2
    assert "--force" in ran.err
    assert target.read_text() == "precious"
    assert run("record", "-o", str(target), "--force", "--from", ipip, home=home).code == 0
    assert decode(target.read_bytes(), "out") == recorded()
    assert stat.S_IMODE(target.stat().st_mode) == 0o600


def test_a_file_made_meanwhile_stays(tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    target.write_text("precious")
    with pytest.raises(UsageError, match="exists"):
        write(target, b"x", force=False)
    assert target.read_text() == "precious"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("force", [(), ("--force",)])
@pytest.mark.parametrize("target", ["missing/out.json", "", ".", "pipe", "/dev/null"])
def test_where_nothing_can_be_written(
    ipip: str, home: Path, tmp_path: Path, target: str, force: tuple[str, ...]
) -> None:
    os.mkfifo(tmp_path / "pipe")
    path = target if target.startswith("/") else f"{tmp_path}/{target}"
    before = sorted(tmp_path.iterdir())
    ran = run("record", "-o", path, *force, "--from", ipip, home=home)
    assert ran.code == 2
    assert ran.err.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


def test_a_disk_that_is_full(ipip: str, home: Path) -> None:
    """Linux's /dev/full stands in for the disk under stdout."""
    import subprocess
    import sys

    from tests.cli.running import ENTRY, ROOT, environment_of

    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", ENTRY.format(name="calitui"), "record", "-o", "-", "--from", ipip],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            cwd=ROOT,
            env=environment_of(home),
        )
    assert done.returncode == 3
    assert b"No space left" in done.stderr
    assert b"Traceback" not in done.stderr
