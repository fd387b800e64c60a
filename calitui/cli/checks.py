"""What `doctor` found, one statement each: pure, from facts and ways to the nodes.

A thing that was not tried is never called fine.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import msgspec

from calitui.facts.cluster import Cluster
from calitui.facts.node import NodeFacts
from calitui.facts.snapshot import Snapshot
from calitui.report.words import counted, listed, moment_line
from calitui.session.access import Access
from calitui.session.ways import Way


class State(StrEnum):
    """How a check ended."""

    OK = "ok"
    """Read just now, or recorded as read."""
    FAILED = "not read"
    """Asked for and not read."""
    NOT_TRIED = "not tried"
    """Only told how it would be."""
    ALLOWED = "allowed"
    """The server says that it may be done."""
    DENIED = "denied"
    """The server says that it may not."""
    NOT_SAID = "not said"
    """The server was asked and gave no answer."""
    SAID = "-"
    """Nothing to try: a statement."""


BAD = frozenset({State.FAILED, State.DENIED, State.NOT_SAID})
OBJECTS = "read from the API"
RIGHTS = "rights"


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One line of `doctor`: `about` is the group, `what` the thing, `words` the rest for a person."""

    about: str
    what: str
    state: State = State.SAID
    words: str = ""


_RESOURCES: dict[str, Callable[[Cluster], int]] = {
    "pods": lambda cluster: len(cluster.pods),
    "nodes": lambda cluster: len(cluster.nodes),
    "ClusterInformation": lambda cluster: int(bool(cluster.calico_version or cluster.cluster_type)),
    "IPPools": lambda cluster: len(cluster.pools),
    "IPAM blocks": lambda cluster: len(cluster.blocks),
    "block affinities": lambda cluster: len(cluster.affinities),
    "FelixConfigurations": lambda cluster: len(cluster.felix),
    "BGPConfigurations": lambda cluster: len(cluster.bgp),
    "BGPPeers": lambda cluster: len(cluster.bgp_peers),
    "NetworkPolicies": lambda cluster: _policies(cluster, "NetworkPolicy"),
    "Calico NetworkPolicies": lambda cluster: _policies(cluster, "CalicoNetworkPolicy"),
    "GlobalNetworkPolicies": lambda cluster: _policies(cluster, "GlobalNetworkPolicy"),
    "IPAMConfig": lambda cluster: int(cluster.ipam is not None),
    "CalicoNodeStatuses": lambda cluster: len(cluster.node_statuses),
    "ServiceCIDRs": lambda cluster: len(cluster.service_cidrs),
    "Service default/kubernetes": lambda cluster: int(bool(cluster.service_ips)),
}
"""What is read of a cluster, by its name in `Cluster.missing`, and how many of it came."""


def cluster_checks(cluster: Cluster, origin: str) -> list[Check]:
    """What the cluster is, and how much of each kind of thing was read."""
    calico = [cluster.calico_version or "version not known", cluster.cluster_type]
    said = [
        ("read from", origin),
        ("context", cluster.context),
        ("server", cluster.server),
        ("namespace", cluster.namespace),
        ("Kubernetes", cluster.kubernetes_version),
        ("Calico", ", ".join(part for part in calico if part)),
        ("datastore", cluster.datastore or "not known"),
        ("API group", cluster.calico_group or "none of Calico's is served or readable"),
        ("read", moment_line(cluster.read_at)),
    ]
    checks = [Check(about="cluster", what=what, words=words) for what, words in said if words]
    unread = {missing.what: missing for missing in cluster.missing}
    for what, count in _RESOURCES.items():
        if (missing := unread.pop(what, None)) is not None:
            checks.append(Check(about=OBJECTS, what=what, state=State.FAILED, words=missing.reason))
        elif what.endswith("Policies") and cluster.policies is None:
            checks.append(Check(about=OBJECTS, what=what, state=State.FAILED, words="could not be counted"))
        else:
            checks.append(Check(about=OBJECTS, what=what, state=State.OK, words=f"{count(cluster)} read"))
    checks += [
        Check(about=OBJECTS, what=missing.what, state=State.FAILED, words=missing.reason) for missing in unread.values()
    ]
    return checks


def access_checks(access: Access) -> list[Check]:
    """Who the server takes us for, and every right that reading needs."""
    groups = f", groups {', '.join(access.identity.groups)}" if access.identity.groups else ""
    user = access.identity.user + groups if access.identity.user else "the server can't tell (Kubernetes before 1.28)"
    checks = [Check(about=RIGHTS, what="user", words=user)]
    for right in access.rights:
        what = f"{right.verb} {right.resource}" + (f".{right.group}" if right.group else "")
        state = {True: State.ALLOWED, False: State.DENIED, None: State.NOT_SAID}[right.allowed]
        checks.append(Check(about=RIGHTS, what=what, state=state, words=right.reason))
    return checks


def way_checks(ways: tuple[Way, ...]) -> list[Check]:
    """How each node would be dialled."""
    checks = []
    for way in ways:
        if way.error:
            checks.append(Check(about="nodes", what=way.node, state=State.FAILED, words=way.error))
            continue
        words = f"{way.target} by {way.why}" + (f", through {way.jumps}" if way.jumps else "")
        words += "".join(f"; {warning}" for warning in way.warnings)
        checks.append(Check(about="nodes", what=way.node, state=State.NOT_TRIED, words=words))
    return checks


def read_checks(snapshot: Snapshot) -> list[Check]:
    """What came back from each node; a node of the cluster that was not read at all is said too."""
    read = {node.name: node for node in snapshot.nodes}
    checks = [_read(node) for node in snapshot.nodes]
    checks += [
        Check(about="nodes", what=node.name, state=State.FAILED, words="no facts of it")
        for node in snapshot.cluster.nodes
        if node.name not in read
    ]
    return checks


def _read(node: NodeFacts) -> Check:
    way = f"{node.target} by {node.address_source}" if node.target else node.via
    if node.host is None:
        reasons = [missing.reason for missing in node.missing] or ["no reason was given"]
        return Check(about="nodes", what=node.name, state=State.FAILED, words=f"{way}: {reasons[0]}")
    words = f"{way}: {counted(len(node.host.routes), 'route')}, {counted(len(node.containers), 'container')}"
    if node.missing:
        words += f"; not read: {listed([missing.what for missing in node.missing])}"
    return Check(about="nodes", what=node.name, state=State.OK, words=words)


def _policies(cluster: Cluster, kind: str) -> int:
    return sum(policy.kind == kind for policy in cluster.policies or ())
