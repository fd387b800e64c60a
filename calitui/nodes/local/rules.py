"""Routing policy rules from netlink messages, and the line that `ip rule` prints for each.

A selector that has no field of its own goes into `Rule.other`, one that is newer than this program too: whoever walks
the rules has to know that there is one.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Mapping
from typing import Any

import msgspec

from calitui.facts.node import Rule
from calitui.facts.text import clean
from calitui.nodes.local.messages import IPV6, attributes, network, word
from calitui.nodes.local.names import Names

# linux/fib_rules.h.
_INVERTED, _UNRESOLVED, _INPUT_DETACHED, _OUTPUT_DETACHED = 0x2, 0x4, 0x8, 0x10
_ACTIONS = {0: "none", 6: "blackhole", 7: "unreachable", 8: "prohibit"}
_UNNAMED = {
    25: "dscp",
    26: "flowlabel",
    27: "flowlabel-mask",
    28: "FRA_SPORT_MASK",
    29: "FRA_DPORT_MASK",
    30: "dscp-mask",
}
_ALL = 0xFFFFFFFF
_WHOLE_PORT = 0xFFFF
_ROUTING_KERNEL = 2
# Attributes that a field or a word stands for, or that decide nothing.
_KNOWN = frozenset(
    f"FRA_{name}"
    for name in (
        *("UNSPEC", "DST", "SRC", "IIFNAME", "OIFNAME", "GOTO", "PRIORITY", "FWMARK", "FWMASK", "FLOW", "TABLE"),
        *("SUPPRESS_PREFIXLEN", "SUPPRESS_IFGROUP", "PAD", "L3MDEV", "UID_RANGE", "PROTOCOL", "IP_PROTO"),
        *("SPORT_RANGE", "DPORT_RANGE", "SPORT_MASK", "DPORT_MASK", "TUN_ID"),
    )
)


class _Where(msgspec.Struct, frozen=True):
    """Where a rule leads: `action` and `table` as in `Rule`, and the words for it."""

    action: str
    table: str | None
    words: tuple[str, ...]
    suppressed: int | None = None
    other: tuple[str, ...] = ()


def decode_rule(message: Mapping[str, Any], names: Names) -> Rule:
    """The rule of one RTM_NEWRULE.

    Raises:
        One of UNDECODABLE: it is no rule.
    """
    held = attributes(message, _UNNAMED)
    flags = message["flags"]
    source = _selected(held.get("FRA_SRC"), message["src_len"], message["family"])
    destination = _selected(held.get("FRA_DST"), message["dst_len"], message["family"])
    said = [f"{held.get('FRA_PRIORITY', 0)}:", *(["not"] if flags & _INVERTED else [])]
    said += ["from", _shown(source), *(["to", _shown(destination)] if destination else [])]
    other: tuple[str, ...] = (f"tos 0x{message['tos']:02x}",) if message["tos"] else ()
    said += other
    mask = held.get("FRA_FWMASK", _ALL)
    marked = "FRA_FWMARK" in held or "FRA_FWMASK" in held
    mark = held.get("FRA_FWMARK", 0)
    if marked:
        said += ["fwmark", _hex(mark) if mask == _ALL else f"{_hex(mark)}/{_hex(mask)}"]
    devices: list[str | None] = []
    for name, key, detached in (("iif", "FRA_IIFNAME", _INPUT_DETACHED), ("oif", "FRA_OIFNAME", _OUTPUT_DETACHED)):
        device = word(held[key]) if key in held else None
        devices.append(device)
        if device is not None:
            said += [name, device, *(["[detached]"] if flags & detached else [])]
    selectors = _selectors(held)
    where = _where(message, held, names)
    said += [*selectors, *where.words]
    protocol = held.get("FRA_PROTOCOL", 0)
    if protocol not in (0, _ROUTING_KERNEL):
        said += ["proto", names.protocols.get(protocol, str(protocol))]
    newer = tuple(f"{key} {_plain(value)}" for key, value in held.items() if key not in _KNOWN)
    return Rule(
        priority=held.get("FRA_PRIORITY", 0),
        source=source,
        destination=destination,
        input_device=devices[0],
        output_device=devices[1],
        mark=mark if marked else None,
        mask=mask if marked and mask != _ALL else None,
        table=where.table,
        action=where.action,
        inverted=bool(flags & _INVERTED),
        suppress_prefix_length=where.suppressed,
        other=(*other, *where.other[:1], *selectors, *where.other[1:], *newer),
        text=clean(" ".join([*said, *newer])),
        family=6 if message["family"] == IPV6 else 4,
    )


def _selected(address: str | None, length: int, family: int) -> str | None:
    if address is None and not length:
        return None
    return network(address, length, family)


def _shown(prefix: str | None) -> str:
    if prefix is None:
        return "all"
    return prefix.removesuffix("/128" if ":" in prefix else "/32")


def _hex(number: int) -> str:
    """C's `%#llx`, which writes 0 without a prefix."""
    return hex(number) if number else "0"


def _selectors(held: Mapping[str, Any]) -> tuple[str, ...]:
    """What else a packet must be like; each is one entry of `Rule.other` and one or more words of the line."""
    said: list[str] = []
    if "FRA_UID_RANGE" in held:
        said.append(f"uidrange {str(held['FRA_UID_RANGE']).replace(':', '-')}")
    if "FRA_IP_PROTO" in held:
        said.append(f"ipproto {_protocol(held['FRA_IP_PROTO'])}")
    for key, name in (("FRA_SPORT_RANGE", "sport"), ("FRA_DPORT_RANGE", "dport")):
        if key in held:
            first, _, last = str(held[key]).partition(":")
            mask = held.get(key.replace("RANGE", "MASK"), _WHOLE_PORT)
            if first != last:
                said.append(f"{name} {first}-{last}")
            else:
                said.append(f"{name} {first}" if mask == _WHOLE_PORT else f"{name} {int(first):#x}/{mask:#x}")
    if "FRA_TUN_ID" in held:
        said.append(f"tun_id {held['FRA_TUN_ID']}")
    return tuple(said)


def _protocol(number: int) -> str:
    for name in ("tcp", "udp", "icmp", "sctp", "ipv6-icmp", "dccp", "gre", "esp", "ah"):
        with contextlib.suppress(OSError):
            if socket.getprotobyname(name) == number:
                return name
    return f"ipproto-{number}"


def _where(message: Mapping[str, Any], held: Mapping[str, Any], names: Names) -> _Where:
    table = held.get("FRA_TABLE", message["table"])
    said: tuple[str, ...] = ()
    other: tuple[str, ...] = ()
    target: str | None = None
    suppressed: int | None = None
    if held.get("FRA_L3MDEV"):
        said, target, other = ("lookup", "[l3mdev-table]"), "[l3mdev-table]", ("l3mdev",)
    if table:
        target = names.table(table)
        said += ("lookup", target)
        length = held.get("FRA_SUPPRESS_PREFIXLEN", _ALL)
        if length != _ALL:
            suppressed = length
            said += ("suppress_prefixlength", str(length))
        group = held.get("FRA_SUPPRESS_IFGROUP", _ALL)
        if group != _ALL:
            shown = "default" if group == 0 else str(group)
            said += ("suppress_ifgroup", shown)
            other += (f"suppress_ifgroup {shown}",)
    if "FRA_FLOW" in held:
        came, goes = divmod(held["FRA_FLOW"], 1 << 16)
        said += ("realms", f"{came}/{goes}" if came else str(goes))
    match message["action"]:
        case 1:
            return _Where("lookup", target, said, suppressed, other)
        case 2:
            aim = str(held["FRA_GOTO"]) if "FRA_GOTO" in held else "none"
            reached = aim != "none" and not message["flags"] & _UNRESOLVED
            said += ("goto", aim, *(("[unresolved]",) if message["flags"] & _UNRESOLVED else ()))
            return _Where("goto" if reached else "nop", aim if reached else None, said, suppressed, other)
        case 3:
            return _Where("nop", None, (*said, "nop"), suppressed, other)
        case number:
            action = _ACTIONS.get(number, str(number))
            return _Where(action, None, (*said, action), suppressed, other)


def _plain(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
