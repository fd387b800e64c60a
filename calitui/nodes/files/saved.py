"""One node's folder of a bundle read into its facts.

`calicoctl cluster diags` saves no container's side, no sysctls, no forwarding database and no IPv6 rules: all of that
is missing then, and said. The kernel was not asked anything, so there are no answers to lookups. Nor are BIRD, daemons
and counters in such files, which is not said each time: nobody asked for them.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from calitui.facts.missing import Missing
from calitui.facts.node import ForwardingEntry, NetworkNamespace, NodeFacts, RenderedPool
from calitui.facts.packet_filter import PacketFilter
from calitui.facts.text import clean
from calitui.nodes.files.bundle import Bundle
from calitui.nodes.files.layout import FILES, USUAL, NodeFile, node_file
from calitui.nodes.files.own import with_local_table
from calitui.nodes.files.pasted import Saved, sections, whole
from calitui.nodes.parse import parse_fdb, parse_pools, parse_routes
from calitui.nodes.parse.firewall import PACKET_FILTER, SECTIONS, without_nat
from calitui.nodes.parse.namespace import HOST_SECTIONS, Reading, read_namespace
from calitui.nodes.parse.packet_filter import parse_packet_filter
from calitui.nodes.parse.sections import Part

VIA = "files"
_NEVER_EMPTY = frozenset({"links", "addresses", "routes", "rules"})
_CONTAINERS = "what is inside containers is not in such files"
_ASSUMED = "; lookups take it that there are only the kernel's own three"


def node_folders(bundle: Bundle) -> dict[str, dict[str, tuple[str, ...]]]:
    """The paths of the nodes' files: by root of the bundle, then by the name of the node's folder."""
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for path in bundle.files:
        file = node_file(path)
        if file is not None:
            nodes = found.setdefault(file.root, {})
            nodes[file.node] = (*nodes.get(file.node, ()), path)
    return found


def read_node(bundle: Bundle, name: str, paths: tuple[str, ...], own: tuple[str, ...] = ()) -> NodeFacts:
    """The facts of the node `name` from its files at `paths`; never raises, whatever they hold.

    `own` are addresses that the node is known to have, for the lookups of a dump without the table `local`.
    """
    files = [(path, file) for path in paths if (file := node_file(path)) is not None]
    saved = _sections(bundle, files)
    folder = files[0][1].folder if files else ""
    parts = {section: _part(section, saved.get(section), folder) for section in USUAL}
    if parts["links"].status and saved.get("addresses", Saved()).text:
        parts["links"] = _part("links", saved["addresses"], folder)  # `ip addr` prints the links too
    if "routes6" not in saved and _tells_ipv6(parts["routes"]):
        parts["routes6"] = Part(("section", "routes6"), status=0)
    names = {section: shown for section, shown in HOST_SECTIONS.items() if section in USUAL}
    host, missing = read_namespace(Reading(parts, ""), names)
    # `ip route show table all` prints the routes of both families, and `ip -6 route` those of IPv6 again.
    host = msgspec.structs.replace(host, routes=tuple(dict.fromkeys(host.routes)))
    host, unread = with_local_table(_with_fdb(host, saved.get("fdb")), own)
    missing += unread
    pools, unread = _pools(saved.get("pools"))
    packet_filter, unread_filter = _packet_filter(saved)
    missing += [*unread, *unread_filter, Missing("sysctls", f"{folder} has none"), Missing("containers", _CONTAINERS)]
    if "fdb" not in saved and any(link.kind == "vxlan" or link.name.startswith("vxlan") for link in host.links):
        missing.append(Missing("fdb", f"{folder} has none"))
    missing = [
        Missing(one.what, one.reason + (_ASSUMED if one.what in ("rules", "rules6") else ""), name) for one in missing
    ]
    return NodeFacts(
        name=name,
        via=VIA,
        target=clean(f"{bundle.name}/{folder}"),
        read_at=max((bundle.files[path].modified for path in paths), default=0.0),
        host=host,
        rendered_pools=pools,
        packet_filter=packet_filter,
        missing=tuple(missing),
    )


def _sections(bundle: Bundle, files: list[tuple[str, NodeFile]]) -> dict[str, Saved]:
    """What the files hold, by section; a file named for a section goes before what stands in another file."""
    found: dict[str, Saved] = {}
    elsewhere: dict[str, Saved] = {}
    for path, file in files:
        text = bundle.files[path].text
        if file.section == "pools":
            found["pools"] = Saved(found.get("pools", Saved()).text + "\n" + text)
            continue
        if file.section in SECTIONS:
            found.setdefault(file.section, whole(text))
            continue
        for section, saved in sections(text, FILES[path.rpartition("/")[2]]).items():
            (found if section == file.section else elsewhere).setdefault(section, saved)
    for section, saved in elsewhere.items():
        if section not in found or not (found[section].text or found[section].failure):
            found[section] = saved
    return found


def _part(section: str, saved: Saved | None, folder: str) -> Part:
    """A section as the node script would have brought it; `said` is why it is not whole."""
    words = ("section", section)
    if saved is None:
        return Part(words, said=clean(f"{folder}/{USUAL[section]} is not there"), status=1)
    if saved.failure:
        return Part(words, saved.text, said=saved.failure, status=1)
    if section in _NEVER_EMPTY and not saved.text.strip():
        return Part(words, said=clean(f"{folder}/{USUAL[section]} is empty"), status=1)
    return Part(words, saved.text, status=0)


def _tells_ipv6(part: Part) -> bool:
    """Whether these are the routes of all tables of both families."""
    return (
        part.status == 0
        and " table local " in part.body
        and any(":" in route.prefix for route in parse_routes(part.body).items)
    )


def _with_fdb(host: NetworkNamespace, saved: Saved | None) -> NetworkNamespace:
    if saved is None:
        return host
    found = parse_fdb(saved.text)
    vxlan = {link.name for link in host.links if link.kind in ("vxlan", "")}
    entries: list[ForwardingEntry] = [entry for entry in found.items if entry.device in vxlan]
    whole = not found.unparsed and not saved.failure
    return msgspec.structs.replace(
        host,
        fdb=tuple(entries),
        unparsed=(*host.unparsed, *found.unparsed),
        complete=host.complete | {"fdb"} if whole else host.complete,
    )


def _pools(saved: Saved | None) -> tuple[tuple[RenderedPool, ...] | None, list[Missing]]:
    if saved is None:
        return None, []
    pools = parse_pools(saved.text)
    unread = [Missing("rendered pools", "the files of confd are in a form that is not known")]
    return pools, unread if pools is None else []


def _packet_filter(saved: Mapping[str, Saved]) -> tuple[PacketFilter | None, list[Missing]]:
    """The filter as far as it was saved, None without any of it or where a part failed.

    Older images of calico-node have no `nft`: what iptables has is told nevertheless.
    """
    texts = {name: saved[name] for name in SECTIONS if name in saved}
    failed = {name: one.failure for name, one in texts.items() if one.failure}
    missing = [Missing(PACKET_FILTER, f"`{SECTIONS[name]}`: {why}") for name, why in list(failed.items())[:1]]
    if texts.keys() == failed.keys() or failed.keys() - {"nft"}:
        return None, missing
    kept = {name: without_nat(one.text) for name, one in texts.items() if name not in failed}
    return parse_packet_filter(kept), missing
