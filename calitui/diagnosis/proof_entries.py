"""The entries of what only packets show. The checks are in the analysis of a live proof; an audit never finds these."""

from __future__ import annotations

from calitui.diagnosis.entry import Entry
from calitui.trace.finding import Severity
from calitui.trace.path import Step

_UNDERLAY = (Step.NIC_OUT, Step.NIC_IN)
_ANYWHERE = (Step.VETH_IN, Step.ROUTE, Step.TUNNEL_OUT, Step.NIC_OUT, Step.TUNNEL_IN, Step.VETH_OUT, Step.CONTAINER_IN)

DROPS_IPIP = Entry(
    code="underlay-drops-ipip",
    severity=Severity.ERROR,
    title="the network between the nodes drops IPIP packets",
    background=(
        "The packets were seen to leave one node's network card as IPIP (IP protocol 4) and never came in to the other "
        "node's. IPIP is neither TCP nor UDP and has no ports: security groups of clouds, firewalls between racks and "
        "some virtual switches let only the protocols through that they were told of, and drop it without a word. "
        "Azure's network carries no IPIP at all. The nodes reach each other and BGP sessions are up all the while."
    ),
    remedy="Let IP protocol 4 pass between all nodes, or change the pool to VXLAN where that is not possible.",
    reference="docs.tigera.io Calico network requirements; projectcalico/calico#1357",
    steps=_UNDERLAY,
)
DROPS_VXLAN = Entry(
    code="underlay-drops-vxlan",
    severity=Severity.ERROR,
    title="the network between the nodes drops VXLAN packets",
    background=(
        "The packets were seen to leave one node's network card as VXLAN (UDP to port 4789, or Felix' `vxlanPort`) and "
        "never came in to the other node's. A firewall or a cloud's security group between the nodes drops that port; "
        "VMware NSX keeps 4789 for itself, and some network cards drop what has a checksum that an offload got wrong."
    ),
    remedy="Let VXLAN's UDP port pass between all nodes both ways, or set another `vxlanPort` in FelixConfiguration.",
    reference="docs.tigera.io Calico network requirements; projectcalico/calico#3145",
    steps=_UNDERLAY,
)
DROPS_PLAIN = Entry(
    code="underlay-drops-plain",
    severity=Severity.ERROR,
    title="the network between the nodes drops pods' packets",
    background=(
        "The packets were seen to leave one node's network card with the pod's own addresses, and never came in to the "
        "other node's. Without a tunnel the network between the nodes has to carry addresses that it does not know: "
        "clouds drop packets whose source is not the machine's own (the source/destination check of AWS, "
        "allowed-address-pairs of OpenStack, forged transmits of VMware), and a router between two subnets sends them "
        "elsewhere unless it has learned the pods' routes."
    ),
    remedy="Have the network carry pods' addresses (switch its source check off, peer with its routers), or tunnel.",
    reference="docs.tigera.io Calico over Ethernet fabrics, AWS source/destination check",
    steps=_UNDERLAY,
)
DROPPED = Entry(
    code="dropped-in-node",
    severity=Severity.ERROR,
    title="the node itself drops the packets",
    background=(
        "The packets were seen to come to a node by one interface and never left it by the next. In between are the "
        "node's packet filter with Calico's policies, the reverse path filter, and the routes. Rules that drop and "
        "whose counters rose meanwhile are named; what else passed the node at that moment counts too. Calico's chains "
        "tell by their names what they are of: `cali-tw-` and `cali-fw-` of a pod's interface, `cali-pi-` and "
        "`cali-po-` of a policy."
    ),
    remedy="Change the rule or policy that is named, or look at what filters on this node.",
    reference="felix/rules/policy.go PolicyChainName, felix/rules/endpoints.go",
    steps=_ANYWHERE,
)
LOST = Entry(
    code="lost-on-the-way",
    severity=Severity.ERROR,
    title="packets are lost where nobody could watch",
    background=(
        "The packets were seen at one place of the path and not at a later one, and in between lies at least one place "
        "that was not watched, or not all the time: a node without root, without tcpdump, or that could not be read. "
        "Where between the two they were lost can't be told."
    ),
    remedy="Make the places in between readable (--sudo, tcpdump on the nodes) and prove again.",
    reference="tcpdump(8)",
    steps=_ANYWHERE,
)
REPLY_LOST = Entry(
    code="reply-lost",
    severity=Severity.ERROR,
    title="requests arrive, and the replies are lost on the way back",
    background=(
        "The destination received the packets and answered, and the answers did not come home. The way back is a path "
        "of its own: it may leave by another network card, be dropped by the reverse path filter of a node that would "
        "not send to this source by the device it came in by, or meet a firewall that never saw the request and takes "
        "the reply for a stranger."
    ),
    remedy="Mend the way back at the hop where the reply was seen last: its route, rp_filter, or the filter there.",
    reference="Linux Documentation/networking/ip-sysctl.rst rp_filter",
    steps=_ANYWHERE,
)
REWRITTEN = Entry(
    code="source-rewritten",
    severity=Severity.WARNING,
    title="the packets' source address is changed on the way",
    background=(
        "The packets arrived with another source address than they were sent with: something on the way translates "
        "(SNAT, masquerading). Between pods of one cluster Calico never does. Policies of the destination then judge "
        "the address of a node instead of the pod's, and logs show the wrong one. Usual causes are a masquerading rule "
        "of Docker or of another network plugin that is left over, kube-proxy with `--masquerade-all` or a wrong "
        "`--cluster-cidr`, the ip-masq-agent, or a pool with natOutgoing beside pods whose addresses are in no pool."
    ),
    remedy="Find the rule in the node's nat table (iptables -t nat -S POSTROUTING) and except the pods' addresses.",
    reference="felix/rules/nat.go; docs.tigera.io IPPool natOutgoing",
    steps=(Step.ROUTE, Step.NIC_OUT, Step.NIC_IN, Step.VETH_OUT, Step.CONTAINER_IN),
)
NO_ICMP = Entry(
    code="fragmentation-needed-no-icmp",
    severity=Severity.ERROR,
    title="packets that are too large vanish without an answer",
    background=(
        "Small packets pass. Larger ones that may not be fragmented are lost, and nobody answers that they are too "
        "large (ICMP fragmentation needed, packet too big). The sender's kernel never learns the path's MTU: "
        "connections are made and hang with the first full packet, pages load half, TLS handshakes stall. A link "
        "between the nodes has a smaller MTU than the pods' devices count on, and its router can't or may not answer; "
        "switches and tunnels never answer."
    ),
    remedy="Set the MTU in Calico (Installation or the CNI configuration) to what passes, or let the ICMP errors pass.",
    reference="RFC 2923, 2.1; docs.tigera.io Configure MTU",
    steps=(Step.NIC_OUT, Step.NIC_IN, Step.VETH_OUT),
)
SMALLER = Entry(
    code="path-mtu-smaller",
    severity=Severity.WARNING,
    title="less passes than the devices' MTUs allow",
    background=(
        "The largest packet that passed is smaller than the devices of both nodes let through. A link in between that "
        "belongs to neither node has a smaller MTU. It answered that the packets are too large, so senders that "
        "heed ICMP adapt, at the price of a lost packet for each new destination; firewalls that drop ICMP "
        "turn this into connections that hang."
    ),
    remedy="Raise the MTU of the network between the nodes, or set Calico's MTU to what passes.",
    reference="docs.tigera.io Configure MTU to maximize network performance",
    steps=(Step.NIC_OUT, Step.NIC_IN),
)
NOT_ANSWERED = Entry(
    code="not-answered",
    severity=Severity.WARNING,
    title="the packets arrive, and nobody answers",
    background=(
        "The packets were seen inside of the destination's network namespace, and no answer left it: routes, tunnels "
        "and policies did their work. What listens there does not answer: nothing is bound to the port on this "
        "address, a UDP service has nothing to say to such a packet, the pod drops it in a packet filter of its own "
        "(a service mesh's sidecar), or its kernel is told not to answer pings."
    ),
    remedy="Look into the pod: what listens on which address (ss -lntu), its sidecar, its own packet filter.",
    reference="ip(7) icmp_echo_ignore_all; ss(8)",
    steps=(Step.CONTAINER_IN, Step.HOST_IN),
)
WRONG = Entry(
    code="prediction-wrong",
    severity=Severity.INFO,
    title="packets went another way than the routes say",
    background=(
        "What was seen differs from what calitui computed out of the routes: packets arrived where the path was said "
        "to break, or took another interface or encapsulation. The kernel's way is the true one. The tables may have "
        "changed since they were read, several equal next hops may share the packets, or something decides that "
        "calitui does not read: eBPF programs, marks set by a packet filter, offloads of the network card."
    ),
    remedy="Read the nodes again and compare; if it stays, please report it with a recording (calitui record).",
    reference="Linux net/ipv4/fib_semantics.c; ip-rule(8)",
    steps=_ANYWHERE,
)
ENTRIES = (
    DROPS_IPIP,
    DROPS_VXLAN,
    DROPS_PLAIN,
    DROPPED,
    REPLY_LOST,
    NO_ICMP,
    LOST,
    NOT_ANSWERED,
    REWRITTEN,
    SMALLER,
    WRONG,
)
