"""Read Calico's objects from whichever API group has them; what can't be read is named, the rest is read.

`crd.projectcalico.org/v1` is where Calico itself keeps them when Kubernetes is its datastore. `projectcalico.org/v3` is
Calico's own API server, or native definitions since v3.32. With etcd as datastore there is neither (unless that API
server runs). A user may be allowed one group and not the other, so each kind is tried in every group that has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import msgspec

from calitui.cluster import bgp_objects, ipam_objects, services
from calitui.cluster import calico_objects as objects
from calitui.cluster.api import METADATA_ONLY, Api
from calitui.cluster.discovery import Failure, resources
from calitui.cluster.listing import pages
from calitui.cluster.parallel import all_of, spawn
from calitui.cluster.refusal import ApiError
from calitui.facts.cluster import (
    BGPConfiguration,
    BGPPeer,
    Block,
    BlockAffinity,
    Cluster,
    FelixConfiguration,
    IPAMConfiguration,
    IPPool,
    NodeStatus,
    PolicyRef,
)
from calitui.facts.decoding import decoder
from calitui.facts.missing import Missing
from calitui.facts.text import clean

GROUPS = ("crd.projectcalico.org/v1", "projectcalico.org/v3")
"""In order of preference."""

KINDS: dict[str, str] = {
    "ippools": "IPPools",
    "felixconfigurations": "FelixConfigurations",
    "bgpconfigurations": "BGPConfigurations",
    "bgppeers": "BGPPeers",
    "ipamblocks": "IPAM blocks",
    "blockaffinities": "block affinities",
    "clusterinformations": "ClusterInformation",
    "networkpolicies": "Calico NetworkPolicies",
    "globalnetworkpolicies": "GlobalNetworkPolicies",
    "ipamconfigs": "IPAMConfig",
    "caliconodestatuses": "CalicoNodeStatuses",
}
"""What is read, by its plural in the API, with its name in `Missing`."""
PLURALS_V3 = {"ipamconfigs": "ipamconfigurations"}
"""Plurals that are others in `projectcalico.org/v3`."""
LATER = frozenset({"ipamconfigs", "caliconodestatuses"})
"""Kinds that not every Calico has: where there is no such kind there is none of them, and nothing is missing."""
KUBERNETES_POLICIES = "NetworkPolicies"
KUBERNETES_POLICIES_PATH = "/apis/networking.k8s.io/v1/networkpolicies"


PARALLEL = 5
"""Requests at once: most of the lists are small."""


class Calico(msgspec.Struct, frozen=True):
    """What one reading brought. `group` is "" if no group was found, and `group_known` tells whether that is certain;
    `reached` is False when at least one request got no answer at all.
    """

    group: str = ""
    group_known: bool = True
    reached: bool = True
    pools: tuple[IPPool, ...] = ()
    blocks: tuple[Block, ...] = ()
    affinities: tuple[BlockAffinity, ...] = ()
    felix: tuple[FelixConfiguration, ...] = ()
    bgp: tuple[BGPConfiguration, ...] = ()
    bgp_peers: tuple[BGPPeer, ...] = ()
    information: objects.InformationSpec | None = None
    ipam: IPAMConfiguration | None = None
    node_statuses: tuple[NodeStatus, ...] = ()
    services: services.Services = services.Services()
    policies: tuple[PolicyRef, ...] | None = None
    etcd_endpoints: bool = False
    missing: tuple[Missing, ...] = ()

    def onto(self, cluster: Cluster) -> Cluster:
        """`cluster` with Calico's part as read here; `missing` is added to what it misses already."""
        information = self.information or objects.InformationSpec()
        return msgspec.structs.replace(
            cluster,
            calico_version=clean(information.calico_version or ""),
            cluster_type=clean(information.cluster_type or ""),
            datastore_ready=information.datastore_ready,
            datastore=self._datastore(cluster),
            calico_group=self.group,
            pools=self.pools,
            blocks=self.blocks,
            affinities=self.affinities,
            felix=self.felix,
            bgp=self.bgp,
            bgp_peers=self.bgp_peers,
            ipam=self.ipam,
            node_statuses=self.node_statuses,
            service_cidrs=self.services.cidrs,
            service_ips=self.services.ips,
            policies=self.policies,
            missing=cluster.missing + self.missing + self.services.missing,
        )

    def _datastore(self, cluster: Cluster) -> str:
        """`kdd` where objects were seen or their group is there, `etcd` where Calico is at work without any."""
        if self.information is not None or self.pools:
            return "kdd"
        if self.etcd_endpoints:
            return "etcd"
        if self.group:
            return "kdd"
        if not self.group_known:
            return ""
        return "etcd" if _is_calico_there(cluster) else ""


def _is_calico_there(cluster: Cluster) -> bool:
    if any(node.bgp_address or node.ipip_address or node.vxlan_address for node in cluster.nodes):
        return True
    return any(pod.labels.get("k8s-app") == "calico-node" for pod in cluster.pods)


class _Found(msgspec.Struct, frozen=True):
    items: list[Any]
    group: str


def plural_in(group: str, plural: str) -> str:
    """What a kind of `KINDS` is called in a group, named with or without its version."""
    return PLURALS_V3.get(plural, plural) if group.partition("/")[0] == "projectcalico.org" else plural


def read(api: Api) -> Calico:
    """Read everything of `KINDS`, Kubernetes' own NetworkPolicies and where Services are, in parallel.

    Never raises ApiError.
    """
    config = spawn(lambda: _etcd_endpoints(api))
    of_services = spawn(lambda: services.read(api))
    there = dict(zip(GROUPS, all_of([partial(resources, api, group) for group in GROUPS], PARALLEL), strict=True))
    paths = {plural: _paths(there, plural) for plural in KINDS} | {KUBERNETES_POLICIES: [KUBERNETES_POLICIES_PATH]}
    lists = [partial(_list, api, where, _RAW[plural]) for plural, where in paths.items()]
    results = dict(zip(paths, all_of(lists, PARALLEL), strict=True))
    for plural in LATER:
        if isinstance(result := results[plural], Failure) and result.status == 404:
            results[plural] = _Found([], "")
    names = {**KINDS, KUBERNETES_POLICIES: KUBERNETES_POLICIES}
    failures = {plural: result for plural, result in results.items() if isinstance(result, Failure)}
    asked = [*failures.values(), *(each for each in there.values() if isinstance(each, Failure))]
    information = next(iter(_of(results["clusterinformations"])), None)
    found_services = of_services.result()
    return Calico(
        group=_group(there, results),
        group_known=not any(isinstance(each, Failure) for each in there.values()),
        reached=all(failure.status for failure in asked) and found_services.reached,
        pools=tuple(ipam_objects.pool(raw) for raw in _of(results["ippools"])),
        blocks=tuple(ipam_objects.block(raw) for raw in _of(results["ipamblocks"])),
        affinities=tuple(ipam_objects.affinity(raw) for raw in _of(results["blockaffinities"])),
        felix=tuple(objects.felix(raw) for raw in _of(results["felixconfigurations"])),
        bgp=tuple(bgp_objects.bgp(raw) for raw in _of(results["bgpconfigurations"])),
        bgp_peers=tuple(bgp_objects.peer(raw) for raw in _of(results["bgppeers"])),
        information=information.spec if information is not None else None,
        ipam=next((ipam_objects.configuration(raw) for raw in _of(results["ipamconfigs"])), None),
        node_statuses=tuple(bgp_objects.status(raw) for raw in _of(results["caliconodestatuses"])),
        services=found_services,
        policies=_policies(results),
        etcd_endpoints=config.result(),
        missing=tuple(Missing(names[plural], failure.reason) for plural, failure in failures.items()),
    )


_RAW: dict[str, type[Any]] = {
    "ippools": ipam_objects.RawPool,
    "felixconfigurations": objects.RawFelix,
    "bgpconfigurations": bgp_objects.RawBGP,
    "bgppeers": bgp_objects.RawPeer,
    "ipamblocks": ipam_objects.RawBlock,
    "blockaffinities": ipam_objects.RawAffinity,
    "clusterinformations": objects.RawInformation,
    "networkpolicies": objects.RawPolicy,
    "globalnetworkpolicies": objects.RawPolicy,
    "ipamconfigs": ipam_objects.RawConfiguration,
    "caliconodestatuses": bgp_objects.RawStatus,
    KUBERNETES_POLICIES: objects.RawPolicy,
}


def _paths(there: dict[str, frozenset[str] | Failure], plural: str) -> list[str] | Failure:
    """Where `plural` is to be looked for, or why that is nowhere.

    A group that can't be discovered may still be readable, so it is asked too, unless the server is out of reach.
    """
    for plurals in there.values():
        if isinstance(plurals, Failure) and not plurals.status:
            return plurals
    paths = [
        f"/apis/{group}/{name}"
        for group, plurals in there.items()
        for name in (plural_in(group, plural),)
        if isinstance(plurals, Failure) or name in plurals
    ]
    if paths:
        return paths
    present = [group for group, plurals in there.items() if plurals]
    if present:
        return Failure(f"the API group {present[0]} has none", 404)
    return Failure("no API group of Calico is in this cluster: its datastore is etcd, or it is not Calico", 404)


def _list(api: Api, paths: list[str] | Failure, kind: type[Any]) -> _Found | Failure:
    """All objects from the first path that gives them, or the failure of the first that is more than an absence."""
    if isinstance(paths, Failure):
        return paths
    accept = METADATA_ONLY if kind is objects.RawPolicy else "application/json"
    failures = []
    for path in paths:
        try:
            items = [item for chunk in pages(_getter(api, accept), path, kind) for item in chunk.items]
            return _Found(items, path.removeprefix("/apis/").rpartition("/")[0])
        except ApiError as error:
            failures.append(Failure(error.what, error.status))
    return next((failure for failure in failures if failure.status != 404), failures[0])


def _getter(api: Api, accept: str) -> Callable[[str, Any], bytearray]:
    return lambda path, query: api.get(path, query, accept=accept)


def _of(result: _Found | Failure) -> list[Any]:
    return [] if isinstance(result, Failure) else result.items


def _group(there: dict[str, frozenset[str] | Failure], results: dict[str, _Found | Failure]) -> str:
    """The group that IPPools came from, else the first that is there at all."""
    pools = results["ippools"]
    if isinstance(pools, _Found):
        return pools.group
    return next((group for group, plurals in there.items() if plurals and not isinstance(plurals, Failure)), "")


def _policies(results: dict[str, _Found | Failure]) -> tuple[PolicyRef, ...] | None:
    kinds: Iterable[tuple[str, str]] = (
        ("NetworkPolicy", KUBERNETES_POLICIES),
        ("CalicoNetworkPolicy", "networkpolicies"),
        ("GlobalNetworkPolicy", "globalnetworkpolicies"),
    )
    readable = [(kind, results[plural]) for kind, plural in kinds if not isinstance(results[plural], Failure)]
    if not readable:
        return None
    return tuple(objects.policy(kind, raw) for kind, found in readable for raw in _of(found))


class _ConfigMap(msgspec.Struct):
    data: dict[str, str] | None = None


def _etcd_endpoints(api: Api) -> bool:
    """Whether the manifests' ConfigMap says that Calico's datastore is etcd; False if it can't be read."""
    try:
        found = decoder(_ConfigMap).decode(api.get("/api/v1/namespaces/kube-system/configmaps/calico-config"))
    except (ApiError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return bool((found.data or {}).get("etcd_endpoints"))
