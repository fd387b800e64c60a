"""What devices have carried, as the kernel prints it in `/proc/net/dev`.

Source: `dev_seq_printf_stats` of the kernel's `net/core/net-procfs.c`; the columns are the same since Linux 2.2. The
drops that it prints for reception hold those for want of room in the device too.
"""

from __future__ import annotations

from calitui.facts.node import Counters
from calitui.facts.text import clean
from calitui.nodes.parse.words import Parsed, lines, number, verbatim

_COLUMNS = 16
_HEADINGS = ("Inter-|", "face |")


def parse_counters(text: str) -> Parsed[Counters]:
    """Read the text of `/proc/net/dev`."""
    counters: list[Counters] = []
    unparsed: list[str] = []
    for line in lines(text):
        if line.strip(" ").startswith(_HEADINGS) and "|" in line:
            continue
        one = _counters(line)
        if one is None:
            unparsed.append(verbatim(line))
        else:
            counters.append(one)
    return Parsed(tuple(counters), tuple(unparsed))


def _counters(line: str) -> Counters | None:
    # No name of a device has a colon; that of an alias device of old had, and the last one ends it.
    name, colon, rest = line.rpartition(":")
    counts = [number(word) for word in rest.split()]
    known = [count for count in counts if count is not None]
    if not colon or not name.strip(" ") or len(counts) < _COLUMNS or len(known) != len(counts):
        return None
    return Counters(
        device=clean(name.strip(" ")),
        rx_packets=known[1],
        rx_errors=known[2],
        rx_dropped=known[3],
        tx_packets=known[9],
        tx_errors=known[10],
        tx_dropped=known[11],
        text=verbatim(line),
    )
