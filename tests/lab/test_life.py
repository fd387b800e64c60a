"""How labs come and go: nothing outside their namespaces changes, and nothing of them stays."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab import needs, state
from tests.lab.lab import Lab
from tests.lab.needs import LabError, LabUnavailableError
from tests.lab.processes import Process, end, remember, wait_until

NAME = f"pytest-life-{os.getpid()}"


@pytest.fixture
def machine() -> None:
    try:
        needs.check()
    except LabUnavailableError as reason:
        pytest.skip(str(reason))


def outside() -> dict[str, str]:
    """The root namespace's network, as far as iproute2 shows it, without the clocks in it."""
    shown = {
        what: subprocess.run(["ip", *what.split()], capture_output=True, text=True, check=True).stdout
        for what in ("addr", "route show table all", "rule")
    }
    return {what: re.sub(r"(expires|valid_lft|preferred_lft) \S+", r"\1", text) for what, text in shown.items()}


def traces(name: str) -> list[str]:
    """Whatever of the lab `name` can be found on this machine."""
    found = [str(path) for path in Path("/run/netns").glob(f"calitui-lab-{name}-*")]
    found += [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if f"-{name}-" in line]
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace")
        except OSError:
            continue
        # Everything a lab starts has its directory or one of its namespaces among its arguments.
        if f"/{name}/" in words or f"-{name}-" in words:
            found.append(words.replace("\0", " "))
    if state.directory(name).exists():
        found.append(str(state.directory(name)))
    return found


@pytest.mark.lab
@pytest.mark.usefixtures("machine")
def test_two_labs_at_once_and_nothing_is_left_of_either() -> None:
    before = outside()
    with Lab.up("bgp", NAME, with_api=False) as one, Lab.up("bgp", f"{NAME}-b", with_api=False) as other:
        assert outside() == before
        for lab in (one, other):
            assert lab.node("k8s-calico4").run("hostname").stdout == "k8s-calico4\n"
        assert traces(NAME)
        processes = [*one.saved.processes, *other.saved.processes]
        assert all(process.is_alive for process in processes)
        with pytest.raises(LabError, match="there already"):
            Lab.up("bgp", NAME)
        with pytest.raises(LabUnavailableError, match="no API server"):
            _ = one.kubeconfig
    assert not any(process.is_alive for process in processes)
    assert traces(NAME) == []
    assert outside() == before


@pytest.mark.lab
@pytest.mark.uml
@pytest.mark.usefixtures("machine")
def test_nothing_is_left_of_a_guest_that_was_killed_while_it_booted() -> None:
    try:
        needs.check_uml()
    except LabUnavailableError as reason:
        pytest.skip(str(reason))
    words = [sys.executable, "-m", "tests.lab", "up", "ipip", "--name", NAME, "--kernel", "uml", "--no-api"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as builder:
        console = state.directory(NAME) / "console.log"
        try:
            wait_until(lambda: console.exists() and "IPv6" in console.read_text(errors="replace"), "it boots", 60)
        finally:
            builder.send_signal(signal.SIGKILL)
    assert command("status").stdout.count(f"{NAME}\tipip\tunder user-mode-linux\tnever finished") == 1
    with pytest.raises(LabError, match="not complete"):
        Lab.find(NAME)
    assert command("down", NAME).returncode == 0
    assert traces(NAME) == []


@pytest.mark.lab
@pytest.mark.usefixtures("machine")
def test_a_lab_that_fails_to_build_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.lab.bird.configuration", lambda *_: "this is no configuration")
    with pytest.raises(LabError, match=r"did not come up.*its logs are kept in ") as failed:
        Lab.up("bgp", NAME, with_api=False)
    kept = Path(str(failed.value).rpartition(" ")[2])
    try:
        assert "syntax error" in (kept / "nodes" / "k8s-calico1" / "boot.log").read_text()
    finally:
        shutil.rmtree(kept)
    assert traces(NAME) == []


def command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.lab", *words], capture_output=True, text=True, check=False, timeout=240
    )


@pytest.mark.lab
@pytest.mark.usefixtures("machine")
def test_a_person_brings_a_lab_up_uses_it_and_takes_it_down() -> None:
    shown = command("up", "bgp", "--name", NAME, "--no-api")
    try:
        assert shown.returncode == 0, shown.stderr
        assert f"ip netns exec calitui-lab-{NAME}-client calitui --ssh-config " in shown.stdout
        assert f"{NAME}\tbgp\ton this machine's kernel\tup" in command("status").stdout
        inside = command("exec", NAME, "ip", "-4", "-o", "addr", "show", "eth0")
        assert "10.173.32.2/24" in inside.stdout
        assert command("exec", NAME, "sh", "-c", "exit 7").returncode == 7
        hint = next(line for line in shown.stdout.splitlines() if "ssh -F" in line)
        assert "proto bird" in subprocess.run(hint.split(), capture_output=True, text=True, check=True).stdout
    finally:
        assert command("down", NAME).returncode == 0
    assert traces(NAME) == []


def test_a_lab_that_is_not_there_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALITUI_LAB_HOME", str(tmp_path))
    shown = command("down", "nowhere")
    assert shown.returncode == 1
    assert shown.stderr == ("Error: there is no lab called nowhere (labs: none); python -m tests.lab up makes one\n")
    assert "is no name for a lab" in command("exec", "../..", "true").stderr


def test_whoever_is_not_root_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(LabUnavailableError, match="needs root"):
        Lab.up("bgp", NAME)
    assert not state.directory(NAME).exists()


def test_a_missing_program_names_its_package() -> None:
    with pytest.raises(LabUnavailableError, match="no-such-program is not installed: apt-get install"):
        needs.program("no-such-program")


def test_a_process_id_that_was_given_to_another_is_left_alone() -> None:
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        mine = remember(sleeper.pid, "sleep")
        other = Process(mine.pid, mine.started - 1, "an earlier process of that id")
        assert end([other]) == []
        assert mine.is_alive
        assert end([mine]) == []
        assert not mine.is_alive
