"""Everything about one hop: plain words first, then the packet, then the evidence and how to see it oneself.

This module must not know widgets.
"""

from __future__ import annotations

from textual.content import Content

from calitui.report.words import next_hops_line, reading_line
from calitui.trace.finding import Finding
from calitui.trace.path import Disposition, Evidence, Hop, Reading, Trace
from calitui.tui.blocks import labelled, page, plain
from calitui.tui.findings.describe import concise
from calitui.tui.text import crop_middle, width_of, wrap
from calitui.tui.trace import words
from calitui.tui.trace.packet import boxes
from calitui.tui.trace.sight import captured, seen


def detail(trace: Trace, hop: Hop, width: int, roomy: bool, findings: tuple[Finding, ...] = ()) -> Content:
    """Draw `hop` in `width` cells; `roomy` puts blank lines between the parts. `findings` are the hop's, told first."""
    title = _title(hop, width)
    blocks: list[list[Content]] = [[title if roomy else title.stylize("on $panel")]]
    for finding in findings:
        blocks += concise(finding, width, roomy)
    if findings:
        blocks.append([Content.styled("─" * width, "$dim")])
    blocks.append(_alarms(hop, width))
    blocks.append(seen(trace, hop, width))
    real = captured(trace, hop, width, roomy)
    blocks.append(real)
    if hop.explanation:
        blocks.append(plain(hop.explanation, width))
    if hop.packet and not real:
        blocks.append([Content.styled(line, "$link") for line in boxes(hop.packet, width, not roomy)])
    if hop.next_hops:
        blocks.append(labelled("next hops", next_hops_line(hop), width))
    check = labelled("see it", hop.check, width, "bold") if hop.check else []
    evidence = _evidence(hop, trace.readings, width, roomy)
    blocks += [evidence, check] if roomy else [check, evidence]
    return page(blocks, roomy)


def _title(hop: Hop, width: int) -> Content:
    evidence, style = words.standing(hop)
    if hop.observed is None:
        style = "bold $warn" if hop.evidence is Evidence.NOT_READ else "bold"
    title = f"{hop.number} {words.LONG[hop.step]}"
    room = width - width_of(title) - len(evidence) - 4
    places = [
        ": " + " on ".join(part for part in (hop.device, hop.node) if part),
        f": {hop.device or hop.node or ''}",
    ]
    place = next((text for text in places if len(text) > 2 and width_of(text) <= room), "")
    blanks = " " * max(1, room - width_of(place) + 2)
    return Content.assemble(
        (words.station(hop) + " ", words.station_style(hop)),
        (crop_middle(title, width - len(evidence) - 3), "bold"),
        place,
        blanks,
        (evidence, style),
    )


def _alarms(hop: Hop, width: int) -> list[Content]:
    lines: list[Content] = []
    if hop.ends is not None and hop.ends is not Disposition.DELIVERED:
        unknown = hop.ends is Disposition.UNKNOWN
        what = "not known from here on" if unknown else f"{hop.ends.value.replace('-', ' ').upper()}: ends here"
        text = f"{'?' if unknown else '✖'} {what}" + (f". {hop.reason}" if hop.reason else "")
        lines += [Content.styled(line, words.ending_style(hop.ends)) for line in wrap(text, width, "  ")]
    if hop.disagreement:
        text = f"▲ KERNEL AND TABLES DISAGREE: {hop.disagreement}"
        lines += [Content.styled(line, "bold $warn") for line in wrap(text, width, "  ")]
    return lines


def _evidence(hop: Hop, readings: tuple[Reading, ...], width: int, roomy: bool) -> list[Content]:
    ends = hop.ends is not None and hop.ends is not Disposition.DELIVERED
    why = words.MEANING[hop.evidence] if ends or not hop.reason else hop.reason
    lines: list[Content] = []
    shown = hop.lines or ((hop.route,) if hop.route else ())
    if not roomy and hop.check:
        asked = hop.check.removeprefix("ssh ").replace(" ", "$ ", 1)  # the command already stands beside "see it"
        shown = tuple(line.strip() for line in shown if line != asked)
    for number, line in enumerate(shown):
        lines += labelled("" if number else "evidence", line, width)
    if hop.evidence is Evidence.NOT_READ and ends:
        return lines
    mtu = f" · MTU {hop.mtu} here" if hop.mtu is not None else ""
    lines += labelled(words.EVIDENCE[hop.evidence], f"{why}{mtu}", width, "$dim")
    lines += [
        line for one in readings if one.node == hop.node for line in labelled("read", reading_line(one), width, "$dim")
    ]
    return lines
