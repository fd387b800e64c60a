"""Links and their addresses from netlink messages, and the line that `ip -d -o link` prints for each.

The line is iproute2's up to the details of the device's kind; of those it has what decides where packets go.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from calitui.facts.node import Address, Link
from calitui.facts.text import clean
from calitui.nodes.local.messages import attributes, link_address, payload, word

_ETHER = 1
# linux/if_arp.h, as `ip link` names them behind `link/`.
_TYPES = {1: "ether", 32: "infiniband", 512: "ppp", 519: "rawip", 768: "ipip", 769: "tunnel6", 772: "loopback"}
_TYPES |= {776: "sit", 778: "gre", 823: "gre6", 65534: "none"}
# linux/if.h, in the order in which iproute2 prints them.
_FLAGS: dict[int, str] = {
    0x8: "LOOPBACK",
    0x2: "BROADCAST",
    0x10: "POINTOPOINT",
    0x1000: "MULTICAST",
    0x80: "NOARP",
    0x200: "ALLMULTI",
    0x100: "PROMISC",
    0x400: "MASTER",
    0x800: "SLAVE",
    0x4: "DEBUG",
    0x8000: "DYNAMIC",
    0x4000: "AUTOMEDIA",
    0x2000: "PORTSEL",
    0x20: "NOTRAILERS",
    0x1: "UP",
    0x10000: "LOWER_UP",
    0x20000: "DORMANT",
    0x40000: "ECHO",
}
_UP, _RUNNING, _POINT_TO_POINT = 0x1, 0x40, 0x10
_LINK_MODES = ("DEFAULT", "DORMANT")
_XDP = {1: "xdp", 2: "xdpgeneric", 3: "xdpoffload", 4: "xdpmulti"}
_TUNNELS = frozenset({"vxlan", "ipip", "sit", "gre", "gretap", "ip6tnl", "ip6gre", "ip6gretap", "geneve", "vti"})
_SCOPES = {0: "global", 200: "site", 253: "link", 254: "host", 255: "nowhere"}


class Device(msgspec.Struct, frozen=True):
    """One RTM_NEWLINK before indexes are names. `link` is IFLA_LINK: None where it is missing, 0 for none.

    `nsid` says in which namespace `link` is, by the number that this namespace has for it; None is this one.
    """

    index: int
    name: str
    flags: int
    mtu: int | None
    state: str
    type: int
    address: bytes
    broadcast: bytes
    kind: str
    link: int | None
    nsid: int | None
    master: int
    xdp: str
    qdisc: str
    mode: int
    group: int
    queue: int
    promiscuity: int
    alias: str
    external: bool = False
    local: str | None = None
    remote: str | None = None
    bound_to: int = 0
    vni: int | None = None
    port: int | None = None


def decode_device(message: Mapping[str, Any]) -> Device:
    """The device of one RTM_NEWLINK.

    Raises:
        One of UNDECODABLE: it is no device.
    """
    held = attributes(message)
    info = attributes(held["IFLA_LINKINFO"]) if "IFLA_LINKINFO" in held else {}
    kind = word(info.get("IFLA_INFO_KIND", ""))
    data = info.get("IFLA_INFO_DATA")
    details = attributes(data) if isinstance(data, Mapping) and "attrs" in data else {}
    xdp = attributes(held["IFLA_XDP"]).get("IFLA_XDP_ATTACHED") if "IFLA_XDP" in held else None
    state = held.get("IFLA_OPERSTATE", "UNKNOWN")
    nsid = held.get("IFLA_LINK_NETNSID")
    return Device(
        index=message["index"],
        name=word(held["IFLA_IFNAME"]),
        flags=message["flags"],
        mtu=held.get("IFLA_MTU"),
        state=word(state) if isinstance(state, str) else hex(state),
        type=message["ifi_type"],
        address=payload(message, "IFLA_ADDRESS"),
        broadcast=payload(message, "IFLA_BROADCAST"),
        kind=kind,
        link=held.get("IFLA_LINK"),
        nsid=-1 if nsid is not None and nsid >= 1 << 31 else nsid,
        master=held.get("IFLA_MASTER", 0),
        xdp=_XDP.get(_xdp_mode(xdp), ""),
        qdisc=word(held.get("IFLA_QDISC", "")),
        mode=held.get("IFLA_LINKMODE", 0),
        group=held.get("IFLA_GROUP", 0),
        queue=held.get("IFLA_TXQLEN", 0),
        promiscuity=held.get("IFLA_PROMISCUITY", 0),
        alias=word(held.get("IFLA_IFALIAS", "")),
        **(_tunnel(kind, details) if kind in _TUNNELS else {}),
    )


def _xdp_mode(attached: object) -> int:
    """pyroute2 gives a word for some versions of this attribute and a number for others."""
    words = {"xdp": 1, "xdpgeneric": 2, "xdpoffload": 3, "xdpmulti": 4}
    return attached if isinstance(attached, int) else words.get(str(attached), 0)


def _tunnel(kind: str, details: Mapping[str, Any]) -> dict[str, Any]:
    """The outer addresses and what the tunnel is bound to; every kind has its own prefix for the same few things."""
    held: dict[str, Any] = {name.rpartition("_")[2]: value for name, value in details.items()}
    found: dict[str, Any] = {
        "local": _endpoint(held.get("LOCAL")) or _endpoint(held.get("LOCAL6")),
        "remote": _endpoint(held.get("REMOTE")) or _endpoint(held.get("REMOTE6")),
        "bound_to": held.get("LINK", 0) or 0,
        "port": held.get("PORT"),
    }
    if kind == "vxlan":
        found["remote"] = _endpoint(held.get("GROUP"), unicast=True) or _endpoint(held.get("GROUP6"), unicast=True)
        found["external"] = bool(details.get("IFLA_VXLAN_COLLECT_METADATA"))
        found["vni"] = None if found["external"] else details.get("IFLA_VXLAN_ID")
    return found


def _endpoint(text: str | None, *, unicast: bool = False) -> str | None:
    address = None if text is None else ipaddress.ip_address(text)
    if address is None or address.is_unspecified or (unicast and address.is_multicast):
        return None
    return str(address)


def decode_address(message: Mapping[str, Any]) -> tuple[int, Address]:
    """The index of its device, and the address of one RTM_NEWADDR.

    Raises:
        One of UNDECODABLE: it is no address.
    """
    held = attributes(message)
    shown = held.get("IFA_LOCAL") or held["IFA_ADDRESS"]
    far = held.get("IFA_ADDRESS", shown)
    return message["index"], Address(
        ip=str(ipaddress.ip_address(shown)),
        prefix_length=message["prefixlen"],
        scope=_SCOPES.get(message["scope"], str(message["scope"])),
        peer=None if far == shown else str(ipaddress.ip_address(far)),
    )


def make_links(
    devices: Iterable[Device], addresses: Iterable[tuple[int, Address]], namespaces: Mapping[int, str]
) -> tuple[Link, ...]:
    """The links with their addresses. `namespaces` are the names in /run/netns by the nsid they have here.

    An address of a device that is not among `devices` is left out: nothing is known of its device.
    """
    by_index = {device.index: device for device in devices}
    held: dict[int, dict[Address, None]] = {}
    for index, address in addresses:
        held.setdefault(index, {})[address] = None
    return tuple(_link(device, by_index, tuple(held.get(device.index, ())), namespaces) for device in by_index.values())


def _link(
    device: Device, by_index: Mapping[int, Device], addresses: tuple[Address, ...], namespaces: Mapping[int, str]
) -> Link:
    near = by_index.get(device.link or 0) if device.nsid is None else None
    peer = device.link or None
    if near is not None and device.kind != "veth" and near.link != device.index:
        peer = None
    parent = _name(by_index, device.bound_to) if device.bound_to else None
    if parent is None and peer is None and near is not None:
        parent = near.name
    flags = _flag_words(device, near)
    return Link(
        index=device.index,
        name=device.name,
        flags=flags,
        mtu=device.mtu,
        state=device.state,
        mac=link_address(device.address) if device.type == _ETHER and device.address else None,
        kind=device.kind,
        peer_index=peer,
        peer_namespace=_namespace(device.nsid, namespaces),
        master=_name(by_index, device.master) if device.master else None,
        parent=parent,
        tunnel_local=device.local,
        tunnel_remote=device.remote,
        vni=device.vni,
        port=device.port,
        addresses=addresses,
        text=clean(" ".join(_words(device, by_index, flags, namespaces))),
    )


def _name(by_index: Mapping[int, Device], index: int) -> str:
    found = by_index.get(index)
    return found.name if found else f"if{index}"


def _namespace(nsid: int | None, namespaces: Mapping[int, str]) -> str | None:
    if nsid is None:
        return None
    return "unknown" if nsid < 0 else namespaces.get(nsid, str(nsid))


def _flag_words(device: Device, near: Device | None) -> tuple[str, ...]:
    words = ["NO-CARRIER"] if device.flags & _UP and not device.flags & _RUNNING else []
    rest = device.flags & ~_RUNNING
    for bit, name in _FLAGS.items():
        if rest & bit:
            words.append(name)
            rest &= ~bit
    if rest:
        words.append(f"{rest:x}")
    if near is not None and not near.flags & _UP:
        words.append("M-DOWN")
    return tuple(words)


def _words(
    device: Device, by_index: Mapping[int, Device], flags: tuple[str, ...], namespaces: Mapping[int, str]
) -> list[str]:
    at = ""
    if device.link is not None:
        there = _name(by_index, device.link) if device.nsid is None else f"if{device.link}"
        at = f"@{there if device.link else 'NONE'}"
    words = [f"{device.index}:", f"{device.name}{at}:", f"<{','.join(flags)}>"]
    words += [] if device.mtu is None else ["mtu", str(device.mtu)]
    words += [device.xdp] if device.xdp else []
    words += ["qdisc", device.qdisc] if device.qdisc else []
    words += ["master", _name(by_index, device.master)] if device.master else []
    words += ["state", device.state]
    words += ["mode", _LINK_MODES[device.mode] if device.mode < len(_LINK_MODES) else str(device.mode)]
    words += ["group", "default" if device.group == 0 else str(device.group)]
    words += ["qlen", str(device.queue)] if device.queue else []
    words.append(f"link/{_TYPES.get(device.type, f'[{device.type}]')}")
    words += [_hardware(device.address)] if device.address else []
    if device.broadcast:
        words += ["peer" if device.flags & _POINT_TO_POINT else "brd", _hardware(device.broadcast)]
    namespace = _namespace(device.nsid, namespaces)
    if namespace is not None:
        words += ["link-netns" if device.nsid in namespaces else "link-netnsid", namespace]
    words += ["promiscuity", str(device.promiscuity)]
    return words + _details(device, by_index)


def _details(device: Device, by_index: Mapping[int, Device]) -> list[str]:
    words = [device.kind] if device.kind else []
    words += ["external"] if device.external else []
    words += [] if device.vni is None else ["id", str(device.vni)]
    if device.kind in _TUNNELS and device.kind != "vxlan":
        words += ["remote", device.remote or "any", "local", device.local or "any"]
    else:
        words += ["remote", device.remote] if device.remote else []
        words += ["local", device.local] if device.local else []
    words += ["dev", _name(by_index, device.bound_to)] if device.bound_to else []
    words += [] if device.port is None else ["dstport", str(device.port)]
    return words + (["alias", device.alias] if device.alias else [])


def _hardware(address: bytes) -> str:
    """Tunnels have the outer addresses there, in 4 bytes."""
    return str(ipaddress.IPv4Address(address)) if len(address) == 4 else link_address(address)
