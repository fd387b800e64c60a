"""The JSON contract, and that Markdown and text show everything and obey nothing."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from calitui.facts.missing import Missing
from calitui.report import Since, as_json, as_markdown, as_text, json_schema
from calitui.report.contract import TraceReport
from calitui.report.escaping import fenced, prose, span
from calitui.report.findings import unchecked_lines
from calitui.report.words import verdict_line
from calitui.trace.ends import resolve
from calitui.trace.finding import Finding, Severity, Spot, Unchecked
from calitui.trace.path import Disposition, Endpoint, Evidence, Header, NextHopChoice, Trace
from calitui.trace.tracing import trace
from tests.report.paths import BROKEN, DELIVERED, FORWARD, OUT, ROUTE, TUNNEL, UNKNOWN, with_directions
from tests.trace import seed

GOLDEN = Path(__file__).parent / "golden"
FINDING = Finding(
    code="a-hole",
    severity=Severity.ERROR,
    node="k8s-calico2",
    subject="192.168.210.128/26",
    summary="k8s-calico2 throws packets to 192.168.210.128/26 away, because it has a blackhole for the whole block",
    evidence=(
        "k8s-calico2 ip route: blackhole 192.168.210.128/26 proto bird",
        "API IPAMBlock 192-168-210-128-26 affinity: host:k8s-calico3",
    ),
    fix=("ssh k8s-calico2 ip route del blackhole 192.168.210.128/26", "# BIRD writes the right one by itself"),
    reference="confd/etc/calico/confd/templates/bird_ipam.cfg.template",
    affected=("k8s-calico4", "k8s-calico5"),
    hops=(Spot("forward", 2),),
    consequences=("k8s-calico4 can't reach the block either", "Services answer from one pod of two"),
)
WARNING = Finding(
    code="a-worry", severity=Severity.WARNING, node=None, summary="Two pools overlap", evidence=(), fix=()
)
UNCHECKED = (
    Unchecked(code="a-policy", node="k8s-calico3", reason="packet filter: needs root"),
    Unchecked(code="a-policy", node="k8s-calico2", reason="packet filter: needs root"),
    Unchecked(code="a-pool", node=None, reason="IPPools: forbidden"),
)
FULL = replace(BROKEN, findings=(FINDING, WARNING), unchecked=UNCHECKED, unread=(Missing("IPPools", "forbidden"),))

KEYS = {
    "": "schema taken_at verdict source destination directions policies findings unread family "
    "notes readings other_family unchecked since proof",
    "source": "kind namespace name node ip",
    "directions": "name disposition encapsulation path_mtu underlay hops sizes",
    "hops": "number step node device route evidence reason packet mtu explanation check lines disagreement next_hops "
    "ends observed",
    "packet": "protocol src dst",
    "next_hops": "gateway device weight chosen",
    "readings": "node via target why",
    "policies": "evaluated count sentence",
    "findings": "code severity node summary evidence fix subject reference affected hops consequences",
    "spots": "direction number",
    "sizes": "overhead sends carries at_most narrowest fails ping_passes ping_fails stations squeezes",
    "stations": "number what node device mtu overhead fits limits silent",
    "squeezes": "number smallest largest",
    "since": "origin taken_at changes",
    "changes": "kind direction number before after",
    "unchecked": "code node reason",
    "unread": "node what reason",
    "observed": "seen count headers reason device",
    "headers": "protocol src dst ttl length source_port destination_port dont_fragment detail",
    "proof": "taken_at sentence probe watches sizes rules missing",
    "probe": "node source destination protocol port count answered output error command",
    "watches": "node container how complete reason command",
    "tried": "size passed said",
    "rules": "node chain text packets verdict policy",
}


@pytest.mark.parametrize("trace", [DELIVERED, BROKEN, UNKNOWN, FULL])
def test_json_keeps_the_contract(trace: Trace) -> None:
    data = json.loads(as_json(trace))
    assert data["schema"] == "calitui.trace/1"
    assert list(data) == KEYS[""].split()
    assert list(data["source"]) == list(data["destination"]) == KEYS["source"].split()
    assert list(data["policies"]) == KEYS["policies"].split()
    for direction in data["directions"]:
        assert list(direction) == KEYS["directions"].split()
        assert list(direction["sizes"]) == KEYS["sizes"].split()
        assert all(list(one) == KEYS["stations"].split() for one in direction["sizes"]["stations"])
        for hop in direction["hops"]:
            assert list(hop) == KEYS["hops"].split()
            assert all(list(header) == KEYS["packet"].split() for header in hop["packet"])
    assert all(list(finding) == KEYS["findings"].split() for finding in data["findings"])
    for finding in data["findings"]:
        assert all(list(spot) == KEYS["spots"].split() for spot in finding["hops"])
    assert all(list(one) == KEYS["unchecked"].split() for one in data["unchecked"])
    assert all(list(missing) == KEYS["unread"].split() for missing in data["unread"])
    assert msgspec.json.decode(as_json(trace), type=TraceReport).verdict is trace.verdict


def test_json_values() -> None:
    data = json.loads(as_json(DELIVERED))
    assert data["taken_at"] == "2018-06-25T06:00:00Z"
    assert datetime.fromisoformat(data["taken_at"]).tzinfo == UTC
    tunnel = data["directions"][0]["hops"][2]
    assert tunnel["packet"][0] == {"protocol": "ipip", "src": "10.173.32.23", "dst": "10.173.32.26"}
    assert tunnel["route"] is None
    assert tunnel["lines"] == []
    assert data["policies"] == {"evaluated": False, "count": 3, "sentence": DELIVERED.policies.sentence}
    assert json.loads(as_json(replace(DELIVERED, taken_at=0.0)))["taken_at"] is None
    assert json.loads(as_json(FULL))["unread"] == [{"node": None, "what": "IPPools", "reason": "forbidden"}]


def test_schema_names_every_key() -> None:
    schema = json_schema()
    names = {name for part in schema["$defs"].values() for name in part.get("properties", {})}
    assert names == {key for keys in KEYS.values() for key in keys.split()}
    for name, part in schema["$defs"].items():
        optional = {"detail"} if name == "HeaderReport" else set()
        assert set(part.get("required", ())) == set(part.get("properties", ())) - optional


def test_json_of_a_tunnel_with_ports_and_of_equal_next_hops() -> None:
    outer = Header("udp", "10.0.0.11", "10.0.0.12", "VXLAN port 4789 VNI 4096")
    choices = (
        NextHopChoice(gateway="10.0.0.12", device="eth0", chosen=True),
        NextHopChoice(gateway="10.0.0.1", device="eth0", chosen=False),
    )
    forward = replace(FORWARD, hops=(replace(OUT, packet=(outer,), next_hops=choices),))
    trace = with_directions(DELIVERED, forward, DELIVERED.back)
    hop = json.loads(as_json(trace))["directions"][0]["hops"][0]
    assert hop["packet"][0]["detail"] == "VXLAN port 4789 VNI 4096"
    assert [list(choice) for choice in hop["next_hops"]] == [KEYS["next_hops"].split()] * 2
    text = as_text(trace, 100, False)
    assert "10.0.0.12 dev eth0 (the kernel's choice), 10.0.0.1 dev eth0" in text
    assert "VXLAN port 4789 VNI 4096" in text


def test_the_other_family_and_notes_are_in_every_report() -> None:
    trace = replace(DELIVERED, notes=("The eBPF dataplane is on.",), other_family=replace(BROKEN, family=6))
    data = json.loads(as_json(trace))
    assert data["notes"] == ["The eBPF dataplane is on."]
    assert (data["other_family"]["family"], data["other_family"]["verdict"]) == (6, "broken")
    for report in (as_text(trace, 100, False), as_markdown(trace)):
        assert "The eBPF dataplane is on" in report
        assert "IPv6: broken" in report


@pytest.mark.parametrize(
    ("name", "report"),
    [
        ("broken.json", as_json(FULL).decode()),
        ("broken.md", as_markdown(FULL)),
        ("broken.txt", as_text(FULL, 100, False)),
        ("delivered.md", as_markdown(DELIVERED)),
        ("delivered-80.txt", as_text(DELIVERED, 80, False)),
        ("unknown-80.txt", as_text(UNKNOWN, 80, False)),
    ],
    ids=lambda value: value if "\n" not in value else "",
)
def test_golden(name: str, report: str) -> None:
    assert report == (GOLDEN / name).read_text("utf-8")


def test_json_of_findings() -> None:
    finding, warning = json.loads(as_json(FULL))["findings"]
    assert finding["fix"] == "\n".join(FINDING.fix)
    assert finding["hops"] == [{"direction": "forward", "number": 2}]
    assert finding["affected"] == ["k8s-calico4", "k8s-calico5"]
    assert (warning["node"], warning["fix"], warning["subject"], warning["reference"]) == (None,) * 4
    assert json.loads(as_json(FULL))["unchecked"][0] == {
        "code": "a-policy",
        "node": "k8s-calico3",
        "reason": "packet filter: needs root",
    }


def test_what_could_not_be_looked_for_is_counted_by_reason() -> None:
    assert unchecked_lines(UNCHECKED) == [
        "2 causes could not be looked for",
        "k8s-calico3, k8s-calico2: packet filter: needs root: a-policy",
        "IPPools: forbidden: a-pool",
    ]
    many = [Unchecked(code=f"c{number % 9}", node=f"n{number}", reason="refused") for number in range(1000)]
    assert unchecked_lines(many) == [
        "9 causes could not be looked for",
        "n0, n1, n2 and 997 more: refused: c0, c1, c2 and 6 more",
    ]
    assert unchecked_lines(()) == []


def test_reasons_that_only_differ_in_the_node_are_one() -> None:
    many = [Unchecked(code="c", node=f"n{number}", reason=f"n{number} was not read") for number in range(300)]
    assert unchecked_lines(many)[1:] == ["n0, n1, n2 and 297 more: not read: c"]
    other = [
        Unchecked(code="c", node=f"n{number}", reason=f"counters was not read on n{number}") for number in range(4)
    ]
    assert unchecked_lines(other)[1:] == ["n0, n1, n2 and 1 more: counters was not read: c"]
    unlike = [Unchecked(code="c", node=f"n{number}", reason=f"refused by 10.0.0.{number}") for number in range(300)]
    assert unchecked_lines(unlike)[-1] == "and for 288 more reasons"


def squeezed() -> Trace:
    """A container that makes packets of 1500 bytes in front of a tunnel of 1480."""
    start = replace(OUT, mtu=1500, evidence=Evidence.TABLE)
    return with_directions(DELIVERED, replace(FORWARD, hops=(start, replace(ROUTE, mtu=None), TUNNEL)), DELIVERED.back)


def test_sizes_along_the_path() -> None:
    sizes = json.loads(as_json(squeezed()))["directions"][0]["sizes"]
    assert (sizes["sends"], sizes["at_most"], sizes["narrowest"]) == (1500, 1480, 3)
    assert sizes["squeezes"] == [{"number": 3, "smallest": 1481, "largest": 1500}]
    text = as_text(squeezed(), 100, False)
    assert "  3  tunnel      1480          1480  k8s-calico2  tunl0 ← too small" in text
    assert "packets of 1481 to 1500 bytes do not pass hop 3, tunl0 on k8s-calico2, as they are" in text
    markdown = as_markdown(squeezed())
    assert "| 3 | tunnel | `k8s-calico2` | `tunl0` | 1480 |  | 1480 ← too small |" in markdown
    assert "Packets of 1481 to 1500 bytes do not pass hop 3" in markdown


def test_sizes_of_the_articles_example() -> None:
    forward = json.loads(as_json(seed.run("ipip")))["directions"][0]["sizes"]
    assert (forward["carries"], forward["fails"], forward["ping_passes"], forward["ping_fails"]) == (
        1440, 1441, 1412, 1413,
    )  # fmt: skip
    assert forward["overhead"] == 20
    assert "the path carries 1440; ping -M do -s 1412 should pass" in as_text(seed.run("ipip"), 120, False)


def test_no_table_of_sizes_where_none_is_known() -> None:
    way = replace(FORWARD, hops=(replace(OUT, mtu=None),))
    trace = with_directions(DELIVERED, way, way)
    assert "sizes" not in as_text(trace, 100, False)
    assert "| sizes |" not in as_markdown(trace)


def test_the_hop_of_a_finding_is_marked() -> None:
    text = as_text(FULL, 100, False)
    second = text[text.index("  2  route") : text.index("return: delivered")]
    assert "finding      error a-hole" in second
    assert text.count("finding      error a-hole") == 1
    row = next(line for line in as_markdown(FULL).splitlines() if line.startswith("| 2 "))
    assert "route, blackhole, **`a-hole`**" in row


def test_what_changed_since_an_earlier_reading() -> None:
    since = Since("old.json", replace(DELIVERED, taken_at=1e9))
    data = json.loads(as_json(FULL, since))["since"]
    assert list(data) == KEYS["since"].split()
    assert (data["origin"], data["taken_at"]) == ("old.json", "2001-09-09T01:46:40Z")
    assert all(list(change) == KEYS["changes"].split() for change in data["changes"])
    assert data["changes"][0] == {
        "kind": "verdict",
        "direction": None,
        "number": None,
        "before": "delivered",
        "after": "broken",
    }
    text = as_text(FULL, 100, False, since)
    assert "since old.json, read 2001-09-09 01:46:40 UTC" in text
    route = f"  forward hop 2 route\n      - {ROUTE.route}\n      + blackhole 192.168.210.128/26 proto bird\n"
    assert route in text
    assert "- forward hop 2 route: " in as_markdown(FULL, since)
    assert "delivered → broken" in as_markdown(FULL, since)


def test_nothing_changed() -> None:
    since = Since("demo:ipip", DELIVERED)
    assert json.loads(as_json(DELIVERED, since))["since"]["changes"] == []
    assert as_text(DELIVERED, 100, False, since).splitlines()[-1].startswith("nothing changed since demo:ipip")
    assert "### Nothing changed since demo:ipip" in as_markdown(DELIVERED, since)


def test_a_fix_stays_whole_lines() -> None:
    lines = as_text(FULL, 40, False).splitlines()
    assert sum(line.endswith(FINDING.fix[0]) for line in lines) == 1
    block = as_markdown(FULL).partition("```sh\n")[2].partition("\n```")[0]
    assert block.splitlines() == list(FINDING.fix)


def test_text_holds_everything_of_a_hop() -> None:
    text = as_text(FULL, 100, False)
    for hop in (*FULL.forward.hops, *FULL.back.hops):
        for part in (hop.step, hop.node, hop.device, hop.route, f"[{hop.evidence}]", hop.reason, hop.check, *hop.lines):
            assert part is None or str(part) in text
        assert str(hop.mtu) in text
        assert " ".join(hop.explanation.split()) in " ".join(text.split())
    assert "ends here: blackhole" in text


@pytest.mark.parametrize("width", [1, 40, 60, 80, 200])
def test_text_wraps_sentences_and_leaves_evidence_whole(width: int) -> None:
    lines = as_text(DELIVERED, width, False).splitlines()
    assert any(line.endswith(ROUTE.lines[0]) for line in lines)
    verbatim = ("route ", "evidence ", "see it ", "packet ", "fix ")
    heads = [line for line in lines if " → " not in line and not re.match(r" +\d+  ", line)]
    sentences = [line for line in heads if not line.strip().startswith(verbatim)]
    assert max(len(line) for line in sentences) <= max(width, 40)


@pytest.mark.parametrize("width", [1, 40, 60, 80, 200])
def test_findings_wrap_and_leave_what_is_copied_whole(width: int) -> None:
    text = as_text(FULL, width, False)
    part = text[text.index("findings\n") : text.index("\nforward")].splitlines()
    copied = [line for line in part if line.endswith((*FINDING.evidence, *FINDING.fix))]
    assert len(copied) == 4
    assert max(len(line) for line in part if line not in copied) <= max(width, 40)


def test_colour_changes_no_word() -> None:
    coloured = as_text(FULL, 80, True)
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == as_text(FULL, 80, False)


HOSTILE = "[red]x[/red] \x1b]0;owned\x07\x9b31m `` ``` | <img src=x> [a](http://evil.example) # @team $(reboot) \u202e"


def hostile() -> Trace:
    """Every text of it wants to be more than text."""
    hop = replace(
        OUT,
        node=HOSTILE,
        device=HOSTILE,
        route=HOSTILE,
        reason=HOSTILE,
        explanation=HOSTILE,
        check=HOSTILE,
        lines=(HOSTILE, "```", "````text"),
        disagreement=HOSTILE,
        ends=Disposition.DROPPED,
    )
    end = Endpoint(kind="pod", namespace=HOSTILE, name=HOSTILE, node=HOSTILE, ip=HOSTILE)
    way = replace(FORWARD, hops=(hop,), disposition=Disposition.DROPPED, underlay=HOSTILE)
    finding = replace(
        FINDING,
        code=HOSTILE,
        node=HOSTILE,
        subject=HOSTILE,
        summary=HOSTILE,
        evidence=(HOSTILE, "```"),
        fix=(HOSTILE, "```sh", "```"),
        reference=HOSTILE,
        affected=(HOSTILE,),
        hops=(Spot("forward", 1), Spot(HOSTILE, 2)),
        consequences=(HOSTILE,),
    )
    trace = with_directions(BROKEN, way, replace(way, name="return"))
    return replace(
        trace,
        source=end,
        destination=end,
        findings=(finding,),
        unread=(Missing(HOSTILE, HOSTILE, HOSTILE),),
        unchecked=(Unchecked(code=HOSTILE, node=HOSTILE, reason=HOSTILE),),
    )


@pytest.mark.parametrize(
    "report",
    [
        as_json(hostile(), Since(HOSTILE, BROKEN)).decode(),
        as_markdown(hostile(), Since(HOSTILE, BROKEN)),
        as_text(hostile(), 80, False, Since(HOSTILE, BROKEN)),
    ],
    ids=["json", "md", "text"],
)
def test_no_control_character_survives(report: str) -> None:
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]", report)


def test_markup_of_facts_stays_text() -> None:
    assert "[red]x[/red]" in as_text(hostile(), 400, False)
    assert "\x1b]" not in as_text(hostile(), 400, True)


def test_markdown_of_facts_stays_text() -> None:
    """Outside code no unescaped `<`, `[`, `|` or URL is left, and no fence closes early."""
    outside, fence = [], ""
    for line in as_markdown(hostile(), Since(HOSTILE, BROKEN)).splitlines():
        mark = re.match(r"^(`{3,})", line)
        if fence:
            fence = "" if line == fence else fence
        elif mark:
            fence = mark[1]
        else:
            outside.append(re.sub(r"(?<!`)(`+)(?!`).*?(?<!`)\1(?!`)", "", re.sub(r"\\`", "", line)))
    assert not fence
    text = "\n".join(line for line in outside if not line.startswith("|"))
    assert not re.search(r"(?<!\\)[<\[]", text)
    assert "http://" not in text


def test_table_rows_keep_their_columns() -> None:
    rows = [line for line in as_markdown(hostile()).splitlines() if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {8}


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a_b*c", r"a\_b\*c"),
        ("- item", r"\- item"),
        ("1. item", r"1\. item"),
        ("<b>", r"\<b\>"),
        ("see https://x.example", r"see https\://x.example"),
        ("www.x.example", r"www\.x.example"),
    ],
)
def test_prose(text: str, written: str) -> None:
    assert prose(text) == written


def test_spans_and_fences_outgrow_their_backticks() -> None:
    assert span("a`b") == "``a`b``"
    assert span("`a") == "`` `a ``"
    assert span("a|b", cell=True) == r"`a\|b`"
    assert fenced(["````"]).splitlines() == ["`````text", "````", "`````"]


def test_a_path_out_of_the_cluster_says_so() -> None:
    cluster = seed.cluster("Always")
    source, outside = resolve(cluster, seed.IPIP_SOURCE), resolve(cluster, "203.0.113.9")
    out = trace(cluster, seed.pair("ipip"), source, outside)
    assert verdict_line(out).startswith(
        "unknown: forward leaves the cluster at hop 4 on k8s-calico2 and return comes from outside of the cluster"
    )
    into = trace(cluster, seed.pair("ipip"), outside, source)
    assert "forward comes from outside of the cluster and return leaves the cluster" in verdict_line(into)
