"""The entries about Calico's tunnel devices: what each code means, in words for a tired person."""

from __future__ import annotations

from calitui.diagnosis.entry import Cut, Entry
from calitui.trace.finding import Severity
from calitui.trace.path import Step

_TUNNEL = (Step.TUNNEL_OUT, Step.TUNNEL_IN, Step.ROUTE)
_ROUTES_GONE = frozenset({"block-route-missing", "block-route-unreachable", "route-not-in-kernel"})

MISSING = Entry(
    code="tunnel-device-missing",
    severity=Severity.ERROR,
    title="the tunnel device is not there",
    background=(
        "Where a pool says IPIP or VXLAN, every node wraps packets for pods on other nodes and unwraps those that "
        "come in. The device that does it is `tunl0` (kernel module ipip), `vxlan.calico` or `vxlan-v6.calico`; Felix "
        "makes it when it starts and sees such a pool. Without it BIRD and Felix have no device to point block routes "
        "at, and the kernel refuses packets that others send in the tunnel. It is missing where the kernel module "
        "can't be loaded, where `ipipEnabled` or `vxlanEnabled` is false in FelixConfiguration, or where calico-node "
        "has not run since the pool's mode was changed."
    ),
    remedy="Load the kernel module, let FelixConfiguration allow the tunnel, restart calico-node on the node.",
    reference="felix/dataplane/linux/ipip_mgr.go, vxlan_mgr.go; projectcalico/calico#3589, #6208",
    steps=_TUNNEL,
    explains=_ROUTES_GONE
    | {"tunnel-device-down", "tunnel-address-missing", "vxlan-forwarding-missing", "pool-mode-route-mismatch"}
    | {"tunnel-packets-not-received"},
    loses=True,
    cuts=Cut.TUNNELLED,
)
DOWN = Entry(
    code="tunnel-device-down",
    severity=Severity.ERROR,
    title="the tunnel device is down",
    background=(
        "The tunnel device (`tunl0`, `vxlan.calico`) carries pods' packets between nodes and has to be up on both of "
        "them. The moment it is set down the kernel deletes every route through it, so all blocks of other nodes "
        "vanish at once, and packets that come in wrapped are thrown away. Felix sets it up again within a minute or "
        "two if it runs; when it stays down, Felix does not run, or something else (a network script, NetworkManager, "
        "a hand) takes it down again. A tunnel device shows the state UNKNOWN when all is well, that is normal."
    ),
    remedy="Set the device up and find out who took it down.",
    reference="net/ipv4/fib_frontend.c fib_disable_ip; felix/dataplane/linux/ipip_mgr.go",
    steps=_TUNNEL,
    explains=_ROUTES_GONE
    | {"tunnel-address-missing", "vxlan-forwarding-missing", "tunnel-packets-not-received", "pool-mode-route-mismatch"},
    loses=True,
    cuts=Cut.TUNNELLED,
)
ADDRESS_MISSING = Entry(
    code="tunnel-address-missing",
    severity=Severity.WARNING,
    title="the tunnel device has no address",
    background=(
        "Calico takes one address of the node's own block for its tunnel device. Pods' packets pass through without "
        "it, but the node's own packets to pods elsewhere (kube-proxy for a NodePort, the API server to a webhook, a "
        "host-network pod) take it as their source. Without it the kernel takes the NIC's address: the answer then "
        "comes back outside of the tunnel, by another device than the question went, and is dropped wherever the "
        "reverse path filter is strict or the cloud knows no pod addresses. It is missing when IPAM had none to give, "
        "when somebody flushed the device, or when Felix does not run."
    ),
    remedy="Restart calico-node on the node: it asks IPAM for the address and writes it to the device.",
    reference="calico node/pkg/allocateip; felix/dataplane/linux/ipip_mgr.go; projectcalico/calico#3589",
    steps=(Step.TUNNEL_OUT, Step.TUNNEL_IN, Step.HOST_OUT),
)
ADDRESS_WRONG = Entry(
    code="tunnel-address-wrong",
    severity=Severity.WARNING,
    title="the tunnel device has another address than Calico gave it",
    background=(
        "calico-node takes an address from IPAM for the node's tunnel device, notes it in an annotation of the Node, "
        "and Felix keeps the device to it. If the device has another one, the node's own packets to pods elsewhere "
        "carry a source that IPAM may have given to a pod or to another node, and the answers go there. With VXLAN the "
        "annotation is also the next hop that other nodes use. It happens when Felix does not run, when the annotation "
        "was copied with a cloned node, or when a pool was replaced and the old address stayed."
    ),
    remedy="Restart calico-node on the node; if two addresses stay, delete the one that is not in the annotation.",
    reference="felix/dataplane/linux/ipip_mgr.go; projectcalico/calico#3589, projectcalico/calicoctl#772",
    steps=(Step.TUNNEL_OUT, Step.TUNNEL_IN, Step.HOST_OUT),
)
MAC_WRONG = Entry(
    code="tunnel-mac-wrong",
    severity=Severity.WARNING,
    title="vxlan.calico has another MAC than the other nodes use",
    background=(
        "In VXLAN every node sends frames to the MAC of the other node's `vxlan.calico`. It does not ask for it: Felix "
        "writes the MAC of its own device into an annotation of the Node, the others put it into their neighbour and "
        "forwarding tables. If the device gets another MAC behind Felix's back, the other nodes' frames arrive, the "
        "kernel sees they are for somebody else and drops them without a word. The usual culprit is systemd-udevd with "
        "MACAddressPolicy=persistent, which renames the MAC of every new virtual device."
    ),
    remedy="Tell systemd to leave Calico's devices alone (MACAddressPolicy=none) and restart calico-node.",
    reference="felix/dataplane/linux/vxlan_mgr.go; systemd.link(5) MACAddressPolicy; flannel-io/flannel#1155",
    steps=(Step.TUNNEL_IN, Step.TUNNEL_OUT),
)
FORWARDING_MISSING = Entry(
    code="vxlan-forwarding-missing",
    severity=Severity.ERROR,
    title="the VXLAN device does not know where another node is",
    background=(
        "A route through `vxlan.calico` names the other node's tunnel address as next hop. Two tables turn that into a "
        "packet: the neighbour table says which MAC has this address, the forwarding database (FDB) to which node's "
        "address frames for that MAC go. The device does not learn (`nolearning`), so both entries have to be written "
        "by Felix for every other node. If one is missing or names a wrong node, packets to that node's pods are "
        "dropped or go astray although the route looks perfect. It happens when Felix is stuck, when it was restarted "
        "with a failing datastore, or when somebody flushed the tables."
    ),
    remedy="Restart calico-node on the node: Felix writes all neighbour and forwarding entries anew.",
    reference="felix/dataplane/linux/vxlan_mgr.go, felix/vxlanfdb; bridge(8)",
    steps=(Step.TUNNEL_OUT, Step.ROUTE),
    loses=True,
    cuts=Cut.OUT,
)
LEFT_BEHIND = Entry(
    code="tunnel-left-behind",
    severity=Severity.INFO,
    title="a tunnel device is left over from before",
    background=(
        "When IPIP or VXLAN is turned off in all pools, or Calico is removed, the device does not go with it: `tunl0` "
        "belongs to a kernel module and stays until that is unloaded. Bare and down it harms nobody. With an address "
        "it keeps that address for the node itself: a pod that gets the same one later can't be reached from there. "
        "With routes it still swallows packets for pods that are nowhere, or wraps them for nodes that no longer "
        "unwrap. The routes are left too when BIRD was stopped, because it is told to keep its routes (`persist`)."
    ),
    remedy="Delete the routes and the address, or unload the module, once nothing uses the tunnel any more.",
    reference="calico confd templates bird.cfg (`persist`); ip-tunnel(8)",
    steps=_TUNNEL,
)
