"""Questions of a connection, asked on the terminal of a command: passphrases and passwords, never host keys.

A command can run in a script, where nobody would see a fingerprint: an unknown host key is refused unless
`--accept-new-host-keys` was given. Secrets are only asked for where somebody can type them.
"""

from __future__ import annotations

import sys

import click

from calitui.facts.text import clean
from calitui.session import HostKeyQuestion, SecretQuestion


class Terminal:
    """Implements `calitui.session.Prompts` for commands."""

    def __init__(self, *, accept_new_host_keys: bool) -> None:
        """`accept_new_host_keys` accepts the first key ever seen of a host."""
        self.accept_new_host_keys = accept_new_host_keys

    def confirm_host_key(self, question: HostKeyQuestion) -> bool:
        """Only what was accepted in advance; a host that has other keys is never new."""
        return self.accept_new_host_keys and not question.known_types

    def secret(self, question: SecretQuestion) -> tuple[str, ...] | None:
        """Ask on stderr, hidden where the server says so; None where nobody is there or nobody wants to answer."""
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            return None
        again = ", once more" if question.attempt > 1 else ""
        click.echo(clean(f"{question.kind} for {question.target} (node {question.node}){again}"), err=True)
        for words in (question.title, question.instructions):
            if words:
                click.echo(clean(words), err=True)
        try:
            return tuple(
                click.prompt(
                    clean(field.label), hide_input=not field.echo, err=True, default="", show_default=False, type=str
                )
                for field in question.fields
            )
        except (click.Abort, EOFError):
            return None
