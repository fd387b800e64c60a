"""One cause, one finding: what is told under what, in which order, and where on a path."""

from __future__ import annotations

from itertools import permutations

import msgspec

from calitui.diagnosis.catalogue import CATALOGUE, CHECKS, FAMILIES
from calitui.diagnosis.entry import Entry
from calitui.diagnosis.grouping import group, key
from calitui.diagnosis.placing import placed
from calitui.trace.finding import Finding, Severity, Spot
from calitui.trace.path import Step
from tests.trace import seed


def entry(code: str, *explains: str, severity: Severity = Severity.ERROR, steps: tuple[Step, ...] = ()) -> Entry:
    return Entry(
        code=code,
        severity=severity,
        title=code,
        background="why",
        remedy="do",
        reference="R",
        steps=steps,
        explains=frozenset(explains),
    )


ENTRIES = {
    one.code: one
    for one in (
        entry("root", "branch", severity=Severity.WARNING),
        entry("branch", "leaf"),
        entry("leaf"),
        entry("other"),
    )
}


def finding(
    code: str, node: str | None, subject: str = "", *affected: str, severity: Severity | None = None
) -> Finding:
    return ENTRIES[code].found(
        node, f"{code} at {node}", evidence=("x",), fix=("y",), subject=subject, affected=affected, severity=severity
    )


def test_what_follows_is_told_under_its_cause_and_makes_it_as_severe() -> None:
    grouped = group([finding("branch", "b", "", "a"), finding("root", "a")], ENTRIES)
    assert [(one.code, one.severity) for one in grouped.findings] == [("root", Severity.ERROR)]
    assert grouped.findings[0].consequences == ("branch at b",)
    assert grouped.findings[0].affected == ("b",)


def test_a_chain_ends_at_its_root() -> None:
    grouped = group([finding("leaf", "a"), finding("branch", "a"), finding("root", "a")], ENTRIES)
    assert [one.code for one in grouped.findings] == ["root"]
    assert grouped.findings[0].consequences == ("branch at a", "leaf at a")
    assert set(grouped.positions.values()) == {0}


def test_another_node_s_finding_is_not_explained() -> None:
    grouped = group([finding("branch", "b"), finding("root", "a")], ENTRIES)
    assert [one.code for one in grouped.findings] == ["branch", "root"]


def test_a_cause_without_a_node_explains_all() -> None:
    grouped = group([finding("branch", "b"), finding("branch", "c"), finding("root", None)], ENTRIES)
    assert [one.code for one in grouped.findings] == ["root"]


def test_the_order_of_the_checks_does_not_matter() -> None:
    several = [finding("leaf", "a"), finding("branch", "b", "", "a"), finding("root", "a"), finding("other", "z")]
    told = {tuple(key(one) for one in group(order, ENTRIES).findings) for order in permutations(several)}
    assert len(told) == 1


def test_the_same_finding_twice_is_told_once() -> None:
    assert len(group([finding("other", "a"), finding("other", "a")], ENTRIES).findings) == 1


def test_a_finding_stands_at_the_hop_it_is_about() -> None:
    trace = seed.run("ipip")
    entries = {"leaf": entry("leaf", steps=(Step.ROUTE,))}
    about = msgspec.structs.replace(finding("leaf", "k8s-calico2"), subject="192.168.210.128/26")
    numbers = [hop.number for hop in trace.forward.hops if hop.step is Step.ROUTE and hop.node == "k8s-calico2"]
    assert placed(about, trace, entries).hops == (Spot("forward", numbers[0]),)
    own = msgspec.structs.replace(finding("leaf", "k8s-calico3"), subject="192.168.210.129")
    assert [spot.direction for spot in placed(own, trace, entries).hops] == ["forward"]
    elsewhere = finding("leaf", "k8s-calico1")
    assert placed(elsewhere, trace, entries).hops == ()


def test_the_catalogue_is_sound() -> None:
    """Every code once, every text there, and what an entry explains stands behind it."""
    codes = [one.code for entries, _ in FAMILIES for one in entries]
    assert len(codes) == len(set(codes)) == len(CATALOGUE)
    assert CHECKS
    for position, code in enumerate(codes):
        one = CATALOGUE[code]
        assert code == code.lower().replace("_", "-").replace(" ", "-")
        assert len(one.background) > 150, code
        assert one.title, code
        assert one.remedy.endswith("."), code
        assert one.reference, code
        unknown = one.explains - set(codes)
        assert not unknown, (code, unknown)
        assert not [other for other in one.explains if codes.index(other) <= position], code
