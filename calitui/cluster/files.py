"""The cluster as somebody saved it: `kubernetes/pods.yaml`, `crd/ippools.crd.projectcalico.org.yaml` and the like.

The same decoders as for the API's answers; only the text is another. Files that are not there are missing, as a list
that may not be read is. Knows no folder and no tarball: it is handed texts by their paths.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import chain
from typing import Any, TypeVar

import msgspec

from calitui.cluster import bgp_objects, ipam_objects, lenient, nodes, pods, services
from calitui.cluster import calico_objects as decode
from calitui.cluster.documents import Object, objects
from calitui.facts.cluster import Cluster, PolicyRef
from calitui.facts.missing import Missing
from calitui.facts.text import clean

GROUPS = ("crd.projectcalico.org", "projectcalico.org")
"""Calico's API groups in the order of preference; a file named without a group counts as the first."""

NAMES = {
    "pods": "pods",
    "nodes": "nodes",
    "ippools": "IPPools",
    "ipamblocks": "IPAM blocks",
    "blockaffinities": "block affinities",
    "felixconfigurations": "FelixConfigurations",
    "bgpconfigurations": "BGPConfigurations",
    "bgppeers": "BGPPeers",
    "clusterinformations": "ClusterInformation",
    "networkpolicies": "NetworkPolicies",
    "calico networkpolicies": "Calico NetworkPolicies",
    "globalnetworkpolicies": "GlobalNetworkPolicies",
    "ipamconfigs": "IPAMConfig",
    "caliconodestatuses": "CalicoNodeStatuses",
    "servicecidrs": services.CIDRS,
    "services": services.KUBERNETES,
}
"""What is read, by the plural that its file is named for, with its name in `Missing`."""

LATER = frozenset({"ipamconfigs", "caliconodestatuses", "servicecidrs", "services"})
"""What many clusters have none of, or nobody saves: without a file there is none of it, and nothing is missing."""
_ALSO = {"ipamconfigurations": "ipamconfigs"}
_BESIDE = frozenset({"version", "configmaps"})
_ENDINGS = (".yaml", ".yml", ".json")
_FAILURES = ("Error from server", "error: ", "Unable to connect to the server", "The connection to the server")
_ASIDE = ("Warning: ", "No resources found", "Unable to use a TTY")

T = TypeVar("T", bound=msgspec.Struct)


def resource_of(path: str) -> str | None:
    """The key of `NAMES` (or `version`, `configmaps`) that the file at `path` is named for, None if for none."""
    folder, _, name = path.rpartition("/")
    ending = next((ending for ending in _ENDINGS if name.endswith(ending)), None)
    if ending is None or "/nodes/" in f"/{folder}/":
        return None
    plural, _, group = name.removesuffix(ending).partition(".")
    plural = _ALSO.get(plural, plural)
    if plural in _BESIDE:
        return plural
    if plural == "networkpolicies" and (group in GROUPS or (not group and folder.endswith("crd"))):
        plural = "calico networkpolicies"
    elif group not in ("", *GROUPS, "networking.k8s.io"):
        return None
    return plural if plural in NAMES else None


def read_files(texts: Mapping[str, str], *, context: str, read_at: float) -> Cluster:
    """The cluster out of the texts of its files, by path; those of no resource are passed over. Never raises."""
    read = _Reading(texts)
    words = pods.Words()
    information = read.all("clusterinformations", decode.RawInformation, lambda raw: raw.spec)
    about = information[0] if information else decode.InformationSpec()
    group = read.group_of("ippools")
    policies = (
        *read.all("networkpolicies", decode.RawPolicy, _policy("NetworkPolicy")),
        *read.all("calico networkpolicies", decode.RawPolicy, _policy("CalicoNetworkPolicy")),
        *read.all("globalnetworkpolicies", decode.RawPolicy, _policy("GlobalNetworkPolicy")),
    )
    pools = read.all("ippools", ipam_objects.RawPool, ipam_objects.pool)
    cluster = Cluster(
        context=context,
        kubernetes_version=read.version(),
        calico_version=clean(about.calico_version or ""),
        cluster_type=clean(about.cluster_type or ""),
        datastore_ready=about.datastore_ready,
        datastore="kdd" if information or pools else "etcd" if read.has_etcd() else "",
        calico_group=group,
        read_at=read_at,
        pods=tuple(pod for pod in read.all("pods", pods.RawPod, lambda raw: pods.pod(raw, words)) if pod.name),
        nodes=tuple(node for node in read.all("nodes", nodes.RawNode, lambda raw: nodes.node(raw, words)) if node.name),
        pools=pools,
        blocks=read.all("ipamblocks", ipam_objects.RawBlock, ipam_objects.block),
        affinities=read.all("blockaffinities", ipam_objects.RawAffinity, ipam_objects.affinity),
        felix=read.all("felixconfigurations", decode.RawFelix, decode.felix),
        bgp=read.all("bgpconfigurations", bgp_objects.RawBGP, bgp_objects.bgp),
        bgp_peers=read.all("bgppeers", bgp_objects.RawPeer, bgp_objects.peer),
        ipam=next(iter(read.all("ipamconfigs", ipam_objects.RawConfiguration, ipam_objects.configuration)), None),
        node_statuses=read.all("caliconodestatuses", bgp_objects.RawStatus, bgp_objects.status),
        service_cidrs=tuple(chain(*read.all("servicecidrs", services.RawCIDR, services.cidrs))),
        service_ips=tuple(chain(*read.all("services", services.RawService, services.addresses))),
        policies=policies
        if read.any_of("networkpolicies", "calico networkpolicies", "globalnetworkpolicies")
        else None,
    )
    return msgspec.structs.replace(cluster, missing=tuple(read.missing))


def _policy(kind: str) -> Callable[[decode.RawPolicy], PolicyRef]:
    return lambda raw: decode.policy(kind, raw)


class _Reading:
    """The texts by resource, and what could not be read of them."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self.missing: list[Missing] = []
        self._paths: dict[str, str] = {}
        self._texts = texts
        for path in sorted(texts, key=_preference):
            resource = resource_of(path)
            if resource is not None:
                self._paths.setdefault(resource, path)

    def any_of(self, *resources: str) -> bool:
        return any(resource in self._paths for resource in resources)

    def group_of(self, resource: str) -> str:
        """The group and version that the file's name tells, "" without a file."""
        path = self._paths.get(resource)
        if path is None:
            return ""
        return "projectcalico.org/v3" if _preference(path) else "crd.projectcalico.org/v1"

    def all(self, resource: str, kind: type[T], fact: Callable[[T], Any]) -> tuple[Any, ...]:
        """The facts of one resource; what of its file can't be read is `missing`."""
        path = self._paths.get(resource)
        name = NAMES[resource]
        if path is None:
            if resource in LATER:
                return ()
            self.missing.append(Missing(name, f"no file {resource.removeprefix('calico ')}.yaml is there"))
            return ()
        found: list[Any] = []
        odd: list[str] = []
        try:
            for one in objects(self._output(path)):
                try:
                    found.append(fact(_convert(one, kind)))
                except (ValueError, RecursionError) as error:
                    odd.append(clean(str(error))[:200])
        except ValueError as error:
            self.missing.append(Missing(name, f"{clean(path)}: {clean(str(error))[:200]}"))
        if odd:
            self.missing.append(Missing(name, f"{len(odd)} objects in {clean(path)} are odd, the first: {odd[0]}"))
        return tuple(found)

    def version(self) -> str:
        """The API server's version in `kubectl version -o yaml`, "" where it is not there."""
        for one in self._beside("version"):
            server = one.get("serverVersion")
            if isinstance(server, dict):
                return clean(str(server.get("gitVersion", "")))
        return ""

    def has_etcd(self) -> bool:
        """Whether the ConfigMap of Calico's manifests says that the datastore is etcd."""
        for one in self._beside("configmaps"):
            metadata, data = one.get("metadata"), one.get("data")
            if isinstance(metadata, dict) and metadata.get("name") == "calico-config" and isinstance(data, dict):
                return bool(data.get("etcd_endpoints"))
        return False

    def _beside(self, resource: str) -> list[Object]:
        path = self._paths.get(resource)
        found: list[Object] = []
        try:
            for one in objects(self._output(path)) if path else ():
                found.append(one)  # noqa: PERF402 - what was read before an error counts
        except ValueError:
            pass
        return found

    def _output(self, path: str) -> str:
        """What the command printed to its output.

        Raises:
            ValueError: it printed an error instead.
        """
        text = self._texts[path].lstrip()
        while text.startswith(_ASIDE):
            text = text.partition("\n")[2].lstrip()
        first = text.partition("\n")[0]
        if first.startswith(_FAILURES):
            raise ValueError(first)
        return text


def _preference(path: str) -> int:
    """0 for a file of the preferred group or of none."""
    group = path.rpartition("/")[2].partition(".")[2]
    return int(group.startswith("projectcalico.org"))


def _convert(one: Object, kind: type[T]) -> T:
    try:
        return msgspec.convert(one, kind)
    except (msgspec.ValidationError, RecursionError):
        return lenient.one(msgspec.json.encode(one), kind)
