"""The entries about packet filters: what each code means, in words for a tired person."""

from __future__ import annotations

from calitui.diagnosis.entry import Cut, Entry
from calitui.trace.finding import Severity
from calitui.trace.path import Step

FORWARDED = Entry(
    code="firewall-drops-forwarded",
    severity=Severity.ERROR,
    title="the node's firewall drops what pods send through it",
    background=(
        "A node is a router for its pods: each packet from or to a pod passes the FORWARD hook of the node's own "
        "packet filter. Calico puts its rules there (the jump to `cali-FORWARD`) and accepts what policies allow. "
        "Whatever else filters on the node has a say too: Docker sets the policy of FORWARD to DROP, firewalld and "
        "ufw end their chains with a rejection, and of nftables every base chain has to accept a packet on its own, "
        "so that an accept in one does not help against a drop in another. Routes and BGP are perfect then, and "
        "packets are lost inside of the node. It happens when a firewall manager is started or reloads its rules "
        "after Calico, or when Felix writes to one backend of iptables and the others to the other."
    ),
    remedy="Let the FORWARD hook accept pods' packets: stop the firewall manager on nodes or give it rules for pods.",
    reference="projectcalico/calico#4382, #5232, #8243; kubernetes/kubernetes#40182",
    steps=(Step.ROUTE, Step.VETH_OUT, Step.NIC_IN, Step.NIC_OUT),
    explains=frozenset({"firewall-two-backends"}),
    loses=True,
    cuts=Cut.ALL,
)
TUNNEL = Entry(
    code="firewall-drops-tunnel",
    severity=Severity.ERROR,
    title="the node's firewall drops tunnelled packets",
    background=(
        "Between nodes pods' packets travel inside of others: of IP protocol 4 with IPIP (which has no ports, and is "
        "neither TCP nor UDP), to UDP port 4789 with VXLAN, to UDP port 51820 with WireGuard. The other node takes "
        "these outer packets in as its own, so they have to pass the OUTPUT hook here and the INPUT hook there. A "
        "firewall that lists what may come in, as firewalld and ufw do, knows SSH and the like but not these. Nodes "
        "can ping each other then, BGP sessions are up, and no pod reaches a pod on another node. A rule that lets "
        "established connections pass makes it come and go: the tunnel works for a while after the node itself sent "
        "something into it."
    ),
    remedy="Let protocol 4 (IPIP), UDP 4789 (VXLAN) or UDP 51820 (WireGuard) pass between all nodes.",
    reference="docs.tigera.io Calico network requirements; projectcalico/calico#1357, #2877",
    steps=(Step.NIC_IN, Step.NIC_OUT, Step.TUNNEL_IN, Step.TUNNEL_OUT),
    explains=frozenset({"tunnel-packets-not-received"}),
    loses=True,
    cuts=Cut.TUNNELLED,
)
BGP = Entry(
    code="firewall-drops-bgp",
    severity=Severity.ERROR,
    title="the node's firewall drops BGP",
    background=(
        "Nodes tell each other which pod addresses live where in BGP sessions: TCP connections to port 179 of the "
        "other node (or the `listenPort` of BGPConfiguration). One side dials, the other answers, and either will do, "
        "but when a firewall drops both the session stays in `Active` or `Connect` and its routes never come. "
        "Sessions that were up before the firewall came often live on, as established connections are let through: "
        "the fault shows days later when BIRD restarts."
    ),
    remedy="Let TCP port 179 pass between all nodes, both ways.",
    reference="docs.tigera.io Calico network requirements; projectcalico/calicoctl#1883",
    steps=(Step.ROUTE,),
    explains=frozenset(
        {
            "bgp-session-down",
            "bgp-route-outlives-session",
            "block-route-missing",
            "block-route-unreachable",
            "route-not-in-kernel",
        }
    ),
)
TWO_BACKENDS = Entry(
    code="firewall-two-backends",
    severity=Severity.WARNING,
    title="both backends of iptables hold rules",
    background=(
        "There are two iptables in the kernel: the old one (legacy) and one that writes nftables (nft). The command "
        "`iptables` shows only the one it was built for, but each packet passes both. When Felix, kube-proxy, kubelet "
        "and the distribution do not agree on one, an accept in the one does not help against a drop in the other, "
        "and rules that Felix or kube-proxy wrote before they changed sides stay there for good. It comes with "
        "upgrades of the distribution, of kube-proxy's image, or with FELIX_IPTABLESBACKEND set by hand."
    ),
    remedy="Make everything on the node use one backend and reboot the node, which clears what the other one holds.",
    reference="Felix `iptablesBackend`; projectcalico/calico#6342, #9969",
    steps=(),
)
POLICY = Entry(
    code="policy-drops-counted",
    severity=Severity.INFO,
    title="policies have dropped packets of this pod",
    background=(
        "When routes are right and packets are lost all the same, it is often a NetworkPolicy: as soon as one policy "
        "selects a pod for a direction, everything that no policy allows is dropped in that direction. Felix ends the "
        "pod's own chains, `cali-tw-` (to the workload) and `cali-fw-` (from it) and the name of its veth, with a "
        "rule that drops what no policy has passed, and the kernel counts what it takes. The count is since Felix "
        "last wrote the rule, so it shows that there were drops, not that these packets are among them."
    ),
    remedy="Look at the policies that select the pod, and watch whether the count grows while the packets are sent.",
    reference="felix/rules/endpoints.go; projectcalico/calico#2314, projectcalico/calicoctl#1377",
    steps=(Step.VETH_OUT, Step.VETH_IN),
)
ENTRIES = (FORWARDED, TUNNEL, BGP, TWO_BACKENDS, POLICY)
