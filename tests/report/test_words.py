"""What the verdict line says, and what it never says."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from calitui.diagnosis.catalogue import CATALOGUE
from calitui.diagnosis.entry import Entry
from calitui.facts.missing import Missing
from calitui.report import direction_line, verdict_line
from calitui.trace.finding import Finding, Severity, Spot
from calitui.trace.path import Disposition, Encapsulation, Evidence, Header, Policies, Trace, Verdict
from tests.report import paths
from tests.report.paths import BACK, BLACKHOLE, BROKEN, DELIVERED, FORWARD, UNKNOWN, UNREAD, with_directions

ROUTING = " · routing only (3 policies not evaluated)"
UNKNOWN_BACK = replace(UNREAD, name="return")


@pytest.mark.parametrize(
    ("trace", "line"),
    [
        (DELIVERED, "delivered both ways · IPIP · path MTU 1480 · 1 hop inferred" + ROUTING),
        (
            with_directions(DELIVERED, FORWARD, replace(BACK, path_mtu=None)),
            "delivered both ways · IPIP · path MTU 1480 forward, unknown return · 1 hop inferred" + ROUTING,
        ),
        (
            with_directions(DELIVERED, FORWARD, replace(BACK, encapsulation=Encapsulation.NONE, path_mtu=1500)),
            "delivered both ways · IPIP forward, no encapsulation return · path MTU 1480 forward, 1500 return"
            " · 1 hop inferred" + ROUTING,
        ),
        (
            with_directions(
                DELIVERED, FORWARD, replace(BACK, hops=(replace(paths.ROUTE, disagreement="they differ"),))
            ),
            "delivered both ways · IPIP · path MTU 1480 · 1 hop inferred · kernel and tables disagree at 1 hop"
            + ROUTING,
        ),
        (
            with_directions(
                DELIVERED, FORWARD, replace(BACK, hops=(replace(paths.TUNNEL, evidence=Evidence.NOT_READ),))
            ),
            "delivered both ways · IPIP · path MTU 1480 · 1 hop inferred · 1 hop not read" + ROUTING,
        ),
        (BROKEN, "broken: forward blackhole at hop 2 on k8s-calico2 · return delivered · 1 hop inferred" + ROUTING),
        (
            with_directions(BROKEN, FORWARD, replace(BLACKHOLE, name="return")),
            "broken: return blackhole at hop 2 on k8s-calico2 · forward delivered · 2 hops inferred" + ROUTING,
        ),
        (
            with_directions(BROKEN, BLACKHOLE, UNKNOWN_BACK),
            "broken: forward blackhole at hop 2 on k8s-calico2 · return unknown: k8s-calico3 not read"
            " · 2 hops inferred" + ROUTING,
        ),
        (UNKNOWN, "unknown: k8s-calico3 not read · return delivered · 1 hop inferred" + ROUTING),
        (
            replace(with_directions(UNKNOWN, UNREAD, UNKNOWN_BACK), unread=()),
            "unknown: k8s-calico3 not read · 2 hops inferred" + ROUTING,
        ),
        (
            replace(
                with_directions(UNKNOWN, replace(UNREAD, hops=()), replace(UNKNOWN_BACK, hops=())),
                unread=tuple(Missing("routes", "refused", f"node{number}") for number in range(5)),
            ),
            "unknown: node0, node1, node2 and 2 more not read" + ROUTING,
        ),
        (
            replace(
                with_directions(UNKNOWN, replace(UNREAD, hops=()), replace(UNKNOWN_BACK, hops=())),
                unread=(Missing("nodes", "forbidden"),),
            ),
            "unknown: nodes not read" + ROUTING,
        ),
        (
            with_directions(
                UNKNOWN,
                replace(
                    FORWARD, disposition=Disposition.UNKNOWN, hops=(replace(paths.ROUTE, ends=Disposition.UNKNOWN),)
                ),
                BACK,
            ),
            "unknown: forward not decided at hop 2 on k8s-calico2 · return delivered" + ROUTING,
        ),
        (
            with_directions(
                UNKNOWN,
                replace(
                    FORWARD,
                    disposition=Disposition.UNKNOWN,
                    hops=(paths.ROUTE, replace(paths.TUNNEL, evidence=Evidence.NOT_READ)),
                ),
                BACK,
            ),
            "unknown: hop 3 on k8s-calico2 not read · return delivered" + ROUTING,
        ),
        (
            replace(with_directions(UNKNOWN, replace(UNREAD, hops=()), BACK), unread=()),
            "unknown: forward not decided · return delivered" + ROUTING,
        ),
    ],
)
def test_verdict_line(trace: Trace, line: str) -> None:
    assert verdict_line(trace) == line


@pytest.mark.parametrize(
    ("policies", "end"),
    [
        (Policies(count=None), "routing only (policies not read)"),
        (Policies(count=0), "routing only (no policies found)"),
        (Policies(count=1), "routing only (1 policy not evaluated)"),
        (Policies(count=12), "routing only (12 policies not evaluated)"),
    ],
)
@pytest.mark.parametrize("trace", [DELIVERED, BROKEN, UNKNOWN])
def test_says_routing_only_until_policies_are_evaluated(trace: Trace, policies: Policies, end: str) -> None:
    assert verdict_line(replace(trace, policies=policies)).endswith(end)
    assert "routing only" not in verdict_line(replace(trace, policies=replace(policies, evaluated=True)))


def test_only_a_delivered_verdict_says_delivered_both_ways() -> None:
    for verdict in Verdict:
        said = verdict_line(replace(DELIVERED, verdict=verdict))
        assert ("delivered both ways" in said) is (verdict is Verdict.DELIVERED)


def test_direction_line() -> None:
    assert direction_line(FORWARD) == "forward: delivered · IPIP · path MTU 1480 · 1 hop inferred"
    assert direction_line(BLACKHOLE) == "forward: blackhole at hop 2 on k8s-calico2 · IPIP · 1 hop inferred"
    assert direction_line(replace(BACK, path_mtu=None)) == "return: delivered · IPIP · path MTU unknown"


def test_headers_are_nested_outermost_first() -> None:
    from calitui.report.words import headers_line

    assert headers_line((Header("ipip", "1", "2"), Header("any", "3", "4"))) == "ipip 1 > 2 [ any 3 > 4 ]"
    assert headers_line((Header("any", "3", "4"),)) == "any 3 > 4"


@pytest.mark.parametrize("seconds", [0.0, -1.0, 1e300, float("inf"), float("nan")])
def test_absurd_times_are_unknown(seconds: float) -> None:
    from calitui.report.words import moment

    assert moment(seconds) is None


def test_every_disposition_is_worded() -> None:
    for disposition in Disposition:
        assert disposition.value in direction_line(replace(FORWARD, disposition=disposition))


TITLED = Entry(
    code="pod-route-missing",
    severity=Severity.ERROR,
    title="the node has no route to the pod",
    background="",
    remedy="",
    reference="",
)


def error(code: str, *hops: Spot, node: str | None = "k8s-calico2", severity: Severity = Severity.ERROR) -> Finding:
    return Finding(code=code, severity=severity, node=node, summary="-", hops=hops)


END = Spot("forward", 2)
WARNINGS = tuple(error(f"w{number}", severity=Severity.WARNING) for number in range(2))


@pytest.mark.parametrize(
    ("trace", "findings", "start"),
    [
        (
            BROKEN,
            (error("pod-route-missing", END),),
            "broken: forward blackhole at hop 2 on k8s-calico2 · why: the node has no route to the pod"
            " (pod-route-missing) · return delivered · 1 hop inferred",
        ),
        (
            BROKEN,
            (error("elsewhere", Spot("forward", 1)), error("new-code", END), *WARNINGS[:1]),
            "broken: forward blackhole at hop 2 on k8s-calico2 · why: new-code · return delivered"
            " · 1 more error · 1 warning · 1 hop inferred",
        ),
        (
            BROKEN,
            (error("elsewhere", Spot("return", 1)), error("x"), error("y"), *WARNINGS),
            "broken: forward blackhole at hop 2 on k8s-calico2 · why: x · return delivered · 2 more errors"
            " · 2 warnings",
        ),
        (
            BROKEN,
            (error("elsewhere", Spot("return", 1)), error("other", node="k8s-calico3")),
            "broken: forward blackhole at hop 2 on k8s-calico2 · found: elsewhere · return delivered · 1 more error",
        ),
        (BROKEN, WARNINGS[:1], "broken: forward blackhole at hop 2 on k8s-calico2 · return delivered · 1 warning"),
        (
            DELIVERED,
            (error("pod-route-missing", END),),
            "delivered both ways · IPIP · path MTU 1480 · but: the node has no route to the pod (pod-route-missing)"
            " · 1 hop inferred",
        ),
        (DELIVERED, WARNINGS[:1], "delivered both ways · IPIP · path MTU 1480 · 1 warning · 1 hop inferred"),
        (UNKNOWN, (error("x", END),), "unknown: k8s-calico3 not read · return delivered · found: x · 1 hop inferred"),
    ],
)
def test_findings_in_the_verdict(
    trace: Trace, findings: tuple[Finding, ...], start: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CATALOGUE, TITLED.code, TITLED)
    assert verdict_line(replace(trace, findings=findings)).startswith(start)


def test_infos_are_no_part_of_the_verdict() -> None:
    info = error("x", severity=Severity.INFO)
    assert verdict_line(replace(BROKEN, findings=(info,))) == verdict_line(BROKEN)
