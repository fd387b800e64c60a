"""Which file of a bundle says what of which node.

Source: Calico, `calicoctl/calicoctl/commands/cluster/diags.go`: `calico-diagnostics-TIME/nodes/NODE/ip-route.txt` and
so on, each holding what the command printed to its output and error stream together.
"""

from __future__ import annotations

import msgspec

FILES = {
    "ip-route.txt": "routes",
    "ip-route-v4.txt": "routes",
    "ip-route-v6.txt": "routes6",
    "ip-rule.txt": "rules",
    "ip-rule-v4.txt": "rules",
    "ip-rule-v6.txt": "rules6",
    "ip-addr.txt": "addresses",
    "ip-link.txt": "links",
    "ip-neigh.txt": "neighbours",
    "iptables-legacy-save.txt": "iptables-legacy",
    "iptables-nft-save.txt": "iptables-nft",
    "nft-ruleset.txt": "nft",
    "ip6tables-legacy-save.txt": "ip6tables-legacy",
    "ip6tables-nft-save.txt": "ip6tables-nft",
    "bridge-fdb.txt": "fdb",
    "bird_ipam.cfg": "pools",
    "bird6_ipam.cfg": "pools",
}
"""What the files of a node hold, by their names. The last five are none of calicoctl's."""

USUAL = {
    "links": "ip-link.txt",
    "addresses": "ip-addr.txt",
    "routes": "ip-route.txt",
    "routes6": "ip-route-v6.txt",
    "rules": "ip-rule.txt",
    "rules6": "ip-rule-v6.txt",
    "neighbours": "ip-neigh.txt",
}
"""The file to ask for where a section is missing."""


class NodeFile(msgspec.Struct, frozen=True):
    """A file about a node: `folder` is `.../nodes/NODE`, `root` what stands before `nodes` (ends in `/`, or is "")."""

    root: str
    node: str
    folder: str
    section: str


def node_file(path: str) -> NodeFile | None:
    """What the file at `path` is, None if it is none of `nodes/NODE/FILE`."""
    parts = path.split("/")
    if len(parts) < 3 or parts[-3] != "nodes" or parts[-1] not in FILES:
        return None
    root = "/".join(parts[:-3])
    return NodeFile(root + "/" if root else "", parts[-2], "/".join(parts[:-1]), FILES[parts[-1]])


def is_node_file(path: str) -> bool:
    """Whether the file at `path` says something of a node."""
    return node_file(path) is not None
