"""Nodes' addresses as Calico tells them, beside what is seen of them on the nodes: what the address checks look at."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

import msgspec

from calitui.diagnosis.scene import Address, Scene, address
from calitui.facts.cluster import Node
from calitui.facts.node import Link
from calitui.trace.fabric import Place

Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface

LOCAL_ONLY = re.compile(
    r"(lo|docker.*|br-[0-9a-f]{12}|virbr.*|lxcbr.*|lxdbr.*|podman.*|cbr0|cni.*|flannel.*|veth.*|cali.*|tunl.*"
    r"|vxlan(-v6)?\.calico|wireguard\.cali|wg-v6\.cali|bpf(in|out)\.cali|kube-ipvs.*|nodelocaldns.*|weave|cilium_.*)"
)
"""Devices that lead to no other machine. Source: Calico's list of cards that autodetection passes by."""

_DEVICE_ADDRESSES = {4: ("IPv4Address", "bgp_address"), 6: ("IPv6Address", "bgp_address6")}


class Told(msgspec.Struct, frozen=True):
    """The address that Calico's annotation `note` tells of a node, with its mask; `text` is the annotation's value."""

    node: str
    note: str
    text: str
    interface: Interface

    @property
    def ip(self) -> Address:
        """The address without its mask."""
        return self.interface.ip

    @property
    def line(self) -> str:
        """The annotation, for evidence."""
        return f"API Node {self.node} projectcalico.org/{self.note}: {self.text}"


class Seen:
    """All annotations of a scene's cluster, by node and family."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._told: dict[int, dict[str, Told]] = {4: {}, 6: {}}
        for node in scene.cluster.nodes:
            for family in (4, 6):
                told = _told(node, family)
                if told is not None:
                    self._told[family][node.name] = told

    def told(self, node: str, family: int) -> Told | None:
        """What Calico tells of a node."""
        return self._told[family].get(node)

    def all(self, family: int) -> dict[str, Told]:
        """What it tells of all nodes."""
        return self._told[family]

    def in_question(self) -> Iterator[Told]:
        """What it tells of the nodes in question."""
        for family in (4, 6):
            for name in self._scene.nodes:
                if (told := self.told(name, family)) is not None:
                    yield told


def _told(node: Node, family: int) -> Told | None:
    note, field = _DEVICE_ADDRESSES[family]
    text: str = getattr(node, field) or ""
    try:
        interface = ipaddress.ip_interface(text)
    except ValueError:
        return None
    return Told(node.name, note, text, interface) if interface.version == family else None


def internal_ips(node: Node, family: int) -> tuple[Address, ...]:
    """The InternalIPs of one family."""
    return tuple(ip for text in node.internal_ips if (ip := address(text)) is not None and ip.version == family)


def holding(place: Place, ip: Address) -> tuple[Link, int] | None:
    """The device that has an address, and the length of its mask there."""
    for link in place.namespace.links:
        for held in link.addresses:
            if address(held.ip) == ip:
                return link, held.prefix_length
    return None


def held_line(place: Place, link: Link, ip: Address, length: int) -> str:
    """An address on a device as `ip -o addr` begins to print it."""
    family = "inet6" if ip.version == 6 else "inet"
    return Scene.line(place.label, "ip -o addr", f"{link.index}: {link.name} {family} {ip}/{length}")


def api_line(node: Node, family: int) -> str:
    """The InternalIPs, for evidence."""
    return f"API Node {node.name} InternalIP: {', '.join(map(str, internal_ips(node, family)))}"
