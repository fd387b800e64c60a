"""Findings, a trace that has them, and audits as structs: a node without one block route, and a large cluster."""

from __future__ import annotations

import msgspec

from calitui.diagnosis.audit import Audit, Reach
from calitui.diagnosis.entry import Entry
from calitui.facts.missing import Missing
from calitui.trace.finding import Finding, Severity, Spot, Unchecked
from calitui.trace.path import Trace
from tests.tui import samples

ENTRIES = (
    Entry(
        code="block-route-missing",
        severity=Severity.ERROR,
        title="no route to the other node's pods",
        background="A node needs a route to each block of addresses that IPAM gave to another node, or it sends "
        "packets for those pods to its default gateway. BIRD learns these routes by BGP. It did not here.",
        remedy="Look at the BGP sessions of both nodes.",
        reference="Calico confd",
    ),
    Entry(
        code="mtu-too-big",
        severity=Severity.WARNING,
        title="pods send packets that are too big for the path",
        background="A tunnel takes room from each packet.",
        remedy="Set the MTU.",
        reference="Calico felix",
    ),
)
"""What the catalogue says of these findings in these tests, whatever its words are at the moment."""

LOST = Finding(
    code="block-route-missing",
    severity=Severity.ERROR,
    node="k8s-calico2",
    subject="192.168.210.128/26",
    summary="k8s-calico2 has no route to the block 192.168.210.128/26 of k8s-calico3, so packets to pods there are "
    "thrown away.",
    evidence=(
        "k8s-calico2 ip route: blackhole 192.168.210.128/26 proto bird",
        "API IPAMBlock 192-168-210-128-26: affinity host:k8s-calico3",
        "API BlockAffinity k8s-calico3-192-168-210-128-26: confirmed",
    ),
    fix=(
        "# BIRD on this node writes the block's routes anew when it starts",
        "kubectl -n kube-system delete pod calico-node-x7x2p",
        "ssh k8s-calico2 ip route show 192.168.210.128/26",
    ),
    reference="Calico confd/etc/calico/confd/templates/bird_ipam.cfg.template",
    affected=("k8s-calico3",),
    hops=(Spot("forward", 3),),
    consequences=("k8s-calico2 answers 192.168.210.129 from a blackhole.",),
)
SMALL_MTU = Finding(
    code="mtu-too-big",
    severity=Severity.WARNING,
    node="k8s-calico3",
    subject="cali5ce61eb6bc2",
    summary="The pod may send packets of 1500 bytes into a tunnel that carries 1480.",
    evidence=("k8s-calico3: 8: cali5ce61eb6bc2@if3: mtu 1500",),
    fix=("kubectl -n kube-system set env ds/calico-node FELIX_IPINIPMTU=1480",),
    hops=(Spot("return", 2),),
)
OVERLAP = Finding(
    code="pool-overlaps-host-network",
    severity=Severity.WARNING,
    node=None,
    subject="192.168.0.0/16",
    summary="The pool default-ipv4-ippool holds addresses of the hosts' own network [red]x[/red].",
    evidence=("API IPPool default-ipv4-ippool: cidr 192.168.0.0/16",),
)
UNCHECKED = (
    Unchecked(code="firewall-drops-forwarded", node="k8s-calico2", reason="packet filter: needs root, try --sudo"),
    Unchecked(code="firewall-drops-tunnel", node="k8s-calico2", reason="packet filter: needs root, try --sudo"),
    Unchecked(code="bgp-session-down", node="k8s-calico3", reason="birdcl: not found"),
)

TRACE: Trace = msgspec.structs.replace(samples.BROKEN, findings=(LOST, SMALL_MTU, OVERLAP), unchecked=UNCHECKED)

AUDIT = Audit(
    taken_at=samples.READ_AT,
    nodes=("k8s-calico1", "k8s-calico2", "k8s-calico3", "k8s-calico4"),
    read=frozenset({"k8s-calico1", "k8s-calico2", "k8s-calico3"}),
    rows=("=..?", "-=x?", "-.=?", "-??="),
    causes={(1, 2): (0,)},
    reasons={
        (0, 3): "k8s-calico4 was not read",
        (1, 3): "k8s-calico4 was not read",
        (2, 3): "k8s-calico4 was not read",
        (3, 1): "routes: k8s-calico4 was not read",
        (3, 2): "routes: k8s-calico4 was not read",
    },
    findings=(msgspec.structs.replace(LOST, hops=()), msgspec.structs.replace(SMALL_MTU, hops=()), OVERLAP),
    unchecked=UNCHECKED,
    unread=(Missing("everything", "connection refused at 10.173.32.25:22. Is sshd running there?", "k8s-calico4"),),
    pods=3,
    blocks=3,
)
PARTIAL = msgspec.structs.replace(
    AUDIT,
    read=frozenset({"k8s-calico1"}),
    rows=("=..?", "-=??", "-?=?", "-??="),
    causes={},
    findings=(),
    complete=False,
)
HEALTHY = msgspec.structs.replace(
    AUDIT,
    read=frozenset(AUDIT.nodes),
    rows=("=...", ".=..", "..=.", "...="),
    causes={},
    reasons={},
    findings=(),
    unchecked=(),
    unread=(),
)


def large(size: int) -> Audit:
    """A cluster of `size` nodes where one, in the middle, can't be reached by any other."""
    names = tuple(f"ip-10-0-{number // 256}-{number % 256}.eu-central-1.compute.internal" for number in range(size))
    broken = size // 2
    rows = tuple(
        "".join(
            (Reach.ITSELF if row == column else Reach.BROKEN if broken in (row, column) else Reach.OK).value
            for column in range(size)
        )
        for row in range(size)
    )
    finding = msgspec.structs.replace(LOST, node=names[broken], affected=names[:broken], hops=())
    pairs = [(broken, other) for other in range(size)] + [(other, broken) for other in range(size)]
    return Audit(
        taken_at=samples.READ_AT,
        nodes=names,
        read=frozenset(names),
        rows=rows,
        causes={pair: (0,) for pair in pairs if pair[0] != pair[1]},
        findings=(finding,),
        pods=size,
        blocks=size,
    )
