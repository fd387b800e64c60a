"""The filter's grammar, as a table."""

from __future__ import annotations

import pytest

from calitui.facts.cluster import Pod
from calitui.tui.home.filter import FilterError, haystack, parse
from calitui.tui.home.roster import Roster, Scan, order, place

PODS = [
    Pod(
        "huang1", "huangtest-2b8hr", "k8s-calico2", ("192.168.97.1",), status="Running", labels={"app": "web", "v": "1"}
    ),
    Pod("huang1", "huangtest-npwzw", "k8s-calico4", ("192.168.210.65",), status="Pending", labels={"app": "web"}),
    Pod("huang2", "hhh-kqsj4", "k8s-calico3", ("192.168.210.129", "fd00::1"), status="Running", labels={"app": "db"}),
    Pod("kube-system", "calico-node-x", "k8s-calico1", ("10.0.0.1",), status="Running", labels={}),
]
A, B, C, D = (pod.name for pod in PODS)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", [A, B, C, D]),
        ("   ", [A, B, C, D]),
        ("huang1", [A, B]),
        ("HUANG1/HUANGTEST", [A, B]),
        ("192.168.210", [B, C]),
        ("fd00::1", [C]),
        ("calico3", [C]),
        ("running", [A, C, D]),
        ("huang1 running", [A]),
        ("huang1 !running", [B]),
        ("!huang", [D]),
        ("!", [A, B, C, D]),
        ("^hhh", [C]),
        ("npwzw$", [B]),
        ("calico[24]$", [A, B]),
        ("!calico[24]$", [C, D]),
        ("hua.*wzw", [B]),
        ("huang1.*calico4", [B]),
        (r"\.1$", [A, D]),
        ("(2b8hr|kqsj4)", [A, C]),
        ("-l app=web", [A, B]),
        ("-l app==web", [A, B]),
        ("-lapp=web", [A, B]),
        ("-l app!=web", [C, D]),
        ("-l app", [A, B, C]),
        ("-l !app", [D]),
        ("-l app=web,v", [A]),
        ("-l app=web,!v", [B]),
        ("-l app in (db, web)", [A, B, C]),
        ("-l app notin (db)", [A, B, D]),
        ("-l app=WEB", []),
        ("-l", [A, B, C, D]),
        ("pending -l app=web", [B]),
        ("-f hhkq", [C]),
        ("-f h1-wz", [B]),
        ("-f zz", []),
        ("-f", [A, B, C, D]),
        ("kube-system", [D]),
        ("nothing-like-it", []),
    ],
)
def test_what_is_typed_selects(text: str, names: list[str]) -> None:
    assert [pod.name for pod in parse(text).select(PODS, [haystack(pod) for pod in PODS])] == names


@pytest.mark.parametrize(
    "text", ["(hua", "[a", "*x", "a{2,1}", "-l =x", "-l a in b", "-l a b", "-l app=web,,x", "huang (x"]
)
def test_what_cannot_be_understood_is_said(text: str) -> None:
    with pytest.raises(FilterError):
        parse(text)


@pytest.mark.parametrize("text", ["(a+)+$", "(a*)*b", "(a|aa)+$", "((ab)*c)*d", "(a{1,9})+", "(x(a+))+"])
def test_a_regex_that_might_never_end_is_refused(text: str) -> None:
    with pytest.raises(FilterError, match="repeat"):
        parse(text)


@pytest.mark.parametrize("text", ["(ab)+c", "(a|b)c+", r"\(a+\)+", "[(a+)]+", "(a+)b"])
def test_harmless_groups_are_allowed(text: str) -> None:
    parse(text)


def test_a_scan_in_steps_selects_the_same_as_at_once() -> None:
    many = tuple(Pod(f"ns{number % 7}", f"pod-{number:05}", ips=(f"10.0.{number % 250}.1",)) for number in range(5000))
    roster = Roster(many)
    scan = Scan(roster, parse("pod-.*7$"))
    steps = 1
    while not scan.step(0.0):
        steps += 1
    assert steps > 50
    assert [pod.name for pod in scan.rows] == [pod.name for pod in roster.pods if pod.name.endswith("7")]


def test_a_cancelled_scan_stops() -> None:
    scan = Scan(Roster(tuple(PODS)), parse("h"))
    scan.cancelled = True
    assert not scan.finish()


def test_a_namespace_is_exactly_that_one() -> None:
    pods = (Pod("a", "x"), Pod("a-b", "y"), Pod("ab", "z"), Pod("a", "w"))
    assert [pod.name for pod in Scan(Roster(pods), namespace="a").rows] == ["w", "x"]
    assert [pod.name for pod in Scan(Roster(pods), namespace="none").rows] == []


def test_the_list_is_sorted_and_reuses_what_it_knows() -> None:
    first = Roster(tuple(reversed(PODS)))
    assert [order(pod) for pod in first.pods] == sorted(order(pod) for pod in PODS)
    mixed = tuple(Pod(f"n{number * 7919 % 100}", f"p{number * 104729 % 9973}") for number in range(9000))
    assert Roster(mixed).pods == sorted(mixed, key=order)
    second = Roster(tuple(PODS), first)
    assert all(one is other for one, other in zip(first.haystacks, second.haystacks, strict=True))


def test_a_place_is_kept_for_a_pod_that_is_gone() -> None:
    rows = Roster(tuple(PODS)).pods
    assert place(rows, "huang2/hhh-kqsj4") == (2, True)
    assert place(rows, "huang2/aaa") == (2, False)
    assert place(rows, "zzz/") == (4, False)
