"""What is different between two traces of one pair, in short texts: what changed since the nodes were read last."""

from __future__ import annotations

from itertools import zip_longest

import msgspec

from calitui.facts.missing import Missing
from calitui.trace.path import Direction, Hop, Step, Trace


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One difference. `kind` is `verdict`, `hop` (another step, node or device), `route` (another line decides at the
    same hop), `mtu`, `finding` (a new one), `finding-gone`, or `reading` (something was read then and not now, or the
    other way round). `direction` and `number` name the hop of the newer trace it is about. `before`/`after` are short
    texts, "" where there is nothing.
    """

    kind: str
    direction: str | None = None
    number: int | None = None
    before: str = ""
    after: str = ""


def compare(before: Trace, after: Trace) -> tuple[Change, ...]:
    """The differences, the verdict's first; none for two readings that say the same, whatever their times."""
    found: list[Change] = []
    if before.verdict is not after.verdict:
        found.append(Change(kind="verdict", before=before.verdict.value, after=after.verdict.value))
    for one, other in zip(before.directions, after.directions, strict=False):
        found += _directions(one, other)
    found += _findings(before, after)
    unread = [{_said(one) for one in trace.unread} for trace in (before, after)]
    found += [Change(kind="reading", after=f"not read any more: {text}") for text in sorted(unread[1] - unread[0])]
    found += [Change(kind="reading", before=f"was not read: {text}") for text in sorted(unread[0] - unread[1])]
    return tuple(found)


def _directions(before: Direction, after: Direction) -> list[Change]:
    found: list[Change] = []
    if before.disposition is not after.disposition:
        found.append(
            Change(kind="verdict", direction=after.name, before=before.disposition.value, after=after.disposition.value)
        )
    for old, new in zip_longest(before.hops, after.hops):
        number = new.number if new is not None else None
        if old is None or new is None or _station(old) != _station(new):
            found.append(_changed("hop", after, number, _station(old), _station(new)))
        elif (old.route, old.ends) != (new.route, new.ends):
            found.append(_changed("route", after, number, old.route or "no route", new.route or "no route"))
        elif old.mtu != new.mtu:
            found.append(_changed("mtu", after, number, f"MTU {old.mtu}", f"MTU {new.mtu}"))
    return found


def _changed(kind: str, direction: Direction, number: int | None, before: str, after: str) -> Change:
    return Change(kind=kind, direction=direction.name, number=number, before=before, after=after)


def _station(hop: Hop | None) -> str:
    """What a hop is; the device of a routing decision is part of its route, which is compared by itself."""
    if hop is None:
        return ""
    device = None if hop.step is Step.ROUTE else hop.device
    return " ".join(word for word in (hop.step.value, hop.node, device) if word)


def _findings(before: Trace, after: Trace) -> list[Change]:
    old = {(one.code, one.node, one.subject): one for one in before.findings}
    new = {(one.code, one.node, one.subject): one for one in after.findings}
    gone = [Change(kind="finding-gone", before=one.summary) for key, one in old.items() if key not in new]
    come = [Change(kind="finding", after=one.summary) for key, one in new.items() if key not in old]
    return come + gone


def _said(missing: Missing) -> str:
    return f"{missing.node}: {missing.what}" if missing.node else missing.what
