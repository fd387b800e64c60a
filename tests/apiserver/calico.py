"""CustomResourceDefinitions of Calico's kinds, without schemas: any object of the right kind is accepted."""

from __future__ import annotations

from typing import Any

CRD_GROUP = "crd.projectcalico.org"
V3_GROUP = "projectcalico.org"

KINDS = {
    "ippools": "IPPool",
    "felixconfigurations": "FelixConfiguration",
    "bgpconfigurations": "BGPConfiguration",
    "bgppeers": "BGPPeer",
    "ipamblocks": "IPAMBlock",
    "blockaffinities": "BlockAffinity",
    "clusterinformations": "ClusterInformation",
    "networkpolicies": "NetworkPolicy",
    "globalnetworkpolicies": "GlobalNetworkPolicy",
    "ipamconfigs": "IPAMConfig",
    "ipamconfigurations": "IPAMConfiguration",
    "caliconodestatuses": "CalicoNodeStatus",
}
NOT_IN = {CRD_GROUP: ("ipamconfigurations",), V3_GROUP: ("ipamblocks", "blockaffinities", "ipamconfigs")}
"""IPAM's own records, which the API server of Calico does not show; its settings have another name there."""


def version(group: str) -> str:
    """The version Calico's objects have in `group`."""
    return "v1" if group == CRD_GROUP else "v3"


def definitions(group: str) -> list[dict[str, Any]]:
    """The definitions of all kinds that `group` has."""
    found = []
    for plural, kind in KINDS.items():
        if plural in NOT_IN.get(group, ()):
            continue
        schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        definition = {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.{group}"},
            "spec": {
                "group": group,
                "scope": "Namespaced" if plural == "networkpolicies" else "Cluster",
                "names": {"plural": plural, "singular": kind.lower(), "kind": kind, "listKind": f"{kind}List"},
                "versions": [
                    {"name": version(group), "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
                ],
            },
        }
        found.append(definition)
    return found
