"""Neighbour entries as `ip neigh` prints them, forwarding entries as `bridge fdb` does, and sysctls as `grep` does."""

from __future__ import annotations

import re

from calitui.facts.node import ForwardingEntry, Neighbour
from calitui.facts.text import clean
from calitui.nodes.parse.words import Parsed, address, lines, verbatim, words

STATES = frozenset(
    {"PERMANENT", "NOARP", "REACHABLE", "STALE", "DELAY", "PROBE", "FAILED", "INCOMPLETE", "NONE", "noarp"}
)
"""The kernel's words for what it knows of a neighbour."""

_MAC = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5,19}")
_FDB_VALUES = frozenset(
    {"vlan", "port", "vni", "src_vni", "via", "link-netnsid", "nhid", "master", "br", "brport", "used", "state"}
    | {"activity_notify"}
)
"""Words of `bridge fdb` with one value that no field is for."""

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


def parse_fdb(text: str, device: str = "") -> Parsed[ForwardingEntry]:
    """Read the output of `bridge fdb`; `device` is what `bridge fdb show dev DEVICE` leaves out of its lines."""
    entries: list[ForwardingEntry] = []
    unparsed: list[str] = []
    for line in lines(text):
        entry = _forwarding_entry(line, device)
        if entry is None:
            unparsed.append(verbatim(line))
        else:
            entries.append(entry)
    return Parsed(tuple(entries), tuple(unparsed))


def _forwarding_entry(line: str, device: str) -> ForwardingEntry | None:
    said = words(line)
    if not said or not _MAC.fullmatch(said[0]):
        return None
    destination: str | None = None
    flags: list[str] = []
    rest = iter(said[1:])
    for word in rest:
        if word == "dev":
            device = next(rest, "")
        elif word == "dst":
            destination = address(next(rest, ""))
            if destination is None:
                return None
        elif word in _FDB_VALUES:
            next(rest, None)
        else:
            flags.append(word)
    if not device:
        return None
    return ForwardingEntry(said[0], device, destination, tuple(flags), verbatim(line))


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
