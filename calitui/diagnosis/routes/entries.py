"""The entries about routes between nodes: what each code means, in words for a tired person."""

from __future__ import annotations

from calitui.diagnosis.entry import Entry
from calitui.trace.finding import Severity
from calitui.trace.path import Step

_ROUTE = (Step.ROUTE,)
# A route that is wrong on one node makes the ways there and back differ, which a strict filter then minds.
_ASYMMETRY = frozenset({"rp-filter-strict"})
_DESIGN = "Calico design/cluster-route-programming/DESIGN.md; felix and bgp configuration `programClusterRoutes`"

PROGRAMMED_TWICE = Entry(
    code="cluster-routes-programmed-twice",
    severity=Severity.WARNING,
    title="Felix and BIRD both write block routes",
    background=(
        "Routes to other nodes' blocks are written either by BIRD, which learns them by BGP, or by Felix, which "
        "knows them from the datastore. Since v3.31 two settings choose: `programClusterRoutes` in "
        "FelixConfiguration and in BGPConfiguration. They belong together: one on, the other off. With both on, each "
        "removes what the other wrote and routes flap."
    ),
    remedy="Set one of the two to Enabled and the other to Disabled.",
    reference=_DESIGN,
    steps=_ROUTE,
)
PROGRAMMED_NEVER = Entry(
    code="cluster-routes-programmed-never",
    severity=Severity.ERROR,
    title="neither Felix nor BIRD writes block routes",
    background=(
        "Routes to other nodes' blocks are written either by BIRD, which learns them by BGP, or by Felix, which "
        "knows them from the datastore. Since v3.31 two settings choose: `programClusterRoutes` in "
        "FelixConfiguration and in BGPConfiguration. They belong together: one on, the other off. With both off "
        "nobody writes any route to another node's pods, except those of VXLAN pools."
    ),
    remedy="Set one of the two to Enabled.",
    reference=_DESIGN,
    steps=_ROUTE,
    explains=frozenset({"block-route-missing", "route-not-in-kernel"}),
)
UNREACHABLE = Entry(
    code="block-route-unreachable",
    severity=Severity.ERROR,
    title="BIRD can't resolve the next hop",
    background=(
        "BIRD learns a block with the other node's address as next hop, then looks in this node's own routes how to "
        "get there. If it finds no usable way (no route, a route with several next hops, a gateway that is a /32) it "
        "writes the block as `unreachable`: the kernel then refuses every packet to it with ICMP. The BGP session is "
        "up and looks healthy, so this is easily missed."
    ),
    remedy="Give the node a plain route to the other node (mask, default route), or use a newer BIRD or VXLAN.",
    reference="projectcalico/calico#1761, projectcalico/bird#31, projectcalico/bird#90",
    steps=_ROUTE,
    explains=_ASYMMETRY | frozenset({"block-route-missing"}),
)
OWNED_TWICE = Entry(
    code="block-owned-twice",
    severity=Severity.ERROR,
    title="two nodes claim one block",
    background=(
        "A block of pod addresses belongs to one node. The owner holds a `blackhole` route for it, so that addresses "
        "of it which no pod uses go nowhere, and tells the others the way by BGP. If a second node still holds such "
        "a route (from before it was rebuilt, or because its affinity was taken from it) it swallows packets to the "
        "owner's pods, and other nodes may be sent to it as well."
    ),
    remedy="Restart calico-node on the node that is not the owner; look at the block's affinity first.",
    reference="projectcalico/node#1032",
    steps=_ROUTE,
    explains=_ASYMMETRY | frozenset({"block-route-wrong-next-hop", "block-route-missing"}),
)
FOREIGN = Entry(
    code="foreign-route",
    severity=Severity.ERROR,
    title="a route of somebody else",
    background=(
        "BIRD and Felix mark the routes they write with a protocol (`proto bird`, `proto 80`). A route to pod "
        "addresses without it was added by hand, by another daemon or by a VPN, and wins over Calico's if it is as "
        "long or has a lower metric. Neither BIRD nor Felix touches it, so it stays when everything around it "
        "changes."
    ),
    remedy="Delete the route, and find out who writes it; restart calico-node if Calico's own does not come back.",
    reference="projectcalico/calico#9687, projectcalico/calico#10585",
    steps=_ROUTE,
    explains=_ASYMMETRY
    | frozenset({"block-route-missing", "block-route-wrong-next-hop", "pod-route-missing", "route-not-in-kernel"}),
)
MODE_MISMATCH = Entry(
    code="pool-mode-route-mismatch",
    severity=Severity.ERROR,
    title="the route's device is not what the pool says",
    background=(
        "An IPPool says how packets between nodes are carried: IPIP or VXLAN always, only between subnets, or never. "
        "The route to a block shows what really happens: `dev tunl0` and `dev vxlan.calico` wrap the packet, a NIC "
        "sends it bare. If the two disagree, packets go out in a form that the network between the nodes (a cloud, a "
        "router) does not carry, or that the other node does not expect. It comes from a pool that was changed "
        "later, or from BIRD that did not reload."
    ),
    remedy="Restart calico-node on this node so that the route is written anew; check the pool's mode.",
    reference="projectcalico/bird#22, projectcalico/calicoctl#716, projectcalico/calico#1859",
    steps=_ROUTE,
    explains=_ASYMMETRY,
)
MULTIPATH = Entry(
    code="multipath-not-encapsulated",
    severity=Severity.ERROR,
    title="several next hops, not encapsulated",
    background=(
        "Where a block is reached by several next hops at once, BIRD writes one route with a list of them, and "
        "Calico's BIRD does not set the tunnel device on those. Packets that the pool wants in IPIP leave bare, and "
        "whatever lies between the nodes drops them."
    ),
    remedy="Leave one path between the nodes (a bond, one uplink for BGP), or use VXLAN.",
    reference="projectcalico/calico#4462, projectcalico/bird#90",
    steps=_ROUTE,
    explains=_ASYMMETRY,
)
NO_L2 = Entry(
    code="no-l2-path",
    severity=Severity.WARNING,
    title="no tunnel between nodes of different networks",
    background=(
        "Without IPIP or VXLAN a packet keeps the pod's own address on the wire. Between nodes on one L2 network "
        "that is fine: the frame goes straight to the other node's MAC. Between two networks it passes a router, and "
        "the router looks at the pod's address, which it has never heard of: it knows the nodes, not the pods. So it "
        "drops the packet or sends it to the internet. That is what IPIP is for: the outer header carries the nodes' "
        "addresses, which every router knows. CrossSubnet does it only where a router is in between."
    ),
    remedy="Set the pool's ipipMode (or vxlanMode) to CrossSubnet, or teach the router the blocks by BGP.",
    reference="Calico docs, Overlay networking; Configure BGP peering",
    steps=(Step.ROUTE, Step.NIC_OUT),
    explains=_ASYMMETRY,
)
GATEWAY = Entry(
    code="next-hop-is-gateway",
    severity=Severity.ERROR,
    title="packets go to the router instead of the node beside it",
    background=(
        "The other node is on the same L2 network, so its own address should be the next hop. BIRD looked for the "
        "way to it while the NIC's own subnet route was not there (an interface that came up late, a wrong mask) and "
        "took the default route instead, and keeps it. The router gets packets to pod addresses that it knows "
        "nothing of."
    ),
    remedy="Restart BIRD (calico-node) on this node after its subnet route is there; check the NIC's mask.",
    reference="projectcalico/calico#7706, projectcalico/calico#10321, projectcalico/calico#8381",
    steps=_ROUTE,
    explains=_ASYMMETRY,
)
WRONG_NEXT_HOP = Entry(
    code="block-route-wrong-next-hop",
    severity=Severity.ERROR,
    title="the block's route leads to another node",
    background=(
        "IPAM gives a block to one node, and every other node's route to the block should have that node as next "
        "hop. Here it leads elsewhere, so the packets arrive at a machine that does not have the pod. Usually an old "
        "announcement is still around: a node that was rebuilt or renamed, or a block that changed hands."
    ),
    remedy="Find out which node still announces the block (birdcl show route), and restart calico-node there.",
    reference="projectcalico/node#1032",
    steps=_ROUTE,
    explains=_ASYMMETRY,
)
NOT_IN_KERNEL = Entry(
    code="route-not-in-kernel",
    severity=Severity.ERROR,
    title="BIRD has the route, the kernel does not",
    background=(
        "BIRD learns routes by BGP and hands the best ones to the kernel, which alone moves packets. If BIRD has a "
        "route selected and the kernel lacks it, somebody took it away after BIRD wrote it (NetworkManager, "
        "systemd-networkd, a person), or the kernel refused it because something else is in its place."
    ),
    remedy="Restart calico-node; keep host services away from Calico's devices and routes.",
    reference="projectcalico/calico#4779, projectcalico/calico#9687",
    steps=_ROUTE,
    explains=frozenset({"block-route-missing"}),
)
MISSING = Entry(
    code="block-route-missing",
    severity=Severity.ERROR,
    title="no route to the other node's pods",
    background=(
        "A node needs a route to each block of addresses that IPAM gave to another node, or it sends packets for "
        "those pods to its default gateway. BIRD learns these routes from the other nodes by BGP; with VXLAN, Felix "
        "writes them from the datastore. Neither did here."
    ),
    remedy="Look at the BGP sessions of both nodes (Felix's log with VXLAN); restart calico-node on the node to mend.",
    reference="Calico docs, Troubleshooting: Check the routes",
    steps=_ROUTE,
    explains=_ASYMMETRY,
    loses=True,
)
