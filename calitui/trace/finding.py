"""The shape of a finding: a cause with its evidence and a fix. What the causes are is not known here."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Severity(StrEnum):
    """How bad it is: packets are lost now, they may be, or it is worth knowing."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Spot(msgspec.Struct, frozen=True):
    """A hop of a trace: `direction` is `forward` or `return`, `number` the hop's."""

    direction: str
    number: int


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """A cause of trouble.

    `code` is stable, `subject` what it is about (a prefix, device, pod or peer): with `code` and `node` it makes a
    finding one of its own. `node` is the node to repair, None for something of the cluster. `summary` is one sentence
    in plain words. `evidence` are verbatim lines, each with where it was read in front (`k8s-calico2 ip route: ...`,
    `API IPPool default: ...`). `fix` is what to type or to set, a line each; calitui never does it. `affected` are
    other nodes that suffer. `hops` is where on a trace it shows, empty outside of one. `consequences` are summaries of
    findings that this one explains.
    """

    code: str
    severity: Severity
    node: str | None
    subject: str = ""
    summary: str
    evidence: tuple[str, ...] = ()
    fix: tuple[str, ...] = ()
    reference: str = ""
    affected: tuple[str, ...] = ()
    hops: tuple[Spot, ...] = ()
    consequences: tuple[str, ...] = ()


class Unchecked(msgspec.Struct, frozen=True, kw_only=True):
    """A cause that could not be looked for: `reason` says what was not read. `node` is None for the whole cluster."""

    code: str
    node: str | None
    reason: str
