"""What `nft list ruleset` prints, read line by line into chains and sets.

nft prints one rule a line; only braces open further lines, and a quoted text has no quotes inside. That is all of its
grammar that is relied on.
"""

from __future__ import annotations

import re

import msgspec

from calitui.facts.packet_filter import FilterChain, FilterRule, FilterSet
from calitui.facts.text import LONGEST_LINE, clean
from calitui.nodes.parse.words import lines, verbatim

PRIORITIES = {"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100, "out": 100}
"""nft(8), "Standard priority names"."""
_BRIDGE_PRIORITIES = {"dstnat": -300, "filter": -200, "out": 100, "srcnat": 300}

_TABLE = re.compile(r"table (?P<family>ip|ip6|inet|arp|bridge|netdev) (?P<name>[^ ]+) \{")
_BLOCK = re.compile(r"(?P<kind>chain|set|map) (?P<name>[^ ]+) \{")
_OTHER_BLOCK = re.compile(r"[a-z]+(?: [a-z]+)? [^ ]+ \{")
_BASE = re.compile(
    r"type (?P<type>[a-z]+) hook (?P<hook>[a-z]+) (?:devices? (?:=? ?\{[^}]*\}|[^ ]+) )?priority (?P<priority>[^;]+);"
    r"(?: policy (?P<policy>accept|drop);)?(?: flags offload;)?(?: comment \"[^\"]*\")?"
)
_PRIORITY = re.compile(r"(?P<name>[a-z]+)(?: (?P<sign>[+-]) (?P<offset>[0-9]{1,10}))?")
_COUNTER = re.compile(r"\bcounter packets ([0-9]{1,20}) bytes [0-9]+")
_QUOTED = re.compile(r'"[^"]*"')
_HANDLE = re.compile(r" ?# handle [0-9]+$")
_IN_TABLE = re.compile(r"(?:flags|comment|owner) .*|owner")
_ELEMENT = re.compile(r'(?:"[^"]*"|[^",])+')
_REMARK = re.compile(r' (?:(?:timeout|expires) [0-9a-z]+|counter packets [0-9]+ bytes [0-9]+|comment "[^"]*")')
_DEEPEST = 8
"""Blocks inside of each other; nft prints four."""


class ChainDraft(msgspec.Struct):
    """A chain while its rules are being read."""

    name: str
    hook: str = ""
    priority: int = 0
    policy: str = ""
    rules: list[FilterRule] = []
    text: str = ""

    def fact(self, backend: str, family: str, table: str) -> FilterChain:
        """The chain as it is now."""
        return FilterChain(
            backend=backend,
            family=family,
            table=table,
            name=self.name,
            hook=self.hook,
            priority=self.priority,
            policy=self.policy,
            rules=tuple(self.rules),
            text=self.text,
        )


class Ruleset(msgspec.Struct):
    """Chains by family, table and name; `tables` are all that were printed, empty ones too."""

    chains: dict[tuple[str, str, str], ChainDraft] = {}
    sets: list[FilterSet] = []
    tables: set[tuple[str, str]] = set()
    unparsed: list[str] = []


def read_ruleset(text: str) -> Ruleset:
    """Read the output of `nft list ruleset`, with or without handles (`-a`)."""
    reading = _Reading()
    for raw in lines(text):
        line = raw.strip(" \t")
        if not line.startswith("#"):
            reading.take(_HANDLE.sub("", line) if "# handle" in line else line)
    return reading.end()


class _Reading:
    """Where in the ruleset the reading is: in no table, in one, or in one of its blocks."""

    def __init__(self) -> None:
        self.found = Ruleset()
        self.table: tuple[str, str] | None = None
        self.dormant = False
        self.chain: ChainDraft | None = None
        self.block: list[str] | None = None
        """The lines so far of a set, a map or a block that is passed over; its first is the opening one."""
        self.depth = 0
        self.rule: list[str] = []
        """The lines so far of a rule that goes on."""

    def take(self, line: str) -> None:
        if self.table is None:
            opened = _TABLE.fullmatch(line)
            if opened is None:
                self.found.unparsed.append(verbatim(line))
                return
            self.table, self.dormant = (opened["family"], clean(_bare(opened["name"]))), False
            self.found.tables.add(self.table)
        elif self.chain is not None:
            self._in_chain(self.table, self.chain, line)
        elif self.block is not None:
            self._in_block(self.table, self.block, line)
        elif line == "}":
            self.table = None
        elif _IN_TABLE.fullmatch(line):
            self.dormant = self.dormant or (line.startswith("flags") and "dormant" in line)
        elif opened := _BLOCK.fullmatch(line):
            name = clean(_bare(opened["name"]))
            if opened["kind"] == "chain":
                self.chain = ChainDraft(name, text=f"chain {name}")
                self.found.chains[(*self.table, name)] = self.chain
            else:
                self.block, self.depth = [opened["kind"], name], 1
        elif _OTHER_BLOCK.fullmatch(line):
            self.block, self.depth = ["", ""], 1
        else:
            self.found.unparsed.append(verbatim(line))

    def _in_chain(self, table: tuple[str, str], chain: ChainDraft, line: str) -> None:
        if not self.rule:
            if line == "}":
                self.chain = None
                return
            if line.startswith("type ") and not chain.rules:
                if not self._base(table, chain, line):
                    self.found.unparsed.append(verbatim(line))
                return
            if line.startswith('comment "') and not chain.rules and _QUOTED.fullmatch(line[8:]):
                return
        self.depth += _opened(line) if self.rule or "{" in line else 0
        self.rule.append(line)
        if self.depth > 0:
            return
        whole = " ".join(self.rule) if len(self.rule) > 1 else line
        counter = _COUNTER.search(_QUOTED.sub("", whole)) if "counter" in whole else None
        chain.rules.append(FilterRule(verbatim(whole), int(counter[1]) if counter else None))
        self.rule, self.depth = [], 0

    def _base(self, table: tuple[str, str], chain: ChainDraft, line: str) -> bool:
        said = _BASE.fullmatch(line)
        priority = _priority(said["priority"], table[0]) if said else None
        if said is None or priority is None:
            return False
        chain.text = verbatim(line)
        if not self.dormant:
            chain.hook, chain.priority, chain.policy = said["hook"], priority, said["policy"] or "accept"
        return True

    def _in_block(self, table: tuple[str, str], block: list[str], line: str) -> None:
        self.depth += _opened(line)
        if self.depth > _DEEPEST:
            self.found.unparsed.append(verbatim(line))
        if self.depth > 0:
            block.append(line)
            return
        if block[0]:
            self.found.sets.append(_set(table, block[0], block[1], block[2:]))
        self.block, self.depth = None, 0

    def end(self) -> Ruleset:
        """All that was read; an output that ends in the middle says so."""
        if self.table is not None:
            what = self.chain.name if self.chain else self.table[1]
            self.found.unparsed.append(f"{what}: the ruleset ends in the middle")
        return self.found


def _opened(line: str) -> int:
    bare = _QUOTED.sub("", line) if '"' in line else line
    return bare.count("{") - bare.count("}")


def _bare(word: str) -> str:
    return word.strip('"')


def _priority(said: str, family: str) -> int | None:
    said = said.strip()
    if re.fullmatch(r"-?[0-9]{1,10}", said):
        return int(said)
    found = _PRIORITY.fullmatch(said)
    names = _BRIDGE_PRIORITIES if family == "bridge" else PRIORITIES
    if found is None or found["name"] not in names:
        return None
    offset = int(found["offset"] or 0)
    return names[found["name"]] + (-offset if found["sign"] == "-" else offset)


def _set(table: tuple[str, str], kind: str, name: str, said: list[str]) -> FilterSet:
    typ, flags, elements = "", "", ""
    for number, line in enumerate(said):
        if line.startswith(("type ", "typeof ")):
            typ = clean(line.partition(" ")[2].partition(" : ")[0])
        elif line.startswith("flags "):
            flags = clean(line.removeprefix("flags "))
        elif line.startswith("elements = {"):
            elements = " ".join(said[number:]).removeprefix("elements = {").rstrip("} ")
            break
    keys = (_REMARK.sub("", part.strip(" ")) for part in _ELEMENT.findall(elements))
    return FilterSet(
        family=table[0],
        table=table[1],
        name=name,
        kind=kind,
        type=typ,
        flags=tuple(flag.strip() for flag in flags.split(",") if flag.strip()),
        elements=tuple(clean(key[:LONGEST_LINE]) for key in keys if key),
    )
