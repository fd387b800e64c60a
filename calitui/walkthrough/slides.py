"""The shape of a walkthrough: slides in order, and the line of stations that the packet moves along."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from calitui.trace.finding import Finding
from calitui.trace.path import Evidence, Header, Step


class Words(msgspec.Struct, frozen=True):
    """A text in any language: its key in the files of `texts`, and what fills its placeholders."""

    key: str
    values: dict[str, str] = {}


class Kind(StrEnum):
    """What a slide is about."""

    OPENING = "opening"
    TURN = "turn"
    """The packet has arrived, or has not, and the reply sets out."""
    HOP = "hop"
    UNDERLAY = "underlay"
    """Between two machines, where nobody looked."""
    ENDING = "ending"
    """A direction that does not arrive: why, and what to type."""
    CLOSING = "closing"


class ChangeKind(StrEnum):
    """What a step does to the headers."""

    PUT_ON = "put-on"
    TAKEN_OFF = "taken-off"
    REWRITTEN = "rewritten"


class HeaderChange(msgspec.Struct, frozen=True):
    """One header that a step puts on, takes off or rewrites; `before` is its former self where it is rewritten."""

    kind: ChangeKind
    header: Header
    before: Header | None = None


class Doubt(msgspec.Struct, frozen=True):
    """What limits a slide: in words, then the trace's `reason` verbatim. `grave` is a packet lost, `proven` the
    contrary of a doubt: a real packet was seen.
    """

    words: Words
    reason: str = ""
    grave: bool = False
    proven: bool = False


class Station(msgspec.Struct, frozen=True):
    """A place on the line. `hop` is an index of the direction's hops, None for a place the packet never reaches."""

    step: Step
    device: str | None = None
    hop: int | None = None
    evidence: Evidence | None = None
    lost: bool = False
    """The packet goes no further than this."""


class Machine(msgspec.Struct, frozen=True):
    """Stations of one node, in the order in which the packet comes by."""

    node: str
    stations: tuple[Station, ...]


class Line(msgspec.Struct, frozen=True):
    """All machines on a direction's way, those that it never reaches too. `underlay` names the network between."""

    direction: str
    machines: tuple[Machine, ...]
    underlay: str = ""

    @property
    def stations(self) -> tuple[Station, ...]:
        """Of all machines, in order."""
        return tuple(station for machine in self.machines for station in machine.stations)

    @property
    def unreached(self) -> tuple[Station, ...]:
        """Those without a hop."""
        return tuple(station for station in self.stations if station.hop is None)


class Slide(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the walkthrough.

    `direction` is an index of the trace's directions, `hop` one of that direction's hops where the slide shows one.
    `station` is where the packet is on the line; with `between` it has left that station and is on its way to the next.
    None is a packet that is not under way. `before` and `after` are its headers, outermost first, `changes` what makes
    the difference. `paragraphs` explain, `doubts` say what is not certain or goes wrong. `lines` are this cluster's
    evidence verbatim, `check` and `fix` what a person would type to see or to mend it.
    """

    kind: Kind
    direction: int
    title: Words
    paragraphs: tuple[Words, ...]
    doubts: tuple[Doubt, ...] = ()
    hop: int | None = None
    station: int | None = None
    between: bool = False
    before: tuple[Header, ...] = ()
    after: tuple[Header, ...] = ()
    changes: tuple[HeaderChange, ...] = ()
    evidence: Evidence | None = None
    route: str | None = None
    lines: tuple[str, ...] = ()
    check: str | None = None
    finding: Finding | None = None
    fix: tuple[str, ...] = ()


class Walkthrough(msgspec.Struct, frozen=True):
    """All slides, forward then return, and the two lines they move along."""

    slides: tuple[Slide, ...]
    lines: tuple[Line, ...]

    def first_of(self, direction: int) -> int:
        """The index of the first slide of a direction; the first of all where it has none."""
        return next((index for index, slide in enumerate(self.slides) if slide.direction == direction), 0)

    def at(self, direction: int, hop: int) -> int:
        """The index of the slide that shows a hop, else of the direction's first."""
        shown = (index for index, one in enumerate(self.slides) if (one.direction, one.hop) == (direction, hop))
        return next(shown, self.first_of(direction))
