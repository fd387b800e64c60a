"""Builds and removes a lab's dataplane: namespaces, the network between them, nodes that boot. Knows no API server."""

from __future__ import annotations

import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.lab import access, bird, guest, tunnel_routes, underlay
from tests.lab.needs import LabError, check_uml, program
from tests.lab.node_script import Paths, boot_command, boot_script, router_script
from tests.lab.processes import Process, descendants, remember, start, wait_until
from tests.lab.spec import ClusterSpec

Note = Callable[[tuple[Process, ...]], None]
"""Told of processes as soon as they are there."""
BOOT_SECONDS = {"host": 60.0, "uml": 180.0}
"""How long nodes may take until they have all their routes; several times what a slow machine needs."""


def netns(lab: str, part: str) -> str:
    """The name of one of the lab's network namespaces; `part` is `client`, `underlay` or a machine's name."""
    return f"calitui-lab-{lab}-{part}"


def parts(cluster: ClusterSpec, kernel: str) -> tuple[str, ...]:
    """What has a network namespace on this machine's kernel."""
    return ("client", "underlay", *((machine.name for machine in cluster.machines) if kernel == "host" else ()))


def prepare(cluster: ClusterSpec, state: Path) -> Paths:
    """Write everything that nodes and routers read."""
    paths = Paths(state, Path(sys.executable).resolve())
    for node in cluster.nodes:
        directory = paths.machine(node)
        directory.mkdir(parents=True)
        for family in bird.families(cluster):
            name = "bird6" if family == 6 else "bird"
            text = bird.configuration(cluster, node, str(directory / f"{name}.log"), family)
            (directory / f"{name}.conf").write_text(text)
        (directory / "boot").write_text(boot_script(cluster, node, paths))
    for router in cluster.routers:
        directory = paths.machine(router)
        directory.mkdir(parents=True)
        text = bird.router_configuration(cluster, router, str(directory / "bird.log"))
        (directory / "bird.conf").write_text(text)
        (directory / "boot").write_text(router_script(cluster, router, paths))
    shutil.copyfile(tunnel_routes.__file__, state / "tunnel_routes.py")
    access.write(cluster, state)
    return paths


def connect(lab: str, cluster: ClusterSpec, kernel: str) -> None:
    """Make the namespaces and the network between them."""
    ip(*(f"netns add {netns(lab, part)}" for part in parts(cluster, kernel)))
    if kernel == "uml":
        ip(f"tuntap add {guest.TAP} mode tap", inside=netns(lab, "underlay"))
        lines = ["link set lo up", "link add br0 type bridge", "link set br0 up", *underlay.gateway(cluster, 0)]
        lines.append(f"link set {guest.TAP} master br0 up")
    else:
        lines = underlay.bridges(cluster, {machine.name: netns(lab, machine.name) for machine in cluster.machines})
    client = netns(lab, "client")
    lines += [f"link add client type veth peer name eth0 netns {client}", "link set client master br0 up"]
    ip(*lines, inside=netns(lab, "underlay"))
    ip(*underlay.client(cluster), inside=client)


def boot(lab: str, cluster: ClusterSpec, kernel: str, paths: Paths, note: Note) -> None:
    """Start the nodes, or the kernel they run on; `note` is told of every process as soon as it is there."""
    if kernel == "uml":
        init = paths.state / "init"
        init.write_text(guest.init_script(cluster, paths, check_uml()))
        init.chmod(init.stat().st_mode | stat.S_IXUSR)
        commands = {"user-mode-linux": guest.command(paths.state, netns(lab, "underlay"))}
        logs = {"user-mode-linux": paths.state / "console.log"}
    else:
        commands = {
            machine.name: ["/bin/bash", "-c", boot_command(machine, paths, netns(lab, machine.name))]
            for machine in cluster.machines
        }
        logs = {machine.name: paths.machine(machine) / "boot.log" for machine in cluster.machines}
    for what, words in commands.items():
        start_noted(words, what, logs[what], note)


def start_noted(
    command: list[str], what: str, log: Path, note: Note, environment: Mapping[str, str] | None = None
) -> tuple[Process, ...]:
    """Start a command that makes a PID namespace; both it and the first process in there are noted."""
    outer = start(command, what, log, environment)
    note((outer,))
    wait_until(lambda: bool(descendants(outer.pid)) or not outer.is_alive, f"{what} starts", 20)
    inner = tuple(remember(pid, f"{what}, first process") for pid in descendants(outer.pid)[:1])
    note(inner)
    return (outer, *inner)


def wait_for_routes(cluster: ClusterSpec, kernel: str, paths: Paths, processes: tuple[Process, ...]) -> None:
    """Wait until every node says that its sessions are up and its routes are there.

    Raises:
        LabError: a node failed, its kernel ended, or it took too long.
    """
    directories = {machine.name: paths.machine(machine) for machine in cluster.machines}

    def settled() -> bool:
        for name, directory in directories.items():
            if (directory / "failed").exists():
                raise LabError(f"{name} did not come up: {_last_words(directory / 'boot.log')} (logs: {directory})")
        if dead := [process.what for process in processes if not process.is_alive]:
            raise LabError(f"{dead[0]} ended while the lab came up (logs: {paths.state})")
        return all((directory / "up").exists() for directory in directories.values())

    seconds = BOOT_SECONDS[kernel]
    wait_until(settled, f"all nodes get their routes (logs: {paths.state})", seconds, every=0.1)


def remove_namespaces(namespaces: tuple[str, ...]) -> None:
    """Remove those that are there; what still runs in one keeps it alive, without a name."""
    for name in namespaces:
        if (Path("/run/netns") / name).exists():
            ip(f"netns delete {name}")


def ip(*lines: str, inside: str = "") -> None:
    """Run `ip -batch`, in the network namespace `inside` if one is named.

    Raises:
        LabError: with the line that failed and iproute2's own words.
    """
    words = [program("ip"), *(["-n", inside] if inside else []), "-batch", "-"]
    done = subprocess.run(words, input="\n".join(lines) + "\n", capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        raise LabError(f"ip failed{f' in {inside}' if inside else ''}: {' '.join(done.stderr.split())}")


def _last_words(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return lines[-1] if lines else "it said nothing"
