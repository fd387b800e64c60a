"""Objects out of saved YAML and JSON: the facts of an API server, and nothing that a hostile file can cost."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from calitui.cluster import ipam_objects, pods
from calitui.cluster.documents import objects
from calitui.cluster.files import read_files, resource_of
from calitui.facts.cluster import Cluster

POD = """\
apiVersion: v1
kind: Pod
metadata:
  annotations:
    cni.projectcalico.org/podIPs: 10.65.1.5/32,fd00:65::5/128
  creationTimestamp: "2024-03-01T10:00:00Z"
  labels:
    app: web
    version: "1.10"
    number: "0123"
  managedFields:
  - fieldsType: FieldsV1
    manager: [deep, {er: yet}]
  name: web-1
  namespace: shop
spec:
  containers:
  - image: nginx
    command: ["sh", "-c", "exit 0"]
  hostNetwork: true
  nodeName: n1
status:
  conditions:
  - status: "True"
    type: Ready
  containerStatuses:
  - name: c
    ready: true
    restartCount: 3
    state:
      running:
        startedAt: "2024-03-01T10:00:05Z"
  phase: Running
  podIP: 10.65.1.5
"""

LIST = (
    "apiVersion: v1\nitems:\n- "
    + POD.replace("\n", "\n  ").rstrip()
    + '\nkind: List\nmetadata:\n  resourceVersion: ""\n'
)


def read(**texts: str) -> Cluster:
    """The cluster of files named for their resource, `_` for `.` and `/`."""
    return read_files({f"{name}.yaml": text for name, text in texts.items()}, context="x", read_at=1.0)


def missing(cluster: Cluster) -> dict[str, str]:
    return {one.what: one.reason for one in cluster.missing}


def test_a_pod_is_what_the_api_would_have_made_of_it() -> None:
    raw = msgspec.json.encode(yaml.safe_load(POD))
    (found,) = read(pods=LIST).pods
    assert found == pods.pod(msgspec.json.decode(raw, type=pods.RawPod), pods.Words())
    assert (found.host_network, found.status, found.ips) == (True, "Running", ("10.65.1.5", "fd00:65::5"))
    assert found.labels == {"app": "web", "version": "1.10", "number": "0123"}


@pytest.mark.parametrize(
    "text",
    [
        LIST,
        POD,
        f"---\n{POD}---\n",
        LIST.replace("kind: List", "kind: PodList"),
        msgspec.json.encode(yaml.safe_load(LIST)).decode(),
        msgspec.json.encode(yaml.safe_load(POD)).decode(),
        f"Warning: v1 ComponentStatus is deprecated\n{LIST}",
        LIST.replace("\n", "\r\n"),
    ],
    ids=["List", "object", "documents", "PodList", "JSON List", "JSON object", "warning", "CRLF"],
)
def test_a_list_an_object_and_documents_are_the_same(text: str) -> None:
    assert read(pods=text).pods == read(pods=LIST).pods
    assert "pods" not in missing(read(pods=text))


def test_several_documents() -> None:
    text = f"{POD}---\n{LIST}---\n{POD.replace('web-1', 'web-2')}"
    assert [pod.name for pod in read(pods=text).pods] == ["web-1", "web-1", "web-2"]


@pytest.mark.parametrize("text", ["", "No resources found\n", "items: []\nkind: List\n", "No resources found in x.\n"])
def test_an_empty_list_is_read(text: str) -> None:
    assert read(pods=text).pods == ()
    assert "pods" not in missing(read(pods=text))


def test_calicos_objects() -> None:
    block: dict[str, Any] = {
        "metadata": {"name": "10-65-1-0-26"},
        "spec": {
            "cidr": "10.65.1.0/26",
            "affinity": "host:n1",
            "allocations": [None, 0] + [None] * 62,
            "attributes": [{"handle_id": "h", "secondary": {"node": "n2", "namespace": "shop", "pod": "web-1"}}],
        },
    }
    pool = {"metadata": {"name": "p"}, "spec": {"cidr": "10.65.0.0/16", "vxlanMode": "Always", "natOutgoing": True}}
    felix = {"metadata": {"name": "default"}, "spec": {"vxlanPort": 4789, "bpfEnabled": False, "mtuIfacePattern": "^e"}}
    cluster = read(
        **{
            "ippools.crd.projectcalico.org": yaml.safe_dump({"items": [pool]}),
            "ipamblocks": yaml.safe_dump({"items": [block]}),
            "felixconfigurations.projectcalico.org": yaml.safe_dump(felix),
        }
    )
    assert cluster.pools == (ipam_objects.pool(msgspec.convert(pool, ipam_objects.RawPool)),)
    assert cluster.blocks == (ipam_objects.block(msgspec.convert(block, ipam_objects.RawBlock)),)
    assert cluster.felix[0].spec == {"vxlanPort": "4789", "bpfEnabled": "false", "mtuIfacePattern": "^e"}
    assert (cluster.datastore, cluster.calico_group) == ("kdd", "crd.projectcalico.org/v1")


def test_the_group_that_calico_itself_uses_goes_first() -> None:
    def pools(cidr: str) -> str:
        return yaml.safe_dump({"items": [{"metadata": {"name": "p"}, "spec": {"cidr": cidr}}]})

    both = {"ippools.projectcalico.org": pools("10.1.0.0/16"), "ippools.crd.projectcalico.org": pools("10.2.0.0/16")}
    assert [pool.cidr for pool in read(**both).pools] == ["10.2.0.0/16"]
    only = {"ippools.projectcalico.org": pools("10.1.0.0/16")}
    assert (read(**only).pools[0].cidr, read(**only).calico_group) == ("10.1.0.0/16", "projectcalico.org/v3")


def test_etcd_is_told_by_the_manifests_configmap() -> None:
    config = {"items": [{"metadata": {"name": "calico-config"}, "data": {"etcd_endpoints": "http://10.0.0.1:2379"}}]}
    assert read(configmaps=yaml.safe_dump(config)).datastore == "etcd"
    assert read(configmaps="items: []\n").datastore == ""


def test_an_odd_field_costs_itself_only() -> None:
    node = {"metadata": {"name": "n1"}, "status": {"addresses": [{"type": "InternalIP", "address": "10.0.0.1"}, 7]}}
    odd = LIST.replace("ready: true", "ready: maybe")
    cluster = read(nodes=yaml.safe_dump({"items": [node, "no object"]}), pods=odd)
    assert [(one.name, one.internal_ips) for one in cluster.nodes] == [("n1", ("10.0.0.1",))]
    assert [pod.name for pod in cluster.pods] == ["web-1"]


def test_what_nobody_saved_of_later_kinds_is_not_missing() -> None:
    whats = {"IPAMConfig", "CalicoNodeStatuses", "ServiceCIDRs", "Service default/kubernetes"}
    assert not whats & set(missing(read(pods=LIST)))
    service = {"metadata": {"name": "kubernetes", "namespace": "default"}, "spec": {"clusterIP": "10.96.0.1"}}
    other = {"metadata": {"name": "web", "namespace": "default"}, "spec": {"clusterIP": "10.96.0.7"}}
    cluster = read(
        **{
            "ipamconfigurations.projectcalico.org": yaml.safe_dump({"spec": {"strictAffinity": True}}),
            "caliconodestatuses": yaml.safe_dump({"items": [{"metadata": {"name": "s"}, "spec": {"node": "n1"}}]}),
            "servicecidrs.networking.k8s.io": yaml.safe_dump({"items": [{"spec": {"cidrs": ["10.96.0.0/12"]}}]}),
            "services": yaml.safe_dump({"items": [other, service]}),
        }
    )
    assert cluster.ipam is not None
    assert cluster.ipam.strict_affinity
    assert [status.node for status in cluster.node_statuses] == ["n1"]
    assert (cluster.service_cidrs, cluster.service_ips) == (("10.96.0.0/12",), ("10.96.0.1",))
    assert (
        "services"
        in missing(read(services="Error from server (Forbidden): services is forbidden"))["Service default/kubernetes"]
    )


@pytest.mark.parametrize(
    ("path", "resource"),
    [
        ("pods.yaml", "pods"),
        ("cluster/kubernetes/nodes.yml", "nodes"),
        ("crd/ippools.yaml", "ippools"),
        ("crd/ippools.crd.projectcalico.org.yaml", "ippools"),
        ("crd/ippools.projectcalico.org.json", "ippools"),
        ("kubernetes/networkpolicies.yaml", "networkpolicies"),
        ("crd/networkpolicies.yaml", "calico networkpolicies"),
        ("crd/networkpolicies.crd.projectcalico.org.yaml", "calico networkpolicies"),
        ("cluster/version.yaml", "version"),
        ("crd/ipamconfigurations.projectcalico.org.yaml", "ipamconfigs"),
        ("kubernetes/servicecidrs.networking.k8s.io.yaml", "servicecidrs"),
        ("ippools.example.com.yaml", None),
        ("pods.txt", None),
        ("nodes/n1/pods.yaml", None),
        ("secrets.yaml", None),
    ],
)
def test_files_are_known_by_their_names(path: str, resource: str | None) -> None:
    assert resource_of(path) == resource


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: &x 1\nb: [1]\nc: &y [1]", "line 3 has an anchor"),
        ("b: *x", "line 1 has an alias"),
        ("[" * 5000, "nested deeper than 100 levels"),
        ("a: {b: " + "{a: " * 5000, "nested deeper"),
        ("{a: " * 5000, "not JSON"),
        ("a: [1", "not YAML in line 2"),
        ("\ta: 1", "not YAML in line 1"),
        ("{", "not JSON"),
    ],
)
def test_what_is_no_yaml_of_kubernetes_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        list(objects(text))


def test_a_bomb_of_references_is_not_followed() -> None:
    more = (f"b{number + 1}: &b{number + 1} [*b{number}, *b{number}]\n" for number in range(30))
    laughs = "b0: &b0 [x, x]\n" + "".join(more)
    with pytest.raises(ValueError, match="has an anchor"):
        list(objects(laughs))
    merge = "x: {<<: {<<: {a: 1}}}"
    assert list(objects(merge)) == [{"x": {"<<": {"<<": {"a": 1}}}}]


@pytest.mark.parametrize(
    ("plain", "value"),
    [
        ("true", True),
        ("null", None),
        ("~", None),
        ("", None),
        ("64512", 64512),
        ("1.5", 1.5),
        ("0123", "0123"),
        ("12:30:45", "12:30:45"),
        ("2024-03-01", "2024-03-01"),
        ("9" * 5000, "9" * 5000),
        ("0x1F", "0x1F"),
        ("'true'", "true"),
        ('"64512"', "64512"),
        ("!!int '5'", "5"),
        ("yes", "yes"),
    ],
)
def test_plain_words(plain: str, value: object) -> None:
    assert list(objects(f"a: {plain}\n")) == [{"a": value}]


def test_no_control_character_gets_through() -> None:
    (found,) = read(pods=LIST.replace("web-1", '"web\\e[2J\\u202e"')).pods
    assert found.name == "web\\x1b[2J\\u202e"
    (raw,) = read(pods=LIST.replace("web-1", "web\x1b[2J")).pods
    assert "\x1b" not in raw.name


@given(st.text())
def test_no_text_makes_the_reader_raise(text: str) -> None:
    read(pods=text, nodes=f"items:\n- {text}")
