"""What a diagnosis looks at: the facts, and which nodes, pods and blocks of them are in question.

For a trace those are its two ends and the nodes on its way; for an audit everything. Checks read this and nothing else.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Any, TypeVar

from calitui.diagnosis.entry import Entry
from calitui.facts.cluster import Block, Cluster, Node, Pod
from calitui.facts.node import Link, NodeFacts
from calitui.trace.fabric import Fabric, Place
from calitui.trace.finding import Unchecked
from calitui.trace.path import Trace

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
T = TypeVar("T")


class Scene:
    """Facts and what is in question of them. `trace` is None in an audit."""

    def __init__(self, cluster: Cluster, nodes: Iterable[NodeFacts], trace: Trace | None = None) -> None:
        """`nodes` are those that were read; others of the cluster are known by the API alone."""
        self.cluster = cluster
        self.trace = trace
        self.facts = {facts.name: facts for facts in nodes}
        self.fabric = Fabric(cluster, self.facts.values())
        self._made: dict[Callable[[Scene], Any], Any] = {}

    def of(self, make: Callable[[Scene], T]) -> T:
        """What `make` makes of this scene, made once however many checks ask for it."""
        if make not in self._made:
            self._made[make] = make(self)
        made: T = self._made[make]
        return made

    # what is in question

    @cached_property
    def nodes(self) -> tuple[str, ...]:
        """The nodes in question, by name: those on the trace's way, or all that the API or a reading knows."""
        if self.trace is None:
            return tuple(dict.fromkeys([*(node.name for node in self.cluster.nodes), *self.facts]))
        ends = (self.trace.source, self.trace.destination)
        crossed = (hop.node for way in self.trace.directions for hop in way.hops)
        return tuple(dict.fromkeys(name for name in (*(end.node for end in ends), *crossed) if name))

    @cached_property
    def pods(self) -> tuple[Pod, ...]:
        """The pods in question that have a network namespace and addresses: the trace's ends, or all that run."""
        running = (pod for pod in self.cluster.pods if pod.ips and pod.node and not pod.host_network)
        if self.trace is None:
            return tuple(pod for pod in running if not pod.is_finished)
        ends = {(end.namespace, end.name) for end in (self.trace.source, self.trace.destination)}
        return tuple(pod for pod in running if (pod.namespace, pod.name) in ends and not pod.is_finished)

    @cached_property
    def blocks(self) -> tuple[Block, ...]:
        """The IPAM blocks in question: those around the pods of a trace, or all; deleted ones are none."""
        living = tuple(block for block in self.cluster.blocks if not block.deleted and network(block.cidr) is not None)
        if self.trace is None:
            return living
        wanted = {ip for pod in self.pods for ip in pod.ips}
        return tuple(block for block in living if any(_inside(ip, block.cidr) for ip in wanted))

    # what is known of it

    def node(self, name: str) -> Node:
        """What the API says of a node; one that it does not know has its name only."""
        return self.fabric.node(name) or Node(name)

    def place(self, name: str) -> Place | None:
        """The node's own namespace as it was read."""
        return self.fabric.place(name)

    def read(self, entry: Entry, *sections: str) -> Iterator[Place | Unchecked]:
        """Each node in question: its place where all `sections` were read to their end, else that it is unchecked."""
        for name in self.nodes:
            place = self.place(name)
            if place is None:
                yield entry.unchecked(name, self.why_unread(name))
            elif unread := next((section for section in sections if not place.read(section)), None):
                why = self.why_unread(name, unread)
                yield entry.unchecked(name, why if why.startswith(unread) else f"{unread}: {why}")
            else:
                yield place

    def why_unread(self, node: str, what: str = "node") -> str:
        """Why a node, or a section of it, is not there."""
        return self.fabric.why_not_read(node, what)

    def cluster_missing(self, *whats: str) -> str | None:
        """The reason one of the cluster's lists (`IPPools`, ...) was not read whole, None if all were."""
        for what in whats:
            entry = self.fabric.missing(what)
            if entry is not None:
                return f"{what}: {entry.reason}"
        return None

    def felix(self, node: str, name: str) -> str | None:
        """A setting of Felix on a node, as text: its own FelixConfiguration wins over `default`. None where unset."""
        specs = {configuration.name: configuration.spec for configuration in self.cluster.felix}
        return specs.get(f"node.{node}", {}).get(name) or specs.get("default", {}).get(name)

    def is_since(self, major: int, minor: int) -> bool | None:
        """Whether the cluster's Calico is of that version or later, None where its version is not known."""
        parts = self.cluster.calico_version.removeprefix("v").split(".")
        try:
            return (int(parts[0]), int(parts[1])) >= (major, minor)
        except (ValueError, IndexError):
            return None

    # where it was read, for evidence

    @staticmethod
    def line(place: str, command: str, text: str) -> str:
        """A verbatim line with where it is from: `k8s-calico2 ip route: ...`."""
        return f"{place} {command}: {text}"

    @staticmethod
    def link_line(place: Place, link: Link) -> str:
        """The line `ip link` prints, without the offload sizes at its end."""
        return next(iter(place.evidence(link)), "")


def address(text: str | None) -> Address | None:
    """An address without its mask, None if it is none."""
    try:
        return ipaddress.ip_address((text or "").partition("/")[0])
    except ValueError:
        return None


def network(cidr: str | None) -> Network | None:
    """A prefix, host bits cleared, None if it is none."""
    try:
        return ipaddress.ip_network(cidr or "", strict=False)
    except ValueError:
        return None


def _inside(ip: str, cidr: str) -> bool:
    found, around = address(ip), network(cidr)
    return found is not None and around is not None and found.version == around.version and found in around
