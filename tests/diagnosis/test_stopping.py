"""Routes that deliver, and something else that is sure to lose the packet."""

from __future__ import annotations

import msgspec
import pytest

from calitui.diagnosis.diagnose import diagnose
from calitui.diagnosis.stopping import stopped
from calitui.trace.finding import Severity, Spot
from calitui.trace.path import Disposition, Verdict
from tests.diagnosis.test_grouping import entry, finding
from tests.trace import seed

CATALOGUE = {"leaf": msgspec.structs.replace(entry("leaf"), loses=True), "other": entry("other")}


def test_a_direction_ends_where_the_packet_is_lost_for_sure() -> None:
    trace = seed.run("ipip")
    lost = msgspec.structs.replace(finding("leaf", "k8s-calico2"), hops=(Spot("forward", 3),))
    ended = stopped(trace, [lost], CATALOGUE)
    assert ended.verdict is Verdict.BROKEN
    assert ended.forward.disposition is Disposition.DROPPED
    assert [hop.number for hop in ended.forward.hops] == [1, 2, 3]
    assert (ended.forward.hops[-1].ends, ended.forward.hops[-1].reason) == (Disposition.DROPPED, lost.summary)
    assert ended.back == trace.back


@pytest.mark.parametrize(
    ("code", "severity", "spot"),
    [
        ("leaf", Severity.WARNING, Spot("forward", 3)),
        ("other", Severity.ERROR, Spot("forward", 3)),
        ("leaf", Severity.ERROR, Spot("forward", 99)),
    ],
)
def test_what_is_not_sure_or_not_on_the_way_leaves_the_path_as_it_is(code: str, severity: Severity, spot: Spot) -> None:
    trace = seed.run("ipip")
    doubt = msgspec.structs.replace(finding(code, "k8s-calico2"), hops=(spot,), severity=severity)
    after = stopped(trace, [doubt], CATALOGUE)
    assert (after.verdict, after.forward.disposition) == (Verdict.DELIVERED, Disposition.DELIVERED)


def test_a_direction_that_the_routes_end_keeps_its_end() -> None:
    forward = "192.168.210.128/26 via 10.173.32.26 dev tunl0 proto bird onlink"
    gone = seed.node("ipip", "k8s-calico2", without=[forward], more=["blackhole 192.168.210.128/26 proto bird"])
    trace = seed.run("ipip", gone)
    lost = msgspec.structs.replace(finding("leaf", "k8s-calico2"), hops=(Spot("forward", 1),))
    assert stopped(trace, [lost], CATALOGUE).forward == trace.forward


def test_forwarding_that_is_off_breaks_what_routes_deliver() -> None:
    cluster = seed.cluster("Always")
    off = seed.node("ipip", "k8s-calico2", sysctls="/proc/sys/net/ipv4/ip_forward:0\n")
    trace = seed.run("ipip", off)
    assert trace.verdict is Verdict.DELIVERED
    told = diagnose(trace, cluster, seed.pair("ipip", off))
    assert told.verdict is Verdict.BROKEN
    last = told.forward.hops[-1]
    assert (last.node, last.ends) == ("k8s-calico2", Disposition.DROPPED)
    assert told.findings[0].code == "ip-forward-off"
