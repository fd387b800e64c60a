"""The MTU along one direction in each form: every station in numbers, the largest packet, and the size that fails."""

from __future__ import annotations

import msgspec
from rich.text import Text

from calitui.facts.text import clean
from calitui.report.escaping import prose, span
from calitui.report.page import Page
from calitui.trace.mtu import MtuStation, PathMtu


class StationReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One device, or route with an MTU of its own, at hop `number`; `fits` is the largest inner packet.

    `what` is `container`, `veth`, `route`, `tunnel` or `NIC`. `limits` is false where the MTU does not matter to this
    direction, `silent` true where what is too big vanishes without an ICMP answer.
    """

    number: int
    what: str
    node: str | None
    device: str | None
    mtu: int | None
    overhead: int
    fits: int | None
    limits: bool
    silent: bool


class SqueezeReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Packets of `smallest` to `largest` bytes that the source makes and that do not pass hop `number` as they are."""

    number: int
    smallest: int
    largest: int


class SizesReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sizes in bytes of the inner IP packet; the `ping_` ones are payloads for `ping -M do -s SIZE`.

    `sends` is the largest packet that the source makes, `carries` the largest that everything after it lets through,
    null unless all of it was read; `at_most` the same over what was read, set at hop `narrowest`. `fails` is the
    smallest that does not pass as it is. `overhead` is the most that outer headers take.
    """

    overhead: int
    sends: int | None
    carries: int | None
    at_most: int | None
    narrowest: int | None
    fails: int | None
    ping_passes: int | None
    ping_fails: int | None
    stations: tuple[StationReport, ...]
    squeezes: tuple[SqueezeReport, ...]


def sizes_report(sizes: PathMtu) -> SizesReport:
    """The sizes as scripts read them."""
    narrowest = _narrowest(sizes)
    return SizesReport(
        overhead=sizes.overhead,
        sends=sizes.sends,
        carries=sizes.carries,
        at_most=sizes.at_most,
        narrowest=narrowest.number if narrowest is not None else None,
        fails=sizes.fails,
        ping_passes=sizes.ping_passes,
        ping_fails=sizes.ping_fails,
        stations=tuple(
            StationReport(
                number=one.number,
                what=clean(one.what),
                node=clean(one.node) if one.node else None,
                device=clean(one.device) if one.device else None,
                mtu=one.mtu,
                overhead=one.overhead,
                fits=one.fits,
                limits=one.limits,
                silent=one.silent,
            )
            for one in sizes.stations
        ),
        squeezes=tuple(SqueezeReport(one.station.number, one.smallest, one.largest) for one in sizes.squeezes),
    )


def sizes_lines(sizes: PathMtu) -> list[str]:
    """The sizes in sentences: what fits, the size that fails, and where packets of the source don't pass."""
    lines = []
    sends = f"the source sends up to {sizes.sends} bytes, " if sizes.sends is not None else ""
    if sizes.carries is not None:
        lines.append(
            f"{sends}the path carries {sizes.carries}; ping -M do -s {sizes.ping_passes} should pass,"
            f" -s {sizes.ping_fails} should not"
        )
    elif sizes.at_most is not None:
        lines.append(f"{sends}the path carries at most {sizes.at_most}, by what is known of it")
    for squeeze in sizes.squeezes:
        one = squeeze.station
        where = clean(" ".join(word for word in (one.device or one.what, "on", one.node) if word)) if one.node else ""
        fate = ", and vanish without an answer" if one.silent else ""
        lines.append(
            f"packets of {squeeze.smallest} to {squeeze.largest} bytes do not pass hop {one.number}"
            + (f", {where}," if where else "")
            + f" as they are{fate}"
        )
    return lines


def write_sizes(page: Page, sizes: PathMtu) -> None:
    """A small table and its sentences as text; nothing where no MTU is known."""
    if all(one.mtu is None for one in sizes.stations):
        return
    page.line()
    page.line(Text("     sizes        mtu   less   fits", "dim"))
    for one in sizes.stations:
        numbers = f"{_number(one.mtu):>6} {one.overhead or '':>6} {_fits(one):>6}"
        place = "  ".join(clean(part) for part in (one.node, one.device) if part)
        page.line(Text(f"{one.number:>3}  {clean(one.what):<9} {numbers}  {place}{_mark(sizes, one)}"))
    for line in sizes_lines(sizes):
        page.prose("", line, 5)


def sizes_blocks(sizes: PathMtu) -> list[str]:
    """The same as Markdown blocks."""
    if all(one.mtu is None for one in sizes.stations):
        return []
    rows = [
        f"| {one.number} | {prose(one.what)} | {span(one.node or '', cell=True)} | {span(one.device or '', cell=True)}"
        f" | {_number(one.mtu)} | {one.overhead or ''} | {_fits(one)}{_mark(sizes, one)} |"
        for one in sizes.stations
    ]
    table = ["| # | sizes | node | device | MTU | less | fits |", "|--:|---|---|---|--:|--:|--:|", *rows]
    return ["\n".join(table), *(f"{prose(line[:1].upper() + line[1:])}." for line in sizes_lines(sizes))]


def _narrowest(sizes: PathMtu) -> MtuStation | None:
    return sizes.stations[sizes.narrowest] if sizes.narrowest is not None else None


def _number(value: int | None) -> str:
    return "?" if value is None else str(value)


def _fits(one: MtuStation) -> str:
    return _number(one.fits) if one.limits else "-"


def _mark(sizes: PathMtu, one: MtuStation) -> str:
    if any(one is squeeze.station for squeeze in sizes.squeezes):
        return " ← too small"
    return " ← narrowest" if one is _narrowest(sizes) and sizes.squeezes else ""
