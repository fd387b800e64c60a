"""Which server and whose credentials: kubeconfigs that are missing, broken or ambiguous; the pod we run in."""

from __future__ import annotations

from pathlib import Path

import pytest

from calitui.cluster import Api, read
from calitui.errors import Exit, UsageError
from tests.apiserver import ApiServer
from tests.cluster.connecting import failure, kubeconfig


def test_no_kubeconfig_anywhere(tmp_path: Path) -> None:
    error = failure(None)
    assert error.exit is Exit.UNREADABLE
    assert f"{tmp_path}/.kube/config does not exist" in error.what
    assert "--kubeconfig" in error.hint


def test_named_kubeconfig_that_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert f"{tmp_path}/missing does not exist" in failure(tmp_path / "missing").what
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/one:{tmp_path}/two")
    assert f"{tmp_path}/two (from KUBECONFIG) does not exist" in failure(None).what


def test_kubeconfig_variable_is_read_when_connecting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = kubeconfig(tmp_path / "a")
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/missing:{path}")
    with Api() as api:
        assert (api.context, api.namespace, api.server) == ("here", "shop", "http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("clusters: [\n  - name: {", "not valid YAML"),
        ("", "can't be used"),
        ("just text", "can't be used"),
        ("- a\n- list", "can't be used"),
        ("contexts: 7\nclusters: []\nusers: []", "can't be used"),
        ("contexts: [{no-name: 1}]", "can't be used"),
        ("a: !!python/object:os.system {}", "not valid YAML"),
        ("\x00\x01binary", "can't be used"),
    ],
)
def test_file_that_is_no_kubeconfig(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "config"
    path.write_text(content)
    error = failure(path)
    assert words in error.what
    assert str(path) in error.what


def test_kubeconfig_that_may_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    assert "can't be read: Is a directory" in failure(tmp_path / "directory").what


def test_unknown_context_lists_those_there_are(tmp_path: Path) -> None:
    error = failure(kubeconfig(tmp_path / "config"), "nowhere")
    assert isinstance(error, UsageError)
    assert error.exit is Exit.USAGE
    assert error.what == "There is no context nowhere"
    assert "here, there\\x1b[31m" in error.hint


def test_no_current_context(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "config")
    path.write_text(path.read_text().replace("current-context: here", "current-context: ''"))
    assert "chooses no current context" in failure(path).what


def test_context_without_a_cluster(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "config")
    path.write_text(path.read_text().replace("cluster: c", "cluster: other"))
    assert "names no server for the context here" in failure(path).what


def test_files_that_the_kubeconfig_names_are_missing(tmp_path: Path) -> None:
    path = kubeconfig(tmp_path / "config", user={"tokenFile": "missing-token"})
    assert "missing-token" in failure(path).what
    path = kubeconfig(tmp_path / "config", "https://127.0.0.1:1", {}, **{"certificate-authority": "missing-ca"})
    assert "missing-ca" in failure(path).what


def test_inside_a_pod_without_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    assert "this pod's service account can't be used" in failure(None).what


@pytest.mark.apiserver
def test_inside_a_pod(apiserver: ApiServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    host, port = apiserver.url.removeprefix("https://").split(":")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", port)
    monkeypatch.setattr("calitui.cluster.kubeconfig.SERVICE_ACCOUNT", tmp_path)
    (tmp_path / "token").write_text("token-of-admin\n")
    (tmp_path / "ca.crt").write_bytes(apiserver.ca.read_bytes())
    (tmp_path / "namespace").write_text("shop\n")
    with Api() as api:
        found = read(api)
    assert (found.context, found.namespace, found.server) == ("in-cluster", "shop", apiserver.url)
