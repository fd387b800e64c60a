"""One reading of a real API server: Calico's objects in either group, what is forbidden, what is absent."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping

import pytest

from calitui.cluster import Api, ApiError, Right, read, rights, whoami
from calitui.cluster.listing import pages
from calitui.cluster.pods import RawPod
from calitui.facts.cluster import (
    Allocation,
    BGPConfiguration,
    BGPPeer,
    Block,
    BlockAffinity,
    FelixConfiguration,
    IPAMConfiguration,
    IPPool,
    NodeStatus,
    PolicyRef,
    StatusPeer,
)
from tests.apiserver import ApiServer
from tests.apiserver.calico import CRD_GROUP, V3_GROUP
from tests.apiserver.rbac import allowed
from tests.cluster import objects

pytestmark = [pytest.mark.apiserver, pytest.mark.usefixtures("clean_cluster")]

POLICIES = (
    PolicyRef("CalicoNetworkPolicy", "default.web", "shop"),
    PolicyRef("GlobalNetworkPolicy", "default.deny"),
)

STATUS = NodeStatus(
    "of-node-a",
    "node-a",
    classes=("BGP",),
    update_period=10,
    last_updated=1709287200.0,
    bird="Ready",
    peers=(StatusPeer("10.0.0.2", "NodeMesh", "Established", "09:19:39"),),
)


@pytest.fixture
def crd(apiserver: ApiServer) -> Iterator[None]:
    apiserver.install_calico_crds(CRD_GROUP)
    apiserver.apply_all(objects.calico(f"{CRD_GROUP}/v1"))
    yield
    apiserver.remove_calico_crds(CRD_GROUP)


@pytest.fixture
def v3(apiserver: ApiServer) -> Iterator[None]:
    apiserver.install_calico_crds(V3_GROUP)
    apiserver.apply_all(objects.calico(f"{V3_GROUP}/v3"))
    yield
    apiserver.remove_calico_crds(V3_GROUP)


@pytest.mark.usefixtures("crd")
def test_everything_of_the_crd_group(apiserver: ApiServer, api: Api) -> None:
    apiserver.apply(objects.node("node-a", "10.0.0.1"))
    apiserver.apply(objects.pod("shop", "web"))
    found = read(api)
    assert (found.context, found.server, found.namespace) == ("admin@test", apiserver.url, "default")
    assert found.kubernetes_version.startswith("v1.")
    assert (found.calico_group, found.datastore) == ("crd.projectcalico.org/v1", "kdd")
    assert (found.calico_version, found.datastore_ready) == ("v3.28.1", True)
    assert [each.name for each in found.pods] == ["web"]
    node = found.nodes[0]
    assert (node.name, node.internal_ips, node.ready) == ("node-a", ("10.0.0.1",), True)
    assert (node.bgp_address, node.ipip_address) == ("10.0.0.1/24", "192.168.97.0")
    assert found.pools == (IPPool("default", "192.168.0.0/16", "Always", nat_outgoing=True),)
    assert found.felix == (FelixConfiguration("default", {"ipipEnabled": "true", "ipipMTU": "1440"}),)
    assert found.bgp == (BGPConfiguration("default", mesh=False, as_number=64512),)
    assert found.bgp_peers == (BGPPeer("rack-1", "10.0.0.254", 64513, node_selector="all()"),)
    tunnel = Allocation("192.168.97.0", kind="ipipTunnelAddress", handle="ipip-tunnel-addr-node-a")
    web = Allocation("192.168.97.2", "node-b", "shop", "web", handle="k8s.1")
    assert found.blocks == (Block("192.168.97.0/26", "node-a", (tunnel, web)),)
    assert found.affinities == (BlockAffinity("node-a", "192.168.97.0/26", "confirmed"),)
    assert found.ipam == IPAMConfiguration(max_blocks_per_host=20)
    assert found.node_statuses == (STATUS,)
    assert found.service_ips == ("10.96.0.1",)
    assert found.policies == POLICIES
    assert found.missing == ()


@pytest.mark.usefixtures("v3")
def test_v3_group_lacks_the_records_of_ipam(api: Api) -> None:
    found = read(api)
    assert (found.calico_group, found.datastore) == ("projectcalico.org/v3", "kdd")
    assert found.pools[0].ipip_mode == "Always"
    assert found.ipam == IPAMConfiguration(max_blocks_per_host=20)
    assert found.node_statuses == (STATUS,)
    assert found.policies == POLICIES
    assert {each.what: each.reason for each in found.missing} == {
        "IPAM blocks": "the API group projectcalico.org/v3 has none",
        "block affinities": "the API group projectcalico.org/v3 has none",
    }


@pytest.mark.usefixtures("crd", "v3")
def test_crd_group_is_preferred(api: Api) -> None:
    found = read(api)
    assert found.calico_group == "crd.projectcalico.org/v1"
    assert found.missing == ()


@pytest.mark.usefixtures("crd")
def test_forbidden_kinds_cost_themselves(apiserver: ApiServer) -> None:
    apiserver.apply(objects.pod("shop", "web"))
    with (
        allowed(apiserver, "viewer", ("", "pods", ["list"]), (CRD_GROUP, "bgppeers", ["list"])),
        Api(str(apiserver.kubeconfig_for("viewer"))) as viewer,
    ):
        found = read(viewer)
    assert [each.name for each in found.pods] == ["web"]
    assert [each.name for each in found.bgp_peers] == ["rack-1"]
    assert found.pools == ()
    assert found.policies is None
    assert found.datastore == "kdd"
    reasons = {each.what: each.reason for each in found.missing}
    assert set(reasons) == {
        "nodes",
        "IPPools",
        "FelixConfigurations",
        "BGPConfigurations",
        "IPAM blocks",
        "block affinities",
        "ClusterInformation",
        "NetworkPolicies",
        "Calico NetworkPolicies",
        "GlobalNetworkPolicies",
        "IPAMConfig",
        "CalicoNodeStatuses",
        "Service default/kubernetes",
    }
    assert 'User "viewer" cannot list resource "ippools"' in reasons["IPPools"]


@pytest.mark.usefixtures("crd", "v3")
def test_kind_that_is_forbidden_in_one_group_is_read_from_the_other(apiserver: ApiServer) -> None:
    with (
        allowed(apiserver, "viewer", ("", "pods", ["list"]), (V3_GROUP, "ippools", ["list"])),
        Api(str(apiserver.kubeconfig_for("viewer"))) as viewer,
    ):
        found = read(viewer)
    assert found.pools[0].cidr == "192.168.0.0/16"
    assert found.calico_group == "projectcalico.org/v3"
    assert "IPPools" not in {each.what for each in found.missing}


def test_no_calico_at_all_claims_no_datastore(apiserver: ApiServer, api: Api) -> None:
    apiserver.apply(objects.pod("shop", "web"))
    found = read(api)
    assert (found.calico_group, found.datastore) == ("", "")
    assert found.policies == ()
    whats = {each.what for each in found.missing}
    assert {"IPPools", "IPAM blocks", "Calico NetworkPolicies"} <= whats
    assert not {"IPAMConfig", "CalicoNodeStatuses", "ServiceCIDRs"} & whats


def test_calico_without_its_objects_keeps_them_in_etcd(apiserver: ApiServer, api: Api) -> None:
    agent = objects.pod("kube-system", "calico-node-x7k2p")
    agent["metadata"]["labels"] = {"k8s-app": "calico-node"}
    apiserver.apply(agent)
    assert read(api).datastore == "etcd"
    apiserver.delete(agent)
    settings = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"namespace": "kube-system", "name": "calico-config"},
        "data": {"etcd_endpoints": "https://10.0.0.1:2379"},
    }
    apiserver.apply(settings)
    assert read(api).datastore == "etcd"
    apiserver.delete(settings)


def test_ten_thousand_pods(apiserver: ApiServer, api: Api, caplog: pytest.LogCaptureFixture) -> None:
    apiserver.copy_pod(objects.pod("many", "many-00000", "10.111.111.111"), 10_000)
    caplog.set_level(logging.DEBUG, "calitui.cluster.api")
    found = read(api)
    assert len({(each.namespace, each.name) for each in found.pods}) == 10_000
    assert len({each.ips for each in found.pods}) == 10_000
    pages = [record for record in caplog.records if record.getMessage().startswith("GET /api/v1/pods")]
    assert len(pages) == 1 + 5  # 500, then 2,000 at a time


@pytest.mark.parametrize("ahead", [False, True])
def test_continue_token_that_is_forgotten_starts_the_list_anew(apiserver: ApiServer, api: Api, ahead: bool) -> None:
    apiserver.copy_pod(objects.pod("token", "token-00000", "10.111.111.111"), 700)

    def get(path: str, query: Mapping[str, str | int]) -> bytearray:
        if "continue" in query:
            apiserver.apply(objects.pod("token", "later"))
            apiserver.etcd.compact()
        return api.get(path, query)

    chunks = [(chunk.first, chunk.last, len(chunk.items)) for chunk in pages(get, "/api/v1/pods", RawPod, ahead=ahead)]
    assert chunks == [(True, False, 500), (True, True, 701)]


def test_expired_token_is_one_line_with_a_hint(apiserver: ApiServer) -> None:
    path = apiserver.kubeconfig_for("late", token="expired")
    with Api(str(path)) as api, pytest.raises(ApiError) as error:
        read(api)
    assert error.value.status == 401
    assert "\n" not in str(error.value)
    assert "does not accept your credentials" in error.value.what
    assert "kubectl --context late@test get pods" in error.value.hint


def test_token_that_was_renewed_in_the_kubeconfig_is_used(
    apiserver: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("calitui.cluster.api.RENEW_SECONDS", 0.0)
    path = apiserver.kubeconfig_for("renewed", token="expired")
    with Api(str(path)) as api:
        path.write_text(path.read_text().replace("expired", "token-of-admin"))
        assert read(api).kubernetes_version


def test_rights_and_identity(apiserver: ApiServer) -> None:
    with (
        allowed(apiserver, "viewer", ("", "pods", ["list"])),
        Api(str(apiserver.kubeconfig_for("viewer"))) as viewer,
    ):
        found = rights(viewer)
        assert Right("list", "", "pods", True, found[0].reason) == found[0]
        assert {(each.verb, each.group, each.resource): each.allowed for each in found}["watch", "", "pods"] is False
        assert ("list", CRD_GROUP, "ippools") in {(each.verb, each.group, each.resource) for each in found}
        whoami(viewer)
    with Api(str(apiserver.kubeconfig_for("late", token="expired"))) as late, pytest.raises(ApiError, match="401"):
        whoami(late)
