"""Opening the screens. The only module of the command line that brings Textual in."""

from __future__ import annotations

import sys

import click

from calitui import tui
from calitui.cli.flags import Flags
from calitui.errors import UsageError
from calitui.session import HostKeyQuestion, Session, open_demo, open_session
from calitui.tui.prompts import TuiPrompts


class AcceptingPrompts(TuiPrompts):
    """Asks for everything but the first key of a host, which `--accept-new-host-keys` has accepted in advance."""

    def confirm_host_key(self, question: HostKeyQuestion) -> bool:
        """A host that has other keys is never new: a person decides."""
        return not question.known_types or super().confirm_host_key(question)


def show(flags: Flags) -> None:
    """The screens on the cluster that `flags` mean, until the user leaves.

    Raises:
        CalituiError: there is no terminal, or config file, kubeconfig or snapshot can't be used.
    """
    _needs_a_terminal("calitui trace SRC DST and calitui pods print")
    options = flags.options()
    prompts = AcceptingPrompts() if options.accept_new_host_keys else TuiPrompts()
    _run(open_session(options, prompts), flags, prompts)


def show_demo(flags: Flags, name: str) -> None:
    """The screens on a recorded cluster.

    Raises:
        CalituiError: there is no terminal, or no such demo.
    """
    session = open_demo(name)
    _needs_a_terminal(f"calitui pods --from demo:{name} prints")
    _run(session, flags, None)


def _run(session: Session, flags: Flags, prompts: TuiPrompts | None) -> None:
    try:
        code = tui.run(session, theme=flags.file().theme, namespace=flags.namespace, prompts=prompts)
    finally:
        session.close()
    click.get_current_context().exit(code)


def _needs_a_terminal(instead: str) -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("The screens need a terminal", f"Without one, {instead}")
