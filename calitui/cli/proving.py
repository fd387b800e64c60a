"""A live proof on the command line: nothing is sent before a person has read what will run, and has agreed to it.

Agreeing is an answer on a terminal, or `--yes`. A recording has its proof already: nothing runs, and nobody is asked.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import click
import msgspec

from calitui.cli import output, running
from calitui.cli.files import check, write
from calitui.errors import UsageError
from calitui.facts.text import clean
from calitui.session import CannotProve, ProofRequest, Session
from calitui.trace.path import Trace

PATIENCE = 15.0
"""Seconds that captures get to end after ctrl-c."""

Command = Callable[..., object]


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What the options of a proof say. `pcap` is the file for the packets."""

    request: ProofRequest
    yes: bool = False
    pcap: Path | None = None
    force: bool = False


_OPTIONS = (
    click.option(
        "--prove", is_flag=True, help="Send a few packets along the path, after asking, and say who saw them."
    ),
    click.option("--protocol", type=click.Choice(["icmp", "tcp", "udp"]), help="Of the packets; icmp unless --port."),
    click.option("--port", type=click.IntRange(1, 65535), help="Where TCP or UDP packets are sent to."),
    click.option("--count", type=click.IntRange(1, 10), help="How many packets are sent; 3 unless told."),
    click.option("--yes", is_flag=True, help="Do not ask before packets are sent."),
    click.option("--pcap", metavar="FILE", help="Write the captured packets for Wireshark; .pcapng names interfaces."),
    click.option("--force", is_flag=True, help="Replace the file of --pcap if it exists."),
)
_NEEDING = ("protocol", "port", "count", "yes", "pcap", "force")


def options(command: Command) -> Command:
    """Give a command the options of a proof; it stands under `shared`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def asked(
    *,
    prove: bool,
    protocol: str | None,
    port: int | None,
    count: int | None,
    yes: bool,
    pcap: str | None,
    force: bool,
) -> Asked | None:
    """The options together, None where no proof is wanted.

    Raises:
        UsageError: they don't fit, or the file may not be written.
    """
    given = dict(zip(_NEEDING, (protocol, port, count, yes, pcap, force), strict=True))
    if not prove:
        lonely = next((name for name, value in given.items() if value), None)
        if lonely is not None:
            raise UsageError(f"--{lonely} is of a live proof", "Add --prove")
        return None
    path = Path(pcap) if pcap else None
    if path is not None:
        check(path, force=force)
    elif force:
        raise UsageError("--force replaces the file of --pcap, and there is none", "Add --pcap FILE")
    request = ProofRequest(
        protocol=protocol or ("tcp" if port is not None else "icmp"), port=port, count=count or ProofRequest().count
    )
    return Asked(request=request, yes=yes, pcap=path, force=force)


def check_asking(session: Session, *, yes: bool) -> None:
    """Say early that nobody can be asked.

    Raises:
        UsageError: there is no terminal, and no `--yes`.
    """
    if not session.recorded and not yes and not _has_terminal():
        raise UsageError("--prove sends packets and asks before, and there is no terminal to ask on", "Add --yes")


def agreed(session: Session, trace: Trace, request: ProofRequest, *, yes: bool, verbose: bool) -> bool:
    """Print what will be done, and ask. Of a recording nothing is done.

    Raises:
        UsageError: it can't be done.
    """
    if session.recorded:
        return True
    plan = running.run(lambda progress, stop: session.proof_plan(trace, request, progress, stop), verbose)
    if isinstance(plan, CannotProve):
        raise UsageError(f"No proof: {clean('; '.join(plan.reasons))}")
    for sentence in plan.sentences:
        output.note(sentence)
    if yes:
        return True
    try:
        return click.confirm("Do it?", default=False, err=True)
    except click.Abort:
        raise KeyboardInterrupt from None


def proved(session: Session, trace: Trace, wanted: Asked, *, verbose: bool) -> tuple[Trace, bool]:
    """The trace with its proof, and whether ctrl-c cut it short; without an agreement the trace as it was.

    Raises:
        CalituiError: it can't be done, or there is none in the recording.
    """
    if not agreed(session, trace, wanted.request, yes=wanted.yes, verbose=verbose):
        output.note("Nothing was sent: this is what the routes say")
        return trace, False
    found, cut = running.run_kept(
        lambda progress, stop: session.prove(trace, wanted.request, progress, stop), verbose, PATIENCE
    )
    if cut:
        output.note(
            "Stopped: nothing runs on the nodes any more" if found is None else "Stopped: this is what there is"
        )
    if found is None:
        return trace, cut
    if wanted.pcap is not None:
        _save(found, wanted.pcap, force=wanted.force)
    return found, cut


def _save(trace: Trace, path: Path, *, force: bool) -> None:
    from calitui.proof.pcap import to_pcap, to_pcapng

    sightings = trace.proof.sightings if trace.proof is not None else ()
    if not any(one.frame for one in sightings):
        output.note(f"{path} is not written: no packet was captured")
        return
    write(path, to_pcapng(sightings) if path.suffix.lower() == ".pcapng" else to_pcap(sightings), force=force)
    output.note(f"Wrote {path}: {len(sightings)} packets")


def _has_terminal() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()
