"""The two clusters, as data: what is to be built, not how.

Node and pod names, addresses and blocks are the article's. What its listings leave out (the pods that every kubeadm
cluster has) is filled in with addresses from the same blocks.
"""

from __future__ import annotations

import hashlib
import ipaddress
import uuid

import msgspec

POOL = "192.168.0.0/16"
UNDERLAY = "10.173.32.0/24"
GATEWAY = "10.173.32.1"
"""The nodes' default gateway. A node without a default route does not answer ARP for 169.254.1.1 on a veth."""
CLIENT = "10.173.32.2"
"""Where calitui and the API server run."""
CALICO_VERSION = "v3.1.3"
AS_NUMBER = 64512
"""Calico's default private AS."""

_UUIDS = uuid.UUID("6f0f2d0a-5d43-4c6c-9c39-3a2f1a0b9f31")


class PodSpec(msgspec.Struct, frozen=True):
    """A pod. `ip` is None for a host-network pod: it has its node's address."""

    namespace: str
    name: str
    ip: str | None = None
    labels: dict[str, str] = {}

    @property
    def key(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"

    @property
    def veth(self) -> str:
        """The host end's name: VethNameForWorkload in libcalico-go's workload_endpoint_default.go."""
        return "cali" + hashlib.sha1(f"{self.namespace}.{self.name}".encode(), usedforsecurity=False).hexdigest()[:11]

    @property
    def mac(self) -> str:
        """The container end's address: always the same for a pod, so that recordings of the lab can be compared."""
        return "02:" + ":".join(f"{byte:02x}" for byte in self.uid.bytes[:5])

    @property
    def uid(self) -> uuid.UUID:
        """The object's uid in the API."""
        return uuid.uuid5(_UUIDS, self.key)

    @property
    def netns(self) -> str:
        """Its network namespace below /run/netns on the node, named as containerd names them."""
        return f"cni-{uuid.uuid5(self.uid, 'netns')}"

    @property
    def container_id(self) -> str:
        """The sandbox's id: IPAM handles are made of it."""
        return hashlib.sha256(self.key.encode()).hexdigest()


class NodeSpec(msgspec.Struct, frozen=True):
    """A node, its address on the underlay, the IPAM blocks with affinity to it, and its pods."""

    name: str
    address: str
    blocks: tuple[str, ...] = ()
    pods: tuple[PodSpec, ...] = ()

    @property
    def workloads(self) -> tuple[PodSpec, ...]:
        """The pods with an interface of their own."""
        return tuple(pod for pod in self.pods if pod.ip is not None)

    @property
    def tunnel_address(self) -> str | None:
        """The address of tunl0: the first of the node's first block, where Calico finds it free at start-up."""
        return str(ipaddress.ip_network(self.blocks[0])[0]) if self.blocks else None


class ClusterSpec(msgspec.Struct, frozen=True):
    """A cluster. `ipip_mode` is the pool's; `pod_mtu` is that of both ends of the pods' veths, `tunnel_mtu` tunl0's."""

    name: str
    title: str
    ipip_mode: str
    pod_mtu: int
    tunnel_mtu: int | None
    nodes: tuple[NodeSpec, ...]

    @property
    def tunnelled(self) -> bool:
        """Whether packets between nodes are carried in IPIP."""
        return self.ipip_mode != "Never"

    def node(self, name: str) -> NodeSpec:
        """The node of that name."""
        return next(node for node in self.nodes if node.name == name)

    def peers(self, node: NodeSpec) -> tuple[NodeSpec, ...]:
        """The other ends of its BGP sessions: every other node (node-to-node mesh)."""
        return tuple(peer for peer in self.nodes if peer != node)

    def find(self, key: str) -> tuple[NodeSpec, PodSpec]:
        """The pod `namespace/name` and its node."""
        return next((node, pod) for node in self.nodes for pod in node.pods if pod.key == key)


def _tail(text: str, length: int = 5) -> str:
    # Kubernetes draws the random end of a name from letters and digits that can't spell words (util/rand).
    alphabet = "bcdfghjklmnpqrstvwxz2456789"
    return "".join(alphabet[byte % len(alphabet)] for byte in hashlib.sha256(text.encode()).digest()[:length])


def _system(node: str, cluster: str, *, control_plane: bool = False) -> tuple[PodSpec, ...]:
    """The host-network pods of a kubeadm node."""
    daemons = tuple(
        PodSpec("kube-system", f"{app}-{_tail(f'{cluster} {app} {node}')}", labels={"k8s-app": app})
        for app in ("calico-node", "kube-proxy")
    )
    if not control_plane:
        return daemons
    return daemons + tuple(
        PodSpec("kube-system", f"{app}-{node}", labels={"component": app, "tier": "control-plane"})
        for app in ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
    )


def _app(name: str, ip: str) -> PodSpec:
    """`huang1/huangtest-69d9fddd97-cbzbm` and the like, with the labels their deployment gives them."""
    namespace, pod = name.split("/")
    app, template, _ = pod.rsplit("-", 2)
    return PodSpec(namespace, pod, ip, {"app": app, "pod-template-hash": template})


def _dns(cluster: str, number: int, ip: str) -> PodSpec:
    template = "78fcdf6894"
    name = f"coredns-{template}-{_tail(f'{cluster} coredns {number}')}"
    return PodSpec("kube-system", name, ip, {"k8s-app": "kube-dns", "pod-template-hash": template})


BGP = ClusterSpec(
    name="bgp",
    title="Calico v3.1, BGP without encapsulation",
    ipip_mode="Never",
    pod_mtu=1500,
    tunnel_mtu=None,
    nodes=(
        # k8s-calico2's routes name no block of k8s-calico1, so it has none and runs nothing but host-network pods.
        NodeSpec("k8s-calico1", "10.173.32.24", pods=_system("k8s-calico1", "bgp", control_plane=True)),
        NodeSpec(
            "k8s-calico2",
            "10.173.32.23",
            ("192.168.97.0/26",),
            (_app("huang2/hhh-6897d64fcd-4zph4", "192.168.97.2"), *_system("k8s-calico2", "bgp")),
        ),
        NodeSpec(
            "k8s-calico3",
            "10.173.32.26",
            ("192.168.210.192/26",),
            (
                _app("huang1/huangtest-69d9fddd97-pbvvw", "192.168.210.194"),
                _dns("bgp", 1, "192.168.210.193"),
                *_system("k8s-calico3", "bgp"),
            ),
        ),
        NodeSpec(
            "k8s-calico4",
            "10.173.32.25",
            ("192.168.211.0/26",),
            (
                _app("huang1/huangtest-69d9fddd97-cbzbm", "192.168.211.1"),
                _dns("bgp", 2, "192.168.211.2"),
                *_system("k8s-calico4", "bgp"),
            ),
        ),
    ),
)

# tunl0's 1440 is FELIX_IPINIPMTU in the v3.1 manifests. Their CNI configuration still said 1500 for the veths; Calico's
# page "Configuring MTU" wants both the same, and its manifests do so (veth_mtu) since v3.3: a healthy cluster has 1440.
IPIP = ClusterSpec(
    name="ipip",
    title="Calico v3.1, IPIP Always",
    ipip_mode="Always",
    pod_mtu=1440,
    tunnel_mtu=1440,
    nodes=(
        NodeSpec(
            "k8s-calico1",
            "10.173.32.24",
            ("192.168.110.64/26",),
            (
                _dns("ipip", 1, "192.168.110.65"),
                _dns("ipip", 2, "192.168.110.66"),
                *_system("k8s-calico1", "ipip", control_plane=True),
            ),
        ),
        NodeSpec(
            "k8s-calico2",
            "10.173.32.23",
            ("192.168.97.0/26",),
            (_app("huang1/huangtest-69d9fddd97-2b8hr", "192.168.97.1"), *_system("k8s-calico2", "ipip")),
        ),
        NodeSpec(
            "k8s-calico3",
            "10.173.32.26",
            ("192.168.210.128/26",),
            (_app("huang2/hhh-6897d64fcd-kqsj4", "192.168.210.129"), *_system("k8s-calico3", "ipip")),
        ),
        NodeSpec(
            "k8s-calico4",
            "10.173.32.25",
            ("192.168.210.64/26",),
            (_app("huang1/huangtest-69d9fddd97-npwzw", "192.168.210.65"), *_system("k8s-calico4", "ipip")),
        ),
    ),
)

CLUSTERS = {cluster.name: cluster for cluster in (BGP, IPIP)}
