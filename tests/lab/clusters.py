"""The article's two clusters, as data, and all clusters by name.

Node and pod names, addresses and blocks are the article's. What its listings leave out (the pods that every kubeadm
cluster has) is filled in with addresses from the same blocks.
"""

from __future__ import annotations

from tests.lab.scenarios import SCENARIOS
from tests.lab.spec import ClusterSpec, NodeSpec, PoolSpec
from tests.lab.workloads import app, dns, system

POOL = "192.168.0.0/16"

BGP = ClusterSpec(
    name="bgp",
    title="Calico v3.1, BGP without encapsulation",
    pools=(PoolSpec(POOL),),
    pod_mtu=1500,
    pairs=(("huang2/hhh-6897d64fcd-4zph4", "huang1/huangtest-69d9fddd97-pbvvw"),),
    nodes=(
        # k8s-calico2's routes name no block of k8s-calico1, so it has none and runs nothing but host-network pods.
        NodeSpec("k8s-calico1", "10.173.32.24", pods=system("k8s-calico1", "bgp", control_plane=True)),
        NodeSpec(
            "k8s-calico2",
            "10.173.32.23",
            ("192.168.97.0/26",),
            (app("huang2/hhh-6897d64fcd-4zph4", "192.168.97.2"), *system("k8s-calico2", "bgp")),
        ),
        NodeSpec(
            "k8s-calico3",
            "10.173.32.26",
            ("192.168.210.192/26",),
            (
                app("huang1/huangtest-69d9fddd97-pbvvw", "192.168.210.194"),
                dns("bgp", 1, "192.168.210.193"),
                *system("k8s-calico3", "bgp"),
            ),
        ),
        NodeSpec(
            "k8s-calico4",
            "10.173.32.25",
            ("192.168.211.0/26",),
            (
                app("huang1/huangtest-69d9fddd97-cbzbm", "192.168.211.1"),
                dns("bgp", 2, "192.168.211.2"),
                *system("k8s-calico4", "bgp"),
            ),
        ),
    ),
)

# tunl0's 1440 is FELIX_IPINIPMTU in the v3.1 manifests. Their CNI configuration still said 1500 for the veths; Calico's
# page "Configuring MTU" wants both the same, and its manifests do so (veth_mtu) since v3.3: a healthy cluster has 1440.
IPIP = ClusterSpec(
    name="ipip",
    title="Calico v3.1, IPIP Always",
    pools=(PoolSpec(POOL, ipip_mode="Always"),),
    pod_mtu=1440,
    tunnel_mtu=1440,
    pairs=(("huang1/huangtest-69d9fddd97-2b8hr", "huang2/hhh-6897d64fcd-kqsj4"),),
    nodes=(
        NodeSpec(
            "k8s-calico1",
            "10.173.32.24",
            ("192.168.110.64/26",),
            (
                dns("ipip", 1, "192.168.110.65"),
                dns("ipip", 2, "192.168.110.66"),
                *system("k8s-calico1", "ipip", control_plane=True),
            ),
        ),
        NodeSpec(
            "k8s-calico2",
            "10.173.32.23",
            ("192.168.97.0/26",),
            (app("huang1/huangtest-69d9fddd97-2b8hr", "192.168.97.1"), *system("k8s-calico2", "ipip")),
        ),
        NodeSpec(
            "k8s-calico3",
            "10.173.32.26",
            ("192.168.210.128/26",),
            (app("huang2/hhh-6897d64fcd-kqsj4", "192.168.210.129"), *system("k8s-calico3", "ipip")),
        ),
        NodeSpec(
            "k8s-calico4",
            "10.173.32.25",
            ("192.168.210.64/26",),
            (app("huang1/huangtest-69d9fddd97-npwzw", "192.168.210.65"), *system("k8s-calico4", "ipip")),
        ),
    ),
)

CLUSTERS = {cluster.name: cluster for cluster in (BGP, IPIP, *SCENARIOS)}
"""All that can be brought up, by name."""
