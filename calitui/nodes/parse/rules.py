"""Routing policy rules as `ip rule` prints them.

A selector that has no field of its own, or that is not known, goes into `Rule.other`: whether such a rule matches a
packet can't be said, and whoever walks the rules has to know that there is one.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from calitui.facts.node import Rule
from calitui.nodes.parse.words import TABLES, Parsed, lines, number, prefix, verbatim, words

_ACTIONS = frozenset({"blackhole", "unreachable", "prohibit", "nop", "throw"})
_SELECTORS = frozenset({"ipproto", "sport", "dport", "tun_id", "uidrange", "tos", "dsfield", "suppress_ifgroup"})
"""Selectors with one value that have no field of their own."""
_WITHOUT_EFFECT = frozenset({"proto", "protocol", "realms", "map-to"})
"""Words with one value that do not decide whether the rule matches or where it leads."""


class _Draft(msgspec.Struct):
    source: str | None = None
    destination: str | None = None
    input_device: str | None = None
    output_device: str | None = None
    mark: int | None = None
    mask: int | None = None
    table: str | None = None
    action: str = ""
    inverted: bool = False
    suppress_prefix_length: int | None = None
    other: tuple[str, ...] = ()


def parse_rules(text: str, family: int = 4) -> Parsed[Rule]:
    """Read the output of `ip [-4|-6] rule`; `family` (4 or 6) is whose rules they are, as the lines do not tell.

    `goto` has its target's priority in `table`; a `goto` whose target does not exist is passed by, like `nop`.
    """
    rules: list[Rule] = []
    unparsed: list[str] = []
    for line in lines(text):
        rule = _rule(line, family)
        if rule is None:
            unparsed.append(verbatim(line))
        else:
            rules.append(rule)
    return Parsed(tuple(rules), tuple(unparsed))


def _rule(line: str, family: int) -> Rule | None:
    said = words(line)
    if len(said) < 2 or not said[0].endswith(":"):
        return None
    priority = number(said[0][:-1])
    if priority is None or said[1] not in ("from", "not"):
        return None
    draft = _Draft()
    rest = iter(said[1:])
    for word in rest:
        if word.startswith("<-"):
            break  # a remark that a person wrote behind the line
        if not _word(draft, word, rest, family):
            return None
    if not draft.action:
        return None
    return Rule(
        priority=priority,
        family=family,
        source=draft.source,
        destination=draft.destination,
        input_device=draft.input_device,
        output_device=draft.output_device,
        mark=draft.mark,
        mask=draft.mask,
        table=draft.table,
        action=draft.action,
        inverted=draft.inverted,
        suppress_prefix_length=draft.suppress_prefix_length,
        other=draft.other,
        text=verbatim(line),
    )


def _word(draft: _Draft, word: str, rest: Iterator[str], family: int) -> bool:
    match word:
        case "not":
            draft.inverted = True
        case "from" | "to":
            value = next(rest, "")
            network = None if value == "all" else prefix(value, family)
            if network is None and value != "all":
                return False
            if word == "from":
                draft.source = network
            else:
                draft.destination = network
        case "iif":
            draft.input_device = next(rest, None)
            return draft.input_device is not None
        case "oif":
            draft.output_device = next(rest, None)
            return draft.output_device is not None
        case "fwmark":
            mark, _, mask = next(rest, "").partition("/")
            draft.mark = number(mark)
            draft.mask = number(mask) if mask else None
            return draft.mark is not None and (draft.mask is not None or not mask)
        case "lookup" | "table":
            value = next(rest, "")
            draft.action = draft.action or "lookup"
            if value == "[l3mdev-table]":
                draft.other += ("l3mdev",)
            # `lookup unspec blackhole` is how busybox prints a rule that has no table.
            draft.table = None if value == "unspec" else TABLES.get(value, value)
            return bool(value)
        case "suppress_prefixlength":
            draft.suppress_prefix_length = number(next(rest, ""))
            return draft.suppress_prefix_length is not None
        case "goto":
            draft.action, draft.table = "goto", next(rest, None)
            if draft.table == "none":
                draft.action, draft.table = "nop", None
            return draft.action == "nop" or number(draft.table or "") is not None
        case "[unresolved]":
            draft.action, draft.table = "nop", None
        case "[detached]":
            pass  # the device does not exist, so no packet can come from it or leave by it
        case _ if word in _ACTIONS:
            draft.action, draft.table = word, None
        case _ if word in _SELECTORS:
            draft.other += (f"{word} {next(rest, '')}",)
        case _ if word in _WITHOUT_EFFECT:
            next(rest, None)
        case _:
            draft.other += (word,)
    return True
