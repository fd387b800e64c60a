"""Getting to an API server, and the one line that says why that failed."""

from __future__ import annotations

import json
import logging
import socket
import socketserver
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from calitui.cluster import Api, ApiError, follow, read
from calitui.errors import CalituiError, ClusterError, Exit, UsageError
from tests.apiserver import ApiServer
from tests.apiserver.processes import free_port

Object = dict[str, Any]


@pytest.fixture(autouse=True)
def no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture(autouse=True)
def nothing_reaches_the_terminal(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    yield
    assert capfd.readouterr() == ("", "")


def kubeconfig(path: Path, server: str = "http://127.0.0.1:1", user: Object | None = None, **cluster: Any) -> Path:
    content = {
        "current-context": "here",
        "clusters": [{"name": "c", "cluster": {"server": server} | cluster}],
        "users": [{"name": "u", "user": user or {}}],
        "contexts": [
            {"name": "here", "context": {"cluster": "c", "user": "u", "namespace": "shop"}},
            {"name": "there\x1b[31m", "context": {"cluster": "c", "user": "u"}},
        ],
    }
    path.write_text(yaml.safe_dump(content))
    return path


def failure(path: Path | None, context: str | None = None, timeout: float | None = None) -> CalituiError:
    """The error of connecting and reading; always one printable line."""
    with pytest.raises(CalituiError) as caught, Api(str(path) if path else None, context, timeout) as api:
        read(api)
    assert str(caught.value).isprintable()
    return caught.value


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


def test_nothing_listens(tmp_path: Path) -> None:
    port = free_port("127.0.0.1")
    error = failure(kubeconfig(tmp_path / "config", f"https://127.0.0.1:{port}"))
    assert error.what == f"Nothing listens at https://127.0.0.1:{port} (connection refused)"
    assert error.exit is Exit.UNREADABLE


def test_name_that_does_not_resolve(tmp_path: Path) -> None:
    error = failure(kubeconfig(tmp_path / "config", "https://api.invalid:6443"))
    assert error.what == "The name in https://api.invalid:6443 can't be resolved"


@pytest.mark.parametrize(
    "server", ["https://", "nonsense", "ftp://127.0.0.1", "https://127.0.0.1:port", "https://[::1"]
)
def test_address_that_is_none(tmp_path: Path, server: str) -> None:
    assert server in failure(kubeconfig(tmp_path / "config", server)).what


@contextmanager
def serving(answer: bytes, status: int = 200, kind: str = "application/json") -> Iterator[str]:
    """An HTTP server that answers everything alike; its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("answer", "status", "words"),
    [
        (b"<html>log in</html>", 200, "the answer is no list of a Kubernetes API"),
        (b"<html>log in</html>", 302, "answered 302 and is probably no Kubernetes API"),
        (b"<html>bad gateway</html>", 502, "answered 502 and is probably no Kubernetes API"),
        (b'{"items": 5}', 200, "the answer is no list of a Kubernetes API"),
        (b'{"items": [', 200, "the answer is no list of a Kubernetes API"),
        (
            b'{"kind":"Status","message":"etcd is\\u001b[31m slow"}',
            503,
            "the server answered 503 (etcd is\\x1b[31m slow)",
        ),
        (b'{"kind":"Status","message":"pods is forbidden"}', 403, "Not allowed: pods is forbidden"),
        (b'{"kind":"Status","message":"Unauthorized"}', 401, "does not accept your credentials"),
    ],
)
def test_server_that_answers_something_else(tmp_path: Path, answer: bytes, status: int, words: str) -> None:
    with serving(answer, status) as url:
        error = failure(kubeconfig(tmp_path / "config", url))
    assert words in error.what
    assert isinstance(error, ApiError)


def test_server_that_is_silent(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        error = failure(kubeconfig(tmp_path / "config", url), timeout=0.3)
    assert error.what == f"{url} did not answer in time"
    assert "--request-timeout" in error.hint


def test_server_that_hangs_up(tmp_path: Path) -> None:
    class HangUp(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(100)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), HangUp) as server:
        threading.Thread(target=server.serve_forever).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        error = failure(kubeconfig(tmp_path / "config", url))
        server.shutdown()
    assert f"The connection to {url} broke" in error.what


def test_tls_with_a_server_that_has_none(tmp_path: Path) -> None:
    with serving(b"{}") as url:
        error = failure(kubeconfig(tmp_path / "config", url.replace("http:", "https:")))
    assert "does not speak TLS" in error.what


@pytest.mark.apiserver
def test_certificate_that_is_not_trusted(apiserver: ApiServer, tmp_path: Path) -> None:
    error = failure(kubeconfig(tmp_path / "config", apiserver.url))
    assert f"The certificate of {apiserver.url} is not trusted" in error.what
    assert "certificate-authority" in error.hint


@pytest.mark.apiserver
def test_http_to_an_https_server(apiserver: ApiServer, tmp_path: Path) -> None:
    error = failure(kubeconfig(tmp_path / "config", apiserver.url.replace("https:", "http:")))
    assert error.what.endswith("speaks HTTPS")


@pytest.mark.apiserver
def test_insecure_skip_tls_verify_warns_nobody(apiserver: ApiServer, tmp_path: Path) -> None:
    user = {"token": "token-of-admin"}
    path = kubeconfig(tmp_path / "config", apiserver.url, user, **{"insecure-skip-tls-verify": True})
    with Api(str(path)) as api:
        assert read(api).kubernetes_version


class Proxy(socketserver.BaseRequestHandler):
    """CONNECT, by the help of nothing but sockets."""

    def handle(self) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.request.recv(4096)
        host, port = head.split()[1].decode().rsplit(":", 1)
        with socket.create_connection((host, int(port))) as upstream:
            self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=self.copy, args=(upstream, self.request))
            back.start()
            self.copy(self.request, upstream)
            back.join()

    @staticmethod
    def copy(source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass


@pytest.mark.apiserver
def test_proxy_of_the_kubeconfig_is_used(apiserver: ApiServer, tmp_path: Path) -> None:
    served: list[str] = []

    class Counting(Proxy):
        def handle(self) -> None:
            served.append("one")
            super().handle()

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Counting) as server:
        threading.Thread(target=server.serve_forever).start()
        proxy = f"http://127.0.0.1:{server.server_address[1]}"
        ca = {"certificate-authority": str(apiserver.ca), "proxy-url": proxy}
        path = kubeconfig(tmp_path / "config", apiserver.url, {"token": "token-of-admin"}, **ca)
        with Api(str(path)) as api:
            assert read(api).kubernetes_version
        server.shutdown()
    assert served


def test_proxy_that_is_dead(tmp_path: Path) -> None:
    proxy = f"http://127.0.0.1:{free_port('127.0.0.1')}"
    path = kubeconfig(tmp_path / "config", "https://10.255.255.1:6443", {}, **{"proxy-url": proxy})
    assert "The proxy on the way to https://10.255.255.1:6443 does not work" in failure(path).what


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


def test_following_a_dead_server_fails_at_once(tmp_path: Path) -> None:
    port = free_port("127.0.0.1")
    path = kubeconfig(tmp_path / "config", f"http://127.0.0.1:{port}")
    with Api(str(path)) as api, pytest.raises(ClusterError, match="Nothing listens"):
        list(follow(api, threading.Event()))


def test_libraries_write_nothing_to_stderr(tmp_path: Path) -> None:
    """In a process of its own, where no test runner catches what logging would print."""
    code = f"""
import logging
from calitui.cluster import Api, read
from calitui.errors import CalituiError
api = Api({str(kubeconfig(tmp_path / "config"))!r})
try:
    read(api)
except CalituiError as error:
    print(error)
logging.getLogger("urllib3.connectionpool").warning("noise")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Nothing listens")
    assert done.stderr == ""
    assert logging.getLogger("urllib3").handlers
