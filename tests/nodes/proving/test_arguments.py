"""What may be asked: nothing that means anything to a shell gets into a command, and the script refuses it as well."""

from __future__ import annotations

import shutil
import string
import subprocess

import pytest

from calitui.nodes.proving.script import (
    SCRIPT,
    STARTED,
    Where,
    parse_counts,
    parse_ping,
    parse_tools,
    parse_tries,
    parse_watch,
    ping,
    refusal,
    tcp,
    udp,
    watch,
)
from calitui.nodes.script import command

METACHARACTERS = "|&;<>()$`\\\"' \t\n*?[]#~%{}!^\x00\x7f\x1b"
HARMLESS = set(string.ascii_letters + string.digits + "-./:=_,+@")
GOOD = {
    "watch": ["watch", "-", "-", "lo", "1", "1", "64", "icmp"],
    "ping": ["ping", "-", "-", "127.0.0.1", "1", "8", "dont", "-", "ca11"],
    "tcp": ["tcp", "-", "-", "127.0.0.1", "9", "1"],
    "udp": ["udp", "-", "-", "127.0.0.1", "9", "1", "ca11"],
}
SHELLS = [("dash",), ("bash", "--posix"), ("busybox", "sh")]


def _script(words: list[str], shell: tuple[str, ...] = ("sh",)) -> bytes:
    if shutil.which(shell[0]) is None:
        pytest.skip(f"{shell[0]} is not installed (apt-get install {shell[0]})")
    done = subprocess.run(
        [*shell, "-s", "--", *words], input=SCRIPT.encode(), capture_output=True, timeout=30, check=False
    )
    return done.stdout


def test_words_mean_nothing_to_any_shell() -> None:
    where = Where("/run/netns/cni-1_2.x", "2001:DB8::1")
    made = [
        *watch(where, "(icmp and host 10.0.0.1) or ip[32:4]=0x0a000001", seconds=20, count=200, snaplen=192),
        *ping(
            Where("/proc/12/ns/net"), "10.0.0.1", count=3, payload=56, pattern="ca11", dont_fragment=True, identifier=7
        ),
        *tcp(where, "10.0.0.1", 80, count=3),
        *udp(where, "10.0.0.1", 53, count=3, pattern="00ff"),
    ]
    assert {character for word in made for character in word} <= HARMLESS
    assert "2001:db8::1" in made
    assert command(made, sudo=True)[:5] == ["sudo", "-n", "sh", "-s", "--"]


@pytest.mark.parametrize("bad", [*METACHARACTERS, "ä"])
def test_metacharacters_are_refused_before_anything_is_sent(bad: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        ping(Where("/run/netns/a" + bad), "10.0.0.1", count=1, payload=8, pattern="00")
    with pytest.raises(ValueError, match=r".+"):
        ping(Where(holds="10.0.0.1" + bad), "10.0.0.1", count=1, payload=8, pattern="00")
    with pytest.raises(ValueError, match=r".+"):
        tcp(Where(), "10.0.0.1" + bad, 80, count=1)
    with pytest.raises(ValueError, match=r".+"):
        udp(Where(), "10.0.0.1", 80, count=1, pattern="00" + bad)
    with pytest.raises(ValueError, match=r".+"):
        watch(Where(), "icmp", seconds=1, count=1, snaplen=64, device="eth0" + bad)
    if bad not in "()[] ":
        with pytest.raises(ValueError, match=r".+"):
            watch(Where(), "icmp" + bad, seconds=1, count=1, snaplen=64)


@pytest.mark.parametrize(
    "netns",
    ["/run/netns/../../etc", "/run/netns/.", "/run/netns/..", "/run/netns/", "/proc/1/ns/mnt", "/proc/x/ns/net", "x"],
)
def test_only_network_namespaces_can_be_named(netns: str) -> None:
    with pytest.raises(ValueError, match="network namespace"):
        tcp(Where(netns), "10.0.0.1", 80, count=1)
    assert refusal(_script(["tcp", netns, "-", "127.0.0.1", "9", "1"])).startswith("not a n")


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
@pytest.mark.parametrize("mode", GOOD)
def test_script_refuses_each_metacharacter_in_each_word(mode: str, shell: tuple[str, ...]) -> None:
    wrong = [word for word in METACHARACTERS if word != "\x00"] + [
        "$(touch /tmp/ctp-x)",
        "-x y",
        "",
        "--",
        "-w",
        "a=b$c",
    ]
    if shell != ("dash",):
        wrong = wrong[::5]
    for place in range(1, len(GOOD[mode])):
        for bad in wrong:
            if GOOD[mode][place] == "icmp" and bad in ("--", "-w"):
                continue  # A closing parenthesis on the wire: tcpdump is given it as part of its filter.
            words = GOOD[mode].copy()
            words[place] = bad if bad in ("", "--", "-w") else words[place] + bad
            output = _script(words, shell)
            assert output.startswith(STARTED + b"=== refused "), (words, output)
            assert output.count(b"\n") == 2, (words, output)


@pytest.mark.parametrize(
    "words", [[], ["tools", "x"], ["x"], ["ping"], ["watch", "-", "-", "lo", "1"], ["counts", "-"]]
)
def test_script_refuses_the_wrong_number_of_words(words: list[str]) -> None:
    assert refusal(_script(words))


def test_script_that_is_cut_off_anywhere_runs_nothing() -> None:
    script = SCRIPT.encode()
    for end in range(0, len(script), 97):
        done = subprocess.run(
            ["sh", "-s", "--", "tools"], input=script[:end], capture_output=True, timeout=30, check=False
        )
        assert done.stdout == b""


def test_garbage_is_understood_as_nothing() -> None:
    for garbage in (
        b"",
        b"\xff\xfe",
        STARTED,
        STARTED + b"=== refused",
        STARTED + b"=== capture",
        b"=== capture\n\x00",
    ):
        for parse in (parse_tools, parse_watch, parse_ping, parse_tries):
            assert parse(garbage) is not None
        assert parse_counts(garbage) == {}
    assert parse_tools(b"Last login: today\n").refused == "the script did not run"
    assert parse_watch(STARTED + b"1 lo\n2 a\x1b[31m\nx y\n=== capture\nabc").links == {1: "lo", 2: "a\\x1b[31m"}
    assert parse_watch(STARTED + b"1 lo\n=== capture\nabc").pcap == b"abc"
    assert refusal(STARTED + b"=== refused \x1b]0;x\x07 no\n") == "\\x1b]0;x\\x07 no"


def test_answers_are_counted() -> None:
    told = parse_ping(STARTED + b"PING x\n\n3 packets transmitted, 2 received, 33% packet loss, time 402ms\n")
    assert (told.sent, told.answered) == (3, 2)
    busybox = parse_ping(STARTED + b"2 packets transmitted, 1 packets received, 50% packet loss\n")
    assert (busybox.sent, busybox.answered) == (2, 1)
    tries = (
        b"=== try 1\n\n=== status 0\n=== try 2\nbash: connect: Connection refused\n\n=== status 1\n"
        b"=== try 3\n\n=== status 124\n=== try 4\nbash: connect: No route to host\n\n=== status 1\n=== try 5\n"
    )
    knocked = parse_tries(STARTED + tries)
    assert (knocked.sent, knocked.answered) == (4, 2)
    assert knocked.lines[2:] == ("3: no answer", "4: bash: connect: No route to host")
    assert parse_counts(STARTED + b"TcpExt: A B\nTcpExt: 1 2\nIpExt: C\nIpExt: 3\n") == {"A": 1, "B": 2, "C": 3}
