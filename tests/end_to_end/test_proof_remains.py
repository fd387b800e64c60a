"""Whatever becomes of a live proof, nothing of it stays on a node, and what it saw so far is told."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from calitui.session import Progress, ProofRequest
from calitui.trace.path import Observed, Trace, Verdict
from tests.end_to_end.calitui_in_lab import CALITUI, EXAMPLES, calitui, live
from tests.lab import felix
from tests.lab.breaking import Shell, broken, done
from tests.lab.faults_packets import PACKET_FAULTS
from tests.lab.lab import Lab
from tests.lab.processes import wait_until
from tests.lab.remains import Remains, connections, processes, remains

pytestmark = [pytest.mark.apiserver, pytest.mark.lab, pytest.mark.timeout(600)]

LOSSY = next(fault.fault for fault in PACKET_FAULTS if fault.fault.name == "underlay-loses-replies")
"""Probes that get no answer take three seconds: time to get in between."""
SOURCE, DESTINATION = EXAMPLES["bgp"]
AT_ONCE, LIMIT = 8.0, 30.0
"""Seconds until all has ended: when the nodes notice, and when they don't and `timeout` ends it."""


@pytest.fixture
def lab(bgp_lab: Lab) -> Lab:
    if bgp_lab.without_api:
        pytest.skip(bgp_lab.without_api)
    return bgp_lab


def ends(lab: Lab) -> tuple[str, str]:
    return (lab.spec.find(SOURCE)[0].name, lab.spec.find(DESTINATION)[0].name)


def everything(lab: Lab) -> dict[str, Remains]:
    return {name: remains(lab.node(name)) for name in ends(lab)}


def wait_until_clean(lab: Lab, before: dict[str, Remains], seconds: float = AT_ONCE) -> None:
    wait_until(lambda: all(processes(lab, name) == before[name].processes for name in before), "all ends", seconds)
    assert {name: remains(lab.node(name)) for name in before} == before


@contextlib.contextmanager
def proving(lab: Lab) -> Iterator[subprocess.Popen[str]]:
    """A calitui in the middle of a proof: both nodes capture, and probes are sent."""
    words = ["trace", SOURCE, DESTINATION, "--prove", "--yes", "--count", "10", "-o", "json"]
    access = ["--ssh-config", str(lab.ssh_config), "--ssh-user", "calitui", "--sudo"]
    started = subprocess.Popen(
        lab.command([CALITUI, *words, *access]),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
        env=lab.environment | {"NO_COLOR": "1", "XDG_CONFIG_HOME": str(lab.directory / "no-config")},
    )
    try:
        source, destination = ends(lab)
        wait_until(
            lambda: runs(lab, source, "ping ") and runs(lab, destination, "tcpdump "), "probes are sent", 30, 0.02
        )
        assert runs(lab, source, "tcpdump ")
        yield started
    finally:
        started.kill()
        started.communicate()


def runs(lab: Lab, name: str, program: str) -> bool:
    return any(line.startswith(program) for line in processes(lab, name))


def ended(started: subprocess.Popen[str], seconds: float) -> dict[str, Any]:
    """The result of a calitui that ends by itself, within a bounded time and without a traceback."""
    output, errors = started.communicate(timeout=seconds)
    assert "Traceback" not in errors, errors
    decoded: dict[str, Any] = msgspec.json.decode(output)
    return decoded


def seen(path: dict[str, Any]) -> list[bool | None]:
    return [hop["observed"]["seen"] for hop in path["directions"][0]["hops"] if hop["observed"] is not None]


def test_what_is_left_would_be_seen(lab: Lab) -> None:
    node = lab.node(ends(lab)[0])
    before = remains(node)
    left = node.popen("timeout 30 tcpdump -i any -w /dev/null & touch /run/left; nft add table ip left; wait")
    try:
        wait_until(lambda: bool(remains(node).sockets), "it captures", 10, 0.2)
        after = remains(node)
    finally:
        node.run("kill $(pgrep -x tcpdump --ns $$); rm -f /run/left; nft delete table ip left")
        left.communicate(timeout=30)
    changed = {name for name in Remains.__struct_fields__ if getattr(before, name) != getattr(after, name)}
    assert changed >= {"processes", "files", "rules", "sockets"}
    wait_until_clean(lab, {node.name: before})


def test_nothing_is_left_after_a_proof(lab: Lab) -> None:
    assert calitui(lab, "trace", SOURCE, DESTINATION).returncode == 0
    before = everything(lab)
    assert calitui(lab, "trace", SOURCE, DESTINATION, "--prove", "--yes").returncode == 0
    assert everything(lab) == before


def test_nothing_is_left_of_a_calitui_that_is_killed(lab: Lab) -> None:
    with broken(lab, LOSSY):
        before = everything(lab)
        with proving(lab) as started:
            started.kill()
            wait_until_clean(lab, before)


def test_nothing_is_left_when_a_person_stops_it(lab: Lab) -> None:
    with broken(lab, LOSSY):
        before = everything(lab)
        with proving(lab) as started:
            started.send_signal(signal.SIGINT)
            path = ended(started, 30)
            wait_until_clean(lab, before)
    assert started.returncode == 130
    assert path["directions"][0]["hops"]


def test_nothing_is_left_when_the_connection_ends(lab: Lab) -> None:
    """What serves calitui's connection to the far node is killed there."""
    _, far = ends(lab)
    with broken(lab, LOSSY):
        before = everything(lab)
        with proving(lab) as started:
            for pid in connections(lab, far, "calitui"):
                os.kill(pid, signal.SIGKILL)
            path = ended(started, 60)
            wait_until_clean(lab, before)
    watches = [watch for watch in path["proof"]["watches"] if watch["node"] == far]
    assert watches
    assert {watch["reason"] for watch in watches} == {"the connection broke"}, watches
    assert seen(path)[:4] == [True] * 4


def test_nothing_is_left_when_the_connection_falls_silent(lab: Lab) -> None:
    """Nobody is told that it is cut: the time that a capture may take ends it."""
    cut = Shell(
        "underlay",
        "nft 'add table bridge cut; add chain bridge cut between { type filter hook forward priority 0; };"
        " add rule bridge cut between tcp dport 22 drop; add rule bridge cut between tcp sport 22 drop'",
        "nft delete table bridge cut",
    )
    with broken(lab, LOSSY):
        before = everything(lab)
        with proving(lab) as started:
            with done(lab, (cut,)):
                wait_until(
                    lambda: all(processes(lab, name) == before[name].processes for name in before), "all ends", LIMIT
                )
            path = ended(started, 90)
            wait_until_clean(lab, before)
    assert path["proof"]["watches"]


def test_without_root_nothing_is_sent(lab: Lab) -> None:
    before = everything(lab)
    done_ = calitui(lab, "trace", SOURCE, DESTINATION, "--prove", "--yes", sudo=False)
    assert done_.returncode not in (0, 1)
    assert f"the network namespace of {SOURCE}" in done_.stderr
    assert "--sudo" in done_.stderr
    assert "Traceback" not in done_.stderr
    assert everything(lab) == before


def test_without_tcpdump_counters_tell_what_they_can(lab: Lab) -> None:
    _, far = ends(lab)
    hidden = Shell(far, "mount --bind /dev/null $(command -v tcpdump)", "umount /usr/bin/tcpdump")
    with done(lab, (hidden,)):
        path = prove(lab)
    assert path.proof is not None
    assert {watch.how for watch in path.proof.watches if watch.node == far} == {"counters"}
    assert all(f"there is no tcpdump on {far}" in watch.reason for watch in path.proof.watches if watch.node == far)
    assert at(path, "nic-out", "k8s-calico2").seen is True
    # A veth carries nothing but the pod's packets; a network card carries others' too.
    assert at(path, "veth-out", far).seen is True
    assert at(path, "nic-in", far).seen is None
    assert at(path, "container-in", far).seen is None
    assert path.proof.probe.answered == path.proof.probe.count


def test_what_is_lost_where_nobody_watched_is_not_blamed_on_anybody(lab: Lab) -> None:
    _, far = ends(lab)
    hidden = Shell(far, "mount --bind /dev/null $(command -v tcpdump)", "umount /usr/bin/tcpdump")
    between = next(fault.fault for fault in PACKET_FAULTS if fault.fault.name == "underlay-checks-sources")
    with broken(lab, between), done(lab, (hidden,)):
        path = prove(lab)
    # Whatever else the far node's devices counted meanwhile leaves open even whether the packets came there.
    untold = any("where the packets were lost was not seen" in note for note in path.notes)
    assert [one.code for one in path.findings] == ([] if untold else ["lost-on-the-way"]), path.findings
    assert all(one.node is None for one in path.findings)
    assert path.verdict is (Verdict.UNKNOWN if untold else Verdict.BROKEN)


def prove(lab: Lab, at: str = "", action: Any = None) -> Trace:
    """A proof in this process; `action` is run when it says `at`."""

    def told(progress: Progress) -> None:
        if at and at in progress.what:
            action()

    with live(lab) as session:
        stop = threading.Event()
        return session.prove(
            session.trace(SOURCE, DESTINATION, lambda _: None, stop), ProofRequest(count=5), told, stop
        )


def test_a_pod_that_goes_away_meanwhile(lab: Lab) -> None:
    node, pod = lab.spec.find(DESTINATION)
    machine = lab.node(node.name)
    before = everything(lab)

    def delete() -> None:
        # As a runtime does: the veth goes, the pause container's process ends, the namespace has no name any more.
        pause = f"$(pgrep -x sleep --ns $(ip netns pids {pod.netns} | head -1) --nslist net)"
        machine.run(f"ip link del {pod.veth}; kill {pause}; ip netns del {pod.netns}")

    alone = msgspec.structs.replace(node, pods=(pod,))
    made = "\n".join(["set -e", felix.batch(felix.links(lab.spec, alone)), felix.pod(lab.spec, pod)])
    try:
        path = prove(lab, "sending", delete)
    finally:
        machine.run(f"bash -c {shlex.quote(made)}")
    assert path.proof is not None
    assert path.proof.probe.answered == 0
    assert "went away meanwhile" in path.findings[0].summary
    assert at(path, "nic-out", "k8s-calico2").seen is True
    assert at(path, "container-in", node.name).seen is not True
    # The pod's own things are new.
    assert {name: one.processes for name, one in everything(lab).items()} == {
        name: one.processes for name, one in before.items()
    }
    assert not any(one.sockets for one in everything(lab).values())


def at(path: Trace, step: str, node: str) -> Observed:
    found = next(hop.observed for hop in path.forward.hops if (hop.step.value, hop.node) == (step, node))
    assert found is not None
    return found


def test_a_source_that_goes_away_meanwhile(lab: Lab) -> None:
    node, pod = lab.spec.find(SOURCE)
    machine = lab.node(node.name)
    before = everything(lab)
    try:
        path = prove(lab, "sending", lambda: machine.run(f"ip -n {pod.netns} addr del {pod.ip}/32 dev eth0"))
    finally:
        machine.run(
            f"ip -n {pod.netns} addr add {pod.ip}/32 dev eth0; "
            f"ip -n {pod.netns} route replace 169.254.1.1 dev eth0 scope link; "
            f"ip -n {pod.netns} route replace default via 169.254.1.1 dev eth0"
        )
    assert path.proof is not None
    assert f"{pod.ip} is not" in path.proof.probe.error
    wait_until_clean(lab, before)


def test_a_flood_ends_a_capture_and_what_came_before_is_kept(lab: Lab) -> None:
    before = everything(lab)
    pod = lab.pod(SOURCE)
    address = lab.pod(DESTINATION).ip
    floods: list[subprocess.Popen[str]] = []

    def flood() -> None:
        netns = pod.spec.netns
        floods.append(pod.node.popen(f"nsenter --net=/run/netns/{netns} timeout 4 ping -n -q -f -i 0.002 {address}"))

    path = prove(lab, "sending", flood)
    for one in floods:
        one.communicate(timeout=30)
    assert path.proof is not None
    reasons = {watch.reason for watch in path.proof.watches if not watch.complete}
    assert reasons == {"it ended early: more than 200 packets matched"}
    assert path.proof.probe.answered == path.proof.probe.count
    assert not any("packets." in note and " saw " in note for note in path.notes), path.notes
    assert not [hop for way in path.directions for hop in way.hops if hop.observed and hop.observed.seen is False]
    wait_until_clean(lab, before)
