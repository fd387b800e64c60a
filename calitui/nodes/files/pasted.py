"""What commands printed, out of text that people saved or pasted: prompts, colours and kubectl's own words taken away.

One text may hold several commands with their prompts. What stands under a prompt with another command (`calicoctl node
status`) is none of ours; all other lines are kept for the parser, which says what it can't read.
"""

from __future__ import annotations

import re

import msgspec

from calitui.facts.text import clean
from calitui.nodes.parse.words import verbatim

_COLOURS = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|\][^\x07\x1b]*(?:\x07|\x1b\\))")
# A prompt or a heading, then `ip route` in any of its abbreviations; or the command alone.
_COMMAND = re.compile(
    r"^(?:.{0,200}?[#$>%:][ \t]+)?(?:sudo[ \t]+)?(?P<command>(?:ip|bridge)[ \t]+"
    r"(?:-f(?:amily)?[ \t]+\w+[ \t]+|-{1,2}\w+[ \t]+)*"
    r"(?P<object>r|ro|rou|rout|route|a|ad|add|addr|addre|addres|address|l|li|lin|link|ru|rul|rule"
    r"|n|ne|nei|neig|neigh|neighbor|neighbour|fdb)(?:[ \t][^<>]*)?)$"
)
_PROMPT = re.compile(r"^(?:\[?[\w.-]{1,64}@[\w.-]{1,64}[^\n#$]{0,200}[#$]|\$)(?:[ \t]+(?P<command>.*))?$")
_REMARK = re.compile(r"^[ \t]*#{1,6}(?:[ \t].*)?$")
_OBJECTS = {"ru": "rules", "r": "routes", "a": "addresses", "l": "links", "n": "neighbours", "f": "fdb"}
_TABLE = re.compile(r"[ \t]table[ \t]+(\w+)")
# What kubectl says beside the output of `kubectl exec -t`.
_ASIDE = ("Unable to use a TTY", "Defaulted container ", "Warning: ", "warning: ")
_FAILURES = (
    "command terminated with",
    "error:",
    "error dialing backend",
    "exec ",
    "Error from server",
    "Error:",
    "ip: ",
    "OCI runtime exec failed",
    "sh: ",
    "The connection to the server",
    "Unable to connect to the server",
)


OTHER = "other"
"""The section of what other commands printed."""


class Saved(msgspec.Struct, frozen=True):
    """The output of the commands of one kind (`routes6` ...); `failure` is what was said instead, or behind it."""

    text: str = ""
    failure: str = ""


def sections(text: str, usual: str) -> dict[str, Saved]:
    """What a text holds, by section; `usual` is the section of whatever stands under no command."""
    found: dict[str, list[str]] = {}
    failures: dict[str, str] = {}
    section, table = usual, ""
    for raw in _COLOURS.sub("", text).replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        line = raw.rstrip(" \t")
        command = _COMMAND.match(line)
        if command:
            section, table = _section(command["command"], command["object"], usual), _table(command["command"])
            found.setdefault(section, [])
        elif prompt := _PROMPT.match(line):
            section, table = (OTHER, "") if prompt["command"] else (usual, "")
        elif not line or _REMARK.match(line) or line.startswith(_ASIDE):
            continue
        elif line.startswith(_FAILURES):
            failures.setdefault(section, verbatim(line)[:200])
        else:
            found.setdefault(section, []).append(_in_table(raw, table))
    return {
        section: Saved("\n".join(found.get(section, ())), failures.get(section, ""))
        for section in dict.fromkeys((usual, *found, *failures))
    }


def whole(text: str) -> Saved:
    """What one command printed that no other shares the text with, as it was but for what kubectl says beside it."""
    printed: list[str] = []
    failure = ""
    for raw in _COLOURS.sub("", text).replace("\r\n", "\n").replace("\r", "\n").split("\n"):
        if raw.startswith(_FAILURES):
            failure = failure or verbatim(raw)[:200]
        elif not raw.startswith(_ASIDE):
            printed.append(raw)
    return Saved("\n".join(printed), failure)


def _section(command: str, spelled: str, usual: str) -> str:
    """The section that a command prints; of a family that it does not name it is the usual one."""
    section = _OBJECTS["ru" if spelled.startswith("ru") else spelled[0]]
    if section not in ("routes", "rules"):
        return section
    options = command.split()
    if "-6" in options or "inet6" in command:
        return f"{section}6"
    return section if "-4" in options or not usual.startswith(section) else usual


def _table(command: str) -> str:
    asked = _TABLE.search(command)
    return clean(asked[1]) if asked and asked[1] not in ("all", "main", "254") else ""


def _in_table(line: str, table: str) -> str:
    """The line as `table all` would have printed it: that of one table alone leaves the table out."""
    if not table or line.startswith((" ", "\t")) or " table " in line:
        return line
    kept, arrow, remark = line.partition("<-")
    return f"{kept.rstrip()} table {table}{' ' if arrow else ''}{arrow}{remark}"
