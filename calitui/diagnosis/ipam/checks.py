"""Findings about addresses of pods and Services: the family's entries and checks, and those of no other module."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from calitui.diagnosis.ipam import blocks as ipam_blocks
from calitui.diagnosis.ipam import entries
from calitui.diagnosis.ipam import pods as ipam_pods
from calitui.diagnosis.ipam import pools as ipam_pools
from calitui.diagnosis.scene import Address, Network, Scene, address, network
from calitui.facts.node import Route
from calitui.trace.fabric import Place
from calitui.trace.finding import Finding, Severity, Unchecked


def datastore_not_ready(scene: Scene) -> Iterator[Finding | Unchecked]:
    """The switch that stops Felix and IPAM."""
    if (why := scene.cluster_missing("ClusterInformation")) is not None:
        yield entries.NOT_READY.unchecked(None, why)
    elif scene.cluster.datastore_ready is False:
        yield entries.NOT_READY.found(
            None,
            "Calico's datastore is marked as not ready: no new pod gets an address, and a node that restarts gets no "
            "routes.",
            evidence=("API ClusterInformation default: datastoreReady false",),
            fix=(
                "# if no upgrade or migration is under way:",
                'kubectl patch clusterinformation default --type merge -p \'{"spec":{"datastoreReady":true}}\'',
            ),
        )


def service_blackhole(scene: Scene) -> Iterator[Finding | Unchecked]:
    """A blackhole route for addresses of Services."""
    cluster = scene.cluster
    ips = [ip for text in cluster.service_ips if (ip := address(text)) is not None]
    told = (*cluster.service_cidrs, *(cidr for one in cluster.bgp for cidr in one.service_cidrs))
    prefixes = [found for cidr in told if (found := network(cidr)) is not None]
    if not ips and not prefixes:
        why = scene.cluster_missing("Service default/kubernetes", "ServiceCIDRs")
        reason = why or "the addresses of Services are not known"
        yield entries.SERVICE_BLACKHOLE.unchecked(None, reason)
        return
    for place in scene.read(entries.SERVICE_BLACKHOLE, "routes", "links"):
        if isinstance(place, Unchecked):
            yield place
            continue
        for route in place.namespace.routes:
            if route.kind != "blackhole" or route.table not in ("main", "254"):
                continue
            around = network(route.prefix)
            finding = _blackhole(scene, place, route, around, ips, prefixes) if around is not None else None
            if finding is not None:
                yield finding


def _blackhole(
    scene: Scene, place: Place, route: Route, around: Network, ips: list[Address], prefixes: list[Network]
) -> Finding | None:
    covered = [ip for ip in ips if ip.version == around.version and ip in around]
    lost = [ip for ip in covered if _decides(place, ip, route)]
    inside = [one for one in prefixes if one.version == around.version and _is_within(one, around)]
    # IPVS holds the addresses of Services on a device of its own: table local is asked before any blackhole.
    if not lost and (covered or not inside or place.link("kube-ipvs0") is not None):
        return None
    what = f"the Service kubernetes ({lost[0]})" if lost else f"Services ({inside[0]})"
    told = [f"API Service default/kubernetes clusterIP: {ip}" for ip in lost] + [
        f"API Services: {one}" for one in inside
    ]
    node = place.node
    return entries.SERVICE_BLACKHOLE.found(
        node,
        f"{node} has a blackhole route for {around}, which covers {what}: what {node} itself sends there is thrown "
        "away.",
        evidence=(scene.line(place.label, "ip route", route.text), *told[:3]),
        fix=(
            f"ssh {shlex.quote(node)} ip route del blackhole {around}",
            "kubectl get bgpconfiguration default -o yaml  # serviceClusterIPs: the route is BIRD's if it comes back",
        ),
        subject=str(around),
        severity=Severity.ERROR if lost else Severity.WARNING,
    )


def _decides(place: Place, ip: Address, route: Route) -> bool:
    """Whether the lookup for `ip` on the node ends at that route."""
    try:
        match = place.fib.lookup(str(ip))
    except ValueError:
        return False
    return match is not None and match.route == route


def _is_within(one: Network, around: Network) -> bool:
    return one.network_address in around and one.prefixlen >= around.prefixlen


ENTRIES = (
    entries.NOT_READY,
    entries.OVERLAPS_HOST,
    entries.OVERLAP,
    entries.HOLDS_TUNNEL,
    entries.POD_DUPLICATE,
    entries.CONTRADICTION,
    entries.AFFINITY_GONE,
    entries.OUTSIDE_POOLS,
    entries.EXHAUSTED,
    entries.SERVICE_BLACKHOLE,
)
CHECKS = (
    datastore_not_ready,
    ipam_pools.overlaps_host,
    ipam_pools.overlap,
    ipam_pods.holds_tunnel,
    ipam_pods.duplicate,
    ipam_blocks.contradiction,
    ipam_blocks.affinity_gone,
    ipam_pods.outside_pools,
    ipam_blocks.exhausted,
    service_blackhole,
)
