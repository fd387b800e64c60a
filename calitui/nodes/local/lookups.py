"""The kernel's own answers to the questions of a trace, asked as the node script asks them.

A packet from a source comes in by the device that leads back to it; a source that is this node's own comes in by none.
The next hop is asked for on its own, as it is where an outer packet goes.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import msgspec

from calitui.facts.missing import Missing
from calitui.facts.node import LookupAnswer, Question
from calitui.facts.text import clean
from calitui.nodes.local.messages import IPV4, UNDECODABLE, Devices
from calitui.nodes.local.names import Names
from calitui.nodes.local.routes import CLONED, decode_route
from calitui.nodes.parse.render import render_route

# linux/in_route.h RTCF_*, as iproute2 names them behind `cache`.
_CACHE_FLAGS: dict[int, str] = {
    0x80000000: "local",
    0x40000000: "reject",
    0x20000000: "mc",
    0x10000000: "brd",
    0x08000000: "dst-nat",
    0x00800000: "src-nat",
    0x00400000: "masq",
    0x00020000: "dst-direct",
    0x04000000: "src-direct",
    0x00040000: "redirected",
    0x01000000: "redirect",
}


class Kernel(Protocol):
    """Who is asked: `calitui.nodes.local.netlink.Netlink`."""

    def lookup(self, destination: str, source: str | None, input_index: int | None) -> Mapping[str, Any] | str:
        """The answer's message, or the refusal in iproute2's words."""


class Lookups:
    """Asks each question once and keeps the answers in their order."""

    def __init__(self, kernel: Kernel, devices: Devices, names: Names) -> None:
        """`devices` and `names` are those of the namespace that `kernel` asks."""
        self._kernel = kernel
        self._devices = devices
        self._names = names
        self._asked: dict[tuple[str, str | None, str | None], tuple[LookupAnswer | Missing, int | None]] = {}

    def ask(self, questions: Iterable[Question]) -> tuple[tuple[LookupAnswer, ...], list[Missing]]:
        """The answers to the questions and to those that they lead to, and the lookups that could not be made."""
        for question in questions:
            self._question(str(ipaddress.ip_address(question.source)), str(ipaddress.ip_address(question.destination)))
        results = [result for result, _ in self._asked.values()]
        answers = tuple(one for one in results if isinstance(one, LookupAnswer))
        return answers, [one for one in results if isinstance(one, Missing)]

    def answer(self, destination: str) -> LookupAnswer | Missing:
        """Where `destination` is, asked as a packet made here."""
        return self._look(destination, None, None, None)[0]

    def _question(self, source: str, destination: str) -> None:
        back, index = self._lookup(source, None, None, None)
        found = back.route if isinstance(back, LookupAnswer) else None
        if found is not None and found.kind == "local":
            there, _ = self._lookup(destination, source, None, None)
        elif found is not None and found.kind == "unicast" and found.device is not None:
            there, _ = self._lookup(destination, source, found.device, index)
        else:
            there, _ = self._lookup(destination, None, None, None)
        gateway = there.route.gateway if isinstance(there, LookupAnswer) and there.route is not None else None
        if gateway is not None and not gateway.startswith("fe80:"):
            self._lookup(gateway, None, None, None)

    def _lookup(
        self, destination: str, source: str | None, device: str | None, index: int | None
    ) -> tuple[LookupAnswer | Missing, int | None]:
        key = (destination, source, device)
        if key not in self._asked:
            self._asked[key] = self._look(destination, source, device, index)
        return self._asked[key]

    def _look(
        self, destination: str, source: str | None, device: str | None, index: int | None
    ) -> tuple[LookupAnswer | Missing, int | None]:
        """The answer and the index of its device."""
        try:
            said = self._kernel.lookup(destination, source, index)
            if isinstance(said, str):
                return _refused(destination, source, device, said), None
            return self._read(said, destination, source, device)
        except OSError as error:
            return Missing(f"lookup of {destination}", f"netlink: {error.strerror or error}"), None
        except UNDECODABLE as error:
            return Missing(f"lookup of {destination}", clean(f"the kernel's answer can't be read: {error!r}")), None

    def _read(
        self, message: Mapping[str, Any], destination: str, source: str | None, device: str | None
    ) -> tuple[LookupAnswer | Missing, int | None]:
        decoded = decode_route(message, self._devices, self._names, answer=True)
        if decoded.route is None:
            return _refused(destination, source, device, "the answer is in no form that is known", decoded.text), None
        text = clean(decoded.text)
        route = decoded.route
        if message["family"] == IPV4 and message["flags"] & CLONED:
            # iproute2 prints what comes from the cache on a line of its own, which is no part of the route's text.
            beside = decoded.beside
            own = msgspec.structs.replace(beside, behind_flags=decoded.before_cache, metrics=(), behind_metrics=())
            line = render_route(msgspec.structs.replace(route, mtu=None), own)
            cached = beside.behind_flags[len(decoded.before_cache) :]
            rest = (*_cache(message["flags"]), *cached, *beside.metrics, *beside.behind_metrics)
            text = clean(" ".join([line, *rest]))
            route = msgspec.structs.replace(route, text=clean(line))
        index = next((slot[1] for slot in message["attrs"] if slot[0] == "RTA_OIF"), None)
        command = _command(destination, source, device)
        return LookupAnswer(destination, source, device, route, "", command, text), index


def _cache(flags: int) -> tuple[str, ...]:
    found = [name for bit, name in _CACHE_FLAGS.items() if flags & bit]
    return ("cache", f"<{','.join(found)}>") if found else ("cache",)


def _refused(
    destination: str, source: str | None, device: str | None, error: str, text: str | None = None
) -> LookupAnswer:
    command = _command(destination, source, device)
    return LookupAnswer(destination, source, device, None, error, command, error if text is None else text)


def _command(destination: str, source: str | None, device: str | None) -> str:
    """What a person types to ask the same."""
    words = ["ip", *(["-6"] if ":" in destination else []), "route", "get", destination]
    words += ["from", source] if source else []
    words += ["iif", device] if device else []
    return clean(" ".join(words))
