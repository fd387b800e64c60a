"""`calitui record -o FILE`: the facts of a cluster in one file, to send, to replay, to keep."""

from __future__ import annotations

import threading
from functools import partial
from pathlib import Path

import click
import msgspec

from calitui.cli import output, proving, running, sessions
from calitui.cli.files import check, write
from calitui.cli.flags import Command, Flags, shared
from calitui.errors import Exit
from calitui.facts.snapshot import Snapshot, encode
from calitui.facts.text import clean
from calitui.report.words import counted, listed, unread_line
from calitui.session import ProgressSink, ProofRequest, Session
from calitui.trace.path import Trace

STDOUT = "-"
PRIVACY = "It holds the names and addresses of pods and nodes: mind whom you send it to"


@click.command("record", cls=Command)
@click.option("-o", "--output", "target", metavar="FILE", required=True, help="Where to write it; - is stdout.")
@click.option("--node", "nodes", metavar="NAME", multiple=True, help="Read only this node; may be given again.")
@click.option("--title", default="", help="One line that says what the recording shows.")
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@click.option(
    "--prove",
    "proofs",
    nargs=2,
    multiple=True,
    metavar="SRC DST",
    help="Send a few packets from SRC to DST, after asking, and keep what was seen; may be given again.",
)
@click.option("--yes", is_flag=True, help="Do not ask before packets are sent.")
@shared
def command(
    flags: Flags,
    target: str,
    nodes: tuple[str, ...],
    title: str,
    force: bool,
    proofs: tuple[tuple[str, str], ...],
    yes: bool,
) -> None:
    """Read the cluster and its nodes into a snapshot file that --from takes.

    The file holds names and addresses of pods and nodes, their labels and routes, no secrets. It is written even when
    a node can't be read; the exit code is 4 then.
    """
    path = None if target == STDOUT else Path(target)
    if path is not None:
        check(path, force=force)
    with sessions.opened(flags) as session:
        if proofs and not _agreed(session, proofs, yes=yes, verbose=bool(flags.verbose)):
            output.note("Nothing was sent, and nothing is recorded")
            click.get_current_context().exit(Exit.USAGE)
        snapshot = running.run(
            lambda progress, stop: session.record(progress, stop, nodes, proofs),
            bool(flags.verbose),
            proving.PATIENCE if proofs else running.PATIENCE,
        )
    if title:
        snapshot = msgspec.structs.replace(snapshot, title=clean(title))
    data = encode(snapshot)
    if path is None:
        output.data(data)
    else:
        write(path, data, force=force)
    unread = [node for node in snapshot.nodes if node.host is None]
    for line in summary(snapshot, target):
        output.note(line)
    if unread:
        click.get_current_context().exit(Exit.UNKNOWN)


def _agreed(session: Session, proofs: tuple[tuple[str, str], ...], *, yes: bool, verbose: bool) -> bool:
    """Whether every pair may be proved: each plan is printed and asked for on its own."""
    proving.check_asking(session, yes=yes)
    for source, destination in proofs:
        path = running.run(partial(_traced, session, source, destination), verbose)
        if not proving.agreed(session, path, ProofRequest(), yes=yes, verbose=verbose):
            return False
    return True


def _traced(session: Session, source: str, destination: str, progress: ProgressSink, stop: threading.Event) -> Trace:
    return session.trace(source, destination, progress, stop)


def summary(snapshot: Snapshot, target: str) -> list[str]:
    """What was written, for a person."""
    read = [node for node in snapshot.nodes if node.host is not None]
    where = "to stdout" if target == STDOUT else target
    lines = [
        f"Wrote {where}: {counted(len(snapshot.cluster.pods), 'pod')}, {len(read)} of"
        f" {counted(len(snapshot.nodes), 'node')} read. {PRIVACY}"
    ]
    for node in snapshot.nodes:
        if node.host is None:
            reasons = [missing.reason for missing in node.missing] or ["no reason was given"]
            lines.append(f"not read: {unread_line(node.name, '', reasons[0])}")
    if snapshot.cluster.missing:
        lines.append(f"not read: {listed([missing.what for missing in snapshot.cluster.missing])} of the cluster")
    return lines
