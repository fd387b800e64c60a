"""The packet filter of a node: the chains of nftables and of both backends of iptables, with their rules."""

from __future__ import annotations

import msgspec


class FilterRule(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A rule. `text` is the cleaned verbatim line; `packets` how many it has matched, None where nothing counts.

    A rule that nft prints over several lines is one, joined by blanks. A text that ends in `…` was too long to keep.
    """

    text: str
    packets: int | None = None


class FilterChain(msgspec.Struct, frozen=True, omit_defaults=True):
    """A chain: `backend` is `nft`, `iptables-nft` or `iptables-legacy`, `family` `ip`, `ip6`, `inet`, `bridge` ...

    `hook` is where the kernel calls it (`forward`, `input`, `output`, `prerouting`, `postrouting`), "" for a chain that
    is jumped to and for one whose table is dormant; `policy` is what it does with a packet that no rule decided:
    `accept` or `drop`. `text` is the line that says so.
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


class FilterSet(msgspec.Struct, frozen=True, omit_defaults=True):
    """A named set or map of nftables. `kind` is `set` or `map`, `type` what its keys are (`ipv4_addr . inet_service`).

    `elements` are cleaned as nft prints them, without counters, timeouts and comments: `10.0.0.0/8`, `80 : accept`.
    With `dynamic` among `flags` rules add elements as packets pass.
    """

    family: str
    table: str
    name: str
    kind: str = "set"
    type: str = ""
    flags: tuple[str, ...] = ()
    elements: tuple[str, ...] = ()


class PacketFilter(msgspec.Struct, frozen=True, omit_defaults=True):
    """All chains that were read. `unparsed` are lines in a form that is not known: a verdict can't rest on a chain that
    may be one of them. `read` names the outputs it is from (`nft`, `iptables-nft`, `ip6tables-legacy` ...).
    """

    chains: tuple[FilterChain, ...] = ()
    sets: tuple[FilterSet, ...] = ()
    unparsed: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
