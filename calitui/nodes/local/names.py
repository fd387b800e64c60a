"""The names that iproute2 on this machine prints for numbers: protocols, tables and scopes of routes.

Reads the files that iproute2 reads, in its order. A file that is missing or holds nonsense costs names, nothing else:
pyroute2's own reader of these files raises at a remark behind a name, which iproute2 takes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from calitui.facts.text import clean
from calitui.nodes.parse.words import PROTOCOLS, SCOPES, TABLES

SYSTEM = (Path("/usr/lib/iproute2"), Path("/usr/share/iproute2"))
ETC = Path("/etc/iproute2")

_ENTRY = re.compile(r"[ \t]*(0[xX][0-9a-fA-F]{1,8}|\d{1,10})[ \t]+([^\s#]+)")


class Names(msgspec.Struct, frozen=True):
    """Names by number; a number without one is printed as it is."""

    protocols: dict[int, str]
    tables: dict[int, str]
    scopes: dict[int, str]

    def protocol(self, number: int) -> str:
        """The word behind `proto`, "" for a route of `ip route add` itself (`boot`), which iproute2 leaves out."""
        word = self.protocols.get(number, str(number))
        return PROTOCOLS.get(word, word)

    def table(self, number: int) -> str:
        """The word behind `table`; the table of number 0 is not printed and means `main`."""
        return self.tables.get(number, str(number)) if number else "main"

    def scope(self, number: int) -> str:
        """The word behind `scope`, "" for `global`, which iproute2 leaves out of routes."""
        word = self.scopes.get(number, str(number))
        return SCOPES.get(word, word)


def read_names(etc: Path = ETC, system: Sequence[Path] = SYSTEM) -> Names:
    """The names of this machine's iproute2, or those that are compiled into it."""
    return Names(
        protocols=_known(PROTOCOLS) | dict(_entries("rt_protos", etc, system)),
        tables=_known(TABLES) | dict(_entries("rt_tables", etc, system)),
        scopes=_known(SCOPES) | dict(_entries("rt_scopes", etc, system)),
    )


def _known(words: dict[str, str]) -> dict[int, str]:
    return {int(number): word for number, word in words.items() if number.isdecimal() and word}


def _entries(name: str, etc: Path, system: Sequence[Path]) -> Iterator[tuple[int, str]]:
    """What the files say, later entries winning: the one of /etc stands for that of the system, then both `.d`."""
    files = [etc / name]
    if not files[0].exists():
        files = [directory / name for directory in system]
    for directory in (*system, etc):
        files += sorted((directory / f"{name}.d").glob("*.conf"))
    for file in files:
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        for line in text.splitlines():
            entry = _ENTRY.match(line)
            if entry:
                yield int(entry[1], 0 if entry[1][:2] in ("0x", "0X") else 10), clean(entry[2])
