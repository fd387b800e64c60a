"""A live proof in every report: what was sent, what was seen where, and the two pictures of the packet."""

from __future__ import annotations

import json
import re
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from calitui.facts.missing import Missing
from calitui.facts.proof import Probe, RuleCount, SeenHeader, SizeProbe, Watch
from calitui.report import as_json, as_markdown, as_text, proof_line
from calitui.report.contract import TraceReport
from calitui.report.pictures import boxes, tcpdump_line
from calitui.report.proof import sizes_sentence
from calitui.report.proved import loss, mark, seen_line
from calitui.trace.finding import Finding, Severity, Spot
from calitui.trace.path import Observed, Trace, Verdict
from tests.report import proofs
from tests.report.proofs import DELIVERED, LOST
from tests.report.test_reports import HOSTILE, KEYS
from tests.trace import seed

GOLDEN = Path(__file__).parent / "golden"
PREDICTED = seed.run("ipip")


def with_observed(trace: Trace, **changes: Observed) -> Trace:
    """Other observations, by `forward5` and the like."""
    ways = []
    for way in trace.directions:
        hops = (
            replace(hop, observed=changes.get(f"{way.name.removeprefix('re')}{hop.number}", hop.observed))
            for hop in way.hops
        )
        ways.append(replace(way, hops=tuple(hops)))
    return replace(trace, directions=tuple(ways))


def with_probe(trace: Trace, **fields: object) -> Trace:
    assert trace.proof is not None
    return replace(trace, proof=replace(trace.proof, probe=replace(trace.proof.probe, **fields)))


@pytest.mark.parametrize(
    ("report", "name"),
    [
        (as_json(DELIVERED).decode(), "proved.json"),
        (as_markdown(DELIVERED), "proved.md"),
        (as_text(DELIVERED, 100, False), "proved.txt"),
        (as_json(LOST).decode(), "proof-lost.json"),
        (as_markdown(LOST), "proof-lost.md"),
        (as_text(LOST, 100, False), "proof-lost.txt"),
    ],
)
def test_golden(report: str, name: str) -> None:
    assert report == (GOLDEN / name).read_text("utf-8")


def test_verdict_lines() -> None:
    assert proof_line(DELIVERED) == "proved: 3 of 3 packets delivered and answered"
    assert proof_line(LOST) == (
        "left k8s-calico2 eth0 as IPIP, never arrived at k8s-calico3 eth0: "
        "the underlay drops protocol 4 (underlay-drops-ipip)"
    )
    assert proof_line(PREDICTED) == ""
    assert "\ndelivered both ways · IPIP · path MTU 1440\n" in as_text(DELIVERED, 100, False)
    lines = as_text(LOST, 200, False).splitlines()
    assert lines[1] == proof_line(LOST)
    assert lines[2] == (
        "broken: forward dropped at hop 6 on k8s-calico3 · return delivered · routing only (no policies found)"
    )
    assert LOST.verdict is Verdict.BROKEN


def test_a_proof_that_sent_nothing_says_nothing_about_the_path() -> None:
    failed = with_probe(LOST, count=0, error="nsenter: Permission denied")
    assert proof_line(failed) == "not proved, no packet could be sent: nsenter: Permission denied"


def unwatched(trace: Trace) -> Trace:
    away = {
        f"{way}{number}": Observed(seen=None, reason="no tcpdump")
        for way in ("forward", "turn")
        for number in range(11)
    }
    return with_observed(trace, **away)


def test_what_was_not_watched_is_never_a_loss() -> None:
    dark = replace(unwatched(LOST), findings=())
    assert loss(dark) is None
    assert proof_line(dark) == "0 of 3 packets answered: where they are lost was not watched"
    assert {mark(hop) for hop in dark.forward.hops} == {"not watched"}
    assert seen_line(dark, dark.forward, dark.forward.hops[4]) == "not watched: no tcpdump"


def test_a_hop_that_missed_a_packet_seen_later_has_not_lost_it() -> None:
    assert loss(with_observed(DELIVERED, forward5=Observed(seen=False))) is None


def test_a_packet_that_took_another_device_is_not_lost() -> None:
    trace = with_observed(DELIVERED, forward5=Observed(seen=False, device="eth1", reason="seen on eth1, not on eth0"))
    assert loss(trace) is None
    assert mark(trace.forward.hops[4]) == "elsewhere"
    assert "seen on eth1, not on eth0" in as_text(trace, 100, False)


def test_a_lost_reply_is_told_as_such() -> None:
    unseen = {f"turn{number}": Observed(seen=False) for number in range(6, 11)}
    trace = with_probe(with_observed(DELIVERED, **unseen), answered=0)
    assert proof_line(trace) == "the reply left k8s-calico3 eth0 as IPIP, never arrived at k8s-calico2 eth0"
    nothing = with_observed(trace, **{f"turn{number}": Observed(seen=False) for number in range(1, 6)})
    assert proof_line(nothing) == "the packets arrived, but no reply left huang2/hhh-6897d64fcd-kqsj4"
    warning = Finding(
        code="not-answered",
        severity=Severity.WARNING,
        node="k8s-calico3",
        summary="nobody answers",
        hops=(Spot("return", 1),),
    )
    assert proof_line(replace(nothing, findings=(warning,))) == "nobody answers (not-answered)"
    dark = replace(unwatched(nothing), findings=(warning,))
    assert proof_line(dark) == "0 of 3 packets answered: nobody answers (not-answered)"


def test_a_loss_inside_of_a_node() -> None:
    unseen = {f"forward{number}": Observed(seen=False) for number in range(3, 11)}
    trace = with_probe(with_observed(LOST, **unseen), answered=0)
    trace = with_observed(trace, forward3=Observed(seen=False, reason="packets came in here and did not go on"))
    line = proof_line(replace(trace, findings=()))
    assert (
        line
        == "was seen at k8s-calico2 cali3683f65394b, never at k8s-calico2 tunl0: packets came in here and did not go on"
    )
    silent = with_observed(trace, **{f"forward{number}": Observed(seen=False) for number in range(1, 3)})
    assert proof_line(replace(silent, findings=())) == "no packet left huang1/huangtest-69d9fddd97-2b8hr"


def test_some_answers_are_not_all() -> None:
    assert proof_line(with_probe(DELIVERED, answered=2)) == "2 of 3 packets answered: some are lost on the way"


def test_the_two_pictures_stand_in_text_and_markdown() -> None:
    for report in (as_text(DELIVERED, 100, False), as_markdown(DELIVERED)):
        assert (
            "22:13:20.250040 IP 192.168.97.1 > 192.168.210.129: ICMP echo request, id 4711, seq 1, length 64\n"
            in report
        )
        assert (
            "22:13:20.250100 IP 10.173.32.23 > 10.173.32.26: IP 192.168.97.1 > 192.168.210.129: "
            "ICMP echo request, id 4711, seq 1, length 64 (ipip-proto-4)\n"
        ) in report
        assert "┌ outer IP 10.173.32.23 → 10.173.32.26 · IPIP proto 4 ─" in report
        assert "│ ┌ inner IP 192.168.97.1 → 192.168.210.129 · ICMP ─" in report


@pytest.mark.parametrize(
    ("headers", "line"),
    [
        (
            (
                SeenHeader("udp", "10.0.0.1", "10.0.0.2", 64, 134, 40000, 4789, False, "VXLAN port 4789 VNI 4096"),
                SeenHeader("icmp", "192.168.0.1", "192.168.1.1", 63, 84, detail="echo reply, id 1, seq 2"),
            ),
            "IP 10.0.0.1.40000 > 10.0.0.2.4789: VXLAN, flags [I] (0x08), vni 4096: "
            "IP 192.168.0.1 > 192.168.1.1: ICMP echo reply, id 1, seq 2, length 64",
        ),
        (
            (SeenHeader("tcp", "192.168.0.1", "192.168.1.1", 64, 60, 1234, 80, True, "SYN, ACK"),),
            "IP 192.168.0.1.1234 > 192.168.1.1.80: Flags [S.]",
        ),
        (
            (SeenHeader("udp", "192.168.0.1", "192.168.1.1", 64, 44, 1234, 53),),
            "IP 192.168.0.1.1234 > 192.168.1.1.53: UDP, length 16",
        ),
        (
            (SeenHeader("icmp6", "fd00::1", "fd00::2", 64, 104, detail="echo request, id 1, seq 2"),),
            "IP6 fd00::1 > fd00::2: ICMP6, echo request, id 1, seq 2, length 64",
        ),
        ((SeenHeader("icmp", "1.1.1.1", "2.2.2.2"),), "IP 1.1.1.1 > 2.2.2.2: ICMP message"),
        ((), ""),
    ],
)
def test_lines_as_tcpdump_prints_them(headers: tuple[SeenHeader, ...], line: str) -> None:
    assert tcpdump_line(headers) == line


@pytest.mark.parametrize("width", [1, 24, 40, 78, 120])
def test_boxes_are_as_wide_as_asked_for(width: int) -> None:
    headers = DELIVERED.forward.hops[4].observed
    assert headers is not None
    lines = boxes(headers.headers, width)
    assert {len(line) for line in lines} == {max(width, 24)}
    assert boxes((), width) == []


def test_sizes_stand_beside_the_computed_path_mtu() -> None:
    proof = DELIVERED.proof
    assert proof is not None

    def sentence(*sizes: SizeProbe) -> str:
        return sizes_sentence(DELIVERED, replace(proof, sizes=sizes))

    assert sentence(SizeProbe(1440, True)) == (
        "the largest packet that passed has 1440 bytes, the path MTU computed both ways is 1440"
    )
    assert sentence(SizeProbe(1380, True), SizeProbe(1381, False)).endswith(
        "packets of 1381 bytes are lost though the devices would take them"
    )
    assert sentence(SizeProbe(1500, True)).endswith("more passes than computed")
    assert sentence(SizeProbe(1000, False)).startswith("no size passed")


def test_json_keeps_the_contract() -> None:
    data = json.loads(as_json(LOST))
    assert list(data["proof"]) == KEYS["proof"].split()
    assert list(data["proof"]["probe"]) == KEYS["probe"].split()
    assert all(list(one) == KEYS["watches"].split() for one in data["proof"]["watches"])
    assert all(list(one) == KEYS["rules"].split() for one in data["proof"]["rules"])
    assert all(list(one) == KEYS["tried"].split() for one in json.loads(as_json(DELIVERED))["proof"]["sizes"])
    hop = data["directions"][0]["hops"][4]
    assert list(hop["observed"]) == KEYS["observed"].split()
    assert [list(header) for header in hop["observed"]["headers"]] == [KEYS["headers"].split()] * 2
    assert (hop["observed"]["seen"], hop["observed"]["count"]) == (True, 3)
    assert data["directions"][0]["hops"][5]["observed"]["seen"] is False
    assert data["proof"]["sentence"] == proof_line(LOST)
    assert (data["proof"]["probe"]["count"], data["verdict"]) == (3, "broken")
    assert data["proof"]["taken_at"] == "2023-11-14T22:13:20Z"
    decoded = msgspec.json.decode(as_json(LOST), type=TraceReport)
    assert decoded.proof is not None
    plain = json.loads(as_json(PREDICTED))
    assert plain["proof"] is None
    assert {hop["observed"] for way in plain["directions"] for hop in way["hops"]} == {None}


def hostile() -> Trace:
    header = SeenHeader(HOSTILE, HOSTILE, HOSTILE, detail=HOSTILE)
    trace = with_observed(
        LOST,
        forward2=Observed(seen=True, count=1, headers=(header,), reason=HOSTILE, device=HOSTILE),
        forward5=Observed(seen=True, count=1, headers=(replace(header, protocol="udp"), header), reason=HOSTILE),
        forward6=Observed(seen=False, reason=HOSTILE),
    )
    assert trace.proof is not None
    probe = Probe(
        node=HOSTILE,
        source=HOSTILE,
        destination=HOSTILE,
        protocol=HOSTILE,
        count=1,
        output=(HOSTILE,),
        command=HOSTILE,
    )
    return replace(
        trace,
        findings=(),
        proof=replace(
            trace.proof,
            probe=probe,
            watches=(Watch(HOSTILE, HOSTILE, HOSTILE, False, HOSTILE, HOSTILE),),
            sizes=(SizeProbe(1, False, HOSTILE),),
            rules=(RuleCount(HOSTILE, HOSTILE, HOSTILE, 1, HOSTILE, HOSTILE),),
            missing=(Missing(HOSTILE, HOSTILE, HOSTILE),),
            taken_at=1e300,
        ),
    )


@pytest.mark.parametrize(
    "report",
    [as_json(hostile()).decode(), as_markdown(hostile()), as_text(hostile(), 80, False), as_text(hostile(), 80, True)],
    ids=["json", "md", "text", "colour"],
)
def test_no_control_character_survives(report: str) -> None:
    plain = re.sub(r"\x1b\[[0-9;]*m", "", report)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", plain)


def test_markdown_of_packets_stays_text() -> None:
    outside, fence = [], ""
    for line in as_markdown(hostile()).splitlines():
        begins = re.match(r"^(`{3,})", line)
        if fence:
            fence = "" if line == fence else fence
        elif begins:
            fence = begins[1]
        else:
            outside.append(re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", re.sub(r"\\`", "", line)))
    assert not fence
    text = "\n".join(line for line in outside if not line.startswith("|"))
    assert not re.search(r"(?<!\\)[<\[]", text)
    assert "http://" not in text


def test_colour_changes_no_word() -> None:
    assert re.sub(r"\x1b\[[0-9;]*m", "", as_text(LOST, 80, True)) == as_text(LOST, 80, False)


def test_nothing_of_a_proof_stands_where_there_is_none() -> None:
    for report in (as_text(PREDICTED, 100, False), as_markdown(PREDICTED)):
        assert "observed" not in report
        assert "on the wire" not in report


def test_the_fixture_knows_its_frames() -> None:
    frames = [one.frame for one in (DELIVERED.proof.sightings if DELIVERED.proof else ())]
    assert {len(frame) for frame in frames} == {84, 104}
    assert proofs.SENT == 3
