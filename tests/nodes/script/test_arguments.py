from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from calitui.facts.node import Question
from calitui.nodes.script import LARGEST_QUESTIONS, SCRIPT, arguments, command

SHELLS = [["dash"], ["busybox", "sh"], ["bash", "--posix"]]


def _available(shell: list[str]) -> list[str]:
    if shutil.which(shell[0]) is None:
        pytest.skip(f"{shell[0]} is not installed (apt-get install {shell[0]})")
    return shell


def test_questions_in_pairs_then_containers() -> None:
    question = Question("192.168.97.1", "192.168.210.129")
    words = arguments([question, question, Question("FD00::1", "fd00:0::2")], ["192.168.97.1", "192.168.97.1"])
    assert words == ["192.168.97.1", "192.168.210.129", "fd00::1", "fd00::2", "--", "192.168.97.1"]
    assert arguments([question], []) == ["192.168.97.1", "192.168.210.129"]
    assert arguments([], []) == []


@pytest.mark.parametrize(
    "word", ["", "k8s-calico2", "$(id)", "10.0.0.1; id", "10.0.0.1/26", "010.0.0.1", "fe80::1%eth0", "-x", "--", "1"]
)
def test_nothing_but_addresses_reaches_a_shell(word: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        arguments([Question(word, "10.0.0.1")], [])
    with pytest.raises(ValueError, match=r".+"):
        arguments([Question("10.0.0.1", word)], [])
    with pytest.raises(ValueError, match=r".+"):
        arguments([], [word])


def test_one_question_is_of_one_family() -> None:
    with pytest.raises(ValueError, match="two address families"):
        arguments([Question("10.0.0.1", "fd00::1")], [])


def test_one_run_is_bounded() -> None:
    with pytest.raises(ValueError, match="more than"):
        arguments([Question("10.0.0.1", f"10.0.1.{n}") for n in range(LARGEST_QUESTIONS + 1)], [])


def test_sudo_only_when_asked() -> None:
    assert command(["10.0.0.1", "10.0.0.2"]) == ["sh", "-s", "--", "10.0.0.1", "10.0.0.2"]
    assert command(["10.0.0.1", "10.0.0.2"], sudo=True)[:2] == ["sudo", "-n"]


def test_the_script_writes_nowhere() -> None:
    code = "\n".join(line for line in SCRIPT.splitlines() if not line.startswith("#"))
    assert set(re.findall(r"(?<![-=])>+\s*([^\s;)}|]+)", code)) <= {"/dev/null", "&1", "&3", "&3-", "&4", "&-"}
    assert not re.search(r"\b(rm|mv|cp|tee|dd|kill|eval|exec|add|del|set link|replace|flush|sysctl -w)\b", code)


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_half_a_script_runs_nothing(shell: list[str]) -> None:
    for length in range(0, SCRIPT.index('\nmain "$@"'), 97):
        half = SCRIPT[:length].encode()
        done = subprocess.run([*_available(shell), "-s"], input=half, capture_output=True, check=False, timeout=60)
        assert done.stdout == b""


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
@pytest.mark.parametrize(
    "words", [["10.0.0.1"], ["10.0.0.1", "$(id)"], ["10.0.0.1", "x y"], ["", ""], ["10.0.0.1", "10.0.0.2", "--", "*"]]
)
def test_the_script_checks_its_arguments_again(shell: list[str], words: list[str]) -> None:
    done = subprocess.run(
        [*_available(shell), "-s", "--", *words], input=SCRIPT.encode(), capture_output=True, check=False, timeout=60
    )
    assert done.returncode == 2
    assert b" refused usage: " in done.stdout
    assert done.stdout.count(b"\n") == 3


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_the_script_ends_while_its_input_is_still_open(shell: list[str]) -> None:
    with subprocess.Popen([*_available(shell), "-s"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as running:
        assert running.stdin is not None
        assert running.stdout is not None
        running.stdin.write(SCRIPT.encode())
        running.stdin.flush()
        assert running.stdout.read().rstrip().endswith(b" end")
        assert running.wait(timeout=60) == 0
