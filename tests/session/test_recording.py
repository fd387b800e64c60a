"""What a recording asks of each node: one container per pod, and every packet that starts or ends there."""

from __future__ import annotations

from calitui.facts.cluster import Cluster, Node, Pod
from calitui.facts.node import Question
from calitui.nodes.script import LARGEST_QUESTIONS, arguments
from calitui.session.recording import plan

NODES = (Node("one", internal_ips=("10.0.0.11", "fd00::11")), Node("two", internal_ips=("10.0.0.12", "fd00::12")))
PODS = (
    Pod("shop", "cart", "one", ("10.65.1.5", "fd65::1:5"), "Running", "Running"),
    Pod("shop", "db", "two", ("10.65.2.7", "fd65::2:7"), "Running", "Running"),
    Pod("shop", "done", "one", ("10.65.1.9",), "Succeeded", "Completed"),
    Pod("shop", "unscheduled", "", (), "Pending", "Pending"),
    Pod("kube-system", "proxy", "one", ("10.0.0.11",), "Running", "Running", host_network=True),
)


def test_each_pod_is_looked_into_once_and_both_families_are_asked_about() -> None:
    one, two = plan(Cluster(pods=PODS, nodes=NODES), NODES)
    assert one.containers == ("10.65.1.5",)
    assert two.containers == ("10.65.2.7",)
    for request in (one, two):
        assert {Question("10.65.1.5", "10.65.2.7"), Question("fd65::2:7", "fd65::1:5")} <= set(request.questions)
        assert not any("10.65.1.9" in (asked.source, asked.destination) for asked in request.questions)
        assert arguments(request.questions, request.containers)


def test_a_crowd_is_not_asked_about_packet_by_packet() -> None:
    crowd = tuple(Pod("shop", f"p{n}", "one", (f"10.65.1.{n}",), "Running", "Running") for n in range(1, 120))
    (request,) = plan(Cluster(pods=crowd, nodes=NODES[:1]), NODES[:1])
    assert request.questions == ()
    assert len(request.containers) == LARGEST_QUESTIONS
