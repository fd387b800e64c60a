"""One entry of the catalogue: what a code means, how bad it is, and what else it explains."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from calitui.trace.finding import Finding, Severity, Unchecked
from calitui.trace.path import Step


class Cut(StrEnum):
    """Which pairs of nodes a fault of one node cuts off from each other."""

    ALL = "all"
    """The node and every other, both ways."""
    TUNNELLED = "tunnelled"
    """The node and every other that it talks to through a tunnel."""
    OF_ADDRESS = "of address"
    """The node and every other if the finding's subject is the device with the node's address, else those affected."""
    OUT = "out"
    """From the node to those that the finding affects."""
    IN = "in"
    """From those that the finding affects to the node."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of fault.

    `code` is stable and kebab-case; `title` a few words; `background` the paragraph of `calitui explain`; `remedy` what
    mends it in general, one sentence. `reference` is where the fact is from: a Calico file, issue or page. `steps` are
    the hops of a path where it shows. `explains` are codes of findings that follow from this one: on a node in question
    they are not told beside it but under it. `cuts` says which pairs of nodes can't talk with an error of this kind,
    None where routes alone tell; `loses` that every packet that comes to the hop where an error of this kind shows is
    lost there.
    """

    code: str
    severity: Severity
    title: str
    background: str
    remedy: str
    reference: str
    steps: tuple[Step, ...] = ()
    explains: frozenset[str] = frozenset()
    cuts: Cut | None = None
    loses: bool = False

    def found(
        self,
        node: str | None,
        summary: str,
        *,
        evidence: Iterable[str],
        fix: Iterable[str],
        subject: str = "",
        affected: Iterable[str] = (),
        severity: Severity | None = None,
    ) -> Finding:
        """A finding of this kind; `severity` where this case is better or worse than usual."""
        return Finding(
            code=self.code,
            severity=severity or self.severity,
            node=node,
            subject=subject,
            summary=summary,
            evidence=tuple(line for line in evidence if line),
            fix=tuple(fix),
            reference=self.reference,
            affected=tuple(dict.fromkeys(affected)),
        )

    def unchecked(self, node: str | None, reason: str) -> Unchecked:
        """That this kind could not be looked for."""
        return Unchecked(code=self.code, node=node, reason=reason)
