"""`calitui record -o FILE`: the facts of a cluster in one file, to send, to replay, to keep.

The file appears whole or not at all, readable by its owner only, and never replaces another one unasked.
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import click
import msgspec

from calitui.cli import output, running, sessions
from calitui.cli.flags import Command, Flags, shared
from calitui.errors import CalituiError, Exit, UsageError
from calitui.facts.snapshot import Snapshot, encode
from calitui.facts.text import clean
from calitui.report.words import counted, listed, unread_line

STDOUT = "-"
MODE = 0o600
PRIVACY = "It holds the names and addresses of pods and nodes: mind whom you send it to"


@click.command("record", cls=Command)
@click.option("-o", "--output", "target", metavar="FILE", required=True, help="Where to write it; - is stdout.")
@click.option("--node", "nodes", metavar="NAME", multiple=True, help="Read only this node; may be given again.")
@click.option("--title", default="", help="One line that says what the recording shows.")
@click.option("--force", is_flag=True, help="Replace FILE if it exists.")
@shared
def command(flags: Flags, target: str, nodes: tuple[str, ...], title: str, force: bool) -> None:
    """Read the cluster and its nodes into a snapshot file that --from takes.

    The file holds names and addresses of pods and nodes, their labels and routes, no secrets. It is written even when
    a node can't be read; the exit code is 4 then.
    """
    path = None if target == STDOUT else Path(target)
    if path is not None:
        check(path, force=force)
    with sessions.opened(flags) as session:
        snapshot = running.run(lambda progress, stop: session.record(progress, stop, nodes), bool(flags.verbose))
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


def check(path: Path, *, force: bool) -> None:
    """Say early what would fail late, after every node was read.

    Raises:
        UsageError: the file may not be written there.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise UsageError(f"No directory {path.parent} to write {path.name} into") from None
    except OSError as error:
        raise UsageError(f"{path} can't be written: {error.strerror}") from None
    else:
        if not stat.S_ISREG(mode):
            raise UsageError(f"{path} is not a regular file", "For a pipe write to stdout with `-o -`")
        if not force:
            raise UsageError(f"{path} exists", "Replace it with --force")
    if not os.access(path.parent, os.W_OK | os.X_OK):
        raise UsageError(f"{path} can't be written: no permission in {path.parent}")


def write(path: Path, data: bytes, *, force: bool) -> None:
    """Write `data` to `path` at once, mode 0600.

    Raises:
        UsageError: somebody else made the file meanwhile.
        CalituiError: the disk refuses.
    """
    temporary: str | None = None
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, MODE)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
        if force:
            Path(temporary).replace(path)
            temporary = None
        else:
            os.link(temporary, path)  # unlike a rename it fails where the name is taken
    except FileExistsError:
        raise UsageError(f"{path} exists", "Replace it with --force") from None
    except OSError as error:
        raise CalituiError(f"{path} can't be written: {error.strerror}") from None
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
