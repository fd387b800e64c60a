"""The pools as confd rendered them for BIRD: `bird_ipam.cfg` and `bird6_ipam.cfg` of calico-node.

The files are the same whatever the datastore is. Their functions and filters changed their names and shapes with
Calico's versions; what stayed is one `if net ~ POOL then` in the filter for the kernel's routes, and one in the
function or filter for what BGP peers are told. Source: Calico, `bird_ipam.cfg.template` of confd and of node, and
`confd/pkg/backends/calico/bgp_processor.go`.
"""

from __future__ import annotations

import re

import msgspec

from calitui.facts.node import RenderedPool
from calitui.facts.text import clean
from calitui.nodes.parse.words import prefix

_BLOCK = re.compile(r"^(?:filter|function)[ \t]+(\w+)", re.MULTILINE)
_KERNEL = frozenset({"calico_kernel_programming", "calico_ipip"})
_PEERS = frozenset({"reject_disabled_pools", "calico_export_to_bgp_peers", "calico_pools"})
_STATEMENT = re.compile(
    r"if[ \t]*\([ \t]*net[ \t]*~[ \t]*([0-9A-Fa-f:./]+)[ \t]*\)[ \t]*then[ \t]*\{([^{}]*)\}([^\n]*)"
)
_TUNNEL = re.compile(r'krt_tunnel[ \t]*=[ \t]*"([^"\n]+)"')
# Comments above prefixes that are no pools: those of services, and what a route reflector lets pass.
_STATIC = re.compile(
    r"^[ \t]*#[^\n]*(static routes|allowlist|whitelist|as a RR)[^\n]*\n(?:[ \t]*if \( net [^\n]*\n)*", re.M
)


def parse_pools(text: str) -> tuple[RenderedPool, ...] | None:
    """The pools in the text of one such file or of both, or None if it is no such file at all.

    A pool whose routes BIRD does not program has no tunnel, and `by_felix` is set. That a pool is in a file of IPv4
    or IPv6 is told by its CIDR.
    """
    starts = list(_BLOCK.finditer(text))
    bodies = [
        (start[1], text[start.end() : (starts[number].start() if number < len(starts) else len(text))])
        for number, start in enumerate(starts, 1)
    ]
    if not any(name in _KERNEL | _PEERS for name, _ in bodies):
        return None
    found: dict[str, RenderedPool] = {}
    for name, body in bodies:
        if name not in _KERNEL and name not in _PEERS:
            continue
        for match in _STATEMENT.finditer(_STATIC.sub("", body)):
            pool = _pool(match)
            if pool is not None and (name in _KERNEL or pool.cidr not in found):
                found[pool.cidr] = pool if name in _KERNEL else msgspec.structs.replace(pool, by_felix=False)
    return tuple(found.values())


def _pool(match: re.Match[str]) -> RenderedPool | None:
    cidr = prefix(match[1], 4)
    if cidr is None:
        return None
    tunnel = _TUNNEL.search(match[2])
    return RenderedPool(
        cidr=cidr,
        tunnel=clean(tunnel[1]) if tunnel else None,
        cross_subnet="bgp_next_hop" in match[2],
        by_felix="reject;" in match[2],
        text=clean(" ".join(match[0].split())),
    )
