"""The line of stations: machines as frames, the steps in them, and the packet at its place as nested brackets.

`[■]` is the packet as the pod made it, `[[■]]` one inside an outer header, `[✖]` one that is lost. Where a line is too
long for the screen, the machines around the packet are shown. This module must not know widgets.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from textual.content import Content

from calitui.facts.text import clean
from calitui.tui.text import crop_middle, width_of
from calitui.tui.trace.words import GLYPHS
from calitui.walkthrough.slides import Line, Machine, Slide, Station
from calitui.walkthrough.wording import Texts

HEIGHT = 4
"""Rows of the drawing."""
_PITCHES = (11, 10, 9, 8, 7, 6, 5, 4)
"""Cells from one station to the next; from `_LABELLED` on every station has its label."""
_LABELLED = 6
_GAP, _WIDEST_GAP = 7, 24
"""Cells between two machines: a packet in its outer header fits into the smallest."""


class Layout(msgspec.Struct, frozen=True):
    """`machines` that are shown, the number of stations before them, cells per station and between machines."""

    machines: tuple[Machine, ...]
    before: int
    pitch: int
    gap: int
    cut: bool = False


class Canvas:
    """Rows of cells that are written over; a style belongs to a stretch."""

    def __init__(self, width: int) -> None:
        """Blank."""
        self.width = width
        self.rows = [[" "] * width for _ in range(HEIGHT)]
        self.styles: list[tuple[int, int, int, str]] = []

    def write(self, row: int, column: int, text: str, style: str = "") -> None:
        """Put `text` at `column`; a wide character takes two cells, what is outside of the canvas is lost."""
        start = column
        for mark in text:
            cells = width_of(mark)
            if cells and column >= 0 and column + cells <= self.width:
                self.rows[row][column] = mark
                for taken in range(1, cells):
                    self.rows[row][column + taken] = ""
            column += cells
        if style:
            self.styles.append((row, max(0, start), column, style))

    def lines(self) -> list[Content]:
        """The rows as they are drawn."""
        drawn = []
        for number, cells in enumerate(self.rows):
            content = Content("".join(cells).rstrip())
            for row, start, end, style in self.styles:
                if row == number:
                    content = content.stylize(style, len("".join(cells[:start])), len("".join(cells[:end])))
            drawn.append(content)
        return drawn


def rail(line: Line, slide: Slide, width: int, texts: Texts) -> list[Content]:
    """Draw `line` with the packet where `slide` has it, centred in `width` cells: always `HEIGHT` rows."""
    canvas = Canvas(width)
    layout = _layout(line, slide, width)
    total = sum(_cells(machine, layout.pitch) for machine in layout.machines)
    total += layout.gap * (len(layout.machines) - 1)
    column = max(0, (width - total) // 2)
    number = layout.before
    for index, machine in enumerate(layout.machines):
        if index:
            _gap(canvas, column - layout.gap, layout.gap, line, slide, number)
            if slide.between and slide.station == number - 1:
                _packet(canvas, column - layout.gap + layout.gap // 2, slide, machine.stations[0])
        _machine(canvas, column, machine, number, layout.pitch, slide, texts)
        column += _cells(machine, layout.pitch) + layout.gap
        number += len(machine.stations)
    if slide.between and slide.station == number - 1:  # the next machine is not shown
        _packet(canvas, min(column - layout.gap + 3, width - 3), slide, None)
    if layout.cut:
        canvas.write(1, 0, "…", "$dim")
    return canvas.lines()


def packet_glyph(slide: Slide, station: Station | None) -> str:
    """The packet as brackets, one pair for each header."""
    depth = max(1, len(slide.after))
    core = "✖" if station is not None and station.lost and not slide.between else "■"
    return "[" * depth + core + "]" * depth


def _cells(machine: Machine, pitch: int) -> int:
    return len(machine.stations) * pitch + 2


def _layout(line: Line, slide: Slide, width: int) -> Layout:
    for pitch in _PITCHES:
        if (gap := _gap_for(line.machines, pitch, width)) is not None:
            return Layout(line.machines, 0, pitch, gap)
    first, last = _around(line, slide, width)
    machines = line.machines[first:last]
    before = sum(len(machine.stations) for machine in line.machines[:first])
    return Layout(machines, before, _PITCHES[-1], _GAP, cut=True)


def _gap_for(machines: tuple[Machine, ...], pitch: int, width: int) -> int | None:
    """Cells between machines at this pitch, None where they do not fit."""
    taken = sum(_cells(machine, pitch) for machine in machines)
    gaps = len(machines) - 1
    if gaps < 1:
        return 0 if taken <= width else None
    gap = min(_WIDEST_GAP, (width - taken) // gaps)
    return gap if gap >= _GAP else None


def _around(line: Line, slide: Slide, width: int) -> tuple[int, int]:
    """The machines around the packet that fit: a slice."""
    here, seen = 0, 0
    for index, machine in enumerate(line.machines):
        if slide.station is not None and seen <= slide.station:
            here = index
        seen += len(machine.stations)
    first, last = here, here + 1
    for further in (here + 1, here - 1):
        if 0 <= further < len(line.machines):
            start, end = min(first, further), max(last, further + 1)
            if _gap_for(line.machines[start:end], _PITCHES[-1], width - 2) is not None:
                first, last = start, end
    return first, last


def _gap(canvas: Canvas, column: int, gap: int, line: Line, slide: Slide, number: int) -> None:
    passed = slide.station is not None and slide.station >= number - (1 if slide.between else 0)
    reached = line.stations[number].hop is not None
    canvas.write(1, column, ("═" if reached else "┄") * gap, "bold $link" if passed else "$dim")
    name = clean(line.underlay)
    if 0 < width_of(name) <= gap:
        canvas.write(2, column + (gap - width_of(name)) // 2, name, "$dim")


def _machine(
    canvas: Canvas, column: int, machine: Machine, number: int, pitch: int, slide: Slide, texts: Texts
) -> None:
    inner = len(machine.stations) * pitch
    name = crop_middle(clean(machine.node), max(1, inner - 3))
    here = slide.station is not None and number <= slide.station < number + len(machine.stations) and not slide.between
    frame = "bold $link" if here else "$dim"
    canvas.write(0, column, f"┌ {name} " + "─" * (inner - width_of(name) - 2) + "┐", frame)
    canvas.write(1, column, "│", frame)
    canvas.write(1, column + inner + 1, "│", frame)
    canvas.write(2, column, "│", frame)
    canvas.write(2, column + inner + 1, "│", frame)
    canvas.write(3, column, "└" + "─" * inner + "┘", frame)
    centres = [column + 1 + pitch * index + pitch // 2 for index in range(len(machine.stations))]
    for index in range(1, len(centres)):
        passed = slide.station is not None and slide.station >= number + index
        rule = "─" if machine.stations[index].hop is not None else "┄"
        canvas.write(1, centres[index - 1], rule * pitch, "bold $link" if passed else "$dim")
    for index, (centre, station) in enumerate(zip(centres, machine.stations, strict=True)):
        current = slide.station == number + index and not slide.between
        canvas.write(1, centre, _glyph(station), _style(station))
        _label(canvas, column + 1, inner, centre, pitch, texts.station[station.step.value], current)
    for index, (centre, station) in enumerate(zip(centres, machine.stations, strict=True)):
        if slide.station == number + index and not slide.between:
            _packet(canvas, centre, slide, station)


def _label(canvas: Canvas, left: int, inner: int, centre: int, pitch: int, text: str, current: bool) -> None:
    if pitch < _LABELLED and not current:
        return
    cells = width_of(text)
    column = min(max(left, centre - cells // 2), left + inner - cells)
    canvas.write(2, column, text, "bold $foreground on $cursor-ground" if current else "$dim")


def _packet(canvas: Canvas, centre: int, slide: Slide, station: Station | None) -> None:
    glyph = packet_glyph(slide, station)
    lost = "✖" in glyph
    canvas.write(1, centre - len(glyph) // 2, glyph, "bold $bad" if lost else "bold $warn")


def _glyph(station: Station) -> str:
    if station.hop is None or station.evidence is None:
        return "·"
    return "✖" if station.lost else GLYPHS[station.evidence]


def _style(station: Station) -> str:
    return "bold $bad" if station.lost else "$dim" if station.hop is None else "$good"


def joined(lines: Iterable[Content]) -> Content:
    """Rows one under the other."""
    return Content("\n").join(list(lines))
