"""The cluster as a trace looks at it: who holds an address, what was read of a node, what a pool says.

An index over facts; it decides nothing.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import cached_property

from calitui.facts.cluster import Cluster, IPPool, Node, Pod
from calitui.facts.missing import Missing
from calitui.facts.node import Container, Link, LookupAnswer, NetworkNamespace, NodeFacts, RenderedPool
from calitui.trace.fib import Fib
from calitui.trace.veth import interface_prefixes


class Place:
    """One network namespace that was read: a node's own, or a container's on it.

    `node` is the node's name; `label` names the place in evidence (`k8s-calico2`, `container 192.168.97.1`).
    """

    def __init__(
        self, node: str, label: str, namespace: NetworkNamespace, answers: Iterable[LookupAnswer] = ()
    ) -> None:
        """`answers` are the kernel's own replies to lookups in this namespace."""
        self.node = node
        self.label = label
        self.namespace = namespace
        self._links = {link.name: link for link in namespace.links}
        self._answers = {(answer.destination, answer.source, answer.input_device): answer for answer in answers}

    @cached_property
    def fib(self) -> Fib:
        """The lookup over this namespace's tables."""
        return Fib(self.namespace)

    def read(self, section: str) -> bool:
        """Whether a section was read to its end, so that an absence in it is evidence."""
        return section in self.namespace.complete

    def link(self, name: str | None) -> Link | None:
        """The device of that name."""
        return self._links.get(name) if name else None

    def link_holding(self, ip: str) -> Link | None:
        """The device that carries `ip` as one of its own addresses."""
        for link in self.namespace.links:
            if any(address.ip == ip for address in link.addresses):
                return link
        return None

    def evidence(self, link: Link | None) -> tuple[str, ...]:
        """The line that `ip` prints for a device, without the offload and queue sizes at its end; none if unknown."""
        if link is None or not link.text:
            return ()
        line, sizes, _ = link.text.partition(" promiscuity ")
        return (f"{self.label}: {line}{' …' if sizes else ''}",)

    def answer(self, destination: str, source: str | None, input_device: str | None) -> LookupAnswer | None:
        """What the kernel said to exactly this question, if it was asked."""
        return self._answers.get((destination, source, input_device))

    def sysctl(self, name: str) -> str | None:
        """A value below `net.`, None if it was not read."""
        return self.namespace.sysctls.get(name)


class Fabric:
    """Cluster facts and the nodes that were read, by name and by address."""

    def __init__(self, cluster: Cluster, nodes: Iterable[NodeFacts]) -> None:
        """`nodes` need not be all of the cluster's."""
        self.cluster = cluster
        self.prefixes = interface_prefixes(cluster.felix)
        self._facts = {facts.name: facts for facts in nodes}
        self._nodes = {node.name: node for node in cluster.nodes}
        self._places: dict[str, Place] = {}
        self._containers: dict[tuple[str, str], tuple[Place, Container]] = {}
        """By node and by every address that a container holds."""
        for facts in self._facts.values():
            if facts.host is not None:
                self._places[facts.name] = Place(facts.name, facts.name, facts.host, facts.answers)
            for container in facts.containers:
                place = Place(facts.name, f"container {container.ip}", container.namespace)
                self._containers[facts.name, container.ip] = (place, container)
                held = {address.ip for link in container.namespace.links for address in link.addresses}
                for ip in held - {"127.0.0.1", "::1"}:
                    self._containers.setdefault((facts.name, ip), (place, container))

    def node(self, name: str) -> Node | None:
        """What the API says of a node."""
        return self._nodes.get(name)

    def facts(self, name: str) -> NodeFacts | None:
        """What was read on a node, None if nobody tried."""
        return self._facts.get(name)

    def place(self, node: str) -> Place | None:
        """A node's own namespace, None if it could not be read."""
        return self._places.get(node)

    def container(self, node: str, ip: str) -> tuple[Place, Container] | None:
        """A container's namespace on a node, None if it could not be read."""
        return self._containers.get((node, ip))

    def why_not_read(self, node: str, what: str = "node") -> str:
        """The reason nothing is known of a node, or of a part of it such as `container 10.0.0.1`; a sentence."""
        facts = self._facts.get(node)
        if facts is None:
            return f"{node} was not read"
        for missing in facts.missing:
            if missing.what == what:
                return missing.reason
        whole = ("containers", "node") if what.startswith("container ") else ("node",)
        for missing in facts.missing:
            if missing.what in whole:
                return missing.reason
        return f"{what} was not read on {node}" if what != "node" else f"{node} was not read"

    def node_holding(self, ip: str) -> str | None:
        """The node whose own address `ip` is: by the API, by Calico's annotations, or on a link that was read."""
        return self._by_address.get(ip)

    def pod_holding(self, ip: str) -> Pod | None:
        """The pod with a network namespace of its own that has `ip` now."""
        return self._by_pod_ip.get(ip)

    @cached_property
    def pools(self) -> tuple[IPPool, ...]:
        """The IPPools of the API; without any, what confd rendered for BIRD on a node that was read.

        Of a rendered pool only the prefix and whether it is tunnelled by IPIP is known.
        """
        if self.cluster.pools or self.rendered_by is None:
            return self.cluster.pools
        rendered = self._facts[self.rendered_by].rendered_pools or ()
        name = f"bird_ipam.cfg of {self.rendered_by}"
        return tuple(IPPool(name, pool.cidr, ipip_mode=_rendered_mode(pool)) for pool in rendered)

    @cached_property
    def rendered_by(self) -> str | None:
        """The node whose rendered pools stand in for those of the API, None if none are needed or there."""
        if self.cluster.pools:
            return None
        return next((name for name, facts in self._facts.items() if facts.rendered_pools), None)

    def pool_of(self, ip: str) -> IPPool | None:
        """The IPPool with the longest prefix around `ip`."""
        address = ipaddress.ip_address(ip)
        holding = [pool for pool in self.pools if _covers(pool.cidr, address)]
        return max(holding, key=lambda pool: ipaddress.ip_network(pool.cidr, strict=False).prefixlen, default=None)

    def missing(self, what: str) -> Missing | None:
        """The note that something of the cluster was not read."""
        return next((entry for entry in self.cluster.missing if entry.node is None and entry.what == what), None)

    @cached_property
    def _by_address(self) -> dict[str, str]:
        """By address the node: what one node alone was seen to hold, then what the API says, then what several hold."""
        held: dict[str, dict[str, None]] = {}
        for place in self._places.values():
            for link in place.namespace.links:
                for address in link.addresses:
                    if address.scope == "global":
                        held.setdefault(address.ip, {})[place.node] = None
        found = {ip: next(iter(nodes)) for ip, nodes in held.items() if len(nodes) == 1}
        told: dict[str, str] = {}
        for node in self.cluster.nodes:
            tunnels = (node.ipip_address, node.vxlan_address, node.vxlan_address6, node.wireguard_address)
            annotated = (node.bgp_address, node.bgp_address6)
            for ip in (*node.internal_ips, *node.external_ips, *tunnels, *annotated):
                if ip:
                    told[ip.partition("/")[0]] = node.name
        several = {ip: next(iter(nodes)) for ip, nodes in held.items()}
        return several | told | found

    @cached_property
    def _by_pod_ip(self) -> dict[str, Pod]:
        found: dict[str, Pod] = {}
        for pod in self.cluster.pods:
            if not pod.host_network and not pod.is_finished:
                for ip in pod.ips:
                    found.setdefault(ip, pod)
        return found


def _rendered_mode(pool: RenderedPool) -> str:
    if pool.by_felix:
        return "as Felix decides"
    if pool.tunnel is None:
        return "Never"
    return "CrossSubnet" if pool.cross_subnet else "Always"


def _covers(cidr: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    try:
        network = ipaddress.ip_network(cidr, strict=False)
    except ValueError:
        return False
    return network.version == address.version and address in network
