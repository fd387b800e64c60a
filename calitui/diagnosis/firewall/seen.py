"""The packet filters of a scene's nodes: packets judged by them, who manages them, and what to type against a drop.

A drop in a chain of Calico's own is a policy's verdict and no firewall's: it is left out here.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator

import msgspec

from calitui.diagnosis.entry import Entry
from calitui.diagnosis.firewall.packet import Packet
from calitui.diagnosis.firewall.walk import Drop, Walk
from calitui.diagnosis.scene import Scene
from calitui.facts.packet_filter import FilterChain, PacketFilter
from calitui.trace.finding import Unchecked

PACKET_FILTER = "packet filter"


class Dropped(msgspec.Struct, frozen=True):
    """A packet that a node drops for certain; `what` it is, for a sentence."""

    what: str
    drop: Drop

    @property
    def key(self) -> tuple[FilterChain, object]:
        """What tells one deciding place from another."""
        return self.drop.chain, self.drop.rule


class Filters:
    """Made by `scene.of(Filters)`: each node's filter is indexed once."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._walks: dict[str, Walk] = {}

    def of(self, node: str) -> PacketFilter | None:
        """What was read of a node's packet filter."""
        facts = self._scene.facts.get(node)
        return facts.packet_filter if facts is not None else None

    def unread(self, entry: Entry, node: str) -> Iterator[Unchecked]:
        """Why the node's filter can't be judged whole, if it can't."""
        found, facts = self.of(node), self._scene.facts.get(node)
        if found is None:
            yield entry.unchecked(node, f"{PACKET_FILTER}: {self._scene.why_unread(node, PACKET_FILTER)}")
        elif found.unparsed:
            yield entry.unchecked(node, f"{PACKET_FILTER}: a line is in no form that is known: {found.unparsed[0]}")
        elif facts is not None and any(missing.what == PACKET_FILTER for missing in facts.missing):
            yield entry.unchecked(node, f"{PACKET_FILTER}: {self._scene.why_unread(node, PACKET_FILTER)}")

    def drop(self, node: str, packet: Packet, way: str) -> Drop | None:
        """Where a node drops a packet for certain, in a chain that is not Calico's."""
        found = self.of(node)
        if found is None or not found.chains:
            return None
        if node not in self._walks:
            self._walks[node] = Walk(found)
        drops = self._walks[node].judge(packet, way).drops
        return next((drop for drop in drops if not is_calico(drop)), None)


def is_calico(drop: Drop) -> bool:
    """Whether a packet is dropped by what Calico wrote: its chains, and its rules in chains of others."""
    if drop.chain.name.startswith("cali-") or drop.chain.table == "calico" or "-cali-" in drop.chain.name:
        return True
    return drop.rule is not None and '"cali:' in drop.rule.text


def manager(found: PacketFilter | None, drop: Drop) -> str:
    """The program that keeps the chains around a drop: `firewalld`, `ufw`, `Docker`, or ""."""
    chain = drop.chain
    beside = (
        (one.name for one in found.chains if (one.backend, one.table) == (chain.backend, chain.table)) if found else ()
    )
    names = tuple(beside)
    if chain.table == "firewalld" or any(name.startswith(("FWDI_", "FWD_", "FORWARD_IN_ZONES")) for name in names):
        return "firewalld"
    if any(name.startswith(("ufw-", "ufw6-")) for name in names):
        return "ufw"
    return "Docker" if drop.rule is None and drop.base.hook == "forward" and "DOCKER" in names else ""


_MANAGERS = {
    "firewalld": "sudo systemctl disable --now firewalld  # Calico filters by policies; or open its zones for pods",
    "ufw": "sudo ufw disable  # or `ufw default allow routed`, and a rule for what comes in from other nodes",
}


def cures(node: str, found: PacketFilter | None, drops: Iterable[Drop]) -> list[str]:
    """What to type against drops, a line for each place."""
    lines: dict[str, None] = {}
    for drop in drops:
        keeper = manager(found, drop)
        if keeper in _MANAGERS:
            lines[f"ssh {shlex.quote(node)} {_MANAGERS[keeper]}"] = None
        elif drop.rule is None:
            lines[f"ssh {shlex.quote(node)} sudo {_accept(drop.base)}"] = None
            if keeper == "Docker":
                lines["# Docker sets this policy each time it starts: have the line run after it"] = None
        else:
            lines.update(dict.fromkeys(_removals(node, drop.chain, drop.chain.rules.index(drop.rule) + 1)))
    return list(lines)


def _tool(chain: FilterChain) -> str:
    """The command of the chain's backend; chains that iptables wrote may have been read through nft."""
    return chain.backend.replace("iptables", "ip6tables" if chain.family == "ip6" else "iptables")


def _accept(chain: FilterChain) -> str:
    if chain.backend == "nft":
        return f"nft chain {_place(chain)} '{{ policy accept; }}'"
    return f"{_tool(chain)} -t {shlex.quote(chain.table)} -P {shlex.quote(chain.name)} ACCEPT"


def _removals(node: str, chain: FilterChain, number: int) -> Iterator[str]:
    """How to take a rule out by its number: its text may hold what a shell would run."""
    ssh = f"ssh {shlex.quote(node)} sudo"
    if chain.backend == "nft":
        yield f"{ssh} nft -a list chain {_place(chain)}  # shows the rule's handle"
        yield f"{ssh} nft delete rule {_place(chain)} handle NUMBER"
        return
    where = f"-t {shlex.quote(chain.table)}"
    yield f"{ssh} {_tool(chain)} {where} -nL {shlex.quote(chain.name)} {number}  # is it still this rule?"
    yield f"{ssh} {_tool(chain)} {where} -D {shlex.quote(chain.name)} {number}"


def _place(chain: FilterChain) -> str:
    return f"{shlex.quote(chain.family)} {shlex.quote(chain.table)} {shlex.quote(chain.name)}"


def place_of(drop: Drop) -> str:
    """Where it is dropped, for a sentence."""
    chain = drop.chain
    where = f"chain {chain.name} of table {chain.table} ({chain.backend})"
    return f"the policy of {where} drops" if drop.rule is None else f"a rule in {where} drops"


def told_apart(found: Iterable[Dropped]) -> list[Dropped]:
    """One for each place that drops."""
    return list({one.key: one for one in reversed(list(found))}.values())[::-1]
