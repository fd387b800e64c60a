"""Pods and findings for the tests of pools, blocks and addresses."""

from __future__ import annotations

from calitui.diagnosis.grouping import group
from calitui.diagnosis.ipam import checks as ipam
from calitui.diagnosis.scene import Scene
from calitui.facts.cluster import IPPool, Pod
from calitui.trace.finding import Finding
from tests.diagnosis.scenes import A, cluster, found

ETH0 = "2: eth0    inet 10.173.32.23/24 brd 10.173.32.255 scope global eth0"
POOL = IPPool("default", "192.168.0.0/16", ipip_mode="Always", nat_outgoing=True, block_size=26)


def grouped(scene: Scene) -> tuple[Finding, ...]:
    return group(found(ipam.CHECKS, scene), {entry.code: entry for entry in ipam.ENTRIES}).findings


def only(scene: Scene) -> Finding:
    """The finding there is, with what follows from it."""
    (one,) = grouped(scene)
    return one


def codes(scene: Scene) -> list[str]:
    return [one.code for one in grouped(scene)]


def pods(*more: Pod) -> tuple[Pod, ...]:
    """The cluster's pods and some more."""
    return (*cluster("ipip").pods, *more)


def pod(name: str, ip: str = "", node: str = A, status: str = "Running") -> Pod:
    phase = "Pending" if status == "ContainerCreating" else "Running"
    return Pod("shop", name, node, (ip,) if ip else (), phase, status)
