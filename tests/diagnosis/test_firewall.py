"""What packet filters of nodes do to pods' packets, tunnels and BGP: findings on the article's clusters."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calitui.diagnosis.diagnose import diagnose
from calitui.diagnosis.firewall import checks as firewall
from calitui.diagnosis.scene import Scene
from calitui.facts.bird import Bird
from calitui.facts.cluster import Block, Cluster, FelixConfiguration
from calitui.facts.missing import Missing
from calitui.facts.node import NodeFacts
from calitui.facts.packet_filter import PacketFilter
from calitui.nodes.parse.bird import parse_bird
from calitui.nodes.parse.packet_filter import parse_packet_filter
from calitui.trace.finding import Finding, Severity, Unchecked
from calitui.trace.path import Trace
from tests.diagnosis.filters import DOCKER, FIREWALLD, UFW, calico
from tests.trace import seed

A, B = "k8s-calico2", "k8s-calico3"
VETHS = {"ipip": {A: "cali3683f65394b", B: "cali5ce61eb6bc2"}, "bgp": {A: "calic285cddbb40", B: "calif6874dae1d2"}}
BLOCKS = {
    "ipip": {A: "192.168.97.0/26", B: "192.168.210.128/26"},
    "bgp": {A: "192.168.97.0/26", B: "192.168.210.192/26"},
}


def node(which: str, name: str, **sections: str) -> NodeFacts:
    """A node with a filter; sections by their names with `_` for `-`."""
    read = parse_packet_filter({key.replace("_", "-"): text for key, text in sections.items()})
    return msgspec.structs.replace(seed.node(which, name), packet_filter=read)


def healthy(which: str, name: str) -> NodeFacts:
    return node(which, name, iptables_nft=calico(VETHS[which][name]))


def cluster(which: str, **changes: object) -> Cluster:
    facts = seed.cluster("Always" if which == "ipip" else "Never")
    blocks = tuple(Block(cidr, name) for name, cidr in BLOCKS[which].items())
    nodes = tuple(one for one in facts.nodes if one.name in (A, B))
    return msgspec.structs.replace(facts, **{"blocks": blocks, "nodes": nodes, "cluster_type": "k8s,bgp", **changes})


def said(which: str, nodes: Iterable[NodeFacts], trace: bool = True, **changes: object) -> list[Finding | Unchecked]:
    facts = cluster(which, **changes)
    nodes = tuple(nodes)
    found: Trace | None = seed.run(which, *nodes, cluster_facts=facts) if trace else None
    scene = Scene(facts, nodes, found)
    return [one for check in firewall.CHECKS for one in check(scene)]


def findings(which: str, nodes: Iterable[NodeFacts], trace: bool = True, **changes: object) -> list[Finding]:
    told = (one for one in said(which, nodes, trace, **changes) if isinstance(one, Finding))
    return [one for one in told if one.code != "policy-drops-counted"]


@pytest.mark.parametrize("which", ["ipip", "bgp"])
@pytest.mark.parametrize("trace", [True, False])
@pytest.mark.parametrize("policy", ["ACCEPT", "DROP"])
def test_calico_with_kube_proxy_is_no_finding(which: str, trace: bool, policy: str) -> None:
    nodes = [node(which, name, iptables_nft=calico(VETHS[which][name], policy=policy)) for name in (A, B)]
    assert findings(which, nodes, trace) == []
    assert not any(isinstance(one, Unchecked) for one in said(which, nodes, trace))


@pytest.mark.parametrize("trace", [True, False])
def test_nodes_that_filter_nothing_are_no_finding(trace: bool) -> None:
    nodes = [msgspec.structs.replace(seed.node("ipip", name), packet_filter=PacketFilter()) for name in (A, B)]
    assert said("ipip", nodes, trace) == []


@pytest.mark.parametrize("trace", [True, False])
def test_docker_that_drops_what_nobody_accepts(trace: bool) -> None:
    (found,) = findings("bgp", [healthy("bgp", A), node("bgp", B, iptables_nft=DOCKER)], trace)
    assert (found.code, found.node, found.severity) == ("firewall-drops-forwarded", B, Severity.ERROR)
    assert f"{B} iptables-nft-save -c: chain ip filter FORWARD: :FORWARD DROP [0:0]" in found.evidence
    assert found.fix[0] == f"ssh {B} sudo iptables-nft -t filter -P FORWARD ACCEPT"
    assert "the policy of chain FORWARD of table filter (iptables-nft) drops them" in found.summary
    assert not trace or "packets between huang2/hhh-6897d64fcd-4zph4 and huang1/" in found.summary


@pytest.mark.parametrize("trace", [True, False])
def test_a_rejection_before_calico(trace: bool) -> None:
    rule = '[7:420] -A FORWARD -m comment --comment "$(reboot)" -j REJECT --reject-with icmp-host-prohibited'
    changed = node("ipip", A, iptables_nft=calico(VETHS["ipip"][A], first=rule))
    (found,) = findings("ipip", [changed, healthy("ipip", B)], trace)
    assert (found.code, found.node) == ("firewall-drops-forwarded", A)
    assert found.evidence[1] == f"{A} iptables-nft-save -c: chain ip filter FORWARD: {rule}"
    assert found.fix[1] == f"ssh {A} sudo iptables-nft -t filter -D FORWARD 1"
    assert not any("reboot" in line for line in found.fix)


def test_a_rejection_behind_calico_is_left_open() -> None:
    """What a policy accepted has passed Calico's rule before, and whether one does depends on an ipset."""
    rule = "[0:0] -A FORWARD -j REJECT --reject-with icmp-host-prohibited"
    nodes = [node("ipip", name, iptables_nft=calico(VETHS["ipip"][name], last=rule)) for name in (A, B)]
    assert findings("ipip", nodes) == []


def test_what_a_policy_drops_is_no_firewall() -> None:
    text = calico(VETHS["ipip"][B]).replace("-j MARK --set-xmark 0x10000/0x10000", "-j RETURN")
    assert findings("ipip", [healthy("ipip", A), node("ipip", B, iptables_nft=text)]) == []


def test_firewalld_forwards_nothing_and_lets_no_tunnel_in() -> None:
    text = calico(VETHS["ipip"][B])
    found = findings("ipip", [healthy("ipip", A), node("ipip", B, iptables_nft=text, nft=FIREWALLD)])
    assert [(one.code, one.node, one.severity) for one in found] == [
        ("firewall-drops-forwarded", B, Severity.ERROR),
        ("firewall-drops-tunnel", B, Severity.WARNING),
    ]
    assert found[0].fix[0].startswith(f"ssh {B} sudo systemctl disable --now firewalld")
    assert found[0].evidence[-1] == (
        f"{B} nft list ruleset: chain inet firewalld filter_FWD_public: reject with icmpx admin-prohibited"
    )
    assert "IPIP packets (IP protocol 4) between it and k8s-calico2 unless they answer" in found[1].summary


def test_ufw() -> None:
    found = findings("bgp", [healthy("bgp", A), node("bgp", B, iptables_legacy=UFW)], cluster_type="")
    assert not [one for one in found if one.code == "firewall-drops-forwarded"]  # pings are let through
    without_pings = "".join(line for line in UFW.splitlines(keepends=True) if "icmp" not in line)
    (dropped,) = findings("bgp", [healthy("bgp", A), node("bgp", B, iptables_legacy=without_pings)], cluster_type="")
    assert dropped.code == "firewall-drops-forwarded"
    assert dropped.fix[0].startswith(f"ssh {B} sudo ufw disable")
    assert dropped.evidence[0] == f"{B} iptables-legacy-save -c: chain ip filter FORWARD: :FORWARD DROP [8:672]"


@pytest.mark.parametrize("trace", [True, False])
def test_ipip_dropped_where_it_comes_in(trace: bool) -> None:
    text = "*filter\n:INPUT ACCEPT [0:0]\n[5:420] -A INPUT -p ipencap -j DROP\nCOMMIT\n"
    (found,) = findings("ipip", [healthy("ipip", A), node("ipip", B, iptables_legacy=text)], trace)
    assert (found.code, found.node, found.severity) == ("firewall-drops-tunnel", B, Severity.ERROR)
    assert found.affected == (A,)
    assert found.evidence[-1].endswith("chain ip filter INPUT: [5:420] -A INPUT -p ipencap -j DROP")
    assert findings("bgp", [healthy("bgp", A), node("bgp", B, iptables_legacy=text)], trace) == []


def test_vxlan_by_the_port_of_this_cluster() -> None:
    pools = tuple(
        msgspec.structs.replace(pool, ipip_mode="Never", vxlan_mode="Always") for pool in cluster("ipip").pools
    )
    felix = (FelixConfiguration("default", {"vxlanPort": "8472"}),)

    def dropping(port: int) -> list[Finding]:
        text = f"table inet t {{\n chain c {{\n  type filter hook output priority 0; policy accept;\n  udp dport {port} drop\n }}\n}}\n"
        nodes = [node("ipip", A, nft=text), healthy("ipip", B)]
        return findings("ipip", nodes, trace=False, pools=pools, felix=felix)

    assert dropping(4789) == []
    (found,) = dropping(8472)
    assert (found.code, found.node, found.severity) == ("firewall-drops-tunnel", A, Severity.ERROR)
    assert "VXLAN packets (UDP port 8472)" in found.summary


BOTH_WAYS = """\
table ip filter {
	chain INPUT {
		type filter hook input priority filter; policy accept;
		ip saddr 10.173.32.23 tcp dport 179 drop
		ip saddr 10.173.32.23 tcp sport 179 drop
	}
}
"""


@pytest.mark.parametrize("trace", [True, False])
def test_bgp_dropped_whoever_dials(trace: bool) -> None:
    (found,) = findings("bgp", [healthy("bgp", A), node("bgp", B, nft=BOTH_WAYS)], trace)
    assert (found.code, found.node, found.affected) == ("firewall-drops-bgp", B, (A,))
    assert "BGP packets (TCP port 179) between it and k8s-calico2" in found.summary


def test_bgp_dropped_one_way_matters_where_the_session_is_down() -> None:
    one_way = BOTH_WAYS.replace("\t\tip saddr 10.173.32.23 tcp sport 179 drop\n", "")
    assert findings("bgp", [healthy("bgp", A), node("bgp", B, nft=one_way)]) == []
    for state, codes in (("Established", []), ("Active", ["firewall-drops-bgp"])):
        answer = parse_bird(
            f"Mesh_10_173_32_26 BGP      master   {'up' if codes == [] else 'start'}    10:00:00    {state}\n"
        )
        speaker = msgspec.structs.replace(
            healthy("bgp", A), birds=(Bird(4, "/var/run/calico/bird.ctl", answer=answer, complete=True),)
        )
        assert [one.code for one in findings("bgp", [speaker, node("bgp", B, nft=one_way)])] == codes


def test_bgp_that_is_up_although_nobody_could_dial_any_more() -> None:
    established = BOTH_WAYS.replace(
        "tcp sport", "ct state established accept\n\t\ttcp dport 1 ip saddr 10.173.32.23 tcp sport"
    )
    dialling = (
        established.replace("hook input", "hook output").replace("INPUT", "OUTPUT").replace("ip saddr", "ip daddr")
    )
    dialling = dialling.replace("table ip filter", "table ip other")
    answer = parse_bird("Mesh_10_173_32_23 BGP      master   up       10:00:00    Established\n")
    filtering = msgspec.structs.replace(
        node("bgp", B, nft=established + dialling),
        birds=(Bird(4, "/var/run/calico/bird.ctl", answer=answer, complete=True),),
    )
    (found,) = findings("bgp", [healthy("bgp", A), filtering])
    assert (found.code, found.node, found.severity) == ("firewall-drops-bgp", B, Severity.WARNING)
    assert "will not come back" in found.summary


def test_two_backends() -> None:
    text = calico(VETHS["bgp"][A])
    harmless = "*filter\n:INPUT ACCEPT [0:0]\n[0:0] -A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\nCOMMIT\n"
    (info,) = findings("bgp", [node("bgp", A, iptables_nft=text, iptables_legacy=harmless), healthy("bgp", B)])
    assert (info.code, info.severity) == ("firewall-two-backends", Severity.INFO)
    odd = harmless.replace("-j ACCEPT", "-j DROP")
    (drops,) = findings("bgp", [node("bgp", A, iptables_nft=text, iptables_legacy=odd), healthy("bgp", B)])
    assert (drops.code, drops.severity) == ("firewall-two-backends", Severity.WARNING)
    assert "rules in iptables-legacy drop packets" in drops.summary
    (stale,) = findings("bgp", [node("bgp", A, iptables_nft=text, iptables_legacy=text), healthy("bgp", B)])
    assert "Calico's rules are in iptables-legacy, old ones are in iptables-nft" in stale.summary
    empty = "*filter\n:INPUT ACCEPT [0:0]\nCOMMIT\n"
    assert findings("bgp", [node("bgp", A, iptables_nft=text, iptables_legacy=empty), healthy("bgp", B)]) == []


def test_drops_of_policies_are_counted() -> None:
    told = [one for one in said("ipip", [healthy("ipip", A), healthy("ipip", B)]) if isinstance(one, Finding)]
    assert {(one.code, one.severity) for one in told} == {("policy-drops-counted", Severity.INFO)}
    assert [one.node for one in told] == [A, B]
    assert told[0].summary.startswith("Policies have dropped 12 packets to huang1/huangtest-69d9fddd97-2b8hr")
    assert "[12:723] -A cali-tw-cali3683f65394b" in told[0].evidence[0]


def test_with_ebpf_pods_packets_pass_by() -> None:
    felix = (FelixConfiguration("default", {"bpfEnabled": "true"}),)
    told = said("bgp", [healthy("bgp", A), node("bgp", B, iptables_nft=DOCKER)], felix=felix)
    assert not [one for one in told if isinstance(one, Finding) and one.code == "firewall-drops-forwarded"]
    assert [one.node for one in told if isinstance(one, Unchecked)] == [A, B]


def test_what_was_not_read_is_said() -> None:
    why = Missing("packet filter", "needs root: run with --sudo", A)
    unread = msgspec.structs.replace(seed.node("ipip", A), missing=(why,))
    told = said("ipip", [unread, healthy("ipip", B)])
    reasons = {(one.code, one.node, one.reason) for one in told if isinstance(one, Unchecked)}
    codes = ("firewall-drops-forwarded", "firewall-drops-tunnel", "firewall-drops-bgp", "policy-drops-counted")
    assert reasons == {(code, A, f"packet filter: {why.reason}") for code in codes}
    odd = node("ipip", A, nft="table ip t {\n odd\n}\n")
    told = said("ipip", [odd, healthy("ipip", B)])
    assert any(isinstance(one, Unchecked) and one.reason.endswith("known: odd") for one in told)


def test_a_drop_explains_the_session_that_is_down() -> None:
    answer = parse_bird("Mesh_10_173_32_26 BGP      master   start    10:00:00    Active\n")
    speaker = msgspec.structs.replace(
        healthy("bgp", A), birds=(Bird(4, "/var/run/calico/bird.ctl", answer=answer, complete=True),)
    )
    nodes = (speaker, node("bgp", B, nft=BOTH_WAYS))
    facts = cluster("bgp")
    found = diagnose(seed.run("bgp", *nodes, cluster_facts=facts), facts, nodes).findings
    assert found[0].code == "firewall-drops-bgp"
    assert "bgp-session-down" not in {one.code for one in found}


@given(st.text(), st.text())
def test_no_filter_raises(one: str, other: str) -> None:
    chain = (
        f"table inet t {{\n chain c {{\n type filter hook forward priority 0; policy drop;\n{one}\n{other}\n }}\n}}\n"
    )
    saved = f"*filter\n:FORWARD DROP [0:0]\n-A FORWARD {one}\n-A FORWARD {other}\nCOMMIT\n"
    said("ipip", [node("ipip", A, nft=chain), node("ipip", B, iptables_nft=saved)])
