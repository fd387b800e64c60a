"""Opening the screens. The only module of the command line that brings Textual in."""

from __future__ import annotations

import os
import sys

import click

from calitui import tui
from calitui.cli.flags import Flags
from calitui.errors import UsageError
from calitui.session import HostKeyQuestion, Session, open_demo, open_session
from calitui.session.telling import Pair
from calitui.tui.prompts import TuiPrompts
from calitui.walkthrough.wording import language


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


def show_demo(flags: Flags, name: str, walkthrough: bool = False) -> None:
    """The screens on a recorded cluster; `walkthrough` begins with its most telling pair of pods.

    Raises:
        CalituiError: there is no terminal, no such demo, or no pair of pods to walk between.
    """
    session = open_demo(name)
    _needs_a_terminal(f"calitui pods --from demo:{name} prints")
    pair = session.telling_pair() if walkthrough else None
    if walkthrough and pair is None:
        raise UsageError(f"The demo {name} has no two pods on different nodes that were read", "Open it without")
    _run(session, flags, None, pair)


def _run(session: Session, flags: Flags, prompts: TuiPrompts | None, walk: Pair | None = None) -> None:
    """`walk` is the pair of pods that a walkthrough begins with."""
    try:
        file = flags.file()
        code = tui.run(
            session,
            theme=file.theme,
            source=walk.source if walk else None,
            destination=walk.destination if walk else None,
            namespace=flags.namespace,
            prompts=prompts,
            language=language(flags.lang or file.lang, os.environ),
            walking=walk is not None,
        )
    finally:
        session.close()
    click.get_current_context().exit(code)


def _needs_a_terminal(instead: str) -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("The screens need a terminal", f"Without one, {instead}")
