"""One network namespace read into facts: what is read in which order, and what counts as read to its end."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from calitui.facts.missing import Missing
from calitui.facts.node import ForwardingEntry, Link, NetworkNamespace, Route
from calitui.facts.text import clean
from calitui.nodes.local.links import Device, decode_address, decode_device, make_links
from calitui.nodes.local.messages import Devices
from calitui.nodes.local.names import Names
from calitui.nodes.local.neighbours import decode_forwarding_entry, decode_neighbour
from calitui.nodes.local.netlink import Dumped, Netlink
from calitui.nodes.local.routes import CLONED, decode_route
from calitui.nodes.local.rules import decode_rule
from calitui.nodes.local.sysctls import read_sysctls

NAMED = Path("/run/netns")
"""Where `ip netns` and the container runtimes keep namespaces by name."""


class Seen(msgspec.Struct, frozen=True):
    """A namespace as it was read; `cables` are its devices as the kernel numbers them, by name; `devices` names them.

    `unread` says why a section is not complete.
    """

    namespace: NetworkNamespace
    devices: Devices
    cables: dict[str, Device]
    unread: dict[str, str]

    def missing(self, prefix: str = "") -> list[Missing]:
        """What was not read to its end; `prefix` says whose it is, as in `container 192.168.97.1 `."""
        return [Missing(f"{prefix}{section}", reason) for section, reason in self.unread.items()]


def read_links(kernel: Netlink) -> tuple[tuple[Link, ...], dict[str, Dumped[Any]]]:
    """The links with their addresses, and the dumps `links` and `addresses` that they were made of.

    Raises:
        Cancelled: the user stopped it.
    """
    devices: Dumped[Device] = kernel.links(decode_device)
    addresses = kernel.addresses(decode_address)
    links = make_links(devices.items, addresses.items, _names_of_namespaces(kernel))
    return links, {"links": devices, "addresses": addresses}


def read_namespace(kernel: Netlink, names: Names, *, of_node: bool) -> Seen:
    """Everything of the namespace that `kernel` asks; forwarding entries and sysctls only of a node's own.

    Raises:
        Cancelled: the user stopped it.
    """
    links, dumps = read_links(kernel)
    devices = Devices({link.index: link.name for link in links})

    def route(message: Mapping[str, Any]) -> Route | str | None:
        if message["flags"] & CLONED:
            return None
        decoded = decode_route(message, devices, names)
        return decoded.route or decoded.text

    for number, section in ((4, "rules"), (6, "rules6")):
        dumps[section] = kernel.rules(number, lambda message: decode_rule(message, names))
    for number, section in ((4, "routes"), (6, "routes6")):
        dumps[section] = _refused(kernel.routes(number, route))
    dumps["neighbours"] = kernel.neighbours(lambda message: decode_neighbour(message, devices, names))
    entries: tuple[ForwardingEntry, ...] = ()
    if of_node:
        vxlans = {link.name for link in links if link.kind == "vxlan"}
        dumps["fdb"] = kernel.forwarding_entries(lambda message: decode_forwarding_entry(message, devices))
        entries = tuple(entry for entry in dumps["fdb"].items if entry.device in vxlans)
    reasons = {section: _why(dumped) for section, dumped in dumps.items()}
    values: dict[str, str] = {}
    if of_node:
        values, reasons["sysctls"] = read_sysctls()
    namespace = NetworkNamespace(
        links=links,
        routes=dumps["routes"].items + dumps["routes6"].items,
        rules=dumps["rules"].items + dumps["rules6"].items,
        neighbours=dumps["neighbours"].items,
        fdb=entries,
        sysctls=values,
        unparsed=tuple(line for dumped in dumps.values() for line in dumped.odd),
        complete=frozenset(section for section, reason in reasons.items() if not reason),
    )
    return Seen(
        namespace=namespace,
        devices=devices,
        cables={device.name: device for device in dumps["links"].items},
        unread={section: reason for section, reason in reasons.items() if reason},
    )


def _refused(dumped: Dumped[Route | str]) -> Dumped[Any]:
    """The routes, with those that mean more than a `Route` can say among what is odd."""
    routes = tuple(one for one in dumped.items if isinstance(one, Route))
    lines = tuple(one for one in dumped.items if isinstance(one, str))
    return Dumped(routes, (*lines, *dumped.odd), dumped.why)


def _why(dumped: Dumped[Any]) -> str:
    if dumped.why or not dumped.odd:
        return dumped.why
    return f"{len(dumped.odd)} of its entries in a form that is not known, the first: {dumped.odd[0][:120]}"


def nsid_of(path: Path, kernel: Netlink) -> int | None:
    """The nsid that the namespace at `path` has in the one that `kernel` asks, None for none.

    Raises:
        OSError: it is gone, or takes root to look at.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return kernel.namespace_id(descriptor)
    finally:
        os.close(descriptor)


def _names_of_namespaces(kernel: Netlink, directory: Path = NAMED) -> dict[int, str]:
    """The names of namespaces by the nsid they have in the one that `kernel` asks."""
    found: dict[int, str] = {}
    try:
        paths = sorted(directory.iterdir())
    except OSError:
        return found
    for path in paths:
        with contextlib.suppress(OSError):
            nsid = nsid_of(path, kernel)
            if nsid is not None:
                found.setdefault(nsid, clean(path.name))
    return found
