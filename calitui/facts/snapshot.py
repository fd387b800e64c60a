"""The facts of one moment in one versioned JSON file: a bug report, a demo and a test fixture are the same thing."""

from __future__ import annotations

import msgspec

from calitui.errors import SnapshotError
from calitui.facts.cluster import Cluster
from calitui.facts.node import NodeFacts

SCHEMA = "calitui.snapshot/1"
LARGEST = 512 * 1024 * 1024
"""Bytes; a snapshot of 100,000 pods and 1,000 nodes is well below."""


class Snapshot(msgspec.Struct, frozen=True, omit_defaults=True):
    """A cluster and the nodes that were read. `taken_at` is seconds since the epoch, `written_by` calitui's version."""

    cluster: Cluster
    nodes: tuple[NodeFacts, ...] = ()
    taken_at: float = 0.0
    written_by: str = ""
    title: str = ""


class _Envelope(msgspec.Struct):
    schema: str = ""


class _File(msgspec.Struct, frozen=True):
    schema: str
    snapshot: Snapshot


def encode(snapshot: Snapshot) -> bytes:
    """The snapshot as UTF-8 JSON, indented so that versions of it can be compared line by line."""
    return msgspec.json.format(msgspec.json.encode(_File(SCHEMA, snapshot)), indent=1) + b"\n"


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
        return msgspec.json.decode(data, type=_File).snapshot
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise SnapshotError(f"{origin} is damaged: {error}", "Record it again with `calitui record`") from None
