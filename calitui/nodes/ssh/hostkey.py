"""Is this the host it should be? known_hosts enforced, as a person using `ssh` would see it.

A key that is known lets the connection go on; a changed or revoked one ends it; an unknown one is asked about and, once
accepted, written down. This module must not know how to log in.
"""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import paramiko

from calitui.errors import NodeError
from calitui.nodes.deadline import Deadline
from calitui.nodes.ssh.known_hosts import Entry, HostEntries, State, entries_for, fingerprint, remember
from calitui.nodes.ssh.prompts import Asking, HostKeyQuestion
from calitui.nodes.ssh.target import Target

_ALGORITHMS = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}


def known(target: Target) -> HostEntries:
    """What the known_hosts files of `target` say about it."""
    return entries_for((*target.user_known_hosts, *target.global_known_hosts), target.known_as)


def prefer(transport: paramiko.Transport, entries: HostEntries) -> None:
    """Negotiate a key of a type that is known, so that a known host does not show one that is not."""
    options = transport.get_security_options()
    offered = tuple(options.key_types)
    wanted: list[str] = []
    for entry in entries.keys:
        wanted += [name for name in _ALGORITHMS.get(entry.key_type, (entry.key_type,)) if name in offered]
    options.key_types = tuple(dict.fromkeys((*wanted, *offered)))


def verify(
    key: paramiko.PKey,
    entries: HostEntries,
    target: Target,
    node: str,
    asking: Asking,
    deadline: Deadline,
    progress: Callable[[str], None],
) -> None:
    """Return if `key` is the key of `target`, of which `entries` are known; a person may have accepted it just now.

    Raises:
        NodeError: it is changed, revoked, or unknown and not accepted.
    """
    blob, kind = key.asbytes(), key.get_name()
    _refuse_if_revoked_by_list(key, target)
    if _judge(entries, target, kind, blob) is State.KNOWN:
        return
    with asking.turn(deadline) as prompts:
        # Whoever was asked before us may have been asked about the same key.
        entries = known(target)
        if _judge(entries, target, kind, blob) is State.KNOWN:
            return
        types = tuple(dict.fromkeys(entry.key_type for entry in entries.keys))
        question = HostKeyQuestion(
            node=node,
            name=target.known_as,
            address=target.address,
            key_type=kind,
            fingerprint=fingerprint(blob),
            file=target.user_known_hosts[0] if target.user_known_hosts else "",
            known_types=types,
        )
        accepted = target.host_key_checking != "yes" and (
            (target.host_key_checking == "accept-new" and not types) or prompts.confirm_host_key(question)
        )
    if not accepted:
        raise _unknown(question, entries, target)
    _write(question, target, blob, progress)


def _judge(entries: HostEntries, target: Target, kind: str, blob: bytes) -> State:
    state, entry = entries.judge(kind, blob)
    if state is State.REVOKED and entry is not None:
        raise NodeError(
            f"The {kind} key {fingerprint(blob)} of {target.known_as} is revoked in {entry.where}",
            "Do not connect; ask who revoked it",
        )
    if state is State.CHANGED and entry is not None:
        raise _changed(target, kind, blob, entry)
    return state


def _changed(target: Target, kind: str, blob: bytes, entry: Entry) -> NodeError:
    file = entry.where.rpartition(":")[0]
    return NodeError(
        f"The {kind} host key of {target.known_as} has changed: it is {fingerprint(blob)}, "
        f"{entry.where} says {fingerprint(entry.blob)}",
        f"Somebody may be in between; if the node was reinstalled, run: ssh-keygen -R '{target.known_as}' -f {file}",
    )


def _unknown(question: HostKeyQuestion, entries: HostEntries, target: Target) -> NodeError:
    also = f"; keys of other types are known: {', '.join(question.known_types)}" if question.known_types else ""
    if entries.has_authority:
        also += "; a @cert-authority line names it, but host certificates are not supported"
    hint = f"Compare the fingerprint and accept it once with `{target.command}`, or use --accept-new-host-keys"
    if target.host_key_checking == "yes":
        hint = "StrictHostKeyChecking is yes: add its key to known_hosts"
    return NodeError(
        f"Host key of {question.name} is not known ({question.key_type} {question.fingerprint}){also}", hint
    )


def _write(question: HostKeyQuestion, target: Target, blob: bytes, progress: Callable[[str], None]) -> None:
    accepted = f"accepted the {question.key_type} key {question.fingerprint} of {question.name}"
    if not question.file:
        progress(f"{accepted}, for this connection only: UserKnownHostsFile is none")
        return
    try:
        remember(question.file, question.name, question.key_type, blob, hashed=target.hash_known_hosts)
    except OSError as error:
        progress(f"{accepted}, but {question.file} can't be written: {error.strerror}")
    else:
        progress(f"{accepted}, added to {question.file}")


def _refuse_if_revoked_by_list(key: paramiko.PKey, target: Target) -> None:
    """RevokedHostKeys, a list of keys or a KRL; as in OpenSSH, a file that can't be read revokes every key."""
    file = target.revoked_host_keys
    if file is None:
        return
    try:
        revoked = _is_in_krl(key, file) if _is_krl(file) else key.get_base64() in Path(file).read_text("utf-8").split()
    except (OSError, UnicodeDecodeError, subprocess.SubprocessError):
        raise NodeError(
            f"The host key of {target.known_as} can't be checked against {file} (RevokedHostKeys)",
            "Check that the file is readable and ssh-keygen installed",
        ) from None
    if revoked:
        raise NodeError(
            f"The host key of {target.known_as} is revoked in {file} (RevokedHostKeys)",
            "Do not connect; ask who revoked it",
        )


def _is_krl(file: str) -> bool:
    with Path(file).open("rb") as handle:
        return handle.read(8) == b"SSHKRL\n\0"


def _is_in_krl(key: paramiko.PKey, file: str) -> bool:
    """Ask ssh-keygen, the only reader of the format (PROTOCOL.krl of OpenSSH)."""
    with tempfile.NamedTemporaryFile("w", suffix=".pub") as public:
        public.write(f"{key.get_name()} {key.get_base64()}\n")
        public.flush()
        command = ["ssh-keygen", "-Q", "-f", file, public.name]
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False, timeout=10)
    if done.returncode and b"REVOKED" not in done.stdout + done.stderr:
        raise subprocess.SubprocessError
    return done.returncode != 0
