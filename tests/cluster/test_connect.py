"""Getting to an API server over the network, and the one line that says why that failed."""

from __future__ import annotations

import logging
import socket
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from calitui.cluster import Api, ApiError, follow, read
from calitui.errors import ClusterError, Exit
from tests.apiserver import ApiServer
from tests.apiserver.processes import free_port
from tests.cluster.connecting import failure, kubeconfig


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
