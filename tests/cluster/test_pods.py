"""Pods of the API as facts: addresses, kubectl's status, hostile and odd objects."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from calitui.cluster import lenient
from calitui.cluster.pods import RawPod, Words, column, pod
from calitui.facts.cluster import Pod
from tests.apiserver import ApiServer
from tests.cluster import objects

Object = dict[str, Any]


def decoded(thing: object) -> Pod:
    return pod(lenient.one(json.dumps(thing).encode(), RawPod), Words())


def waiting(reason: str) -> Object:
    return {"waiting": {"reason": reason}}


def ended(code: int, reason: str = "", signal: int = 0) -> Object:
    return {"terminated": {"exitCode": code, "reason": reason, "signal": signal}}


RUNNING: Object = {"running": {"startedAt": "2026-01-01T00:00:00Z"}}
READY = [{"type": "Ready", "status": "True"}]


def container(state: Object, ready: bool = False, **more: Any) -> Object:
    return {"name": "main", "ready": ready, "restartCount": 0, "image": "i", "imageID": "i", "state": state} | more


STATUSES: list[tuple[str, Object]] = [
    ("Pending", {"phase": "Pending"}),
    ("ContainerCreating", {"phase": "Pending", "containerStatuses": [container(waiting("ContainerCreating"))]}),
    ("ImagePullBackOff", {"phase": "Pending", "containerStatuses": [container(waiting("ImagePullBackOff"))]}),
    ("Running", {"phase": "Running", "containerStatuses": [container(RUNNING, True)]}),
    ("CrashLoopBackOff", {"phase": "Running", "containerStatuses": [container(waiting("CrashLoopBackOff"))]}),
    ("Error", {"phase": "Failed", "containerStatuses": [container(ended(1, "Error"))]}),
    ("OOMKilled", {"phase": "Failed", "containerStatuses": [container(ended(137, "OOMKilled"))]}),
    ("ExitCode:3", {"phase": "Failed", "containerStatuses": [container(ended(3))]}),
    ("Signal:9", {"phase": "Failed", "containerStatuses": [container(ended(0, "", 9))]}),
    ("Completed", {"phase": "Succeeded", "containerStatuses": [container(ended(0, "Completed"))]}),
    ("Evicted", {"phase": "Failed", "reason": "Evicted"}),
    (
        "NotReady",
        {"phase": "Running", "containerStatuses": [container(ended(0, "Completed")), container(RUNNING, True)]},
    ),
    (
        "Running",
        {
            "phase": "Running",
            "conditions": READY,
            "containerStatuses": [container(ended(0, "Completed")), container(RUNNING, True)],
        },
    ),
    (
        "CrashLoopBackOff",
        {
            "phase": "Running",
            "containerStatuses": [container(waiting("CrashLoopBackOff")), container(ended(1, "Error"))],
        },
    ),
    ("Init:0/1", {"phase": "Pending", "initContainerStatuses": [container(RUNNING)]}),
    ("Init:0/1", {"phase": "Pending", "initContainerStatuses": [container(waiting("PodInitializing"))]}),
    ("Init:ErrImagePull", {"phase": "Pending", "initContainerStatuses": [container(waiting("ErrImagePull"))]}),
    ("Init:Error", {"phase": "Pending", "initContainerStatuses": [container(ended(1, "Error"))]}),
    ("Init:ExitCode:2", {"phase": "Pending", "initContainerStatuses": [container(ended(2))]}),
    ("Init:Signal:15", {"phase": "Pending", "initContainerStatuses": [container(ended(143, "", 15))]}),
    (
        "PodInitializing",
        {
            "phase": "Pending",
            "initContainerStatuses": [container(ended(0, "Completed"))],
            "containerStatuses": [container(waiting("PodInitializing"))],
        },
    ),
    ("Init:Error", {"phase": "Pending", "initContainerStatuses": [container(ended(1, "Error"))], "reason": "Other"}),
]


def with_status(status: Object) -> Object:
    made = objects.pod("status", "one")
    made["status"] = status
    if "initContainerStatuses" in status:
        made["spec"]["initContainers"] = [{"name": "main-init", "image": "image"}]
    return made


@pytest.mark.parametrize(("shown", "status"), STATUSES)
def test_status_is_kubectls_word(shown: str, status: Object) -> None:
    assert decoded(with_status(status)).status == shown


@pytest.mark.apiserver
def test_status_is_what_a_real_server_tells_kubectl(apiserver: ApiServer) -> None:
    """The server itself computes kubectl's table."""
    table = {"Accept": "application/json;as=Table;v=v1;g=meta.k8s.io"}
    for number, (_, status) in enumerate(STATUSES):
        made = with_status(status)
        made["metadata"] = {"namespace": "status", "name": f"pod-{number:02d}"}
        apiserver.apply(made)
    rows = apiserver.http.json("GET", "/api/v1/namespaces/status/pods", headers=table)["rows"]
    items = apiserver.get("/api/v1/namespaces/status/pods")["items"]
    told = {row["cells"][0]: row["cells"][2] for row in rows}
    assert told == {item["metadata"]["name"]: decoded(item).status for item in items}
    assert len(told) == len(STATUSES)
    apiserver.etcd.delete_prefix("/registry/pods/status/")


@pytest.mark.parametrize(
    ("shown", "phase", "reason"),
    [("Terminating", "Running", None), ("Unknown", "Running", "NodeLost"), ("Succeeded", "Succeeded", None)],
)
def test_status_of_a_pod_that_is_being_deleted(shown: str, phase: str, reason: str | None) -> None:
    made = with_status({"phase": phase, "reason": reason})
    made["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert decoded(made).status == shown


def test_status_of_a_gated_pod_and_of_sidecars() -> None:
    gate = {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}
    assert decoded(with_status({"phase": "Pending", "conditions": [gate]})).status == "SchedulingGated"
    made = with_status({"phase": "Running", "containerStatuses": [container(RUNNING, True)]})
    made["spec"]["initContainers"] = [{"name": "proxy", "restartPolicy": "Always"}]
    made["status"]["initContainerStatuses"] = [container(RUNNING, True, name="proxy", started=True)]
    assert decoded(made).status == "Running"


@pytest.mark.parametrize(
    ("annotations", "status", "ips"),
    [
        ({}, {"podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}]}, ("10.0.0.1", "fd00::1")),
        ({}, {"podIP": "10.0.0.1"}, ("10.0.0.1",)),
        ({"podIPs": "10.0.0.2/32,FD00::2/128"}, {"podIP": "10.0.0.1"}, ("10.0.0.2", "fd00::2")),
        ({"podIP": "10.0.0.2/32"}, {}, ("10.0.0.2",)),
        ({"podIPs": ""}, {"podIP": "10.0.0.1"}, ("10.0.0.1",)),
        ({"podIPs": "nonsense;rm -rf /, 10.0.0.3/32"}, {}, ("10.0.0.3",)),
        ({}, {"podIP": "fe80::1%\x1b[31m"}, ()),
        ({}, {"podIP": "10.0.0.1\x00"}, ()),
        ({}, {}, ()),
        ({"podIPs": "10.0.0.2/32"}, {"phase": "Succeeded", "podIP": "10.0.0.1"}, ()),
        ({}, {"phase": "Failed", "podIP": "10.0.0.1"}, ()),
    ],
)
def test_addresses(annotations: Object, status: Object, ips: tuple[str, ...]) -> None:
    made = with_status(status)
    made["metadata"]["annotations"] = {f"cni.projectcalico.org/{key}": value for key, value in annotations.items()}
    assert decoded(made).ips == ips


def test_all_fields() -> None:
    made = objects.pod("shop", "web", "10.0.0.1")
    made["metadata"] |= {"uid": "u-1", "creationTimestamp": "1970-01-01T00:01:00Z"}
    made["spec"]["hostNetwork"] = True
    assert decoded(made) == Pod(
        "shop", "web", "node-a", ("10.0.0.1",), "Running", "Running", True, 60.0, {"app": "web"}, "u-1"
    )


def test_hostile_text_is_harmless() -> None:
    made = objects.pod("shop\x1b[2J", "web\r\nname", node="[red]\u202enode")
    made["metadata"]["labels"] = {"\x9b31m": "\x07"}
    made["status"] = {"phase": "Running", "containerStatuses": [container(waiting("\x1b]0;title\x07"))]}
    found = decoded(made)
    assert found.namespace == "shop\\x1b[2J"
    assert found.name == "web\\x0d\\x0aname"
    assert found.node == "[red]\\u202enode"
    assert found.labels == {"\\x9b31m": "\\x07"}
    assert found.status == "\\x1b]0;title\\x07"


ODD: list[tuple[Object, Object]] = [
    ({"spec": None}, {"node": ""}),
    ({"status": None}, {"phase": "", "ips": ()}),
    ({"status": "broken"}, {"phase": "", "ips": ()}),
    ({"spec": {"nodeName": 7, "hostNetwork": True}}, {"node": "", "host_network": True}),
    ({"status": {"phase": "Running", "podIPs": None, "containerStatuses": None}}, {"phase": "Running"}),
    ({"status": {"phase": "Running", "podIPs": "10.0.0.1", "podIP": "10.0.0.1"}}, {"ips": ("10.0.0.1",)}),
    ({"status": {"podIPs": [{"ip": 5}, None, {"ip": "10.0.0.1"}]}}, {"ips": ("10.0.0.1",)}),
    ({"status": {"phase": "Running", "containerStatuses": [{"state": {"terminated": {"exitCode": "x"}}}]}}, {}),
    ({"metadata": {"name": "web", "namespace": "shop", "labels": ["a"]}}, {"labels": {}}),
    ({"metadata": {"name": "web", "namespace": "shop", "labels": {"a": 1, "b": "c"}}}, {"labels": {"b": "c"}}),
    ({"metadata": {"name": "web", "namespace": "shop", "creationTimestamp": "yesterday"}}, {"created": None}),
    ({"metadata": {"name": "web", "namespace": "shop", "annotations": 1}}, {"ips": ("10.0.0.1",)}),
]


@pytest.mark.parametrize(("change", "expected"), ODD)
def test_odd_object_costs_its_odd_fields(change: Object, expected: Object) -> None:
    found = decoded(objects.pod("shop", "web") | change)
    assert (found.namespace, found.name) == ("shop", "web")
    for field, value in expected.items():
        assert getattr(found, field) == value


def test_odd_object_never_costs_the_list() -> None:
    items = [objects.pod("shop", "good"), objects.pod("shop", "odd") | {"spec": 1}, "text", None]
    data = json.dumps({"metadata": {"resourceVersion": "7", "continue": None}, "items": items}).encode()
    page = lenient.page(data.replace(b"null}", b'"next"}'), RawPod)
    assert page.metadata.continue_ == "next"
    assert [pod(raw, Words()).name for raw in page.items or ()] == ["good", "odd", "", ""]


@pytest.mark.parametrize("data", [b"", b"<html>", b'{"items": [', b'{"items": 7}', b"[]", b'"\xff"', b"[" * 100_000])
def test_what_is_no_list_is_said_so(data: bytes) -> None:
    with pytest.raises(ValueError, match="not "):
        lenient.page(data, RawPod)


def test_empty_lists() -> None:
    assert (lenient.page(b'{"items": null}', RawPod).items or []) == []
    assert (lenient.page(b"{}", RawPod).items or []) == []


def test_remembered_words_do_not_grow_without_end() -> None:
    words = Words()
    for number in range(Words.MOST + 10):
        assert words[f"word-{number}"] == f"word-{number}"
    assert len(words) <= Words.MOST


def test_column_needs_nothing() -> None:
    assert column(RawPod()) == ""
    assert msgspec.json.decode(b"{}", type=RawPod) == RawPod()
