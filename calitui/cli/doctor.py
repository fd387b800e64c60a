"""`calitui doctor`: what can be reached, and as whom, before anybody needs it at three in the morning.

It goes on after each failure, says everything it found, and leaves with the code of the worst of it.
"""

from __future__ import annotations

import shutil

import click
import msgspec

from calitui import __version__
from calitui.cli import output, running, sessions
from calitui.cli.checks import BAD, Check, State, access_checks, cluster_checks, read_checks, way_checks
from calitui.cli.columns import columns
from calitui.cli.flags import Command, Flags, shared
from calitui.cli.logs import path as log_path
from calitui.config import config_path
from calitui.errors import CalituiError, Exit
from calitui.facts.text import clean
from calitui.session import Session, node_script, proof_script
from calitui.session.access import access
from calitui.session.ways import ways

SCHEMA = "calitui.doctor/1"


@click.command("doctor", cls=Command)
@click.option("--connect", is_flag=True, help="Read every node, to see whether it can be.")
@click.option("--show-script", is_flag=True, help="Print the script that runs on nodes, and nothing else.")
@click.option("--show-proof-script", is_flag=True, help="Print the script that a live proof runs, and nothing else.")
@click.option("-o", "--output", "form", type=click.Choice(["text", "json"]), default="text", help="The form.")
@shared
def command(flags: Flags, connect: bool, show_script: bool, show_proof_script: bool, form: str) -> None:
    """Tell what can be reached, and as whom.

    Without --connect no node is dialled: it is only told how each would be. Exits 0 when everything asked for could be
    read, 3 when the cluster can't be read, 4 when something else can't.
    """
    if show_script or show_proof_script:
        output.data((proof_script() if show_proof_script else node_script()).rstrip("\n") + "\n")
        return
    checks = _here(flags)
    code = Exit.DELIVERED
    try:
        with sessions.opened(flags) as session:
            checks += _there(session, flags, connect=connect)
    except CalituiError as error:
        checks.append(Check(about="cluster", what="reading it", state=State.FAILED, words=str(error)))
        code = error.exit
    if code is Exit.DELIVERED and any(check.state in BAD for check in checks):
        code = Exit.UNKNOWN
    output.data(_json(checks) if form == "json" else _text(checks))
    click.get_current_context().exit(code)


def _here(flags: Flags) -> list[Check]:
    where = flags.config or str(config_path())
    file = flags.file()
    ssh = shutil.which("ssh")
    return [
        Check(about="here", what="calitui", words=__version__),
        Check(about="here", what="config file", words=f"{where}, {len(file.nodes)} nodes mapped"),
        Check(about="here", what="log", words=str(log_path())),
        Check(
            about="here",
            what="ssh config",
            words=f"read by {ssh} -G"
            if ssh
            else "no ssh program here: Include and some Match lines are not understood",
        ),
    ]


def _there(session: Session, flags: Flags, *, connect: bool) -> list[Check]:
    verbose = bool(flags.verbose)
    cluster = running.run(lambda _progress, _stop: session.cluster(), verbose)
    checks = cluster_checks(cluster, session.origin)
    options = flags.options()
    if not session.recorded:
        checks += access_checks(running.run(lambda *_: access(options, cluster.calico_group), verbose))
    if connect or session.recorded:
        return checks + read_checks(running.run(session.record, verbose))
    return checks + way_checks(ways(options, cluster.nodes))


def _text(checks: list[Check]) -> str:
    parts = []
    for about in dict.fromkeys(check.about for check in checks):
        rows = [
            ("  " + clean(check.what), check.state.value, clean(check.words))
            for check in checks
            if check.about == about
        ]
        parts.append(f"{about}\n{columns(rows)}")
    return "\n".join(parts)


def _json(checks: list[Check]) -> bytes:
    whole = {
        "schema": SCHEMA,
        "checks": [
            {
                "about": check.about,
                "what": clean(check.what),
                "state": check.state.value,
                "words": clean(check.words),
            }
            for check in checks
        ],
    }
    return msgspec.json.format(msgspec.json.encode(whole), indent=2) + b"\n"
