"""The article's two clusters as facts, written as the text their nodes print, so that a test can change one line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from calitui.facts.cluster import Cluster, IPPool, Node, Pod
from calitui.facts.node import Address, Container, LookupAnswer, NetworkNamespace, NodeFacts
from calitui.nodes.parse import (
    parse_answer,
    parse_links,
    parse_neighbours,
    parse_routes,
    parse_rules,
    parse_sysctls,
)
from calitui.trace.ends import resolve
from calitui.trace.path import Trace
from calitui.trace.tracing import trace

ADDRESSES = {
    "k8s-calico1": "10.173.32.24",
    "k8s-calico2": "10.173.32.23",
    "k8s-calico3": "10.173.32.26",
    "k8s-calico4": "10.173.32.25",
}
EVERYTHING = frozenset({"links", "addresses", "routes", "routes6", "rules", "rules6", "neighbours", "sysctls"})

RULES = "0:\tfrom all lookup local\n32766:\tfrom all lookup main\n32767:\tfrom all lookup default\n"


def namespace(
    links: str,
    routes: str,
    *,
    rules: str = RULES,
    neighbours: str = "",
    sysctls: str = "",
    complete: Iterable[str] = EVERYTHING,
) -> NetworkNamespace:
    """Facts of one namespace from what its commands print; lines that no grammar covers fail the test."""
    values, odd = parse_sysctls(sysctls)
    parsed = (parse_links(links), parse_routes(routes), parse_rules(rules), parse_neighbours(neighbours))
    assert not odd
    assert not any(part.unparsed for part in parsed), [part.unparsed for part in parsed]
    return NetworkNamespace(
        links=parsed[0].items,
        routes=parsed[1].items,
        rules=parsed[2].items,
        neighbours=parsed[3].items,
        sysctls=values,
        complete=frozenset(complete),
    )


def node_links(name: str, tunnel: str | None, *veths: tuple[int, str]) -> str:
    ip = ADDRESSES[name]
    lines = [
        "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN \\    link/loopback 00:00:00:00:00:00",
        "1: lo    inet 127.0.0.1/8 scope host lo",
        "2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc fq state UP \\    link/ether 02:00:0a:ad:20:17",
        f"2: eth0    inet {ip}/24 brd 10.173.32.255 scope global eth0",
    ]
    if tunnel:
        lines += [
            "3: tunl0@NONE: <NOARP,UP,LOWER_UP> mtu 1440 qdisc noqueue state UNKNOWN \\    link/ipip 0.0.0.0 brd 0.0.0.0"
            " promiscuity 0 \\    ipip any remote any local any ttl inherit nopmtudisc",
            f"3: tunl0    inet {tunnel}/32 scope global tunl0",
        ]
    for index, veth in veths:
        lines.append(
            f"{index}: {veth}@if4: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1440 qdisc noqueue state UP \\    "
            "link/ether ee:ee:ee:ee:ee:ee brd ff:ff:ff:ff:ff:ff link-netnsid 0 promiscuity 0 \\    veth"
        )
    return "\n".join(lines) + "\n"


def node_routes(name: str, *lines: str, tunnel: str | None = None) -> str:
    ip = ADDRESSES[name]
    always = [
        "default via 10.173.32.1 dev eth0",
        f"10.173.32.0/24 dev eth0 proto kernel scope link src {ip}",
        f"local {ip} dev eth0 table local proto kernel scope host src {ip}",
        "local 127.0.0.0/8 dev lo table local proto kernel scope host src 127.0.0.1",
    ]
    if tunnel:
        always.append(f"local {tunnel} dev tunl0 table local proto kernel scope host src {tunnel}")
    return "\n".join((*always, *lines)) + "\n"


def container(ip: str, index: int) -> Container:
    links = (
        "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN \\    link/loopback 00:00:00:00:00:00\n"
        f"4: eth0@if{index}: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1440 qdisc noqueue state UP \\    "
        "link/ether 6a:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff link-netnsid 0 promiscuity 0 \\    veth\n"
        f"4: eth0    inet {ip}/32 scope global eth0\n"
    )
    routes = f"default via 169.254.1.1 dev eth0\n169.254.1.1 dev eth0 scope link\nlocal {ip} dev eth0 table local\n"
    return Container(ip, namespace(links, routes), "4711")


def cluster(ipip: str) -> Cluster:
    """`ipip` is the pool's mode: `Always` is the article's second cluster, `Never` its first."""
    pods = (
        (
            ("huang1", "huangtest-69d9fddd97-2b8hr", "k8s-calico2", "192.168.97.1"),
            ("huang1", "huangtest-69d9fddd97-npwzw", "k8s-calico4", "192.168.210.65"),
            ("huang2", "hhh-6897d64fcd-kqsj4", "k8s-calico3", "192.168.210.129"),
        )
        if ipip == "Always"
        else (
            ("huang1", "huangtest-69d9fddd97-cbzbm", "k8s-calico4", "192.168.211.1"),
            ("huang1", "huangtest-69d9fddd97-pbvvw", "k8s-calico3", "192.168.210.194"),
            ("huang2", "hhh-6897d64fcd-4zph4", "k8s-calico2", "192.168.97.2"),
        )
    )
    host = tuple(
        Pod("kube-system", f"calico-node-{name[-1]}", name, (ip,), "Running", "Running", host_network=True)
        for name, ip in ADDRESSES.items()
    )
    return Cluster(
        context="seed",
        pods=tuple(Pod(ns, name, node, (ip,), "Running", "Running") for ns, name, node, ip in pods) + host,
        nodes=tuple(
            Node(name, internal_ips=(ip,), hostname=name, ready=True, bgp_address=f"{ip}/24")
            for name, ip in ADDRESSES.items()
        ),
        pools=(IPPool("default", "192.168.0.0/16", ipip_mode=ipip, nat_outgoing=True, block_size=26),),
        policies=(),
    )


IPIP_SOURCE = "huang1/huangtest-69d9fddd97-2b8hr"
IPIP_DESTINATION = "huang2/hhh-6897d64fcd-kqsj4"
BGP_SOURCE = "huang2/hhh-6897d64fcd-4zph4"
BGP_DESTINATION = "huang1/huangtest-69d9fddd97-pbvvw"

IPIP_CALICO2 = (
    "192.168.97.1 dev cali3683f65394b scope link",
    "blackhole 192.168.97.0/26 proto bird",
    "192.168.110.64/26 via 10.173.32.24 dev tunl0 proto bird onlink",
    "192.168.210.64/26 via 10.173.32.25 dev tunl0 proto bird onlink",
    "192.168.210.128/26 via 10.173.32.26 dev tunl0 proto bird onlink",
)
IPIP_CALICO3 = (
    "192.168.210.129 dev cali5ce61eb6bc2 scope link",
    "blackhole 192.168.210.128/26 proto bird",
    "192.168.97.0/26 via 10.173.32.23 dev tunl0 proto bird onlink",
)
BGP_CALICO2 = (
    "192.168.97.2 dev calic285cddbb40 scope link",
    "blackhole 192.168.97.0/26 proto bird",
    "192.168.210.192/26 via 10.173.32.26 dev eth0 proto bird",
    "192.168.211.0/26 via 10.173.32.25 dev eth0 proto bird",
)
BGP_CALICO3 = (
    "192.168.210.194 dev calif6874dae1d2 scope link",
    "blackhole 192.168.210.192/26 proto bird",
    "192.168.97.0/26 via 10.173.32.23 dev eth0 proto bird",
)
VETHS = {
    "ipip": {"k8s-calico2": (7, "cali3683f65394b"), "k8s-calico3": (8, "cali5ce61eb6bc2")},
    "bgp": {"k8s-calico2": (7, "calic285cddbb40"), "k8s-calico3": (8, "calif6874dae1d2")},
}
IPS = {
    "ipip": {"k8s-calico2": "192.168.97.1", "k8s-calico3": "192.168.210.129"},
    "bgp": {"k8s-calico2": "192.168.97.2", "k8s-calico3": "192.168.210.194"},
}
TUNNELS = {"k8s-calico2": "192.168.97.0", "k8s-calico3": "192.168.210.128"}
ROUTES = {
    "ipip": {"k8s-calico2": IPIP_CALICO2, "k8s-calico3": IPIP_CALICO3},
    "bgp": {"k8s-calico2": BGP_CALICO2, "k8s-calico3": BGP_CALICO3},
}


def node(
    which: str,
    name: str,
    *,
    without: Iterable[str] = (),
    more: Iterable[str] = (),
    links: Mapping[str, str] | None = None,
    containers: bool = True,
    answers: Iterable[LookupAnswer] = (),
    complete: Iterable[str] = EVERYTHING,
    neighbours: str = "",
    sysctls: str = "",
    rules: str = RULES,
) -> NodeFacts:
    """One node of cluster `which`, with route lines taken out or put in, and words of its link lines replaced."""
    tunnel = TUNNELS[name] if which == "ipip" else None
    veth = VETHS[which][name]
    text = node_links(name, tunnel, veth)
    for old, new in (links or {}).items():
        assert old in text, old
        text = text.replace(old, new)
    routes = node_routes(name, *ROUTES[which][name], *more, tunnel=tunnel)
    for line in without:
        assert line + "\n" in routes, line
        routes = routes.replace(line + "\n", "")
    return NodeFacts(
        name=name,
        via="ssh",
        read_at=1_000_000.0,
        host=namespace(text, routes, rules=rules, neighbours=neighbours, sysctls=sysctls, complete=complete),
        containers=(container(IPS[which][name], veth[0]),) if containers else (),
        answers=tuple(answers),
    )


def pair(which: str, *changed: NodeFacts) -> tuple[NodeFacts, ...]:
    """Both nodes of the article's example, with those in `changed` in the place of the healthy ones."""
    given = {facts.name: facts for facts in changed}
    return tuple(given.get(name) or node(which, name) for name in ("k8s-calico2", "k8s-calico3"))


def answer(destination: str, source: str | None, device: str | None, text: str, error: str = "") -> LookupAnswer:
    """The kernel's words to a question."""
    words = ["ip", "route", "get", destination]
    words += ["from", source] if source else []
    words += ["iif", device] if device else []
    return parse_answer(
        text, destination=destination, error=error, source=source, input_device=device, command=" ".join(words)
    )


def address(ip: str, scope: str = "global") -> Address:
    """An address as a host route's."""
    return Address(ip, 128 if ":" in ip else 32, scope)


def without_container(facts: NodeFacts) -> NodeFacts:
    """The same node read without root."""
    return msgspec.structs.replace(facts, containers=())


def run(which: str, *changed: NodeFacts, cluster_facts: Cluster | None = None) -> Trace:
    """The article's example of cluster `which`, with changed nodes or cluster."""
    facts = cluster_facts or cluster("Always" if which == "ipip" else "Never")
    names = (IPIP_SOURCE, IPIP_DESTINATION) if which == "ipip" else (BGP_SOURCE, BGP_DESTINATION)
    source, destination = (resolve(facts, name) for name in names)
    return trace(facts, pair(which, *changed), source, destination)
