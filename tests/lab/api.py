"""The lab's kube-apiserver: the program that runs it and fills it, and how a lab starts that program.

The program is the first process of a PID namespace of its own, so that ending it ends kube-apiserver and etcd too.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import platformdirs
import yaml

from tests.apiserver import USERS, ApiServer, assets, why_not
from tests.lab.clusters import CLUSTERS
from tests.lab.needs import LabError, LabUnavailableError, program
from tests.lab.objects import objects
from tests.lab.processes import Process, wait_until

START_SECONDS = 180.0
"""kube-apiserver is there in ten seconds where nothing else runs."""


class Access(msgspec.Struct, frozen=True):
    """How to talk to it: `kubeconfigs` by user."""

    url: str
    ca: str
    kubeconfigs: dict[str, str]


def missing() -> str:
    """Why there can be no API server here; empty when there can."""
    if "KUBEBUILDER_ASSETS" not in os.environ:
        cached = platformdirs.user_cache_path("calitui") / "kubebuilder"
        if (cached / "kube-apiserver").exists():
            os.environ["KUBEBUILDER_ASSETS"] = str(cached)
    return "" if assets() else why_not()


def kubectl() -> Path:
    """The kubectl that came with the API server.

    Raises:
        LabUnavailableError: there is none.
    """
    if reason := missing():
        raise LabUnavailableError(reason)
    found = assets()
    if found is None or found.kubectl is None:
        raise LabUnavailableError("there is no kubectl beside kube-apiserver (KUBEBUILDER_ASSETS)")
    return found.kubectl


def command(cluster: str, directory: Path, netns: str) -> list[str]:
    """The command that runs it in the network namespace `netns`, with its files in `directory`."""
    namespaces = ("--mount", "--propagation", "slave", "--mount-proc", "--pid", "--fork", "--kill-child")
    python = (sys.executable, "-m", "tests.lab.api")
    return [program("unshare"), *namespaces, *python, cluster, str(directory), netns]


def environment() -> dict[str, str]:
    """The environment it runs with: this checkout's packages, and no proxy between it and its etcd."""
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return kept | {"PYTHONPATH": str(Path(__file__).parents[2])}


def wait(directory: Path, processes: tuple[Process, ...]) -> Access:
    """Wait until it is filled.

    Raises:
        LabError: it ended, or it took too long.
    """
    ready = directory / "access.json"

    def answered() -> bool:
        if not all(process.is_alive for process in processes):
            words = (directory / "api.log").read_text(errors="replace").strip().splitlines()
            raise LabError(f"the API server did not start: {words[-1] if words else 'no reason given'} ({directory})")
        return ready.exists()

    wait_until(answered, f"kube-apiserver is there and filled (logs: {directory})", START_SECONDS)
    return access(directory)


def access(directory: Path) -> Access:
    """How to talk to the one that runs with its files in `directory`."""
    return msgspec.json.decode((directory / "access.json").read_bytes(), type=Access)


def _named(kubeconfig: Path, context: str) -> Path:
    """Give the only context of a kubeconfig another name: it is what screens show of a cluster."""
    content = yaml.safe_load(kubeconfig.read_text())
    content["current-context"] = content["contexts"][0]["name"] = context
    kubeconfig.write_text(yaml.safe_dump(content))
    return kubeconfig


def main(cluster: str, directory: Path, netns: str) -> None:
    """Run it until this process is ended."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    spec = CLUSTERS[cluster]
    with ApiServer.start(directory / "server", bind_address=spec.client, netns=netns) as server:
        server.install_calico_crds()
        server.apply_all(list(objects(spec, now)))
        kubeconfigs = {user: str(_named(server.kubeconfig_for(user), f"{user}@calico-{cluster}")) for user in USERS}
        there = Access(server.url, str(server.ca), kubeconfigs)
        (directory / "access.new").write_bytes(msgspec.json.encode(there))
        (directory / "access.new").replace(directory / "access.json")
        while True:
            signal.pause()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])
