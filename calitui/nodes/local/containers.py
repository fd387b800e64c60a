"""The network namespace of a container on this node: found from the node's route to it, read from inside.

It is the one at the other end of the veth that the node's route leads to and that holds the address: the kernel says
by nsid which namespace that is, and the indexes of both ends have to agree. Namespaces are tried by name first, then
by a process of each.
"""

from __future__ import annotations

import contextlib
import errno
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec

from calitui.errors import Cancelled
from calitui.facts.missing import Missing
from calitui.facts.node import Container, Link
from calitui.nodes.local.entering import inside
from calitui.nodes.local.names import Names
from calitui.nodes.local.namespace import NAMED, Seen, nsid_of, read_links, read_namespace
from calitui.nodes.local.netlink import Netlink

LARGEST_SEARCH = 512
"""Namespaces that are looked into for one container where the kernel does not say which it is."""

LARGEST_LISTING = 4096
"""Namespaces whose nsid is asked for to find one container."""

NEEDS_ROOT = "needs root: start calitui with sudo on this node"

_PROC = Path("/proc")


class Veth(msgspec.Struct, frozen=True):
    """The node's end of a container's veth. `nsid` is where the other end is, None where the kernel does not say."""

    device: str
    index: int
    peer_index: int | None
    nsid: int | None


class Search(msgspec.Struct, frozen=True):
    """Where containers are looked for, and what stops it."""

    stop: threading.Event
    names: Names
    named: Path = NAMED
    proc: Path = _PROC


def find(veth: Veth, ip: str, kernel: Netlink, search: Search) -> tuple[Container | None, list[Missing]]:
    """The container that holds `ip` behind `veth`, with what was not read of it, or why there is none to see.

    Raises:
        Cancelled: the user stopped it.
    """
    behind = f"(it is behind {veth.device})"
    refused, vanished, without = "", "", ""
    fitting: list[tuple[str, Seen]] = []
    for path in _candidates(veth, kernel, search):
        if search.stop.is_set():
            raise Cancelled
        try:
            seen = inside(path, lambda: _read_if_it_fits(veth, ip, search))
        except PermissionError as error:
            refused = refused or f"{path} can't be entered: {error.strerror}"
        except OSError as error:
            vanished = f"{path} could not be read to its end: {error.strerror}"
        else:
            if seen is not None:
                fitting.append((path, seen))
            elif veth.nsid is not None:
                without = f"the network namespace at the other end, {path}, does not have it"
            if veth.nsid is not None:
                break  # a number is that of one namespace
    if len(fitting) > 1:
        paths = " ".join(path for path, _ in fitting)
        return None, [Missing(f"container {ip}", f"more than one network namespace may be its own: {paths} {behind}")]
    if not fitting:
        reason = without or vanished or refused or "no network namespace that can be entered has it"
        return None, [Missing(f"container {ip}", f"{reason} {behind}")]
    path, seen = fitting[0]
    return Container(ip, seen.namespace, path), seen.missing(f"container {ip} ")


def _read_if_it_fits(veth: Veth, ip: str, search: Search) -> Seen | None:
    """Runs inside a namespace: all of it, when it holds the address and the other end of the veth.

    Looked at twice: a namespace that is being taken down loses its devices while it is read.
    """
    with Netlink(search.stop) as kernel:
        if not _fits(read_links(kernel)[0], veth, ip):
            return None
        seen = read_namespace(kernel, search.names, of_node=False)
        if _fits(seen.namespace.links, veth, ip):
            return seen
        raise OSError(errno.ENXIO, f"it lost {ip} meanwhile")


def _fits(links: tuple[Link, ...], veth: Veth, ip: str) -> bool:
    if not any(address.ip == ip for link in links for address in link.addresses):
        return False
    return veth.peer_index is None or any((one.index, one.peer_index) == (veth.peer_index, veth.index) for one in links)


def _candidates(veth: Veth, kernel: Netlink, search: Search) -> Iterator[str]:
    """Paths of namespaces, each namespace once; only those with the veth's nsid where the kernel gives one.

    One that may not be looked at is among them: entering it says why.
    """
    tried: set[tuple[int, int]] = set()
    refused = False
    for path in _paths(search):
        if len(tried) >= (LARGEST_SEARCH if veth.nsid is None else LARGEST_LISTING):
            return
        try:
            status = path.stat()
            if (status.st_dev, status.st_ino) in tried:
                continue
            tried.add((status.st_dev, status.st_ino))
            if veth.nsid is None or nsid_of(path, kernel) == veth.nsid:
                yield str(path)
        except PermissionError:
            if not refused:
                yield str(path)
            refused = True
        except OSError:
            continue  # a process or a name that is gone


def _paths(search: Search) -> Iterator[Path]:
    """Named namespaces, then those of processes, the oldest process first."""
    with contextlib.suppress(OSError):
        yield from sorted(search.named.iterdir())
    with contextlib.suppress(OSError):
        processes = sorted(int(entry.name) for entry in search.proc.iterdir() if entry.name.isdecimal())
        yield from (search.proc / str(process) / "ns" / "net" for process in processes)
