"""What the user's ssh configuration says about a name, asked from OpenSSH itself.

`ssh -G` applies Include, Match, canonicalisation and defaults exactly as a later `ssh` would, `Match exec` included.
Where there is no `ssh`, paramiko's reader of ssh_config stands in; it ignores Include and takes Match conditions that
it does not know for true, so a file with either costs a warning. This module must not know nodes.
"""

from __future__ import annotations

import os
import pwd
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import msgspec
import paramiko

from calitui.errors import NodeError
from calitui.facts.text import clean
from calitui.nodes.ssh.names import Destination
from calitui.nodes.ssh.target import Settings

PATIENCE = 20.0
"""Seconds that `ssh -G` may take; it answers in milliseconds unless a `Match exec` or a name server hangs."""


class Answer(msgspec.Struct, frozen=True):
    """The settings for one name, and what a person should know about how they were read. `command` is what a person
    would type to get there.
    """

    settings: Settings
    command: str
    warning: str = ""


def ask(destination: Destination, config: str | None, user: str | None) -> Answer:
    """The settings for `destination`, from `config` or the user's own file; `user` is used where it names none.

    Raises:
        NodeError: the configuration can't be read.
    """
    words: list[str] = []
    if login := destination.user or user:
        words += ["-l", login]
    if destination.port is not None:
        words += ["-p", str(destination.port)]
    own = [] if config is None else ["-F", str(Path(config).expanduser())]
    typed = shlex.join(["ssh", *own, *words, destination.host])
    binary = shutil.which("ssh")
    if binary is None:
        return _ask_paramiko(destination, config, login, typed)
    flags = own or _home_flag()
    return Answer(_ask_openssh([binary, *flags, "-G", *words, "--", destination.host], typed), typed)


def _ask_openssh(command: list[str], typed: str) -> Settings:
    asked = typed.replace("ssh ", "ssh -G ", 1)
    try:
        # A session of its own has no terminal: a `Match exec` can't ask anything on ours.
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
            start_new_session=True,
            env={**os.environ, "LC_ALL": "C"},
        )
    except subprocess.TimeoutExpired:
        raise NodeError(
            f"`{asked}` did not answer within {PATIENCE:.0f} s", "Look for Match exec in the ssh config"
        ) from None
    except OSError as error:
        raise NodeError(f"`ssh -G` can't be run: {error.strerror}") from None
    if done.returncode != 0:
        words = done.stderr.decode("utf-8", "replace").strip().splitlines() or [f"exit status {done.returncode}"]
        told = next((line for line in words if "line" in line or "config" in line), words[-1])
        raise NodeError(f"`{asked}` failed: {clean(told)}", "Fix the ssh config file it names")
    return _parse(done.stdout.decode("utf-8", "replace"))


def _parse(text: str) -> Settings:
    settings: dict[str, list[str]] = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        settings.setdefault(key.lower(), []).append(value.strip())
    account, home = _account_home(), str(Path.home())
    if account != home:
        # OpenSSH looks the home directory up in the password database; everything else of ours follows $HOME.
        for key in ("userknownhostsfile", "identityagent"):
            settings[key] = [value.replace(f"{account}/.ssh/", f"{home}/.ssh/") for value in settings.get(key, [])]
    return settings


def _home_flag() -> list[str]:
    """OpenSSH takes the home directory from the password database, where it may not be the one of $HOME."""
    if _account_home() == str(Path.home()):
        return []
    own = Path.home() / ".ssh" / "config"
    return ["-F", str(own) if own.is_file() else "none"]


def _account_home() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return str(Path.home())


def _ask_paramiko(destination: Destination, config: str | None, login: str | None, typed: str) -> Answer:
    path = Path(config).expanduser() if config else Path.home() / ".ssh" / "config"
    try:
        text = path.read_text("utf-8", "replace") if path.is_file() else ""
        found = paramiko.SSHConfig.from_text(text).lookup(destination.host)
    except (OSError, paramiko.ConfigParseError, paramiko.CouldNotCanonicalize) as error:
        raise NodeError(f"ssh config {path} can't be read: {clean(str(error))}", "Install the OpenSSH client") from None
    settings: dict[str, list[str]] = {}
    for key in found:
        value: str | list[str] = found[key]
        settings[key] = [value] if isinstance(value, str) else list(value)
    if login:
        settings["user"] = [login]
    if destination.port is not None:
        settings["port"] = [str(destination.port)]
    settings.setdefault("identityfile", [f"~/.ssh/id_{kind}" for kind in ("rsa", "ecdsa", "ed25519")])
    doubtful = sorted({word.lower() for word in re.findall(r"(?im)^\s*(include|match)\b", text)})
    warning = f"no ssh program here: {' and '.join(doubtful)} in {path} are not fully understood" if doubtful else ""
    return Answer(settings, typed, warning)
