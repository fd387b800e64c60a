"""Credentials from an exec plugin of a kubeconfig (`aws eks get-token`, `gke-gcloud-auth-plugin`, `kubelogin` ...).

The kubernetes package logs a plugin's failure and goes on without credentials, gives the plugin the terminal whenever
stdout is one, and waits for it without end. Here a failure is an error with the plugin's own words, the terminal is
lent only when the caller says so, and time is limited. This module must not know what the credentials are for.

The protocol is `client.authentication.k8s.io`: the question in the environment variable `KUBERNETES_EXEC_INFO`, the
answer as an `ExecCredential` on stdout.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from calitui.errors import ClusterError
from calitui.facts.decoding import decoder
from calitui.facts.text import clean

SECONDS_ALONE = 60
"""Time a plugin has when nobody can answer its questions."""
SECONDS_WITH_A_PERSON = 300
"""Time a plugin has when it may ask the person at the terminal."""


class Credential(msgspec.Struct, frozen=True, rename="camel"):
    """What a plugin hands out: a bearer token, or a client certificate with its key (PEM)."""

    token: str = ""
    client_certificate_data: str = ""
    client_key_data: str = ""


class _Answer(msgspec.Struct, frozen=True):
    status: Credential | None = None


def run(settings: Mapping[str, Any], cluster: Mapping[str, Any], directory: Path, interactive: bool) -> Credential:
    """Ask the plugin that `settings` (the `exec` part of a kubeconfig user) describes.

    `cluster` is the kubeconfig's cluster, told to plugins that want it; a relative command is looked up in `directory`,
    the kubeconfig's own. With `interactive` the plugin may use the terminal.

    Raises:
        ClusterError: it is not installed, fails, hangs or answers nonsense.
    """
    command = str(settings.get("command") or "")
    name = clean(command) or "(no command)"
    # As kubectl: a path relative to the kubeconfig, a bare name from PATH.
    program = str(directory / command) if os.sep in command else shutil.which(command)
    if not command or program is None or not os.access(program, os.X_OK):
        hint = " ".join(clean(str(settings.get("installHint") or "")).replace("\\x0a", " ").split())
        raise ClusterError(
            f"The login program {name} of the kubeconfig is not installed",
            hint or f"Install {name} or put it into PATH, then try the same with kubectl",
        )
    interactive = interactive and sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()
    mode = settings.get("interactiveMode")
    if mode == "Always" and not interactive:
        raise ClusterError(f"The login program {name} needs a terminal", "Log in with kubectl first, then start again")
    interactive = interactive and mode != "Never"
    seconds = SECONDS_WITH_A_PERSON if interactive else SECONDS_ALONE
    try:
        done = subprocess.run(
            [program, *(str(argument) for argument in settings.get("args") or ())],
            env=_environment(settings, cluster, interactive),
            stdin=None if interactive else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=None if interactive else subprocess.PIPE,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ClusterError(
            f"The login program {name} did not answer in {seconds} s", "Run it by hand to see what it waits for"
        ) from None
    except (OSError, ValueError) as error:
        raise ClusterError(f"The login program {name} can't be run: {clean(str(error))}") from None
    if done.returncode != 0:
        said = (done.stderr or b"").decode(errors="replace").strip().splitlines()
        words = f": {clean(said[-1])}" if said else ""
        raise ClusterError(
            f"The login program {name} failed (exit {done.returncode}){words}", "Log in again, or run it by hand"
        )
    return _credential(done.stdout, name)


def _credential(output: bytes, name: str) -> Credential:
    try:
        status = decoder(_Answer).decode(output).status
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        status = None
    if status is None or not (status.token or (status.client_certificate_data and status.client_key_data)):
        raise ClusterError(f"The login program {name} answered without credentials", "Run it by hand to see its answer")
    return status


def _environment(settings: Mapping[str, Any], cluster: Mapping[str, Any], interactive: bool) -> dict[str, str]:
    spec: dict[str, Any] = {"interactive": interactive}
    if settings.get("provideClusterInfo"):
        told = {key: value for key, value in cluster.items() if key not in ("extensions", "certificate-authority")}
        for extension in cluster.get("extensions") or ():
            if extension.get("name") == "client.authentication.k8s.io/exec":
                told["config"] = extension.get("extension")
        spec["cluster"] = told
    question = {"apiVersion": str(settings.get("apiVersion") or ""), "kind": "ExecCredential", "spec": spec}
    own = {str(item.get("name")): str(item.get("value")) for item in settings.get("env") or ()}
    info = msgspec.json.encode(question, enc_hook=str).decode()
    return {**os.environ, **own, "KUBERNETES_EXEC_INFO": info}
