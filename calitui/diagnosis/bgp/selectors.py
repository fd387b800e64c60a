"""Calico's selector language, read and applied to labels: `has(rack) && role in {'edge', 'core'}`.

A selector that can't be read is an error, never a match: what it would select is not known. Knows no objects.
Source of the grammar: Calico `libcalico-go/lib/selector` (its tokenizer and parser).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

Labels = Mapping[str, str]
Selector = Callable[[Labels], bool]
"""Whether something with these labels is selected."""

LONGEST = 16 * 1024
"""Characters; Kubernetes' own limits keep a real one far below."""
DEEPEST = 64
"""Parentheses in parentheses."""

_TOKEN = re.compile(r"""[ \t]*(?:(\|\||&&|==|!=|[(){},!])|("[^"]*"|'[^']*')|([A-Za-z0-9_./-]{1,512})|$)""")
_END = ("end", "")
_COMPARING: dict[str, Callable[[str, str], bool]] = {
    "contains": lambda value, text: text in value,
    "starts with": str.startswith,
    "ends with": str.endswith,
}


def parse(text: str) -> Selector:
    """Read a selector; an empty one selects everything.

    Raises:
        ValueError: it is not in the language.
    """
    if len(text) > LONGEST:
        raise ValueError(f"longer than {LONGEST} characters")
    reader = _Reader(_tokens(text))
    if reader.next == _END:
        return lambda labels: True
    selector = reader.either(0)
    if reader.next != _END:
        raise ValueError(f"{reader.next[1]!r} is not expected there")
    return selector


def _tokens(text: str) -> list[tuple[str, str]]:
    """Pairs of a token's kind (`sign`, `text`, `word`, `end`) and what it says."""
    found, position = [], 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            raise ValueError(f"{text[position : position + 20].strip()!r} is not understood")
        position = token.end()
        sign, quoted, word = token.groups()
        if sign:
            found.append(("sign", sign))
        elif quoted:
            found.append(("text", quoted[1:-1]))
        elif word:
            found.append(("word", word))
        else:
            break
    return [*found, _END]


class _Reader:
    """Reads tokens from left to right; each method takes what it understands."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def next(self) -> tuple[str, str]:
        """The token that comes, which stays."""
        return self._tokens[self._at]

    def either(self, depth: int) -> Selector:
        """Terms with `||` between them."""
        terms = [self._both(depth)]
        while self._takes("||"):
            terms.append(self._both(depth))
        return terms[0] if len(terms) == 1 else lambda labels: any(term(labels) for term in terms)

    def _both(self, depth: int) -> Selector:
        terms = [self._one(depth)]
        while self._takes("&&"):
            terms.append(self._one(depth))
        return terms[0] if len(terms) == 1 else lambda labels: all(term(labels) for term in terms)

    def _one(self, depth: int) -> Selector:
        negated = False
        while self._takes("!"):
            negated = not negated
        selector = self._parenthesised(depth) if self._takes("(") else self._operation()
        return (lambda labels: not selector(labels)) if negated else selector

    def _parenthesised(self, depth: int) -> Selector:
        if depth >= DEEPEST:
            raise ValueError("too many parentheses")
        selector = self.either(depth + 1)
        self._must(")")
        return selector

    def _operation(self) -> Selector:
        name = self._take("word")
        if name in ("all", "has") and self._takes("("):
            label = self._take("word") if name == "has" else ""
            self._must(")")
            return lambda labels: not label or label in labels
        if self._takes("=="):
            value = self._take("text")
            return lambda labels: labels.get(name) == value
        if self._takes("!="):
            value = self._take("text")
            return lambda labels: labels.get(name) != value
        operator = self._operator()
        if operator == "in":
            values = self._set()
            return lambda labels: labels.get(name) in values
        if operator == "not in":
            values = self._set()
            return lambda labels: labels.get(name) not in values
        holds, value = _COMPARING[operator], self._take("text")
        return lambda labels: name in labels and holds(labels[name], value)

    def _operator(self) -> str:
        word = self._take("word")
        if word in ("starts", "ends", "not"):
            word = f"{word} {self._take('word')}"
        if word not in ("in", "not in", *_COMPARING):
            raise ValueError(f"{word!r} is no operator")
        return word

    def _set(self) -> frozenset[str]:
        self._must("{")
        values = []
        while self.next[0] == "text":
            values.append(self._take("text"))
            if not self._takes(","):
                break
        self._must("}")
        return frozenset(values)

    def _takes(self, sign: str) -> bool:
        if self.next != ("sign", sign):
            return False
        self._at += 1
        return True

    def _must(self, sign: str) -> None:
        if not self._takes(sign):
            raise ValueError(f"{sign!r} is missing before {self.next[1] or 'its end'!r}")

    def _take(self, kind: str) -> str:
        found, said = self.next
        if found != kind:
            raise ValueError(f"a {kind} is missing before {said or 'its end'!r}")
        self._at += 1
        return said
