"""VXLAN's neighbour and forwarding tables, and checksums, on the recorded cluster."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from calitui.diagnosis.devices import vxlan
from calitui.diagnosis.scene import Scene
from calitui.facts.cluster import FelixConfiguration
from calitui.facts.node import ForwardingEntry, Neighbour, NodeFacts, Offload
from calitui.trace.finding import Severity
from tests.diagnosis import scenes

NODE, OTHER, VTEP = "worker-1", "worker-2", "10.244.133.132"
MAC = "66:e2:6c:ca:0c:ad"


def scene(change: Callable[[NodeFacts], NodeFacts], **lists: object) -> Scene:
    snapshot = scenes.demo("vxlan")
    nodes = [change(facts) if facts.name == NODE else facts for facts in snapshot.nodes]
    return Scene(msgspec.structs.replace(snapshot.cluster, **lists), nodes)


def neighbours(keep: Callable[[Neighbour], Neighbour | None]) -> Callable[[NodeFacts], NodeFacts]:
    def change(facts: NodeFacts) -> NodeFacts:
        assert facts.host is not None
        kept = tuple(one for entry in facts.host.neighbours if (one := keep(entry)) is not None)
        return msgspec.structs.replace(facts, host=msgspec.structs.replace(facts.host, neighbours=kept))

    return change


def forwarding(keep: Callable[[ForwardingEntry], ForwardingEntry | None]) -> Callable[[NodeFacts], NodeFacts]:
    def change(facts: NodeFacts) -> NodeFacts:
        assert facts.host is not None
        kept = tuple(one for entry in facts.host.fdb if (one := keep(entry)) is not None)
        return msgspec.structs.replace(facts, host=msgspec.structs.replace(facts.host, fdb=kept))

    return change


def incomplete(entry: Neighbour) -> Neighbour:
    if entry.ip != VTEP:
        return entry
    return msgspec.structs.replace(entry, mac=None, state="FAILED", text=f"{VTEP} dev vxlan.calico FAILED")


def astray(entry: ForwardingEntry) -> ForwardingEntry:
    return msgspec.structs.replace(entry, destination="10.50.0.10") if entry.mac == MAC else entry


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (neighbours(lambda entry: None if entry.ip == VTEP else entry), "no MAC in the neighbour table"),
        (neighbours(incomplete), "no MAC in the neighbour table"),
        (forwarding(lambda entry: None if entry.mac == MAC else entry), f"no forwarding entry for its MAC {MAC}"),
        (forwarding(astray), "leads to 10.50.0.10 (control-1) instead of 10.50.0.12"),
    ],
    ids=["no neighbour", "failed neighbour", "no forwarding entry", "wrong node"],
)
def test_a_gap_in_the_tables_is_named(change: Callable[[NodeFacts], NodeFacts], words: str) -> None:
    (found,) = scenes.found(vxlan.CHECKS, scene(change))
    assert (found.code, found.node, found.severity) == ("vxlan-forwarding-missing", NODE, Severity.ERROR)
    assert found.affected == (OTHER,)
    assert words in found.summary
    assert f"{VTEP} dev vxlan.calico onlink mtu 1450" in found.evidence[0]


def test_all_gaps_of_a_node_are_one_finding() -> None:
    (found,) = scenes.found(vxlan.CHECKS, scene(neighbours(lambda entry: None)))
    assert set(found.affected) == {OTHER, "control-1"}
    assert "and the like for 1 more" in found.summary


def test_a_trace_says_only_what_its_ends_need() -> None:
    cut = neighbours(lambda entry: None if entry.ip == VTEP else entry)
    snapshot = scenes.demo("vxlan")
    nodes = tuple(cut(facts) if facts.name == NODE else facts for facts in snapshot.nodes)
    for each in scenes.everyday(msgspec.structs.replace(snapshot, nodes=nodes)):
        found = scenes.found(vxlan.CHECKS, each)
        if each.trace is not None:
            ends = {each.trace.source.node, each.trace.destination.node}
            pods = {end.node for end in (each.trace.source, each.trace.destination) if end.kind == "pod"}
            # Packets leave worker-1 through the tunnel for pods of worker-2 only.
            assert bool(found) == (ends == {NODE, OTHER} and OTHER in pods), each.trace


def test_tables_that_were_not_read_are_not_empty() -> None:
    def unread(facts: NodeFacts) -> NodeFacts:
        assert facts.host is not None
        host = msgspec.structs.replace(facts.host, fdb=(), complete=facts.host.complete - {"fdb"})
        return msgspec.structs.replace(facts, host=host)

    said = scene(unread)
    assert not scenes.found(vxlan.CHECKS, said)
    assert [(one.code, one.node) for one in scenes.unchecked(vxlan.CHECKS, said)] == [
        ("vxlan-forwarding-missing", NODE)
    ]


def test_ebpf_keeps_no_tables() -> None:
    felix = (FelixConfiguration("default", {"bpfEnabled": "true"}),)
    assert not scenes.found(vxlan.CHECKS, scene(neighbours(lambda entry: None), felix=felix))


OFFLOAD = Offload("vxlan.calico", "tx-checksum-ip-generic", on=True, text="tx-checksum-ip-generic: on")


@pytest.mark.parametrize(
    ("kernel", "offloads", "felix", "codes"),
    [
        ("4.18.0-80.el8", (OFFLOAD,), {}, ["vxlan-checksum-offload"]),
        ("5.6.19", (OFFLOAD,), {}, ["vxlan-checksum-offload"]),
        ("5.7.0", (OFFLOAD,), {}, []),
        ("6.1.0", (OFFLOAD,), {}, []),
        ("rubbish", (OFFLOAD,), {}, []),
        ("4.18.0", (msgspec.structs.replace(OFFLOAD, on=False),), {}, []),
        ("4.18.0", (msgspec.structs.replace(OFFLOAD, device="eth0"),), {}, []),
        ("4.18.0", (OFFLOAD,), {"featureDetectOverride": "ChecksumOffloadBroken=true"}, []),
        ("4.18.0", (), {}, []),
    ],
)
def test_checksums_of_old_kernels(
    kernel: str, offloads: tuple[Offload, ...], felix: dict[str, str], codes: list[str]
) -> None:
    def old(facts: NodeFacts) -> NodeFacts:
        return msgspec.structs.replace(facts, kernel=kernel, offloads=offloads)

    said = scene(old, felix=(FelixConfiguration("default", felix),))
    assert [one.code for one in scenes.found(vxlan.CHECKS, said)] == codes


def test_an_old_kernel_that_was_not_asked_is_unchecked() -> None:
    said = scene(lambda facts: msgspec.structs.replace(facts, kernel="4.18.0"))
    assert [(one.code, one.node) for one in scenes.unchecked(vxlan.CHECKS, said)] == [("vxlan-checksum-offload", NODE)]


@pytest.mark.parametrize("name", scenes.HEALTHY)
def test_healthy_recordings_are_silent(name: str) -> None:
    for each in scenes.healthy(name):
        assert not scenes.found(vxlan.CHECKS, each)
