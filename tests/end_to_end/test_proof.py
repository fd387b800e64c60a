"""Live proofs in the lab: packets are seen where they go, and where they are lost the place and the cause are told."""

from __future__ import annotations

import io
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dpkt
import msgspec
import pytest

from calitui.diagnosis.proof_entries import ENTRIES
from calitui.session import ProofRequest, Session
from calitui.trace.finding import Severity
from calitui.trace.path import Direction, Hop, Trace, Verdict
from tests.end_to_end.calitui_in_lab import EXAMPLES, calitui, live
from tests.end_to_end.test_scenarios import STATIONS, seen
from tests.lab.breaking import broken
from tests.lab.clusters import CLUSTERS
from tests.lab.faults_packets import NOT_INJECTED, PACKET_FAULTS, PacketFault
from tests.lab.lab import Lab
from tests.lab.visits import Ping, follow

in_the_lab = [pytest.mark.apiserver, pytest.mark.lab, pytest.mark.timeout(600)]

HEALTHY = (
    ("bgp", 0, 4),
    ("vxlan", 0, 4),
    ("vxlan", 5, 4),  # from a node's own address
    ("crosssubnet", 0, 4),
    ("crosssubnet", 2, 4),  # on one node
    ("dualstack", 0, 6),
)
"""Cluster, number of the pair, family."""
COUNT = 3


def faults() -> Iterator[object]:
    for fault in PACKET_FAULTS:
        cluster = fault.fault.cluster
        marks = [*in_the_lab, *([pytest.mark.uml] if CLUSTERS[cluster].ipip else [])]
        yield pytest.param(cluster, fault, marks=marks, id=f"{cluster}-{fault.fault.name}")


def healthy() -> Iterator[object]:
    for cluster, number, family in HEALTHY:
        yield pytest.param(cluster, number, family, marks=in_the_lab, id=f"{cluster}-{number}-{family}")


def proved(session: Session, source: str, destination: str, family: int | None = None) -> Trace:
    stop = threading.Event()
    predicted = session.trace(source, destination, lambda _: None, stop, family)
    return session.prove(predicted, ProofRequest(count=COUNT), lambda _: None, stop)


def stations(direction: Direction) -> list[tuple[str | None, str, str | None, str]]:
    """The interfaces that a direction's packets were seen on, in order."""
    found = []
    for hop in direction.hops:
        if hop.step.value in STATIONS and hop.observed is not None and hop.observed.seen:
            place, way = STATIONS[hop.step.value]
            found.append((hop.node, place, hop.device, way))
    return found


def addresses(hop: Hop) -> tuple[tuple[str, str], ...]:
    assert hop.observed is not None
    return tuple((header.src, header.dst) for header in hop.observed.headers)


def told(path: Trace) -> list[str]:
    return [f"{one.severity} {one.code} {one.node}: {one.summary}" for one in path.findings]


def test_each_code_of_a_proof_has_a_fault_or_a_reason() -> None:
    injected = {fault.code for fault in PACKET_FAULTS}
    codes = {entry.code for entry in ENTRIES}
    assert codes <= injected | set(NOT_INJECTED)
    assert not injected & set(NOT_INJECTED)


@pytest.mark.parametrize(("lab", "number", "family"), healthy(), indirect=["lab"], scope="session")
def test_packets_are_seen_at_every_hop_in_the_order_predicted(lab: Lab, number: int, family: int) -> None:
    source, destination = lab.spec.pairs[number]
    address = next(ip for ip in lab.spec.addresses_of(destination) if (":" in ip) is (family == 6))
    ping = Ping(source, address)
    visit = follow(lab, [ping])[ping]
    with live(lab) as session:
        path = proved(session, source, destination, family)
    assert path.verdict is Verdict.DELIVERED
    assert not [one for one in path.findings if one.severity is not Severity.INFO], told(path)
    assert path.proof is not None
    assert (path.proof.probe.count, path.proof.probe.answered) == (COUNT, COUNT)
    assert all(watch.complete for watch in path.proof.watches), path.proof.watches
    for direction, sightings in zip(path.directions, (visit.request, visit.reply), strict=True):
        observed = [hop.observed for hop in direction.hops]
        assert all(one is not None and one.seen and one.count == COUNT for one in observed), direction
        assert stations(direction) == seen(lab, sightings)
        nodes = {node.name for node in lab.spec.nodes}
        here = [one.headers for one in sightings if one.machine in nodes]
        assert [addresses(hop) for hop in direction.hops if hop.step.value in STATIONS] == here
    if lab.spec.find(source)[1].ip is not None:
        computed = path.forward.path_mtu
        assert computed
        assert [one.size for one in path.proof.sizes if one.passed][-1:] == [computed], path.proof.sizes


@pytest.mark.parametrize(("lab", "fault"), faults(), indirect=["lab"], scope="session")
def test_the_place_and_the_cause_are_told(lab: Lab, fault: PacketFault) -> None:
    with broken(lab, fault.fault), live(lab) as session:
        path = proved(session, fault.fault.source, fault.fault.destination)
    assert path.findings, path
    first = path.findings[0]
    assert first.code == fault.code, told(path)
    assert first.evidence
    assert first.fix
    errors = {one.code for one in path.findings if one.severity is Severity.ERROR}
    assert errors <= {fault.code}, told(path)
    said = "\n".join([first.summary, *first.evidence, *path.notes])
    assert [word for word in fault.words if word.lower() not in said.lower()] == []
    lost = path.forward if fault.way == "forward" else path.directions[1]
    if fault.after and fault.at:
        assert path.verdict is Verdict.BROKEN
        assert hop_at(lost, fault.after).seen is True
        assert any(
            spot.direction == lost.name and lost.hops[spot.number - 1] == hop(lost, fault.at) for spot in first.hops
        )
        assert hop(lost, fault.at).ends is not None
    if fault.way == "return":
        assert all(one.observed is not None and one.observed.seen for one in path.forward.hops)
    if fault.passes:
        assert path.proof is not None
        assert max(one.size for one in path.proof.sizes if one.passed) == fault.passes, path.proof.sizes


@pytest.mark.parametrize(
    ("lab", "protocol", "answer"),
    [
        pytest.param("bgp", "tcp", "tcp", marks=in_the_lab),
        # A port that nobody listens on is told by ICMP.
        pytest.param("bgp", "udp", "icmp", marks=in_the_lab),
    ],
    indirect=["lab"],
    scope="session",
)
def test_packets_to_a_port_are_seen_too(lab: Lab, protocol: str, answer: str) -> None:
    stop = threading.Event()
    with live(lab) as session:
        predicted = session.trace(*EXAMPLES["bgp"], lambda _: None, stop)
        path = session.prove(predicted, ProofRequest(protocol=protocol, port=8080, count=COUNT), lambda _: None, stop)
    assert path.proof is not None
    assert (path.proof.probe.count, path.proof.probe.answered) == (COUNT, COUNT)
    for direction, what in zip(path.directions, (protocol, answer), strict=True):
        assert all(one.observed is not None and one.observed.seen for one in direction.hops), direction
        headers = [one.observed.headers[-1] for one in direction.hops if one.observed and one.observed.headers]
        assert {header.protocol for header in headers} == {what}


def hop(direction: Direction, place: tuple[str, str, str]) -> Hop:
    return next(one for one in direction.hops if (one.step.value, one.node, one.device) == place)


def hop_at(direction: Direction, place: tuple[str, str, str]) -> Any:
    return hop(direction, place).observed


@pytest.mark.parametrize(
    "lab", [pytest.param("ipip", marks=[*in_the_lab, pytest.mark.uml])], indirect=True, scope="session"
)
def test_the_articles_two_pictures_come_out_of_the_lab(lab: Lab, tmp_path: Path) -> None:
    """The packet as the pod sent it, on tunl0, and inside of protocol 4, on eth0."""
    source, destination = EXAMPLES["ipip"]
    pcap = tmp_path / "proof.pcap"
    done = calitui(lab, "trace", source, destination, "--prove", "--yes", "-o", "json", "--pcap", str(pcap))
    assert done.returncode == 0, done.stderr
    path = msgspec.json.decode(done.stdout)
    (near, pod), (far, other) = lab.spec.find(source), lab.spec.find(destination)
    hops = path["directions"][0]["hops"]
    assert all(one["observed"]["seen"] for way in path["directions"] for one in way["hops"]), path
    inner, outer = [
        [(each["protocol"], each["src"], each["dst"]) for each in one["observed"]["headers"]]
        for one in hops
        if one["step"] in ("tunnel-out", "nic-out")
    ]
    assert inner == [("icmp", pod.ip, other.ip)]
    assert outer == [("ipip", near.address, far.address), ("icmp", pod.ip, other.ip)]
    listed = subprocess.run(["tcpdump", "-nr", str(pcap)], capture_output=True, text=True, check=True).stdout
    assert f"IP {pod.ip} > {other.ip}: ICMP echo request" in listed
    assert f"IP {near.address} > {far.address}: IP {pod.ip} > {other.ip}: ICMP echo request" in listed
    read = [dpkt.ip.IP(data) for _, data in dpkt.pcap.UniversalReader(io.BytesIO(pcap.read_bytes()))]
    assert {(packet.p, type(packet.data).__name__) for packet in read} == {(1, "ICMP"), (4, "IP")}
