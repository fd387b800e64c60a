"""Which pod is asked about a node."""

from __future__ import annotations

import msgspec
import pytest

from calitui.errors import NodeError
from calitui.facts.cluster import Pod
from calitui.nodes.exec.pod import calico_node
from tests.nodes.exec.conftest import CALICO_NODE, NODE


def _pod(**changes: object) -> Pod:
    return msgspec.structs.replace(CALICO_NODE, **changes)


def test_the_pod_on_this_node_is_taken() -> None:
    others = [_pod(name="calico-node-x", node="k8s-calico3"), _pod(name="web", labels={"app": "web"})]
    assert calico_node(NODE, [*others, CALICO_NODE]) is CALICO_NODE


def test_canals_pod_is_one() -> None:
    canal = _pod(name="rke2-canal-7xkq2", labels={"k8s-app": "canal"})
    assert calico_node(NODE, [canal]) is canal


@pytest.mark.parametrize("namespace", ["calico-system", "kube-system"])
def test_well_known_namespaces_come_before_any_other(namespace: str) -> None:
    planted = _pod(namespace="aaa", created=9e9)
    known = _pod(namespace=namespace)
    assert calico_node(NODE, [planted, known]) is known
    assert calico_node(NODE, [planted]) is planted


def test_the_operators_namespace_comes_first() -> None:
    operator = _pod(namespace="calico-system")
    assert calico_node(NODE, [CALICO_NODE, operator]) is operator


def test_of_two_the_one_that_stays_is_taken() -> None:
    going, new, old = _pod(name="a", status="Terminating", created=3.0), _pod(name="b", created=2.0), _pod(created=1.0)
    assert calico_node(NODE, [going, old, new]) is new


@pytest.mark.parametrize(
    ("pods", "words"),
    [
        ([], "No calico-node pod of k8s-calico2 is in the list of pods"),
        ([_pod(node="k8s-calico3")], "No calico-node pod of k8s-calico2"),
        ([_pod(phase="Failed")], "No calico-node pod of k8s-calico2"),
        (
            [_pod(phase="Pending", status="ImagePullBackOff")],
            "calico-node-4zph4 of k8s-calico2 is ImagePullBackOff",
        ),
        ([_pod(host_network=False)], "has not the network of k8s-calico2"),
        ([_pod(phase="Pending", status="\x1b[2J")], "is \\x1b[2J"),
    ],
)
def test_where_there_is_none_it_is_said_why(pods: list[Pod], words: str) -> None:
    with pytest.raises(NodeError) as raised:
        calico_node(NODE, pods)
    assert words in str(raised.value)
    assert "--via ssh" in str(raised.value)
