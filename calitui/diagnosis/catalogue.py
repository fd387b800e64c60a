"""Every code there is, and every check, in the order of reasoning: what comes first is closer to the cause."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from calitui.diagnosis import proof_entries
from calitui.diagnosis.addresses import checks as addresses
from calitui.diagnosis.bgp import checks as bgp
from calitui.diagnosis.devices import (
    forwarding,
    host_services,
    mtu,
    nics,
    reverse_path,
    tunnel_traffic,
    tunnels,
    vxlan,
    wireguard,
)
from calitui.diagnosis.entry import Entry
from calitui.diagnosis.firewall import checks as firewall
from calitui.diagnosis.ipam import checks as ipam
from calitui.diagnosis.pods import checks as pods
from calitui.diagnosis.pods import containers
from calitui.diagnosis.routes import checks as routes
from calitui.diagnosis.routes import kernel as kernel_routes
from calitui.diagnosis.scene import Scene
from calitui.trace.finding import Finding, Unchecked

Check = Callable[[Scene], Iterator[Finding | Unchecked]]
"""Looks for some entries' faults in a scene. Pure; raises nothing, whatever the facts say."""

FAMILIES: tuple[tuple[tuple[Entry, ...], tuple[Check, ...]], ...] = (
    (addresses.ENTRIES, addresses.CHECKS),
    (ipam.ENTRIES, ipam.CHECKS),
    (nics.ENTRIES, nics.CHECKS),
    (firewall.ENTRIES, firewall.CHECKS),
    (bgp.ENTRIES, bgp.CHECKS),
    (tunnels.ENTRIES, tunnels.CHECKS),
    (vxlan.ENTRIES, vxlan.CHECKS),
    (wireguard.ENTRIES, wireguard.CHECKS),
    (routes.ENTRIES, (*routes.CHECKS, kernel_routes.not_in_kernel)),
    (pods.ENTRIES, pods.CHECKS),
    (forwarding.ENTRIES, forwarding.CHECKS),
    (containers.ENTRIES, containers.CHECKS),
    (reverse_path.ENTRIES, reverse_path.CHECKS),
    (mtu.ENTRIES, mtu.CHECKS),
    (tunnel_traffic.ENTRIES, tunnel_traffic.CHECKS),
    (host_services.ENTRIES, host_services.CHECKS),
    (proof_entries.ENTRIES, ()),
)
"""The entries and checks of each family's module. A family whose faults cause those of another stands before it.

What only packets show has no checks here: it is found by the analysis of a live proof.
"""

CATALOGUE: dict[str, Entry] = {entry.code: entry for entries, _ in FAMILIES for entry in entries}
"""By code; an entry's position is its rank: among findings of one severity the first is told first."""

CHECKS: tuple[Check, ...] = tuple(check for _, checks in FAMILIES for check in checks)
