"""What calitui says of a packet's way against where that packet went: a capture on every interface decides."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.end_to_end.calitui_in_lab import trace
from tests.end_to_end.kubelets import kubelets
from tests.lab.clusters import CLUSTERS
from tests.lab.lab import Lab
from tests.lab.spec import ClusterSpec
from tests.lab.visits import Ping, Sighting, Visit, follow

pytestmark = [pytest.mark.apiserver, pytest.mark.lab, pytest.mark.timeout(900)]

INSIDE, OUTSIDE = "container", "node"
STATIONS = {
    "container-out": (INSIDE, "out"),
    "veth-in": (OUTSIDE, "in"),
    "tunnel-out": (OUTSIDE, "out"),
    "nic-out": (OUTSIDE, "out"),
    "nic-in": (OUTSIDE, "in"),
    "tunnel-in": (OUTSIDE, "in"),
    "veth-out": (OUTSIDE, "out"),
    "container-in": (INSIDE, "in"),
}
"""Where a capture sees a step; the others happen between interfaces."""
Station = tuple[str, str, str | None, str]


class Way(NamedTuple):
    """A ping worth following: ends as calitui takes them, and the address that the destination has in that family."""

    cluster: str
    source: str
    destination: str
    address: str
    family: int

    @property
    def ping(self) -> Ping:
        return Ping(self.source, self.address)


def ways(cluster: ClusterSpec) -> Iterator[Way]:
    for source, destination in cluster.pairs:
        for address in cluster.addresses_of(destination):
            yield Way(cluster.name, source, destination, address, 6 if ":" in address else 4)


WAYS = [way for cluster in CLUSTERS.values() for way in ways(cluster)]


def parameter(way: Way, via: str) -> object:
    marks = [pytest.mark.uml] if CLUSTERS[way.cluster].ipip else []
    ends = "-".join(end.partition("/")[2][:8].rstrip("-") or end for end in (way.source, way.destination))
    return pytest.param(way.cluster, way, via, marks=marks, id=f"{way.cluster}-{ends}-{way.family}-{via}")


def parameters() -> Iterator[object]:
    for way in WAYS:
        yield parameter(way, "ssh")
        yield parameter(way, "exec")


@pytest.fixture(scope="module")
def visits(lab: Lab) -> dict[Ping, Visit]:
    return follow(lab, [way.ping for way in WAYS if way.cluster == lab.spec.name])


@pytest.fixture(scope="module")
def executable(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nodes that can be entered through their calico-node pods."""
    with kubelets(lab, tmp_path_factory.mktemp("kubelets")):
        yield


def named(direction: dict[str, Any]) -> list[Station]:
    """The interfaces that a trace names, in order."""
    return [
        (hop["node"], STATIONS[hop["step"]][0], hop["device"], STATIONS[hop["step"]][1])
        for hop in direction["hops"]
        if hop["step"] in STATIONS
    ]


def seen(lab: Lab, sightings: tuple[Sighting, ...]) -> list[Station]:
    """The interfaces of the cluster's nodes and pods that the packet crossed, in order."""
    nodes = {node.name for node in lab.spec.nodes}
    return [
        (one.machine, INSIDE if one.pod else OUTSIDE, one.device, one.direction.value)
        for one in sightings
        if one.machine in nodes
    ]


def as_far_as_told(lab: Lab, claimed: list[Station], crossed: list[Station]) -> list[Station]:
    """What was crossed, without the one interface that no node can tell: which uplink a router chose for the packet."""
    told = []
    for position, station in enumerate(crossed):
        name, place, _, way = station
        untold = (name, place, None, way)
        several = (place, way) == STATIONS["nic-in"] and lab.spec.node(name).uplinks
        told.append(untold if several and claimed[position : position + 1] == [untold] else station)
    return told


def headers(direction: dict[str, Any]) -> list[tuple[tuple[str, str], ...]]:
    """The packet's addresses at each interface, outermost first; on a tunnel's own interface the inner ones."""
    found = []
    for hop in direction["hops"]:
        if hop["step"] in STATIONS:
            layers = tuple((header["src"], header["dst"]) for header in hop["packet"])
            found.append(layers[-1:] if hop["step"].startswith("tunnel-") else layers)
    return found


@pytest.mark.parametrize(("lab", "way", "via"), parameters(), indirect=["lab"], scope="session")
@pytest.mark.usefixtures("executable")
def test_a_trace_names_what_the_packet_crosses(lab: Lab, way: Way, via: str, visits: dict[Ping, Visit]) -> None:
    visit = visits[way.ping]
    nodes = {node.name for node in lab.spec.nodes}
    family = ["--family", str(way.family)] if lab.spec.dual_stack else []
    code, found = trace(lab, way.source, way.destination, "--via", via, *family)
    for direction, sightings in zip(found["directions"], (visit.request, visit.reply), strict=True):
        claimed = named(direction)
        assert claimed == as_far_as_told(lab, claimed, seen(lab, sightings))
        assert headers(direction) == [one.headers for one in sightings if one.machine in nodes]
    # What a machine outside of the cluster does with a plain packet can't be read: there is a path, and no promise.
    plain = [one for one in (*visit.request, *visit.reply) if one.machine not in nodes and len(one.headers) == 1]
    expected = (4, "unknown") if plain or found["destination"]["kind"] == "external" else (0, "delivered")
    assert (code, found["verdict"]) == expected, found


@pytest.mark.parametrize("lab", ["vxlan"], indirect=True, scope="session")
@pytest.mark.parametrize("sudo", [True, False])
def test_the_outer_address_is_read_from_the_forwarding_database(lab: Lab, sudo: bool) -> None:
    _, found = trace(lab, *lab.spec.pairs[0], sudo=sudo)
    for direction in found["directions"]:
        hop = next(hop for hop in direction["hops"] if hop["step"] == "tunnel-out")
        assert hop["evidence"] == "kernel"
        assert any("self permanent" in line for line in hop["lines"])
