"""Whether sudo let us, told from what it said. This module must not know what was to be run."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from calitui.facts.missing import Missing
from calitui.nodes.outcome import Outcome
from calitui.nodes.parse.sections import NEEDS_ROOT

_NOT_FOUND = re.compile(r"sudo: (?:command )?not found|command not found: sudo|unknown command:? sudo", re.IGNORECASE)
_SAYS = (
    (re.compile(r"a password is required|a terminal is required"), "it wants a password, and -n forbids to ask"),
    (re.compile(r"must have a tty"), "requiretty is set"),
    (
        re.compile(r"not in the sudoers|may not run sudo|is not allowed to|not allowed to execute"),
        "the sudoers forbid it",
    ),
)


def refusal(outcome: Outcome) -> str:
    """Why sudo did not run the command, in words; `outcome` must be that of a command that did not run."""
    if _NOT_FOUND.search(outcome.errors) or outcome.status == 127:
        return "there is no sudo on the node"
    for pattern, words in _SAYS:
        if pattern.search(outcome.errors):
            return words
    return outcome.complaint or outcome.cut or "it said nothing"


def explained(missing: Sequence[Missing], refused: str) -> tuple[Missing, ...]:
    """What was not read without root, with `refused`, the reason that there was none."""
    why = f"needs root, and sudo -n was refused: {refused}"
    return tuple(msgspec.structs.replace(one, reason=one.reason.replace(NEEDS_ROOT, why)) for one in missing)
