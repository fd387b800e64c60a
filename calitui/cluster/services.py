"""Where the cluster's Services have their addresses: what may not be a pod's, nor be blackholed.

The prefix is a flag of kube-apiserver and in no API before ServiceCIDR (Kubernetes v1.29 alpha, v1.33 stable); the
Service `default/kubernetes` is in every cluster and has the first address of it.
"""

from __future__ import annotations

import msgspec

from calitui.cluster.api import Api
from calitui.cluster.discovery import Failure, resources
from calitui.cluster.listing import pages
from calitui.cluster.refusal import ApiError
from calitui.facts.decoding import decoder
from calitui.facts.missing import Missing
from calitui.facts.text import clean

CIDRS = "ServiceCIDRs"
KUBERNETES = "Service default/kubernetes"
"""Names in `Missing`."""

GROUPS = ("networking.k8s.io/v1", "networking.k8s.io/v1beta1")
PLURAL = "servicecidrs"
KUBERNETES_PATH = "/api/v1/namespaces/default/services/kubernetes"


class Services(msgspec.Struct, frozen=True):
    """Prefixes of Services, and the addresses of `default/kubernetes`; either is empty where the API has none."""

    cidrs: tuple[str, ...] = ()
    ips: tuple[str, ...] = ()
    missing: tuple[Missing, ...] = ()
    reached: bool = True


class CIDRSpec(msgspec.Struct):
    """`servicecidrs`."""

    cidrs: list[str] | None = None


class RawCIDR(msgspec.Struct):
    """A ServiceCIDR."""

    spec: CIDRSpec = msgspec.field(default_factory=CIDRSpec)


class Metadata(msgspec.Struct):
    """Who a Service is."""

    name: str = ""
    namespace: str = ""


class ServiceSpec(msgspec.Struct, rename={"ip": "clusterIP", "ips": "clusterIPs"}):
    """`services`; `clusterIPs` is there since Kubernetes v1.20."""

    ip: str | None = None
    ips: list[str] | None = None


class RawService(msgspec.Struct):
    """A Service."""

    metadata: Metadata = msgspec.field(default_factory=Metadata)
    spec: ServiceSpec = msgspec.field(default_factory=ServiceSpec)


def cidrs(raw: RawCIDR) -> tuple[str, ...]:
    """The prefixes of a ServiceCIDR."""
    return tuple(clean(cidr) for cidr in raw.spec.cidrs or () if cidr)


def addresses(raw: RawService) -> tuple[str, ...]:
    """The addresses of a Service if it is `default/kubernetes`."""
    if (raw.metadata.namespace, raw.metadata.name) != ("default", "kubernetes"):
        return ()
    found = raw.spec.ips or [raw.spec.ip or ""]
    return tuple(clean(ip) for ip in found if ip and ip != "None")


def read(api: Api) -> Services:
    """Read both, one after the other. Never raises ApiError."""
    found, ips = _cidrs(api), _kubernetes(api)
    failures = [(what, each) for what, each in ((CIDRS, found), (KUBERNETES, ips)) if isinstance(each, Failure)]
    return Services(
        cidrs=() if isinstance(found, Failure) else found,
        ips=() if isinstance(ips, Failure) else ips,
        missing=tuple(Missing(what, failure.reason) for what, failure in failures),
        reached=all(failure.status for _, failure in failures),
    )


def _cidrs(api: Api) -> tuple[str, ...] | Failure:
    for group in GROUPS:
        there = resources(api, group)
        if isinstance(there, Failure):
            return there
        if PLURAL in there:
            try:
                chunks = pages(api.get, f"/apis/{group}/{PLURAL}", RawCIDR)
                return tuple(cidr for chunk in chunks for raw in chunk.items for cidr in cidrs(raw))
            except ApiError as error:
                return Failure(error.what, error.status)
    return ()


def _kubernetes(api: Api) -> tuple[str, ...] | Failure:
    try:
        return addresses(decoder(RawService).decode(api.get(KUBERNETES_PATH)))
    except ApiError as error:
        return () if error.status == 404 else Failure(error.what, error.status)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return Failure(f"the API server's answer about {KUBERNETES} is unreadable", 200)
