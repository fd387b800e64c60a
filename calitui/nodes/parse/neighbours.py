"""Neighbour entries as `ip neigh` prints them, and sysctls as `grep . /proc/sys/...` does."""

from __future__ import annotations

from calitui.facts.node import Neighbour
from calitui.facts.text import clean
from calitui.nodes.parse.words import Parsed, address, lines, verbatim, words

STATES = frozenset(
    {"PERMANENT", "NOARP", "REACHABLE", "STALE", "DELAY", "PROBE", "FAILED", "INCOMPLETE", "NONE", "noarp"}
)
"""The kernel's words for what it knows of a neighbour."""

_SYSCTL_ROOT = "/proc/sys/net/"


def parse_neighbours(text: str, device: str = "") -> Parsed[Neighbour]:
    """Read the output of `ip neigh`; `device` is the one that `ip neigh show dev DEVICE` leaves out of its lines."""
    neighbours: list[Neighbour] = []
    unparsed: list[str] = []
    for line in lines(text):
        neighbour = _neighbour(line, device)
        if neighbour is None:
            unparsed.append(verbatim(line))
        else:
            neighbours.append(neighbour)
    return Parsed(tuple(neighbours), tuple(unparsed))


def _neighbour(line: str, device: str) -> Neighbour | None:
    said = words(line)
    ip = address(said[0]) if said else None
    mac: str | None = None
    state = ""
    rest = iter(said[1:])
    for word in rest:
        if word == "dev":
            device = next(rest, device)
        elif word == "lladdr":
            mac = next(rest, None)
        elif word in STATES:
            state = word
    if ip is None or not device or not (state or mac or "proxy" in said):
        return None
    return Neighbour(ip=ip, device=device, mac=mac if mac != "(incomplete)" else None, state=state, text=verbatim(line))


def parse_sysctls(text: str) -> tuple[dict[str, str], tuple[str, ...]]:
    """Read lines `/proc/sys/net/PATH:VALUE`: a dict from the path below `net/` to the value, and what is not such."""
    values: dict[str, str] = {}
    unparsed: list[str] = []
    for line in lines(text):
        path, colon, value = line.partition(":")
        if colon and path.startswith(_SYSCTL_ROOT):
            values[clean(path.removeprefix(_SYSCTL_ROOT))] = clean(value.strip())
        else:
            unparsed.append(verbatim(line))
    return values, tuple(unparsed)
