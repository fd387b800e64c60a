"""A machine and a pod of a lab that is up, to run things on. Knows the lab by its ssh configuration and namespace."""

from __future__ import annotations

import shlex
import subprocess
from typing import TYPE_CHECKING

from tests.lab.bird import SOCKET
from tests.lab.needs import LabError
from tests.lab.node_script import routed
from tests.lab.processes import wait_until
from tests.lab.spec import NodeSpec, PodSpec, RouterSpec

if TYPE_CHECKING:
    from tests.lab.lab import Lab

Completed = subprocess.CompletedProcess[str]


class Machine:
    """A node or a router: what is run on it goes over ssh, as everything that calitui does."""

    def __init__(self, lab: Lab, spec: NodeSpec | RouterSpec) -> None:
        self.lab = lab
        self.name = spec.name
        self.directory = lab.directory / "nodes" / spec.name

    def command(self, command: str, user: str = "root") -> list[str]:
        """The words that run a shell command on the machine, from the root network namespace."""
        words = ["ssh", "-F", str(self.lab.ssh_config), "-l", user, "-o", "ConnectTimeout=60"]
        return self.lab.command([*words, self.name, command])

    def run(self, command: str, *, user: str = "root", check: bool = True, timeout: float = 120) -> Completed:
        """Run a shell command on the machine.

        Raises:
            LabError: it failed and `check` is set; with what it said.
        """
        done = subprocess.run(
            self.command(command, user),
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout,
            stdin=subprocess.DEVNULL,
        )
        if check and done.returncode:
            raise LabError(f"{self.name}: `{command}` ended with {done.returncode}: {done.stderr.strip()}")
        return done

    def popen(self, command: str) -> subprocess.Popen[str]:
        """Start a shell command on the machine and go on; the caller waits for it."""
        return subprocess.Popen(
            self.command(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_until(self, command: str, what: str, seconds: float = 120) -> None:
        """Poll a shell command on the machine until it succeeds.

        Raises:
            LabError: it did not within `seconds`.
        """
        wait_until(lambda: self.run(command, check=False).returncode == 0, f"{self.name}: {what}", seconds, every=0.2)


class Node(Machine):
    """A node of the cluster."""

    def __init__(self, lab: Lab, spec: NodeSpec) -> None:
        super().__init__(lab, spec)
        self.spec = spec

    def birdc(self, command: str) -> str:
        """BIRD's answer."""
        return self.run(f"birdc -r -s {SOCKET} {shlex.quote(command)}").stdout

    def kill_bird(self) -> None:
        """End BIRD at once, as a crash would; its kernel routes stay (`persist`)."""
        self.run("kill -KILL $(cat /run/calico/bird.pid)")

    def start_bird(self) -> None:
        """Start BIRD again."""
        self.run(f"bird -c {shlex.quote(str(self.directory))}/bird.conf -s {SOCKET} -P /run/calico/bird.pid")

    def wait_until_routed(self) -> None:
        """Wait until the node's sessions are up and it has a route to every block, as after booting."""
        self.wait_until(routed(self.lab.spec, self.spec), "its sessions and routes are there")


class Pod:
    """A pod with an interface of its own."""

    def __init__(self, node: Node, spec: PodSpec) -> None:
        if spec.ip is None:
            raise LabError(f"{spec.key} is a host-network pod: run it on its node")
        self.node = node
        self.spec = spec
        self.ip: str = spec.ip

    def run(self, command: str, *, check: bool = True, timeout: float = 120) -> Completed:
        """Run a shell command in the pod's network namespace."""
        words = f"nsenter --net=/run/netns/{self.spec.netns} sh -c {shlex.quote(command)}"
        return self.node.run(words, check=check, timeout=timeout)
