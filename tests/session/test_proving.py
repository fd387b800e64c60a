"""Live proofs carried out in real network namespaces, and everything that can fail on the way; recorded proofs."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from calitui.errors import Cancelled, UsageError
from calitui.facts.cluster import Cluster, Node
from calitui.facts.node import Container, NetworkNamespace, NodeFacts
from calitui.facts.proof import Probe, Proof, Watch
from calitui.facts.snapshot import Snapshot, decode, encode
from calitui.nodes.local.held import LocalProver
from calitui.nodes.proving.script import Tools
from calitui.proof.filters import plain
from calitui.proof.plan import PlannedProbe, PlannedWatch, ProofPlan, ProofRequest
from calitui.proof.sizing import SizeQuestion
from calitui.proof.token import Token
from calitui.session import CannotProve, Progress, open_demo
from calitui.session.proving import Ground, carry_out
from calitui.session.recorded import RecordedSession
from calitui.session.watching import Site, Watching
from calitui.trace.path import Direction, Disposition, Encapsulation, Endpoint, Policies, Trace, Verdict
from tests.nodes.proving.namespaces import ONE, TWO, Pair, ip, pair, settled, state

lab = pytest.mark.lab
root = pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs root: it makes network namespaces")
tools = pytest.mark.skipif(
    not all(shutil.which(name) for name in ("ip", "tcpdump", "ping")), reason="needs iproute2, tcpdump and iputils-ping"
)
PATTERN = bytes(range(0x41, 0x51))
FILTER = plain("icmp", (ONE, TWO), None)
NODE = Node("here")


def quiet(_: Progress) -> None:
    """Progress nobody wants."""


@pytest.fixture
def net() -> Iterator[Pair]:
    with pair() as made:
        yield made


def planned(net: Pair, *, destination: str = TWO, count: int = 3, most: int = 50, sizes: bool = False) -> ProofPlan:
    places = ((net.one, ONE), (net.two, TWO))
    return ProofPlan(
        probe=PlannedProbe(
            node="here",
            namespace=f"/run/netns/{net.one}",
            holds=ONE,
            source=ONE,
            destination=destination,
            count=count,
            pattern=PATTERN,
        ),
        watches=tuple(
            PlannedWatch(node="here", filter=FILTER, namespace=f"/run/netns/{name}", container=address, count=most)
            for name, address in places
        ),
        token=Token(protocol="icmp", source=ONE, destination=TWO, pattern=PATTERN, size_pattern=PATTERN[::-1]),
        sizes=SizeQuestion(sends=1500, carries=1500) if sizes else None,
    )


def ground(*, again: tuple[NodeFacts, ...] | None = None) -> Ground:
    facts = (NodeFacts("here", "local", host=NetworkNamespace(), containers=(Container(ONE, NetworkNamespace()),)),)
    way = Direction(name="forward", disposition=Disposition.DELIVERED, encapsulation=Encapsulation.NONE)
    ends = [
        Endpoint(kind="pod", namespace="shop", name=f"web-{ip}", node="here", ip=ip, ips=(ip,)) for ip in (ONE, TWO)
    ]
    trace = Trace(
        taken_at=1.0,
        verdict=Verdict.DELIVERED,
        source=ends[0],
        destination=ends[1],
        directions=(way, way),
        policies=Policies(),
    )
    return Ground(
        trace, Cluster(nodes=(NODE,)), facts, {"local": LocalProver()}, lambda: facts if again is None else again
    )


@lab
@root
@tools
class TestCarriedOut:
    def test_what_was_sent_is_seen_at_both_ends(self, net: Pair) -> None:
        before = state(net.one, net.one)
        proof = carry_out(planned(net, sizes=True), ground(), quiet, threading.Event())
        assert (proof.probe.count, proof.probe.answered, proof.probe.error) == (3, 3, "")
        assert [(watch.how, watch.complete, watch.reason) for watch in proof.watches] == [("tcpdump", True, "")] * 2
        seen = [(one.container, one.kind) for one in proof.sightings if one.size is None]
        assert {entry: seen.count(entry) for entry in seen} == {
            (end, kind): 3 for end in (ONE, TWO) for kind in ("request", "reply")
        }
        assert {one.device for one in proof.sightings} == {"eth0"}
        passed = {one.size: one.passed for one in proof.sizes}
        assert passed[1400]
        assert not passed[1401]
        assert any("mtu" in one.said.lower() for one in proof.sizes if not one.passed)
        assert [one.reverse_path_drops for one in proof.carried] == [0]
        assert settled(before, net.one, net.one) == before

    def test_nobody_answers(self, net: Pair) -> None:
        ip("-n", net.two, "addr", "del", f"{TWO}/24", "dev", "eth0")
        ip("-n", net.two, "addr", "add", "192.0.2.77/24", "dev", "eth0")
        proof = carry_out(planned(net, sizes=True), ground(), quiet, threading.Event())
        assert (proof.probe.count, proof.probe.answered) == (3, 0)
        assert proof.sizes == ()
        there = next(watch for watch in proof.watches if watch.container == TWO)
        assert there.reason == f"{TWO} is not in the network namespace any more"
        assert next(watch for watch in proof.watches if watch.container == ONE).complete

    def test_pod_that_is_gone(self, net: Pair) -> None:
        subprocess.run(["ip", "netns", "delete", net.one], check=True)
        proof = carry_out(planned(net), ground(), quiet, threading.Event())
        assert proof.probe.error == "the network namespace is gone"
        # The other pod's end of the veth went with it.
        other = f"{TWO} is not in the network namespace any more"
        assert [watch.reason for watch in proof.watches] == ["the network namespace is gone", other]
        assert proof.probe.count == 0

    def test_pod_that_is_deleted_meanwhile(self, net: Pair) -> None:
        before = state(net.two, "ctp-")

        def progress(what: Progress) -> None:
            if what.what.startswith("sending"):
                subprocess.run(["ip", "netns", "delete", net.two], check=True)
                subprocess.run(["ip", "-n", net.one, "link", "set", "eth0", "down"], check=False)

        proof = carry_out(planned(net), ground(), progress, threading.Event())
        assert proof.probe.answered == 0
        assert len(proof.watches) == 2
        ip("netns", "add", net.two)
        assert settled(before, net.two, "ctp-").processes == before.processes

    def test_capture_that_floods_is_no_evidence(self, net: Pair) -> None:
        proof = carry_out(planned(net, most=2), ground(), quiet, threading.Event())
        assert proof.probe.answered == 3
        assert {watch.reason for watch in proof.watches} == {"it ended early: more than 2 packets matched"}
        assert not any(watch.complete for watch in proof.watches)
        assert len(proof.sightings) == 4

    def test_node_that_can_t_be_read_again(self, net: Pair) -> None:
        proof = carry_out(planned(net), ground(again=(NodeFacts("here", "local"),)), quiet, threading.Event())
        assert proof.carried == ()
        assert [(one.what, one.node) for one in proof.missing] == [("counters", "here")]

    @pytest.mark.parametrize("moment", ["sending", "trying", "reading"])
    def test_stop_leaves_nothing(self, net: Pair, moment: str) -> None:
        before, stop = state(net.one, "ctp-"), threading.Event()

        def progress(what: Progress) -> None:
            if what.what.startswith(moment):
                threading.Timer(0.1, stop.set).start()
                if moment == "reading":
                    time.sleep(0.2)

        plan = planned(net, count=10, sizes=True)
        if moment == "reading":
            carry_out(plan, ground(), progress, stop)
        else:
            with pytest.raises(Cancelled):
                carry_out(plan, ground(), progress, stop)
        assert settled(before, net.one, "ctp-") == before

    def test_ping_of_busybox_is_known_by_its_addresses(
        self, net: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if shutil.which("busybox") is None:
            pytest.skip("busybox is not installed (apt-get install busybox)")
        (tmp_path / "ping").symlink_to(shutil.which("busybox") or "")
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        proof = carry_out(planned(net, count=2, sizes=True), ground(), quiet, threading.Event())
        assert (proof.probe.count, proof.probe.answered, proof.sizes) == (2, 2, ())
        assert len(proof.sightings) == 8

    def test_old_tcpdump_watches_each_device(self, net: Pair) -> None:
        watch = planned(net).watches[0]
        old = Tools(root=True, programs=frozenset({"tcpdump"}))
        watching = Watching(Site(NODE, watch, LocalProver(), old, ("eth0", "lo")))
        watching.start(lambda _: None, threading.Event())
        subprocess.run(["ip", "netns", "exec", net.one, "ping", "-c", "1", TWO], check=True, capture_output=True)
        time.sleep(0.3)
        assert watching.stop().complete
        assert [place.device for place, pcap in watching.captures() if len(pcap) > 24] == ["eth0"]

    def test_device_that_is_not_there(self, net: Pair) -> None:
        old = Tools(root=True, programs=frozenset({"tcpdump"}))
        watching = Watching(Site(NODE, planned(net).watches[0], LocalProver(), old, ("lo", "cali0")))
        watching.start(lambda _: None, threading.Event())
        stopped = watching.stop()
        assert not stopped.complete
        assert stopped.reason.startswith("cali0: tcpdump: cali0: No such device")


def test_node_without_tcpdump_is_watched_by_its_counters() -> None:
    watch = PlannedWatch(node="here", filter=FILTER)
    watching = Watching(Site(NODE, watch, LocalProver(), Tools(root=True, programs=frozenset({"ping"}))))
    watching.start(lambda _: None, threading.Event())
    watching.check()
    stopped = watching.stop()
    assert (stopped.how, stopped.complete, stopped.reason) == ("counters", False, "there is no tcpdump on here")
    assert watching.captures() == []


class TestRecorded:
    @pytest.fixture
    def snapshot(self) -> Snapshot:
        return msgspec.structs.replace(open_demo("ipip").record(quiet, threading.Event()), proofs=())

    def _ends(self, snapshot: Snapshot) -> tuple[str, str]:
        one, two, *_ = [pod for pod in snapshot.cluster.pods if pod.ips and not pod.host_network and pod.node]
        return f"{one.namespace}/{one.name}", f"{two.namespace}/{two.name}"

    def test_recorded_proof_is_that_of_the_pair(self, snapshot: Snapshot, tmp_path: Path) -> None:
        ends, stop = self._ends(snapshot), threading.Event()
        found = RecordedSession(snapshot, "x").trace(*ends, quiet, stop)
        assert found.source.ip
        assert found.destination.ip
        proof = Proof(
            2.0,
            Probe(found.source.node or "", found.source.ip, found.destination.ip, count=3, answered=3),
            watches=(Watch(found.source.node or "", "tcpdump", complete=True),),
        )
        held = decode(encode(msgspec.structs.replace(snapshot, proofs=(proof,))), "x")
        assert held.proofs == (proof,)
        session = RecordedSession(held, "x")
        assert session.prove(found, ProofRequest(), quiet, stop).proof == proof
        assert not isinstance(session.proof_plan(found, ProofRequest(), quiet, stop), CannotProve)
        with pytest.raises(UsageError, match=r"holds no such proof\. It has icmp"):
            session.prove(found, ProofRequest(protocol="tcp", port=80), quiet, stop)
        back = session.trace(ends[1], ends[0], quiet, stop)
        with pytest.raises(UsageError, match=f"It has one of {ends[0]} to {ends[1]}"):
            session.prove(back, ProofRequest(), quiet, stop)

    def test_recording_without_proofs(self, snapshot: Snapshot) -> None:
        session, stop = RecordedSession(snapshot, "x"), threading.Event()
        found = session.trace(*self._ends(snapshot), quiet, stop)
        with pytest.raises(UsageError, match="A recording can't be proved"):
            session.prove(found, ProofRequest(), quiet, stop)
        with pytest.raises(UsageError, match="Nothing can be proved anew"):
            session.record(quiet, stop, proofs=[self._ends(snapshot)])
