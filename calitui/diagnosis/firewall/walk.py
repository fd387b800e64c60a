"""What a node's packet filter does to one packet: accepted, dropped, or it can't be told.

All chains of a hook are asked, of nftables and of both backends of iptables, by priority: a packet passes only if each
accepts it, so one chain that drops it for certain is enough. Inside a chain every way that the packet may take is
followed: what can't be told of a rule makes two ways of one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from enum import StrEnum

import msgspec

from calitui.diagnosis.firewall.iptables_rule import judge_iptables
from calitui.diagnosis.firewall.judged import Does, Judged
from calitui.diagnosis.firewall.nft_rule import judge_nft
from calitui.diagnosis.firewall.packet import Changes, Packet, touched, untouched
from calitui.facts.packet_filter import FilterChain, FilterRule, FilterSet, PacketFilter

MOST_RULES = 300_000
"""Rules that one walk looks at; chains that call each other twice over are more than any kernel would walk."""
_DEEPEST = 64
_TRACKING = -200
"""Where connection tracking comes in the hooks in which a packet is first seen (`NF_IP_PRI_CONNTRACK`)."""

ON_THE_WAY = {
    "forward": ("prerouting", "forward", "postrouting"),
    "input": ("prerouting", "input"),
    "output": ("output", "postrouting"),
}
"""The hooks that a packet passes which is forwarded, taken in, or made by the node."""

_COMMANDS = {
    ("iptables-nft", "ip"): "iptables-nft-save -c",
    ("iptables-nft", "ip6"): "ip6tables-nft-save -c",
    ("iptables-legacy", "ip"): "iptables-legacy-save -c",
    ("iptables-legacy", "ip6"): "ip6tables-legacy-save -c",
}


class Outcome(StrEnum):
    """What becomes of a packet."""

    ACCEPTED = "accepted"
    DROPPED = "dropped"
    UNKNOWN = "unknown"


class Drop(msgspec.Struct, frozen=True):
    """Where a packet is dropped for certain: in `chain` by `rule`, by the chain's policy where that is None.

    `base` is the chain of the hook that led there.
    """

    base: FilterChain
    chain: FilterChain
    rule: FilterRule | None

    def lines(self, node: str) -> tuple[str, ...]:
        """The chain's own line and the rule, verbatim, with where they were read."""
        said = [(self.base, self.base.text)]
        if self.chain is not self.base:
            said.append((self.chain, self.chain.text))
        if self.rule is not None:
            said.append((self.chain, self.rule.text))
        return tuple(f"{source(node, chain)}: {text}" for chain, text in said)


class Verdict(msgspec.Struct, frozen=True):
    """The outcome, and each chain that drops the packet for certain. The first is the one that it meets."""

    outcome: Outcome
    drops: tuple[Drop, ...] = ()


def source(node: str, chain: FilterChain) -> str:
    """Where a chain was read: `k8s-node1 nft list ruleset: chain inet firewalld filter_FORWARD`."""
    command = _COMMANDS.get((chain.backend, chain.family), "nft list ruleset")
    return f"{node} {command}: chain {chain.family} {chain.table} {chain.name}"


class Walk:
    """Judges packets by one node's packet filter."""

    def __init__(self, packet_filter: PacketFilter) -> None:
        """Index the chains once, for any number of packets."""
        self._filter = packet_filter
        self._tables: dict[tuple[str, str, str], dict[str, FilterChain]] = {}
        self._sets: dict[tuple[str, str], dict[str, FilterSet]] = {}
        self._hooked = [
            chain for chain in packet_filter.chains if chain.hook and (chain.rules or chain.policy == "drop")
        ]
        for chain in packet_filter.chains:
            self._tables.setdefault((chain.backend, chain.family, chain.table), {})[chain.name] = chain
        for found in packet_filter.sets:
            self._sets.setdefault((found.family, found.table), {})[found.name] = found

    def judge(self, packet: Packet, way: str) -> Verdict:
        """What becomes of a packet that is forwarded, taken in or sent: `way` is a key of `ON_THE_WAY`."""
        if self._filter.unparsed:
            return Verdict(Outcome.UNKNOWN)
        packet = msgspec.structs.replace(packet, from_here=way == "output", to_here=way == "input")
        changes = untouched(packet)
        is_sure = not any(chain.hook in ("ingress", "egress") for chain in self._hooked)
        drops: list[Drop] = []
        for hook in ON_THE_WAY[way]:
            if changes.rewritten and hook != "postrouting":
                # Rules of NAT may have sent it another way.
                is_sure = False
                break
            for priority, chains in itertools.groupby(self._bases(hook, packet.family), key=_priority):
                results, changes = self._together(list(chains), _at(packet, hook, priority), changes)
                is_sure = is_sure and all(result is Outcome.ACCEPTED for result, _ in results)
                drops += [drop for _, drop in results if drop is not None]
        if drops:
            return Verdict(Outcome.DROPPED, tuple(drops))
        return Verdict(Outcome.ACCEPTED if is_sure else Outcome.UNKNOWN)

    def _together(
        self, bases: list[FilterChain], packet: Packet, changes: Changes
    ) -> tuple[list[tuple[Outcome, Drop | None]], Changes]:
        """What chains of one priority do, whichever is asked first."""
        while True:
            done = [_Chains(self, base, packet).walk(changes) for base in bases]
            after = done[0][1]
            for _, other, _ in done[1:]:
                after = after.joined(other)
            if len(done) == 1:
                return [(outcome, drop) for outcome, _, drop in done], after
            # What one of them does to the packet the others may see or not.
            either = changes.joined(after)
            if either == changes:
                return [(outcome, drop) for outcome, _, drop in done], changes
            changes = either

    def _bases(self, hook: str, family: int) -> Iterable[FilterChain]:
        families = ("inet", "ip" if family == 4 else "ip6")
        found = [chain for chain in self._hooked if chain.hook == hook and chain.family in families]
        return sorted(found, key=lambda chain: chain.priority)

    def chains_beside(self, chain: FilterChain) -> dict[str, FilterChain]:
        """The chains of the same table, by name."""
        return self._tables[chain.backend, chain.family, chain.table]

    def sets_of(self, chain: FilterChain) -> dict[str, FilterSet]:
        """The sets of the chain's table, by name."""
        return self._sets.get((chain.family, chain.table), {})


def _priority(chain: FilterChain) -> int:
    return chain.priority


def _at(packet: Packet, hook: str, priority: int) -> Packet:
    """The packet as a hook's chains see it: devices that it does not have there are ""."""
    if hook in ("prerouting", "output") and priority <= _TRACKING:
        packet = msgspec.structs.replace(packet, state="invalid" if priority < _TRACKING else "")
    if hook in ("prerouting", "input"):
        return msgspec.structs.replace(packet, out_device="")
    if hook == "output":
        return msgspec.structs.replace(packet, in_device="")
    return msgspec.structs.replace(packet, in_device=None) if hook == "postrouting" else packet


class _Ways(msgspec.Struct, frozen=True):
    """How a chain may end: the packet as it is where it is accepted and where the chain is at its end, None where that
    can't be; whether it may be dropped, and the place where that happens last.
    """

    accepted: Changes | None = None
    ended: Changes | None = None
    dropped: bool = False
    where: tuple[FilterChain, FilterRule | None] | None = None


class _Chains:
    """One packet in the chains that one base chain leads to."""

    def __init__(self, walk: Walk, base: FilterChain, packet: Packet) -> None:
        self.walk_of = walk
        self.base = base
        self.packet = packet
        self.chains = walk.chains_beside(base)
        self.sets = walk.sets_of(base)
        self.left = MOST_RULES
        self.known: dict[tuple[str, Changes], _Ways] = {}

    def walk(self, changes: Changes) -> tuple[Outcome, Changes, Drop | None]:
        """What the base chain does with the packet, and what the packet is like behind it."""
        is_nat = self.base.table == "nat" or self.base.text.startswith("type nat ")
        if is_nat and self.packet.state != "new":
            return Outcome.ACCEPTED, changes, None
        ways = self._run(self.base, changes, 0)
        accepted, dropped, where = ways.accepted, ways.dropped, ways.where
        if ways.ended is not None and self.base.policy == "drop":
            dropped, where = True, (self.base, None)
        elif ways.ended is not None:
            accepted = _either(accepted, ways.ended)
        if is_nat and (changes.rewritten or changes.tracked is not True):
            accepted = _either(accepted, changes)  # NAT is asked for tracked packets, until one chain has decided
        after = accepted or changes
        if accepted is None and where is not None:
            return Outcome.DROPPED, after, Drop(self.base, *where)
        return Outcome.UNKNOWN if dropped or accepted is None else Outcome.ACCEPTED, after, None

    def _run(self, chain: FilterChain, changes: Changes, depth: int) -> _Ways:
        key = (chain.name, changes)
        if key not in self.known:
            if depth > _DEEPEST:
                return _ANYHOW
            self.known[key] = _ANYHOW  # for a chain that leads to itself
            self.known[key] = self._rules(chain, changes, depth)
        return self.known[key]

    def _rules(self, chain: FilterChain, changes: Changes, depth: int) -> _Ways:
        accepted: Changes | None = None
        ended: Changes | None = None
        dropped = False
        for rule in chain.rules:
            self.left -= 1
            if self.left < 0:
                return _ANYHOW
            judged = self._judge(rule, changes)
            if judged.matches is False or judged.does is Does.NOTHING:
                changes = judged.changes
                continue
            ways = self._ways(judged, chain, rule, depth)
            accepted, dropped = _either(accepted, ways.accepted), dropped or ways.dropped
            going_on = ways.ended
            if judged.does in (Does.GOTO, Does.RETURN):
                ended, going_on = _either(ended, ways.ended), None
            if judged.matches is None:
                going_on = _either(going_on, judged.changes)
            if going_on is None:
                return _Ways(accepted, ended, dropped, ways.where)
            changes = going_on
        return _Ways(accepted, _either(ended, changes), dropped)

    def _ways(self, judged: Judged, chain: FilterChain, rule: FilterRule, depth: int) -> _Ways:
        """What the verdict of a rule leads to."""
        match judged.does:
            case Does.ACCEPT:
                return _Ways(accepted=judged.changes)
            case Does.DROP:
                return _Ways(dropped=True, where=(chain, rule))
            case Does.RETURN:
                return _Ways(ended=judged.changes)
            case Does.JUMP | Does.GOTO:
                target = self.chains.get(judged.target)
                return self._run(target, judged.changes, depth + 1) if target else _ANYHOW
            case _:
                return _ANYHOW

    def _judge(self, rule: FilterRule, changes: Changes) -> Judged:
        if self.base.backend == "nft":
            return judge_nft(rule.text, self.packet, changes, self.sets)
        return judge_iptables(rule.text, self.packet, changes)


def _either(one: Changes | None, other: Changes | None) -> Changes | None:
    if one is None or other is None:
        return other if one is None else one
    return one.joined(other)


_ANYHOW = _Ways(accepted=touched(), ended=touched(), dropped=True)
