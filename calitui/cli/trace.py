"""`calitui trace SRC DST`: both directions, as text, JSON or Markdown; the exit code is the verdict."""

from __future__ import annotations

import click

from calitui import report
from calitui.cli import output, running, sessions
from calitui.cli.flags import Command, Flags, shared
from calitui.errors import Exit
from calitui.trace.path import Verdict

EXITS = {Verdict.DELIVERED: Exit.DELIVERED, Verdict.BROKEN: Exit.BROKEN, Verdict.UNKNOWN: Exit.UNKNOWN}


@click.command("trace", cls=Command)
@click.argument("source", metavar="SRC")
@click.argument("destination", metavar="DST")
@click.option("-o", "--output", "form", type=click.Choice(output.FORMS), default="text", help="The form.")
@click.option("--family", type=click.Choice(["4", "6"]), help="The IP family, where both ends have both.")
@shared
def command(flags: Flags, source: str, destination: str, form: str, family: str | None) -> None:
    """Read and print the path between two pods, both ways.

    SRC and DST are namespace/pod, a pod's name in -n (else the context's namespace), or an IP. Exits 0 when both
    directions are delivered, 1 when one is broken, 4 when it can't be told.
    """
    with sessions.opened(flags) as session:
        path = running.run(
            lambda progress, stop: session.trace(source, destination, progress, stop, int(family) if family else None),
            bool(flags.verbose),
        )
    if form == "json":
        output.data(report.as_json(path))
    elif form == "markdown":
        output.data(report.as_markdown(path))
    else:
        output.data(report.as_text(path, output.width(), output.colour()))
    click.get_current_context().exit(EXITS[path.verdict])
