"""The local reader and the node script read the same namespace: the same facts, field by field and line by line."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator

import msgspec
import pytest

pytest.importorskip("pyroute2", reason="pyroute2 is for Linux only")

from calitui.facts.node import Link, LookupAnswer, NetworkNamespace, NodeFacts, Question, Route
from tests.nodes.local.inside import read_locally
from tests.nodes.local.wardrobe import dress
from tests.nodes.script.namespaces import NAMELESS_POD, NODE_IP, POD, POD6, REMOTE_POD, Node, node

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs root: it makes network namespaces"),
    pytest.mark.skipif(shutil.which("ip") is None, reason="needs iproute2 (apt-get install iproute2)"),
]

QUESTIONS = (
    Question(POD, REMOTE_POD),
    Question(REMOTE_POD, POD),
    Question(NODE_IP, POD),
    Question("192.168.213.1", "192.168.97.5"),
    Question("192.168.97.5", "10.72.0.1"),
    Question("10.66.0.255", "10.66.0.9"),
    Question("10.66.0.9", "10.70.1.1"),
    Question("10.77.0.1", "192.168.215.3"),
    Question("10.66.0.9", "127.0.0.1"),
    Question(NODE_IP, "192.168.214.5"),
    Question(POD6, "fd98::5"),
    Question("fd66::9", "fd72::1"),
    Question("fd66::1", "fd71::1"),
    Question("fd66::1", "2001:db8::1"),
)
SETTLING = 40
"""Readings after which a namespace that still changes is given up."""
CONTAINERS = (POD, NAMELESS_POD, NODE_IP, REMOTE_POD, "10.72.0.1")


@pytest.fixture(scope="module")
def dressed() -> Iterator[Node]:
    with node() as made:
        dress(made)
        yield made


@pytest.fixture(scope="module")
def both(dressed: Node) -> tuple[NodeFacts, NodeFacts]:
    """The script's facts and ours, read while nothing changed: IPv6 settles for seconds after a device comes up."""
    before = dressed.facts(QUESTIONS, CONTAINERS)
    for _ in range(SETTLING):
        ours = read_locally(dressed.name, QUESTIONS, CONTAINERS)
        after = dressed.facts(QUESTIONS, CONTAINERS)
        if _state(before) == _state(after):
            return after, ours
        before = after
        time.sleep(0.5)
    raise AssertionError("the namespaces never settled")


def _state(facts: NodeFacts) -> list[object]:
    """What changes by itself in a namespace: neighbours, and the routes of addresses under duplicate detection."""
    spaces = [facts.host, *(container.namespace for container in facts.containers)]
    found: list[object] = []
    for space in spaces:
        assert space is not None
        found += [[(one.ip, one.device, one.state) for one in space.neighbours], [_route(one) for one in space.routes]]
    return found


def _hosts(both: tuple[NodeFacts, NodeFacts]) -> tuple[NetworkNamespace, NetworkNamespace]:
    theirs, ours = both[0].host, both[1].host
    assert theirs is not None
    assert ours is not None
    return theirs, ours


def _spaced(text: str) -> str:
    """iproute2's blanks vary; what an encapsulation holds is not printed by us; seconds pass between two readings."""
    text = re.sub(r"encap ip id .* tos \d+", "encap ip", " ".join(text.split()))
    return re.sub(r"expires \d+sec", "expires soon", text)


def _route(route: Route) -> Route:
    return msgspec.structs.replace(route, text=_spaced(route.text))


def _link(link: Link) -> Link:
    """Up to the details of its kind, of which we say less."""
    return msgspec.structs.replace(link, text=link.text.partition(" promiscuity ")[0])


def _answer(answer: LookupAnswer) -> LookupAnswer:
    route = _route(answer.route) if answer.route else None
    return msgspec.structs.replace(answer, route=route, text=_spaced(answer.text))


def test_the_same_is_complete(both: tuple[NodeFacts, NodeFacts]) -> None:
    theirs, ours = _hosts(both)
    assert ours.complete == theirs.complete
    assert ours.complete >= {
        "links",
        "addresses",
        "routes",
        "routes6",
        "rules",
        "rules6",
        "neighbours",
        "sysctls",
        "fdb",
        "counters",
    }
    assert ours.unparsed == theirs.unparsed == ()


def test_the_same_links(both: tuple[NodeFacts, NodeFacts]) -> None:
    theirs, ours = _hosts(both)
    assert [_link(link) for link in ours.links] == [_link(link) for link in theirs.links]
    kinds = {link.kind for link in ours.links}
    assert {"veth", "bridge", "vxlan"} <= kinds


@pytest.mark.parametrize("family", [4, 6])
def test_the_same_routes(both: tuple[NodeFacts, NodeFacts], family: int) -> None:
    theirs, ours = _hosts(both)
    expected = [_route(route) for route in theirs.routes if (":" in route.prefix) == (family == 6)]
    assert [_route(route) for route in ours.routes if (":" in route.prefix) == (family == 6)] == expected
    assert {"blackhole", "unreachable", "prohibit", "unicast", "local"} <= {route.kind for route in expected}
    assert any(route.next_hops for route in expected)


def test_the_same_rules(both: tuple[NodeFacts, NodeFacts]) -> None:
    theirs, ours = _hosts(both)
    assert [(rule.priority, rule) for rule in ours.rules] == [(rule.priority, rule) for rule in theirs.rules]


def test_the_same_neighbours_and_forwarding_entries(both: tuple[NodeFacts, NodeFacts]) -> None:
    theirs, ours = _hosts(both)
    assert sorted(ours.neighbours, key=str) == sorted(theirs.neighbours, key=str)
    assert {"STALE", "PERMANENT"} <= {one.state for one in ours.neighbours}
    assert sorted(ours.fdb, key=str) == sorted(theirs.fdb, key=str)
    assert "10.173.32.26" in {one.destination for one in ours.fdb}


def test_the_same_sysctls(both: tuple[NodeFacts, NodeFacts]) -> None:
    theirs, ours = _hosts(both)
    assert ours.sysctls == theirs.sysctls


def test_the_same_around(both: tuple[NodeFacts, NodeFacts]) -> None:
    theirs, ours = both
    assert ours.host is not None
    assert theirs.host is not None
    assert [one.device for one in ours.host.counters] == [one.device for one in theirs.host.counters]
    assert len(ours.host.counters) == len(ours.host.links)
    assert ours.packet_filter == theirs.packet_filter
    assert ours.packet_filter is not None
    assert (ours.birds, ours.processes) == (theirs.birds, theirs.processes)
    assert ours.managed_devices == theirs.managed_devices
    assert ours.foreign_routes == theirs.foreign_routes == ()
    assert (ours.pod_mtu, ours.offloads) == (theirs.pod_mtu, theirs.offloads)


def test_the_kernel_was_asked_the_same(both: tuple[NodeFacts, NodeFacts]) -> None:
    assert [_answer(answer) for answer in both[1].answers] == [_answer(answer) for answer in both[0].answers]
    errors = {answer.error for answer in both[1].answers}
    assert {"RTNETLINK answers: No route to host", "RTNETLINK answers: Permission denied"} <= errors
    assert "RTNETLINK answers: Invalid argument" in errors


def test_the_same_containers(both: tuple[NodeFacts, NodeFacts]) -> None:
    theirs, ours = both
    assert [(one.ip, one.found_by) for one in ours.containers] == [(one.ip, one.found_by) for one in theirs.containers]
    assert [one.ip for one in ours.containers] == [POD, NAMELESS_POD]
    for mine, other in zip(ours.containers, theirs.containers, strict=True):
        assert mine.namespace.complete == other.namespace.complete
        assert [_link(link) for link in mine.namespace.links] == [_link(link) for link in other.namespace.links]
        assert [_route(route) for route in mine.namespace.routes] == [_route(route) for route in other.namespace.routes]
        assert mine.namespace.rules == other.namespace.rules
        assert mine.namespace.neighbours == other.namespace.neighbours


def test_the_same_is_missing(both: tuple[NodeFacts, NodeFacts]) -> None:
    assert [(one.what, one.reason) for one in both[1].missing] == [(one.what, one.reason) for one in both[0].missing]
    assert [one.what for one in both[1].missing] == [f"container {ip}" for ip in (NODE_IP, REMOTE_POD, "10.72.0.1")]
    assert {one.node for one in both[1].missing} == {os.uname().nodename}


def test_who_was_read(both: tuple[NodeFacts, NodeFacts]) -> None:
    ours = both[1]
    assert (ours.via, ours.target, ours.name) == ("local", "this machine", os.uname().nodename)
    assert ours.address_source == (
        f"the hostname here is {os.uname().nodename}, and eth0 here has its address {NODE_IP}"
    )
    assert (ours.hostname, ours.kernel) == (both[0].hostname, both[0].kernel)


def test_what_a_route_can_not_say_is_kept_and_not_complete(dressed: Node) -> None:
    selected = ("fd55::/64", "from", "fd97::/64", "via", "fd32::26", "dev", "eth0", "metric", "7")
    dressed.ip("-6", "route", "add", *selected)
    try:
        theirs, ours = _hosts((dressed.facts(), read_locally(dressed.name)))
    finally:
        dressed.ip("-6", "route", "del", *selected)
    assert [_spaced(line) for line in ours.unparsed] == [_spaced(line) for line in theirs.unparsed]
    assert len(ours.unparsed) == 1
    assert "routes6" not in ours.complete
    assert "routes" in ours.complete


def test_an_alias_with_lines_of_its_own_is_one_line(dressed: Node) -> None:
    dressed.ip("link", "set", "br0", "alias", "x\n7: eth0: <UP>\x1b[2J")
    facts = read_locally(dressed.name)
    dressed.ip("link", "set", "br0", "alias", "")
    assert facts.host is not None
    assert "links" in facts.host.complete
    link = next(link for link in facts.host.links if link.name == "br0")
    assert "\x1b" not in link.text
    assert link.text.endswith("alias x\\x0a7: eth0: <UP>\\x1b[2J")
