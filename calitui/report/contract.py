"""The JSON of a trace, `"schema": "calitui.trace/1"`: what scripts read.

Every key is always there, `null` where nothing is known. Fields are added, never renamed or removed: a script written
against one version works with every later one. Separate from `calitui.trace.path` so that the engine may change its
structs without changing what scripts see.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal

import msgspec

from calitui.facts.text import clean
from calitui.report.findings import (
    FindingReport,
    UncheckedReport,
    finding_report,
    unchecked_report,
)
from calitui.report.proof import ObservedReport, ProofReport, observed_report, proof_report
from calitui.report.since import Since, SinceReport, since_report
from calitui.report.sizes import SizesReport, sizes_report
from calitui.report.words import moment
from calitui.trace.path import (
    Direction,
    Disposition,
    Encapsulation,
    Endpoint,
    Evidence,
    Hop,
    Step,
    Trace,
    Verdict,
)
from calitui.trace.sizes import path_mtu

SCHEMA: Final = "calitui.trace/1"


class EndpointReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the packet starts or ends. `kind` is `pod`, `host-network-pod`, `node` or `external`."""

    kind: str
    namespace: str | None
    name: str | None
    node: str | None
    ip: str | None


class HeaderReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One IP header of the packet.

    `detail` is what lies between it and the next, such as VXLAN's port and VNI; it is there only where there is any.
    """

    protocol: str
    src: str
    dst: str
    detail: str | msgspec.UnsetType = msgspec.UNSET


class NextHopReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One of several equal next hops; `chosen` is null where the kernel was not asked."""

    gateway: str | None
    device: str | None
    weight: int
    chosen: bool | None


class HopReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One step. `packet` is outermost first; `lines` are the evidence verbatim; `ends` is set where the path ends.

    `observed` is what a live proof saw here, null without one.
    """

    number: int
    step: Step
    node: str | None
    device: str | None
    route: str | None
    evidence: Evidence
    reason: str | None
    packet: tuple[HeaderReport, ...]
    mtu: int | None
    explanation: str | None
    check: str | None
    lines: tuple[str, ...]
    disagreement: str | None
    next_hops: tuple[NextHopReport, ...]
    ends: Disposition | None
    observed: ObservedReport | None


class DirectionReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The path one way; `path_mtu` in bytes of the inner packet."""

    name: str
    disposition: Disposition
    encapsulation: Encapsulation
    path_mtu: int | None
    underlay: str | None
    hops: tuple[HopReport, ...]
    sizes: SizesReport


class PoliciesReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `delivered` does not speak of while `evaluated` is false. `count` is null where it could not be read."""

    evaluated: bool
    count: int | None
    sentence: str


class UnreadReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that was asked for and not read; `node` is null for something of the cluster."""

    node: str | None
    what: str
    reason: str


class ReadingReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How one node was read: `via` ssh, exec, local or files, from `target`, and `why` that address or way."""

    node: str
    via: str
    target: str | None
    why: str | None


class TraceReport(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole report. `taken_at` is RFC 3339 in UTC, null where the facts carry no time.

    `family` is 4 or 6; `other_family` is the same pair over the other one, null where the ends don't have both.
    `since` is null unless an earlier reading was given to compare with, `proof` unless packets were sent.
    """

    schema: Literal["calitui.trace/1"]
    taken_at: datetime | None
    verdict: Verdict
    source: EndpointReport
    destination: EndpointReport
    directions: tuple[DirectionReport, ...]
    policies: PoliciesReport
    findings: tuple[FindingReport, ...]
    unread: tuple[UnreadReport, ...]
    family: int
    notes: tuple[str, ...]
    readings: tuple[ReadingReport, ...]
    other_family: TraceReport | None
    unchecked: tuple[UncheckedReport, ...]
    since: SinceReport | None
    proof: ProofReport | None


def as_json(trace: Trace, since: Since | None = None) -> bytes:
    """The trace as UTF-8 JSON, indented, ending in a newline."""
    return msgspec.json.format(msgspec.json.encode(report(trace, since)), indent=2) + b"\n"


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) that `as_json` keeps to."""
    return msgspec.json.schema(TraceReport)


def report(trace: Trace, since: Since | None = None) -> TraceReport:
    """The trace in the shape that scripts read, every text printable."""
    return TraceReport(
        schema=SCHEMA,
        taken_at=moment(trace.taken_at),
        verdict=trace.verdict,
        source=_endpoint(trace.source),
        destination=_endpoint(trace.destination),
        directions=tuple(_direction(direction) for direction in trace.directions),
        policies=PoliciesReport(trace.policies.evaluated, trace.policies.count, clean(trace.policies.sentence)),
        findings=tuple(finding_report(finding) for finding in trace.findings),
        unread=tuple(
            UnreadReport(_text(missing.node), clean(missing.what), clean(missing.reason)) for missing in trace.unread
        ),
        family=trace.family,
        notes=tuple(clean(note) for note in trace.notes),
        readings=tuple(
            ReadingReport(clean(one.node), clean(one.via), _text(one.target), _text(one.why)) for one in trace.readings
        ),
        other_family=report(trace.other_family) if trace.other_family is not None else None,
        unchecked=tuple(unchecked_report(one) for one in trace.unchecked),
        since=since_report(since, trace) if since is not None else None,
        proof=proof_report(trace, trace.proof) if trace.proof is not None else None,
    )


def _text(text: str | None) -> str | None:
    return clean(text) if text else None


def _endpoint(end: Endpoint) -> EndpointReport:
    return EndpointReport(clean(end.kind), _text(end.namespace), _text(end.name), _text(end.node), _text(end.ip))


def _direction(direction: Direction) -> DirectionReport:
    return DirectionReport(
        name=clean(direction.name),
        disposition=direction.disposition,
        encapsulation=direction.encapsulation,
        path_mtu=direction.path_mtu,
        underlay=_text(direction.underlay),
        hops=tuple(_hop(hop) for hop in direction.hops),
        sizes=sizes_report(path_mtu(direction)),
    )


def _hop(hop: Hop) -> HopReport:
    return HopReport(
        number=hop.number,
        step=hop.step,
        node=_text(hop.node),
        device=_text(hop.device),
        route=_text(hop.route),
        evidence=hop.evidence,
        reason=_text(hop.reason),
        packet=tuple(
            HeaderReport(clean(head.protocol), clean(head.src), clean(head.dst), _text(head.detail) or msgspec.UNSET)
            for head in hop.packet
        ),
        mtu=hop.mtu,
        explanation=_text(hop.explanation),
        check=_text(hop.check),
        lines=tuple(clean(line) for line in hop.lines),
        disagreement=_text(hop.disagreement),
        next_hops=tuple(
            NextHopReport(_text(choice.gateway), _text(choice.device), choice.weight, choice.chosen)
            for choice in hop.next_hops
        ),
        ends=hop.ends,
        observed=observed_report(hop.observed) if hop.observed is not None else None,
    )
