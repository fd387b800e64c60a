"""Drives the real app on the demos and writes `screenshots/*.svg` and `*.png`: `python -m tests.screenshots`.

Textual's SVG names a font on the network; here both formats name one that systems have, DejaVu Sans Mono.
"""

from __future__ import annotations

import argparse
import asyncio
import html
import itertools
import os
import re
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import resvg_py
from rich.cells import cell_len
from textual.pilot import Pilot

from calitui.session import Progress, Session
from calitui.trace.path import Step, Verdict
from calitui.tui.app import CalituiApp
from calitui.tui.home.screen import HomeScreen
from calitui.tui.mesh.screen import MeshScreen
from calitui.tui.themes import DARK, LIGHT
from calitui.tui.trace.screen import TraceScreen
from calitui.tui.walkthrough.screen import WalkthroughScreen
from calitui.walkthrough.wording import Language

SIZES = ((120, 36), (80, 24))
DEMOS = {
    "ipip": ("huang1/huangtest-69d9fddd97-2b8hr", "huang2/hhh-6897d64fcd-kqsj4"),
    "bgp": ("huang2/hhh-6897d64fcd-4zph4", "huang1/huangtest-69d9fddd97-pbvvw"),
}
WALKED = "ipip"
PROVED = ("ipip", "vxlan")
MOST_BROKEN = 2
"""Clusters with a fault that are drawn if none is named."""
FAMILY = "DejaVu Sans Mono"
FONT_FOLDERS = ("/usr/share/fonts/truetype/dejavu", "/usr/share/fonts/TTF", "/usr/share/fonts/dejavu-sans-mono-fonts")
FONT_FILES = ("DejaVuSansMono.ttf", "DejaVuSansMono-Bold.ttf")
CHINESE_FONTS = (
    "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/noto-cjk/NotoSansCJK-Regular.ttc",
)
"""Where DejaVu has no glyph; Chinese pictures are written as SVG only where none of them is there."""
CHINESE_FAMILIES = "Noto Sans Mono CJK SC, WenQuanYi Zen Hei Mono, PingFang SC, Microsoft YaHei, monospace"
CELL = 12.2
"""Units of a cell in Rich's SVG."""
WALKS = ((Language.EN, 4), (Language.ZH, 4), (Language.EN, 6))
"""Walkthroughs of `ipip`, by language and steps from the start: tunl0, and the network between the machines."""
PATIENCE = 30.0
"""Seconds until a screen must be there."""


def fonts() -> list[str]:
    """The font files; empty when the system has none, and then there are only SVGs."""
    for folder in FONT_FOLDERS:
        found = [str(Path(folder) / name) for name in FONT_FILES if (Path(folder) / name).exists()]
        if len(found) == len(FONT_FILES):
            return found
    return []


def chinese_fonts() -> list[str]:
    """The first font for Chinese that is there."""
    return [name for name in CHINESE_FONTS if Path(name).exists()][:1]


_RUN = re.compile(r'<text class="([^"]*)" x="([\d.]+)" y="([\d.]+)" textLength="[\d.]+" ([^>]*)>([^<]*)</text>')


def widened(svg: str) -> str:
    """Give wide characters two cells: Rich counts one for each and would press them together.

    A run with some is taken apart, so that what stands beside them stays in its column.
    """

    def apart(run: re.Match[str]) -> str:
        style, x, y, rest, escaped = run.groups()
        text = html.unescape(escaped)
        if cell_len(text) == len(text):
            return run.group()
        drawn, column = [], float(x)
        for wide, marks in itertools.groupby(text, lambda mark: cell_len(mark) > 1):
            piece = "".join(marks)
            length = cell_len(piece) * CELL
            family = f' font-family="{CHINESE_FAMILIES}"' if wide else ""
            drawn.append(
                f'<text class="{style}" x="{column:g}" y="{y}" textLength="{length:g}" {rest}{family}>'
                f"{html.escape(piece).replace(' ', '&#160;')}</text>"
            )
            column += length
        return "".join(drawn)

    return _RUN.sub(apart, svg)


def png(svg: str, font_files: list[str]) -> bytes:
    """Draw an SVG with our font alone."""
    local = re.sub(r"font-family:[^;}]*", f"font-family: {FAMILY}", svg)
    return bytes(
        resvg_py.svg_to_bytes(svg_string=local, font_files=font_files, skip_system_fonts=True, font_family=FAMILY)
    )


async def settled(pilot: Pilot[int], there: Callable[[], bool]) -> None:
    """Wait until `there`.

    Raises:
        TimeoutError: it never was.
    """
    deadline = time.monotonic() + PATIENCE
    while not there():
        if time.monotonic() > deadline:
            raise TimeoutError("the screen did not come")
        await pilot.pause(0.02)
    await pilot.pause(0.05)


def write(app: CalituiApp, folder: Path, name: str, font_files: list[str]) -> None:
    """One picture in both formats."""
    svg = app.export_screenshot(title="calitui", simplify=True)
    svg = re.sub(r"terminal-\d+", "terminal-calitui", svg)
    svg = re.sub(r"@font-face\s*\{.*?\}", "", svg, flags=re.DOTALL)
    svg = re.sub(r"font-family: Fira Code, monospace", f"font-family: {FAMILY}, Menlo, Consolas, monospace", svg)
    svg = widened(svg)
    (folder / f"{name}.svg").write_text(svg, "utf-8")
    if font_files:
        (folder / f"{name}.png").write_bytes(png(svg, font_files))


def pods_are_there(app: CalituiApp) -> bool:
    """Whether Home shows a pod."""
    return isinstance(app.screen, HomeScreen) and bool(app.screen.pods.rows)


def trace_is_there(app: CalituiApp) -> bool:
    """Whether Trace shows a path."""
    return isinstance(app.screen, TraceScreen) and app.screen.trace is not None


async def shoot(session: Session, demo: str, ends: tuple[str, str], folder: Path) -> None:
    """Home and Trace of one demo in every size, the large Trace in the light theme too."""
    font_files = fonts()
    read_at = session.cluster().read_at
    for width, height in SIZES:
        app = CalituiApp(session, theme=DARK, source=ends[0], now=lambda: read_at + 60)
        async with app.run_test(size=(width, height)) as pilot:
            await settled(pilot, partial(pods_are_there, app))
            await pilot.press("down")
            await pilot.pause()
            write(app, folder, f"home-{demo}-{width}x{height}", font_files)
            app.push_screen(TraceScreen(session, *ends, app.now))
            await settled(pilot, partial(trace_is_there, app))
            await pilot.press("down", "down", "down")
            await pilot.pause()
            write(app, folder, f"trace-{demo}-{width}x{height}", font_files)
            if width == SIZES[0][0]:
                app.theme = LIGHT
                await pilot.pause()
                write(app, folder, f"trace-{demo}-{width}x{height}-light", font_files)


def mesh_is_there(app: CalituiApp) -> bool:
    """Whether Mesh shows a whole audit."""
    return isinstance(app.screen, MeshScreen) and app.screen.complete is not None


def quiet(_: Progress) -> None:
    """Nobody looks at progress here."""


def troubled_ends(session: Session) -> tuple[str, str]:
    """The first two pods on different nodes between which a packet is not delivered.

    Raises:
        LookupError: all are.
    """
    never = threading.Event()
    pods = [pod for pod in session.cluster().pods if pod.ips and not pod.host_network and not pod.is_finished]
    for one, other in itertools.permutations(pods, 2):
        ends = f"{one.namespace}/{one.name}", f"{other.namespace}/{other.name}"
        if one.node != other.node and session.trace(*ends, quiet, never).verdict is not Verdict.DELIVERED:
            return ends
    raise LookupError(f"{session.origin}: every packet is delivered")


async def shoot_broken(session: Session, demo: str, folder: Path) -> None:
    """Trace with its cause, the findings and the mesh of one demo in every size, the large mesh in the light theme."""
    ends = troubled_ends(session)
    font_files = fonts()
    read_at = session.cluster().read_at
    for width, height in SIZES:
        app = CalituiApp(session, theme=DARK, now=lambda: read_at + 60)
        async with app.run_test(size=(width, height)) as pilot:
            await settled(pilot, partial(pods_are_there, app))
            app.push_screen(TraceScreen(session, *ends, app.now))
            await settled(pilot, partial(trace_is_there, app))
            write(app, folder, f"trace-{demo}-{width}x{height}", font_files)
            await pilot.press("d")
            await pilot.pause(0.05)
            write(app, folder, f"findings-{demo}-{width}x{height}", font_files)
            await pilot.press("escape", "escape", "m")
            await settled(pilot, partial(mesh_is_there, app))
            write(app, folder, f"mesh-{demo}-{width}x{height}", font_files)
            if width == SIZES[0][0]:
                app.theme = LIGHT
                await pilot.pause()
                write(app, folder, f"mesh-{demo}-{width}x{height}-light", font_files)


def walkthrough_is_there(app: CalituiApp) -> bool:
    """Whether the walkthrough is on top."""
    return isinstance(app.screen, WalkthroughScreen)


async def shoot_walkthrough(session: Session, demo: str, ends: tuple[str, str], folder: Path) -> None:
    """The walkthrough of one demo in every size and both languages, at its most telling steps."""
    font_files = fonts() + chinese_fonts()
    read_at = session.cluster().read_at
    for width, height in SIZES:
        for language, steps in WALKS:
            drawable = fonts() and (chinese_fonts() or language is Language.EN)
            app = CalituiApp(
                session,
                theme=DARK,
                source=ends[0],
                destination=ends[1],
                now=lambda: read_at + 60,
                language=language,
                walking=True,
            )
            async with app.run_test(size=(width, height)) as pilot:
                await settled(pilot, partial(walkthrough_is_there, app))
                await pilot.press(*["right"] * steps)
                await pilot.pause()
                name = f"walkthrough-{demo}-{language.value}-{steps + 1}-{width}x{height}"
                write(app, folder, name, font_files if drawable else [])


def proof_is_there(app: CalituiApp) -> bool:
    """Whether Trace shows what packets did."""
    return isinstance(app.screen, TraceScreen) and app.screen.trace is not None and app.screen.trace.proof is not None


async def shoot_proof(session: Session, demo: str, folder: Path) -> None:
    """The first proof that a demo holds in every size, at the hop where the outer packet leaves the node."""
    font_files = fonts()
    proofs = session.record(quiet, threading.Event()).proofs
    if not proofs:
        print(f"demo {demo} holds no proof: left out")
        return
    probe = proofs[0].probe
    for width, height in SIZES:
        app = CalituiApp(
            session, theme=DARK, source=probe.source, destination=probe.destination, now=lambda: proofs[0].taken_at + 60
        )
        async with app.run_test(size=(width, height)) as pilot:
            await settled(pilot, partial(trace_is_there, app))
            await pilot.press("p")
            await settled(pilot, partial(proof_is_there, app))
            screen = app.screen
            if isinstance(screen, TraceScreen) and screen.trace is not None and not screen.selected[screen.direction]:
                hops = screen.trace.forward.hops
                await pilot.press(*["down"] * next(i for i, hop in enumerate(hops) if hop.step is Step.NIC_OUT))
            await pilot.pause(0.05)
            write(app, folder, f"proof-{demo}-{width}x{height}", font_files)


def main() -> None:
    """Write every picture."""
    from calitui.session import demos, open_demo

    os.environ["TZ"] = "UTC"
    time.tzset()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path(__file__).parent.parent / "screenshots")
    parser.add_argument("--broken", action="append", metavar="DEMO", help="demo with a fault, without `demo:`")
    parser.add_argument("--proved", action="append", metavar="DEMO", help="demo that holds a proof")
    arguments = parser.parse_args()
    folder: Path = arguments.folder
    folder.mkdir(parents=True, exist_ok=True)
    broken: list[str] = arguments.broken or sorted(name for name in demos() if name.startswith("broken-"))[:MOST_BROKEN]
    for demo in (*DEMOS, *broken):
        session = open_demo(demo)
        try:
            shooting = (
                shoot(session, demo, DEMOS[demo], folder) if demo in DEMOS else shoot_broken(session, demo, folder)
            )
            asyncio.run(shooting)
            if demo == WALKED:
                asyncio.run(shoot_walkthrough(session, demo, DEMOS[demo], folder))
        finally:
            session.close()
    for demo in arguments.proved or [name for name in PROVED if name in demos()]:
        session = open_demo(demo)
        try:
            asyncio.run(shoot_proof(session, demo, folder))
        finally:
            session.close()


if __name__ == "__main__":
    main()
