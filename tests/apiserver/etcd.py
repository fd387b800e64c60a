"""What tests do behind the API server's back, through etcd's HTTP gateway: copies by the thousand, and compaction."""

from __future__ import annotations

import base64
from collections.abc import Iterable

from tests.apiserver.http import Http

OPERATIONS_IN_A_TRANSACTION = 128
"""etcd's default of `--max-txn-ops`."""


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


class Etcd:
    """etcd's key-value store, by its gRPC gateway."""

    def __init__(self, http: Http) -> None:
        self._http = http

    def healthy(self) -> bool:
        """Whether it answers and has a leader."""
        try:
            return bool(self._http.json("GET", "/health").get("health") == "true")
        except OSError:
            return False

    def get(self, key: str) -> bytes:
        """The value of `key`; KeyError if there is none."""
        found = self._http.json("POST", "/v3/kv/range", {"key": _encode(key.encode())}).get("kvs")
        if not found:
            raise KeyError(key)
        return base64.b64decode(found[0]["value"])

    def put_all(self, pairs: Iterable[tuple[str, bytes]]) -> None:
        """Write many keys, in few transactions."""
        operations = [{"requestPut": {"key": _encode(key.encode()), "value": _encode(value)}} for key, value in pairs]
        step = OPERATIONS_IN_A_TRANSACTION
        self._http.all(
            ("POST", "/v3/kv/txn", {"success": operations[at : at + step]}) for at in range(0, len(operations), step)
        )

    def delete_prefix(self, prefix: str) -> None:
        """Delete every key that starts with `prefix`."""
        end = prefix.encode()
        end = end[:-1] + bytes([end[-1] + 1])
        body = {"key": _encode(prefix.encode()), "rangeEnd": _encode(end)}
        self._http.json("POST", "/v3/kv/deleterange", body)

    def compact(self) -> None:
        """Forget every revision but the newest: older continue tokens and watches become 410 Gone."""
        status = self._http.json("POST", "/v3/maintenance/status", {})
        revision = status["header"]["revision"]
        self._http.json("POST", "/v3/kv/compaction", {"revision": revision, "physical": True})
