"""The kernel's route lookup, redone on dumped rules and tables.

Follows `fib_rules_lookup`, `fib_table_lookup` (IPv4) and `fib6_table_lookup`: rules in order of priority, the longest
prefix in the rule's table, among equal prefixes the lowest metric; `throw` and an empty table go on to the next rule.
IPv4 without rules of the user's is looked up as the kernel does it then: local and main are one table (`fib_lookup` in
include/net/ip_fib.h, `fib_trie_unmerge`). A kernel whose rules were changed and changed back keeps them apart, which
no dump tells; it differs only where main has a longer prefix than local.

What is decided before any table is asked is not decided here: whether an address is multicast or 0.0.0.0/8, whether
the input device forwards, and whether the source is a martian.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from calitui.facts.node import NetworkNamespace, NextHop, Route, Rule
from calitui.trace.fib_table import REFUSING, Flow, Table, address_number, hops, network_number

# linux/rtnetlink.h: RT_TABLE_DEFAULT, RT_TABLE_MAIN, RT_TABLE_LOCAL.
_TABLE_NAMES = {"253": "default", "254": "main", "255": "local", "": "main"}

# What a kernel without any rule of the user's looks up, in order (fib_default_rules_init, fib6_rules_net_init).
_DEFAULT_RULES = {
    4: (
        Rule(0, table="local", text="0: from all lookup local"),
        Rule(32766, table="main", text="32766: from all lookup main"),
        Rule(32767, table="default", text="32767: from all lookup default"),
    ),
    6: (
        Rule(0, table="local", text="0: from all lookup local", family=6),
        Rule(32766, table="main", text="32766: from all lookup main", family=6),
    ),
}


class Match(msgspec.Struct, frozen=True):
    """The route that decides, and the rule whose table holds it. `route` is None when a rule itself refuses.

    `alternatives` are other routes of the same prefix and metric that the kernel may take instead, by the flow or by
    which router answers. `device` is set when the packet may leave by that device only.
    """

    route: Route | None
    rule: Rule
    alternatives: tuple[Route, ...] = ()
    device: str | None = None

    @property
    def kind(self) -> str:
        """The route's type word, or the refusing rule's action."""
        return self.route.kind if self.route else self.rule.action

    @property
    def next_hops(self) -> tuple[NextHop, ...]:
        """The next hops one of which the kernel takes: those of the route and its alternatives that are not dead."""
        if self.route is None or self.route.kind in REFUSING:
            return ()
        found = list(hops(self.route, self.device))
        for route in self.alternatives:
            # Of another default route fib_select_default takes the first next hop, whatever its state.
            found += route.next_hops[:1] if route.next_hops and ":" not in route.prefix else hops(route, self.device)
        return tuple(found)


class _Selector:
    """A rule with its prefixes as numbers."""

    __slots__ = ("_destination", "_source", "_width", "rule")

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self._width = 32 if rule.family == 4 else 128
        self._source = _selected(rule.source, rule.family)
        self._destination = _selected(rule.destination, rule.family)

    def applies(self, flow: Flow) -> bool:
        """`fib_rule_match`; selectors that have no field of their own are not looked at."""
        rule = self.rule
        mask = 0xFFFFFFFF if rule.mask is None else rule.mask
        matches = (
            (rule.input_device is None or rule.input_device == (flow.input_device or "lo"))
            and (rule.output_device is None or rule.output_device == flow.output_device)
            and (rule.mark is None or (flow.mark ^ rule.mark) & mask == 0)
            and self._inside(flow.destination, self._destination)
            and self._from(flow.source)
        )
        return matches != rule.inverted

    def _from(self, source: int | None) -> bool:
        # fib4_rule_match compares a source that is not chosen yet as 0.0.0.0, fib6_rule_match lets it match no prefix.
        if source is None and (self._width == 128 and self._source[1]):
            return False
        return self._inside(source or 0, self._source)

    def _inside(self, address: int, prefix: tuple[int, int]) -> bool:
        network, length = prefix
        return address >> (self._width - length) == network


class Fib:
    """All tables and rules of one network namespace."""

    def __init__(self, namespace: NetworkNamespace) -> None:
        """Build once per namespace; `lookup` is then cheap.

        Raises:
            ValueError: a route's or rule's prefix is none.
        """
        grouped: dict[tuple[int, str], list[Route]] = {}
        for route in namespace.routes:
            grouped.setdefault((6 if ":" in route.prefix else 4, table_name(route.table)), []).append(route)
        self._rules: dict[int, Sequence[Rule]] = {
            family: sorted((rule for rule in namespace.rules if rule.family == family), key=lambda rule: rule.priority)
            or _DEFAULT_RULES[family]
            for family in (4, 6)
        }
        self._merged: Table | None = None
        if _are_the_usual(self._rules[4]):
            self._merged = Table([*grouped.pop((4, "local"), ()), *grouped.pop((4, "main"), ())], 4)
        self._tables = {key: Table(routes, key[0]) for key, routes in grouped.items()}
        self._selectors = {family: [_Selector(rule) for rule in rules] for family, rules in self._rules.items()}
        # Read backwards, so that the first rule of a priority stays.
        self._targets = {
            family: {str(rule.priority): position for position, rule in reversed(list(enumerate(rules)))}
            for family, rules in self._rules.items()
        }

    def lookup(
        self,
        destination: str,
        source: str | None = None,
        input_device: str | None = None,
        *,
        mark: int = 0,
        output_device: str | None = None,
        tos: int = 0,
    ) -> Match | None:
        """The decision for a packet, or None when no table has a route for it.

        `input_device` is where a forwarded packet came in; without it the packet is made by this machine.
        `output_device` is a device the sender is bound to; where None or a refusal comes out of that, an IPv4 kernel
        takes the destination to be on that link. Rules with selectors that can't be judged (`Rule.other`) are passed
        by: `unjudged` names them. Addresses are unicast ones.

        Raises:
            ValueError: an address is none.
        """
        flow = _flow(destination, source, input_device, mark, output_device, tos)
        if flow.family == 4 and self._merged is not None:
            return self._in_merged(self._merged, flow)
        for selector in self._walk(flow):
            rule = selector.rule
            if rule.other:
                continue
            found = self._try(rule, flow)
            if found is not None:
                return found
        return None

    def unjudged(
        self,
        destination: str,
        source: str | None = None,
        input_device: str | None = None,
        *,
        mark: int = 0,
        output_device: str | None = None,
        tos: int = 0,
    ) -> tuple[Rule, ...]:
        """The rules that `lookup` passed by on its way although they may match and would decide.

        They match in all that can be said of them, and their table has a route for the packet or they refuse it.
        """
        flow = _flow(destination, source, input_device, mark, output_device, tos)
        doubtful: list[Rule] = []
        for selector in self._walk(flow):
            rule = selector.rule
            if rule.other and (rule.action == "goto" or self._try(rule, flow) is not None):
                doubtful.append(rule)
            elif not rule.other and self._try(rule, flow) is not None:
                break
        return tuple(doubtful)

    def _walk(self, flow: Flow) -> Iterator[_Selector]:
        """The rules that match, in the kernel's order; `goto` is followed, and one without its target is passed by."""
        selectors = self._selectors[flow.family]
        position = 0
        while position < len(selectors):
            selector = selectors[position]
            position += 1
            rule = selector.rule
            if rule.other:
                # Inverted, what can be said does not tell whether the whole matches.
                if rule.inverted or selector.applies(flow):
                    yield selector
            elif selector.applies(flow):
                if rule.action == "goto":
                    position = max(position, self._targets[flow.family].get(rule.table or "", 0))
                elif rule.action != "nop":
                    yield selector

    def _try(self, rule: Rule, flow: Flow) -> Match | None:
        if rule.action in ("goto", "nop"):
            return None
        if rule.action != "lookup":
            return Match(None, rule)
        table = self._tables.get((flow.family, table_name(rule.table or "main")))
        found = table.lookup(flow) if table else None
        if found is None or found.route.kind == "throw":
            return None
        suppressed = rule.suppress_prefix_length
        # Only an answer that leads somewhere is suppressed, a refusal stands (fib_rules_lookup).
        if suppressed is not None and found.length <= suppressed and found.route.kind not in REFUSING:
            return None
        return Match(found.route, rule, found.alternatives, flow.bound_to)

    def _in_merged(self, merged: Table, flow: Flow) -> Match | None:
        """`fib_lookup` without rules of the user's (before 6.18 it asks default even after a refusal)."""
        found = merged.lookup(flow)
        if found is None or found.route.kind == "throw":
            default = self._tables.get((4, "default"))
            found = default.lookup(flow) if default is not None else None
        if found is None or found.route.kind == "throw":
            return None
        table = table_name(found.route.table)
        rule = next(rule for rule in self._rules[4] if table_name(rule.table or "main") == table)
        return Match(found.route, rule, found.alternatives, flow.bound_to)


def table_name(table: str) -> str:
    """`main`, `local` and `default` for their numbers, anything else as it is."""
    return _TABLE_NAMES.get(table, table)


def _selected(prefix: str | None, family: int) -> tuple[int, int]:
    """A selector's prefix as a number; one of the other family is inside nothing."""
    if prefix is None:
        return 0, 0
    return network_number(prefix, family) if (":" in prefix) == (family == 6) else (-1, 0)


def _flow(
    destination: str, source: str | None, input_device: str | None, mark: int, output_device: str | None, tos: int
) -> Flow:
    family, address = address_number(destination)
    origin = None
    if source:
        origin_family, origin = address_number(source)
        if origin_family != family:
            raise ValueError(f"{source} and {destination} are of two families")
    # A source of :: is none (RT6_LOOKUP_F_HAS_SADDR).
    return Flow(family, address, origin or None, input_device, mark, output_device, tos)


def _are_the_usual(rules: Iterable[Rule]) -> bool:
    """Whether these are the three rules an IPv4 kernel begins with."""
    bare = [msgspec.structs.replace(rule, text="", table=table_name(rule.table or "main")) for rule in rules]
    return bare == [msgspec.structs.replace(rule, text="") for rule in _DEFAULT_RULES[4]]
