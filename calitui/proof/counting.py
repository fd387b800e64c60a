"""Which rules of a packet filter matched packets while the probes were under way: two readings of it compared."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from calitui.facts.cluster import Cluster
from calitui.facts.packet_filter import FilterChain, FilterRule, PacketFilter
from calitui.facts.proof import RuleCount
from calitui.proof.chains import owner

MOST_RULES = 500
_IPTABLES_TARGET = re.compile(r"(?:^| )-[jg] (?P<target>[^ ]+)")
_NFT_VERDICT = re.compile(r"(?:^| )(?P<verdict>drop|reject|accept|return|masquerade|snat|dnat)(?: |$|;)")
_NFT_QUOTED = re.compile(r'"[^"]*"')
_IPTABLES_COUNT = re.compile(r"\[(?P<packets>\d+):\d+\]")
_VERDICTS = {
    "ACCEPT": "accept",
    "DROP": "drop",
    "REJECT": "reject",
    "MASQUERADE": "snat",
    "SNAT": "snat",
    "DNAT": "dnat",
    "masquerade": "snat",
}

Key = tuple[str, str, str, str]


def risen(node: str, before: PacketFilter, after: PacketFilter, cluster: Cluster) -> tuple[RuleCount, ...]:
    """The rules of a node that matched more packets in `after` than in `before`, and base chains whose policy did.

    Rules are compared in chains that hold the same rules both times; a chain that was rewritten in between says
    nothing, as its counters began anew.
    """
    old = {_key(chain): chain for chain in before.chains}
    found: list[RuleCount] = []
    for chain in after.chains:
        earlier = old.get(_key(chain))
        if earlier is None or len(earlier.rules) != len(chain.rules):
            continue
        found += _of_chain(node, earlier, chain, cluster)
        if len(found) >= MOST_RULES:
            break
    return tuple(found[:MOST_RULES])


def _key(chain: FilterChain) -> Key:
    return chain.backend, chain.family, chain.table, chain.name


def _of_chain(node: str, before: FilterChain, after: FilterChain, cluster: Cluster) -> Iterator[RuleCount]:
    label = f"{after.table} {after.name}"
    whose = ""
    for old, new in zip(before.rules, after.rules, strict=True):
        if old.packets is None or new.packets is None or new.packets <= old.packets or _bare(old) != _bare(new):
            continue
        whose = whose or owner(after.name, cluster, _lines(after.rules))
        yield RuleCount(
            node=node,
            chain=label,
            text=new.text,
            packets=new.packets - old.packets,
            verdict=_verdict(after, new),
            policy=whose,
        )
    counts = [_IPTABLES_COUNT.search(chain.text) for chain in (before, after)]
    if after.policy == "drop" and counts[0] is not None and counts[1] is not None:
        more = int(counts[1]["packets"]) - int(counts[0]["packets"])
        if more > 0:
            yield RuleCount(node=node, chain=label, text=after.text, packets=more, verdict="drop")


def _lines(rules: Sequence[FilterRule]) -> list[str]:
    return [rule.text for rule in rules]


def _bare(rule: FilterRule) -> str:
    """The rule without its counters."""
    return re.sub(r"^\[\d+:\d+\] |counter packets \d+ bytes \d+", "", rule.text)


def _verdict(chain: FilterChain, rule: FilterRule) -> str:
    if chain.backend != "nft":
        found = _IPTABLES_TARGET.search(_NFT_QUOTED.sub('""', rule.text))
        return _VERDICTS.get(found["target"], "") if found is not None else ""
    said = _NFT_VERDICT.search(_NFT_QUOTED.sub('""', rule.text))
    return _VERDICTS.get(said["verdict"], said["verdict"]) if said is not None else ""
