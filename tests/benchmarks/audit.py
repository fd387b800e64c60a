"""`python -m tests.benchmarks.audit`: what judging a whole cluster costs, from 100 to 1,000 nodes with a block each.

Facts as a healthy IPIP mesh has them: each node a route to every other block, BIRD with a session and a route for each.
With one broken node in ten besides, so that findings are made and grouped. Nothing is asserted: the numbers are printed
side by side, beside a plain loop over all pairs that only compares two texts.
"""

from __future__ import annotations

import time

from calitui.diagnosis.matrix import audit
from calitui.facts.cluster import Block, BlockAffinity, Cluster, IPPool, Node, Pod
from calitui.facts.node import Address, Link, NetworkNamespace, NodeFacts, Route
from calitui.trace.veth import veth_name

SIZES = (100, 300, 1_000)
COMPLETE = frozenset({"links", "addresses", "routes", "routes6", "rules", "rules6", "neighbours", "sysctls"})


def main() -> None:
    """Print a line for each size, healthy and broken."""
    print("   nodes      pairs   healthy: audit   pairs/s   x loop   growth   broken: audit   findings   growth")
    first: tuple[float, float] | None = None
    for size in SIZES:
        cluster, nodes = _cluster(size)
        loop = _timed(lambda nodes=nodes: _loop(nodes))
        healthy = _timed(lambda cluster=cluster, nodes=nodes: audit(cluster, nodes))
        ill = _broken(nodes)
        broken = _timed(lambda cluster=cluster, ill=ill: audit(cluster, ill))
        found = len(audit(cluster, ill).findings)
        first = first or (healthy, broken)
        pairs = size * (size - 1)
        print(
            f"{size:8,} {pairs:10,} {healthy:13.2f} s {pairs / healthy:10,.0f} {healthy / loop:7.1f}x "
            f"{healthy / first[0]:7.1f}x {broken:13.2f} s {found:10,} {broken / first[1]:8.1f}x"
        )


def _timed(work: object) -> float:
    assert callable(work)
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _loop(nodes: list[NodeFacts]) -> int:
    """The least that anybody has to do: look at each route of each node once."""
    same = 0
    for facts in nodes:
        assert facts.host is not None
        for route in facts.host.routes:
            same += route.gateway == route.prefix
    return same


def _address(number: int) -> str:
    return f"10.{number // 250}.{number % 250}.7"


def _block(number: int) -> str:
    return f"100.{64 + number // 1024}.{number // 4 % 256}.{number % 4 * 64}/26"


def _pod_ip(number: int) -> str:
    base, _, last = _block(number).partition("/")[0].rpartition(".")
    return f"{base}.{int(last) + 5}"


def _cluster(size: int) -> tuple[Cluster, list[NodeFacts]]:
    names = [f"node-{number:04}" for number in range(size)]
    pods = tuple(
        Pod("shop", f"pod-{number}", name, (_pod_ip(number),), "Running", "Running")
        for number, name in enumerate(names)
    )
    cluster = Cluster(
        context="benchmark",
        calico_version="v3.28.0",
        datastore="kdd",
        pods=pods,
        nodes=tuple(
            Node(
                name,
                internal_ips=(_address(number),),
                ready=True,
                bgp_address=f"{_address(number)}/8",
                ipip_address=_tunnel(number),
            )
            for number, name in enumerate(names)
        ),
        pools=(IPPool("default", "100.64.0.0/10", ipip_mode="Always", block_size=26),),
        blocks=tuple(Block(_block(number), name) for number, name in enumerate(names)),
        affinities=tuple(BlockAffinity(name, _block(number), "confirmed") for number, name in enumerate(names)),
        policies=(),
    )
    return cluster, [_facts(number, name, size) for number, name in enumerate(names)]


def _veth(number: int) -> str:
    return veth_name("shop", f"pod-{number}")


def _tunnel(number: int) -> str:
    return _block(number).partition("/")[0]


def _facts(number: int, name: str, size: int) -> NodeFacts:
    routes = [
        _route("0.0.0.0/0", "default via 10.0.0.1 dev eth0", gateway="10.0.0.1", device="eth0"),
        _route("10.0.0.0/8", "10.0.0.0/8 dev eth0 proto kernel scope link", device="eth0", protocol="kernel"),
        _route(f"{_pod_ip(number)}/32", f"{_pod_ip(number)} dev {_veth(number)} scope link", device=_veth(number)),
        _route(_block(number), f"blackhole {_block(number)} proto bird", kind="blackhole", protocol="bird"),
    ]
    routes += [
        _route(
            _block(other),
            f"{_block(other)} via {_address(other)} dev tunl0 proto bird onlink",
            gateway=_address(other),
            device="tunl0",
            protocol="bird",
        )
        for other in range(size)
        if other != number
    ]
    links = (
        Link(
            2,
            "eth0",
            ("BROADCAST", "UP", "LOWER_UP"),
            1500,
            "UP",
            addresses=(Address(_address(number), 8),),
            text="2: eth0",
        ),
        Link(
            3,
            "tunl0",
            ("NOARP", "UP", "LOWER_UP"),
            1480,
            kind="ipip",
            addresses=(Address(_tunnel(number), 32),),
            text="3: tunl0",
        ),
        Link(
            4, _veth(number), ("BROADCAST", "UP", "LOWER_UP"), 1480, "UP", kind="veth", text=f"4: {_veth(number)}@if3"
        ),
    )
    sysctls = {"ipv4/ip_forward": "1"}
    host = NetworkNamespace(links=links, routes=tuple(routes), sysctls=sysctls, complete=COMPLETE)
    return NodeFacts(name, "ssh", read_at=1.0, host=host)


def _route(
    prefix: str,
    text: str,
    *,
    kind: str = "unicast",
    gateway: str | None = None,
    device: str | None = None,
    protocol: str = "",
) -> Route:
    return Route(prefix, kind, gateway, device, protocol=protocol, text=text)


def _broken(nodes: list[NodeFacts]) -> list[NodeFacts]:
    """One node in ten that lost its routes through the tunnel."""
    found = []
    for number, facts in enumerate(nodes):
        assert facts.host is not None
        kept = tuple(route for route in facts.host.routes if number % 10 or route.device != "tunl0")
        host = NetworkNamespace(
            links=facts.host.links, routes=kept, sysctls=facts.host.sysctls, complete=facts.host.complete
        )
        found.append(NodeFacts(facts.name, facts.via, read_at=facts.read_at, host=host))
    return found


if __name__ == "__main__":
    main()
