"""Which node this machine is: two evidences, or none."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from calitui.facts.cluster import Node
from calitui.nodes.local import LocalReader, is_this_node
from calitui.nodes.local.machine import Machine, why_not

HERE = Machine("k8s-calico2", "6.1.0", {"127.0.0.1": "lo", "10.173.32.23": "eth0", "fd32::23": "eth0"})


@pytest.mark.parametrize(
    ("node", "why"),
    [
        (Node("k8s-calico2", internal_ips=("10.173.32.23",)), "eth0 here has its address 10.173.32.23"),
        (Node("K8S-Calico2", external_ips=("1.1.1.1", "fd32::23")), "eth0 here has its address fd32::23"),
        (Node("ip-10-0-0-1", internal_ips=("10.173.32.23",), hostname="k8s-calico2"), "eth0 here has"),
        (Node("k8s-calico2", bgp_address="10.173.32.23/24"), "eth0 here has its address 10.173.32.23"),
    ],
)
def test_the_name_and_an_address_agree(node: Node, why: str) -> None:
    found = is_this_node(node, HERE)
    assert found is not None
    assert found.startswith("the hostname here is k8s-calico2, and ")
    assert why in found
    assert why_not(node, HERE) == ""


@pytest.mark.parametrize(
    ("node", "why"),
    [
        (Node("k8s-calico3", internal_ips=("10.173.32.23",)), "machine is called k8s-calico2, the node k8s-calico3"),
        (Node("k8s-calico2", internal_ips=("10.0.0.1",)), "no link of this machine has 10.0.0.1"),
        (Node("k8s-calico20", internal_ips=("10.173.32.23",)), "the node k8s-calico20"),
    ],
)
def test_one_evidence_is_none(node: Node, why: str) -> None:
    assert is_this_node(node, HERE) is None
    assert why in why_not(node, HERE)


def test_a_node_of_which_only_the_name_is_known_is_not_picked_but_may_be_named() -> None:
    assert is_this_node(Node("k8s-calico2"), HERE) is None
    assert why_not(Node("k8s-calico2"), HERE) == ""


def test_importing_the_reader_imports_no_pyroute2() -> None:
    code = "import sys, calitui.nodes.local; sys.exit('pyroute2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


def test_a_platform_without_netlink_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    node = Node("k8s-calico2", internal_ips=("127.0.0.1",))
    assert is_this_node(node) is None
    facts = LocalReader().read(node, (), (), lambda _: None, threading.Event())
    assert facts.host is None
    assert [(one.what, one.reason) for one in facts.missing] == [
        ("node", "reading the node that calitui runs on takes Linux and pyroute2 (this is darwin)")
    ]
