"""The test API server itself: what other tests rely on."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.apiserver import ApiServer, assets, why_not
from tests.apiserver.calico import CRD_GROUP, V3_GROUP
from tests.apiserver.http import Http, HttpError

pytestmark = pytest.mark.apiserver


def pod(namespace: str, name: str, ip: str, node: str = "node-a") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {"nodeName": node, "containers": [{"name": "main", "image": "image"}]},
        "status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}]},
    }


def test_status_and_node_of_a_pod_are_what_the_test_wrote(apiserver: ApiServer) -> None:
    apiserver.apply(pod("applied", "one", "10.0.0.1"))
    apiserver.apply(pod("applied", "one", "10.0.0.2"))
    stored = apiserver.get("/api/v1/namespaces/applied/pods/one")
    assert stored["spec"]["nodeName"] == "node-a"
    assert stored["status"]["podIP"] == "10.0.0.2"
    apiserver.delete(stored)
    with pytest.raises(HttpError, match="404"):
        apiserver.get("/api/v1/namespaces/applied/pods/one")


def test_copies_of_a_pod_are_pods_with_names_and_addresses_of_their_own(apiserver: ApiServer) -> None:
    apiserver.copy_pod(pod("copies", "copy-00000", "10.111.111.111"), 300)
    items = apiserver.get("/api/v1/namespaces/copies/pods")["items"]
    assert [item["metadata"]["name"] for item in items] == [f"copy-{number:05d}" for number in range(300)]
    assert len({item["status"]["podIP"] for item in items}) == 300
    assert len({item["metadata"]["uid"] for item in items}) == 300
    apiserver.etcd.delete_prefix("/registry/pods/copies/")


def test_users_may_do_nothing_until_they_are_bound(apiserver: ApiServer) -> None:
    viewer = Http(apiserver.url, "token-of-viewer", apiserver.ca)
    with pytest.raises(HttpError, match="403"):
        viewer.json("GET", "/api/v1/pods")
    viewer.close()
    nobody = Http(apiserver.url, "wrong", apiserver.ca)
    with pytest.raises(HttpError, match="401"):
        nobody.json("GET", "/api/v1/pods")
    nobody.close()


@pytest.mark.parametrize("group", [CRD_GROUP, V3_GROUP])
def test_kinds_of_calico_come_and_go(apiserver: ApiServer, group: str) -> None:
    version = "v1" if group == CRD_GROUP else "v3"
    apiserver.install_calico_crds(group)
    pool = {
        "apiVersion": f"{group}/{version}",
        "kind": "IPPool",
        "metadata": {"name": "default"},
        "spec": {"cidr": "x"},
    }
    apiserver.apply(pool)
    assert apiserver.get(f"/apis/{group}/{version}/ippools/default")["spec"] == {"cidr": "x"}
    apiserver.remove_calico_crds(group)


def test_kubectl_agrees(apiserver: ApiServer) -> None:
    if apiserver.assets.kubectl is None:
        pytest.skip("no kubectl in KUBEBUILDER_ASSETS")
    apiserver.apply(pod("kubectl", "one", "10.0.0.1"))
    command = [str(apiserver.assets.kubectl), "--kubeconfig", str(apiserver.kubeconfig)]
    command += ["get", "pods", "-n", "kubectl", "-o", "wide"]
    shown = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    assert "10.0.0.1" in shown
    assert "Running" in shown


@pytest.mark.skipif(os.geteuid() != 0, reason="network namespaces need root")
def test_runs_inside_a_network_namespace(tmp_path: Path) -> None:
    if assets() is None:
        pytest.skip(why_not())
    name = f"api-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        for command in (
            "link set lo up",
            "link add one type veth peer name two",
            "addr add 10.99.0.1/24 dev one",
            "link set one up",
        ):
            subprocess.run(["ip", "-n", name, *command.split()], check=True)
        with ApiServer.start(tmp_path, "10.99.0.1", netns=name) as inside:
            inside.apply(pod("inside", "one", "10.0.0.1"))
            assert inside.get("/api/v1/namespaces/inside/pods/one")["status"]["podIP"] == "10.0.0.1"
            assert inside.url == "https://10.99.0.1:6443"
    finally:
        subprocess.run(["ip", "netns", "del", name], check=True)
