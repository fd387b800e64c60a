"""Sizes that fit and sizes that don't, along a path and per node of a cluster."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest

from calitui.diagnosis.devices import mtu
from calitui.facts.node import NodeFacts
from calitui.trace.finding import Severity
from calitui.trace.mtu import PathMtu
from calitui.trace.sizes import path_mtu
from tests.diagnosis import scenes
from tests.diagnosis.scenes import A, B
from tests.trace import seed

ERROR, WARNING, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO
NIC = "eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500"
TUNNEL = "3: tunl0@NONE: <NOARP,UP,LOWER_UP> mtu 1440"
VETH = "@if4: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1440"


def sized(which: str, node: str, *, container: int | None = None, links: Mapping[str, int] | None = None) -> NodeFacts:
    """A node whose devices, named by their line up to the MTU, have other MTUs."""
    facts = seed.node(which, node, links={old: f"{old.rpartition(' ')[0]} {new}" for old, new in (links or {}).items()})
    if container is None:
        return facts
    (inside,) = facts.containers
    cables = tuple(
        msgspec.structs.replace(link, mtu=container) if link.name == "eth0" else link for link in inside.namespace.links
    )
    inside = msgspec.structs.replace(inside, namespace=msgspec.structs.replace(inside.namespace, links=cables))
    return msgspec.structs.replace(facts, containers=(inside,))


def sizes(which: str, *changed: NodeFacts) -> PathMtu:
    return path_mtu(seed.run(which, *changed).forward)


def test_the_numbers_of_a_healthy_path_in_order() -> None:
    found = sizes("ipip")
    assert [(one.what, one.mtu, one.overhead, one.fits) for one in found.stations] == [
        ("container", 1440, 0, 1440),
        ("veth", 1440, 0, 1440),
        ("tunnel", 1440, 0, 1440),
        ("NIC", 1500, 20, 1480),
        ("NIC", 1500, 20, 1480),
        ("tunnel", 1440, 0, 1440),
        ("veth", 1440, 0, 1440),
        ("container", 1440, 0, 1440),
    ]
    assert (found.sends, found.carries, found.fails) == (1440, 1440, 1441)
    assert (found.ping_passes, found.ping_fails) == (1412, 1413)
    assert (found.overhead, found.is_too_small) == (20, False)


def test_a_ping_of_ipv6_has_less_room() -> None:
    snapshot = scenes.demo("dualstack")
    for scene in scenes.everyday(snapshot):
        if scene.trace is not None and scene.trace.other_family is not None:
            found = path_mtu(scene.trace.other_family.forward)
            assert (found.family, found.carries, found.ping_passes) == (6, 1500, 1452)
            return
    pytest.fail("no trace of two families")


@pytest.mark.parametrize(("demo", "overhead"), [("vxlan", 50), ("ipip", 20), ("bgp", 0)])
def test_the_overhead_is_the_encapsulations(demo: str, overhead: int) -> None:
    seen = {
        path_mtu(scene.trace.forward).overhead
        for scene in scenes.everyday(scenes.demo(demo))
        if scene.trace is not None
        and scene.trace.source.node != scene.trace.destination.node
        and scene.trace.destination.kind == "pod"
    }
    assert seen == {overhead}


def test_a_path_that_ends_early_has_no_size() -> None:
    found = sizes("ipip", seed.node("ipip", A, links={"<NOARP,UP,LOWER_UP>": "<NOARP>"}))
    assert (found.carries, found.fails, found.ping_fails) == (None, None, None)
    assert found.at_most == 1440


def test_a_tunnel_that_unwraps_does_not_limit() -> None:
    found = sizes("ipip", sized("ipip", B, links={TUNNEL: 1300}))
    assert (found.carries, found.is_too_small) == (1440, False)


CASES = [
    # name, which, changed node, direction's node, device, severity, words
    ("pods above their tunnel", "ipip", sized("ipip", A, container=1500, links={VETH: 1500}), A, "tunl0", WARNING, "1441 to 1500 bytes"),
    ("a card too small for the tunnel", "ipip", sized("ipip", A, links={NIC: 1400}), A, "eth0", WARNING, "MTU 1400 less 20"),
    ("the other card too small", "ipip", sized("ipip", B, links={NIC: 1400}), B, "eth0", ERROR, "1381 to 1440 bytes"),
    ("the host's end of the veth too small", "bgp", sized("bgp", A, container=1500), A, "calic285cddbb40", ERROR, "vanish"),
    ("a plain card too small", "bgp", sized("bgp", A, links={NIC: 1300}), A, "eth0", WARNING, "answer with ICMP"),
    ("the other plain card too small", "bgp", sized("bgp", B, links={NIC: 1300}), B, "eth0", ERROR, "1301 to 1440"),
]  # fmt: skip


@pytest.mark.parametrize(("which", "changed", "node", "device", "severity", "words"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])  # fmt: skip
def test_a_path_that_is_too_small(
    which: str, changed: NodeFacts, node: str, device: str, severity: Severity, words: str
) -> None:
    found = [one for one in scenes.found(mtu.CHECKS, scenes.traced(which, changed)) if one.code == "mtu-too-big"]
    first = next(one for one in found if (one.node, one.subject, one.severity) == (node, device, severity))
    assert words in first.summary
    assert any(line.startswith("MTUs on the way, in order: eth0 ") for line in first.evidence)


AUDITED = [
    ("pods above their tunnel", "ipip", sized("ipip", A, links={VETH: 1500}), [("mtu-too-big", A, WARNING)], "1 pod on k8s-calico2 may send packets of up to 1500 bytes, but to other nodes only 1440 fit"),
    ("a card too small for the tunnel", "ipip", sized("ipip", A, links={NIC: 1400}), [("mtu-too-big", A, WARNING), ("mtu-too-big", A, ERROR)], "only 1380 fit (eth0 has MTU 1400 less 20"),
    ("a card smaller than its neighbours'", "bgp", sized("bgp", B, links={NIC: 1300}), [("mtu-too-big", B, WARNING), ("mtu-too-big", B, ERROR)], "only 1300 fit"),
    ("tunnels that differ", "ipip", sized("ipip", A, links={TUNNEL: 1460}), [("mtu-mixed", None, INFO)], "tunl0 has different MTUs"),
]  # fmt: skip


@pytest.mark.parametrize(("which", "changed", "kinds", "words"), [case[1:] for case in AUDITED], ids=[case[0] for case in AUDITED])  # fmt: skip
def test_a_cluster_with_sizes_that_do_not_fit(
    which: str, changed: NodeFacts, kinds: list[tuple[str, str | None, Severity]], words: str
) -> None:
    scene = scenes.audited(which, changed)
    assert scenes.kinds(mtu.CHECKS, scene) == kinds
    assert words in scenes.found(mtu.CHECKS, scene)[0].summary


def test_a_smaller_card_names_who_sends_more() -> None:
    found = scenes.found(mtu.CHECKS, scenes.audited("bgp", sized("bgp", B, links={NIC: 1300})))[-1]
    assert (found.node, found.affected) == (B, (A,))
    assert "takes packets of up to 1300 bytes, but k8s-calico2 in the same subnet sends up to 1440" in found.summary


def test_pods_from_before_a_change_are_one_finding_per_node() -> None:
    facts = msgspec.structs.replace(seed.node("ipip", A), pod_mtu=1430)
    (found,) = scenes.found(mtu.CHECKS, scenes.audited("ipip", facts))
    assert (found.code, found.node, found.severity) == ("mtu-mixed", A, INFO)
    assert "1 of 1 pods on k8s-calico2 have MTU 1440, new ones get 1430" in found.summary
    assert "k8s-calico2 cat /var/lib/calico/mtu: 1430" in found.evidence


@pytest.mark.parametrize("which", ["ipip", "bgp"])
def test_the_articles_clusters_are_silent(which: str) -> None:
    fitting = tuple(msgspec.structs.replace(seed.node(which, name), pod_mtu=1440) for name in (A, B))
    assert not scenes.found(mtu.CHECKS, scenes.audited(which, *fitting))
    assert not scenes.found(mtu.CHECKS, scenes.traced(which, *fitting))


@pytest.mark.parametrize("name", scenes.HEALTHY)
def test_healthy_recordings_are_silent(name: str) -> None:
    for each in scenes.healthy(name):
        assert not scenes.found(mtu.CHECKS, each)
