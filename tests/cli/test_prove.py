"""`calitui trace --prove`: nothing is sent unasked; what the packets showed is printed and decides the exit code."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import dpkt
import pytest
from msgspec.structs import replace

from calitui.report import proof_line
from tests.cli.conftest import recorded, save
from tests.cli.running import ROOT, Ran, environment_of, run
from tests.cli.test_terminal import on_a_terminal
from tests.report import proofs
from tests.trace import seed

ENDS = (seed.IPIP_SOURCE, seed.IPIP_DESTINATION)
STUB = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # what runs in the background of a script ignores it
sys.argv[0] = 'stub'
from tests.cli.stub import main
main()
"""


def live(how: str, *arguments: str, home: Path) -> Ran:
    done = subprocess.run(
        [sys.executable, "-c", STUB, how, *arguments],
        capture_output=True,
        check=False,
        stdin=subprocess.DEVNULL,
        cwd=ROOT,
        env=environment_of(home),
        timeout=120,
    )
    return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())


def test_without_a_terminal_and_without_yes_nothing_is_sent(home: Path) -> None:
    ran = live("ok", "trace", *ENDS, "--prove", home=home)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.count("\n") == 1
    assert "Add --yes" in ran.err


def test_the_plan_is_told_and_the_proof_printed(home: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.pcap"
    ran = live("ok", "trace", *ENDS, "--prove", "--yes", "--pcap", str(target), home=home)
    assert ran.code == 0
    assert ran.out.splitlines()[1] == proof_line(proofs.DELIVERED)
    assert "Send 3 ICMP echo requests from" in ran.err
    assert "nsenter --net=/proc/4711/ns/net ping -n -c 3" in ran.err
    assert ran.err.index("nsenter") < ran.err.index("SENT 3 icmp None")
    with target.open("rb") as file:
        assert len(list(dpkt.pcap.Reader(file))) == len(
            proofs.DELIVERED.proof.sightings if proofs.DELIVERED.proof else ()
        )
    assert target.stat().st_mode & 0o777 == 0o600
    again = live("ok", "trace", *ENDS, "--prove", "--yes", "--pcap", str(target), home=home)
    assert (again.code, again.out) == (2, "")
    assert "--force" in again.err
    assert "SENT" not in again.err
    assert live("ok", "trace", *ENDS, "--prove", "--yes", "--pcap", str(target), "--force", home=home).code == 0


def test_what_the_packets_show_decides(home: Path) -> None:
    ran = live("lost", "trace", *ENDS, "--prove", "--yes", "-o", "json", home=home)
    assert ran.code == 1
    data = json.loads(ran.out)
    assert data["proof"]["sentence"] == proof_line(proofs.LOST)
    assert data["findings"][0]["code"] == "underlay-drops-ipip"


def test_options_choose_the_packets(home: Path) -> None:
    ran = live("ok", "trace", *ENDS, "--prove", "--yes", "--port", "8080", "--count", "5", home=home)
    assert "SENT 5 tcp 8080" in ran.err
    ran = live("ok", "trace", *ENDS, "--prove", "--yes", "--port", "53", "--protocol", "udp", home=home)
    assert "SENT 3 udp 53" in ran.err


def test_a_plan_that_can_not_be_made_is_one_line(home: Path) -> None:
    ran = live("refused", "trace", *ENDS, "--prove", "--yes", home=home)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.count("\n") == 1
    assert "needs root there" in ran.err
    assert "\x1b" not in ran.err
    ran = live("ok", "trace", *ENDS, "--prove", "--yes", "--protocol", "udp", home=home)
    assert ran.code == 2
    assert "--port" in ran.err
    assert "SENT" not in ran.err


@pytest.mark.parametrize(("answer", "sent"), [(b"y\n", True), (b"n\n", False), (b"\n", False)])
def test_on_a_terminal_a_person_is_asked(answer: bytes, sent: bool, home: Path) -> None:
    code, shown = on_a_terminal(STUB, "ok", "trace", *ENDS, "--prove", home=home, typed=answer, prompt=b"[y/N]")
    assert code == 0
    assert ("SENT" in shown) is sent
    assert ("Nothing was sent: this is what the routes say" in shown) is not sent
    assert (proof_line(proofs.DELIVERED) in shown) is sent


def test_ctrl_c_ends_what_runs_and_prints_what_there_is(home: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", STUB, "slow", "trace", *ENDS, "--prove", "--yes"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env=environment_of(home),
        start_new_session=True,
    )
    assert process.stderr is not None
    told = []
    for line in process.stderr:
        told.append(line.decode())
        if told[-1].startswith("SENT"):
            process.send_signal(signal.SIGINT)
            break
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "ENDED" in err.decode()
    assert "nothing runs on the nodes any more" in err.decode()
    assert "delivered both ways" in out.decode()
    assert "proved" not in out.decode()


@pytest.mark.parametrize(
    "arguments",
    [
        ("--port", "80"),
        ("--protocol", "tcp"),
        ("--count", "2"),
        ("--yes",),
        ("--pcap", "x.pcap"),
        ("--force",),
        ("--prove", "--force"),
        ("--prove", "--count", "11"),
        ("--prove", "--port", "0"),
        ("--prove", "--protocol", "gre"),
        ("--prove", "--pcap", "/nowhere/x.pcap"),
    ],
)
def test_options_that_do_not_fit(arguments: tuple[str, ...], ipip: str, home: Path) -> None:
    ran = run("trace", *ENDS, "--from", ipip, *arguments, home=home)
    assert (ran.code, ran.out) == (2, "")
    assert "Traceback" not in ran.err


def test_a_recording_shows_its_proof_and_asks_nobody(home: Path, tmp_path: Path) -> None:
    assert proofs.LOST.proof is not None
    name = save(tmp_path / "proved.json", replace(recorded(), proofs=(proofs.LOST.proof,)))
    target = tmp_path / "out.pcapng"
    ran = run("trace", *ENDS, "--from", name, "--prove", "--pcap", str(target), home=home)
    assert ran.code == 1
    assert proof_line(proofs.LOST) in " ".join(ran.out.split())
    assert "Send 3" not in ran.err
    assert target.read_bytes()[:4] == b"\x0a\x0d\x0d\x0a"


def test_a_recording_without_a_proof_says_so(ipip: str, home: Path) -> None:
    ran = run("trace", *ENDS, "--from", ipip, "--prove", home=home)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.count("\n") == 1
    assert "no proof" in ran.err


def test_recordings_take_proofs_along_after_asking(home: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    turned = (ENDS[1], ENDS[0])
    arguments = ("record", "-o", str(target), "--prove", *ENDS, "--prove", *turned)
    ran = live("ok", *arguments, home=home)
    assert ran.code == 2
    assert "Add --yes" in ran.err
    assert not target.exists()
    ran = live("ok", *arguments, "--yes", home=home)
    assert ran.code == 0
    assert f"RECORDED {[ENDS, turned]}" in ran.err
    assert ran.err.count("Send 3 ICMP echo requests") == 2
    assert target.exists()
    code, shown = on_a_terminal(STUB, "ok", *arguments, "--force", home=home, typed=b"n\n", prompt=b"[y/N]")
    assert code == 2
    assert "RECORDED" not in shown
