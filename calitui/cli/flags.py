"""Flags that every command takes, before or after the command's name, and how they meet the config file.

kubectl's flags keep kubectl's names, short forms and grammar. A flag that the user typed beats the config file, the one
nearer to the command's own arguments beats the one before the command's name.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import click
import msgspec

from calitui.config import Config, load
from calitui.session.options import Options

P = ParamSpec("P")
R = TypeVar("R")

ADDRESSES = ("auto", "InternalIP", "ExternalIP", "Hostname", "name")
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PIECE = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)", re.ASCII)


class Flags(msgspec.Struct, frozen=True, kw_only=True):
    """What the user typed; None is "not typed"."""

    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None
    request_timeout: float | None = None
    from_: str | None = None
    via: str | None = None
    ssh_user: str | None = None
    ssh_config: str | None = None
    ssh_address: str | None = None
    sudo: bool | None = None
    accept_new_host_keys: bool | None = None
    config: str | None = None
    verbose: bool | None = None
    lang: str | None = None

    def over(self, earlier: Flags) -> Flags:
        """These flags where typed, else the earlier ones."""
        typed = {name: value for name, value in msgspec.structs.asdict(self).items() if value is not None}
        return msgspec.structs.replace(earlier, **typed)

    def file(self) -> Config:
        """The config file.

        Raises:
            UsageError: it can't be read or says what calitui does not know.
        """
        return load(Path(self.config) if self.config is not None else None)

    def options(self) -> Options:
        """What a session is opened with: flags over config file over defaults."""
        file = self.file()
        defaults = Options()
        return Options(
            kubeconfig=self.kubeconfig,
            context=self.context,
            namespace=self.namespace,
            request_timeout=self.request_timeout,
            from_=self.from_,
            via=self.via or defaults.via,
            ssh_user=self.ssh_user or file.ssh.user,
            ssh_config=self.ssh_config or file.ssh.config,
            ssh_address=self.ssh_address or file.ssh.address or defaults.ssh_address,
            sudo=self.sudo if self.sudo is not None else bool(file.ssh.sudo),
            accept_new_host_keys=bool(self.accept_new_host_keys),
            node_targets=file.nodes,
        )


def duration(text: str) -> float:
    """Seconds of kubectl's grammar: a plain number is seconds, else Go's `1h2m3.5s`.

    Raises:
        ValueError: it is none.
    """
    if text.isascii() and text.isdigit() and len(text) < 10:
        return float(text)
    pieces = _PIECE.findall(text)
    if not pieces or "".join(number + unit for number, unit in pieces) != text or len(text) > 40:
        raise ValueError(f"{text!r} is no duration: write 5s, 1m30s, 2h or a number of seconds")
    return float(sum(float(number) * _UNITS[unit] for number, unit in pieces))


def _duration(_ctx: click.Context, _param: click.Parameter, value: str | None) -> float | None:
    try:
        return None if value is None else duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


_SHARED: tuple[Callable[[Callable[..., Any]], Callable[..., Any]], ...] = (
    click.option("--context", metavar="NAME", help="The kubeconfig context to use."),
    click.option("--kubeconfig", metavar="FILE", help="The kubeconfig file to use."),
    click.option("-n", "--namespace", metavar="NAME", help="The namespace listed, and of pods named without one."),
    click.option(
        "--request-timeout",
        callback=_duration,
        metavar="DURATION",
        help="How long one request to the API may take, as 5s or 1m.",
    ),
    click.option("--from", "from_", metavar="FILE|demo:NAME", help="Read a recorded cluster instead of a live one."),
    click.option("--via", type=click.Choice(["auto", "ssh", "exec", "local"]), help="How nodes are read."),
    click.option("--ssh-user", metavar="NAME", help="The account on the nodes."),
    click.option("--ssh-config", metavar="FILE", help="The ssh config to use in place of ~/.ssh/config."),
    click.option("--ssh-address", type=click.Choice(ADDRESSES), help="Which address of a node is dialled."),
    click.option(
        "--sudo/--no-sudo", default=None, help="Use sudo -n on nodes for what needs root: the containers' own routes."
    ),
    click.option(
        "--accept-new-host-keys",
        is_flag=True,
        default=None,
        help="Trust nodes whose host key is not known yet; a changed key is always refused.",
    ),
    click.option("--config", metavar="FILE", help="The config file, in place of ~/.config/calitui/config.toml."),
    click.option("-v", "--verbose", is_flag=True, default=None, help="Tell on stderr what is being read."),
)
SHARED_NAMES = frozenset(Flags.__struct_fields__)
_OF_SCREENS = frozenset({"lang"})
"""Shared by the commands that open screens only."""

language = click.option(
    "--lang",
    type=click.Choice(["en", "zh"]),
    help="The walkthrough's language; without it the config file's `lang`, else the locale's.",
)
"""Gives a command `--lang`; it stands under `shared`, which folds it into the flags."""


def shared(command: Callable[Concatenate[Flags, P], R]) -> Callable[P, R]:
    """Give a command the shared flags; it gets them as its first argument, those before its name folded in."""

    @functools.wraps(command)
    def with_flags(*args: P.args, **kwargs: P.kwargs) -> R:
        values: dict[str, Any] = {name: kwargs.pop(name) for name in list(kwargs) if name in SHARED_NAMES}
        context = click.get_current_context()
        earlier = context.parent.obj if context.parent is not None else None
        flags = Flags(**values).over(earlier if isinstance(earlier, Flags) else Flags())
        return command(flags, *args, **kwargs)

    wrapped: Callable[P, R] = with_flags
    for option in reversed(_SHARED):
        wrapped = option(wrapped)
    return wrapped


class Command(click.Command):
    """A command whose help keeps the shared flags apart from its own."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Own flags first."""
        write_options(self, ctx, formatter)


def write_options(command: click.Command, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    """Print the options of a command in two groups."""
    own: list[tuple[str, str]] = []
    common: list[tuple[str, str]] = []
    for parameter in command.get_params(ctx):
        if isinstance(parameter, click.Option) and (record := parameter.get_help_record(ctx)):
            (common if parameter.name in SHARED_NAMES - _OF_SCREENS else own).append(record)
    for title, records in (("Options", own), ("Cluster and nodes", common)):
        if records:
            with formatter.section(title):
                formatter.write_dl(records)
