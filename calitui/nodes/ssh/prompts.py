"""Questions that only a person can answer while a connection is made, and how they reach one.

The transport asks through `Prompts`; a screen implements it with dialogs, the command line with `NoPrompts`. What a
server wants to be shown is hostile text: it is cleaned and cut before it gets into a question. Answers are never logged
and never part of an error. This module must not know who asks or how it is drawn.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Literal, Protocol

import msgspec

from calitui.facts.text import clean
from calitui.nodes.deadline import Deadline, acquire

LONGEST_INSTRUCTION = 600
"""Characters of a server's instructions that are shown."""
MOST_FIELDS = 8
"""Fields of one keyboard-interactive request; more are no login dialog."""


class HostKeyQuestion(msgspec.Struct, frozen=True):
    """Is this the key of that host? `name` is what known_hosts would call it, `address` what was dialled.

    `known_types` are types of other keys known for the host: a reason to be careful. `file` is where an accepted key is
    written. `node` is the node the connection is for; the host may be a jump host on the way.
    """

    node: str
    name: str
    address: str
    key_type: str
    fingerprint: str
    file: str
    known_types: tuple[str, ...] = ()


class SecretField(msgspec.Struct, frozen=True):
    """One thing to type; `echo` is whether it may be seen."""

    label: str
    echo: bool = False


class SecretQuestion(msgspec.Struct, frozen=True):
    """Something secret to type. `target` is `user@host:port`, or the key file of a `passphrase`.

    `title` and `instructions` are the server's words, cleaned. `attempt` counts from 1: above it the last answer was
    wrong.
    """

    kind: Literal["passphrase", "password", "keyboard-interactive"]
    node: str
    target: str
    fields: tuple[SecretField, ...]
    title: str = ""
    instructions: str = ""
    attempt: int = 1


class Prompts(Protocol):
    """Somebody who can be asked. Calls come from worker threads, one at a time, and may block as long as they want."""

    def confirm_host_key(self, question: HostKeyQuestion) -> bool:
        """Whether the key is the host's; it is then written to known_hosts."""

    def secret(self, question: SecretQuestion) -> tuple[str, ...] | None:
        """One answer for each field, or None for "I won't"."""


class NoPrompts:
    """Nobody is there: secrets are refused, and unknown host keys too unless they were accepted in advance."""

    def __init__(self, *, accept_new_host_keys: bool = False) -> None:
        """`accept_new_host_keys` accepts a host of which no key is known; a changed key is never accepted."""
        self.accept_new_host_keys = accept_new_host_keys

    def confirm_host_key(self, question: HostKeyQuestion) -> bool:
        """Accept the first key ever seen of a host, if that was asked for."""
        return self.accept_new_host_keys and not question.known_types

    def secret(self, question: SecretQuestion) -> tuple[str, ...] | None:
        """Nobody can answer."""
        return None


class Asking:
    """Makes sure that only one question is open at a time, for all connections of a session."""

    def __init__(self, prompts: Prompts) -> None:
        """`prompts` is asked in turn."""
        self._prompts = prompts
        self._lock = threading.Lock()

    @contextmanager
    def turn(self, deadline: Deadline) -> Iterator[Prompts]:
        """Wait until nobody else asks; no time passes for `deadline` until the block ends.

        Raises:
            Cancelled: the user stopped, while waiting or instead of answering.
        """
        with deadline.paused():
            acquire(self._lock, deadline.stop)
            try:
                yield self._prompts
            finally:
                self._lock.release()
        deadline.check()


def interactive_question(
    node: str, target: str, title: str, instructions: str, fields: Iterable[tuple[str, bool]], attempt: int
) -> SecretQuestion:
    """A server's keyboard-interactive request made harmless to show; `fields` are its labels and whether to echo."""
    shown = tuple(SecretField(_short(label, 200) or "Answer", bool(echo)) for label, echo in fields)
    return SecretQuestion(
        kind="keyboard-interactive",
        node=node,
        target=target,
        fields=shown,
        title=_short(title, 200),
        instructions=_short(instructions, LONGEST_INSTRUCTION),
        attempt=attempt,
    )


def _short(text: str, longest: int) -> str:
    line = " ".join(clean(part).strip() for part in text[: longest * 2].splitlines()).strip()
    return line if len(line) <= longest else line[: longest - 1] + "…"
