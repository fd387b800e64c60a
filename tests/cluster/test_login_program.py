"""Exec plugins of a kubeconfig: missing, failing, hanging, and asked the way kubectl asks them."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from calitui.cluster import Api, read
from calitui.errors import ClusterError
from tests.apiserver import ApiServer
from tests.cluster.connecting import Object, failure, kubeconfig


def exec_user(command: str, **more: Any) -> Object:
    return {"exec": {"command": command, "apiVersion": "client.authentication.k8s.io/v1", "args": ["get"]} | more}


def program(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_login_program_that_is_missing(tmp_path: Path) -> None:
    hint = "Install it\nfrom https://example.org\x1b[0m"
    error = failure(kubeconfig(tmp_path / "config", user=exec_user("no-such-login", installHint=hint)))
    assert isinstance(error, ClusterError)
    assert error.what == "The login program no-such-login of the kubeconfig is not installed"
    assert error.hint == "Install it from https://example.org\\x1b[0m"


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo 'session expired' >&2; exit 3", "failed (exit 3): session expired"),
        ("printf 'a\\033[31mb' >&2; exit 1", "failed (exit 1): a\\x1b[31mb"),
        ("echo not json", "answered without credentials"),
        ("echo '{\"status\": {}}'", "answered without credentials"),
        ('echo \'{"status": {"token": 7}}\'', "answered without credentials"),
    ],
)
def test_login_program_that_fails(tmp_path: Path, script: str, words: str) -> None:
    login = program(tmp_path / "login", script)
    error = failure(kubeconfig(tmp_path / "config", user=exec_user(str(login))))
    assert words in error.what


def test_login_program_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("calitui.cluster.plugin.SECONDS_ALONE", 0.3)
    monkeypatch.setattr("calitui.cluster.plugin.SECONDS_WITH_A_PERSON", 0.3)
    login = program(tmp_path / "login", "exec sleep 60")
    assert "did not answer in 0.3 s" in failure(kubeconfig(tmp_path / "config", user=exec_user(str(login)))).what


@pytest.mark.apiserver
def test_login_program_is_asked_as_kubectl_asks_it(apiserver: ApiServer, tmp_path: Path) -> None:
    script = """echo "$KUBERNETES_EXEC_INFO" > "$0.asked"; echo "$1 $VARIABLE" >> "$0.asked"
echo '{"kind": "ExecCredential", "status": {"token": "token-of-admin"}}'"""
    login = program(tmp_path / "login", script)
    more = {"env": [{"name": "VARIABLE", "value": "value"}], "provideClusterInfo": True}
    ca = {"certificate-authority": str(apiserver.ca)}
    path = kubeconfig(tmp_path / "config", apiserver.url, exec_user("./login", **more), **ca)
    before = path.read_text()
    with Api(str(path)) as api:
        assert read(api).kubernetes_version
    asked, arguments = Path(f"{login}.asked").read_text().splitlines()
    assert json.loads(asked)["spec"]["cluster"]["server"] == apiserver.url
    assert json.loads(asked)["kind"] == "ExecCredential"
    assert arguments == "get value"
    assert path.read_text() == before, "what the plugin said must not be written into the kubeconfig"


@pytest.mark.apiserver
def test_login_program_is_asked_again_when_its_token_expired(
    apiserver: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("calitui.cluster.api.RENEW_SECONDS", 0.0)
    script = """if [ -e "$0.asked" ]; then token=token-of-admin; else token=expired; touch "$0.asked"; fi
echo "{\\"status\\": {\\"token\\": \\"$token\\"}}" """
    login = program(tmp_path / "login", script)
    ca = {"certificate-authority": str(apiserver.ca)}
    with Api(str(kubeconfig(tmp_path / "config", apiserver.url, exec_user(str(login)), **ca))) as api:
        assert read(api).kubernetes_version
