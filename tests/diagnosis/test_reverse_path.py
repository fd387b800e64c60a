"""The reverse path filter: silent on the value alone, loud where the way back really is another."""

from __future__ import annotations

import pytest

from calitui.diagnosis.devices import reverse_path
from calitui.facts.cluster import FelixConfiguration
from calitui.facts.node import NodeFacts
from calitui.trace.finding import Severity
from tests.diagnosis import scenes
from tests.diagnosis.scenes import A, B
from tests.trace import seed

BACK = "192.168.97.0/26 via 10.173.32.23 dev eth0 proto bird"
BACK_IPIP = "192.168.97.0/26 via 10.173.32.23 dev tunl0 proto bird onlink"
MARKED = "99:\tnot from all fwmark 0x200000/0x200000 lookup 1\n"


def values(everywhere: int, **devices: int) -> str:
    both = {"all": everywhere, "default": 1, "eth0": 1, "eth1": 1, "tunl0": 1, **devices}
    return "".join(f"/proc/sys/net/ipv4/conf/{name}/rp_filter:{value}\n" for name, value in both.items())


def node(
    which: str, without: list[str], more: list[str], sysctls: str = values(1), rules: str = seed.RULES
) -> NodeFacts:
    return seed.node(which, B, without=without, more=more, sysctls=sysctls, rules=rules)


ASIDE = "192.168.97.0/26 via 10.9.0.23 dev eth1 proto bird"
PLAIN = "192.168.97.0/26 via 10.173.32.23 dev eth0 proto bird"
FAULTS = [
    ("plain, back by another card", "bgp", node("bgp", [BACK], [ASIDE]), "eth0", "its route back leaves by eth1"),
    ("out of the tunnel, back without", "ipip", node("ipip", [BACK_IPIP], [PLAIN]), "tunl0", "its route back leaves by eth0"),
    ("outer packets, back by another card", "ipip", node("ipip", [], ["10.173.32.23 via 10.9.0.1 dev eth1"]), "eth0", "10.173.32.23 (k8s-calico2)"),
    ("a rule leads the way back elsewhere", "bgp", node("bgp", [], [f"{ASIDE} table 1"], rules=seed.RULES + MARKED), "eth0", "leaves by eth1"),
    ("strict on the card alone", "bgp", node("bgp", [BACK], [ASIDE], values(0)), "eth0", "eth1"),
    ("strict on all alone", "bgp", node("bgp", [BACK], [ASIDE], values(1, eth0=0)), "eth0", "eth1"),
]  # fmt: skip


@pytest.mark.parametrize("whole", [True, False], ids=["audit", "trace"])
@pytest.mark.parametrize(("which", "changed", "device", "words"), [case[1:] for case in FAULTS], ids=[case[0] for case in FAULTS])  # fmt: skip
def test_a_way_back_by_another_device(which: str, changed: NodeFacts, device: str, words: str, whole: bool) -> None:
    scene = (scenes.audited if whole else scenes.traced)(which, changed)
    (found,) = scenes.found(reverse_path.CHECKS, scene)
    assert (found.code, found.node, found.subject, found.severity) == ("rp-filter-strict", B, device, Severity.ERROR)
    assert words in found.summary
    assert found.affected == (A,)
    assert any("rp_filter = 1" in line for line in found.evidence)
    assert any(" ip route: " in line for line in found.evidence)


ECMP = "192.168.97.0/26 proto bird\n\tnexthop via 10.173.32.23 dev eth0 weight 1\n\tnexthop via 10.9.0.23 dev eth1 weight 1"
FINE = [
    ("strict, one way", "bgp", node("bgp", [], [])),
    ("strict, one tunnel", "ipip", node("ipip", [], [])),
    ("loose on the card", "bgp", node("bgp", [BACK], [ASIDE], values(1, eth0=2))),
    ("loose on all", "bgp", node("bgp", [BACK], [ASIDE], values(2))),
    ("off", "bgp", node("bgp", [BACK], [ASIDE], values(0, eth0=0))),
    ("not told", "bgp", node("bgp", [BACK], [ASIDE], "")),
    ("both cards are ways back", "bgp", node("bgp", [BACK], [ECMP])),
    ("the block's own route is what is missing", "ipip", node("ipip", [BACK_IPIP], [])),
    ("another card for others", "ipip", node("ipip", [], ["10.77.0.0/16 via 10.9.0.1 dev eth1"])),
    ("WireGuard's own packets", "bgp", node("bgp", [], ["10.173.32.23 dev wireguard.cali table 1"], rules=seed.RULES + MARKED)),
]  # fmt: skip


@pytest.mark.parametrize("whole", [True, False], ids=["audit", "trace"])
@pytest.mark.parametrize(("which", "changed"), [case[1:] for case in FINE], ids=[case[0] for case in FINE])
def test_the_value_alone_is_no_fault(which: str, changed: NodeFacts, whole: bool) -> None:
    scene = (scenes.audited if whole else scenes.traced)(which, changed)
    assert not scenes.alarms((reverse_path.strict,), scene)


def test_two_networks_that_are_used_both_ways_are_fine() -> None:
    """A rule sends pods' packets over a second network, on both nodes, and there they come in."""
    words = "9: eth1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc fq state UP \\    link/ether 02:00:00:00:00:09\n9: eth1    inet {}/24 scope global eth1\n{}"
    second = {A: "10.67.0.23", B: "10.67.0.26"}
    block = {A: "192.168.210.192/26", B: "192.168.97.0/26"}
    veth = {A: "7: calic285cddbb40", B: "8: calif6874dae1d2"}
    nodes = [
        seed.node(
            "bgp",
            name,
            links={veth[name]: words.format(second[name], veth[name])},
            more=[
                f"{block[name]} via {second[other]} dev eth1 table 1",
                "10.67.0.0/24 dev eth1 proto kernel scope link",
                f"local {second[name]} dev eth1 table local proto kernel scope host",
            ],
            rules=seed.RULES + MARKED,
            sysctls=values(1),
            complete=seed.EVERYTHING,
        )
        for name, other in ((A, B), (B, A))
    ]
    for scene in (scenes.audited("bgp", *nodes), scenes.traced("bgp", *nodes)):
        assert not scenes.found(reverse_path.CHECKS, scene)


@pytest.mark.parametrize(
    ("version", "felix", "codes"),
    [
        ("v3.1.3", {}, ["rp-filter-loose"]),
        ("v3.8.9", {}, ["rp-filter-loose"]),
        ("v3.1.3", {"ignoreLooseRPF": "true"}, []),
        ("v3.13.0", {}, []),
        ("", {}, []),
    ],
)
def test_old_felix_does_not_run_with_a_loose_filter(version: str, felix: dict[str, str], codes: list[str]) -> None:
    lists = {"calico_version": version, "felix": (FelixConfiguration("default", felix),)}
    scene = scenes.audited("bgp", node("bgp", [], [], values(2)), **lists)
    assert [one.code for one in scenes.found(reverse_path.CHECKS, scene)] == codes


def test_settings_that_were_not_read_are_unchecked() -> None:
    facts = seed.node("bgp", B, complete=seed.EVERYTHING - {"sysctls"})
    said = scenes.unchecked(reverse_path.CHECKS, scenes.audited("bgp", facts))
    assert [(one.code, one.node) for one in said] == [("rp-filter-strict", B)]


@pytest.mark.parametrize("name", scenes.HEALTHY)
def test_healthy_recordings_are_silent(name: str) -> None:
    for each in scenes.healthy(name):
        assert not scenes.found(reverse_path.CHECKS, each)
