"""A live proof in each form, the same statements in text, Markdown and JSON: what was sent, where it was seen.

The packets themselves stand as they were captured: the line that tcpdump prints, and their headers drawn.
"""

from __future__ import annotations

from datetime import datetime

import msgspec
from rich.text import Text

from calitui.facts.missing import Missing
from calitui.facts.proof import Proof, RuleCount, SeenHeader, SizeProbe, Watch
from calitui.facts.text import clean
from calitui.report.escaping import fenced, prose
from calitui.report.page import INDENT, Page
from calitui.report.pictures import boxes, pictures
from calitui.report.proved import proof_line, sent_line
from calitui.report.words import counted, moment, moment_line, unread_line
from calitui.trace.path import Observed, Trace
from calitui.trace.sizes import path_mtu

TITLE = "Seen on the wire"


class SeenHeaderReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A header of a captured packet; `length` is the IP packet's in bytes."""

    protocol: str
    src: str
    dst: str
    ttl: int | None
    length: int | None
    source_port: int | None
    destination_port: int | None
    dont_fragment: bool | None
    detail: str | None


class ObservedReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was seen at a hop: `seen` is null where nobody watched all the time; `headers` are the first packet's."""

    seen: bool | None
    count: int
    headers: tuple[SeenHeaderReport, ...]
    reason: str | None
    device: str | None


class ProbeReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The packets that were sent from `node`, and what the sending program said."""

    node: str
    source: str
    destination: str
    protocol: str
    port: int | None
    count: int
    answered: int
    output: tuple[str, ...]
    error: str | None
    command: str | None


class WatchReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A place that was watched `how` (`tcpdump`, `counters`); what it did not see counts only if `complete`."""

    node: str
    container: str | None
    how: str
    complete: bool
    reason: str | None
    command: str | None


class SizeReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One packet of `size` bytes with fragmentation forbidden; `said` is what came instead of an answer."""

    size: int
    passed: bool
    said: str | None


class RuleReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rule that matched `packets` more; `verdict` is `drop`, `reject`, `accept` or null."""

    node: str
    chain: str
    text: str
    packets: int
    verdict: str | None
    policy: str | None


class ProofMissingReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Something that the proof could not do; `node` is null for something of the cluster."""

    node: str | None
    what: str
    reason: str


class ProofReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The proof. `sentence` is what it shows in one line; the report's `verdict` rests on it already."""

    taken_at: datetime | None
    sentence: str
    probe: ProbeReport
    watches: tuple[WatchReport, ...]
    sizes: tuple[SizeReport, ...]
    rules: tuple[RuleReport, ...]
    missing: tuple[ProofMissingReport, ...]


def observed_report(observed: Observed) -> ObservedReport:
    """What was seen at a hop, as scripts read it."""
    headers = tuple(_header(header) for header in observed.headers)
    return ObservedReport(observed.seen, observed.count, headers, _text(observed.reason), _text(observed.device))


def proof_report(trace: Trace, proof: Proof) -> ProofReport:
    """The trace's proof as scripts read it."""
    probe = proof.probe
    return ProofReport(
        taken_at=moment(proof.taken_at),
        sentence=proof_line(trace),
        probe=ProbeReport(
            node=clean(probe.node),
            source=clean(probe.source),
            destination=clean(probe.destination),
            protocol=clean(probe.protocol),
            port=probe.port,
            count=probe.count,
            answered=probe.answered,
            output=tuple(clean(line) for line in probe.output),
            error=_text(probe.error),
            command=_text(probe.command),
        ),
        watches=tuple(_watch(one) for one in proof.watches),
        sizes=tuple(SizeReport(one.size, one.passed, _text(one.said)) for one in proof.sizes),
        rules=tuple(_rule(one) for one in proof.rules),
        missing=tuple(ProofMissingReport(_text(one.node), clean(one.what), clean(one.reason)) for one in proof.missing),
    )


def _header(header: SeenHeader) -> SeenHeaderReport:
    return SeenHeaderReport(
        protocol=clean(header.protocol),
        src=clean(header.src),
        dst=clean(header.dst),
        ttl=header.ttl,
        length=header.length,
        source_port=header.source_port,
        destination_port=header.destination_port,
        dont_fragment=header.dont_fragment,
        detail=_text(header.detail),
    )


def _watch(one: Watch) -> WatchReport:
    return WatchReport(
        clean(one.node), _text(one.container), clean(one.how), one.complete, _text(one.reason), _text(one.command)
    )


def _rule(one: RuleCount) -> RuleReport:
    return RuleReport(
        clean(one.node), clean(one.chain), clean(one.text), one.packets, _text(one.verdict), _text(one.policy)
    )


def write_proof(page: Page, trace: Trace) -> None:
    """The proof as text; nothing without one."""
    proof = trace.proof
    if proof is None:
        return
    page.line()
    page.line(Text(TITLE.lower(), "bold"), Text(f"  {moment_line(proof.taken_at)}"))
    page.prose("", sent_line(proof.probe), 2)
    for picture in pictures(trace):
        page.line()
        page.line(Text(f"  {picture.title}", "bold"))
        page.line(Text(f"  {picture.line}"))
        for line in boxes(picture.headers, min(page.width - 2, 100)):
            page.line(Text(f"  {line}"))
    if proof.sizes:
        page.line()
        page.line(Text("      size  with fragmentation forbidden", "dim"))
        for one in proof.sizes:
            page.line(Text(f"{one.size:>10}  {size_word(one)}"))
        page.prose("", sizes_sentence(trace, proof), 2)
    for label, lines in _lists(proof):
        page.line()
        page.line(Text(f"  {label}", "bold"))
        for line in lines:
            page.line(Text(" " * INDENT + line))


def proof_blocks(trace: Trace) -> list[str]:
    """The same as Markdown blocks."""
    proof = trace.proof
    if proof is None:
        return []
    blocks = [f"### {TITLE}", f"{moment_line(proof.taken_at)}: {prose(sent_line(proof.probe))}."]
    for picture in pictures(trace):
        title = picture.title[:1].upper() + picture.title[1:]
        blocks += [f"{prose(title)}:", fenced([picture.line, "", *boxes(picture.headers)])]
    if proof.sizes:
        rows = [f"| {one.size} | {prose(size_word(one))} |" for one in proof.sizes]
        blocks.append("\n".join(["| size | with fragmentation forbidden |", "|--:|---|", *rows]))
        sentence = sizes_sentence(trace, proof)
        blocks.append(f"{prose(sentence[:1].upper() + sentence[1:])}.")
    for label, lines in _lists(proof):
        blocks += [f"{prose(label[:1].upper() + label[1:])}:", fenced(lines)]
    return blocks


def size_word(one: SizeProbe) -> str:
    """`passed`, or what came instead."""
    said = clean(one.said).rstrip(".")
    return "passed" if one.passed else f"did not pass{f': {said}' if said else ', and nobody said why'}"


def sizes_sentence(trace: Trace, proof: Proof) -> str:
    """The largest packet that passed beside the path MTU that was computed, a sentence without its end."""
    passed = max((one.size for one in proof.sizes if one.passed), default=None)
    failed = min((one.size for one in proof.sizes if not one.passed and one.size > (passed or 0)), default=None)
    computed = computed_mtu(trace)
    beside = f"the path MTU computed both ways is {computed}" if computed is not None else "no path MTU was computed"
    if passed is None:
        return f"no size passed, {beside}"
    words = f"the largest packet that passed has {passed} bytes, {beside}"
    if computed is None or passed == computed:
        return words
    if passed > computed:
        return f"{words}: more passes than computed"
    if failed is not None and failed <= computed:
        return f"{words}: packets of {failed} bytes are lost though the devices would take them"
    return words


def computed_mtu(trace: Trace) -> int | None:
    """The largest packet that passes both ways, in bytes, by what was computed; None if not known."""
    carries = [path_mtu(way).carries for way in trace.directions]
    sends = path_mtu(trace.forward).sends
    known = [value for value in (*carries, sends) if value is not None]
    return min(known) if None not in carries and known else None


def rule_line(one: RuleCount) -> str:
    """`k8s-calico2 filter FORWARD: 3 packets more, drop: -A FORWARD -j DROP (policy default/deny)`."""
    verdict = f", {one.verdict}" if one.verdict else ""
    policy = f" (policy {one.policy})" if one.policy else ""
    return clean(f"{one.node} {one.chain}: {counted(one.packets, 'packet')} more{verdict}: {one.text}{policy}")


def watch_line(one: Watch) -> str:
    """`k8s-calico2, container 192.168.97.1, by tcpdump: not complete, it lost packets`."""
    where = clean(one.node) + (f", container {clean(one.container)}" if one.container else "")
    reason = f", {clean(one.reason)}" if one.reason else ""
    return f"{where}, by {clean(one.how)}: {'all the time' if one.complete else 'not all the time'}{reason}"


def missing_line(one: Missing) -> str:
    """What the proof could not do: `k8s-calico3: capture: tcpdump is not there`."""
    return unread_line(one.node, one.what, one.reason)


def _lists(proof: Proof) -> list[tuple[str, list[str]]]:
    """What is told line by line, under its heading."""
    drops = [
        f"{clean(one.node)}: {counted(one.reverse_path_drops, 'packet')}"
        for one in proof.carried
        if one.reverse_path_drops
    ]
    ran = [clean(f"{one.node}$ {one.command}") for one in proof.watches if one.command]
    if proof.probe.command:
        ran.append(clean(f"{proof.probe.node}$ {proof.probe.command}"))
    lists = [
        ("rules that matched the packets", [rule_line(one) for one in proof.rules]),
        ("dropped by the reverse path filter meanwhile", drops),
        ("what was watched", [watch_line(one) for one in proof.watches]),
        ("not done", [missing_line(one) for one in proof.missing]),
        ("what ran", list(dict.fromkeys(ran))),
    ]
    return [(label, lines) for label, lines in lists if lines]


def _text(text: str | None) -> str | None:
    return clean(text) if text else None
