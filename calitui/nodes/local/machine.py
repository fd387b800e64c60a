"""This machine: what it is called, which addresses it holds, and which node of the cluster it is."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Collection
from importlib.util import find_spec
from pathlib import Path

import msgspec

from calitui.facts.cluster import Node
from calitui.facts.text import clean

UNSUPPORTED = "reading the node that calitui runs on takes Linux and pyroute2 (this is {platform})"
_KERNEL = Path("/proc/sys/kernel")


class Machine(msgspec.Struct, frozen=True):
    """`hostname` and `release` are the kernel's; `addresses` maps each address to the link that holds it.

    `why` says why the addresses are not known, "" where they are.
    """

    hostname: str
    release: str
    addresses: dict[str, str]
    why: str = ""


def unsupported() -> str:
    """Why this machine can't be read at all, "" when it can."""
    if sys.platform == "linux" and find_spec("pyroute2") is not None:
        return ""
    platform = "Linux without pyroute2" if sys.platform == "linux" else sys.platform
    return UNSUPPORTED.format(platform=platform)


def read_machine() -> Machine:
    """What this machine says of itself."""
    hostname = clean(_kernel("hostname") or socket.gethostname())
    why = unsupported()
    if why:
        return Machine(hostname, "", {}, why)
    from calitui.nodes.local.entering import inside
    from calitui.nodes.local.namespace import read_links
    from calitui.nodes.local.netlink import Netlink

    def held() -> tuple[dict[str, str], str]:
        with Netlink(threading.Event()) as kernel:
            links, dumps = read_links(kernel)
        found = {address.ip: link.name for link in links for address in link.addresses}
        return found, dumps["links"].why or dumps["addresses"].why

    addresses: dict[str, str] = {}
    try:
        addresses, why = inside(None, held)
    except OSError as error:
        why = f"netlink can't be used here: {error.strerror or error}"
    return Machine(hostname, clean(_kernel("osrelease")), addresses, why)


def is_this_node(node: Node, machine: Machine | None = None) -> str | None:
    """Why calitui can be said to run on `node`, both evidences named; None where one of them is missing.

    The kernel's hostname has to be the node's name or its Hostname address, and one of the node's addresses has to be
    on a link here: a bastion may be called like a node, and a copy of a node may hold its address.
    """
    machine = read_machine() if machine is None else machine
    named = _named(node, machine)
    held = _held(node, machine)
    return f"{named}, and {held}" if named and held else None


def why_not(node: Node, machine: Machine) -> str:
    """Why nothing that is read here may be taken for `node`'s, "" when nothing speaks against it.

    A node of which only the name is known (its addresses take the right to list nodes) is believed by its name.
    """
    if not _named(node, machine):
        names = " or ".join(_names(node))
        return f"calitui does not run on it: this machine is called {machine.hostname}, the node {names}"
    addresses = _addresses(node)
    if addresses and not machine.why and not _held(node, machine):
        return f"calitui does not run on it: no link of this machine has {' or '.join(addresses)}"
    return ""


def evidence(node: Node, machine: Machine) -> str:
    """Why this machine is taken for `node`, for one that nothing speaks against."""
    return is_this_node(node, machine) or f"{_named(node, machine)}; its addresses could not be compared"


def _kernel(name: str) -> str:
    try:
        return (_KERNEL / name).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _names(node: Node) -> Collection[str]:
    return dict.fromkeys(name for name in (node.name, node.hostname) if name)


def _named(node: Node, machine: Machine) -> str:
    for name in _names(node):
        if name.lower() == machine.hostname.lower():
            return f"the hostname here is {machine.hostname}"
    return ""


def _addresses(node: Node) -> list[str]:
    annotated = (node.bgp_address, node.bgp_address6)
    own = (*node.internal_ips, *node.external_ips, *(one for one in annotated if one))
    return list(dict.fromkeys(one.partition("/")[0] for one in own))


def _held(node: Node, machine: Machine) -> str:
    for address in _addresses(node):
        if address in machine.addresses:
            return f"{machine.addresses[address]} here has its address {address}"
    return ""
