"""`calitui version`."""

from __future__ import annotations

import click

from calitui import __version__
from calitui.cli import output


@click.command("version")
def command() -> None:
    """Print the version."""
    output.data(f"calitui {__version__}\n")
