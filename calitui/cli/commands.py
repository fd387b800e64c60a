"""The commands there are, and what `calitui` alone does: open the screens.

A command's module is imported when it is called, so that help and completion cost nothing of what commands need.
"""

from __future__ import annotations

import difflib
from importlib import import_module

import click

from calitui import __version__
from calitui.cli import output
from calitui.cli.flags import Flags, language, shared, write_options
from calitui.errors import CalituiError

COMMANDS = {
    "trace": "Read and print the path between two pods, both ways.",
    "audit": "Read every node and print which can't reach which, and why.",
    "explain": "What a finding's code means, and what mends it.",
    "pods": "List pods with their addresses and nodes.",
    "demo": "Open the screens on a recorded cluster.",
    "record": "Read a cluster and its nodes into a file that --from takes.",
    "doctor": "What can be reached, and as whom.",
    "version": "Print the version.",
}
"""Each is `command` in the module of its name; the text is its line in the help."""

EPILOG = """\b
Exit codes: 0 delivered both ways, or done; 1 broken; 2 usage, or no such pod,
demo or context; 3 the cluster or a file can't be read; 4 unknown; 130 stopped.
"""


class Calitui(click.Group):
    """A group that imports its commands late and words our errors for people and scripts."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import it now."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"calitui.cli.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Say which command an unknown one resembles."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            near = difflib.get_close_matches(name, COMMANDS, n=1)
            ctx.fail(f"No such command {name!r}." + (f" Did you mean {near[0]!r}?" if near else ""))
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Run the command; what failed becomes one line and its exit code."""
        try:
            return super().invoke(ctx)
        except CalituiError as error:
            output.say(str(error))
            ctx.exit(error.exit)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Own flags, shared flags, commands."""
        write_options(self, ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """From the table: nothing is imported for it."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=Calitui,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=EPILOG,
)
@click.version_option(__version__, message="calitui %(version)s")
@shared
@language
def calitui(flags: Flags) -> None:
    """The real path of a packet between two pods on a Calico network, read from live routes.

    Without a command it opens the screens: pick two pods and read the path, both ways. It only reads.
    """
    context = click.get_current_context()
    context.obj = flags
    if context.invoked_subcommand is None:
        import_module("calitui.cli.screens").show(flags)
