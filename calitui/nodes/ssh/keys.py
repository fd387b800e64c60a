"""The user's keys: those of the agent, those in files, and the certificates that belong to them.

A key file is read once per session; a passphrase is asked for once and only the decrypted key is kept, in memory. This
module must not know servers.
"""

from __future__ import annotations

import base64
import copy
import io
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import paramiko
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization.ssh import SSHPrivateKeyTypes
from paramiko.agent import AgentKey, AgentSSH

from calitui.facts.text import clean
from calitui.nodes.ssh.target import Target

AGENT_PATIENCE = 20.0
"""Seconds for an agent's answer; one that asks its user for a confirmation needs some."""

PASSPHRASE_ATTEMPTS = 3

AskPassphrase = Callable[[str, int], str | None]
"""Called with the path of a key and the number of the attempt; None is "I won't"."""


class SocketAgent(AgentSSH):
    """An agent at a given socket; paramiko's own class knows only the one in SSH_AUTH_SOCK."""

    if TYPE_CHECKING:

        def _connect(self, conn: socket.socket) -> None: ...

    def __init__(self, path: str) -> None:
        """Connect and list the keys.

        Raises:
            OSError: nobody listens at `path`.
            paramiko.SSHException: it is no agent.
        """
        super().__init__()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(AGENT_PATIENCE)
            self._socket.connect(path)
            self._connect(self._socket)
        except BaseException:
            self._socket.close()
            raise

    def close(self) -> None:
        """Let the agent go; its keys can't sign any more."""
        self._socket.close()


class Offer(msgspec.Struct, frozen=True):
    """A key to log in with; `label` names it for a person."""

    label: str
    key: paramiko.PKey


class Keyring:
    """Keys of files that were already read, for all connections of a session; safe to use from several threads."""

    def __init__(self) -> None:
        """Empty."""
        self._keys: dict[str, paramiko.PKey] = {}
        self._lock = threading.Lock()

    def plain(self, path: str) -> paramiko.PKey | None:
        """The key in `path` if it needs no passphrase, or was decrypted before.

        Raises:
            paramiko.PasswordRequiredException: it needs a passphrase.
        """
        with self._lock:
            if path in self._keys:
                return self._keys[path]
        key = _read(path, None)
        if key is not None:
            with self._lock:
                self._keys[path] = key
        return key

    def decrypt(self, path: str, ask: AskPassphrase) -> paramiko.PKey | None:
        """The key in `path`, asking for its passphrase unless it is known by now; None if nobody tells it."""
        for attempt in range(1, PASSPHRASE_ATTEMPTS + 1):
            with self._lock:
                if path in self._keys:
                    return self._keys[path]
            passphrase = ask(path, attempt)
            if passphrase is None:
                return None
            try:
                key = _read(path, passphrase)
            except paramiko.SSHException:
                continue
            if key is not None:
                with self._lock:
                    self._keys[path] = key
                return key
        return None


def agent_offers(agent: SocketAgent, target: Target) -> list[Offer]:
    """The agent's keys for `target`, those named in its configuration first; only those with IdentitiesOnly."""
    named = _public_blobs(target.identity_files) | _public_blobs(target.certificate_files)
    keys = agent.get_keys()
    configured = [key for key in keys if key.blob in named]
    others = [] if target.identities_only else [key for key in keys if key.blob not in named]
    offers: list[Offer] = []
    for key in configured + others:
        label = f"agent key {clean(key.comment or key.get_name())}"
        offers += [msgspec.structs.replace(offer, label=label) for offer in offers_of("", key, target)]
    return offers


def file_offers(target: Target, keyring: Keyring, locked: list[str]) -> Iterator[Offer]:
    """The keys in files that need nobody; paths of those that need a passphrase are added to `locked`."""
    for path in target.identity_files:
        if not Path(path).is_file() or path.endswith(".pub"):
            continue
        try:
            key = keyring.plain(path)
        except paramiko.PasswordRequiredException:
            locked.append(path)
            continue
        except paramiko.SSHException:
            continue
        if key is not None:
            yield from offers_of(path, key, target)


def offers_of(path: str, key: paramiko.PKey, target: Target) -> Iterator[Offer]:
    """How one key can be offered: with its certificates, then alone; `path` is its file, "" for a key of the agent."""
    beside = (f"{path}-cert.pub",) if path else tuple(f"{file}-cert.pub" for file in target.identity_files)
    for certificate in dict.fromkeys((*beside, *target.certificate_files)):
        signed = _certified(key, certificate)
        if signed is not None:
            yield Offer(f"certificate {certificate}", signed)
    yield Offer(path, key)


def _read(path: str, passphrase: str | None) -> paramiko.PKey | None:
    """The key in `path`, whatever its format; None if it is unreadable, damaged or of a kind paramiko can't use.

    Raises:
        paramiko.PasswordRequiredException: it needs a passphrase.
        paramiko.AuthenticationException: the passphrase is wrong.
    """
    try:
        data = Path(path).read_bytes()
    except OSError:
        return None
    password = passphrase.encode() if passphrase is not None else None
    try:
        key = _load(data, password)
    except TypeError:
        raise paramiko.PasswordRequiredException(path) from None
    except (ValueError, UnsupportedAlgorithm):
        if passphrase is not None:
            raise paramiko.AuthenticationException(path) from None
        return None
    # One format for paramiko's classes, which disagree about which ones they read.
    readers: list[tuple[type[object], type[paramiko.RSAKey | paramiko.ECDSAKey | paramiko.Ed25519Key]]] = [
        (Ed25519PrivateKey, paramiko.Ed25519Key),
        (EllipticCurvePrivateKey, paramiko.ECDSAKey),
        (RSAPrivateKey, paramiko.RSAKey),
    ]
    for kind, reader in readers:
        if isinstance(key, kind):
            text = key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
            )
            return reader.from_private_key(io.StringIO(text.decode()))
    return None


def _load(data: bytes, password: bytes | None) -> PrivateKeyTypes | SSHPrivateKeyTypes:
    try:
        return serialization.load_ssh_private_key(data, password)
    except ValueError:
        return serialization.load_pem_private_key(data, password)


def _certified(key: paramiko.PKey, certificate: str) -> paramiko.PKey | None:
    """`key` with the certificate in that file, if it is one for this key."""
    try:
        data = Path(certificate).read_bytes()
        identity = serialization.load_ssh_public_identity(data)
    except (OSError, ValueError, UnsupportedAlgorithm):
        return None
    if not isinstance(identity, serialization.SSHCertificate):
        return None
    public = identity.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    if public.split()[1] != key.get_base64().encode():
        return None
    # A copy of an AgentKey would look for attributes that it does not have yet, without end.
    signed = AgentKey(key.agent, key.blob, key.comment) if isinstance(key, AgentKey) else copy.copy(key)
    signed.load_certificate(certificate)
    return signed


def _public_blobs(files: tuple[str, ...]) -> set[bytes]:
    """The public keys next to the private ones; IdentityFile may also name the public key itself."""
    found: set[bytes] = set()
    for file in files:
        for path in (f"{file}.pub", file):
            try:
                fields = Path(path).read_bytes()[:65536].split()
                found.add(base64.b64decode(fields[1], validate=True))
            except (OSError, IndexError, ValueError):
                continue
            break
    return found
