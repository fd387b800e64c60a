"""An API server or a kubelet, as far as an exec needs one: real websockets, and a container that is a function.

As API server it answers execs and SelfSubjectAccessReviews; as kubelet it stands behind a real kube-apiserver, and
`tests.nodes.exec.kubelet` puts TLS before it. What a container does with a command is a `Container`: `commands` really
runs it.
"""

from __future__ import annotations

import http.server
import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve
from websockets.typing import Subprotocol

V4, V5 = Subprotocol("v4.channel.k8s.io"), Subprotocol("v5.channel.k8s.io")
STDIN, STDOUT, STDERR, STATUS = range(4)
CHUNK = 4096


class Exec(msgspec.Struct, frozen=True):
    """What was asked for, and with which Authorization header."""

    namespace: str
    pod: str
    container: str
    command: tuple[str, ...]
    authorization: str = ""


Container = Callable[[ServerConnection, Exec], None]
"""Serves one exec; the connection is closed when it returns."""


def send(connection: ServerConnection, channel: int, data: bytes) -> None:
    """One message of a stream."""
    connection.send(bytes([channel]) + data)


def exit_status(code: int) -> bytes:
    """The last word of an exec whose command ended."""
    if code == 0:
        return b'{"metadata":{},"status":"Success"}'
    causes = [{"reason": "ExitCode", "message": str(code)}]
    message = f"command terminated with non-zero exit code: {code}"
    failure = {"metadata": {}, "status": "Failure", "message": message, "reason": "NonZeroExitCode"}
    return json.dumps(failure | {"details": {"causes": causes}}).encode()


def failure(message: str) -> bytes:
    """The last word of an exec that the container runtime could not do."""
    said = {"metadata": {}, "status": "Failure", "message": message, "reason": "InternalError", "code": 500}
    return json.dumps(said).encode()


def commands(prefix: Sequence[str] = (), path: Path | None = None) -> Container:
    """A container that runs commands: `prefix` comes before each, `path` is the directory with all programs it has."""
    programs = str(path) if path else "/usr/sbin:/usr/bin:/sbin:/bin"

    def serve_exec(connection: ServerConnection, asked: Exec) -> None:
        program = shutil.which(asked.command[0], path=programs)
        if program is None:
            why = f'exec: "{asked.command[0]}": executable file not found in $PATH: unknown'
            message = f"Internal error occurred: error executing command in container: OCI runtime exec failed: {why}"
            send(connection, STATUS, failure(message))
            return
        words = [*prefix, program, *asked.command[1:]]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen(words, env={"PATH": programs}, **pipes) as process:  # type: ignore[call-overload]
            feed = threading.Thread(target=_feed, args=(connection, process.stdin), daemon=True)
            feed.start()
            outputs = [(STDOUT, process.stdout), (STDERR, process.stderr)]
            pumps = [threading.Thread(target=_pump, args=(connection, *each), daemon=True) for each in outputs]
            for pump in pumps:
                pump.start()
            for pump in pumps:
                pump.join()
            send(connection, STATUS, exit_status(process.wait()))

    return serve_exec


def _feed(connection: ServerConnection, stdin: IO[bytes]) -> None:
    """What the client sends; its stdin ends only where v5 says so, as in real kubelets."""
    try:
        for message in connection:
            assert isinstance(message, bytes)
            if message[:1] == bytes([STDIN]):
                stdin.write(message[1:])
                stdin.flush()
            elif message == bytes([255, STDIN]):
                stdin.close()
    except (OSError, ValueError, ConnectionClosed):
        return


def _pump(connection: ServerConnection, channel: int, output: IO[bytes]) -> None:
    try:
        while data := output.read1(CHUNK):  # type: ignore[attr-defined]
            send(connection, channel, data)
    except ConnectionClosed:
        output.close()


class Endpoint:
    """Serves execs on its own threads until the block ends.

    `verbs` are those of pods/exec that a review allows; `token` is the only one that is accepted, any if empty;
    `answer` may refuse an exec with an HTTP status and a message. `pods` are objects by `namespace/name`.
    """

    def __init__(
        self,
        container: Container,
        *,
        host: str = "127.0.0.1",
        protocols: Sequence[Subprotocol] = (V5, V4),
        verbs: Sequence[str] = ("create", "get"),
        token: str = "",
        answer: Callable[[Exec], tuple[int, str] | None] = lambda _: None,
        pods: Mapping[str, dict[str, Any]] | None = None,
    ) -> None:
        """`host` is the address to listen on; `url` says the port too."""
        self.seen: list[Exec] = []
        self.reviewed: list[dict[str, Any]] = []
        self.protocols_used: list[str | None] = []
        self.verbs, self.token = tuple(verbs), token
        self._container, self._answer, self._pods = container, answer, pods or {}
        self._server = serve(
            self._serve, host, 0, subprotocols=protocols, process_request=self._request, close_timeout=1
        )
        self.port: int = self._server.socket.getsockname()[1]
        self.url = f"http://{host}:{self.port}"
        self._websockets, self._server.handler = self._server.handler, self._dispatch
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._thread.join()

    def _dispatch(self, connection: socket.socket, address: Any) -> None:
        if connection.recv(4, socket.MSG_PEEK) != b"POST":
            self._websockets(connection, address)
            return
        try:
            with connection:
                _reviewer(self)(connection, address, None)  # type: ignore[arg-type]
        finally:
            with self._server.lock:
                self._server.handler_threads.discard(threading.current_thread())

    def _request(self, connection: ServerConnection, request: Request) -> Response | None:
        parts = urlsplit(request.path).path.strip("/").split("/")
        if len(parts) == 6 and parts[:3] == ["api", "v1", "namespaces"]:
            found = self._pods.get(f"{parts[3]}/{parts[5]}")
            return _response(404, f'pods "{parts[5]}" not found') if found is None else _json(200, found)
        asked = _asked(request)
        self.seen.append(asked)
        if self.token and asked.authorization != f"Bearer {self.token}":
            return _response(401, "Unauthorized")
        refused = self._answer(asked)
        return _response(*refused) if refused else None

    def _serve(self, connection: ServerConnection) -> None:
        self.protocols_used.append(connection.subprotocol)
        try:
            self._container(connection, self.seen[-1])
        except (ConnectionClosed, OSError):
            return

    def review(self, authorization: str, attributes: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and answer of a SelfSubjectAccessReview."""
        if self.token and authorization != f"Bearer {self.token}":
            return 401, _status(401, "Unauthorized")
        self.reviewed.append(attributes)
        allowed = attributes["verb"] in self.verbs and attributes["subresource"] == "exec"
        return 201, {"kind": "SelfSubjectAccessReview", "status": {"allowed": allowed}}


def _asked(request: Request) -> Exec:
    """The exec in a request to an API server, or in one that an API server makes of it for a kubelet."""
    parts = urlsplit(request.path)
    query = parse_qs(parts.query)
    words = [unquote(word) for word in parts.path.strip("/").split("/")]
    authorization = request.headers.get("Authorization", "")
    command = tuple(query.get("command", ()))
    if words[0] == "exec":
        return Exec(words[1], words[2], words[3], command, authorization)
    assert words[:3] == ["api", "v1", "namespaces"]
    assert words[4] == "pods"
    assert words[6] == "exec"
    assert all(query[stream] == ["true"] for stream in ("stdin", "stdout", "stderr"))
    return Exec(words[3], words[5], query["container"][0], command, authorization)


def _status(code: int, message: str) -> dict[str, Any]:
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code}


def _response(code: int, message: str) -> Response:
    return _json(code, _status(code, message))


def _json(code: int, content: dict[str, Any]) -> Response:
    body = json.dumps(content).encode()
    headers = Headers({"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"})
    return Response(code, HTTPStatus(code).phrase, headers, body)


def _reviewer(endpoint: Endpoint) -> type[http.server.BaseHTTPRequestHandler]:
    class Reviewer(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            code, answer = endpoint.review(self.headers.get("Authorization", ""), body["spec"]["resourceAttributes"])
            data = json.dumps(answer).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the base class
            """Nothing: the tests look at what was asked."""

    return Reviewer
