"""What limits a whole answer: a dataplane that the kernel's routes do not tell all of, and pods of another CNI."""

from __future__ import annotations

from calitui.trace.fabric import Fabric
from calitui.trace.path import Endpoint

# Interface prefixes of CNIs beside which Calico enforces policy only (FELIX_INTERFACEPREFIX of their manifests).
_POLICY_ONLY = {"eni": "the AWS VPC CNI", "azv": "the Azure CNI", "gke": "GKE's CNI"}


def notes(fabric: Fabric, source: Endpoint, destination: Endpoint) -> tuple[str, ...]:
    """One sentence for each thing that a person should know before she believes the path."""
    found = [
        *_dataplane(fabric),
        *_pools(fabric),
        *(note for end in (source, destination) for note in _foreign(fabric, end)),
    ]
    return tuple(dict.fromkeys(found))


def _dataplane(fabric: Fabric) -> tuple[str, ...]:
    for configuration in fabric.cluster.felix:
        if configuration.spec.get("bpfEnabled", "").lower() == "true":
            where = "" if configuration.name == "default" else f" on {configuration.name.removeprefix('node.')}"
            return (
                f"The eBPF dataplane is on{where}: programs on the devices forward pods' packets by maps of their own. "
                "The routes still tell where Calico wants packets to go; what the programs do was not read.",
            )
    return ()


def _pools(fabric: Fabric) -> tuple[str, ...]:
    if fabric.cluster.pools:
        return ()
    unknown = "whether natOutgoing rewrites a source address was not read"
    if fabric.rendered_by is not None:
        return (
            f"The API has no IPPools; those in bird_ipam.cfg of {fabric.rendered_by}, as confd rendered it, are used: "
            f"{unknown}.",
        )
    return (f"No IPPool was read: what encapsulates is told by the routes alone, and {unknown}.",)


def _foreign(fabric: Fabric, end: Endpoint) -> tuple[str, ...]:
    if end.kind != "pod" or end.ip is None:
        return ()
    other = next((name for prefix, name in _POLICY_ONLY.items() if prefix in fabric.prefixes), None)
    if other is not None:
        return (f"Pods here belong to {other}, Calico only enforces policy: routes and devices are that CNI's.",)
    if fabric.pools and fabric.pool_of(end.ip) is None:
        return (f"{end.ip} of {end.label} is in no IPPool: another CNI may have set this pod up.",)
    return ()
