"""Scenes of the article's clusters and of the recorded demos, for checks of one module at a time."""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib.resources import files

import msgspec
from hypothesis import strategies as st

from calitui.diagnosis.scene import Scene
from calitui.facts.cluster import Block, Cluster, FelixConfiguration, IPPool, Node, Pod
from calitui.facts.node import (
    Address,
    Container,
    Counters,
    ForwardingEntry,
    Link,
    ManagedDevice,
    Neighbour,
    NetworkNamespace,
    NextHop,
    NodeFacts,
    Offload,
    Route,
    Rule,
)
from calitui.facts.snapshot import Snapshot, decode
from calitui.session import demos
from calitui.trace.ends import resolve
from calitui.trace.finding import Finding, Severity, Unchecked
from calitui.trace.tracing import trace
from tests.trace import seed

A, B = "k8s-calico2", "k8s-calico3"
BLOCKS = {
    "ipip": {A: "192.168.97.0/26", B: "192.168.210.128/26"},
    "bgp": {A: "192.168.97.0/26", B: "192.168.210.192/26"},
}
Check = Callable[[Scene], Iterator[Finding | Unchecked]]


def cluster(which: str, **changes: object) -> Cluster:
    """The article's cluster with its blocks, its two nodes only, and Calico's annotations of tunnel addresses."""
    facts = seed.cluster("Always" if which == "ipip" else "Never")
    nodes = tuple(
        msgspec.structs.replace(node, ipip_address=seed.TUNNELS[node.name] if which == "ipip" else None)
        for node in facts.nodes
        if node.name in (A, B)
    )
    blocks = tuple(Block(cidr, node) for node, cidr in BLOCKS[which].items())
    pods = tuple(pod for pod in facts.pods if pod.node in (A, B))
    return msgspec.structs.replace(facts, **{"nodes": nodes, "blocks": blocks, "pods": pods, **changes})


def audited(which: str, *changed: NodeFacts, **changes: object) -> Scene:
    """An audit of the article's cluster with changed nodes or lists."""
    return Scene(cluster(which, **changes), seed.pair(which, *changed))


def traced(which: str, *changed: NodeFacts, **changes: object) -> Scene:
    """The article's example traced."""
    facts = cluster(which, **changes)
    return Scene(facts, seed.pair(which, *changed), seed.run(which, *changed, cluster_facts=facts))


def demo(name: str) -> Snapshot:
    """A recorded demo."""
    return decode((files("calitui.demo") / f"{name}.json").read_bytes(), name)


@cache
def healthy(name: str) -> tuple[Scene, ...]:
    """The scenes of a recorded demo, made once."""
    return tuple(everyday(demo(name)))


HEALTHY = tuple(name for name in demos() if not name.startswith("broken"))


def everyday(snapshot: Snapshot) -> Iterator[Scene]:
    """The audit of a recording, and a trace from each pod to the next ones."""
    yield Scene(snapshot.cluster, snapshot.nodes)
    facts = snapshot.cluster
    pods = [pod for pod in facts.pods if pod.ips]
    for number, pod in enumerate(pods):
        for other in pods[number + 1 : number + 4] + pods[:1]:
            if other is not pod:
                source, destination = (resolve(facts, f"{one.namespace}/{one.name}") for one in (pod, other))
                yield Scene(facts, snapshot.nodes, trace(facts, snapshot.nodes, source, destination))


def found(checks: Iterable[Check], scene: Scene) -> list[Finding]:
    """What checks find."""
    return [said for check in checks for said in check(scene) if isinstance(said, Finding)]


def unchecked(checks: Iterable[Check], scene: Scene) -> list[Unchecked]:
    """What they could not look for."""
    return [said for check in checks for said in check(scene) if isinstance(said, Unchecked)]


def alarms(checks: Iterable[Check], scene: Scene) -> list[str]:
    """Warnings and errors, as codes with their summaries."""
    return [f"{one.code}: {one.summary}" for one in found(checks, scene) if one.severity is not Severity.INFO]


def kinds(checks: Iterable[Check], scene: Scene) -> list[tuple[str, str | None, Severity]]:
    """Code, node and severity of everything found."""
    return [(one.code, one.node, one.severity) for one in found(checks, scene)]


# garbage

_WORDS = st.text(string.printable, max_size=8)
_ADDRESSES = st.sampled_from(
    ["10.0.0.1", "10.0.0.2", "10.244.1.1", "10.244.2.1", "fd00::1", "169.254.1.1", "999.1.1.1", "", "::", "0.0.0.0"]
)
_CIDRS = st.sampled_from(
    ["10.0.0.1/24", "10.0.0.2/24", "10.0.0.9/99", "10.244.0.0/16", "10.244.1.0/26", "fd00::/48", "rubbish", "", "/"]
)
_PREFIXES = st.sampled_from(
    ["0.0.0.0/0", "::/0", "10.244.1.0/26", "10.244.2.0/26", "10.244.2.1/32", "10.0.0.0/24", "fd00::/64"]
)
_DEVICES = st.sampled_from(["eth0", "eth1", "tunl0", "vxlan.calico", "wireguard.cali", "cali1234", "lo", "", "?"])
_NODES = st.sampled_from(["a", "b", "c", ""])
_MODES = st.sampled_from(["Always", "CrossSubnet", "Never", "as Felix decides", ""])
_NUMBERS = st.sampled_from([0, 1, 2, 1280, 1450, 1500, 65536, -1, 10**12])
_FLAGS = st.lists(st.sampled_from(["UP", "LOWER_UP", "NO-CARRIER", "LOOPBACK"]), max_size=3).map(tuple)
_MAYBE = st.none() | _ADDRESSES


def _many(kind: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(kind, max_size=4).map(tuple)


_LINKS = st.builds(
    Link,
    index=st.integers(0, 9),
    name=_DEVICES,
    flags=_FLAGS,
    mtu=st.none() | _NUMBERS,
    mac=st.none() | st.sampled_from(["66:00:00:00:00:01", "ee:ee:ee:ee:ee:ee", ""]),
    kind=st.sampled_from(["", "veth", "ipip", "vxlan", "wireguard"]),
    peer_index=st.none() | st.integers(0, 9),
    addresses=_many(st.builds(Address, ip=_ADDRESSES, prefix_length=st.integers(-1, 129), scope=_WORDS)),
    text=_WORDS,
)
_ROUTES = st.builds(
    Route,
    prefix=_PREFIXES,
    kind=st.sampled_from(["unicast", "blackhole", "local", "throw"]),
    gateway=st.none() | st.sampled_from(["10.0.0.1", "10.0.0.2", "10.244.2.1"]),
    device=st.none() | _DEVICES,
    table=st.sampled_from(["main", "local", "1"]),
    mtu=st.none() | _NUMBERS,
    next_hops=_many(st.builds(NextHop, gateway=st.none() | st.just("10.0.0.2"), device=st.none() | _DEVICES)),
    text=_WORDS,
)
_SECTIONS = ["links", "addresses", "routes", "routes6", "rules", "rules6", "neighbours", "sysctls", "fdb", "counters"]
_SYSCTLS = st.dictionaries(
    st.sampled_from(
        [
            "ipv4/ip_forward",
            "ipv6/conf/all/forwarding",
            "netfilter/nf_conntrack_count",
            "netfilter/nf_conntrack_max",
            *(f"ipv4/conf/{of}/{what}" for of in ("all", "eth0", "tunl0", "cali1234") for what in ("rp_filter", "proxy_arp", "forwarding")),
        ]
    ),
    st.sampled_from(["0", "1", "2", "", "rubbish", "9" * 30]),
)  # fmt: skip
_NAMESPACES = st.builds(
    NetworkNamespace,
    links=_many(_LINKS),
    routes=_many(_ROUTES),
    rules=_many(
        st.builds(
            Rule,
            priority=st.integers(0, 99),
            mark=st.none() | st.integers(0, 9),
            table=st.none() | st.sampled_from(["main", "1"]),
            inverted=st.booleans(),
            text=_WORDS,
        )
    ),
    neighbours=_many(
        st.builds(
            Neighbour, ip=_ADDRESSES, device=_DEVICES, mac=st.none() | _WORDS, state=st.sampled_from(["FAILED", ""])
        )
    ),
    fdb=_many(st.builds(ForwardingEntry, mac=_WORDS, device=_DEVICES, destination=_MAYBE)),
    counters=_many(st.builds(Counters, device=_DEVICES, rx_packets=_NUMBERS, tx_packets=_NUMBERS)),
    sysctls=_SYSCTLS,
    complete=st.frozensets(st.sampled_from(_SECTIONS)) | st.just(frozenset(_SECTIONS)),
)
_FACTS = st.builds(
    NodeFacts,
    name=_NODES,
    via=st.just("ssh"),
    kernel=st.sampled_from(["", "4.18.0-80", "6.1", "rubbish"]),
    host=st.none() | _NAMESPACES,
    containers=_many(st.builds(Container, ip=_ADDRESSES, namespace=_NAMESPACES)),
    pod_mtu=st.none() | _NUMBERS,
    managed_devices=st.none() | _many(st.builds(ManagedDevice, service=st.sampled_from(["NetworkManager", "systemd-networkd", ""]), device=_DEVICES)),
    foreign_routes=st.none() | _many(st.sampled_from(["ManageForeignRoutes=no", "=", ""])),
    offloads=st.none() | _many(st.builds(Offload, device=_DEVICES, feature=st.just("tx-checksum-ip-generic"), on=st.booleans())),
)  # fmt: skip
_CLUSTERS = st.builds(
    Cluster,
    calico_version=st.sampled_from(["", "v3.1.3", "v3.32.1", "rubbish"]),
    pods=_many(
        st.builds(Pod, namespace=_WORDS, name=_WORDS, node=_NODES, ips=_many(_ADDRESSES), host_network=st.booleans())
    ),
    nodes=_many(
        st.builds(
            Node,
            name=_NODES,
            internal_ips=_many(st.sampled_from(["10.0.0.1", "10.0.0.2"])),
            bgp_address=st.none() | _CIDRS,
            bgp_address6=st.none() | _CIDRS,
            ipip_address=_MAYBE,
            vxlan_address=_MAYBE,
            vxlan_mac=st.none() | _WORDS,
            wireguard_key=st.none() | _WORDS,
        )
    ),
    pools=_many(st.builds(IPPool, name=_WORDS, cidr=_CIDRS, ipip_mode=_MODES, vxlan_mode=_MODES)),
    blocks=_many(st.builds(Block, cidr=_CIDRS, node=st.none() | _NODES)),
    felix=_many(
        st.builds(
            FelixConfiguration,
            name=st.sampled_from(["default", "node.a"]),
            spec=st.dictionaries(
                st.sampled_from(["wireguardEnabled", "bpfEnabled", "ipipEnabled", "interfacePrefix"]),
                st.sampled_from(["true", "false", "", "cali,eth"]),
            ),
        )
    ),
)
GARBAGE = st.builds(Scene, _CLUSTERS, _many(_FACTS))
"""Audits of clusters that can't be."""
