"""The entries about pools, blocks and pods' addresses: what each code means, in words for a tired person."""

from __future__ import annotations

from calitui.diagnosis.entry import Entry
from calitui.trace.finding import Severity
from calitui.trace.path import Step

_POD_ROUTES = frozenset({"pod-route-missing", "pod-route-wrong-device", "pod-veth-missing"})

NOT_READY = Entry(
    code="datastore-not-ready",
    severity=Severity.WARNING,
    title="Calico's datastore is locked",
    background=(
        "The object ClusterInformation `default` has a switch, datastoreReady. While it is false Felix on a node that "
        "starts waits and programs nothing, and the CNI plugin refuses to give new pods addresses. Upgrades and "
        "moves of the datastore switch it off (`calicoctl datastore migrate lock`) and on again at their end; one "
        "that broke off in between leaves it off. Pods that run already go on, which is why it is noticed late: by "
        "pods that stay in ContainerCreating, and by nodes that were rebooted and have no routes."
    ),
    remedy="Finish the upgrade or migration, or set datastoreReady to true.",
    reference="Calico `libcalico-go/lib/apis/v3` ClusterInformation; `calicoctl datastore migrate`",
    explains=_POD_ROUTES | {"ipam-exhausted", "block-affinity-not-confirmed"},
)
OVERLAPS_HOST = Entry(
    code="pool-overlaps-host-network",
    severity=Severity.WARNING,
    title="a pool of pod addresses contains addresses of something else",
    background=(
        "An IPPool must be a range that nobody else uses: Calico takes every address in it for a pod's. If it also "
        "contains nodes, their network, the Services' prefix or a bridge of Docker's, those become unreachable piece "
        "by piece: packets to them are not masqueraded, as packets between pods aren't, and as soon as a node is given "
        "the block around such an address all other nodes send the address to that node, where it ends in a blackhole. "
        "The usual trap is the default pool 192.168.0.0/16 in an office or home network of 192.168.x.0/24. It may "
        "work for months, until IPAM comes to the wrong block."
    ),
    remedy="Make another pool outside of all networks in use, disable this one, re-create the pods, delete it.",
    reference="projectcalico/calico#2252, projectcalico/calico#8344; Calico documentation, `Migrate from one IP pool`",
    steps=(Step.ROUTE, Step.NIC_OUT, Step.TUNNEL_OUT),
    explains=frozenset({"service-cidr-blackhole"}),
)
OVERLAP = Entry(
    code="pools-overlap",
    severity=Severity.WARNING,
    title="two pools contain the same addresses",
    background=(
        "Each pod address should lie in one IPPool, since the pool decides whether packets to it are encapsulated and "
        "masqueraded. Calico refuses to create a pool that overlaps another, but only through its own API: objects "
        "written straight into the datastore, restored from a backup or made by two tools at once are not checked. "
        "Then BIRD goes by whichever pool it finds first, Felix by the longest, and IPAM may hand out an address from "
        "the one pool that the routes treat by the modes of the other."
    ),
    remedy="Disable one of the two, re-create its pods, delete it.",
    reference="Calico `libcalico-go/lib/clientv3/ippool.go` (validateAndSetDefaults)",
    explains=frozenset({"pool-mode-route-mismatch"}),
)
AFFINITY_GONE = Entry(
    code="block-affinity-node-gone",
    severity=Severity.WARNING,
    title="a block of addresses belongs to a node that is gone",
    background=(
        "IPAM cuts pools into blocks and gives each to a node. When a Node object is deleted, calico-kube-controllers "
        "releases its blocks. If that does not run, may not do so, or the node left while it still held addresses, "
        "they stay with the dead name: nobody can use their free addresses except by borrowing, and the pool runs "
        "out early. Pods that borrowed an address of such a block depend on a /32 route on every node, as nobody "
        "announces the block as a whole."
    ),
    remedy="Check that calico-kube-controllers runs; then release the node's blocks.",
    reference="Calico kube-controllers, node controller; projectcalico/calico#3246; kubernetes/kops#5958",
)
CONTRADICTION = Entry(
    code="block-owner-contradiction",
    severity=Severity.ERROR,
    title="IPAM's records disagree about a block's owner",
    background=(
        "Who owns a block is written down twice: in the block (`affinity: host:NODE`), by which addresses are handed "
        "out, and in a BlockAffinity of the node, by which its BIRD announces the block. They are written one after "
        "the other; a restored backup, a datastore that was moved, or somebody who edited one of them leaves them "
        "contradicting each other. Then one node gives pods addresses of the block while another draws the packets "
        "for them."
    ),
    remedy="Let `calicoctl ipam check` name the inconsistency, and delete the affinity that is wrong.",
    reference="Calico `libcalico-go/lib/ipam/ipam_block_reader_writer.go`; projectcalico/node#1032",
    steps=(Step.ROUTE,),
    explains=frozenset({"block-owned-twice", "block-route-wrong-next-hop", "block-route-missing"}),
)
OUTSIDE_POOLS = Entry(
    code="pod-address-outside-pools",
    severity=Severity.WARNING,
    title="pods have addresses of no pool",
    background=(
        "Calico routes between nodes what lies in its IPPools: BIRD announces nothing else, and tunnels and "
        "masquerading go by pools as well. A pod whose address is in none is reachable on its own node at best, and "
        "other pods' packets to it are masqueraded as if they left the cluster. Such pods are left over from a pool "
        "that was deleted while they ran, from another network plugin that was there before Calico, or from a node "
        "where another plugin's configuration comes first in /etc/cni/net.d."
    ),
    remedy="Re-create the pods so that they get an address of a pool; look at /etc/cni/net.d on their nodes.",
    reference="Calico documentation, `Migrate from one IP pool to another`; confd template bird_ipam.cfg",
    steps=(Step.ROUTE,),
)
POD_DUPLICATE = Entry(
    code="pod-address-duplicate",
    severity=Severity.ERROR,
    title="two pods have one address",
    background=(
        "An address leads to one pod: on its node a /32 route points to the pod's veth, and the other nodes have one "
        "way to it. If two pods have the same, one of them gets all packets, those of the other's connections too, "
        "and nobody sees a fault at the losing one. It happens when the record of an allocation was lost (IPAM data "
        "restored or cleaned while the pod ran), when a container runtime kept a pod's network after Kubernetes "
        "thought it gone, or when one pod's address is written into a manifest."
    ),
    remedy="Delete the pod that IPAM does not know under this address; it comes back with another.",
    reference="projectcalico/calico#10723, projectcalico/calico#1253, projectcalico/calico#6968",
    steps=(Step.ROUTE, Step.VETH_OUT),
    explains=_POD_ROUTES | {"borrowed-address-blackholed"},
)
HOLDS_TUNNEL = Entry(
    code="pod-holds-tunnel-address",
    severity=Severity.ERROR,
    title="a pod has the address of a node's tunnel device",
    background=(
        "Each node's tunl0 or vxlan.calico has an address out of the pool, so that the node itself can talk to pods. "
        "IPAM hands it out like a pod's. If the record of it is lost, the next pod can be given the same address: on "
        "that node the kernel takes every packet to the pod for itself (table local comes first) and the pod never "
        "sees one. From the pod's side everything looks normal."
    ),
    remedy="Delete the pod, and restart calico-node on the node whose tunnel has the address.",
    reference="projectcalico/calico#3589; Calico node `pkg/allocateip`",
    steps=(Step.ROUTE, Step.VETH_OUT),
    explains=_POD_ROUTES | {"tunnel-address-wrong", "pod-address-duplicate"},
)
EXHAUSTED = Entry(
    code="ipam-exhausted",
    severity=Severity.ERROR,
    title="no address is left for new pods",
    background=(
        "A new pod gets an address from a block of its node; if those are full the node takes another block of the "
        "pool, and if there is none it borrows from other nodes' blocks, unless strictAffinity forbids that. A limit "
        "(maxBlocksPerHost, 20 by default in some versions) can end this before the pool does. Then pods stay in "
        "ContainerCreating, and the reason stands only in the events of the pod (`no more free addresses`, `per host "
        "block limit`). A pool can be full with few pods when blocks of nodes that are gone were never released."
    ),
    remedy="Add a pool, raise maxBlocksPerHost, or release what nodes and pods that are gone still hold.",
    reference="projectcalico/calico#4861, projectcalico/calico#9462; Calico `libcalico-go/lib/ipam/ipam.go`",
)
SERVICE_BLACKHOLE = Entry(
    code="service-cidr-blackhole",
    severity=Severity.ERROR,
    title="the node throws away packets to Services",
    background=(
        "Addresses of Services belong to no device: kube-proxy rewrites packets to them. A packet that the node sends "
        "itself is routed before it is rewritten, so there must be some route for it, usually the default one. When "
        "Calico announces Services by BGP (serviceClusterIPs) BIRD holds a blackhole route for the prefix, which it "
        "should keep out of the kernel. If one got there, or a block of pods overlaps the prefix, the node's own "
        "connections to Services fail at once, those of the kubelet, of the CNI plugin and of host-network pods to "
        "the API server (10.96.0.1 in many clusters) among them."
    ),
    remedy="Delete the route; update Calico, or take the prefix out of serviceClusterIPs.",
    reference="projectcalico/calico#2457; confd template bird_aggr.cfg",
    steps=(Step.ROUTE, Step.HOST_OUT),
)
