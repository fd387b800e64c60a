"""What changed between two traces of one pair."""

from __future__ import annotations

import msgspec

from calitui.facts.missing import Missing
from calitui.trace.compare import compare
from calitui.trace.finding import Finding, Severity
from tests.trace import seed

FORWARD = "192.168.210.128/26 via 10.173.32.26 dev tunl0 proto bird onlink"
FINDING = Finding(code="block-route-missing", severity=Severity.ERROR, node="k8s-calico2", summary="no route")


def test_the_same_facts_are_no_change_whenever_they_were_read() -> None:
    one = seed.run("ipip")
    assert compare(one, msgspec.structs.replace(one, taken_at=one.taken_at + 60)) == ()


def test_a_route_that_went_is_told_with_the_verdict() -> None:
    changes = compare(seed.run("ipip"), seed.run("ipip", seed.node("ipip", "k8s-calico2", without=[FORWARD])))
    assert (changes[0].kind, changes[0].before) == ("verdict", "delivered")
    at_hop = [change for change in changes if change.direction == "forward" and change.number == 3]
    assert any(FORWARD in change.before for change in at_hop), changes


def test_the_way_back_is_compared_too() -> None:
    back = "192.168.97.0/26 via 10.173.32.23 dev tunl0 proto bird onlink"
    changes = compare(seed.run("ipip"), seed.run("ipip", seed.node("ipip", "k8s-calico3", without=[back])))
    assert {change.direction for change in changes} == {None, "return"}


def test_a_smaller_mtu_is_a_change() -> None:
    smaller = seed.node("ipip", "k8s-calico2", links={"mtu 1500 qdisc fq": "mtu 1400 qdisc fq"})
    changes = compare(seed.run("ipip"), seed.run("ipip", smaller))
    assert {(change.kind, change.before, change.after) for change in changes} == {("mtu", "MTU 1500", "MTU 1400")}


def test_findings_come_and_go() -> None:
    healthy = seed.run("ipip")
    ill = msgspec.structs.replace(healthy, findings=(FINDING,))
    assert [(one.kind, one.after) for one in compare(healthy, ill)] == [("finding", "no route")]
    assert [(one.kind, one.before) for one in compare(ill, healthy)] == [("finding-gone", "no route")]


def test_what_is_not_read_any_more_is_said() -> None:
    healthy = seed.run("ipip")
    cut = msgspec.structs.replace(healthy, unread=(Missing("routes", "cut off", "k8s-calico3"),))
    assert [one.after for one in compare(healthy, cut)] == ["not read any more: k8s-calico3: routes"]
    assert [one.before for one in compare(cut, healthy)] == ["was not read: k8s-calico3: routes"]
