"""The keys that hosts are known by, in OpenSSH's known_hosts files (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT).

paramiko's own reader gives up on marker lines and knows no patterns, so the lines are read here. Host certificates are
not supported by paramiko: a `@cert-authority` line matches no key and is only reported. This module must not know
connections.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import re
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

import msgspec
from paramiko.hostkeys import HostKeys

LARGEST_FILE = 64 * 2**20
"""Bytes read of one file; a hundred thousand hosts are far below."""


class Entry(msgspec.Struct, frozen=True):
    """One key in one line. `where` is `file:line` for a person; `marker` is "", `revoked` or `cert-authority`."""

    where: str
    marker: str
    key_type: str
    blob: bytes


class State(StrEnum):
    """What known_hosts says about a key that a host showed."""

    KNOWN = "known"
    UNKNOWN = "unknown"
    CHANGED = "changed"
    """Another key of the same type is known for the host."""
    REVOKED = "revoked"


class HostEntries(msgspec.Struct, frozen=True):
    """All lines that name one host. `loose` are those that name it without its unusual port: they can only confirm."""

    name: str
    entries: tuple[Entry, ...]
    loose: tuple[Entry, ...] = ()

    @property
    def keys(self) -> tuple[Entry, ...]:
        """The plain keys, those by which the host may be recognised."""
        strict = tuple(entry for entry in self.entries if not entry.marker)
        return strict or tuple(entry for entry in self.loose if not entry.marker)

    @property
    def has_authority(self) -> bool:
        """Whether a certificate authority is trusted for the host."""
        return any(entry.marker == "cert-authority" for entry in self.entries)

    def judge(self, key_type: str, blob: bytes) -> tuple[State, Entry | None]:
        """What the lines say about a key, and the line that decides (for `CHANGED`, the key that was expected)."""
        everything = self.entries + self.loose
        for entry in everything:
            if entry.marker == "revoked" and entry.blob == blob:
                return State.REVOKED, entry
        plain = [entry for entry in self.entries if not entry.marker]
        if known := next((entry for entry in plain if entry.blob == blob), None):
            return State.KNOWN, known
        if changed := next((entry for entry in plain if entry.key_type == key_type), None):
            return State.CHANGED, changed
        confirmed = next((entry for entry in self.loose if not entry.marker and entry.blob == blob), None)
        return (State.KNOWN, confirmed) if confirmed else (State.UNKNOWN, None)


def entries_for(files: Iterable[str], name: str) -> HostEntries:
    """The lines of `files` that name `name`, which is a host, `[host]:port` or an alias; unreadable files have none."""
    plain = re.fullmatch(r"\[(.+)\]:\d+", name)
    strict: list[Entry] = []
    loose: list[Entry] = []
    for file in files:
        for number, line in enumerate(_lines(file), 1):
            parsed = _parse(line)
            if parsed is None:
                continue
            marker, patterns, key_type, blob = parsed
            entry = Entry(f"{file}:{number}", marker, key_type, blob)
            if _names(patterns, name):
                strict.append(entry)
            elif plain and _names(patterns, plain[1]):
                loose.append(entry)
    return HostEntries(name, tuple(strict), tuple(loose))


def fingerprint(blob: bytes) -> str:
    """A key's fingerprint as `ssh-keygen -l` prints it."""
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def remember(file: str, name: str, key_type: str, blob: bytes, *, hashed: bool) -> None:
    """Append a key to `file` as OpenSSH does; the file and its directory are made, private, where they are missing.

    Raises:
        OSError: it can't be written.
    """
    path = Path(file)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    shown = HostKeys.hash_host(name) if hashed else name
    line = f"{shown} {key_type} {base64.b64encode(blob).decode()}\n".encode()
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+b", buffering=0) as handle:
        if path.is_file() and (size := path.stat().st_size):
            handle.seek(size - 1)
            if handle.read(1) != b"\n":
                line = b"\n" + line
        handle.write(line)


def _lines(file: str) -> list[str]:
    try:
        with Path(file).open("rb") as handle:
            return handle.read(LARGEST_FILE).decode("utf-8", "replace").splitlines()
    except OSError:
        return []


def _parse(line: str) -> tuple[str, str, str, bytes] | None:
    fields = line.split()
    if not fields or fields[0].startswith("#"):
        return None
    marker = ""
    if fields[0].startswith("@"):
        marker = fields.pop(0)[1:].lower()
        if marker not in ("revoked", "cert-authority"):
            return None
    if len(fields) < 3:
        return None
    try:
        return marker, fields[0], fields[1], base64.b64decode(fields[2], validate=True)
    except (binascii.Error, ValueError):
        return None


def _names(patterns: str, name: str) -> bool:
    if patterns.startswith("|"):
        return _hash_names(patterns, name)
    found = False
    for pattern in patterns.lower().split(","):
        negated = pattern.startswith("!")
        if _matches(pattern[1:] if negated else pattern, name.lower()):
            if negated:
                return False
            found = True
    return found


def _matches(pattern: str, name: str) -> bool:
    words = {"*": ".*", "?": "."}
    expression = "".join(
        words.get(part) or re.escape(part) for part in re.split(r"(\*|\?)", re.sub(r"\*+", "*", pattern))
    )
    return re.fullmatch(expression, name) is not None


def _hash_names(text: str, name: str) -> bool:
    try:
        _, version, salt, digest = text.split("|")
        expected = base64.b64decode(digest, validate=True)
        actual = hmac.new(base64.b64decode(salt, validate=True), name.encode(), hashlib.sha1).digest()
    except (ValueError, binascii.Error):
        return False
    return version == "1" and hmac.compare_digest(expected, actual)
