"""`calitui explain CODE`: what a finding's code means, without any cluster."""

from __future__ import annotations

import difflib

import click
from click.shell_completion import CompletionItem

from calitui.cli import output
from calitui.cli.columns import columns
from calitui.diagnosis.catalogue import CATALOGUE
from calitui.errors import UsageError
from calitui.report import explain

MOST_LIKE = 3
"""Codes that are offered in place of an unknown one."""


def _complete(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(code, help=entry.title) for code, entry in CATALOGUE.items() if code.startswith(incomplete)]


@click.command("explain")
@click.argument("code", required=False, metavar="[CODE]", shell_complete=_complete)
@click.option("--list", "listing", is_flag=True, help="Print every code there is; so does no CODE.")
@click.option("-o", "--output", "form", type=click.Choice(output.FORMS), default="text", help="The form.")
def command(code: str | None, listing: bool, form: str) -> None:
    """Tell what a finding's CODE means, and what mends it."""
    if code is not None and code not in CATALOGUE:
        raise UsageError(f"No code {code!r}", _hint(code))
    chosen = list(CATALOGUE.values()) if code is None or listing else [CATALOGUE[code]]
    if form == "json":
        output.data(explain.entries_json(chosen))
    elif code is None or listing:
        rows = [("CODE", "SEVERITY", "MEANING"), *((one.code, one.severity.value, one.title) for one in chosen)]
        output.data(explain.entries_markdown(chosen) if form == "markdown" else columns(rows))
    elif form == "markdown":
        output.data(explain.entry_markdown(chosen[0]))
    else:
        output.data(explain.entry_text(chosen[0], output.width(), output.colour()))


def _hint(code: str) -> str:
    """Codes that look alike, or hold the same word."""
    words = code.casefold()
    alike = difflib.get_close_matches(words, CATALOGUE, n=MOST_LIKE)
    alike += [known for known in CATALOGUE if words and words in known and known not in alike]
    return f"Did you mean {' or '.join(alike[:MOST_LIKE])}?" if alike else "`calitui explain` lists all"
