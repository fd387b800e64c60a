"""What a person typed becomes an end, or one clear line."""

from __future__ import annotations

import msgspec
import pytest

from calitui.errors import UsageError
from calitui.facts.cluster import Pod
from calitui.trace.ends import resolve
from tests.trace import seed

CLUSTER = msgspec.structs.replace(
    seed.cluster("Always"),
    namespace="huang1",
    pods=(
        *seed.cluster("Always").pods,
        Pod("huang1", "waiting", "k8s-calico2", (), "Pending", "ContainerCreating"),
        Pod("huang1", "unscheduled", "", (), "Pending", "Pending"),
        Pod("huang1", "done", "k8s-calico2", (), "Succeeded", "Completed"),
        Pod("huang1", "twin-1", "k8s-calico2", ("192.168.97.50",), "Running", "Running"),
        Pod("huang1", "twin-2", "k8s-calico2", ("192.168.97.50",), "Running", "Running"),
        Pod("huang1", "dual", "k8s-calico2", ("fd00::5", "192.168.97.60"), "Running", "Running"),
    ),
)


def test_a_pod_by_full_name_bare_name_and_address() -> None:
    full = resolve(CLUSTER, "huang1/huangtest-69d9fddd97-2b8hr")
    assert (full.kind, full.node, full.ip) == ("pod", "k8s-calico2", "192.168.97.1")
    assert resolve(CLUSTER, "huangtest-69d9fddd97-2b8hr") == full
    assert resolve(CLUSTER, "huangtest-69d9fddd97-2b8hr", "huang1") == full
    assert resolve(CLUSTER, " 192.168.97.1 ") == full


def test_a_dual_stack_pod_has_an_address_of_each_family() -> None:
    dual = resolve(CLUSTER, "huang1/dual")
    four, six = dual.of_family(4), dual.of_family(6)
    assert (four and four.ip, six and six.ip) == ("192.168.97.60", "fd00::5")
    assert resolve(CLUSTER, "fd00::5").of_family(4) is None


def test_an_address_that_nobody_has_is_outside_unless_a_pool_contains_it() -> None:
    assert resolve(CLUSTER, "203.0.113.9").kind == "external"


def test_host_network_pods_and_nodes() -> None:
    assert resolve(CLUSTER, "kube-system/calico-node-2").kind == "host-network-pod"
    node = resolve(CLUSTER, "10.173.32.23")
    assert (node.kind, node.node, node.label) == ("node", "k8s-calico2", "10.173.32.23")


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("huang1/huangtest-69d9fddd97-2b8hx", "Did you mean huang1/huangtest-69d9fddd97-2b8hr"),
        ("huang2/huangtest-69d9fddd97-2b8hr", "There is huang1/huangtest-69d9fddd97-2b8hr"),
        ("nowhere/zzz", "no pod in namespace nowhere"),
        ("huang1/waiting", "no address yet (ContainerCreating)"),
        ("huang1/unscheduled", "on no node yet"),
        ("huang1/done", "finished (Completed)"),
        ("192.168.97.50", "claimed by 2 pods"),
        ("192.168.200.9", "No pod has the address 192.168.200.9, though it is in pool 192.168.0.0/16"),
        ("huang1/\x1b[31mred", "\\x1b[31mred"),
        ("", "No pod"),
    ],
)
def test_what_can_not_be_an_end_is_said_in_one_line(wanted: str, words: str) -> None:
    with pytest.raises(UsageError) as raised:
        resolve(CLUSTER, wanted)
    line = str(raised.value)
    assert words in line
    assert "\n" not in line
    assert "\x1b" not in line
