"""What this cluster is, in the two lines over the list: only what was read, and "not read" where it was not.

This module must not know widgets.
"""

from __future__ import annotations

from collections import Counter

from textual.content import Content

from calitui.facts.cluster import BGPConfiguration, BGPPeer, Cluster, FelixConfiguration, Freshness, Inventory, IPPool
from calitui.facts.text import clean
from calitui.tui.text import clock, count, crop_middle, moment

TRUE = ("true", "enabled", "yes", "1")


def title(origin: str, namespace: str | None) -> list[Content]:
    """Who this is: the program, where the facts come from, which namespaces are shown."""
    scope = namespace or "all namespaces"
    where = Content.assemble((crop_middle(clean(origin), 32), "bold"), (" › ", "$dim"), clean(scope))
    return [Content.assemble((" calitui ", "bold reverse"), "  ", where)]


def freshness(inventory: Inventory | None, error: bool, now: float) -> Content:
    """How many pods and nodes, and how far to trust that number; a glyph and a word each."""
    if inventory is None:
        return Content.styled("✖ not connected", "bold $bad") if error else Content.styled("◌ connecting", "$warn")
    cluster = inventory.cluster
    counts = f"{count(len(cluster.pods), 'pod')} · {count(len(cluster.nodes), 'node')}  "
    if inventory.freshness is Freshness.LOADING:
        return Content.styled(f"◌ loading {count(len(cluster.pods), 'pod')} so far", "bold $warn")
    if inventory.freshness is Freshness.STALE:
        since = f" since {clock(inventory.since)}" if inventory.since is not None else ""
        return Content.assemble(counts, (f"▲ stale{since}", "bold $warn"))
    if inventory.freshness is Freshness.RECORDED:
        when = f" {moment(cluster.read_at, now).split(' ')[0]}" if cluster.read_at else ""
        return Content.assemble(counts, (f"■ recorded{when}", "$link"))
    return Content.assemble(counts, ("● live", "$good"))


def facts(cluster: Cluster) -> list[Content]:
    """How the cluster routes, the most telling first."""
    unread = {missing.what.lower() for missing in cluster.missing if missing.node is None}

    def not_read(*names: str) -> bool:
        return any(name.lower() in what for what in unread for name in names)

    parts = [_plain(f"Calico {_version(cluster.calico_version)}", bool(cluster.calico_version))]
    parts.append(_plain(*_datastore(cluster)))
    parts.append(_plain(*_pools(cluster.pools, not_read("ippool"))))
    default = next((item for item in cluster.bgp if item.name == "default"), None)
    parts.append(_plain(*_mesh(default, not_read("bgpconfiguration"))))
    parts.append(_plain(*_dataplane(cluster.felix, not_read("felix"))))
    parts.append(_plain(*_peers(cluster.bgp_peers, not_read("bgppeer"))))
    if default is not None and default.as_number:
        parts.append(_plain(f"AS {default.as_number}"))
    if cluster.kubernetes_version:
        parts.append(_plain(f"Kubernetes {_version(cluster.kubernetes_version)}"))
    return parts


def _plain(text: str, known: bool = True) -> Content:
    return Content.styled(clean(text), "" if known else "$dim")


def _version(version: str) -> str:
    if not version:
        return "version not read"
    return version if version.startswith("v") else f"v{version}"


def _datastore(cluster: Cluster) -> tuple[str, bool]:
    if not cluster.datastore:
        return "datastore not known", False
    return ("kdd" if cluster.datastore == "kdd" else f"{cluster.datastore} datastore"), True


def _pools(pools: tuple[IPPool, ...], unread: bool) -> tuple[str, bool]:
    if not pools:
        return ("IPPools not read", False) if unread else ("no IPPools", True)
    usable = [pool for pool in pools if not pool.disabled] or list(pools)
    if len(usable) == 1:
        return f"{encapsulation(usable[0])} {usable[0].cidr}", True
    kinds = Counter(encapsulation(pool) for pool in usable)
    if len(usable) == 2:
        return ", ".join(f"{encapsulation(pool)} {pool.cidr}" for pool in usable), True
    return ", ".join(f"{number} × {kind}" for kind, number in kinds.most_common()) + " pools", True


def encapsulation(pool: IPPool) -> str:
    """How a pool's packets are carried, in Calico's own words."""
    if pool.ipip_mode not in ("Never", ""):
        return f"IPIP {pool.ipip_mode}"
    if pool.vxlan_mode not in ("Never", ""):
        return f"VXLAN {pool.vxlan_mode}"
    return "no encapsulation"


def _mesh(default: BGPConfiguration | None, unread: bool) -> tuple[str, bool]:
    if default is None and unread:
        return "BGP mesh not read", False
    return ("BGP mesh off" if default is not None and default.mesh is False else "BGP mesh on"), True


def _peers(peers: tuple[BGPPeer, ...], unread: bool) -> tuple[str, bool]:
    if unread:
        return "BGPPeers not read", False
    return (count(len(peers), "BGPPeer") if peers else "no BGPPeers"), True


def _dataplane(felix: tuple[FelixConfiguration, ...], unread: bool) -> tuple[str, bool]:
    default = next((item for item in felix if item.name == "default"), None)
    if default is None:
        return ("dataplane not read", False) if unread else ("iptables", True)
    spec = {key.lower(): value.lower() for key, value in default.spec.items()}
    if spec.get("bpfenabled") in TRUE:
        dataplane = "eBPF"
    elif spec.get("nftablesmode") in TRUE:
        dataplane = "nftables"
    else:
        dataplane = "iptables"
    return dataplane + (" + WireGuard" if spec.get("wireguardenabled") in TRUE else ""), True


def age_warning(inventory: Inventory | None) -> list[Content]:
    """Why the list is not the cluster of this moment; empty when it is."""
    if inventory is None or inventory.freshness is not Freshness.STALE:
        return []
    why = clean(inventory.reason) or "the cluster can't be followed"
    return [Content.styled(f"▲ what you see is old: {why}", "bold $warn")]


def unread(inventory: Inventory | None) -> list[Content]:
    """One line of everything that was not read, counted; empty when there is nothing."""
    missing = inventory.cluster.missing if inventory is not None else ()
    parts = [Content(clean(f"{item.what} — {item.reason}")) for item in missing]
    if parts:
        parts[0] = Content.assemble((f"▲ {len(parts)} not read: ", "bold $warn"), parts[0])
    return parts
