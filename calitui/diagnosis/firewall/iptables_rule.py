"""One rule as `iptables-save` prints it, held against one packet. Source: iptables-extensions(8)."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from calitui.diagnosis.firewall.judged import Does, Judged
from calitui.diagnosis.firewall.packet import (
    ALL_BITS,
    PROTOCOLS,
    WITH_PORTS,
    Changes,
    Packet,
    address_in,
    any_of,
    as_number,
    both,
    device_is,
    negated,
    number_in,
    state_in,
    touched,
    type_is,
)

_WORDS = re.compile(r'"(?:[^"\\]|\\.)*"|[^ ]+')
_HEAD = re.compile(r"(?:\[[0-9]+:[0-9]+\] )?-A [^ ]+ ?")
_ONE_HOST = re.compile(r"-d (?P<host>[0-9A-Fa-f.:]+)/(?:32|128) ")
"""A rule that begins so is passed over at once: kube-proxy writes one for every service."""

_FULLY_KNOWN = frozenset(
    {
        "comment",
        "tcp",
        "udp",
        "sctp",
        "dccp",
        "multiport",
        "conntrack",
        "state",
        "mark",
        "iprange",
        "addrtype",
        "icmp",
        "icmp6",
    }
)
"""Matches whose options are all judged one by one; of any other nothing is known."""

_DECIDES = {
    "ACCEPT": Does.ACCEPT,
    "DROP": Does.DROP,
    "REJECT": Does.DROP,
    "RETURN": Does.RETURN,
    "MASQUERADE": Does.ACCEPT,
    "SNAT": Does.ACCEPT,
    "DNAT": Does.ACCEPT,
    "REDIRECT": Does.ACCEPT,
    "NETMAP": Does.ACCEPT,
}
_REWRITES = frozenset({"MASQUERADE", "SNAT", "DNAT", "REDIRECT", "NETMAP"})
_WITHOUT_EFFECT = frozenset(
    {
        "LOG",
        "NFLOG",
        "ULOG",
        "TRACE",
        "AUDIT",
        "TCPMSS",
        "TCPOPTSTRIP",
        "CHECKSUM",
        "CLASSIFY",
        "DSCP",
        "TOS",
        "TTL",
        "HL",
        "ECN",
        "TEE",
        "IDLETIMER",
        "SECMARK",
        "CONNSECMARK",
        "RATEEST",
        "LED",
        "SET",
    }
)
"""Targets behind which the packet goes on as it was, as far as rules that are judged here look at it."""


def judge_iptables(text: str, packet: Packet, changes: Changes) -> Judged:
    """Hold a rule against a packet. A target that is no known one is taken for a chain."""
    head = _HEAD.match(text)
    if head is None or text.endswith("…"):
        return Judged(None, Does.ANYTHING, touched())
    host = _ONE_HOST.match(text, head.end())
    if host and not changes.rewritten and address_in(packet.destination, host["host"]) is False:
        return Judged(False, Does.NOTHING, changes)
    rule = _Rule(packet, changes)
    rest = iter(_WORDS.findall(text, head.end()))
    for word in rest:
        if word in ("-j", "-g"):
            return rule.decided(word, next(rest, ""), list(rest))
        rule.take(word, rest)
        if rule.matches is False:
            return Judged(False, Does.NOTHING, changes)
    return Judged(rule.matches, Does.NOTHING, changes)


class _Rule:
    """A rule as far as it was read."""

    def __init__(self, packet: Packet, changes: Changes) -> None:
        self.packet = packet
        self.changes = changes
        self.matches: bool | None = True
        self.inverted = False
        self.module = ""

    def take(self, word: str, rest: Iterator[str]) -> None:
        if word == "!":
            self.inverted = True
            return
        if word == "-m":
            self.module = next(rest, "")
            told: bool | None = True if self.module in _FULLY_KNOWN else None
        elif word.startswith("-"):
            told = negated(self._option(word, rest), self.inverted)
        else:
            told = True if self.module not in _FULLY_KNOWN else None  # a further value of an option that is not known
        self.matches, self.inverted = both(self.matches, told), False

    def _option(self, word: str, rest: Iterator[str]) -> bool | None:
        packet, changes = self.packet, self.changes
        match self.module, word:
            case _, "-s" | "-d":
                held = packet.source if word == "-s" else packet.destination
                return address_in(None if changes.rewritten else held, next(rest, ""))
            case _, "-i" | "-o":
                return device_is(packet.in_device if word == "-i" else packet.out_device, next(rest, ""), "+")
            case _, "-p":
                protocol = next(rest, "")
                return True if protocol == "all" else number_in(packet.protocol, protocol, PROTOCOLS)
            case "comment", "--comment":
                next(rest, None)
                return True
            case (("tcp" | "udp" | "sctp" | "dccp" | "multiport"), ("--sport" | "--dport" | "--sports" | "--dports")):
                held_port = packet.source_port if word.startswith("--s") else packet.port
                return self._port(None if changes.rewritten else held_port, next(rest, ""))
            case ("conntrack", "--ctstate") | ("state", "--state"):
                return state_in(packet, changes, next(rest, "").lower().split(","))
            case "mark", "--mark":
                value, _, mask = next(rest, "").partition("/")
                wanted, bits = as_number(value), as_number(mask) if mask else ALL_BITS
                return None if wanted is None or bits is None else changes.has_mark(wanted, bits)
            case "addrtype", "--src-type" | "--dst-type":
                kinds = next(rest, "").split(",")
                of_source = word == "--src-type"
                return any_of(type_is(packet, changes, kind, of_source=of_source) for kind in kinds)
            case "iprange", "--src-range" | "--dst-range":
                held = packet.source if word == "--src-range" else packet.destination
                return address_in(None if changes.rewritten else held, next(rest, ""))
            case _:
                return None

    def _port(self, held: int | None, wanted: str) -> bool | None:
        if self.packet.protocol is not None and self.packet.protocol not in WITH_PORTS:
            return False
        return any_of(number_in(held, part, {}, ":") for part in wanted.split(","))

    def decided(self, how: str, target: str, options: list[str]) -> Judged:
        """What the rule does, once its target is read."""
        if self.matches is False:
            return Judged(False, Does.NOTHING, self.changes)
        after = _effect(target, options, self.packet, self.changes)
        if self.matches is None:
            after = self.changes.joined(after)
        if how == "-g":
            return Judged(self.matches, Does.GOTO, after, target)
        if target in _DECIDES:
            return Judged(self.matches, _DECIDES[target], after)
        if target in _WITHOUT_EFFECT or target in ("MARK", "CONNMARK", "NOTRACK", "CT"):
            return Judged(self.matches, Does.NOTHING, after)
        if target in ("QUEUE", "NFQUEUE", "TPROXY", "SYNPROXY", ""):
            return Judged(self.matches, Does.ANYTHING if target else Does.NOTHING, after)
        return Judged(self.matches, Does.JUMP, after, target)


def _effect(target: str, options: list[str], packet: Packet, changes: Changes) -> Changes:
    if target in _REWRITES:
        return msgspec.structs.replace(changes, rewritten=True)
    if target == "NOTRACK" or (target == "CT" and "--notrack" in options):
        return changes.untracked(packet)
    if target == "CONNMARK" and "--restore-mark" in options:
        return changes.marked_anyhow()
    if target in ("TPROXY", "SYNPROXY", "QUEUE", "NFQUEUE"):
        return touched()
    if target == "MARK":
        return _marked(options, changes)
    return changes


def _marked(options: list[str], changes: Changes) -> Changes:
    how = options[0] if options else ""
    value, _, mask = (options[1] if len(options) > 1 else "").partition("/")
    number, bits = as_number(value), as_number(mask) if mask else ALL_BITS
    if number is None or bits is None:
        return changes.marked_anyhow()
    if how == "--set-xmark":
        # Bits outside of the mask are not kept but turned round: that is how `--xor-mark` is saved.
        return changes.marked(0, bits).flipped(number)
    if how == "--set-mark":
        return changes.marked(number, bits | number)
    return changes.marked_anyhow()
