"""The objects of one kind that a follower reports: what is there now, and whether that can be trusted.

Pure bookkeeping: it takes the follower's events in their order and knows neither threads nor requests.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

import msgspec

from calitui.cluster.following import Alive, Changed, Cut, Event, Listed

R = TypeVar("R", bound=msgspec.Struct)
F = TypeVar("F", bound=msgspec.Struct)


class Table(Generic[R, F]):
    """Facts made by `fact` from the API's objects, by the key that `key` gives; an empty key means no usable object."""

    def __init__(self, fact: Callable[[R], F], key: Callable[[F], tuple[str, ...]]) -> None:
        self.complete = False
        """Whether a list was ever read to its end."""
        self.followed = False
        """Whether a watch is open."""
        self.cut: Cut | None = None
        """Why not, if it was."""
        self._fact = fact
        self._key = key
        self._held: dict[tuple[str, ...], F] = {}
        self._incoming = self._held
        self._sorted = True

    def take(self, event: Event[R]) -> bool:
        """Apply an event; whether anything changed."""
        if isinstance(event, Listed):
            self._list(event)
            return True
        if isinstance(event, Changed):
            return self._change(event)
        if isinstance(event, Alive):
            changed = not self.followed or self.cut is not None
            self.followed, self.cut = True, None
            return changed
        self.followed, self.cut = False, event
        return True

    def _list(self, event: Listed[R]) -> None:
        # A list that is read again replaces the old one only when it is whole; until then the old one is shown.
        if event.first:
            self._incoming = {} if self._held else self._held
        for raw in event.items:
            fact = self._fact(raw)
            key = self._key(fact)
            if key:
                self._incoming[key] = fact
        if event.last:
            self._held = self._incoming
            self.complete = True
            # The server lists in the order of its keys, in which `a-b/x` comes before `a/x`.
            self._sorted = False

    def _change(self, event: Changed[R]) -> bool:
        fact = self._fact(event.item)
        key = self._key(fact)
        if not key:
            return False
        if event.gone:
            return self._held.pop(key, None) is not None
        before = self._held.get(key)
        self._held[key] = fact
        self._sorted = self._sorted and before is not None
        return before != fact

    def facts(self) -> tuple[F, ...]:
        """All facts, in the order of their keys once the list is complete."""
        if not self._sorted:
            self._held = self._incoming = dict(sorted(self._held.items()))
            self._sorted = True
        return tuple(self._held.values())
