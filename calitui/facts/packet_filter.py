"""The packet filter of a node: the chains of nftables and of both backends of iptables, with their rules."""

from __future__ import annotations

import msgspec


class FilterRule(msgspec.Struct, frozen=True, omit_defaults=True):
    """A rule. `text` is the cleaned verbatim line; `packets` how many it has matched, None where nothing counts."""

    text: str
    packets: int | None = None


class FilterChain(msgspec.Struct, frozen=True, omit_defaults=True):
    """A chain: `backend` is `nft`, `iptables-nft` or `iptables-legacy`, `family` `ip`, `ip6`, `inet`, `bridge` ...

    `hook` is where the kernel calls it (`forward`, `input`, `output`, `prerouting`, `postrouting`), "" for a chain that
    is jumped to; `policy` is what it does with a packet that no rule decided: `accept` or `drop`.
    """

    backend: str
    family: str
    table: str
    name: str
    hook: str = ""
    priority: int = 0
    policy: str = ""
    rules: tuple[FilterRule, ...] = ()
    text: str = ""


class PacketFilter(msgspec.Struct, frozen=True, omit_defaults=True):
    """All chains that were read. `unparsed` are lines in a form that is not known: a verdict can't rest on a chain that
    may be one of them.
    """

    chains: tuple[FilterChain, ...] = ()
    unparsed: tuple[str, ...] = ()
