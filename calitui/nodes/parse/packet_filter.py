"""The packet filter of a node: what `iptables-save -c` and its kin and `nft list ruleset` print, read into chains.

What a rule matches is not known here; a rule is its line. Priorities by name are those of nft(8); iptables' tables have
theirs from `linux/netfilter_ipv4.h`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from calitui.facts.packet_filter import FilterChain, FilterRule, FilterSet, PacketFilter
from calitui.facts.text import clean
from calitui.nodes.parse.nft_ruleset import PRIORITIES, ChainDraft, Ruleset, read_ruleset
from calitui.nodes.parse.words import lines, verbatim

SECTIONS = {
    "iptables-nft": ("iptables-nft", "ip"),
    "ip6tables-nft": ("iptables-nft", "ip6"),
    "iptables-legacy": ("iptables-legacy", "ip"),
    "ip6tables-legacy": ("iptables-legacy", "ip6"),
}
"""The outputs of iptables: which backend and family each is of."""

_HOOKS = {name: name.lower() for name in ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")}
_TABLES = {"raw": "raw", "mangle": "mangle", "filter": "filter", "security": "security"}
_NAT = {"prerouting": "dstnat", "output": "dstnat", "input": "srcnat", "postrouting": "srcnat"}
_CHAIN = re.compile(r":(?P<name>[^ ]+) (?P<policy>ACCEPT|DROP|QUEUE|-)(?: \[[0-9]+:[0-9]+\])?")
_RULE = re.compile(r"(?:\[(?P<packets>[0-9]{1,20}):[0-9]{1,20}\] )?-A (?P<chain>[^ ]+)(?= |$)")
_INCOMPATIBLE = re.compile(r"# Table [`']?(?P<table>[\w-]+)' is incompatible")

TableKey = tuple[str, str]


def parse_packet_filter(sections: Mapping[str, str]) -> PacketFilter:
    """Read what was printed: keys are those of `SECTIONS` (`iptables-save -c` and its kin) and `nft`.

    Tables of `nft list ruleset` that came through `iptables-nft` too are left out of nft's. Other keys are ignored.
    """
    chains: list[FilterChain] = []
    sets: list[FilterSet] = []
    unparsed: list[str] = []
    told: set[TableKey] = set()
    untold: dict[TableKey, str] = {}
    for name, (backend, family) in SECTIONS.items():
        saved = _Saved(backend, family)
        saved.read(sections.get(name, ""))
        chains += [draft.fact(backend, family, table) for (table, _), draft in saved.chains.items()]
        unparsed += saved.unparsed
        if backend == "iptables-nft":
            told |= {(family, table) for table in saved.tables}
            untold |= {(family, table): line for table, line in saved.incompatible.items()}
    ruleset = read_ruleset(sections.get("nft", "")) if "nft" in sections else Ruleset()
    chains += [
        draft.fact("nft", family, table)
        for (family, table, _), draft in ruleset.chains.items()
        if (family, table) not in told
    ]
    sets += [found for found in ruleset.sets if (found.family, found.table) not in told]
    unparsed += ruleset.unparsed
    unparsed += [line for key, line in untold.items() if key not in ruleset.tables]
    read = tuple(name for name in (*SECTIONS, "nft") if name in sections)
    return PacketFilter(tuple(chains), tuple(sets), tuple(unparsed), read)


class _Saved:
    """One output of `iptables-save`."""

    def __init__(self, backend: str, family: str) -> None:
        self.backend = backend
        self.family = family
        self.chains: dict[tuple[str, str], ChainDraft] = {}
        self.tables: set[str] = set()
        self.incompatible: dict[str, str] = {}
        self.unparsed: list[str] = []

    def read(self, text: str) -> None:
        table: str | None = None
        for raw in lines(text):
            line = raw.lstrip(" \t")
            if table is not None and line[0] in "[-":
                self._rule(table, line)
            elif line[0] == "#":
                found = _INCOMPATIBLE.match(line)
                if found:
                    self.incompatible[found["table"]] = verbatim(line)
            elif line[0] == "*":
                table = clean(line[1:])
                self.tables.add(table)
            elif line == "COMMIT":
                table = None
            elif table is None or not self._chain(table, line):
                self.unparsed.append(verbatim(line))

    def _chain(self, table: str, line: str) -> bool:
        found = _CHAIN.fullmatch(line)
        if found is None:
            return False
        draft = ChainDraft(clean(found["name"]), text=verbatim(line))
        if found["policy"] != "-":
            hook = _HOOKS.get(found["name"], "")
            named = _NAT.get(hook, "") if table == "nat" else _TABLES.get(table, "")
            if not hook or not named:
                return False
            draft.hook, draft.priority, draft.policy = hook, PRIORITIES[named], found["policy"].lower()
        self.chains[table, draft.name] = draft
        return True

    def _rule(self, table: str, line: str) -> None:
        found = _RULE.match(line)
        draft = self.chains.get((table, clean(found["chain"]))) if found else None
        if found is None or draft is None:
            self.unparsed.append(verbatim(line))
            return
        packets = int(found["packets"]) if found["packets"] else None
        draft.rules.append(FilterRule(verbatim(line), packets))
