"""Kubernetes objects out of YAML or JSON text that somebody saved: `kubectl get ... -o yaml`, calicoctl's, a manifest.

YAML is taken event by event because PyYAML's C loader crashes the process on deep nesting and takes ten times as long.
Anchors, aliases, merge keys and tags are not Kubernetes' and are refused or taken as text, so a small file stays small.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec
import yaml

DEEPEST = 100
"""Levels of nesting; Kubernetes' own objects have 20."""

_WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]{0,18})")
_FRACTION = re.compile(r"[-+]?[0-9]{1,18}\.[0-9]{1,18}([eE][-+]?[0-9]{1,3})?")
_WORDS = {"": None, "~": None, "null": None, "true": True, "false": False}
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(9), 11, 12, *range(14, 32), 127, *range(128, 160))}
_LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_STARTS = frozenset({yaml.MappingStartEvent, yaml.SequenceStartEvent})
_ENDS = frozenset({yaml.MappingEndEvent, yaml.SequenceEndEvent})
_UNREAD = frozenset({"managedFields", "containers", "volumes", "tolerations", "affinity", "images", "imagePullSecrets"})
"""Parts of pods and nodes that no decoder looks at and that are most of their text."""

Object = dict[str, Any]


def objects(text: str) -> Iterator[Object]:
    """Yield each object, those of a List (or of any `...List`) one by one as they are read.

    Raises:
        ValueError: it is not YAML (JSON), or holds what no object of Kubernetes has. What was yielded before is good.
    """
    if text.lstrip()[:1] == "{":
        yield from _from_json(text)
        return
    try:
        yield from _Builder().built(text.translate(_CONTROLS))
    except yaml.MarkedYAMLError as error:
        line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ValueError(f"not YAML{line}: {error.problem or error}") from None
    except (yaml.YAMLError, UnicodeError) as error:
        raise ValueError(f"not YAML: {' '.join(str(error).split())}") from None


def _from_json(text: str) -> Iterator[Object]:
    try:
        found = msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from None
    items = found.get("items") if isinstance(found, dict) else None
    for one in items if isinstance(items, list) else [found]:
        if isinstance(one, dict):
            yield one


class _Builder:
    """Objects from the events of YAML, with the containers that are open on a stack."""

    def __init__(self) -> None:
        self._stack: list[dict[str, Any] | list[Any]] = []
        self._keys: list[str | None] = []
        self._streaming = False

    def built(self, text: str) -> Iterator[Object]:
        stack, keys = self._stack, self._keys
        skipped = 0
        value: Any
        for event in yaml.parse(text, Loader=_LOADER):
            kind = type(event)
            if skipped:
                # Inside of what nobody reads only its end matters.
                if kind in _STARTS:
                    skipped += 1
                elif kind in _ENDS:
                    skipped -= 1
                if skipped:
                    continue
                value = None
            elif kind is yaml.ScalarEvent:
                value = _scalar(event)
            elif kind in _STARTS:
                self._check(event)
                if keys and keys[-1] in _UNREAD:
                    skipped = 1
                    continue
                # Below a document's mapping, `items` holds the objects of a List.
                if len(stack) == 1 and keys[0] == "items" and kind is yaml.SequenceStartEvent:
                    self._streaming = True
                stack.append({} if kind is yaml.MappingStartEvent else [])
                keys.append(None)
                continue
            elif kind in _ENDS:
                keys.pop()
                value = stack.pop()
                if self._is_object(value):
                    yield value
                    continue
            elif kind is yaml.AliasEvent:
                raise ValueError(f"{_line(event)} has an alias, which nothing of Kubernetes has")
            else:
                continue
            self._add(value)

    def _check(self, event: Any) -> None:
        if event.anchor:
            raise ValueError(f"{_line(event)} has an anchor, which nothing of Kubernetes has")
        if len(self._stack) >= DEEPEST:
            raise ValueError(f"{_line(event)} is nested deeper than {DEEPEST} levels")

    def _is_object(self, value: Any) -> bool:
        """Whether what just ended is an object: a document, or an item of a List that is one."""
        if not self._stack:
            whole = isinstance(value, dict) and not self._streaming
            self._streaming = False
            return whole
        return len(self._stack) == 2 and self._streaming and self._keys[0] == "items" and isinstance(value, dict)

    def _add(self, value: Any) -> None:
        if not self._stack:
            return
        top = self._stack[-1]
        if isinstance(top, list):
            top.append(value)
            return
        key = self._keys[-1]
        if key is None:
            self._keys[-1] = value if isinstance(value, str) else str(value)
        else:
            top[key] = value
            self._keys[-1] = None


def _scalar(event: Any) -> Any:
    value: str = event.value
    if event.style or event.tag:
        return value
    if value in _WORDS:
        return _WORDS[value]
    if _WHOLE.fullmatch(value):
        return int(value)
    return float(value) if _FRACTION.fullmatch(value) else value


def _line(event: yaml.Event) -> str:
    return f"line {event.start_mark.line + 1}" if event.start_mark else "a line"
