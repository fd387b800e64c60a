"""`calitui doctor`: never calls fine what was not tried or not read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec.structs import replace

from calitui.cli.checks import BAD, OBJECTS, State, access_checks, cluster_checks, read_checks, way_checks
from calitui.facts.cluster import Cluster, PolicyRef
from calitui.facts.missing import Missing
from calitui.session.ways import Way
from tests.cli.conftest import closed, recorded
from tests.cli.running import run

KINDS = (
    "pods",
    "nodes",
    "ClusterInformation",
    "IPPools",
    "IPAM blocks",
    "block affinities",
    "FelixConfigurations",
    "BGPConfigurations",
    "BGPPeers",
    "NetworkPolicies",
    "Calico NetworkPolicies",
    "GlobalNetworkPolicies",
    "IPAMConfig",
    "CalicoNodeStatuses",
    "ServiceCIDRs",
    "Service default/kubernetes",
)


def read(cluster: Cluster) -> dict[str, tuple[State, str]]:
    return {check.what: (check.state, check.words) for check in cluster_checks(cluster, "x") if check.about == OBJECTS}


def test_every_kind_of_thing_is_named() -> None:
    assert tuple(read(Cluster(policies=()))) == KINDS
    assert read(Cluster(policies=(PolicyRef("NetworkPolicy", "deny", "a"),)))["NetworkPolicies"][1] == "1 read"


@pytest.mark.parametrize("what", [*KINDS, "something new"])
def test_what_is_missing_is_not_called_read(what: str) -> None:
    found = read(Cluster(policies=(), missing=(Missing(what, "forbidden"),)))
    failed = {name: words for name, (state, words) in found.items() if state is not State.OK}
    assert list(failed.values()) == ["forbidden"]


def test_policies_that_could_not_be_counted_are_not_called_read() -> None:
    found = read(Cluster(policies=None))
    assert {name for name, (state, _) in found.items() if state is State.FAILED} == {
        name for name in KINDS if name.endswith("Policies")
    }


def test_the_kinds_are_those_that_the_cluster_reads() -> None:
    from calitui.cluster import services
    from calitui.cluster.calico import KINDS as CALICO
    from calitui.cluster.calico import KUBERNETES_POLICIES

    assert set(KINDS) == {"pods", "nodes", KUBERNETES_POLICIES, *CALICO.values(), services.CIDRS, services.KUBERNETES}


def test_rights_and_identity() -> None:
    from calitui.cluster.rights import Identity, Right
    from calitui.session.access import Access

    given = (Right("list", "", "pods", True), Right("watch", "", "nodes", False), Right("list", "g", "x", None, "why"))
    checks = access_checks(Access(Identity("jane", ("ops",)), given))
    assert [(check.what, check.state.value, check.words) for check in checks] == [
        ("user", "-", "jane, groups ops"),
        ("list pods", "allowed", ""),
        ("watch nodes", "denied", ""),
        ("list x.g", "not said", "why"),
    ]
    assert [check.state in BAD for check in checks] == [False, False, True, True]
    assert "can't tell" in access_checks(Access(Identity(), ()))[0].words


def test_ways_are_told_not_tried() -> None:
    checks = way_checks(
        (
            Way(node="a", target="root@10.0.0.1:22", why="InternalIP", jumps="me@bastion:22", warnings=("careful",)),
            Way(node="b", error="node 'b' has no ExternalIP address"),
        )
    )
    assert [check.state for check in checks] == [State.NOT_TRIED, State.FAILED]
    assert checks[0].words == "root@10.0.0.1:22 by InternalIP, through me@bastion:22; careful"
    assert "ExternalIP" in checks[1].words


def test_nodes_that_were_read_and_not() -> None:
    facts = recorded(closed("k8s-calico3"))
    states = {check.what: check.state for check in read_checks(facts)}
    assert states["k8s-calico2"] is State.OK
    assert states["k8s-calico3"] is State.FAILED
    assert set(states) == {node.name for node in facts.cluster.nodes}
    partly = replace(facts.nodes[0], missing=(Missing("container 192.168.97.1", "needs root"),))
    assert "not read: container 192.168.97.1" in read_checks(replace(facts, nodes=(partly,)))[0].words


def test_a_recording(ipip: str, home: Path) -> None:
    ran = run("doctor", "--from", ipip, home=home)
    assert ran.code == 4, "two of the four nodes are not in the recording"
    assert "k8s-calico2   ok" in ran.out
    assert "k8s-calico4   not read" in ran.out
    assert "config file" in ran.out


def test_json(ipip: str, home: Path) -> None:
    ran = run("doctor", "--from", ipip, "-o", "json", home=home)
    data = json.loads(ran.out)
    assert data["schema"] == "calitui.doctor/1"
    assert {check["about"] for check in data["checks"]} == {"here", "cluster", OBJECTS, "nodes"}
    assert {check["state"] for check in data["checks"]} == {"ok", "not read", "-"}


def test_a_cluster_that_can_not_be_read_does_not_hide_the_rest(home: Path, tmp_path: Path) -> None:
    ran = run("doctor", "--from", str(tmp_path / "nothing"), home=home)
    assert ran.code == 3
    assert "config file" in ran.out
    assert "not read" in ran.out
    assert str(tmp_path / "nothing") in ran.out


def test_the_script_is_shown_alone(home: Path) -> None:
    from calitui.session import node_script

    ran = run("doctor", "--show-script", home=home)
    assert ran.code == 0
    assert ran.out == node_script().rstrip("\n") + "\n"


def test_the_script_of_a_live_proof_is_shown_alone(home: Path) -> None:
    from calitui.session import proof_script

    ran = run("doctor", "--show-proof-script", home=home)
    assert ran.code == 0
    assert ran.out == proof_script().rstrip("\n") + "\n"
