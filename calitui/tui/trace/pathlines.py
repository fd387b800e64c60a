"""One direction as lines: stations on a rail, grouped by machine, the underlay between. A hop is one line, always.

Compact lines join what stands alone elsewhere (direction with its first machine, underlay with the second), because at
80x24 every line that the path saves is one of the detail. This module must not know widgets.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec
from textual.content import Content
from textual.style import Style

from calitui.trace.finding import Severity
from calitui.trace.path import Direction, Disposition, Encapsulation, Hop
from calitui.tui.findings.describe import STYLES
from calitui.tui.text import crop, crop_middle, width_of
from calitui.tui.trace import words


class Row(msgspec.Struct, frozen=True):
    """A drawn line; `hop` is the index of the hop it shows, None for headings."""

    content: Content
    hop: int | None = None


class Marks(msgspec.Struct, frozen=True):
    """Numbers of hops that have a finding, with the worst severity, and of those that changed since the last read."""

    found: Mapping[int, Severity] = {}
    changed: Collection[int] = frozenset()


NO_MARKS = Marks()


def rows(direction: Direction, width: int, selected: int | None, compact: bool, marks: Marks = NO_MARKS) -> list[Row]:
    """Draw `direction` in `width` cells; `selected` is an index of its hops or None."""
    drawn: list[Row] = []
    heading = _heading(direction)
    if not compact:
        drawn.append(Row(_ruled("", [heading], width)))
    machine: str | None = None
    for index, hop in enumerate(direction.hops):
        if index == 0 or (hop.node is not None and hop.node != machine):
            drawn.extend(_machine(direction, hop, index, width, compact, heading))
            machine = hop.node
        drawn.append(Row(_hop(direction, index, width, index == selected, marks), index))
    if not direction.hops:
        drawn.append(Row(Content.styled(crop(" ? no hop could be computed", width), "$warn")))
    elif direction.disposition is not Disposition.DELIVERED:
        drawn.append(Row(_end(direction, width)))
    return drawn


def _heading(direction: Direction) -> Content:
    parts: list[str | tuple[str, str | Style]] = [
        (direction.name, "bold"),
        "  ",
        (words.ending(direction), words.ending_style(direction.disposition)),
    ]
    facts = []
    if direction.encapsulation is not Encapsulation.NONE:
        facts.append(direction.encapsulation.value.upper())
    if direction.path_mtu is not None:
        facts.append(f"MTU {direction.path_mtu}")
    if facts:
        parts.append(("  " + " · ".join(facts), "$dim"))
    return Content.assemble(*parts)


def _machine(direction: Direction, hop: Hop, index: int, width: int, compact: bool, heading: Content) -> list[Row]:
    name = Content.styled(crop_middle(hop.node or "unknown node", max(8, width // 2)), "bold $link")
    if index == 0:
        return [Row(_ruled(" ┬─", [name, heading] if compact else [name], width))]
    between = Content.styled(f"underlay {direction.underlay}" if direction.underlay else "underlay", "$dim")
    if compact:
        return [Row(_ruled(" ╪═", [between, name], width, "═"))]
    return [Row(_ruled(" ╪═", [between], width, "═")), Row(_ruled(" ┼─", [name], width))]


def _ruled(start: str, parts: list[Content], width: int, rule: str = "─") -> Content:
    """Parts on a rule that goes to the right edge."""
    line = Content.styled(start, "$dim")
    for number, part in enumerate(parts):
        line = Content.assemble(line, (f" {rule}{rule}" if number else "", "$dim"), " ", part)
    line = line.truncate(width, ellipsis=True)
    room = width - line.cell_length - 1
    return Content.assemble(line, (" " + rule * room, "$dim")) if room > 0 else line


def _hop(direction: Direction, index: int, width: int, selected: bool, marks: Marks) -> Content:
    hop = direction.hops[index]
    glyph = words.station(hop)
    step = words.SHORT[hop.step].ljust(words.SHORT_WIDTH)
    severity = marks.found.get(hop.number)
    found = words.FOUND if severity is not None else " "
    changed = words.CHANGED if hop.number in marks.changed else " "
    lead = f"{found}{hop.number:>2}{changed}"
    room = width - 2 - len(lead) - len(step) - 2
    evidence, style = words.standing(hop)
    text = words.essence(direction, index)
    if hop.observed is not None:
        text = crop(text, max(0, room - 2 - len(evidence)))
    if width_of(text) + 2 + len(evidence) <= room:
        blanks = " " * (room - width_of(text) - len(evidence))
        tail = Content.assemble(text, blanks, (evidence, style))
    else:
        tail = Content(crop(text, room))
        tail = Content.assemble(tail, " " * (room - tail.cell_length))
    cursor = "▸" if selected else " "
    line = Content.assemble(
        (cursor, "bold"),
        (glyph, words.station_style(hop)),
        (found, STYLES[severity] if severity is not None else ""),
        (f"{hop.number:>2}", "$dim"),
        (changed, "bold $link"),
        (step, "bold"),
        " ",
        tail,
        " ",
    )
    return line.stylize("on $cursor-ground bold") if selected else line


def _end(direction: Direction, width: int) -> Content:
    last = direction.hops[-1]
    if direction.disposition is Disposition.UNKNOWN:
        before = direction.blind_at is not None and direction.blind_at < last.number
        text = "whether a packet gets this far is not known" if before else "what happens after this is not known"
    else:
        what = direction.disposition.value.replace("-", " ")
        text = f"the path ends here: {what}" + (f", {last.reason}" if last.reason else "")
    glyph = "?" if direction.disposition is Disposition.UNKNOWN else "✖"
    style = words.ending_style(direction.disposition)
    return Content.styled(crop(f" {glyph} {text}", width), style)
