"""One network namespace asked over netlink: dumps and lookups, nothing else.

The only module that speaks to the kernel through pyroute2, and with `entering` the only one that imports it: both are
imported when a node is read, as pyroute2 is there on Linux only. It only reads. A `Netlink` belongs to the thread that
made it and to the network namespace that thread is in. Each request has a socket and an event loop run of its own: a
dump that is given up leaves nothing behind on the next one's socket, and pyroute2's synchronous classes refuse to work
in a thread whose event loop runs.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import threading
from collections.abc import Callable, Mapping
from contextlib import aclosing
from types import TracebackType
from typing import Any, Generic, TypeVar

import msgspec
from pyroute2 import AsyncIPRoute, NetlinkError
from pyroute2.netlink.exceptions import NetlinkDecodeError

from calitui.errors import Cancelled
from calitui.facts.text import clean
from calitui.nodes.local.messages import BRIDGE, IPV4, IPV6, UNDECODABLE

T = TypeVar("T")
Message = Mapping[str, Any]

LARGEST_DUMP = 250_000
"""Entries that are read of one table; a node that holds more has the Internet's, and that takes minutes."""

_ATTEMPTS = 4
_STOP_EVERY = 256
# linux/netlink.h NLM_F_DUMP_INTR: the table changed between two parts of its dump, so that entries may be missing.
_INTERRUPTED = 0x10
# linux/rtnetlink.h RTM_F_LOOKUP_TABLE: answer with the table the route is in. Only IPv4 takes it.
_LOOKUP_TABLE = 0x1000
_NO_SUCH_FAMILY = frozenset({errno.EAFNOSUPPORT, errno.EOPNOTSUPP})


class Dumped(msgspec.Struct, Generic[T], frozen=True):
    """What a dump brought: `items`, messages that could not be read (`odd`), and `why` it is not all, "" when it is."""

    items: tuple[T, ...] = ()
    odd: tuple[str, ...] = ()
    why: str = ""


class Netlink:
    """Requests to the kernel, in the namespace of the thread that makes and uses it."""

    def __init__(self, stop: threading.Event) -> None:
        """`stop` ends a dump that is under way."""
        silence_pyroute2()
        self._stop = stop
        self._runner = asyncio.Runner()

    def __enter__(self) -> Netlink:
        """Nothing is opened before the first request."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End the event loop."""
        self._runner.close()

    def links(self, convert: Callable[[Message], T | None]) -> Dumped[T]:
        """All devices; `convert` makes a fact of a message, or None of one that is left out."""
        return self._dump("link", 0, convert)

    def addresses(self, convert: Callable[[Message], T | None]) -> Dumped[T]:
        """All addresses of both families."""
        return self._dump("addr", 0, convert)

    def routes(self, family: int, convert: Callable[[Message], T | None]) -> Dumped[T]:
        """The routes of all tables of one family (4 or 6)."""
        return self._dump("route", IPV6 if family == 6 else IPV4, convert)

    def rules(self, family: int, convert: Callable[[Message], T | None]) -> Dumped[T]:
        """The rules of one family (4 or 6)."""
        return self._dump("rule", IPV6 if family == 6 else IPV4, convert)

    def neighbours(self, convert: Callable[[Message], T | None]) -> Dumped[T]:
        """The neighbours of both families."""
        return self._dump("neigh", 0, convert)

    def forwarding_entries(self, convert: Callable[[Message], T | None]) -> Dumped[T]:
        """The forwarding databases of bridges and VXLAN devices."""
        return self._dump("neigh", BRIDGE, convert)

    def lookup(self, destination: str, source: str | None, input_index: int | None, mark: int = 0) -> Message | str:
        """The kernel's answer to a lookup, or its refusal in the words of iproute2.

        Raises:
            OSError: it could not be asked.
        """
        try:
            return self._runner.run(_lookup(destination, source, input_index, mark))
        except (NetlinkDecodeError, RuntimeError) as error:
            raise OSError(errno.EBADMSG, clean(f"the kernel's answer can't be read: {error!r}")) from None

    def namespace_id(self, descriptor: int) -> int | None:
        """The nsid that this namespace has for the one that is open as `descriptor`, None for none."""
        try:
            return self._runner.run(_namespace_id(descriptor))
        except (OSError, NetlinkError, NetlinkDecodeError, RuntimeError):
            return None

    def _dump(self, what: str, family: int, convert: Callable[[Message], T | None]) -> Dumped[T]:
        items: list[T] = []
        odd: list[str] = []
        why = ""
        for attempt in range(1, _ATTEMPTS + 1):
            items, odd = [], []
            try:
                why = self._runner.run(self._one_dump(what, family, convert, items, odd, attempt == _ATTEMPTS))
            except NetlinkError as error:
                if family == IPV6 and error.code in _NO_SUCH_FAMILY:
                    return Dumped()
                return Dumped(tuple(items), tuple(odd), refusal(error))
            except OSError as error:
                return Dumped(tuple(items), tuple(odd), f"netlink: {error.strerror or error}")
            except (NetlinkDecodeError, RuntimeError) as error:
                return Dumped(tuple(items), tuple(odd), clean(f"the kernel's answer can't be read: {error!r}"))
            if why != _CHANGED:
                break
        return Dumped(tuple(items), tuple(odd), why)

    async def _one_dump(
        self,
        what: str,
        family: int,
        convert: Callable[[Message], T | None],
        items: list[T],
        odd: list[str],
        last: bool,
    ) -> str:
        """Fill `items` and `odd`, and say why they are not all; the `last` attempt goes on whatever changes."""
        seen = 0
        why = ""
        async with AsyncIPRoute() as kernel, aclosing(await getattr(kernel, what)("dump", family=family)) as messages:
            async for message in messages:
                seen += 1
                if seen % _STOP_EVERY == 1 and self._stop.is_set():
                    raise Cancelled
                if message["header"]["flags"] & _INTERRUPTED:
                    why = _CHANGED
                    if not last:
                        break
                if family and message["family"] != family:
                    continue
                if seen > LARGEST_DUMP:
                    return f"there are more than {LARGEST_DUMP}, and no more were read"
                try:
                    item = convert(message)
                except UNDECODABLE as error:
                    odd.append(clean(f"a message of the kernel that can't be read: {error!r}"))
                    continue
                if item is not None:
                    items.append(item)
        return why


_CHANGED = "the kernel's table changed each time it was read"


def refusal(error: NetlinkError) -> str:
    """What iproute2 prints when the kernel says no: its own explanation where it gives one, else the error's name."""
    name = os.strerror(error.code)
    said = str(error.args[1]) if len(error.args) > 1 and error.args[1] else name
    return f"RTNETLINK answers: {name}" if said == name else clean(f"Error: {said.rstrip('.')}.")


def silence_pyroute2() -> None:
    """Keep pyroute2's log, with its tracebacks, away from the terminal unless somebody has asked for it."""
    logger = logging.getLogger("pyroute2")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
        logger.propagate = False


async def _lookup(destination: str, source: str | None, input_index: int | None, mark: int) -> Message | str:
    six = ":" in destination
    request: dict[str, Any] = {"family": IPV6 if six else IPV4, "dst": destination}
    if not six:
        request["flags"] = _LOOKUP_TABLE
    if source is not None:
        request["src"] = source
    if input_index is not None:
        request["iif"] = input_index
    if mark:
        request["mark"] = mark
    async with AsyncIPRoute(ext_ack=True) as kernel:
        try:
            answers: list[Message] = await kernel.route("get", **request)
        except NetlinkError as error:
            return refusal(error)
    return answers[0] if answers else "no answer was printed"


async def _namespace_id(descriptor: int) -> int | None:
    async with AsyncIPRoute() as kernel:
        answer = await kernel.get_netnsid(fd=descriptor)
    nsid = answer["nsid"] if answer else None
    return nsid if isinstance(nsid, int) and 0 <= nsid < 1 << 31 else None
