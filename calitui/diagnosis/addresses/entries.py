"""The entries about nodes' own addresses: what each code means, in words for a tired person."""

from __future__ import annotations

from calitui.diagnosis.entry import Entry
from calitui.trace.finding import Severity
from calitui.trace.path import Step

_UNDERLAY = (Step.NIC_OUT, Step.TUNNEL_OUT, Step.ROUTE)
_AUTODETECTION = "Calico node `pkg/lifecycle/startup/autodetection`; setting IP_AUTODETECTION_METHOD"
_FOLLOWS = frozenset(
    {
        "rp-filter-strict",
        "node-address-duplicate",
        "node-address-mask",
        "node-source-address-differs",
        "pool-overlaps-host-network",
        "router-id-duplicate",
        "bgp-session-down",
        "bgp-peer-is-no-node",
        "bgp-route-outlives-session",
        "no-l2-path",
        "block-route-missing",
        "block-route-wrong-next-hop",
        "block-route-unreachable",
        "route-not-in-kernel",
        "next-hop-is-gateway",
        "next-hop-no-neighbour",
        "pool-mode-route-mismatch",
        "tunnel-packets-not-received",
    }
)

WRONG_INTERFACE = Entry(
    code="node-address-wrong-interface",
    severity=Severity.ERROR,
    title="Calico took the address of the wrong network card",
    background=(
        "When calico-node starts it chooses one address of the node and writes it, with its mask, into the annotation "
        "projectcalico.org/IPv4Address. All other nodes use that address: BIRD opens its BGP sessions to it, and it "
        "is the next hop, or the outer destination of a tunnel, for every pod of the node. By default Calico takes "
        "the first address it finds on a card it does not know to be virtual (`first-found`). On a node with a "
        "container bridge, a VPN or a NAT card (10.0.2.15 in VirtualBox) that can be one which the other nodes can't "
        "reach, or which every node has alike. The node then falls out of the mesh: the others keep trying an address "
        "that leads nowhere, and its pods are reachable from the node itself only. Often a new card, a bridge made by "
        "another program or a changed order at boot is what brought it about."
    ),
    remedy="Tell Calico how to choose (IP_AUTODETECTION_METHOD, nodeAddressAutodetectionV4) and restart calico-node.",
    reference=f"{_AUTODETECTION}; projectcalico/calico#1628, projectcalico/calico#10041",
    steps=_UNDERLAY,
    explains=_FOLLOWS,
)
NOT_ON_HOST = Entry(
    code="node-address-not-on-host",
    severity=Severity.ERROR,
    title="the node does not have the address that Calico tells of it",
    background=(
        "The annotation projectcalico.org/IPv4Address on the Node object is the address that all other nodes send "
        "this node's pods' packets and BGP sessions to. calico-node writes it when it starts and looks at it again "
        "only every minute or so, or never where the address is given to it by hand. When the node gets another "
        "address (DHCP, a card exchanged, a floating address that moved on, a clone of a machine) the annotation stays "
        "behind: BIRD can't bind to it (`Cannot assign requested address`), and the others talk to an address that "
        "nobody or somebody else has."
    ),
    remedy="Restart calico-node on the node; if the address is set by hand (env IP), set the right one.",
    reference="projectcalico/calico#5094, projectcalico/calico#4870, projectcalico/calico#9549",
    steps=_UNDERLAY,
    explains=_FOLLOWS | {"bird-not-running"},
)
MISSING = Entry(
    code="node-address-missing",
    severity=Severity.WARNING,
    title="Calico has no address of the node",
    background=(
        "calico-node writes the address by which the node is to be reached into the annotation "
        "projectcalico.org/IPv4Address when it starts. Without it confd configures no BGP session to the node and "
        "Felix on the others has no next hop and no tunnel end for it: the node is not part of the network. It is "
        "missing when calico-node never came up there, may not patch the Node object (RBAC), found no address it "
        "liked, or when somebody removed the annotation. A node that joined a moment ago has none yet."
    ),
    remedy="Look at the log of calico-node on the node, then restart it.",
    reference="Calico `libcalico-go/lib/backend/k8s/resources/node.go`; projectcalico/calico#6285",
    steps=_UNDERLAY,
    explains=_FOLLOWS | {"bgp-no-peers", "bird-not-running", "tunnel-device-missing", "tunnel-address-missing"},
)
DUPLICATE = Entry(
    code="node-address-duplicate",
    severity=Severity.ERROR,
    title="two nodes have one address",
    background=(
        "Each node is known to the others by one address, and each tunnel device by one of the pool. If two nodes "
        "have the same one, packets for the pods of both go to whichever answers first, and BGP refuses the second "
        "session (`Bad BGP identifier`), as the router id is taken from the address. It comes from machines that "
        "were cloned, from a card that is the same on every machine (10.0.2.15 of VirtualBox, 172.17.0.1 of Docker), "
        "from static addresses given twice, or from annotations copied along with a Node object."
    ),
    remedy="Give each node an address of its own and restart calico-node on those that were changed.",
    reference="projectcalico/calico#689, projectcalico/calico#5146, projectcalico/bird#12",
    steps=_UNDERLAY,
    explains=_FOLLOWS - {"node-address-duplicate"} | {"tunnel-address-wrong"},
)
MASK = Entry(
    code="node-address-mask",
    severity=Severity.WARNING,
    title="Calico believes in another subnet than the node is in",
    background=(
        "Calico stores a node's address with its mask (10.0.0.9/24). In a pool of mode CrossSubnet the mask decides: "
        "packets to nodes inside of it go as they are, packets to all others through the tunnel. A mask that is too "
        "long (/32, what older versions store for an address given by hand) makes every node another subnet, so "
        "everything is tunnelled. One that is too short makes nodes behind a router look like neighbours: their pods' "
        "packets leave bare, and the router, which knows nothing of pods, drops them."
    ),
    remedy="Correct the mask on the card or in calico-node's env IP, and restart calico-node.",
    reference="projectcalico/node#563; Calico documentation, `CrossSubnet`",
    steps=_UNDERLAY,
    explains=frozenset(
        {"next-hop-is-gateway", "next-hop-no-neighbour", "no-l2-path", "block-route-unreachable", "rp-filter-strict"}
    ),
)
SOURCE_DIFFERS = Entry(
    code="node-source-address-differs",
    severity=Severity.ERROR,
    title="tunnel packets leave from an address that the other nodes don't know",
    background=(
        "An IPIP packet carries the sending node's address outside. Which one the kernel chooses by itself: the "
        "preferred source of the route to the other node. The receiving node's Felix lets IPIP in only from the "
        "addresses it knows nodes by (the ipset all-hosts-net) and drops the rest without a word. So a node with two "
        "cards, a VPN or a second address whose route to its peers prefers another source than the one in its "
        "annotation sends packets that never arrive, while those towards it come through."
    ),
    remedy="Let the route to the other nodes prefer the annotated address (src), or let Calico take the other address.",
    reference="Calico `felix/rules/static.go` (IPIP from non-Calico hosts); projectcalico/calico#5171",
    steps=_UNDERLAY,
    explains=frozenset({"tunnel-packets-not-received"}),
)
