"""The endpoint as the kubelet that a real kube-apiserver proxies execs to, and the objects that make it do so."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.nodes.exec.endpoint import Container, Endpoint


class Kubelet:
    """An endpoint behind TLS; `port` is where an API server finds it."""

    def __init__(self, endpoint: Endpoint, port: int) -> None:
        self.seen = endpoint.seen
        self.port = port


@contextlib.contextmanager
def kubelet(container: Container, host: str, keys: tuple[Path, Path], port: int = 0) -> Iterator[Kubelet]:
    """Serve execs over TLS at `host` and `port` (0 chooses one) until the block ends.

    One thread does all of TLS: the endpoint reads and writes in several, which OpenSSL's connections do not survive
    (python/cpython#151508).
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*keys)
    loop = asyncio.new_event_loop()
    with Endpoint(container, host=host) as endpoint:

        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            behind, before = await asyncio.open_connection(host, endpoint.port)
            await asyncio.gather(_copy(reader, before), _copy(behind, writer))

        server = loop.run_until_complete(asyncio.start_server(relay, host, port, ssl=context))
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        try:
            yield Kubelet(endpoint, server.sockets[0].getsockname()[1])
        finally:
            asyncio.run_coroutine_threadsafe(_end(server), loop).result(30)
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()


async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await source.read(1 << 16):
            sink.write(data)
            await sink.drain()
    sink.close()
    with contextlib.suppress(OSError):
        await sink.wait_closed()


async def _end(server: asyncio.Server) -> None:
    server.close()
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


def certificate(directory: Path) -> tuple[Path, Path]:
    """A kubelet's self-signed certificate and its key; without --kubelet-certificate-authority nobody checks it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kubelet")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    paths = directory / "kubelet.crt", directory / "kubelet.key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    paths[1].write_bytes(key.private_bytes(encoding, form, serialization.NoEncryption()))
    return paths


def reachable(address: str, port: int) -> dict[str, Any]:
    """The part of a node's status that leads an API server to the kubelet; names would be preferred to the address."""
    return {
        "addresses": [{"type": "InternalIP", "address": address}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
    }


def node(name: str, address: str, port: int) -> dict[str, Any]:
    """A node whose kubelet is at `address` and `port`."""
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "status": reachable(address, port)}


def calico_node(node_name: str, container: str = "calico-node") -> dict[str, Any]:
    """The calico-node pod of a node."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "namespace": "kube-system",
            "name": f"calico-node-{node_name}",
            "labels": {"k8s-app": "calico-node"},
        },
        "spec": {
            "nodeName": node_name,
            "hostNetwork": True,
            "containers": [{"name": container, "image": "quay.io/calico/node:v3.28.0"}],
        },
        "status": {"phase": "Running"},
    }
