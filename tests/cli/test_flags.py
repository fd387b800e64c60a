"""Flags over config file over defaults; after the command's name over before it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from calitui.cli.commands import Calitui, calitui
from calitui.cli.flags import Flags, shared
from calitui.errors import UsageError
from calitui.session import Options

CONFIG = """
theme = "nord"
[nodes]
worker-1 = "admin@bastion:2222"
[ssh]
user = "ops"
config = "~/ssh.conf"
address = "ExternalIP"
sudo = true
"""


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "calitui").mkdir()
    path = tmp_path / "calitui" / "config.toml"
    path.write_text(CONFIG)
    return path


def test_the_file_speaks_where_nothing_was_typed(config: Path) -> None:
    assert Flags().options() == Options(
        ssh_user="ops",
        ssh_config="~/ssh.conf",
        ssh_address="ExternalIP",
        sudo=True,
        node_targets={"worker-1": "admin@bastion:2222"},
    )
    assert Flags().file().theme == "nord"


def test_a_typed_flag_beats_the_file_even_when_it_says_the_default(config: Path) -> None:
    typed = Flags(ssh_user="root", ssh_config="other", ssh_address="auto", sudo=False).options()
    assert (typed.ssh_user, typed.ssh_config, typed.ssh_address, typed.sudo) == ("root", "other", "auto", False)


def test_another_config_file(config: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text("[ssh]\nuser = 'other'\n")
    assert Flags(config=str(other)).options().ssh_user == "other"
    with pytest.raises(UsageError, match="No config file"):
        Flags(config=str(tmp_path / "none.toml")).options()


def test_no_file_is_an_empty_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert Flags().options() == Options()


def asked(*arguments: str) -> Options:
    """The options that `calitui ARGUMENTS` would open a session with."""
    seen: list[Options] = []

    @click.command("probe")
    @shared
    def probe(flags: Flags) -> None:
        seen.append(flags.options())

    class Group(Calitui):
        def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
            return probe if cmd_name == "probe" else None

        def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
            return click.Group.resolve_command(self, ctx, args)

    group = Group(name="calitui", callback=calitui.callback, params=calitui.params, invoke_without_command=True)
    result = CliRunner().invoke(group, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return seen[0]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--context", "prod", "-n", "a", "--sudo", "--request-timeout", "1m", "probe"),
        ("probe", "--context=prod", "--namespace=a", "--sudo", "--request-timeout=60"),
        (
            "--context",
            "test",
            "--no-sudo",
            "-n",
            "b",
            "probe",
            "--context",
            "prod",
            "--sudo",
            "-na",
            "--request-timeout=1m",
        ),
    ],
)
def test_before_and_after_the_commands_name(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert asked(*arguments) == Options(context="prod", namespace="a", sudo=True, request_timeout=60.0)


def test_everything_else_reaches_the_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    got = asked(
        *("probe", "--kubeconfig", "k", "--from", "f", "--via", "ssh", "--ssh-user", "u", "--ssh-config", "c"),
        *("--ssh-address", "name", "--accept-new-host-keys"),
    )
    assert got == Options(
        kubeconfig="k",
        from_="f",
        via="ssh",
        ssh_user="u",
        ssh_config="c",
        ssh_address="name",
        accept_new_host_keys=True,
    )
