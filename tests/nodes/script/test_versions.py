"""The script's output in one namespace, recorded with iproute2 of 2020 to 2026 and with BusyBox: the same facts.

Recorded with Debian's packages 5.10 (which calls itself 5.9), 6.1, 6.15 and 7.3, and BusyBox 1.30, 1.35 and 1.38; host
name, kernel and names of namespaces were changed, and what grep printed of sysctls was left out. Only 6.1 knew the
names of the namespaces. What older ones print is in `tests/nodes/files/test_pasted.py`, transcribed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from calitui.facts.node import Link, NetworkNamespace, NodeFacts, Route
from tests.nodes.script.test_output import read

RECORDED = Path(__file__).with_name("versions")
IPROUTE2 = ("5.10.0", "6.1.0", "6.15.0", "7.3.0")
BUSYBOX = ("1.30.1", "1.35.0", "1.38.0")
LOST = {"192.168.210.64/26", "fd99::/64"}
"""Routes with several next hops, which BusyBox leaves out of the line."""
CHANGED = {"192.168.214.0/26", "192.168.215.0/26"}
"""A gateway of the other family and an encapsulation, which BusyBox leaves out too."""


def facts(name: str) -> NodeFacts:
    return read((RECORDED / f"{name}.txt").read_bytes(), ())


def host(name: str) -> NetworkNamespace:
    found = facts(name).host
    assert found is not None
    return found


def bare(value: Any) -> Any:
    """Facts without the lines that they were read from."""
    if isinstance(value, tuple):
        return tuple(bare(one) for one in value)
    changes: dict[str, Any] = {"text": ""}
    if isinstance(value, Link):
        changes |= {"peer_namespace": None, "addresses": tuple(sorted(value.addresses, key=str))}
    return msgspec.structs.replace(value, **changes)


@pytest.mark.parametrize("version", IPROUTE2)
def test_every_iproute2_gives_the_same_facts(version: str) -> None:
    ours, usual = host(f"iproute2-{version}"), host("iproute2-6.1.0")
    assert ours.unparsed == ()
    assert (
        ours.complete
        == usual.complete
        == {*("links", "addresses", "routes", "routes6", "rules", "rules6", "neighbours", "fdb")}
    )
    assert bare(ours.links) == bare(usual.links)
    assert bare(ours.routes) == bare(usual.routes)
    assert bare(ours.rules) == bare(usual.rules)
    assert bare(ours.fdb) == bare(usual.fdb)
    # Others may have been learnt between two recordings.
    settled = {one for one in bare(usual.neighbours) if one.state == "PERMANENT"}
    assert {one for one in bare(ours.neighbours) if one.state == "PERMANENT"} == settled
    assert len(settled) == 3


@pytest.mark.parametrize("version", IPROUTE2)
def test_every_iproute2_answers_the_same(version: str) -> None:
    def told(name: str) -> list[tuple[str, str, Route | None]]:
        return [(one.command, one.error, bare(one.route) if one.route else None) for one in facts(name).answers]

    assert told(f"iproute2-{version}") == told("iproute2-6.1.0")
    assert len(told("iproute2-6.1.0")) == 7


@pytest.mark.parametrize("version", BUSYBOX)
def test_every_busybox_tells_less_and_nothing_else(version: str) -> None:
    ours, usual = host(f"busybox-{version}"), host("iproute2-6.1.0")
    assert ours.complete == {"links", "addresses", "rules6", "neighbours"}
    assert {line.split()[0] for line in ours.unparsed} == LOST
    routes = {(one.prefix, one.table, one.device): one for one in usual.routes}
    assert len(ours.routes) == len(usual.routes) - len(LOST)
    for route in ours.routes:
        if route.prefix not in CHANGED:
            other = routes[route.prefix, route.table, route.device]
            assert (route.kind, route.gateway, route.metric, route.scope) == (
                *(other.kind, other.gateway, other.metric, other.scope),
            )
    links = {link.name: link for link in usual.links}
    for link in ours.links:
        other_link = links[link.name]
        assert (link.index, link.mac, link.mtu, link.flags) == (
            *(other_link.index, other_link.mac, other_link.mtu, other_link.flags),
        )
        assert [(a.ip, a.prefix_length, a.scope) for a in link.addresses] == [
            (a.ip, a.prefix_length, a.scope) for a in other_link.addresses
        ]
    assert {one.what: one.reason.partition(" (")[0] for one in facts(f"busybox-{version}").missing}["fdb"] == (
        "`bridge` is not there, as in the image of calico-node"
    )
