"""The sections of the node script's output that describe one network namespace, read into its facts.

Decides what counts as read to its end. Does not know where the namespace is or how the output came here.
"""

from __future__ import annotations

import msgspec

from calitui.facts.missing import Missing
from calitui.facts.node import ForwardingEntry, NetworkNamespace, Rule
from calitui.nodes.parse.counters import parse_counters
from calitui.nodes.parse.links import parse_links
from calitui.nodes.parse.neighbours import parse_fdb, parse_neighbours, parse_sysctls
from calitui.nodes.parse.routes import parse_routes
from calitui.nodes.parse.rules import parse_rules
from calitui.nodes.parse.sections import Part
from calitui.nodes.parse.words import Parsed, lines, verbatim

_NAMES = ("links", "addresses", "routes", "routes6", "rules", "rules6", "neighbours")

HOST_SECTIONS = {name: name for name in (*_NAMES, "sysctls", "counters")}
"""The node's own sections: the name of each in the output, and what to call it where it is missing."""

_PROGRAMS = {"sysctls": "grep", "counters": "cat"}
_NO_SUCH_COMMAND = 127
_NO_IPV6 = "Address family not supported"
_DEFAULT_PRIORITIES = frozenset({0, 32766, 32767})


class Reading(msgspec.Struct, frozen=True):
    """All sections of one output by name, the reason for those that are not there, and whether `ip` is iproute2's."""

    sections: dict[str, Part]
    cut: str
    iproute2: bool = True


def container_sections(ip: str) -> dict[str, str]:
    """The sections of the container that holds `ip`, in the form of `HOST_SECTIONS`."""
    return {f"container {ip} {name}": f"container {ip} {name}" for name in _NAMES}


def read_namespace(reading: Reading, names: dict[str, str]) -> tuple[NetworkNamespace, list[Missing]]:
    """The namespace whose sections are `names`, and those of them that were not read to their end."""
    reasons: dict[str, str] = {}
    bodies: dict[str, str] = {}
    for name in names:
        kind = name.rpartition(" ")[2]
        part = reading.sections.get(name)
        bodies[kind] = _whole_entries(part) if part else ""
        reasons[kind] = _why_unread(part, kind, reading.cut)
    unparsed: dict[str, tuple[str, ...]] = {}
    unparsed["links"] = parse_links(bodies["links"]).unparsed
    unparsed["addresses"] = parse_links(bodies["addresses"]).unparsed
    links = parse_links(f"{bodies['links']}\n{bodies['addresses']}").items
    routes = parse_routes(bodies["routes"])
    routes6 = parse_routes(bodies["routes6"], 6)
    rules = parse_rules(bodies["rules"])
    rules6 = parse_rules(bodies["rules6"], 6)
    neighbours = parse_neighbours(bodies["neighbours"])
    sysctls, unparsed["sysctls"] = parse_sysctls(bodies.get("sysctls", ""))
    counters = parse_counters(bodies.get("counters", ""))
    unparsed |= {"counters": counters.unparsed}
    unparsed |= {"routes": routes.unparsed, "routes6": routes6.unparsed, "neighbours": neighbours.unparsed}
    unparsed |= {"rules": rules.unparsed, "rules6": rules6.unparsed}
    for kind, odd in unparsed.items():
        if odd and not reasons.get(kind):
            reasons[kind] = _odd(odd)
    if not reading.iproute2:
        _distrust_rules(reasons, {"rules": rules.items, "rules6": rules6.items})
    complete = frozenset(kind for kind, reason in reasons.items() if not reason)
    if "links" in complete:
        # A link that has an address but was not there yet when the links were printed: nothing is known of it.
        links = tuple(link for link in links if link.text)
    namespace = NetworkNamespace(
        links=links,
        routes=routes.items + routes6.items,
        rules=rules.items + rules6.items,
        neighbours=neighbours.items,
        counters=counters.items,
        sysctls=sysctls,
        unparsed=tuple(line for odd in unparsed.values() for line in odd),
        complete=complete,
    )
    missing = [
        Missing(shown, reasons[kind]) for name, shown in names.items() if reasons[kind := name.rpartition(" ")[2]]
    ]
    return namespace, missing


def read_forwarding(reading: Reading, host: NetworkNamespace) -> tuple[NetworkNamespace, list[Missing]]:
    """The node's own namespace with the forwarding databases of its VXLAN devices; nothing of it where it has none."""
    parts = {name.removeprefix("fdb "): part for name, part in reading.sections.items() if name.startswith("fdb ")}
    devices = dict.fromkeys([*parts, *(link.name for link in host.links if link.kind == "vxlan")])
    if not devices:
        return host, []
    entries: list[ForwardingEntry] = []
    unparsed: list[str] = []
    reasons: list[str] = [] if "links" in host.complete else ["the links were not read, and with them which are VXLAN"]
    for device in devices:
        part = parts.get(device)
        found = parse_fdb(_whole_entries(part), device) if part else Parsed[ForwardingEntry]()
        entries += found.items
        unparsed += found.unparsed
        why = _why_unread(part, "fdb", reading.cut)
        if found.unparsed and not why:
            why = _odd(found.unparsed)
        if why:
            reasons.append(f"{why} ({device})")
    host = msgspec.structs.replace(
        host,
        fdb=tuple(entries),
        unparsed=(*host.unparsed, *unparsed),
        complete=host.complete if reasons else host.complete | {"fdb"},
    )
    return host, [Missing("fdb", reasons[0])] if reasons else []


def _odd(unparsed: tuple[str, ...]) -> str:
    return f"{len(unparsed)} of its lines in a form that is not known, the first: {unparsed[0][:120]}"


def _whole_entries(part: Part) -> str:
    """What was printed, without the last entry where the end is missing: the next hops of a route may be cut off."""
    if part.status is not None:
        return part.body
    printed = part.body.split("\n")
    while len(printed) > 1 and printed[-1].startswith((" ", "\t")):
        printed.pop()
    return "\n".join(printed[:-1])


def _why_unread(part: Part | None, kind: str, cut: str) -> str:
    """Why this section is not complete, or "" when it was printed to its end."""
    if part is None or part.status is None:
        return cut
    if part.status == 0 or (kind.endswith("6") and _NO_IPV6 in part.said):
        return ""
    if part.status == _NO_SUCH_COMMAND and kind == "fdb":
        return "`bridge` is not there, as in the image of calico-node"
    if part.status == _NO_SUCH_COMMAND:
        return f"`{_PROGRAMS.get(kind, 'ip')}` is not installed on this node, or not in its PATH"
    said = lines(part.said)
    return verbatim(said[0])[:200] if said else f"the command ended with status {part.status}"


def _distrust_rules(reasons: dict[str, str], rules: dict[str, tuple[Rule, ...]]) -> None:
    """BusyBox prints no `not`, no `oif` and no protocols: any rule but the usual three may say something else."""
    for kind, found in rules.items():
        if not reasons[kind] and any(rule.priority not in _DEFAULT_PRIORITIES for rule in found):
            reasons[kind] = "this node's ip is BusyBox's, which leaves parts of a rule out"
