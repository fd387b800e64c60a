"""A direction under construction: the hops so far, the packet as it is now, and how it ended if it has."""

from __future__ import annotations

import msgspec

from calitui.trace.decision import Decision
from calitui.trace.fabric import Fabric
from calitui.trace.path import (
    Direction,
    Disposition,
    Encapsulation,
    Endpoint,
    Evidence,
    Header,
    Hop,
    NextHopChoice,
    Step,
)


class Course:
    """Collects hops in order. `packet` is the user's header, `outer` the headers around it, outermost first."""

    def __init__(self, fabric: Fabric, name: str, source: Endpoint, destination: Endpoint, packet: Header) -> None:
        """`packet` is the header as the source makes it."""
        self.fabric = fabric
        self.name = name
        self.source = source
        self.destination = destination
        self.packet = packet
        self.outer: tuple[Header, ...] = ()
        self.encapsulation = Encapsulation.NONE
        self.overhead = 0
        """Bytes that the outer headers take of a NIC's MTU."""
        self.underlay: str | None = None
        self.leads_to: str | None = None
        self.ended: Disposition | None = None
        self.blind_at: int | None = None
        """The first hop at which a decision could not be read: nothing after it can make the direction delivered."""
        self._hops: list[Hop] = []
        self._limits: list[int | None] = []

    def add(
        self,
        step: Step,
        node: str,
        *,
        evidence: Evidence,
        explanation: str,
        device: str | None = None,
        route: str | None = None,
        reason: str | None = None,
        mtu: int | None = None,
        check: str | None = None,
        lines: tuple[str, ...] = (),
        disagreement: str | None = None,
        next_hops: tuple[NextHopChoice, ...] = (),
        ends: Disposition | None = None,
    ) -> None:
        """Append a hop; the packet is as it is at this moment."""
        self._hops.append(
            Hop(
                number=len(self._hops) + 1,
                step=step,
                node=node,
                device=device,
                route=route,
                evidence=evidence,
                reason=reason,
                packet=(*self.outer, self.packet),
                mtu=mtu,
                explanation=explanation,
                check=check,
                lines=tuple(line for line in lines if line),
                disagreement=disagreement,
                next_hops=next_hops,
                ends=ends,
            )
        )
        if ends is not None:
            self.ended = ends

    def add_decision(
        self,
        step: Step,
        node: str,
        decision: Decision,
        explanation: str,
        *,
        ends: Disposition | None = None,
        reason: str | None = None,
    ) -> None:
        """Append a hop that is a routing decision, with all its evidence."""
        if decision.mtu is not None:
            self.limit(decision.mtu)
        self.rest_on(decision)
        self.add(
            step,
            node,
            device=decision.device,
            route=decision.route,
            evidence=decision.evidence,
            reason=reason or decision.reason,
            mtu=decision.mtu,
            explanation=explanation,
            check=decision.check,
            lines=decision.lines,
            disagreement=decision.disagreement,
            next_hops=decision.choices if len(decision.choices) > 1 else (),
            ends=ends,
        )

    def lose_sight(self, *, already: bool = False) -> None:
        """Note that the hop to come, or `already` the last one, is not known: the direction can't be delivered."""
        if self.blind_at is None:
            self.blind_at = len(self._hops) + (0 if already else 1)

    def rest_on(self, decision: Decision) -> None:
        """Let the direction depend on a routing decision: one that was not read whole leaves it unknown."""
        if decision.evidence in (Evidence.INFERRED, Evidence.NOT_READ):
            self.lose_sight()

    def limit(self, mtu: int | None) -> None:
        """Let a device's or route's `mtu` limit the path; None makes the path's unknown."""
        self._limits.append(None if mtu is None else mtu - self.overhead)

    def has_visited(self, node: str) -> bool:
        """Whether an earlier hop is on that node."""
        return any(hop.node == node for hop in self._hops)

    def wrap(self, header: Header, encapsulation: Encapsulation, overhead: int) -> None:
        """Put an outer header on; it takes `overhead` bytes."""
        self.outer = (header, *self.outer)
        self.encapsulation = encapsulation
        self.overhead += overhead

    def unwrap(self) -> None:
        """Take all outer headers off."""
        self.outer = ()
        self.overhead = 0

    def rewrite(self, *, src: str | None = None, dst: str | None = None) -> None:
        """Change an address of the user's header, as NAT does."""
        self.packet = msgspec.structs.replace(self.packet, src=src or self.packet.src, dst=dst or self.packet.dst)

    def finish(self) -> Direction:
        """The direction as it stands. Not ended and not delivered means unknown."""
        disposition = self.ended or Disposition.UNKNOWN
        if disposition is Disposition.DELIVERED and self.blind_at is not None:
            disposition = Disposition.UNKNOWN
        known = [limit for limit in self._limits if limit is not None]
        complete = disposition is Disposition.DELIVERED and len(known) == len(self._limits)
        return Direction(
            name=self.name,
            disposition=disposition,
            encapsulation=self.encapsulation,
            path_mtu=min(known) if known and complete else None,
            underlay=self.underlay,
            blind_at=self.blind_at,
            leads_to=self.leads_to,
            hops=tuple(self._hops),
        )
