"""calitui started in a lab's client namespace, with the lab's kubeconfig and ssh config."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from calitui.session import Options, Session, open_session
from tests.lab.clusters import CLUSTERS
from tests.lab.lab import Lab

CALITUI = str(Path(sys.executable).with_name("calitui"))
EXAMPLES = {name: cluster.pairs[0] for name, cluster in CLUSTERS.items()}
"""The ends to trace in each cluster, source and destination; for `bgp` and `ipip` the article's."""


def calitui(lab: Lab, *words: str, sudo: bool = True, timeout: float = 240) -> subprocess.CompletedProcess[str]:
    """Run the command line in the lab; `sudo` logs in as the account that may, and asks for it."""
    account = ["--ssh-user", "calitui", "--sudo"] if sudo else ["--ssh-user", "viewer"]
    environment = {"NO_COLOR": "1", "XDG_CONFIG_HOME": str(lab.directory / "no-config")}
    command = [CALITUI, *words, "--ssh-config", str(lab.ssh_config), *account]
    return lab.run(command, timeout=timeout, environment=environment)


def trace(lab: Lab, source: str, destination: str, *words: str, sudo: bool = True) -> tuple[int, dict[str, Any]]:
    """Exit code and JSON of a trace."""
    done = calitui(lab, "trace", source, destination, "-o", "json", *words, sudo=sudo)
    assert done.stdout, done.stderr
    decoded: dict[str, Any] = msgspec.json.decode(done.stdout)
    return done.returncode, decoded


@contextlib.contextmanager
def live(lab: Lab) -> Iterator[Session]:
    """A session as `calitui` opens it, in the lab's client namespace; the test is skipped without an API server."""
    if lab.without_api:
        pytest.skip(lab.without_api)
    options = Options(kubeconfig=str(lab.kubeconfig), ssh_config=str(lab.ssh_config), ssh_user="calitui", sudo=True)
    with lab.inside():
        session = open_session(options)
        try:
            yield session
        finally:
            session.close()
