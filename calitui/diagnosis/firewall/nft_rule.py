"""One rule as `nft list ruleset` prints it, held against one packet. Source: nft(8).

A rule is a row of statements. Those that are known are judged one by one; behind the first that is not, nothing can be
told but the verdict at the rule's end.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping

import msgspec

from calitui.diagnosis.firewall.judged import Does, Judged
from calitui.diagnosis.firewall.nft_fields import ALONE, FIELDS, Field, applies, is_in
from calitui.diagnosis.firewall.packet import (
    ALL_BITS,
    Changes,
    Packet,
    any_of,
    as_number,
    both,
    negated,
    touched,
)
from calitui.facts.packet_filter import FilterSet

_WORDS = re.compile(r'"[^"]*"|[{},]|[^\s{},"]+')
_ELEMENT = re.compile(r'(?:"[^"]*"|[^",])+')
_SIMPLE = {
    "accept": Does.ACCEPT,
    "drop": Does.DROP,
    "return": Does.RETURN,
    "continue": Does.NOTHING,
    "jump": Does.JUMP,
    "goto": Does.GOTO,
    "reject": Does.DROP,
}
_ENDS = frozenset({*_SIMPLE, "queue", "vmap", "map", "xt", "tproxy", "synproxy", "dup", "fwd", "snat", "dnat"})
_NATS = frozenset({"masquerade", "snat", "dnat", "redirect"})
_NO_VALUES = frozenset({"!", "&", "|", "^", "<", ">", "<=", ">=", "and", "or", "xor", "(", "set", "map", "vmap", ""})
"""Words that no value begins with: what they say of a field is not judged here."""
_IMPLIED = {
    "icmp": ("meta", "nfproto", "ipv4"),
    "icmpv6": ("meta", "nfproto", "ipv6"),
    "tcp": ("meta", "l4proto", "tcp"),
}
"""What the packet has to be for `reject with` this, which versions of nft leave out before it."""
_LOG_OPTIONS = frozenset({"prefix", "level", "group", "snaplen", "queue-threshold", "flags"})

Element = tuple[str, ...]


def judge_nft(text: str, packet: Packet, changes: Changes, sets: Mapping[str, FilterSet]) -> Judged:
    """Hold a rule against a packet; `sets` are those of the rule's table."""
    if text.endswith("…"):
        return Judged(None, Does.ANYTHING, touched())
    rule = _Rule(_WORDS.findall(text), packet, changes, sets)
    while rule.words and rule.judged is None and rule.matches is not False:
        rule.statement()
    return rule.judged or Judged(rule.matches, Does.NOTHING, rule.changes)


class _Rule:
    """A rule as far as it was read: `words` are those that are left."""

    def __init__(self, words: list[str], packet: Packet, changes: Changes, sets: Mapping[str, FilterSet]) -> None:
        self.words = words[::-1]
        self.packet = packet
        self.changes = changes
        self.sets = sets
        self.matches: bool | None = True
        self.judged: Judged | None = None

    def peek(self, position: int = 0) -> str:
        return self.words[-1 - position] if len(self.words) > position else ""

    def next(self) -> str:
        return self.words.pop() if self.words else ""

    def statement(self) -> None:
        """Read the next statement."""
        word = self.peek()
        if word in _SIMPLE:
            self._verdict()
        elif word == "counter" and self.peek(1) == "packets":
            del self.words[-5:]
        elif word == "counter" and self.peek(1) == "name":
            del self.words[-3:]
        elif word == "limit" and self.peek(1) == "rate":
            self._limit()
        elif word in ("counter", "notrack"):
            self.next()
            if word == "notrack":
                self._change(self.changes.untracked(self.packet))
        elif word == "comment":
            del self.words[-2:]
        elif word == "log":
            self.next()
            while self.peek() in _LOG_OPTIONS:
                del self.words[-2:]
        elif (word, self.peek(1), self.peek(2)) in (("meta", "mark", "set"), ("mark", "set", self.peek(2))):
            del self.words[-3 if word == "meta" else -2 :]
            self._change(self._mark())
        elif (word, self.peek(1), self.peek(2)) == ("ct", "mark", "set"):
            del self.words[-3:]
            self._mark()
        elif word in _NATS and "{" not in self.words and "map" not in self.words:
            after = msgspec.structs.replace(self.changes, rewritten=True)
            self._decide(Does.ACCEPT, after if self.matches else self.changes.joined(after))
        elif (fields := self._fields()) is None or not self._match(fields):
            self._give_up()

    def _limit(self) -> None:
        """`limit rate [over] 10/second [burst 5 packets]`, of bytes `10 mbytes/second`: it matches some of the time."""
        del self.words[-2:]
        if self.peek() == "over":
            self.next()
        if "/" not in self.next():
            self.next()
        if self.peek() == "burst":
            del self.words[-3:]
        self.matches = both(self.matches, None)

    def _verdict(self) -> None:
        word = self.next()
        does = _SIMPLE[word]
        implied = _IMPLIED.get(self.peek(1)) if word == "reject" and self.peek() == "with" else None
        if implied:
            self.matches = both(self.matches, is_in(implied[:2], implied[2], self.packet, self.changes))
        target = self.next().strip('"') if does in (Does.JUMP, Does.GOTO) else ""
        if target == "{":
            self._decide(Does.ANYTHING, touched())
        elif does is not Does.NOTHING:
            self._decide(does, self.changes, target)

    def _decide(self, does: Does, changes: Changes, target: str = "") -> None:
        self.judged = Judged(self.matches, does, changes, target)

    def _change(self, after: Changes) -> None:
        self.changes = after if self.matches else self.changes.joined(after)

    def _mark(self) -> Changes:
        """What `meta mark set` makes of the packet, its words read."""
        mark = self.changes
        if as_number(self.peek()) is not None:
            mark = mark.marked(as_number(self.next()) or 0, ALL_BITS)
        elif self.peek() in ("meta", "ct") and self.peek(1) == "mark":
            mark = mark if self.peek() == "meta" else mark.marked_anyhow()
            del self.words[-2:]
        elif self.peek() == "mark":
            self.next()
        else:
            return mark.marked_anyhow()
        while self.peek() in ("&", "|", "^", "and", "or", "xor"):
            how, number = self.next(), as_number(self.next())
            if number is None:
                return mark.marked_anyhow()
            if how in ("&", "and"):
                mark = mark.marked(0, ALL_BITS & ~number)
            else:
                mark = mark.marked(number, number) if how in ("|", "or") else mark.flipped(number)
        return mark

    # matching

    def _fields(self) -> list[Field] | None:
        """The fields that are looked at, joined by dots; None if one is not known. Reads them only if all are."""
        fields: list[Field] = []
        at = 0
        while True:
            word = self.peek(at)
            field = ALONE.get(word) or (word, self.peek(at + 1))
            if field not in FIELDS:
                return None
            fields.append(field)
            at += 1 if word in ALONE else 2
            if field[0] == "fib":
                if self.peek(at) != "type":
                    return None
                at += 1
            if self.peek(at) != ".":
                break
            at += 1
        del self.words[-at:]
        return fields

    def _match(self, fields: list[Field]) -> bool:
        """Judge what stands behind `fields`. False if it is not known."""
        applicable: bool | None = True
        for field in fields:
            applicable = both(applicable, applies(field, self.packet))
        if fields == [("meta", "mark")] and self.peek() in ("&", "and"):
            return self._masked_mark()
        how = self.next() if self.peek() in ("==", "!=", "vmap") else "=="
        elements = self._elements(len(fields))
        if elements is None and how == "vmap":
            self.matches = both(self.matches, None)
            self._decide(Does.ANYTHING, touched())
            return True
        if elements is None:
            return False
        if how == "vmap":
            self._map(fields, elements, applicable)
            return True
        if how == "!=" and len(elements) > 1 and fields == [("ct", "state")]:
            told: bool | None = None
        else:
            told = negated(any_of(self._is(fields, element) for element in elements), how == "!=")
        self.matches = both(self.matches, both(applicable, told))
        return True

    def _masked_mark(self) -> bool:
        self.next()
        mask, how = as_number(self.next()), self.peek()
        number = as_number(self.peek(1)) if how in ("==", "!=") else None
        if mask is None or number is None:
            return False
        del self.words[-2:]
        told = negated(self.changes.has_mark(number, mask), how != "==")
        self.matches = both(self.matches, told)
        return True

    def _elements(self, width: int) -> list[Element] | None:
        """The values to compare with, one or all of a set; a map's element has its verdict behind the values."""
        if self.peek().startswith("@"):
            named = self.sets.get(self.next()[1:])
            if named is None or "dynamic" in named.flags:
                return None
            return [tuple(_WORDS.findall(element)) for element in named.elements]
        if self.peek() == "{":
            inside: list[str] = []
            self.next()
            while (word := self.next()) not in ("}", "{", ""):
                inside.append(word)
            if word != "}":
                return None
            return [element for element in _split(inside, ",") if element]
        if self.peek() in _NO_VALUES:
            return None
        elements = [self._value(width)]
        while self.peek() == ",":
            self.next()
            elements.append(self._value(width))
        return elements if all("" not in element for element in elements) else None

    def _value(self, width: int) -> Element:
        taken = [self.next()]
        for _ in range(width - 1):
            taken += [self.next(), self.next()]
        return tuple(taken)

    def _is(self, fields: list[Field], element: Element) -> bool | None:
        parts = _split(element, ".")
        if element == ("*",):
            return True
        if len(parts) != len(fields) or any(len(part) != 1 for part in parts):
            return None
        told: bool | None = True
        for field, part in zip(fields, parts, strict=True):
            told = both(told, is_in(field, part[0], self.packet, self.changes))
        return told

    def _map(self, fields: list[Field], elements: list[Element], applicable: bool | None) -> None:
        """Decide by the element that the packet has as its key; with none the rule does not match."""
        possible: list[tuple[bool | None, Element]] = []
        for element in sorted(elements, key=lambda one: one[:1] == ("*",)):
            colon = element.index(":") if ":" in element else len(element)
            told = both(applicable, self._is(fields, element[:colon]))
            if told is not False:
                possible.append((told, element[colon + 1 :]))
            if told:
                break
        if not possible:
            self.matches = False
            return
        told, verdict = possible[0]
        self.matches = both(self.matches, told)
        if len(possible) > 1 or not verdict or verdict[0] not in _SIMPLE:
            self.matches = both(self.matches, None)
            self._decide(Does.ANYTHING, touched())
            return
        self.words = list(verdict[::-1]) if verdict[0] != "continue" else self.words
        if verdict[0] != "continue":
            self._verdict()

    def _give_up(self) -> None:
        """Judge a rule by its end where its beginning is not understood."""
        rest = self.words[::-1]
        self.matches = both(self.matches, None)
        if not {"xt", "tproxy", "synproxy", "vmap", "queue"}.isdisjoint(rest):
            self._decide(Does.ANYTHING, touched())
            return
        self.words = []
        after = self.changes
        for first, then in itertools.pairwise([*rest, ""]):
            if (first, then) == ("mark", "set"):
                after = after.marked_anyhow()
            elif then == "set" and first not in ("priority", "nftrace", "size"):
                after = msgspec.structs.replace(after, rewritten=True)
            elif first in _NATS or first == "notrack":
                after = msgspec.structs.replace(after, rewritten=True, tracked=None)
        self.changes = self.changes.joined(after)
        ends = [position for position, word in enumerate(rest) if word in _ENDS or word in _NATS]
        if not ends:
            return
        word = rest[ends[0]]
        if len(ends) > 1 or word not in _SIMPLE or "{" in rest[ends[0] :]:
            self._decide(Does.ANYTHING, touched())
        elif word != "continue":
            self._decide(_SIMPLE[word], self.changes, " ".join(rest[ends[0] + 1 : ends[0] + 2]).strip('"'))


def _split(words: list[str] | Element, at: str) -> list[Element]:
    parts: list[list[str]] = [[]]
    for word in words:
        if word == at:
            parts.append([])
        else:
            parts[-1].append(word)
    return [tuple(part) for part in parts]
