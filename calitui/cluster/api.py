"""Requests to one Kubernetes API server: raw bytes in, one clear line when they don't come.

Nothing here knows what a pod is. Answers are handed on undecoded because the kubernetes package's models cost ten times
the time and memory, and lose a whole list over one odd field. Every request has time limits. A 401 loads the
credentials again once, as a token may have expired since.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any, Self
from urllib.parse import urlsplit

import urllib3
from kubernetes.client import ApiClient, ApiException

from calitui.cluster.kubeconfig import load
from calitui.cluster.refusal import ApiError, refused, unreachable
from calitui.errors import ClusterError

CONNECT_SECONDS = 10.0
READ_SECONDS = 30.0
"""How long the server may say nothing while an answer is awaited."""
ANSWER_SECONDS = 300.0
"""How long one whole answer may take."""
LARGEST_ANSWER = 1 << 30
"""Bytes; a page of 2,000 pods has 14 MB."""
LARGEST_LINE = 1 << 26
"""Bytes of one event of a watch; the server itself stops at 1.5 MB an object."""
RENEW_SECONDS = 10.0
"""Credentials younger than this are not loaded again: the server means it."""
JSON = "application/json"
METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"

log = logging.getLogger(__name__)


class Response:
    """An answer that is arriving. Read it with `body` or `lines`, and close it; `shutdown` may come from any thread."""

    def __init__(self, raw: urllib3.BaseHTTPResponse, server: str, deadline: float | None) -> None:
        """`deadline` is a value of `time.monotonic` by which a body must be there."""
        self._raw = raw
        self._server = server
        self._deadline = deadline
        self._complete = False

    def body(self) -> bytearray:
        """The whole answer.

        Raises:
            ApiError: the connection broke, or the answer is too slow or too large.
        """
        data = bytearray()
        with self._clear_errors():
            while chunk := self._raw.read(1 << 20):
                data += chunk
                if len(data) > LARGEST_ANSWER:
                    raise ApiError(f"The answer of {self._server} is larger than {LARGEST_ANSWER >> 30} GiB")
                if self._deadline is not None and time.monotonic() > self._deadline:
                    raise TimeoutError
        self._complete = True
        return data

    def lines(self) -> Iterator[bytes]:
        """Lines as they arrive, without their ends, until the server ends the answer.

        Raises:
            ApiError: the connection broke or was silent for too long.
        """
        rest = bytearray()
        while True:
            with self._clear_errors():
                chunk = self._raw.read1(1 << 16)
            if not chunk:
                return
            rest += chunk
            if b"\n" in chunk:
                *whole, last = rest.split(b"\n")
                yield from (bytes(line) for line in whole if line)
                rest = last
            if len(rest) > LARGEST_LINE:
                raise ApiError(f"{self._server} sent an event of more than {LARGEST_LINE >> 20} MiB")

    @contextlib.contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            yield
        except (urllib3.exceptions.HTTPError, OSError, ValueError, AttributeError) as error:
            # A socket that is shut down under a reader fails in all these ways.
            raise unreachable(error, self._server) from None

    def shutdown(self) -> None:
        """Make a blocked read end now. The response must still be closed."""
        with contextlib.suppress(OSError, ValueError, RuntimeError, AttributeError):
            self._raw.shutdown()

    def close(self) -> None:
        """Keep the connection for the next request if the answer was read to its end, else drop it."""
        if self._complete:
            self._raw.release_conn()
        else:
            with contextlib.suppress(OSError, ValueError, AttributeError):
                self._raw.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()


class Api:
    """One API server as one user. Safe to use from several threads."""

    def __init__(
        self, kubeconfig: str | None = None, context: str | None = None, request_timeout: float | None = None
    ) -> None:
        """Load the kubeconfig and get credentials; an exec plugin may use the terminal now, and only now.

        `request_timeout` is kubectl's: seconds one request may take as a whole (watches excepted).

        Raises:
            UsageError: no such context.
            ClusterError: there is no kubeconfig, it is broken, or credentials can't be had.
        """
        # A handler of their own keeps warnings of these libraries off the terminal (logging's last resort is stderr).
        for noisy in ("kubernetes", "urllib3"):
            logging.getLogger(noisy).addHandler(logging.NullHandler())
        self._kubeconfig = kubeconfig
        self._context = context
        self._timeout = request_timeout
        self._lock = threading.Lock()
        self._target = load(kubeconfig, context, interactive=True)
        self._client = self._new_client(self._target.configuration, self.server)
        self._loaded = time.monotonic()
        # gzip costs more than it saves on a loopback, and saves nine tenths everywhere else.
        host = urlsplit(self.server).hostname or ""
        self._encoding = "identity" if host in ("localhost", "::1") or host.startswith("127.") else "gzip"

    @property
    def context(self) -> str:
        """The kubeconfig context in use."""
        return self._target.context

    @property
    def server(self) -> str:
        """The server's URL, as the kubeconfig says it."""
        return self._target.server

    @property
    def namespace(self) -> str:
        """The context's namespace, `default` unless it says another."""
        return self._target.namespace

    def open(
        self,
        path: str,
        query: Mapping[str, str | int] | None = None,
        *,
        accept: str = JSON,
        body: object = None,
        silence: float | None = None,
    ) -> Response:
        """GET `path` (POST if there is a `body`) and return the answer as soon as its head is there.

        `silence` is how many seconds the server may say nothing; giving it lifts the limit on the whole answer.

        Raises:
            ApiError: the server can't be reached (`status` 0) or refuses.
        """
        client = self._client
        raw = self._send(client, path, query, accept, body, silence)
        if raw.status == 401 and self._renewed(client):
            raw.close()
            raw = self._send(self._client, path, query, accept, body, silence)
        limit = self._timeout or ANSWER_SECONDS
        response = Response(raw, self.server, None if silence else time.monotonic() + limit)
        if 200 <= raw.status < 300:
            return response
        with response:
            try:
                answer = bytes(response.body())
            except ApiError:
                answer = b""
        raise refused(raw.status, answer, path, self.server, self.context)

    def get(self, path: str, query: Mapping[str, str | int] | None = None, *, accept: str = JSON) -> bytearray:
        """GET `path` as a whole; raises ApiError like `open`."""
        with self.open(path, query, accept=accept) as response:
            return response.body()

    def post(self, path: str, body: object) -> bytearray:
        """POST `body` as JSON: only for questions that the API makes a creation of, as SelfSubjectAccessReview."""
        with self.open(path, body=body) as response:
            return response.body()

    def new_client(self, refused: Any = None) -> Any:
        """An ApiClient of the caller's own, for what can't share one; the caller closes it.

        `refused` is one of these whose credentials the server did not accept: newer ones are looked for.

        Raises:
            ApiError: the settings can't be used.
        """
        client = self._client
        if refused is not None and refused.configuration is client.configuration:
            self._renewed(client)
        return self._new_client(self._client.configuration, self.server)

    def _send(
        self,
        client: Any,
        path: str,
        query: Mapping[str, str | int] | None,
        accept: str,
        body: object,
        silence: float | None,
    ) -> urllib3.BaseHTTPResponse:
        log.debug("%s %s %s", "POST" if body else "GET", path, dict(query or {}))
        headers = {"Accept": accept, "Accept-Encoding": "identity" if silence else self._encoding}
        if body:
            headers["Content-Type"] = JSON
        limit = min(READ_SECONDS, self._timeout or READ_SECONDS)
        try:
            request = client.param_serialize(
                "POST" if body else "GET",
                path,
                query_params=list((query or {}).items()),
                header_params=headers,
                body=body,
                auth_settings=["BearerToken"],
            )
            answer = client.call_api(*request, _request_timeout=(min(CONNECT_SECONDS, limit), silence or limit))
        except (ApiException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise unreachable(error, self.server) from None
        raw: urllib3.BaseHTTPResponse = answer.response
        return raw

    def _renewed(self, used: Any) -> bool:
        """Whether there are credentials newer than those of the client `used`."""
        with self._lock:
            if self._client is not used:
                return True
            if time.monotonic() - self._loaded < RENEW_SECONDS:
                return False
            try:
                target = load(self._kubeconfig, self._context, interactive=False)
                self._client = self._new_client(target.configuration, target.server)
            except ClusterError as error:
                log.info("credentials could not be renewed: %s", error)
                return False
            self._loaded = time.monotonic()
            return True

    @staticmethod
    def _new_client(configuration: Any, server: str) -> Any:
        try:
            return ApiClient(configuration=configuration)
        except (ImportError, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise unreachable(error, server) from None

    def close(self) -> None:
        """Let connections go."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()
