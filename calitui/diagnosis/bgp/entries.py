"""The entries about BGP: what each code means, in words for a tired person."""

from __future__ import annotations

from calitui.diagnosis.entry import Entry
from calitui.trace.finding import Severity
from calitui.trace.path import Step

_ROUTE = (Step.ROUTE,)
_TEMPLATE = "Calico confd, templates/bird.cfg.template"
_LOST = frozenset({"block-route-missing", "block-route-unreachable", "route-not-in-kernel"})
_SESSIONS = frozenset({"bgp-session-down", "bgp-route-outlives-session"})

BIRD_NOT_RUNNING = Entry(
    code="bird-not-running",
    severity=Severity.ERROR,
    title="BIRD does not run",
    background=(
        "BIRD is the routing daemon inside calico-node: it tells the other nodes by BGP which pod addresses live here "
        "and writes the routes that it learns into the kernel. When it stops, the others drop their routes to this "
        "node's pods at once or after two minutes (graceful restart). This node's own routes stay, because Calico "
        "configures BIRD with `persist`: they look fine and packets still leave by them, but nobody keeps them up to "
        "date any more. Usual reasons are a configuration that BIRD rejects (an address given twice), a node address "
        "that could not be detected, or calico-node restarting again and again."
    ),
    remedy="Read calico-node's log on that node for lines of bird and confd, mend what they say, restart the pod.",
    reference="projectcalico/calico#6285, #8111, #9638; `persist` in confd's bird.cfg.template",
    steps=_ROUTE,
    explains=_LOST | _SESSIONS | {"node-not-ready-still-peered", "bgp-no-peers"},
)
NO_PEERS = Entry(
    code="bgp-no-peers",
    severity=Severity.ERROR,
    title="a node peers with nobody",
    background=(
        "Nodes learn each other's pod addresses by BGP: from every other node (the node-to-node mesh, which is on "
        "unless it is switched off) or from the peers that BGPPeer objects name. With the mesh off and no BGPPeer that "
        "selects the node, BIRD runs, looks healthy and knows its own pods only. This happens when the mesh is "
        "switched off before route reflectors are set up, when a label that a BGPPeer selects by is missing, or when "
        "confd can't write BIRD's configuration any more."
    ),
    remedy="Create a BGPPeer that selects the node (or label the node), or switch the mesh on again.",
    reference="projectcalico/calico#1939, #1948, #6909",
    steps=_ROUTE,
    explains=_LOST | _SESSIONS,
)
WRONG_AS = Entry(
    code="bgp-wrong-as",
    severity=Severity.ERROR,
    title="the AS number of a BGP peer is another",
    background=(
        "Both ends of a BGP session say which autonomous system (AS) they are in, and each is configured with the "
        "number it expects of the other. If it hears another number it ends the session with `Bad peer AS`. In Calico "
        "the numbers come from BGPConfiguration `default` (64512 where unset), from the node's own setting, and for "
        "routers outside from the BGPPeer. One of them was changed and the router, or the node, was not."
    ),
    remedy="Set the AS number in BGPConfiguration, the Node or the BGPPeer to the one that the peer really has.",
    reference="RFC 4271 section 6.2; Calico's page on configuring BGP peering",
    steps=_ROUTE,
    explains=_LOST | _SESSIONS,
)
ROUTER_ID_DUPLICATE = Entry(
    code="router-id-duplicate",
    severity=Severity.ERROR,
    title="two nodes have one BGP router ID",
    background=(
        "Every BGP speaker has a router ID, 32 bits that only it may have; Calico takes the node's IPv4 address unless "
        "CALICO_ROUTER_ID says otherwise. Two BIRDs with one ID refuse each other with `Bad BGP identifier`, and a "
        "route reflector takes routes of one for its own. One gets there by cloned machines with one address, by an "
        "address that every node has (10.0.2.15 of a NAT network, docker0), or by a fixed CALICO_ROUTER_ID."
    ),
    remedy="Give each node an address of its own (IP_AUTODETECTION_METHOD), or set CALICO_ROUTER_ID to `hash`.",
    reference=f"{_TEMPLATE} (router id); projectcalico/calico#689, #5146",
    steps=_ROUTE,
    explains=_LOST | _SESSIONS,
)
SESSION_DOWN = Entry(
    code="bgp-session-down",
    severity=Severity.ERROR,
    title="a BGP session is down",
    background=(
        "Nodes tell each other over BGP (TCP port 179) which pod addresses live on them. While a session is not "
        "`Established` its routes are missing: pods on one node can't reach pods on the other, while pods of one node "
        "still reach each other. Of two nodes in the mesh the one with the lower address waits (`Passive`) and the "
        "other dials, so one waiting end is normal while the other is dialling. `Connection refused` means that no "
        "BIRD listens, silence (`Connect`, `Active`) that a firewall or security group drops port 179 or that Calico "
        "chose an address of the node that the others can't reach."
    ),
    remedy="Make BIRD run at both ends and let TCP port 179 pass between them, both ways.",
    reference="projectcalico/calicoctl#1883, kubernetes/kops#10546, projectcalico/calico#6285",
    steps=_ROUTE,
    explains=_LOST,
)
OUTLIVES = Entry(
    code="bgp-route-outlives-session",
    severity=Severity.WARNING,
    title="a route has outlived its BGP session",
    background=(
        "A route in the kernel does not prove that the BGP session which brought it is up. With graceful restart BIRD "
        "keeps a lost peer's routes for up to two minutes, and with `persist` the kernel keeps them after BIRD itself "
        "has gone. Packets still flow, along the way that was right when the session broke. When the time is over, or "
        "the peer gets another block of addresses, or BIRD restarts, they stop."
    ),
    remedy="Repair the session before the routes are withdrawn.",
    reference=f"{_TEMPLATE} (`graceful restart time 120`, `persist`)",
    steps=_ROUTE,
)
NOT_READY = Entry(
    code="node-not-ready-still-peered",
    severity=Severity.WARNING,
    title="a node that is not ready is still a BGP peer",
    background=(
        "Calico peers with every node object there is: it does not ask whether Kubernetes calls the node ready. A node "
        "that was switched off or lost its network stays a peer until its object is deleted, and the others go on "
        "trying. Pods that were on it can't be reached. If its BIRD still answers, only the kubelet is in trouble and "
        "packets still flow."
    ),
    remedy="Repair the node, or drain it and `kubectl delete node` it if it is gone for good.",
    reference="kubernetes/kops#5958; Calico's troubleshooting page",
    steps=_ROUTE,
    explains=_SESSIONS,
)
NO_NODE = Entry(
    code="bgp-peer-is-no-node",
    severity=Severity.WARNING,
    title="BIRD peers with an address that no node has",
    background=(
        "The mesh is made of the addresses that nodes have in Calico's datastore. A session with an address that no "
        "node has is left over from a node that was removed or that changed its address: with etcd as datastore "
        "nobody removes Calico's own node objects unless kube-controllers runs, and a confd that hangs does not "
        "remove them from BIRD's configuration. It harms nothing until somebody else gets the address, but hides real "
        "trouble and keeps blocks reserved."
    ),
    remedy="Delete the stale node from Calico (`calicoctl delete node`), or restart calico-node if confd hangs.",
    reference="kubernetes/kops#5958; Calico's page on decommissioning a node",
    steps=_ROUTE,
)
NOT_CONFIRMED = Entry(
    code="block-affinity-not-confirmed",
    severity=Severity.WARNING,
    title="a block with pods is not confirmed to its node",
    background=(
        "A node claims a block of pod addresses in two steps: the affinity is `pending` until the block is written, "
        "then `confirmed`; before it is given back it is `pendingDeletion`. BIRD announces only confirmed blocks as a "
        "whole. Pods with addresses of an unconfirmed one are announced one by one at best, and the block has no "
        "blackhole route. A state that stays is left by a calico-node or IPAM call that died half way."
    ),
    remedy="Restart calico-node on the node; if the state stays, `calicoctl ipam check` tells what is inconsistent.",
    reference="Calico confd, templates/bird_aggr.cfg.template",
    steps=_ROUTE,
    explains=frozenset({"block-route-missing"}),
)

ENTRIES = (
    BIRD_NOT_RUNNING,
    NO_PEERS,
    WRONG_AS,
    ROUTER_ID_DUPLICATE,
    NOT_READY,
    SESSION_DOWN,
    OUTLIVES,
    NO_NODE,
    NOT_CONFIRMED,
)
