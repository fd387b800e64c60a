"""Why an exec did not come about, as one line for a person. Knows the transport's failures, not what was to be run."""

from __future__ import annotations

import socket
import ssl

import msgspec
import urllib3.exceptions as http
import websocket

from calitui.errors import NodeError
from calitui.facts.decoding import decoder
from calitui.facts.text import clean

LONGEST = 300
"""Characters kept of what a server said."""

SSH = "--via ssh is another way in"


class ExecRefusedError(NodeError):
    """The API server or something before it did not let the exec begin. `status` is HTTP's, 0 without an answer."""

    def __init__(self, what: str, hint: str = "", status: int = 0) -> None:
        """As `NodeError`, with the status."""
        super().__init__(what, hint)
        self.status = status


class _Status(msgspec.Struct):
    message: str = ""


def said(body: bytes | None) -> str:
    """The message of a `Status` object, or the text itself, as one short line."""
    try:
        text = decoder(_Status).decode(body or b"").message
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        text = (body or b"")[:LONGEST].decode("utf-8", "replace")
    return short(text)


def short(text: str) -> str:
    """`text` as one printable line of bounded length, without a final full stop."""
    return clean(" ".join(text.split()))[:LONGEST].rstrip(" .")


def refused(status: int, body: bytes | None, server: str) -> ExecRefusedError:
    """The error for an HTTP answer other than the one that was hoped for."""
    why = said(body)
    told = f" ({why})" if why else ""
    if status == 401:
        what = f"{server} does not accept your credentials (401 Unauthorized)"
        return ExecRefusedError(what, "They may have expired: log in again", status)
    if status == 403:
        return ExecRefusedError(f"Not allowed: {why or 'exec was refused (403 Forbidden)'}", SSH, status)
    if status == 404:
        return ExecRefusedError(f"The calico-node pod is gone{told}", "Read again: a new one may be there", status)
    if status == 400 and "upgrade" in why.lower():
        hint = f"A proxy before it may not pass websockets. {SSH}"
        return ExecRefusedError(f"{server} got no websocket request{told}", hint, status)
    if status == 400:
        return ExecRefusedError(f"The exec was refused{told}", SSH, status)
    if status >= 500:
        hint = f"It may not reach the node's kubelet. {SSH}"
        return ExecRefusedError(f"{server} could not start the exec: it answered {status}{told}", hint, status)
    what = f"{server} answered the exec with {status} and no websocket"
    return ExecRefusedError(what, f"A proxy before it may not pass websockets. {SSH}", status)


def unreachable(error: BaseException, server: str) -> ExecRefusedError:
    """The error for a request that failed without an HTTP answer, or for a failed handshake."""
    if isinstance(error, websocket.WebSocketBadStatusException):
        return refused(error.status_code, error.resp_body, server)
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in chain:
        chain.append(cause)
        arguments = [argument for argument in cause.args if isinstance(argument, BaseException)]
        cause = cause.__cause__ or cause.__context__ or (arguments[0] if arguments else None)

    def has(*kinds: type[BaseException]) -> bool:
        return any(isinstance(link, kinds) for link in chain)

    words = short(str(chain[-1])) or type(error).__name__
    if has(websocket.WebSocketProxyException, http.ProxyError):
        return ExecRefusedError(f"The proxy on the way to {server} does not work: {words}", "Check proxy-url")
    if has(ssl.SSLError, http.SSLError):
        hint = "Check certificate-authority(-data) and tls-server-name in the kubeconfig"
        return ExecRefusedError(f"TLS with {server} failed: {words}", hint)
    if has(socket.gaierror, http.NameResolutionError):
        return ExecRefusedError(f"The name in {server} can't be resolved", "Check DNS, VPN and the kubeconfig's server")
    if has(ConnectionRefusedError):
        return ExecRefusedError(f"Nothing listens at {server} (connection refused)", "Is the API server running?")
    if has(TimeoutError, websocket.WebSocketTimeoutException, http.TimeoutError):
        return ExecRefusedError(f"{server} did not answer the exec in time", SSH)
    return ExecRefusedError(f"{server} did not begin the exec: {words}", SSH)
