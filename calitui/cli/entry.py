"""Where the process starts and ends: whatever happens becomes an exit code and at most one line on stderr."""

from __future__ import annotations

import logging
import os
import sys
import termios
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import click

from calitui.cli import logs, output
from calitui.cli.commands import calitui
from calitui.errors import CalituiError, Exit

PLUGIN_PREFIX = "kubectl-"


def main(argv: Sequence[str] | None = None) -> NoReturn:
    """Run the command line of this process and leave with its exit code (`calitui.errors.Exit`)."""
    logs.to_file()
    interrupted = False
    with _terminal_as_it_was():
        try:
            code = int(calitui.main(argv, prog_name=program_name(sys.argv[0]), standalone_mode=False) or 0)
        except click.ClickException as error:
            error.show()
            code = error.exit_code
        except CalituiError as error:
            output.say(str(error))
            code = error.exit
        except (click.Abort, KeyboardInterrupt):
            interrupted, code = True, Exit.INTERRUPTED
        except Exception as error:  # noqa: BLE001 - the last line of defence: a traceback is for the log, not for a person
            output.say(logs.unexpected(error))
            code = Exit.UNKNOWN
        code = output.close(code)
    if interrupted:
        logging.shutdown()
        os._exit(code)  # threads that still wait for a node would hold the process until their deadline
    sys.exit(code)


def program_name(argv0: str) -> str:
    """What the user typed to get here: `calitui`, or `kubectl calitui` when kubectl ran us as its plugin."""
    name = Path(argv0).name
    if name.startswith(PLUGIN_PREFIX):
        return "kubectl " + name.removeprefix(PLUGIN_PREFIX).replace("_", "-")
    return "calitui" if name in ("__main__.py", "") else name


@contextmanager
def _terminal_as_it_was() -> Iterator[None]:
    """Give the terminal back its echo, however a question on it ended."""
    try:
        descriptor = sys.stdin.fileno()
        before = termios.tcgetattr(descriptor)
    except (OSError, ValueError, AttributeError, termios.error):
        yield
        return
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
