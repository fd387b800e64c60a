r"""The filter's grammar: what a person types after `/`, as a test of one pod.

    hua            text anywhere in namespace/pod, IP, node, status; several words must all match
    ^hhh-.*kq      a word with any of \ ^ $ * + ? { } [ ] | ( ) is a regex; ^ and $ stand for the ends of each field
    !Running       a word after ! must not match
    -f hhkq        fuzzy: the letters in this order in namespace/pod
    -l app=web     label selector of kubectl: k=v k==v k!=v k !k k in (a,b) k notin (a,b), joined by commas

Words may stand before `-l` and `-f`. Everything but labels ignores case. This module must not know the screen or the
threads it runs in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from calitui.facts.cluster import Pod

GRAMMAR = (
    ("hua 97.1", "words that must all be in namespace/pod, IP, node or status"),
    ("^hhh-.*kq", "a word with regex characters is a regex; ^ $ end a field"),
    ("!running", "must not match"),
    ("-l app=web", "labels: k=v k!=v k !k k in (a,b) k notin (a,b)"),
    ("-f hhkq", "fuzzy: these letters in this order in namespace/pod"),
)
"""The same for a person: an example and its meaning."""

Test = Callable[[Pod, str], bool]
"""Whether a pod, with its haystack, is wanted."""

_REGEX_CHARACTERS = frozenset("\\^$*+?{}[]|()")
_REQUIREMENT = re.compile(
    r"""\s*(?:
        (?P<absent>!)\s*(?P<absent_key>[^\s,=!()]+)
      | (?P<key>[^\s,=!()]+)\s*(?:
            (?P<operator>==|=|!=)\s*(?P<value>[^\s,=!()]*)
          | (?P<set>in|notin)\s*\((?P<values>[^()]*)\)
        )?
    )\s*(?:,|$)""",
    re.VERBOSE,
)


class FilterError(ValueError):
    """The filter can't be understood (yet); the text says why, for the filter's own line."""


class Filter:
    """A parsed filter. `needle` is set when it is one plain word, which needs no call per pod."""

    def __init__(self, tests: tuple[Test, ...], needle: str | None = None) -> None:
        """All of `tests` must hold."""
        self.tests = tests
        self.needle = needle

    def select(self, pods: list[Pod], haystacks: list[str]) -> list[Pod]:
        """Those of `pods` that are wanted, in their order; `haystacks` are theirs, one each."""
        if self.needle is not None:
            needle = self.needle
            return [pod for pod, text in zip(pods, haystacks, strict=True) if needle in text]
        if len(self.tests) == 1:
            test = self.tests[0]
            return [pod for pod, text in zip(pods, haystacks, strict=True) if test(pod, text)]
        tests = self.tests
        return [pod for pod, text in zip(pods, haystacks, strict=True) if all(test(pod, text) for test in tests)]


EVERYTHING = Filter(())


def haystack(pod: Pod) -> str:
    """The lowercase text that words are looked up in: one field a line, `namespace/pod` first."""
    fields = (f"{pod.namespace}/{pod.name}", pod.name, *pod.ips, pod.node, pod.status or pod.phase)
    return "\n".join(fields).lower()


def parse(text: str) -> Filter:
    """Understand what was typed.

    Raises:
        FilterError: an unfinished or dangerous regex, an unreadable selector.
    """
    words, option, rest = _split_option(text.strip())
    tests: list[Test] = []
    needle: str | None = None
    for word in words.split():
        inverse = word.startswith("!")
        term = word[1:] if inverse else word
        if not term:
            continue
        test, plain = _word(term.lower()) if _is_plain(term) else (_regex(term), None)
        if inverse:
            tests.append(_inverted(test))
        else:
            tests.append(test)
            needle = plain
    if option == "-l" and rest:
        tests.extend(selector(rest))
    elif option == "-f" and rest:
        tests.append(_fuzzy(rest))
    return Filter(tuple(tests), needle if len(tests) == 1 else None)


def _split_option(text: str) -> tuple[str, str, str]:
    match = re.search(r"(?:^|\s)(-[lf])(?:\s+|$)", text)
    if match is None:
        match = re.match(r"(-[lf])(?=\S)", text)
    return (text, "", "") if match is None else (text[: match.start()], match[1], text[match.end() :].strip())


def _is_plain(term: str) -> bool:
    return _REGEX_CHARACTERS.isdisjoint(term)


def _word(needle: str) -> tuple[Test, str]:
    return (lambda _pod, text: needle in text), needle


def _inverted(test: Test) -> Test:
    return lambda pod, text: not test(pod, text)


def _regex(term: str) -> Test:
    if _explodes(term):
        raise FilterError("a repeat inside a repeat could run for hours: write it without the inner one")
    try:
        search = re.compile(term, re.IGNORECASE | re.MULTILINE | re.DOTALL).search
    except (re.error, OverflowError, RecursionError) as error:
        raise FilterError(f"not a regex: {getattr(error, 'msg', error)}") from None
    return lambda _pod, text: search(text) is not None


def _explodes(term: str) -> bool:
    """Whether a group that holds a repeat or a choice is itself repeated, which backtracking may never finish."""
    risky: list[bool] = [False]
    bare = re.sub(r"\\.|\[\^?\]?[^\]]*\]", "x", term)
    for position, letter in enumerate(bare):
        following = bare[position + 1 : position + 2]
        if letter == "(":
            risky.append(False)
        elif letter in "*+{|":
            risky[-1] = True
        elif letter == ")" and len(risky) > 1:
            inner = risky.pop()
            if inner and following in ("*", "+", "{"):
                return True
            risky[-1] = risky[-1] or inner or following in ("*", "+", "{")
    return False


def _fuzzy(letters: str) -> Test:
    parts = []
    for letter in letters.lower():
        if not letter.isspace():
            escaped = re.escape(letter)
            parts.append(f"[^\\n{escaped}]*{escaped}")
    match = re.compile("".join(parts)).match
    return lambda _pod, text: match(text) is not None


def selector(text: str) -> Iterable[Test]:
    """The tests of a label selector, one a requirement.

    Raises:
        FilterError: it is not one.
    """
    tests: list[Test] = []
    position = 0
    while position < len(text):
        match = _REQUIREMENT.match(text, position)
        if match is None or match.end() == position:
            raise FilterError(f"not a label selector at {text[position:].strip()[:20]!r}: k=v, k!=v, k, !k, k in (a,b)")
        tests.append(_requirement(match))
        position = match.end()
    return tests


def _requirement(match: re.Match[str]) -> Test:
    if match["absent"]:
        absent = match["absent_key"]
        return lambda pod, _text: absent not in pod.labels
    key = match["key"]
    if match["operator"]:
        value = match["value"]
        if match["operator"] == "!=":
            return lambda pod, _text: pod.labels.get(key) != value
        return lambda pod, _text: pod.labels.get(key) == value
    if match["set"]:
        values = frozenset(item.strip() for item in match["values"].split(","))
        if match["set"] == "in":
            return lambda pod, _text: pod.labels.get(key) in values
        return lambda pod, _text: pod.labels.get(key) not in values
    return lambda pod, _text: key in pod.labels
