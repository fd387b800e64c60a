"""Findings about the mask of a node's address, by which CrossSubnet pools choose between the tunnel and the wire."""

from __future__ import annotations

from collections.abc import Iterator

from calitui.diagnosis.addresses import entries
from calitui.diagnosis.addresses.seen import Seen, held_line, holding
from calitui.diagnosis.calico_node import restart
from calitui.diagnosis.scene import Scene, address, network
from calitui.trace.finding import Finding, Severity, Unchecked

MOST_LINES = 5
"""Lines of evidence of one kind in one finding."""


def mask(scene: Scene) -> Iterator[Finding | Unchecked]:
    """A mask that differs from the card's, where a CrossSubnet pool makes it decide how packets are carried."""
    for family in (4, 6):
        pools = [
            pool
            for pool in scene.fabric.pools
            if "CrossSubnet" in (pool.ipip_mode, pool.vxlan_mode)
            and (around := network(pool.cidr)) is not None
            and around.version == family
            and _concerns(scene, pool.cidr)
        ]
        if pools:
            yield from _masks(scene, family, f"API IPPool {pools[0].name}: {pools[0].cidr} CrossSubnet")


def _concerns(scene: Scene, cidr: str) -> bool:
    around = network(cidr)
    if scene.trace is None or around is None:
        return around is not None
    ips = (address(ip) for pod in scene.pods for ip in pod.ips)
    return any(ip is not None and ip in around for ip in ips)


def _masks(scene: Scene, family: int, pool: str) -> Iterator[Finding | Unchecked]:
    seen = scene.of(Seen)
    for place in scene.read(entries.MASK, "links", "addresses"):
        told = seen.told(place.node or "", family)
        if isinstance(place, Unchecked):
            if told is not None:
                yield place
            continue
        held = holding(place, told.ip) if told is not None else None
        if told is None or held is None or held[1] == told.interface.network.prefixlen:
            continue
        real = network(f"{told.ip}/{held[1]}")
        others = [one for name in scene.nodes if (one := seen.told(name, family)) is not None and name != told.node]
        moved = [one for one in others if real is not None and (one.ip in told.interface.network) != (one.ip in real)]
        if not moved:
            continue
        wide = told.interface.network.prefixlen < held[1]
        what = (
            "sends bare packets to nodes that are behind a router"
            if wide
            else "puts packets into the tunnel that could go directly"
        )
        yield entries.MASK.found(
            told.node,
            f"Calico believes {told.node} to be in {told.interface.network}, its card is in {real}: it {what}.",
            evidence=(
                told.line,
                held_line(place, held[0], told.ip, held[1]),
                pool,
                *(one.line for one in moved[:MOST_LINES]),
            ),
            fix=(
                f"# make the mask of {held[0].name} and of calico-node's env IP (if set) agree",
                *restart(scene, told.node),
            ),
            subject=str(told.interface),
            affected=(one.node for one in moved),
            severity=Severity.ERROR if wide else Severity.WARNING,
        )
