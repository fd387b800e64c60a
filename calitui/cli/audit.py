"""`calitui audit`: every node read once, the whole cluster judged; the exit code is the verdict."""

from __future__ import annotations

import click

from calitui import report
from calitui.cli import output, running, sessions
from calitui.cli.flags import Command, Flags, shared
from calitui.errors import Exit
from calitui.report import AuditVerdict

EXITS = {
    AuditVerdict.OK: Exit.DELIVERED,
    AuditVerdict.BROKEN: Exit.BROKEN,
    AuditVerdict.UNKNOWN: Exit.UNKNOWN,
}


@click.command("audit", cls=Command)
@click.option("-o", "--output", "form", type=click.Choice(output.FORMS), default="text", help="The form.")
@shared
def command(flags: Flags, form: str) -> None:
    """Read every node and print which can't reach which, and why.

    Exits 0 when no error is found and every pair of nodes can route, 1 when something is broken, 4 when nothing is
    known to be but some nodes or pairs could not be judged.
    """
    with sessions.opened(flags) as session:
        found = running.run(session.audit, bool(flags.verbose))
    if form == "json":
        output.data(report.audit_json(found))
    elif form == "markdown":
        output.data(report.audit_markdown(found))
    else:
        output.data(report.audit_text(found, output.width(), output.colour()))
    click.get_current_context().exit(EXITS[report.audit_verdict(found)])
