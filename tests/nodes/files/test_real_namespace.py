"""A folder written with calicoctl's commands in a real namespace holds what the node script reads there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

from calitui.facts.node import Link, NetworkNamespace
from calitui.session.folder import read_folder
from tests.nodes.files import diags
from tests.nodes.script.namespaces import Node, node

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="needs root: it makes network namespaces"),
    pytest.mark.skipif(shutil.which("ip") is None, reason="needs iproute2 (apt-get install iproute2)"),
]

COMMANDS = {
    "ip-route.txt": "route show table all",
    "ip-route-v6.txt": "-6 route show table all",
    "ip-rule.txt": "rule",
    "ip-rule-v6.txt": "-6 rule",
    "ip-addr.txt": "addr",
    "ip-link.txt": "link",
    "ip-neigh.txt": "neigh",
}


def saved(real: Node, path: Path, **changes: str) -> NetworkNamespace:
    commands = COMMANDS | {name.replace("_", "-") + ".txt": words for name, words in changes.items()}
    content = {f"nodes/n/{name}": real.ip(*words.split()) for name, words in commands.items()}
    (found,) = read_folder(diags.folder(path, content)).nodes
    assert found.host is not None
    return found.host


def links(host: NetworkNamespace) -> list[Any]:
    """What `ip link` tells without `-d`."""
    unknown: dict[str, Any] = dict.fromkeys(("parent", "tunnel_local", "vni", "port", "peer_index"))
    return [msgspec.structs.replace(link, kind="", text="", **unknown) for link in host.links]


def bare(found: tuple[Any, ...]) -> list[Any]:
    return [msgspec.structs.replace(one, text="") for one in found if not isinstance(one, Link)]


def test_files_hold_what_the_node_itself_would_have_said(tmp_path: Path) -> None:
    with node() as real:
        ours = saved(real, tmp_path / "all")
        theirs = real.facts().host
        assert theirs is not None
        assert ours.unparsed == ()
        assert ours.complete == theirs.complete - {"fdb", "sysctls", "counters"}
        assert links(ours) == links(theirs)
        assert bare(ours.routes) == bare(theirs.routes)
        assert bare(ours.rules) == bare(theirs.rules)
        # `ip route show table all` tells the routes of IPv6 too.
        (tmp_path / "all/nodes/n/ip-route-v6.txt").unlink()
        both = read_folder(tmp_path / "all").nodes[0].host
        assert both is not None
        assert (both.routes, "routes6" in both.complete) == (ours.routes, True)
        # Coloured, of table main alone: the other tables are known to be missing.
        main = saved(real, tmp_path / "main", ip_route="-c=always route")
        assert "routes" not in main.complete
        kept = [route for route in bare(theirs.routes) if route.table == "main" and ":" not in route.prefix]
        assert bare(main.routes)[: len(kept)] == kept
        # The table `local` is made up again as far as lookups of the node's own addresses need it.
        made = {route.prefix for route in main.routes if route.table == "local" and ":" not in route.prefix}
        real_ones = {route.prefix for route in theirs.routes if (route.table, route.kind) == ("local", "local")}
        assert made == {prefix for prefix in real_ones if ":" not in prefix} - {"127.0.0.1/32"}
