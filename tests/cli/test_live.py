"""The command line against a real API server, and against none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.apiserver import ApiServer
from tests.apiserver.rbac import allowed
from tests.cli.running import run
from tests.cluster.objects import node, pod


@pytest.mark.apiserver
def test_pods_of_a_cluster_without_calico(apiserver: ApiServer, home: Path) -> None:
    apiserver.apply(pod("cli-a", "web", "10.9.0.1", "node-cli"))
    ran = run("pods", "-n", "cli-a", "--kubeconfig", str(apiserver.kubeconfig), "--request-timeout", "20s", home=home)
    assert ran.code == 0, ran.err
    assert ran.out.splitlines()[1].split()[:5] == ["cli-a", "web", "10.9.0.1", "node-cli", "Running"]
    assert "not read: " in ran.err


@pytest.mark.apiserver
def test_doctor_of_a_viewer(apiserver: ApiServer, home: Path) -> None:
    """The first user may list pods and nodes and nothing else."""
    apiserver.apply(node("node-cli", "10.9.9.9"))
    apiserver.apply(pod("cli-a", "web", "10.9.0.1", "node-cli"))
    rules = (("", "pods", ["list"]), ("", "nodes", ["list"]))
    with allowed(apiserver, "viewer", *rules):
        kubeconfig = str(apiserver.kubeconfig_for("viewer"))
        ran = run("doctor", "--kubeconfig", kubeconfig, "--ssh-user", "ops", "-o", "json", home=home)
    assert ran.code == 4, ran.err
    checks = {(check["about"], check["what"]): check for check in json.loads(ran.out)["checks"]}
    assert checks["rights", "list pods"]["state"] == "allowed"
    assert checks["rights", "watch pods"]["state"] == "denied"
    assert checks["read from the API", "pods"]["state"] == "ok"
    assert checks["read from the API", "IPPools"]["state"] == "not read"
    assert checks["cluster", "server"]["words"] == apiserver.url
    assert checks["nodes", "node-cli"]["state"] == "not tried"
    assert checks["nodes", "node-cli"]["words"] == "ops@10.9.9.9:22 by InternalIP"


def kubeconfig(where: Path, server: str) -> str:
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "prod",
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "prod", "context": {"cluster": "c", "user": "u"}}],
    }
    path = where / "kubeconfig"
    path.write_text(yaml.safe_dump(content))
    return str(path)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("pods",), 3, "kubeconfig"),
        (("trace", "a", "b"), 3, "kubeconfig"),
        (("audit",), 3, "kubeconfig"),
        (("audit", "--kubeconfig", "KUBECONFIG", "-o", "json"), 3, "127.0.0.1:1"),
        (("record", "-o", "-"), 3, "kubeconfig"),
        (("pods", "--kubeconfig", "/nowhere/config"), 3, "/nowhere/config"),
        (("pods", "--kubeconfig", "KUBECONFIG", "--context", "prodd"), 2, "prod"),
        (("pods", "--kubeconfig", "KUBECONFIG"), 3, "127.0.0.1:1"),
    ],
)
def test_no_cluster_is_one_line(home: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, words: str) -> None:
    dead = kubeconfig(tmp_path, "https://127.0.0.1:1")
    ran = run(*(dead if word == "KUBECONFIG" else word for word in arguments), home=home)
    assert (ran.code, ran.out) == (code, "")
    assert ran.err.startswith("calitui: ")
    assert ran.err.count("\n") == 1
    assert words in ran.err


def test_doctor_goes_on_without_a_cluster(home: Path, tmp_path: Path) -> None:
    ran = run("doctor", "--kubeconfig", kubeconfig(tmp_path, "https://127.0.0.1:1"), home=home)
    assert ran.code == 3
    assert "ssh config" in ran.out
    assert "127.0.0.1:1" in ran.out
