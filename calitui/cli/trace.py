"""`calitui trace SRC DST`: both directions, as text, JSON or Markdown; the exit code is the verdict."""

from __future__ import annotations

import threading
from typing import Any

import click

from calitui import report
from calitui.cli import output, proving, running, sessions
from calitui.cli.flags import Command, Flags, shared
from calitui.errors import Exit, UsageError
from calitui.session import Options, open_session
from calitui.trace.path import Verdict

EXITS = {Verdict.DELIVERED: Exit.DELIVERED, Verdict.BROKEN: Exit.BROKEN, Verdict.UNKNOWN: Exit.UNKNOWN}


@click.command("trace", cls=Command)
@click.argument("source", metavar="SRC")
@click.argument("destination", metavar="DST")
@click.option("-o", "--output", "form", type=click.Choice(output.FORMS), default="text", help="The form.")
@click.option("--family", type=click.Choice(["4", "6"]), help="The IP family, where both ends have both.")
@click.option("--since", metavar="FILE|demo:NAME", help="Tell what changed since this recording.")
@proving.options
@shared
def command(
    flags: Flags,
    /,
    source: str,
    destination: str,
    form: str,
    family: str | None,
    since: str | None,
    **proof: Any,
) -> None:
    """Read and print the path between two pods, both ways, and why it is broken if it is.

    SRC and DST are namespace/pod, a pod's name in -n (else the context's namespace), or an IP. Exits 0 when both
    directions are delivered, 1 when one is broken, 4 when it can't be told. With --prove packets are sent, and what
    they show decides; it is printed first what runs where, and asked for.
    """
    prove = proving.asked(**proof)
    wanted = int(family) if family else None
    before = _recorded(since, flags.namespace, (source, destination), wanted) if since is not None else None
    cut = False
    with sessions.opened(flags) as session:
        if prove is not None:
            proving.check_asking(session, yes=prove.yes)
        path = running.run(
            lambda progress, stop: session.trace(source, destination, progress, stop, wanted), bool(flags.verbose)
        )
        if prove is not None:
            path, cut = proving.proved(session, path, prove, verbose=bool(flags.verbose))
    earlier = before if before is None or before.trace.family == path.family else _other(before)
    if form == "json":
        output.data(report.as_json(path, earlier))
    elif form == "markdown":
        output.data(report.as_markdown(path, earlier))
    else:
        output.data(report.as_text(path, output.width(), output.colour(), earlier))
    click.get_current_context().exit(Exit.INTERRUPTED if cut else EXITS[path.verdict])


def _recorded(name: str, namespace: str | None, ends: tuple[str, str], family: int | None) -> report.Since:
    """The same pair in an earlier recording.

    Raises:
        CalituiError: the recording can't be read, or does not have it.
    """
    session = open_session(Options(from_=name, namespace=namespace))
    try:
        return report.Since(session.origin, session.trace(*ends, lambda _: None, threading.Event(), family))
    except UsageError as error:
        raise UsageError(f"{session.origin} does not have this pair: {error.what}", error.hint) from None


def _other(before: report.Since) -> report.Since | None:
    """The recording's trace over the other IP family, if it has one."""
    other = before.trace.other_family
    return report.Since(before.origin, other) if other is not None else None
