"""Where a connection goes and what it may use on the way: the settings of ssh_config that matter to a transport.

`from_settings` turns what `ssh -G` prints, or what paramiko's own reader of ssh_config found, into a `Target`, and
expands the tokens that both leave (ssh_config(5), TOKENS). This module must not know how settings were read.
"""

from __future__ import annotations

import getpass
import os
import re
import shlex
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from calitui.errors import NodeError
from calitui.nodes.ssh.names import checked_host, checked_user

Settings = Mapping[str, Sequence[str]]
"""Lower-case keywords of ssh_config and their values, in order."""

_OFF = ("no", "false", "none", "")


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """One SSH server. `name` is what ssh was asked for, `host` what is dialled, `command` what a person would type.

    `jump` is the server to go through. `agent` is the path of the agent's socket or None. `methods` are the
    authentication methods that are not switched off. `host_key_checking` is `ask`, `yes`, `no` or `accept-new`.
    `family` is `any`, `inet` or `inet6`. Times are in seconds.
    """

    name: str
    host: str
    user: str
    port: int = 22
    command: str = ""
    jump: Target | None = None
    proxy_command: str | None = None
    identity_files: tuple[str, ...] = ()
    certificate_files: tuple[str, ...] = ()
    identities_only: bool = False
    agent: str | None = None
    methods: tuple[str, ...] = ("publickey", "keyboard-interactive", "password")
    password_prompts: int = 3
    user_known_hosts: tuple[str, ...] = ()
    global_known_hosts: tuple[str, ...] = ()
    hash_known_hosts: bool = False
    host_key_alias: str | None = None
    host_key_checking: str = "ask"
    revoked_host_keys: str | None = None
    connect_timeout: float | None = None
    keepalive: int = 0
    family: str = "any"

    @property
    def address(self) -> str:
        """`host:port`, with an IPv6 address in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def login(self) -> str:
        """`user@host:port`."""
        return f"{self.user}@{self.address}"

    @property
    def known_as(self) -> str:
        """The name under which known_hosts has the key, as OpenSSH writes it."""
        if self.host_key_alias:
            return self.host_key_alias
        host = self.host.lower()
        return host if self.port == 22 else f"[{host}]:{self.port}"

    @property
    def way(self) -> str:
        """The jumps on the way, `a > b`, or ""."""
        if self.jump is None:
            return ""
        return f"{self.jump.way} > {self.jump.login}" if self.jump.jump else self.jump.login


def from_settings(name: str, settings: Settings, jump: Target | None, command: str = "") -> Target:
    """The target that `settings` describe for `name`; `jump` is the already resolved last hop of its ProxyJump.
    `command` is what a person would type.

    Raises:
        NodeError: the host, user or port is not one.
    """
    user = checked_user(_one(settings, "user") or getpass.getuser(), f"user for {name}")
    host = checked_host(_one(settings, "hostname") or name, f"HostName for {name}")
    port = _number(_one(settings, "port") or "22", f"Port for {name}")
    alias = _one(settings, "hostkeyalias")
    tokens = _tokens(name, host, port, user, alias)
    proxy = _one(settings, "proxycommand")
    methods = {
        "publickey": "pubkeyauthentication",
        "keyboard-interactive": "kbdinteractiveauthentication",
        "password": "passwordauthentication",
    }
    timeout = _one(settings, "connecttimeout")
    keepalive = _one(settings, "serveraliveinterval")
    return Target(
        name=name,
        host=host,
        user=user,
        port=port,
        command=command or f"ssh {name}",
        jump=jump,
        proxy_command=None if jump or proxy.lower() in _OFF else expand(proxy, tokens),
        identity_files=_paths(settings, "identityfile", tokens),
        certificate_files=_paths(settings, "certificatefile", tokens),
        identities_only=_one(settings, "identitiesonly").lower() not in _OFF,
        agent=_agent(_one(settings, "identityagent"), tokens),
        methods=tuple(method for method, key in methods.items() if (_one(settings, key) or "yes") not in _OFF),
        password_prompts=int(prompts) if (prompts := _one(settings, "numberofpasswordprompts")).isdigit() else 3,
        user_known_hosts=_lists(settings, "userknownhostsfile", tokens, "~/.ssh/known_hosts ~/.ssh/known_hosts2"),
        global_known_hosts=_lists(settings, "globalknownhostsfile", tokens, "/etc/ssh/ssh_known_hosts"),
        hash_known_hosts=_one(settings, "hashknownhosts").lower() not in _OFF,
        host_key_alias=alias or None,
        host_key_checking=_checking(_one(settings, "stricthostkeychecking")),
        revoked_host_keys=_optional_path(_one(settings, "revokedhostkeys"), tokens),
        connect_timeout=float(timeout) if timeout.isdigit() and int(timeout) else None,
        keepalive=int(keepalive) if keepalive.isdigit() else 0,
        family=_one(settings, "addressfamily") or "any",
    )


def jumps(settings: Settings) -> tuple[str, ...]:
    """The hops of ProxyJump, first hop first; empty where there is none."""
    value = _one(settings, "proxyjump")
    return () if value.lower() in _OFF else tuple(part.strip() for part in value.split(",") if part.strip())


def expand(text: str, tokens: Mapping[str, str]) -> str:
    """Replace `%x` tokens; one that is not known stays as it is."""
    return re.sub(r"%(.)", lambda match: tokens.get(match[1], match[0]), text)


def expand_path(text: str, tokens: Mapping[str, str]) -> str:
    """Replace `~`, `${NAME}` and `%x` in a path; an unset variable leaves an empty text, as in a shell."""
    named = re.sub(r"\$\{(\w+)\}", lambda match: os.environ.get(match[1], ""), text)
    return str(Path(expand(named, tokens)).expanduser()) if named.startswith("~") else expand(named, tokens)


def _tokens(name: str, host: str, port: int, user: str, alias: str) -> dict[str, str]:
    here = socket.gethostname()
    return {
        "%": "%",
        "d": str(Path.home()),
        "h": host,
        "i": str(os.getuid()),
        "k": alias or host,
        "L": here.partition(".")[0],
        "l": here,
        "n": name,
        "p": str(port),
        "r": user,
        "u": getpass.getuser(),
    }


def _one(settings: Settings, key: str) -> str:
    values = settings.get(key, ())
    return values[0].strip() if values else ""


def _number(text: str, what: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 5 and 0 < int(text) < 65536:
        return int(text)
    raise NodeError(f"{what} is not a port number")


def _paths(settings: Settings, key: str, tokens: Mapping[str, str]) -> tuple[str, ...]:
    values = [value.strip().strip('"') for value in settings.get(key, ())]
    return tuple(dict.fromkeys(expand_path(value, tokens) for value in values if value.lower() not in _OFF))


def _lists(settings: Settings, key: str, tokens: Mapping[str, str], default: str) -> tuple[str, ...]:
    text = " ".join(settings.get(key, ())) or default
    try:
        values = shlex.split(text)
    except ValueError:
        values = text.split()
    return tuple(expand_path(value, tokens) for value in values if value.lower() != "none")


def _optional_path(text: str, tokens: Mapping[str, str]) -> str | None:
    return None if text.lower() in _OFF else expand_path(text.strip('"'), tokens)


def _agent(text: str, tokens: Mapping[str, str]) -> str | None:
    if text.lower() == "none":
        return None
    if text in ("", "SSH_AUTH_SOCK"):
        return os.environ.get("SSH_AUTH_SOCK") or None
    if text.startswith("$") and not text.startswith("${"):
        return os.environ.get(text[1:]) or None
    return expand_path(text.strip('"'), tokens) or None


def _checking(text: str) -> str:
    return {"true": "yes", "false": "no", "off": "no", "": "ask"}.get(text.lower(), text.lower())
