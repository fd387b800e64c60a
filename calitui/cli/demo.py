"""`calitui demo`: the screens on clusters that were recorded, for who has no cluster at hand."""

from __future__ import annotations

from importlib import import_module

import click

from calitui.cli import output
from calitui.cli.columns import columns
from calitui.cli.flags import Command, Flags, language, shared
from calitui.facts.text import clean
from calitui.session import demos


@click.command("demo", cls=Command)
@click.argument("name", required=False, metavar="[NAME]")
@click.option("--list", "listing", is_flag=True, help="Print which demos there are.")
@click.option("--walkthrough", is_flag=True, help="Begin with a packet's way, told step by step; it is `w` in a trace.")
@shared
@language
def command(flags: Flags, name: str | None, listing: bool, walkthrough: bool) -> None:
    """Open the screens on a recorded cluster; the first of --list unless NAME says another.

    Every other command takes a demo too: calitui pods --from demo:NAME.
    """
    known = demos()
    if listing:
        output.data(columns([("NAME", "WHAT IT IS"), *((which, clean(title)) for which, title in known.items())]))
        return
    import_module("calitui.cli.screens").show_demo(flags, name or next(iter(known), ""), walkthrough)
