"""What went wrong with a request, as one line for a person: server not reached, or reached and unwilling."""

from __future__ import annotations

import socket
import ssl

import msgspec
import urllib3.exceptions as http
from kubernetes.client import ApiException

from calitui.errors import ClusterError
from calitui.facts.decoding import decoder
from calitui.facts.text import clean


class ApiError(ClusterError):
    """A request failed. `status` is the HTTP status, 0 when no answer came at all."""

    def __init__(self, what: str, hint: str = "", status: int = 0) -> None:
        """As `ClusterError`, with the status."""
        super().__init__(what, hint)
        self.status = status


class _Status(msgspec.Struct):
    message: str = ""


def refused(status: int, body: bytes, path: str, server: str, context: str) -> ApiError:
    """The error for an answer with an HTTP status outside 2xx; `body` may hold a `Status` object."""
    try:
        message = decoder(_Status).decode(body).message
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        message = ""
    said = clean(" ".join(message.split()))[:300]
    what = f"{clean(path)}: the server answered {status}" + (f" ({said})" if said else "")
    hint = ""
    if status == 401:
        what = f"{server} does not accept your credentials (401 Unauthorized)"
        hint = f"They may have expired: log in again, then try `kubectl --context {context} get pods`"
    elif status == 403:
        what = f"Not allowed: {said}" if said else f"Not allowed to read {clean(path)} (403 Forbidden)"
        hint = "The README has the read-only ClusterRole that is needed; `calitui doctor` shows what you may read"
    elif status == 404:
        what = f"The server has no {clean(path)}"
    elif status == 400 and b"HTTP request to an HTTPS server" in body:
        what, hint = f"{server} speaks HTTPS", "Write https:// in the kubeconfig's server"
    elif 300 <= status < 400 or not message:
        what = f"{server} answered {status} and is probably no Kubernetes API"
        hint = "Check the server's address in the kubeconfig, and proxies (HTTPS_PROXY, proxy-url)"
    elif status == 429 or status >= 500:
        hint = "The API server is overloaded or starting: try again in a moment"
    return ApiError(what, hint, status)


def unreachable(error: BaseException, server: str) -> ApiError:
    """The error for a request that got no answer."""
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in chain:
        chain.append(cause)
        arguments = [argument for argument in cause.args if isinstance(argument, BaseException)]
        cause = cause.__cause__ or cause.__context__ or (arguments[0] if arguments else None)

    def has(*kinds: type[BaseException]) -> bool:
        return any(isinstance(link, kinds) for link in chain)

    if isinstance(error, ApiError):
        return error
    words = clean(" ".join(str(chain[-1]).split()))[:200]
    if has(http.ProxyError, http.ProxySchemeUnknown):
        return ApiError(f"The proxy on the way to {server} does not work: {words}", "Check proxy-url and HTTPS_PROXY")
    if has(ImportError):
        return ApiError(f"The proxy on the way to {server} is SOCKS, which needs PySocks", "pip install pysocks")
    if has(ssl.SSLError, http.SSLError) or (isinstance(error, ApiException) and "SSL" in str(error.reason)):
        return _tls(error, words, server)
    if has(http.NameResolutionError, socket.gaierror):
        return ApiError(f"The name in {server} can't be resolved", "Check DNS, VPN and the kubeconfig's server")
    if has(ConnectionRefusedError):
        hint = "Is the API server running, and is this the right context?"
        return ApiError(f"Nothing listens at {server} (connection refused)", hint)
    if has(http.ConnectTimeoutError):
        hint = "Check the network, VPN and firewalls"
        return ApiError(f"{server} can't be reached: no answer to the connection", hint)
    if has(TimeoutError, http.ReadTimeoutError):
        return ApiError(f"{server} did not answer in time", "It may be overloaded; try --request-timeout with more")
    if has(http.LocationParseError, http.URLSchemeUnknown, http.LocationValueError):
        return ApiError(f"{server} is no address of a server", "Check the server in the kubeconfig")
    if has(FileNotFoundError, PermissionError):
        return ApiError(f"A file that the kubeconfig names can't be read: {words}")
    if has(http.ProtocolError, ConnectionError):
        return ApiError(f"The connection to {server} broke: {words}", "The API server may be restarting")
    return ApiError(f"{server} can't be reached: {words}", "Check the network, VPN and firewalls")


def _tls(error: BaseException, words: str, server: str) -> ApiError:
    reason = str(error.reason) if isinstance(error, ApiException) else words
    reason = clean(" ".join(reason.split()))[:200]
    if "WRONG_VERSION_NUMBER" in reason or "HTTP_REQUEST" in reason:
        return ApiError(f"{server} does not speak TLS", "Is the kubeconfig's server https:// and its port right?")
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        hint = "Check certificate-authority(-data) and tls-server-name in the kubeconfig, and the clock"
        return ApiError(f"The certificate of {server} is not trusted: {reason}", hint)
    return ApiError(f"TLS with {server} failed: {reason}", "Check the certificates in the kubeconfig")
