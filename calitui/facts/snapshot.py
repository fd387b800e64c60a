"""The facts of one moment in one versioned JSON file: a bug report, a demo and a test fixture are the same thing."""

from __future__ import annotations

import ipaddress
import re

import msgspec

from calitui.errors import SnapshotError
from calitui.facts.cluster import Cluster
from calitui.facts.node import NodeFacts
from calitui.facts.proof import Proof
from calitui.facts.text import clean, is_unsafe

SCHEMA = "calitui.snapshot/1"
LARGEST = 512 * 1024 * 1024
"""Bytes; a snapshot of 100,000 pods and 1,000 nodes is well below."""

# JSON's own escapes of characters that may not reach a terminal; \\t and \\n stand for controls too.
_ESCAPED = re.compile(rb"\\u|\\[bfnrt]")


class Snapshot(msgspec.Struct, frozen=True, omit_defaults=True):
    """A cluster and the nodes that were read. `taken_at` is seconds since the epoch, `written_by` calitui's version.

    `proofs` are live proofs of some pairs; the ends of each are its probe's.
    """

    cluster: Cluster
    nodes: tuple[NodeFacts, ...] = ()
    taken_at: float = 0.0
    written_by: str = ""
    title: str = ""
    proofs: tuple[Proof, ...] = ()


class _Envelope(msgspec.Struct):
    schema: str = ""


class _File(msgspec.Struct, frozen=True):
    schema: str
    snapshot: Snapshot


def encode(snapshot: Snapshot) -> bytes:
    """The snapshot as UTF-8 JSON, indented so that versions of it can be compared line by line."""
    return msgspec.json.format(msgspec.json.encode(_File(SCHEMA, snapshot), order="deterministic"), indent=1) + b"\n"


def decode(data: bytes, origin: str) -> Snapshot:
    """Read a snapshot back; `origin` is the file's name for messages.

    Raises:
        SnapshotError: it is too large, truncated, not a snapshot, or of a version this calitui does not know.
    """
    if len(data) > LARGEST:
        raise SnapshotError(f"{origin} is larger than {LARGEST // 2**20} MiB", "This is not a calitui snapshot")
    try:
        schema = msgspec.json.decode(data, type=_Envelope).schema
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise SnapshotError(
            f"{origin} is not a calitui snapshot ({error})", "It may be cut off: record it again with `calitui record`"
        ) from None
    if schema != SCHEMA:
        found = f"its schema is {schema[:40]!r}" if schema else "it names no schema"
        raise SnapshotError(f"{origin} is not a {SCHEMA} file: {found}", "A newer calitui may have written it")
    try:
        file = msgspec.json.decode(data, type=_File)
        if is_unsafe(data.decode()) or _ESCAPED.search(data):
            file = msgspec.convert(_cleaned(msgspec.to_builtins(file)), _File)
        _check_addresses(file.snapshot)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise SnapshotError(f"{origin} is damaged: {error}", "Record it again with `calitui record`") from None
    return file.snapshot


def _cleaned(value: object) -> object:
    """The same data with every text in it made harmless: a snapshot may come from anybody."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {_cleaned(key): _cleaned(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(entry) for entry in value]
    return value


def _check_addresses(snapshot: Snapshot) -> None:
    """Make sure that what the trace computes with can be computed with.

    Raises:
        ValueError: a pod's address or a route's or rule's prefix is none.
    """
    for pod in snapshot.cluster.pods:
        for ip in pod.ips:
            ipaddress.ip_address(ip)
    for node in snapshot.nodes:
        namespaces = [container.namespace for container in node.containers]
        for namespace in (*namespaces, *([node.host] if node.host else [])):
            for route in namespace.routes:
                ipaddress.ip_network(route.prefix, strict=False)
            for prefix in (prefix for rule in namespace.rules for prefix in (rule.source, rule.destination)):
                if prefix is not None:
                    ipaddress.ip_network(prefix, strict=False)
