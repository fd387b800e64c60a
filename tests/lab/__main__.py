"""`python -m tests.lab`: a person's way to bring a lab up, use it and take it down."""

from __future__ import annotations

import subprocess
import sys
import time

import click

from tests.lab import state
from tests.lab.clusters import CLUSTERS
from tests.lab.lab import Lab
from tests.lab.needs import LabError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Calico clusters, built for real in network namespaces of this machine."""


@main.command()
@click.argument("cluster", type=click.Choice(sorted(CLUSTERS)), default="ipip")
@click.option("--name", help="The lab's name, for a second one of the same cluster.")
@click.option(
    "--kernel", type=click.Choice(["auto", "host", "uml"]), default="auto", help="Which kernel to build it on."
)
@click.option("--api/--no-api", default=None, help="Insist on an API server, or leave it out.")
def up(cluster: str, name: str | None, kernel: str, api: bool | None) -> None:
    """Build CLUSTER and say what to type next."""
    began = time.monotonic()
    lab = Lab.up(cluster, name, kernel=kernel, with_api=api)
    click.echo(f"{lab.spec.title}: up after {time.monotonic() - began:.0f} s ({_where(lab.saved)})\n", err=True)
    flags = f"--ssh-config {lab.ssh_config}"
    if lab.without_api:
        click.echo(f"There is no API server: {lab.without_api}", err=True)
    else:
        flags = f"--kubeconfig {lab.kubeconfig} {flags}"
    inside = f"ip netns exec {lab.client}"
    click.echo(f"{inside} calitui {flags}")
    click.echo(f"{inside} calitui trace {' '.join(lab.spec.pairs[0])} {flags}")
    click.echo(f"{inside} ssh -F {lab.ssh_config} {lab.spec.nodes[1].name} ip route")
    click.echo(f"{_us()} exec {lab.name} COMMAND...")
    click.echo(f"{_us()} down {lab.name}")


@main.command()
@click.argument("name", required=False)
def down(name: str | None) -> None:
    """Take down the lab NAME, or the only one there is; also what a crash has left of it."""
    there = state.names()
    if name is None:
        if len(there) != 1:
            raise LabError(f"which one? labs: {', '.join(there) or 'none'}")
        name = there[0]
    Lab(state.read(name)).down()
    click.echo(f"{name} is gone", err=True)


@main.command()
def status() -> None:
    """List the labs and how they are."""
    for name in state.names():
        saved = state.read(name)
        dead = [process.what for process in saved.processes if not process.is_alive]
        if dead:
            word = f"broken: {dead[0]} has ended"
        elif saved.complete:
            word = "up"
        else:
            word = "being built" if saved.maker.is_alive else "never finished"
        click.echo(f"{name}\t{saved.cluster}\t{_where(saved)}\t{word}")


@main.command(name="exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("name")
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def execute(name: str, command: tuple[str, ...]) -> None:
    """Run COMMAND in the lab NAME's client namespace, with KUBECONFIG set."""
    lab = Lab.find(name)
    sys.exit(subprocess.run(lab.command(command), env=lab.environment, check=False).returncode)


def _where(saved: state.State) -> str:
    return {"host": "on this machine's kernel", "uml": "under user-mode-linux"}[saved.kernel]


def _us() -> str:
    return f"{sys.executable} -m tests.lab"


if __name__ == "__main__":
    try:
        main()
    except LabError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(1)
