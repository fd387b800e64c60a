"""A small HTTP client that opens its sockets in a named network namespace.

A socket stays in the namespace it was made in, so only the threads that make sockets have to enter it.
"""

from __future__ import annotations

import ctypes
import json
import os
import ssl
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

CLONE_NEWNET = 0x40000000


class HttpError(Exception):
    """The server answered with an error: `status` and its words."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"{status}: {text}")
        self.status = status
        self.text = text


def _enter(netns: str) -> None:
    """Move the calling thread (only it) into the network namespace `netns` of `ip netns`."""
    libc = ctypes.CDLL(None, use_errno=True)
    handle = os.open(f"/run/netns/{netns}", os.O_RDONLY)
    try:
        if libc.setns(handle, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter the network namespace {netns}")
    finally:
        os.close(handle)


class Http:
    """Requests with a bearer token to one server, each from one of a few threads of our own."""

    def __init__(
        self, url: str, token: str = "", ca: Path | None = None, netns: str | None = None, threads: int = 8
    ) -> None:
        parts = urlsplit(url)
        assert parts.hostname
        self._host, self._port, self._scheme = parts.hostname, parts.port or 443, parts.scheme
        self._token = token
        self._ca = ca
        self._local = threading.local()
        self._connections: list[HTTPConnection] = []
        initializer = (lambda: _enter(netns)) if netns else None
        self._threads = ThreadPoolExecutor(threads, "http", initializer)

    def _connection(self) -> HTTPConnection:
        connection: HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            if self._scheme == "https":
                context = ssl.create_default_context(cafile=str(self._ca))
                connection = HTTPSConnection(self._host, self._port, timeout=30, context=context)
            else:
                connection = HTTPConnection(self._host, self._port, timeout=30)
            self._local.connection = connection
            self._connections.append(connection)
        return connection

    def _request(self, method: str, path: str, body: Any, headers: dict[str, str]) -> bytes:
        data = json.dumps(body).encode() if body is not None else None
        headers = {"Content-Type": "application/json", **headers}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        for last_try in (False, True):  # a kept connection may have been closed by the server meanwhile
            connection = self._connection()
            try:
                connection.request(method, path, data, headers)
                response = connection.getresponse()
                answer = response.read()
            except (HTTPException, OSError):
                connection.close()
                if last_try:
                    raise
                continue
            if response.status >= 300:
                raise HttpError(response.status, answer.decode(errors="replace"))
            return answer
        raise AssertionError("unreachable")

    def bytes(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> bytes:
        """The answer's body; raises HttpError for a status of 300 and above, OSError when nobody answers."""
        return self._threads.submit(self._request, method, path, body, headers or {}).result()

    def json(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
        """The answer's body, parsed."""
        return json.loads(self.bytes(method, path, body, headers) or b"null")

    def all(self, requests: Iterable[tuple[str, str, Any]]) -> None:
        """Make many requests (method, path, body) at once; the first failure is raised."""
        pending = [self._threads.submit(self._request, method, path, body, {}) for method, path, body in requests]
        for request in pending:
            request.result()

    def close(self) -> None:
        """Let threads and connections go."""
        self._threads.shutdown()
        for connection in self._connections:
            connection.close()
