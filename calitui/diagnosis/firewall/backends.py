"""Whether both backends of iptables hold rules, and whether that does harm."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import msgspec

from calitui.diagnosis.firewall.entries import TWO_BACKENDS
from calitui.diagnosis.firewall.seen import Filters
from calitui.diagnosis.firewall.walk import source
from calitui.diagnosis.scene import Scene
from calitui.facts.packet_filter import FilterChain
from calitui.trace.finding import Finding, Severity, Unchecked

_DROPS = re.compile(r" -j (?:DROP|REJECT)(?: |$)|(?:^| )(?:drop|reject)(?: |$)")
_TABLES = frozenset({"raw", "mangle", "filter", "security"})
_OWNERS = {"Calico": "cali-", "kube-proxy": "KUBE-FORWARD"}
"""By the beginning of the names of chains. kubelet keeps chains of its own in either backend: they do no harm."""


class _Backend(msgspec.Struct):
    """What one backend holds: for each of its owners, and for drops of others, the line that shows it."""

    name: str
    rules: int = 0
    owners: dict[str, str] = {}
    drops: str = ""


def two_backends(scene: Scene) -> Iterator[Finding | Unchecked]:
    """Nodes whose rules are in two places."""
    filters = scene.of(Filters)
    for node in scene.nodes:
        found = filters.of(node)
        if found is None:
            continue
        legacy, modern = _Backend("iptables-legacy"), _Backend("iptables-nft")
        for chain in found.chains:
            if chain.backend == legacy.name:
                _count(node, legacy, chain)
            elif chain.backend == modern.name or (chain.family in ("ip", "ip6") and chain.table in _TABLES):
                _count(node, modern, chain)
        if legacy.rules and modern.rules:
            yield _told(scene, node, legacy, modern)


def _count(node: str, backend: _Backend, chain: FilterChain) -> None:
    backend.rules += len(chain.rules)
    line = f"{source(node, chain)}: {chain.text}"
    owner = next((name for name, start in _OWNERS.items() if chain.name.startswith(start)), "")
    if owner and chain.rules:
        backend.owners.setdefault(owner, line)
    if backend.drops or chain.name.startswith(("cali-", "KUBE-")):
        return
    dropping = next((rule.text for rule in chain.rules if _DROPS.search(rule.text) and '"cali:' not in rule.text), "")
    if dropping:
        backend.drops = f"{source(node, chain)}: {dropping}"
    elif chain.policy == "drop":
        backend.drops = line


def _told(scene: Scene, node: str, legacy: _Backend, modern: _Backend) -> Finding:
    harm = ""
    lines: list[str] = []
    for one, other in ((legacy, modern), (modern, legacy)):
        for owner, line in one.owners.items():
            if harm:
                break
            rival = next(iter(other.owners), "")
            if other.drops:
                harm = f"{owner}'s rules are in {one.name}, and rules in {other.name} drop packets"
                lines = [line, other.drops]
            elif rival:
                harm = f"{owner}'s rules are in {one.name}, {'old ones' if rival == owner else rival + ' writes its'}"
                harm += f" {'are ' if rival == owner else ''}in {other.name}"
                lines = [line, other.owners[rival]]
    if not harm:
        lines = [f"{node} {one.name}-save -c: {one.rules} rules" for one in (legacy, modern)]
        summary = (
            f"Both backends of iptables hold rules on {node} ({legacy.rules} and {modern.rules}): packets pass both."
        )
        severity = Severity.INFO
    else:
        summary = f"{node} has rules in both backends of iptables, and a packet has to pass both: {harm}."
        severity = Severity.WARNING
    felix = scene.felix(node, "iptablesBackend")
    return TWO_BACKENDS.found(
        node,
        summary,
        subject="iptables",
        evidence=[*lines, f"API FelixConfiguration: iptablesBackend {felix}" if felix else ""],
        fix=(
            f"ssh {shlex.quote(node)} iptables --version  # which one the node's own command uses",
            "# set iptablesBackend of FelixConfiguration (or FELIX_IPTABLESBACKEND) to the one kube-proxy uses: "
            "Legacy or NFT",
            f"# then restart {node}: rules that nobody keeps any more go with it",
        ),
        severity=severity,
    )
