"""The captures of a live proof while they run: started together, waited for, judged when they are stopped.

A capture is evidence of what it did not see only if it listened before the first packet was sent and after the last
answer was due, and lost nothing: `Watching` keeps the reason where that is not so.
"""

from __future__ import annotations

import re
import shlex
import threading
from collections.abc import Callable

import msgspec

from calitui.errors import Cancelled, NodeError
from calitui.facts.cluster import Node
from calitui.facts.node import NetworkNamespace
from calitui.facts.proof import Watch
from calitui.facts.text import clean
from calitui.nodes.deadline import Deadline
from calitui.nodes.outcome import Outcome
from calitui.nodes.proving.held import Held, Prover
from calitui.nodes.proving.script import HERE, Tools, Where, parse_watch, refusal, watch
from calitui.proof.capture import Place
from calitui.proof.plan import PlannedWatch, watch_command

TO_LISTEN = 10.0
"""Seconds that a capture may take until it listens."""

MOST_DEVICES = 6
"""Captures in one namespace where tcpdump can't watch all devices at once: sshd lets ten commands run (MaxSessions)."""

_CHATTER = ("listening on", "data link type", "verbose output")
_LISTENING = "listening on"
_DROPPED = re.compile(r"^(\d+) packets? dropped by (?:kernel|interface)", re.MULTILINE)
_CAPTURED = re.compile(r"^(\d+) packets? captured", re.MULTILINE)
_TIME_IS_UP = 124


class Site(msgspec.Struct, frozen=True):
    """Where one planned watch runs, and with what. `devices` are those that matter on it, by what was computed."""

    node: Node
    planned: PlannedWatch
    prover: Prover
    tools: Tools
    devices: tuple[str, ...] = ()
    namespace: NetworkNamespace | None = None


class Watching:
    """One planned watch: a capture of all devices, or one of each where tcpdump is too old for that."""

    def __init__(self, site: Site) -> None:
        """Nothing runs yet."""
        self._site = site
        self._held: dict[str, Held] = {}
        self._stopped: dict[str, Outcome] = {}
        self._how = "tcpdump"
        self._reason = ""

    @property
    def reason(self) -> str:
        """Why what it did not see is no evidence, "" so far."""
        return self._reason

    def start(self, progress: Callable[[str], None], stop: threading.Event) -> None:
        """Start it and wait until it listens; a failure is its `reason`.

        Raises:
            Cancelled: the user stopped.
        """
        site = self._site
        if site.tools.refused or "tcpdump" not in site.tools.programs:
            self._how, self._reason = "counters", site.tools.refused or f"there is no tcpdump on {site.node.name}"
            return
        devices = ("any",) if site.tools.devices or not site.tools.root else site.devices[:MOST_DEVICES]
        if not devices:
            self._reason = "tcpdump is too old to watch all devices at once, and which matter is not known"
        deadline = Deadline(TO_LISTEN, stop)
        try:
            for device in devices:
                self._held[device] = site.prover.hold(site.node, self._words(device), progress, stop)
            for device, held in self._held.items():
                if not held.wait(lambda one: _LISTENING in one.errors, deadline):
                    self._fail(_why_not(held, f"it did not listen within {TO_LISTEN:.0f} s"), device)
        except Cancelled:
            raise
        except NodeError as error:
            self._fail(str(error), "")

    def check(self) -> None:
        """Note which captures have ended by now, though nobody stopped them."""
        for device, held in self._held.items():
            if held.ended and not self._reason:
                self._fail(self._ended(held.stop()), device)

    def stop(self) -> Watch:
        """End it and say what it was. Never raises; safe to call twice."""
        for device, held in self._held.items():
            outcome = self._stopped[device] = held.stop()
            found = _DROPPED.search(outcome.errors)
            if outcome.truncated:
                self._fail("it saw more than is taken", device)
            elif found is not None and int(found[1][:9]):
                self._fail(f"the kernel dropped {int(found[1][:9])} packets before tcpdump saw them", device)
            elif outcome.cut:
                self._fail(outcome.cut, device)
        planned = self._site.planned
        words = watch_command(planned)
        return Watch(
            node=planned.node,
            how=self._how,
            container=planned.container,
            complete=not self._reason,
            reason=self._reason,
            command=shlex.join(["nsenter", f"--net={planned.namespace}", *words] if planned.namespace else words),
        )

    def captures(self) -> list[tuple[Place, bytes]]:
        """What was captured, after `stop`."""
        planned, found = self._site.planned, []
        links = self._site.namespace.links if self._site.namespace is not None else ()
        for device, outcome in self._stopped.items():
            seen = parse_watch(outcome.output)
            one = None if device == "any" else device
            mac = next((link.mac for link in links if link.name == one), None)
            place = Place(node=planned.node, container=planned.container, devices=seen.links, device=one, mac=mac)
            found.append((place, seen.pcap))
        return found

    def _words(self, device: str) -> list[str]:
        planned = self._site.planned
        where = Where(planned.namespace or HERE, planned.container or "")
        limits = {"seconds": planned.seconds, "count": planned.count, "snaplen": planned.length}
        try:
            return watch(where, planned.filter, device=device, **limits)
        except ValueError as error:
            raise NodeError(f"This can't be watched on {planned.node}: {clean(str(error))}") from None

    def _fail(self, why: str, device: str) -> None:
        if not self._reason:
            self._reason = why if device in ("", "any") else f"{device}: {why}"

    def _ended(self, outcome: Outcome) -> str:
        planned = self._site.planned
        if outcome.cut:
            return outcome.cut
        if outcome.status is None:
            return "it was killed, or the connection broke"
        captured = _CAPTURED.search(outcome.errors)
        if outcome.status == 0 and (captured is None or int(captured[1][:9]) >= planned.count):
            return f"it ended early: more than {planned.count} packets matched"
        if outcome.status == _TIME_IS_UP:
            return f"it ended early, after {planned.seconds} s"
        return _complaint(outcome) or "tcpdump ended early"


def _why_not(held: Held, late: str) -> str:
    """Why a capture does not listen."""
    refused = refusal(held.output)
    if refused:
        return f"{refused} ({held.note})" if held.note else refused
    return (_complaint(held.stop()) or "tcpdump ended at once") if held.ended else late


def _complaint(outcome: Outcome) -> str:
    """What tcpdump says is wrong, which it may repeat in parentheses in its last line."""
    lines = (line.strip() for line in outcome.errors.splitlines())
    told = (line for line in lines if line.startswith("tcpdump: ") and not any(word in line for word in _CHATTER))
    return clean(next(told, outcome.complaint))[:300]
