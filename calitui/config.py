"""The user's config file: how node names map to SSH targets, and defaults for flags.

`$XDG_CONFIG_HOME/calitui/config.toml` (or `~/.config/calitui/config.toml`); a missing file is an empty one. A flag on
the command line beats the file. This module must not know the command line or the screens.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Literal

import msgspec

from calitui.errors import UsageError


class SshDefaults(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """Table `[ssh]`: what the flags `--ssh-user`, `--ssh-config`, `--ssh-address` and `--sudo` say when not typed.

    `config` is a path, in which `~` is the home directory.
    """

    user: str | None = None
    config: str | None = None
    address: Literal["auto", "InternalIP", "ExternalIP", "Hostname", "name"] | None = None
    sudo: bool | None = None


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file. `nodes` maps a Kubernetes node name to what ssh would be given: a host, `user@host`, `host:port`
    or a `Host` alias of the ssh config. `theme` names a Textual theme, `lang` is the walkthrough's language.
    """

    nodes: dict[str, str] = {}
    ssh: SshDefaults = SshDefaults()
    theme: str | None = None
    lang: Literal["en", "zh"] | None = None


def config_path() -> Path:
    """Where the file is looked for; XDG first, also on macOS, as users of command-line tools expect."""
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "calitui" / "config.toml"


def load(path: Path | None = None) -> Config:
    """Read the config file.

    Raises:
        UsageError: it is unreadable, not TOML, or has a key calitui does not know.
    """
    where = path or config_path()
    try:
        raw = tomllib.loads(where.read_text("utf-8"))
    except FileNotFoundError:
        if path is not None:
            raise UsageError(f"No config file {where}") from None
        return Config()
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"Config file {where} can't be read: {error}") from None
    try:
        return msgspec.convert(raw, Config)
    except msgspec.ValidationError as error:
        raise UsageError(
            f"Config file {where}: {error}", "Known tables are [nodes] and [ssh], known keys are theme and lang"
        ) from None
