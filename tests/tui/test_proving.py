"""Proof by packet on screen: the plan before, how far it is, and at each hop what was predicted and what was seen."""

from __future__ import annotations

import threading
from pathlib import Path

import dpkt
import pytest
from textual.widgets import Input

from calitui.errors import CalituiError, Cancelled, UsageError
from calitui.facts.proof import Probe, Proof
from calitui.proof.plan import PlannedProbe
from calitui.proof.token import Token
from calitui.session import CannotProve, Progress, ProgressSink, ProofPlan, ProofRequest
from calitui.trace.path import Trace
from calitui.tui.trace.proving import ProofScreen, asked
from tests.report import proofs
from tests.trace import seed
from tests.tui.driving import LARGE, SMALL, Driven, opened
from tests.tui.recorded import RecordedSession

ENDS = (seed.IPIP_SOURCE, seed.IPIP_DESTINATION)
PREDICTED = seed.run("ipip")
PATIENCE = 10.0


class Proving(RecordedSession):
    """Hands out a plan, and a trace with a proof or why there is none; a proof waits at `open_end`."""

    def __init__(
        self,
        found: Trace | CalituiError = proofs.DELIVERED,
        plan: tuple[str, ...] | CannotProve = ("Send 3 packets:", "  k8s-calico2: ping -n 192.168.210.129"),
        *,
        recorded: bool = False,
    ) -> None:
        super().__init__(answers={ENDS: PREDICTED}, recorded=recorded)
        self.found = found
        self.planned = plan
        self.requests: list[ProofRequest] = []
        self.proved: list[ProofRequest] = []
        self.open_end = threading.Event()
        self.open_end.set()

    def proof_plan(
        self, of: Trace, request: ProofRequest, progress: ProgressSink, stop: threading.Event
    ) -> ProofPlan | CannotProve:
        self.requests.append(request)
        if isinstance(self.planned, CannotProve):
            return self.planned
        probe = PlannedProbe(node="k8s-calico2", source="192.168.97.1", destination="192.168.210.129")
        token = Token(protocol="icmp", source="192.168.97.1", destination="192.168.210.129")
        return ProofPlan(probe=probe, watches=(), token=token, sentences=(*self.planned, f"as {request.protocol}"))

    def prove(self, of: Trace, request: ProofRequest, progress: ProgressSink, stop: threading.Event) -> Trace:
        self.proved.append(request)
        progress(Progress("listening", "k8s-calico3"))
        for _ in range(int(PATIENCE * 100)):
            if self.open_end.wait(0.01) or stop.is_set():
                break
        if stop.is_set():
            raise Cancelled
        if isinstance(self.found, CalituiError):
            raise self.found
        return self.found


async def asking(driven: Driven) -> None:
    await driven.until_trace()
    await driven.press("p")
    await driven.until(lambda: isinstance(driven.app.screen, ProofScreen))


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_the_plan_comes_first_and_nothing_is_sent_without_a_yes(size: tuple[int, int]) -> None:
    session = Proving()
    async with opened(session, size=size, source=ENDS[0], destination=ENDS[1]) as driven:
        await asking(driven)
        await driven.until_text("k8s-calico2: ping -n 192.168.210.129")
        assert "y or Enter sends" in driven.text
        await driven.press("escape")
        await driven.until_trace()
        assert session.proved == []
        assert "◉" not in driven.text


@pytest.mark.parametrize("key", ["y", "enter"])
@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_every_hop_shows_what_was_seen(size: tuple[int, int], key: str) -> None:
    session = Proving()
    async with opened(session, size=size, source=ENDS[0], destination=ENDS[1]) as driven:
        await asking(driven)
        await driven.until_text("as icmp")
        await driven.press(key)
        await driven.until_trace()
        await driven.until_text("◉")
        assert session.proved == [ProofRequest()]
        short, whole = "proved: 3 packets answered", "proved: 3 of 3 packets delivered and answered"
        assert f"◉ {short if size == SMALL else whole}" in driven.text.splitlines()[0]
        assert sum("◉" in line and line.rstrip("│ ").count("seen") >= 1 for line in driven.text.splitlines()) >= 10
        await driven.press("j", "j", "j", "j")
        flat = " ".join(driven.text.split())
        assert "seen here: 3 requests, 3 replies" in flat
        assert "10.173.32.23 → 10.173.32.26" in driven.text
        await driven.press("enter")
        flat = " ".join(driven.text.split())
        assert "22:13:20.250100 IP 10.173.32.23 > 10.173.32.26: IP 192.168.97.1 > 192.168.210.129" in flat
        assert "outer IP 10.173.32.23 → 10.173.32.26 · IPIP proto 4" in flat
        assert "104 bytes · TTL 63 · DF" in flat


@pytest.mark.parametrize("size", [SMALL, LARGE])
async def test_a_loss_is_shown_at_its_hop(size: tuple[int, int]) -> None:
    async with opened(Proving(proofs.LOST), size=size, source=ENDS[0], destination=ENDS[1]) as driven:
        await asking(driven)
        await driven.until_text("as icmp")
        await driven.press("y")
        await driven.until_trace()
        await driven.until_text("not seen")
        assert "never arrived at k8s-calico3 eth0" in driven.text
        assert (driven.trace.direction, driven.trace.selected[0]) == (0, 5)
        lines = [line for line in driven.text.splitlines() if "nic in" in line]
        assert "✖" in lines[0]
        assert "not seen" in lines[0]
        assert any("◌" in line and "not seen" in line for line in driven.text.splitlines())
        assert any("not watched" in line for line in driven.text.splitlines())


async def test_protocol_port_and_number_are_chosen_in_the_dialog() -> None:
    session = Proving()
    async with opened(session, size=LARGE, source=ENDS[0], destination=ENDS[1]) as driven:
        await asking(driven)
        await driven.until_text("as icmp")
        driven.app.screen.query_one("#what", Input).value = "tcp"
        await driven.until_text("what to send is icmp, tcp PORT or udp PORT")
        await driven.press("y")
        assert session.proved == []
        await driven.press("tab")
        driven.app.screen.query_one("#what", Input).value = "tcp 8080"
        await driven.until_text("as tcp")
        await driven.press("tab", "backspace", "5")
        await driven.until(lambda: session.requests[-1].count == 5)
        await driven.press("enter")
        assert session.proved == []
        await driven.until_text("as tcp")
        await driven.press("enter")
        await driven.until_trace()
        assert session.proved == [ProofRequest(protocol="tcp", port=8080, count=5)]


@pytest.mark.parametrize(
    ("what", "number", "request_"),
    [
        ("icmp", "3", ProofRequest()),
        (" ICMP ", " 1 ", ProofRequest(count=1)),
        ("udp 53", "10", ProofRequest(protocol="udp", port=53, count=10)),
        ("tcp 0", "3", None),
        ("tcp 65536", "3", None),
        ("tcp ٣", "3", None),
        ("icmp 5", "3", None),
        ("gre", "3", None),
        ("icmp", "0", None),
        ("icmp", "11", None),
        ("icmp", "99999", None),
        ("icmp", "x", None),
        ("", "", None),
    ],
)
def test_what_the_fields_ask_for(what: str, number: str, request_: ProofRequest | None) -> None:
    found = asked(what, number)
    assert (found == request_) if request_ is not None else isinstance(found, str)


async def test_why_nothing_can_be_sent_is_said_and_enter_does_nothing() -> None:
    reason = "the network namespace of huang1/a can't be entered: it needs root there, try --sudo [red]x[/red]\x1b[31m"
    session = Proving(plan=CannotProve((reason,)))
    async with opened(session, source=ENDS[0], destination=ENDS[1]) as driven:
        await asking(driven)
        await driven.until_text("it needs root")
        assert "\x1b" not in driven.text
        assert "there, try --sudo [red]x[/red]" in driven.text
        await driven.press("enter", "y")
        assert session.proved == []


async def test_what_fails_while_it_runs_stays_on_screen() -> None:
    session = Proving(CalituiError("tcpdump is not on k8s-calico2 nor on k8s-calico3", "Install it"))
    async with opened(session, source=ENDS[0], destination=ENDS[1]) as driven:
        await asking(driven)
        await driven.until_text("as icmp")
        await driven.press("y")
        await driven.until_text("✖ tcpdump is not on k8s-calico2 nor on k8s-calico3. Install it")
        await driven.press("escape")
        await driven.until_trace()


async def test_progress_is_told_and_esc_stops() -> None:
    session = Proving()
    session.open_end.clear()
    async with opened(session, source=ENDS[0], destination=ENDS[1]) as driven:
        await asking(driven)
        await driven.until_text("as icmp")
        await driven.press("y")
        await driven.until_text("k8s-calico3: listening")
        await driven.press("y", "enter")
        assert len(session.proved) == 1
        await driven.press("escape")
        await driven.until_trace()
        assert "◉" not in driven.text


async def test_of_a_recording_its_proof_is_shown_at_once() -> None:
    async with opened(Proving(recorded=True), source=ENDS[0], destination=ENDS[1]) as driven:
        await driven.until_trace()
        await driven.press("p")
        await driven.until_text("◉ proved: 3 packets answered")


async def test_a_recording_without_a_proof_says_so_in_a_line() -> None:
    session = Proving(UsageError("demo:x holds no proof between a and b", "Use a live cluster"), recorded=True)
    async with opened(session, source=ENDS[0], destination=ENDS[1]) as driven:
        await driven.until_trace()
        await driven.press("p")
        await driven.until_text("✖ demo:x holds no proof between a and b. Use a live cluster")
        await driven.press("escape")
        await driven.until_trace()


async def test_the_packets_can_be_saved(tmp_path: Path) -> None:
    async with opened(Proving(), size=LARGE, source=ENDS[0], destination=ENDS[1]) as driven:
        await asking(driven)
        await driven.until_text("as icmp")
        await driven.press("y")
        await driven.until_text("◉")
        for name in ("out.pcap", "out.pcapng", "out.md"):
            await driven.press("e")
            assert ".pcap" in driven.text
            driven.app.screen.query_one(Input).value = str(tmp_path / name)
            await driven.press("enter")
            await driven.until_trace()
        with (tmp_path / "out.pcap").open("rb") as file:
            assert len(list(dpkt.pcap.Reader(file))) == len(
                proofs.DELIVERED.proof.sightings if proofs.DELIVERED.proof else ()
            )
        assert (tmp_path / "out.pcapng").read_bytes()[:4] == b"\x0a\x0d\x0d\x0a"
        assert "Seen on the wire" in (tmp_path / "out.md").read_text()


async def test_without_a_proof_there_are_no_packets_to_save() -> None:
    async with opened(Proving(), source=ENDS[0], destination=ENDS[1]) as driven:
        await driven.until_trace()
        await driven.press("e")
        assert ".pcap" not in driven.text


async def test_reading_again_forgets_the_proof_and_calls_nothing_gone() -> None:
    session = Proving(proofs.LOST)
    async with opened(session, size=LARGE, source=ENDS[0], destination=ENDS[1]) as driven:
        await asking(driven)
        await driven.until_text("as icmp")
        await driven.press("y")
        await driven.until_text("not seen")
        await driven.press("r")
        await driven.until(lambda: driven.trace.trace is PREDICTED)
        assert "not seen" not in driven.text
        assert "gone" not in driven.text


async def test_a_proof_can_not_be_turned_so_swapping_reads_anew() -> None:
    session = Proving()
    session.answers[(ENDS[1], ENDS[0])] = PREDICTED
    async with opened(session, size=LARGE, source=ENDS[0], destination=ENDS[1]) as driven:
        await asking(driven)
        await driven.until_text("as icmp")
        await driven.press("y")
        await driven.until_text("◉")
        before = len(session.asked)
        await driven.press("x")
        await driven.until(lambda: len(session.asked) == before + 1)


async def test_a_probe_that_could_not_be_sent_is_told() -> None:
    from calitui.proof.analysis import prove

    probe = Probe(node="k8s-calico2", source="192.168.97.1", destination="192.168.210.129", error="ping: not found")
    found = prove(PREDICTED, Proof(taken_at=1.0, probe=probe), seed.cluster("Always"))
    async with opened(Proving(found), size=LARGE, source=ENDS[0], destination=ENDS[1]) as driven:
        await asking(driven)
        await driven.until_text("as icmp")
        await driven.press("y")
        await driven.until_text("ping: not found")
        assert "◉" not in driven.text
