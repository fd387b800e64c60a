"""This machine's own network namespace, the kernel's answers in it, and the containers behind its veths."""

from __future__ import annotations

import os
from collections.abc import Sequence

import msgspec

from calitui.facts.missing import Missing
from calitui.facts.node import Container, LookupAnswer, Question
from calitui.nodes.local.containers import NEEDS_ROOT, Search, Veth, find
from calitui.nodes.local.lookups import Lookups
from calitui.nodes.local.namespace import Seen, read_namespace
from calitui.nodes.local.netlink import Netlink

Found = tuple[Container | None, list[Missing]]


class Host(msgspec.Struct, frozen=True):
    """What was read here; `containers` are in the order they were asked for, each with what was not read of it."""

    seen: Seen
    answers: tuple[LookupAnswer, ...]
    unanswered: list[Missing]
    containers: tuple[Found, ...]


def read_host(questions: Sequence[Question], containers: Sequence[str], search: Search) -> Host:
    """Read the namespace that the calling thread is in.

    Raises:
        Cancelled: the user stopped it.
        OSError: netlink can't be used here.
    """
    with Netlink(search.stop) as kernel:
        seen = read_namespace(kernel, search.names, of_node=True)
        lookups = Lookups(kernel, seen.devices, search.names)
        answers, unanswered = lookups.ask(questions)
        found = tuple(_container(ip, seen, lookups, kernel, search) for ip in containers)
    return Host(seen, answers, unanswered, found)


def _container(ip: str, seen: Seen, lookups: Lookups, kernel: Netlink, search: Search) -> Found:
    if os.geteuid() != 0:
        return _absent(ip, NEEDS_ROOT)
    answer = lookups.answer(ip)
    if isinstance(answer, Missing):
        return _absent(ip, answer.reason)
    route = answer.route
    if route is None:
        return _absent(ip, f"this node has no route to it: {answer.error}")
    if route.kind == "local":
        return _absent(ip, "it is an address of the node itself")
    cable = seen.cables.get(route.device or "")
    if route.gateway is not None or cable is None:
        return _absent(ip, f"it is not on this node: {route.text}")
    if cable.nsid is None and cable.kind != "veth":
        return _absent(ip, f"no network namespace is at the other end of {cable.name}")
    nsid = cable.nsid if cable.nsid is not None and cable.nsid >= 0 else None
    return find(Veth(cable.name, cable.index, cable.link or None, nsid), ip, kernel, search)


def _absent(ip: str, reason: str) -> Found:
    return None, [Missing(f"container {ip}", reason)]
