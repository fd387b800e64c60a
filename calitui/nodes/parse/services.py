"""What of a node's own distribution has a hand in its network, out of the node script's sections.

NetworkManager and systemd-networkd take devices for theirs and remove routes that they did not make, devices compute
checksums or leave it, and Felix writes down the MTU that it found. A node without these services has none of it,
which is no failure; inside calico-node the host's files can't be seen, and nothing is said of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from calitui.facts.node import Link, ManagedDevice, Offload
from calitui.nodes.parse.namespace import Reading
from calitui.nodes.parse.words import lines, number, verbatim

_CALICO = re.compile(r"(?:cali|tunl|vxlan|wireguard|wg).*")
_FILES = {
    "/run/NetworkManager/devices/": ("NetworkManager", "managed"),
    "/run/systemd/netif/links/": ("systemd-networkd", "ADMIN_STATE"),
}
_NOT_ITS_OWN = frozenset({"unmanaged", "pending", "initialized", "linger"})
"""Values of ADMIN_STATE. Source: `link_state_table` of systemd's `src/network/networkd-link.c`."""
_SETTING = re.compile(r"(/[^:]*):[ \t]*(\w+)[ \t]*=[ \t]*(.*)")
_OFFLOAD = re.compile(r"[ \t]*(tx-checksum[\w-]*): (on|off)\b.*")
_SEARCHED = 0, 1, 2
"""Exit statuses of grep that found some, none, or not all files: each of them may be gone by then."""
_LARGEST_MTU = 65535


def read_pod_mtu(reading: Reading) -> int | None:
    """The number in Felix's file."""
    part = reading.sections.get("mtu")
    if part is None or part.status != 0:
        return None
    mtu = number(part.body.strip()) if part.body.strip().isdecimal() else None
    return mtu if mtu and mtu <= _LARGEST_MTU else None


def read_managed_devices(reading: Reading, links: Sequence[Link]) -> tuple[ManagedDevice, ...] | None:
    """Calico's devices among those that a service takes for its own, None where that could not be seen."""
    part = reading.sections.get("host")
    if part is None or part.status not in _SEARCHED:
        return None
    names = {str(link.index): link.name for link in links}
    found: dict[tuple[str, str], ManagedDevice] = {}
    for line in lines(part.body):
        setting = _SETTING.fullmatch(line)
        folder = next((folder for folder in _FILES if line.startswith(folder)), None)
        if setting is None or folder is None:
            continue
        service, key = _FILES[folder]
        device = names.get(setting[1].removeprefix(folder), "")
        own = setting[3] == "true" if key == "managed" else setting[3] not in _NOT_ITS_OWN
        if setting[2] == key and own and _CALICO.fullmatch(device):
            found[service, device] = ManagedDevice(service, device, verbatim(line))
    return tuple(found.values())


def read_foreign_routes(reading: Reading) -> tuple[str, ...] | None:
    """The settings of systemd-networkd for the routes of others, each with its file; None as for devices."""
    part = reading.sections.get("host")
    if part is None or part.status not in _SEARCHED:
        return None
    settings = (line for line in lines(part.body) if (said := _SETTING.fullmatch(line)) and "Foreign" in said[2])
    return tuple(verbatim(line) for line in settings)


def read_offloads(reading: Reading) -> tuple[Offload, ...] | None:
    """The checksums that VXLAN devices compute by themselves, None where `ethtool` was not there to ask."""
    parts = {name: part for name, part in reading.sections.items() if name.startswith("offloads ")}
    if not any(part.status == 0 for part in parts.values()):
        return None
    return tuple(
        Offload(verbatim(name.removeprefix("offloads ")), said[1], said[2] == "on", verbatim(line))
        for name, part in parts.items()
        if part.status == 0
        for line in lines(part.body)
        if (said := _OFFLOAD.fullmatch(line))
    )
