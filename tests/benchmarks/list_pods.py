"""Listing 10,000 pods of a real kube-apiserver: the raw bytes, calitui, the official client's models, kubectl.

    KUBEBUILDER_ASSETS=DIR python -m tests.benchmarks.list_pods [--pods 10000] [--rounds 3]

Everything is measured in one run against one server, each way in a process of its own, the ways taking turns; the best
of the rounds counts. The ratios are what to look at. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from calitui.cluster import Api, follow, read
from tests.apiserver import ApiServer, assets, why_not


class Measured(NamedTuple):
    """Of one way: seconds inside the process (from before connecting), seconds of the whole process, MB at its peak."""

    seconds: float
    process: float
    peak: float


def pod() -> dict[str, Any]:
    """A pod of about 7 kB, as many a Deployment's are: two containers with an environment, statuses, conditions."""
    containers = [
        {
            "name": f"container-{number}",
            "image": "registry.example.org/team/application:1.2.3",
            "env": [{"name": f"VARIABLE_{each}", "value": "x" * 30} for each in range(10)],
            "volumeMounts": [{"name": "scratch", "mountPath": "/scratch"}],
        }
        for number in range(2)
    ]
    statuses = [
        {
            "name": f"container-{number}",
            "ready": True,
            "started": True,
            "restartCount": 0,
            "image": "registry.example.org/team/application:1.2.3",
            "imageID": "registry.example.org/team/application@sha256:" + "0" * 64,
            "containerID": "containerd://" + "1" * 64,
            "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}},
        }
        for number in range(2)
    ]
    conditions = [
        {"type": kind, "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
        for kind in ("Initialized", "Ready", "ContainersReady", "PodScheduled")
    ]
    address = "10.111.111.111"
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "namespace": "load",
            "name": "load-69d9fddd97-00000",
            "labels": {"app.kubernetes.io/name": "load", "pod-template-hash": "69d9fddd97"},
            "annotations": {
                "cni.projectcalico.org/podIPs": f"{address}/32",
                "cni.projectcalico.org/podIP": f"{address}/32",
            },
        },
        "spec": {
            "nodeName": "node-a",
            "containers": containers,
            "volumes": [{"name": "scratch", "emptyDir": {}}],
        },
        "status": {
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "conditions": conditions,
            "containerStatuses": statuses,
        },
    }


def raw(kubeconfig: str) -> str:
    """The floor: the same bytes in one answer, not looked at."""
    with Api(kubeconfig) as api:
        return f"{len(api.get('/api/v1/pods')):,} bytes"


def facts(kubeconfig: str) -> str:
    """What calitui reads: pods in pages into facts, and nodes and Calico's objects beside them."""
    with Api(kubeconfig) as api:
        return f"{len(read(api).pods):,} pods"


def first_page(kubeconfig: str) -> str:
    """Until the first inventory is there."""
    stop = threading.Event()
    with Api(kubeconfig) as api:
        inventories = follow(api, stop)
        found = next(inventories)
        stop.set()
        inventories.close()
    return f"{len(found.cluster.pods):,} pods"


def models(kubeconfig: str) -> str:
    """The official client as its documentation shows it."""
    from kubernetes import client, config

    config.load_kube_config(kubeconfig)
    return f"{len(client.CoreV1Api().list_pod_for_all_namespaces().items):,} pods"


WAYS: dict[str, Callable[[str], str]] = {"raw": raw, "facts": facts, "first-page": first_page, "models": models}


def measure_here(way: str, kubeconfig: str) -> None:
    """In the child: run one way and print what it took."""
    before = time.perf_counter()
    what = WAYS[way](kubeconfig)
    seconds = time.perf_counter() - before
    # Not getrusage: its peak is inherited from the process that started this one.
    status = Path("/proc/self/status").read_text()
    peak = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:")) / 1024
    print(json.dumps({"seconds": seconds, "peak": peak, "what": what}))


def timed(command: list[str], environment: dict[str, str]) -> tuple[float, str]:
    """Wall clock of a whole process, and its output."""
    before = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=300)
    return time.perf_counter() - before, done.stdout


def measure(way: str, kubeconfig: Path) -> Measured:
    """Run one way in a process of its own."""
    whole, output = timed([sys.executable, "-m", __spec__.name, "--measure", way, str(kubeconfig)], dict(os.environ))
    answer = json.loads(output)
    return Measured(answer["seconds"], whole, answer["peak"])


def commands(server: ApiServer) -> dict[str, list[str]]:
    """Whole commands to compare, those that exist here."""
    found = {}
    if server.assets.kubectl is not None:
        found["kubectl of the server's version"] = [str(server.assets.kubectl), "get", "pods", "-A", "-o", "wide"]
    if elsewhere := shutil.which("kubectl"):
        found["kubectl on PATH"] = [elsewhere, "get", "pods", "-A", "-o", "wide"]
    calitui = Path(sys.executable).with_name("calitui")
    if (
        calitui.exists()
        and subprocess.run([calitui, "pods", "--help"], capture_output=True, check=False).returncode == 0
    ):
        found["calitui pods"] = [str(calitui), "pods", "-A"]
    return found


def ratio(label: str, value: float, other: float, budget: float) -> None:
    """One line: measured ratio, budget."""
    print(f"  {label:<52} {value / other:6.2f} x   (budget {budget} x)")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pods", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--measure", nargs=2, metavar=("WAY", "KUBECONFIG"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        measure_here(*options.measure)
        return
    if assets() is None:
        sys.exit(why_not())
    with tempfile.TemporaryDirectory(prefix="calitui-") as directory, ApiServer.start(Path(directory)) as server:
        server.copy_pod(pod(), options.pods)
        server.install_calico_crds()
        run(server, options.rounds)


def run(server: ApiServer, rounds: int) -> None:
    """Every way in turn, `rounds` times; then the table."""
    environment = {**os.environ, "KUBECONFIG": str(server.kubeconfig)}
    whole: dict[str, list[float]] = {}
    inside: dict[str, list[Measured]] = {}
    measure("raw", server.kubeconfig)  # the server's own caches are warm from here on
    for number in range(rounds):
        for way in WAYS:
            if way != "models" or number == 0:  # takes too long to repeat
                inside.setdefault(way, []).append(measure(way, server.kubeconfig))
        for name, command in commands(server).items():
            seconds, output = timed(command, environment)
            whole.setdefault(name, []).append(seconds)
            print(f"round {number + 1}: {name}: {seconds:.2f} s, {len(output.splitlines()):,} lines", file=sys.stderr)
    best = {way: min(found, key=lambda each: each.seconds) for way, found in inside.items()}
    peak = {way: min(each.peak for each in found) for way, found in inside.items()}
    print(f"\n{'':<34}{'inside':>10}{'process':>10}{'peak RSS':>12}")
    for way, found in best.items():
        print(f"{way:<34}{found.seconds:>8.2f} s{found.process:>8.2f} s{peak[way]:>9.0f} MB")
    for name, times in whole.items():
        print(f"{name:<34}{'':>10}{min(times):>8.2f} s")
    print("\nRatios")
    ratio("facts / raw GET of the same bytes", best["facts"].seconds, best["raw"].seconds, 1.4)
    ratio("memory of facts / of the official models", peak["facts"], peak["models"], 0.25)
    for name in (name for name in whole if name.startswith("kubectl")):
        ratio(f"facts / {name}", best["facts"].seconds, min(whole[name]), 0.25)
        if "calitui pods" in whole:
            ratio(f"calitui pods / {name}", min(whole["calitui pods"]), min(whole[name]), 0.5)


if __name__ == "__main__":
    main()
