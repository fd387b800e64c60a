"""What of a node is beside its routing, out of the node script's sections: daemons, packet filter, services, offloads.

All of it is the same whichever way the sections came in, so that every reader brings the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from calitui.facts.bird import Bird
from calitui.facts.missing import Missing
from calitui.facts.node import Link, ManagedDevice, NodeFacts, Offload
from calitui.facts.packet_filter import PacketFilter
from calitui.nodes.parse.daemons import read_birds, read_processes
from calitui.nodes.parse.firewall import read_packet_filter
from calitui.nodes.parse.namespace import Reading
from calitui.nodes.parse.services import read_foreign_routes, read_managed_devices, read_offloads, read_pod_mtu


class Surroundings(msgspec.Struct, frozen=True):
    """The fields of `NodeFacts` with these names; `missing` is what was asked for and not read."""

    birds: tuple[Bird, ...] | None = None
    packet_filter: PacketFilter | None = None
    processes: tuple[str, ...] | None = None
    pod_mtu: int | None = None
    managed_devices: tuple[ManagedDevice, ...] | None = None
    foreign_routes: tuple[str, ...] | None = None
    offloads: tuple[Offload, ...] | None = None
    missing: tuple[Missing, ...] = ()

    def added_to(self, facts: NodeFacts) -> NodeFacts:
        """The facts with these; what was missing of them is missing still."""
        missing = tuple(Missing(one.what, one.reason, facts.name) for one in self.missing)
        return msgspec.structs.replace(
            facts,
            birds=self.birds,
            packet_filter=self.packet_filter,
            processes=self.processes,
            pod_mtu=self.pod_mtu,
            managed_devices=self.managed_devices,
            foreign_routes=self.foreign_routes,
            offloads=self.offloads,
            missing=facts.missing + missing,
        )


def read_surroundings(reading: Reading, links: Sequence[Link]) -> Surroundings:
    """What the sections say; `links` are the node's, for services that know devices by their numbers."""
    processes, unread_processes = read_processes(reading)
    birds, unread_birds = read_birds(reading, processes)
    packet_filter, unread_filter = read_packet_filter(reading)
    return Surroundings(
        birds=birds,
        packet_filter=packet_filter,
        processes=processes,
        pod_mtu=read_pod_mtu(reading),
        managed_devices=read_managed_devices(reading, links),
        foreign_routes=read_foreign_routes(reading),
        offloads=read_offloads(reading),
        missing=(*unread_processes, *unread_birds, *unread_filter),
    )
