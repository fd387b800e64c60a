"""Neighbours and forwarding entries from netlink messages, and the lines that `ip neigh` and `bridge fdb show dev`
print.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from calitui.facts.node import ForwardingEntry, Neighbour
from calitui.facts.text import clean
from calitui.nodes.local.messages import Devices, attributes, link_address, payload
from calitui.nodes.local.names import Names

# linux/neighbour.h, in the order in which iproute2 prints them.
_STATES: dict[int, str] = {
    0x01: "INCOMPLETE",
    0x02: "REACHABLE",
    0x04: "STALE",
    0x08: "DELAY",
    0x10: "PROBE",
    0x20: "FAILED",
    0x40: "NOARP",
    0x80: "PERMANENT",
}
_NOARP = 0x40
_KEPT = ((0x80, "permanent"), (_NOARP, "static"), (0x04, "stale"))
_SELF, _MASTER, _PROXY, _LEARNED_ELSEWHERE, _OFFLOADED, _STICKY, _ROUTER = 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80


def decode_neighbour(message: Mapping[str, Any], devices: Devices, names: Names) -> Neighbour | None:
    """The entry of one RTM_NEWNEIGH, None for one that `ip neigh` does not show: of a device that needs no ARP.

    Raises:
        One of UNDECODABLE: it is no neighbour.
    """
    held = attributes(message)
    flags, state = message["flags"], message["state"]
    if not state & ~_NOARP and not flags & (_PROXY | _LEARNED_ELSEWHERE):
        return None
    ip = str(ipaddress.ip_address(held["NDA_DST"]))
    device = devices.name(message["ifindex"])
    mac = link_address(payload(message, "NDA_LLADDR"))
    words = [name for bit, name in _STATES.items() if state & bit]
    said = [ip, "dev", device, *(["lladdr", mac] if mac else [])]
    said += [name for bit, name in ((_ROUTER, "router"), (_PROXY, "proxy")) if flags & bit]
    said += [name for bit, name in ((_LEARNED_ELSEWHERE, "extern_learn"), (_OFFLOADED, "offload")) if flags & bit]
    said += words
    protocol = held.get("NDA_PROTOCOL", 0)
    said += ["proto", names.protocols.get(protocol, str(protocol))] if protocol else []
    return Neighbour(ip, device, mac or None, words[-1] if words else "", clean(" ".join(said)))


def decode_forwarding_entry(message: Mapping[str, Any], devices: Devices) -> ForwardingEntry:
    """The entry of one RTM_NEWNEIGH of the bridge family.

    Raises:
        One of UNDECODABLE: it is no such entry.
    """
    held = attributes(message)
    bits, state = message["flags"], message["state"]
    mac = link_address(payload(message, "NDA_LLADDR"))
    device = devices.name(message["ifindex"])
    destination = payload(message, "NDA_DST")
    outer = str(ipaddress.ip_address(destination)) if len(destination) in (4, 16) else None
    said = [mac, *(["dst", outer] if outer else [])]
    for key, name in (("NDA_VLAN", "vlan"), ("NDA_PORT", "port"), ("NDA_VNI", "vni"), ("NDA_SRC_VNI", "src_vni")):
        said += [name, str(held[key])] if held.get(key) else []
    said += ["via", devices.name(held["NDA_IFINDEX"])] if "NDA_IFINDEX" in held else []
    marks = ((_SELF, "self"), (_ROUTER, "router"), (_LEARNED_ELSEWHERE, "extern_learn"), (_OFFLOADED, "offload"))
    flags = [name for bit, name in (*marks, (_MASTER, "master"), (_STICKY, "sticky")) if bits & bit]
    said += flags
    said += ["master", devices.name(held["NDA_MASTER"])] if "NDA_MASTER" in held else []
    kept = next((name for bit, name in _KEPT if state & bit), "")
    said += [kept] if kept else []
    return ForwardingEntry(
        mac=mac,
        device=device,
        destination=outer,
        flags=(*flags, kept) if kept else tuple(flags),
        text=clean(" ".join(said)),
    )
