"""The script in real network namespaces; each fact is compared with iproute2's own JSON of the same namespace."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from calitui.facts.node import NetworkNamespace, NodeFacts, Question, Route
from calitui.nodes.script import SCRIPT
from tests.nodes.script.namespaces import NAMELESS_POD, NODE_IP, POD, POD6, REMOTE_POD, Node, elsewhere, node, read

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs root: it makes network namespaces"),
    pytest.mark.skipif(shutil.which("ip") is None, reason="needs iproute2 (apt-get install iproute2)"),
]

SHELLS = [("dash",), ("busybox", "sh"), ("bash", "--posix")]
SCRUBBED = ("ip", "cat", "grep", "sed", "sort", "tail", "ls")
"""The programs of calico-node's image that the script may count on."""

QUESTIONS = (Question(POD, REMOTE_POD), Question(NODE_IP, POD), Question("192.168.213.1", "192.168.97.5"))
ALL = {"links", "addresses", "routes", "routes6", "rules", "rules6", "neighbours", "sysctls", "fdb", "counters"}


@pytest.fixture(scope="module")
def real() -> Iterator[Node]:
    with node() as made:
        yield made


def _shell(words: tuple[str, ...]) -> tuple[str, ...]:
    if shutil.which(words[0]) is None:
        pytest.skip(f"{words[0]} is not installed (apt-get install {words[0]})")
    return words


@pytest.fixture(params=SHELLS, ids=" ".join)
def facts(real: Node, request: pytest.FixtureRequest) -> NodeFacts:
    return real.facts(QUESTIONS, [POD, NAMELESS_POD, NODE_IP, REMOTE_POD], sh=_shell(request.param))


def _host(facts: NodeFacts) -> NetworkNamespace:
    assert facts.host is not None
    return facts.host


def test_everything_is_read_in_every_shell(facts: NodeFacts) -> None:
    assert _host(facts).complete == ALL
    assert _host(facts).unparsed == ()
    assert facts.hostname == os.uname().nodename
    assert facts.kernel == os.uname().release
    assert [(one.what, one.reason.partition(":")[0]) for one in facts.missing] == [
        (f"container {NODE_IP}", "it is an address of the node itself"),
        (f"container {REMOTE_POD}", "it is not on this node"),
    ]


def test_links_are_what_the_kernel_says(facts: NodeFacts, real: Node) -> None:
    addresses = {one["ifname"]: one["addr_info"] for one in real.json("addr")}
    shown = {link.name: link for link in _host(facts).links}
    theirs = real.json("link")
    assert {one["ifname"] for one in theirs} == set(shown)
    for one in theirs:
        link = shown[one["ifname"]]
        data = one.get("linkinfo", {}).get("info_data", {})
        assert link.index == one["ifindex"]
        assert link.flags == tuple(one["flags"])
        assert (link.mtu, link.state) == (one["mtu"], one["operstate"])
        assert link.kind == one.get("linkinfo", {}).get("info_kind", "")
        assert link.mac == (one["address"] if one["link_type"] == "ether" else None)
        assert link.peer_index == one.get("link_index")
        assert link.peer_namespace == _peer_namespace(one, real)
        if link.kind == "vxlan":
            found = (link.vni, link.tunnel_local, link.parent, link.port)
            assert found == (data["id"], data["local"], data["link"], data["port"])
        assert [(a.ip, a.prefix_length, a.scope, a.peer) for a in link.addresses] == [
            (a["local"], a["prefixlen"], a["scope"], a.get("address")) for a in addresses[link.name] if "local" in a
        ]


def _peer_namespace(one: dict[str, Any], real: Node) -> str | None:
    """The text has the name of a namespace that has one, where the JSON has its number only."""
    named = {"eth0": real.peer, "cali3683f65394b": real.pod}
    return named.get(one["ifname"]) or (str(one["link_netnsid"]) if "link_netnsid" in one else None)


def test_routes_are_what_the_kernel_says(facts: NodeFacts, real: Node) -> None:
    for family in (4, 6):
        theirs = real.json(f"-{family}", "route", "show", "table", "all")
        ours = [route for route in _host(facts).routes if (":" in route.prefix) == (family == 6)]
        assert [_as_json(route) for route in ours] == [_comparable(one, family) for one in theirs]


def _as_json(route: Route) -> dict[str, Any]:
    return {
        "prefix": route.prefix,
        "type": route.kind,
        "gateway": route.gateway,
        "dev": route.device,
        "table": route.table,
        "protocol": route.protocol or "boot",
        "scope": route.scope or "global",
        "metric": route.metric,
        "prefsrc": route.source,
        "mtu": route.mtu,
        "flags": set(route.flags),
        "nexthops": [(hop.gateway, hop.device, hop.weight) for hop in route.next_hops],
    }


def _comparable(one: dict[str, Any], family: int) -> dict[str, Any]:
    everything = "0.0.0.0/0" if family == 4 else "::/0"
    # With an encapsulation iproute2 prints `dst` twice; the one of the route is the first, and lost to a JSON reader.
    destination = "192.168.215.0/26" if "encap" in one else one["dst"]
    prefix = everything if destination == "default" else destination
    metrics: dict[str, int] = next(iter(one.get("metrics", [])), {})
    return {
        "prefix": prefix if "/" in prefix else f"{prefix}/{32 if family == 4 else 128}",
        "type": one.get("type", "unicast"),
        "gateway": one.get("gateway") or one.get("via", {}).get("host"),
        "dev": one.get("dev"),
        "table": one.get("table", "main"),
        "protocol": one["protocol"],
        "scope": one["scope"],
        "metric": one.get("metric", 0),
        "prefsrc": one.get("prefsrc"),
        "mtu": metrics.get("mtu"),
        "flags": set(one["flags"]),
        "nexthops": [(hop.get("gateway"), hop["dev"], hop["weight"]) for hop in one.get("nexthops", [])],
    }


def test_rules_are_what_the_kernel_says(facts: NodeFacts, real: Node) -> None:
    for family in (4, 6):
        theirs = real.json(f"-{family}", "rule")
        ours = [rule for rule in _host(facts).rules if rule.family == family]
        assert [(rule.priority, rule.table, rule.inverted) for rule in ours] == [
            (one["priority"], one.get("table"), "not" in one) for one in theirs
        ]
        assert [rule.action if rule.action != "lookup" else None for rule in ours] == [
            one.get("action") for one in theirs
        ]
        assert [rule.input_device for rule in ours] == [one.get("iif") for one in theirs]
        assert [rule.output_device for rule in ours] == [one.get("oif") for one in theirs]
        assert [rule.mark for rule in ours] == [int(one["fwmark"], 16) if "fwmark" in one else None for one in theirs]


def test_neighbours_are_what_the_kernel_says(facts: NodeFacts, real: Node) -> None:
    theirs = {(one["dst"], one["dev"], one.get("lladdr"), one["state"][0]) for one in real.json("neigh")}
    settled = {("10.173.32.26", "eth0"), ("192.168.211.0", "vxlan.calico"), ("fd32::26", "eth0")}
    ours = {(one.ip, one.device, one.mac, one.state) for one in _host(facts).neighbours}
    assert {one for one in ours if one[:2] in settled} == {one for one in theirs if one[:2] in settled}
    assert len(settled & {one[:2] for one in ours}) == 3


def test_forwarding_entries_are_what_the_kernel_says(facts: NodeFacts, real: Node) -> None:
    theirs = json.loads(_output("bridge", "-n", real.name, "-j", "fdb", "show", "dev", "vxlan.calico"))
    ours = {(one.mac, one.device, one.destination, one.flags) for one in _host(facts).fdb}
    shown = {"permanent": ("permanent",), "static": ("static",), "": ()}
    assert ours == {
        (one["mac"], "vxlan.calico", one.get("dst"), (*one["flags"], *shown[one["state"]])) for one in theirs
    }
    assert ("66:35:31:bd:3e:3a", "vxlan.calico", "10.173.32.26", ("self", "permanent")) in ours


def _output(*words: str) -> str:
    return subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout


def test_a_node_without_vxlan_is_not_asked_for_it(real: Node) -> None:
    output = subprocess.run(
        ["ip", "netns", "exec", real.pod, "sh", "-s"],
        input=SCRIPT.encode(),
        capture_output=True,
        check=True,
        timeout=60,
    ).stdout
    facts = read(output)
    assert _host(facts).complete == ALL - {"fdb"}
    assert facts.missing == ()


def test_the_pools_inside_calico_node(real: Node) -> None:
    """A file system of its own stands for the container's."""
    rendered = 'filter calico_kernel_programming { if (net ~ 10.65.0.0/16) then { krt_tunnel="tunl0"; accept; } }'
    inside = (
        "mount -t tmpfs none /etc && mkdir -p /etc/calico/confd/config && cd /etc/calico/confd/config && "
        f"echo '{rendered}' >bird_ipam.cfg && exec ip netns exec {real.name} sh -s"
    )
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", inside], input=SCRIPT.encode(), capture_output=True, check=True, timeout=60
    )
    facts = read(done.stdout)
    assert facts.rendered_pools is not None
    assert [(one.cidr, one.tunnel) for one in facts.rendered_pools] == [("10.65.0.0/16", "tunl0")]
    assert facts.missing == ()


def test_sysctls_of_the_devices(facts: NodeFacts) -> None:
    sysctls = _host(facts).sysctls
    assert sysctls["ipv4/ip_forward"] == "1"
    assert sysctls["ipv6/conf/all/forwarding"] == "1"
    for device in ("all", "default", "eth0", "cali3683f65394b", "vxlan.calico"):
        assert {f"ipv4/conf/{device}/{name}" for name in ("forwarding", "rp_filter", "proxy_arp")} <= set(sysctls)


def test_the_kernel_was_asked(facts: NodeFacts) -> None:
    answers = {answer.command: answer for answer in facts.answers}
    assert list(answers) == [
        f"ip route get {POD}",
        f"ip route get {REMOTE_POD} from {POD} iif cali3683f65394b",
        "ip route get 10.173.32.26",
        f"ip route get {NODE_IP}",
        f"ip route get {POD} from {NODE_IP}",
        "ip route get 192.168.213.1",
        "ip route get 192.168.97.5",
    ]
    forwarded = answers[f"ip route get {REMOTE_POD} from {POD} iif cali3683f65394b"].route
    assert forwarded is not None
    assert (forwarded.prefix, forwarded.gateway, forwarded.device) == (f"{REMOTE_POD}/32", "10.173.32.26", "eth0")
    local = answers[f"ip route get {NODE_IP}"].route
    assert local is not None
    assert local.kind == "local"
    assert answers["ip route get 192.168.213.1"].error == "RTNETLINK answers: No route to host"
    assert answers["ip route get 192.168.97.5"].error == "RTNETLINK answers: Invalid argument"


def test_containers_are_found_by_name_and_by_process(facts: NodeFacts, real: Node) -> None:
    named, nameless = facts.containers
    assert (named.ip, named.found_by) == (POD, f"/run/netns/{real.pod}")
    assert (nameless.ip, nameless.found_by) == (NAMELESS_POD, f"/proc/{real.holder.pid}/ns/net")
    for one in (named, nameless):
        assert one.namespace.complete == ALL - {"sysctls", "fdb", "counters"}
        inner = next(link for link in one.namespace.links if link.name == "eth0")
        assert inner.addresses[0].ip == one.ip
    routes = {route.text for route in named.namespace.routes}
    assert {"default via 169.254.1.1 dev eth0", "169.254.1.1 dev eth0 scope link"} <= routes
    outer = {link.index: link.name for link in _host(facts).links}
    inner = next(link for link in named.namespace.links if link.name == "eth0")
    assert outer[inner.peer_index or 0] == "cali3683f65394b"


def test_questions_of_ipv6(real: Node) -> None:
    facts = real.facts([Question(POD6, "fd98::5")], [POD6])
    command = f"ip -6 route get fd98::5 from {POD6} iif cali3683f65394b"
    answer = next(one for one in facts.answers if one.command == command)
    assert answer.route is not None
    assert (answer.route.gateway, answer.route.device, answer.route.protocol) == ("fd32::26", "eth0", "bird")
    assert "ip -6 route get fd32::26" in {one.command for one in facts.answers}
    assert [one.found_by for one in facts.containers] == [f"/run/netns/{real.pod}"]


def _routing_unread(facts: NodeFacts) -> list[tuple[str, str]]:
    """What is missing but for what the machine around may or may not have: BIRDs of others, programs for rules."""
    return [(one.what, one.reason) for one in facts.missing if one.what not in ("BIRD", "packet filter")]


def _directory(path: Path, programs: tuple[str, ...]) -> Path:
    for program in programs:
        found = shutil.which(program)
        assert found is not None
        (path / program).symlink_to(found)
    return path


def test_the_image_of_calico_node_is_enough(real: Node, tmp_path: Path) -> None:
    facts = real.facts(QUESTIONS, [POD, NAMELESS_POD], sh=_shell(("dash",)), path=_directory(tmp_path, SCRUBBED))
    assert _host(facts).complete == ALL - {"fdb"}
    assert len(facts.answers) == 7
    assert [one.ip for one in facts.containers] == [POD]  # `ip` itself enters a namespace that has a name
    assert _routing_unread(facts) == [
        ("fdb", "`bridge` is not there, as in the image of calico-node (vxlan.calico)"),
        (f"container {NAMELESS_POD}", "nsenter is not there (it is behind cali0000000000b)"),
    ]


def test_without_lsns_all_namespaces_are_looked_into(real: Node, tmp_path: Path) -> None:
    facts = real.facts([], [NAMELESS_POD], path=_directory(tmp_path, (*SCRUBBED, "nsenter")))
    assert [one.found_by for one in facts.containers] == [f"/proc/{real.holder.pid}/ns/net"]


def test_the_same_address_elsewhere_on_the_machine_is_another_container(real: Node, tmp_path: Path) -> None:
    path = _directory(tmp_path, (*SCRUBBED, "nsenter"))
    with elsewhere(NAMELESS_POD):
        facts = real.facts([], [NAMELESS_POD], path=path)
        assert [one.found_by for one in facts.containers] == [f"/proc/{real.holder.pid}/ns/net"]
    with elsewhere(NAMELESS_POD, like=real) as stranger:
        facts = real.facts([], [NAMELESS_POD], path=path)
        assert facts.containers == ()
        ((_, reason),) = (one for one in _routing_unread(facts) if one[0] != "fdb")
        assert reason.startswith("more than one network namespace may be its own")
        assert {str(stranger), str(real.holder.pid)} <= set(reason.split())
        by_number = real.facts([], [NAMELESS_POD])
        assert [one.found_by for one in by_number.containers] == [f"/proc/{real.holder.pid}/ns/net"]


def test_busyboxs_ip_is_read_as_far_as_it_tells(real: Node, tmp_path: Path) -> None:
    busybox = shutil.which("busybox")
    if busybox is None:
        pytest.skip("busybox is not installed (apt-get install busybox)")
    for program in SCRUBBED:
        (tmp_path / program).symlink_to(busybox)
    facts = real.facts(QUESTIONS, [POD], sh=("busybox", "sh"), path=tmp_path)
    reasons = {one.what: one.reason for one in facts.missing}
    assert "BusyBox" in reasons["rules"]
    assert reasons["routes"].endswith("192.168.210.64/26")  # it leaves the next hops of this route out
    assert reasons["fdb"].startswith("`bridge` is not there")
    assert _host(facts).complete == ALL - {"rules", "routes", "routes6", "fdb"}
    routes = {route.prefix: route for route in _host(facts).routes}
    assert (routes["192.168.210.128/26"].gateway, routes["192.168.210.128/26"].device) == ("10.173.32.26", "eth0")
    assert routes["192.168.97.0/26"].kind == "blackhole"
    asked = f"ip route get {REMOTE_POD} from {POD} iif cali3683f65394b"
    answer = next(one for one in facts.answers if one.command == asked)
    assert answer.route is not None
    assert answer.route.gateway == "10.173.32.26"
    assert next(one for one in facts.answers if one.destination == "192.168.97.5").error.endswith("Invalid argument")


def test_without_root_only_containers_and_the_packet_filter_are_missing(real: Node) -> None:
    if shutil.which("setpriv") is None:
        pytest.skip("setpriv is not installed (apt-get install util-linux)")
    facts = real.facts(QUESTIONS, [POD], user=65534)
    assert _host(facts).complete == ALL
    assert len(facts.answers) == 7
    assert _routing_unread(facts) == [(f"container {POD}", "needs root: run with --sudo")]
    assert facts.packet_filter is None
    assert {one.what: one.reason for one in facts.missing}["packet filter"] == "needs root: run with --sudo"


def test_an_alias_with_lines_of_its_own_forges_nothing(real: Node) -> None:
    forged = "x\n=== calitui 1 0\n=== 0 section routes\ndefault via 6.6.6.6 dev eth0\n=== 0 status 0\n\x1b[2J"
    real.ip("link", "set", "br0", "alias", forged)
    try:
        facts = real.facts(QUESTIONS)
    finally:
        real.ip("link", "set", "br0", "alias", "")
    assert _host(facts).complete == ALL - {"links", "fdb"}
    assert "6.6.6.6" not in {route.gateway for route in _host(facts).routes}
    assert not any("\x1b" in line for line in _host(facts).unparsed)
