"""Plans: what will be done in which words, and why it can't be."""

from __future__ import annotations

import subprocess

import msgspec
import pytest

from calitui.facts.cluster import FelixConfiguration
from calitui.facts.missing import Missing
from calitui.facts.node import NodeFacts
from calitui.proof.plan import CannotProve, ProofPlan, ProofRequest, plan
from calitui.trace.path import Endpoint, Trace
from tests.lab.needs import LabUnavailableError, program
from tests.trace import seed

PATTERN = bytes(range(16))
A, B = "k8s-calico2", "k8s-calico3"


def planned(
    trace: Trace | None = None,
    nodes: tuple[NodeFacts, ...] | None = None,
    request: ProofRequest | None = None,
    *,
    exec_in_pods: bool = False,
) -> ProofPlan | CannotProve:
    facts = seed.pair("ipip") if nodes is None else nodes
    found = trace if trace is not None else seed.run("ipip")
    asked = request or ProofRequest()
    return plan(found, facts, seed.cluster("Always"), asked, PATTERN, exec_in_pods=exec_in_pods)


def made(
    trace: Trace | None = None,
    nodes: tuple[NodeFacts, ...] | None = None,
    request: ProofRequest | None = None,
    *,
    exec_in_pods: bool = False,
) -> ProofPlan:
    found = planned(trace, nodes, request, exec_in_pods=exec_in_pods)
    assert isinstance(found, ProofPlan), found
    return found


FAR = (
    "(icmp and (icmp[0]=8 or icmp[0]=0) and (host 192.168.97.1 or host 192.168.210.129)) or (icmp and (icmp[0]=3 or "
    "icmp[0]=11) and (dst host 192.168.97.1 or dst host 192.168.210.129 or dst host 10.173.32.23 or dst host "
    "10.173.32.26)) or (ip proto 4 and (ip[29]=1 and (ip[32:4]=0xc0a86101 or ip[36:4]=0xc0a86101 or "
    "ip[32:4]=0xc0a8d281 or ip[36:4]=0xc0a8d281))) or (ip and udp dst port 4789 and (ip[59]=1 and "
    "(ip[62:4]=0xc0a86101 or ip[66:4]=0xc0a86101 or ip[62:4]=0xc0a8d281 or ip[66:4]=0xc0a8d281)))"
)
NEAR = (
    "(icmp and (icmp[0]=8 or icmp[0]=0) and (host 192.168.97.1 or host 192.168.210.129)) or (icmp and (icmp[0]=3 or "
    "icmp[0]=11) and (dst host 192.168.97.1 or dst host 192.168.210.129))"
)


def test_the_sentences_say_everything_that_will_be_run() -> None:
    assert made().sentences == (
        "Send 3 ICMP echo requests from huang1/huangtest-69d9fddd97-2b8hr to huang2/hhh-6897d64fcd-kqsj4:",
        "  k8s-calico2: nsenter --net=/proc/4711/ns/net ping -n -c 3 -s 56 192.168.210.129",
        "Meanwhile watch for these packets, 200 of them and 20 s at the most in each place:",
        f"  k8s-calico2, k8s-calico3: timeout 20 tcpdump -i any -n -p -c 200 -s 192 -w - '{FAR}'",
        "  k8s-calico2 in /proc/4711/ns/net, k8s-calico3 in /proc/4711/ns/net: timeout 20 tcpdump -i any -n -p -c 200 "
        f"-s 192 -w - '{NEAR}'",
        "Then send up to 8 more echo requests from the same place, of up to 1440 bytes and not to be fragmented, to "
        "find the largest packet that passes.",
        "Before and after, each node's packet filter and the counters of its devices are read.",
        "Nothing is changed and nothing stays: all of it ends by itself, or at once when calitui does.",
    )


def test_what_is_sent_and_watched() -> None:
    found = made()
    assert (found.probe.namespace, found.probe.holds, found.probe.pod) == ("/proc/4711/ns/net", "192.168.97.1", None)
    assert [(one.node, one.container) for one in found.watches] == [
        (A, None),
        (B, None),
        (A, "192.168.97.1"),
        (B, "192.168.210.129"),
    ]
    assert found.sizes is not None
    assert (found.sizes.sends, found.sizes.carries, found.sizes.overhead) == (1440, 1440, 20)
    assert found.token.carriers == {"10.173.32.23", "10.173.32.26"}
    assert found.token.pattern != found.token.size_pattern


def test_a_named_namespace_is_entered_by_its_path() -> None:
    facts = seed.pair("ipip")
    named = msgspec.structs.replace(facts[0].containers[0], found_by="/run/netns/cni-0c4f")
    found = made(nodes=(msgspec.structs.replace(facts[0], containers=(named,)), facts[1]))
    assert found.probe.namespace == "/run/netns/cni-0c4f"


@pytest.mark.parametrize("path", ["/run/netns/..", "/run/netns/a;reboot", "/etc/passwd", "-1", "/proc/1/ns/net x", ""])
def test_a_path_that_is_none_of_a_namespace_is_not_entered(path: str) -> None:
    facts = seed.pair("ipip")
    named = msgspec.structs.replace(facts[0].containers[0], found_by=path)
    found = planned(nodes=(msgspec.structs.replace(facts[0], containers=(named,)), facts[1]))
    assert isinstance(found, CannotProve)
    assert "can't be entered" in found.reasons[0]


def _without_root() -> tuple[NodeFacts, ...]:
    bare = seed.without_container(seed.node("ipip", A))
    reason = "reading other network namespaces needs root"
    return (msgspec.structs.replace(bare, missing=(Missing("containers", reason, A),)), seed.node("ipip", B))


def test_without_root_there_is_no_plan_or_the_pod_sends() -> None:
    found = planned(nodes=_without_root())
    assert isinstance(found, CannotProve)
    (reason,) = found.reasons
    assert "reading other network namespaces needs root" in reason
    assert reason.endswith("try --sudo")
    instead = made(nodes=_without_root(), exec_in_pods=True)
    assert instead.probe.pod == "huang1/huangtest-69d9fddd97-2b8hr"
    assert instead.sizes is None
    assert instead.sentences[1].startswith("  kubectl exec -n huang1 huangtest-69d9fddd97-2b8hr -- ping")
    assert any("the inside of huang1/huangtest" in note for note in instead.notes)


def test_nodes_that_can_not_be_watched_are_said_so() -> None:
    unread = NodeFacts(B, "ssh", missing=(Missing("node", "connection refused", B),))
    found = made(nodes=(seed.node("ipip", A), unread))
    assert [one.node for one in found.watches] == [A, A]
    assert f"{B} is not watched: connection refused" in found.notes
    assert f"{B} is not watched: connection refused" in found.sentences


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (ProofRequest(count=11), "it can be 1 to 10"),
        (ProofRequest(count=0), "it can be 1 to 10"),
        (ProofRequest(port=80), "ICMP has no ports"),
        (ProofRequest(protocol="tcp"), "TCP needs the port"),
        (ProofRequest(protocol="udp", port=70000), "UDP needs the port"),
        (ProofRequest(protocol="sctp", port=1), "choose icmp, tcp or udp"),
    ],
)
def test_requests_that_can_not_be_met(request_: ProofRequest, words: str) -> None:
    found = planned(request=request_)
    assert isinstance(found, CannotProve)
    assert words in found.reasons[0]


def test_sources_that_nothing_can_be_sent_from() -> None:
    trace = seed.run("ipip")
    outside = msgspec.structs.replace(trace, source=Endpoint(kind="external", ip="8.8.8.8"))
    unread = (NodeFacts(A, "ssh", missing=(Missing("node", "no route to host", A),)), seed.node("ipip", B))
    pasted = (msgspec.structs.replace(seed.node("ipip", A), via="files"), seed.node("ipip", B))
    other = Endpoint(kind="pod", namespace="x", name="y", node=B, ip="fd98::2")
    cases = (
        (planned(outside), "outside of the cluster"),
        (planned(nodes=unread), "no route to host"),
        (planned(nodes=pasted), "was read from files"),
        (planned(msgspec.structs.replace(trace, destination=other)), "two families"),
    )
    for found, words in cases:
        assert isinstance(found, CannotProve)
        assert words in found.reasons[0]


def test_a_node_itself_sends_without_entering_anything() -> None:
    trace = seed.run("ipip")
    host = msgspec.structs.replace(trace.source, kind="node", name=A, namespace=None, ip="10.173.32.23")
    found = made(trace=msgspec.structs.replace(trace, source=host))
    assert (found.probe.namespace, found.probe.holds) == ("", None)


def test_tcp_watches_its_port_and_tries_no_sizes() -> None:
    found = made(request=ProofRequest(protocol="tcp", port=80, count=2))
    assert found.sizes is None
    assert found.token.pattern == b""
    assert "tcp port 80" in found.watches[0].filter
    assert "(ip[40:2]=80 or ip[42:2]=80)" in found.watches[0].filter
    assert found.sentences[0].startswith("Send 2 TCP connections from")


def test_a_vxlan_port_of_ones_own_is_watched() -> None:
    cluster = seed.cluster("Always")
    felix = (FelixConfiguration("default", {"vxlanPort": "8472"}),)
    cluster = msgspec.structs.replace(cluster, felix=felix)
    found = plan(seed.run("ipip"), seed.pair("ipip"), cluster, ProofRequest(), PATTERN)
    assert isinstance(found, ProofPlan)
    assert found.vxlan_ports == (8472, 4789)
    assert "udp dst port 8472" in found.watches[0].filter


FAMILIES = [("192.168.97.1", "192.168.210.129"), ("fd97::1", "fd98::2")]


@pytest.mark.lab
@pytest.mark.parametrize("ends", FAMILIES)
@pytest.mark.parametrize(("protocol", "port"), [("icmp", None), ("tcp", 80), ("udp", 53)])
def test_tcpdump_takes_the_filters(ends: tuple[str, str], protocol: str, port: int | None) -> None:
    from calitui.proof import filters

    try:
        program("tcpdump")
    except LabUnavailableError as error:
        pytest.skip(str(error))
    for outer_six in (False, True):
        text = filters.plain(protocol, ends, port, ("10.0.0.1", "fd00::1"))
        text += f" or {filters.tunnelled(protocol, ends, port, 4789, outer_six=outer_six)}"
        words = ["tcpdump", "-i", "any", "-y", "LINUX_SLL2", "-d", text]
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=20)
        assert done.returncode == 0, done.stderr
