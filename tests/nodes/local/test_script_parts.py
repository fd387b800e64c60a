"""The script run here for what netlink does not tell: taken as far as it goes, stopped with all it started."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path

import pytest

pytest.importorskip("pyroute2", reason="pyroute2 is for Linux only")

from calitui.errors import Cancelled
from calitui.facts.missing import Missing
from calitui.facts.node import NetworkNamespace, NodeFacts
from calitui.nodes.local import script_parts
from calitui.nodes.local.script_parts import with_script_parts

pytestmark = pytest.mark.skipif(not shutil.which("ip"), reason="no iproute2 here: the script reads nothing")

KEPT = (Missing("container 192.168.97.1", "it is not on this node", "k8s-calico2"),)
FACTS = NodeFacts(
    "k8s-calico2", "local", hostname="mine", host=NetworkNamespace(complete=frozenset({"links"})), missing=KEPT
)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with all programs there are."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def reasons(facts: NodeFacts) -> dict[str, str]:
    return {one.what: one.reason for one in facts.missing}


def test_only_what_netlink_does_not_tell_is_taken() -> None:
    facts = with_script_parts(FACTS, threading.Event())
    assert facts.host is not None
    assert facts.host.complete == {"links", "counters"}
    assert "lo" in {one.device for one in facts.host.counters}
    assert (facts.host.links, facts.host.routes, facts.answers, facts.hostname) == ((), (), (), "mine")
    assert facts.processes is not None
    assert facts.missing[0] == KEPT[0]
    assert {one.what for one in facts.missing[1:]} <= {"BIRD", "BIRD for IPv6", "packet filter"}


@pytest.mark.usefixtures("programs")
def test_no_shell_is_said() -> None:
    facts = with_script_parts(FACTS, threading.Event())
    assert facts.host == FACTS.host
    assert (facts.birds, facts.processes, facts.packet_filter) == (None, None, None)
    assert set(reasons(facts)) == {"container 192.168.97.1", "BIRD", "packet filter", "processes", "counters"}
    assert reasons(facts)["BIRD"] == "the node script could not be run: No such file or directory"


def test_one_that_does_not_end_is_stopped(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script_parts, "SECONDS", 0.2)
    _slow(programs)
    facts = with_script_parts(FACTS, threading.Event())
    assert reasons(facts)["processes"] == "the node script was still running after 0 s"
    assert _ended(programs)


def test_the_user_stops_it(programs: Path) -> None:
    _slow(programs)
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    with pytest.raises(Cancelled):
        with_script_parts(FACTS, stop)
    assert _ended(programs)


def _slow(programs: Path) -> None:
    """A shell that says which process it is and starts one that takes long."""
    (programs / "sleep").symlink_to(shutil.which("sleep", path="/usr/bin:/bin") or "/bin/sleep")
    (programs / "sh").write_text(f"#!/bin/sh\nsleep 300 &\necho $! >{programs}/pid\nwait\n")
    (programs / "sh").chmod(0o755)


def _ended(programs: Path) -> bool:
    """Whether what the shell started is gone, or is a zombie that nobody buried."""
    process = Path("/proc") / (programs / "pid").read_text().strip()
    for _ in range(500):
        if not process.exists() or "State:\tZ" in (process / "status").read_text():
            return True
        time.sleep(0.01)
    return False
