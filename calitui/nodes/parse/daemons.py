"""Calico's daemons on a node, out of the node script's sections: which of them run, and what BIRD says of itself.

Decides what counts as an answer: a daemon that can't be asked is not read, and never taken for one that is not there.
"""

from __future__ import annotations

import re

from calitui.facts.bird import Bird
from calitui.facts.missing import Missing
from calitui.facts.text import clean
from calitui.nodes.parse.bird import parse_bird
from calitui.nodes.parse.namespace import Reading
from calitui.nodes.parse.sections import NEEDS_ROOT, Part
from calitui.nodes.parse.words import lines, verbatim

BIRD = "BIRD"
PROCESSES = "processes"
"""What to call them where they are missing."""

_COMMANDS = ("status", "protocols", "routes")
_TOO_LATE = 124
"""The exit status of `timeout` for a command that it ended."""
_REFUSED = ("Connection refused", "Connection reset", "No such file")
_COMM = re.compile(r"/proc/[0-9]+/comm:([\w-]{1,15})")


def read_processes(reading: Reading) -> tuple[tuple[str, ...] | None, list[Missing]]:
    """The names of Calico's daemons that run, each once, or None with the reason."""
    part = reading.sections.get("processes")
    if part is None or part.status is None:
        return None, [Missing(PROCESSES, reading.cut)]
    if part.status != 0:
        return None, [Missing(PROCESSES, _said(part))]
    found = (_COMM.fullmatch(line) for line in lines(part.body))
    return tuple(dict.fromkeys(one[1] for one in found if one)), []


def read_birds(reading: Reading, processes: tuple[str, ...] | None) -> tuple[tuple[Bird, ...] | None, list[Missing]]:
    """The BIRDs that have a control socket, or None with the reason why that is not known.

    `processes` are the daemons that run: a BIRD whose socket can't be seen, as that of old versions which keep it
    inside their container, is not read.
    """
    listing = reading.sections.get("birds")
    if listing is None or listing.status is None:
        return None, [Missing(BIRD, reading.cut)]
    birds: list[Bird] = []
    closed = ""
    for line in lines(listing.body):
        word, *rest = line.split(" ")
        if word == "closed":
            closed = clean(" ".join(rest))
        elif word in ("4", "6") and rest:
            bird = _bird(reading, int(word), clean(rest[0]), clean(" ".join(rest[1:]).strip()))
            if isinstance(bird, str):
                return None, [Missing(BIRD, bird)]
            birds.append(bird)
    if closed and not birds:
        return None, [Missing(BIRD, f"{closed} can't be looked into ({NEEDS_ROOT})")]
    if not birds and processes and {"bird", "bird6"} & set(processes):
        return None, [Missing(BIRD, "it runs, but its control socket is not to be seen from here")]
    unread = [
        Missing(BIRD if bird.family == 4 else f"{BIRD} for IPv6", _why_incomplete(reading, bird))
        for bird in birds
        if bird.answer is not None and not bird.complete
    ]
    return tuple(birds), unread


def _bird(reading: Reading, family: int, socket: str, command: str) -> Bird | str:
    """The BIRD at a socket, or why it could not be asked."""
    if not command:
        return f"neither birdcl nor birdc is on this node, and calico-node's could not be run ({NEEDS_ROOT})"
    parts = [reading.sections.get(f"bird{family} {what}") for what in _COMMANDS]
    first = parts[0]
    if first is None or first.status is None:
        return reading.cut
    if first.status != 0:
        said = _said(first)
        if first.status == _TOO_LATE and not first.said:
            return Bird(family, socket, error="it did not answer in time", command=command)
        if any(refused in said for refused in _REFUSED):
            return Bird(family, socket, error=said, command=command)
        return f"{said} ({NEEDS_ROOT})" if "Permission denied" in said else said
    answer = parse_bird("\n".join(part.body for part in parts if part is not None))
    whole = all(part is not None and part.status == 0 for part in parts)
    return Bird(family, socket, answer, complete=whole and not answer.unparsed, command=command)


def _why_incomplete(reading: Reading, bird: Bird) -> str:
    for what in _COMMANDS:
        part = reading.sections.get(f"bird{bird.family} {what}")
        if part is None or part.status is None:
            return f"its {what}: {reading.cut}"
        if part.status == _TOO_LATE:
            return f"its {what} did not come in time"
        if part.status != 0:
            return f"its {what}: {_said(part)}"
    unparsed = bird.answer.unparsed if bird.answer else ()
    return f"{len(unparsed)} of its lines in a form that is not known, the first: {unparsed[0][:120]}"


def _said(part: Part) -> str:
    """The first line of what went wrong."""
    printed = lines(part.said) or lines(part.body)
    return verbatim(printed[-1])[:200] if printed else f"the command ended with status {part.status}"
