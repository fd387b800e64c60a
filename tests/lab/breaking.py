"""How a lab is broken and mended: steps that are done one after the other and undone in reverse.

A step is what somebody types on a node, what confd would write for BIRD, or what an object of the API says. Which steps
make which fault is data in `tests.lab.faults`.
"""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from tests.apiserver.http import Http
from tests.lab import guest
from tests.lab.bird import SOCKET, SOCKET6, families
from tests.lab.lab import Lab
from tests.lab.needs import LabError
from tests.lab.node import Machine
from tests.lab.processes import wait_until

UNDERLAY = "underlay"
"""In the place of a machine's name: the namespace of the network between the machines."""
_MERGE = {"Content-Type": "application/merge-patch+json"}
_BROKEN = "/run/calico/broken.conf"


class Shell(msgspec.Struct, frozen=True):
    """A shell command on a machine and the one that takes it back.

    In both, `$directory` is the machine's directory and `$socket` BIRD's.
    """

    machine: str
    do: str
    undo: str


class Bird(msgspec.Struct, frozen=True):
    """Another configuration for a machine's BIRD: `text`, or what the sed script `edit` makes of its own.

    `family` 6 is the daemon for IPv6.
    """

    machine: str
    edit: str = ""
    text: str = ""
    family: int = 4


class Patch(msgspec.Struct, frozen=True):
    """A JSON merge patch on an object of the API, by its path; what it changes is changed back."""

    path: str
    body: dict[str, Any]


class Create(msgspec.Struct, frozen=True):
    """An object of the API that is made, at the path of its kind, and deleted again."""

    path: str
    body: dict[str, Any]


class Delete(msgspec.Struct, frozen=True):
    """An object of the API that is deleted, by its path, and made again."""

    path: str


Step = Shell | Bird | Patch | Create | Delete


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """A way to break a cluster, and what calitui is to say of it.

    `code` is the finding that comes first; "" where nothing but a live packet can tell, for the reason `undetectable`.
    `audit_code` is that of an audit, where reading all nodes tells more than reading the two ends'. `source` and
    `destination` are the ends of the trace, `namespace/name` or an address. `lost` says whether a ping between them
    gets lost, at `size` bytes if only large ones do. `in_trace` says whether it concerns those ends,
    `in_audit` whether it concerns the cluster and not a pair of pods alone. `needs` are programs of the machine that
    not every lab uses.
    """

    name: str
    cluster: str
    code: str = ""
    steps: tuple[Step, ...]
    source: str
    destination: str
    lost: bool = True
    size: int | None = None
    family: int = 4
    in_trace: bool = True
    in_audit: bool = True
    audit_code: str = ""
    undetectable: str = ""
    needs: tuple[str, ...] = ()


@contextlib.contextmanager
def broken(lab: Lab, fault: Fault) -> Iterator[None]:
    """Do the fault's steps, and wait until packets get lost if it says so. In the end undo them all, in reverse.

    Raises:
        LabError: a command failed, packets did not do what the fault says, or the lab does not recover.
    """
    address = next(ip for ip in lab.spec.addresses_of(fault.destination) if (":" in ip) is (fault.family == 6))
    with done(lab, fault.steps):
        if fault.lost:
            what = f"{address} is cut off from {fault.source}"
            wait_until(lambda: not is_answered(lab, fault.source, address, fault.size, 1), what, 20)
        elif not is_answered(lab, fault.source, address, fault.size):
            raise LabError(f"{fault.name}: {address} does not answer {fault.source}")
        yield
    size = fault.size and min(fault.size, lab.spec.pod_mtu)
    wait_until(lambda: is_answered(lab, fault.source, address, size), f"{address} answers {fault.source} again", 20)


@contextlib.contextmanager
def done(lab: Lab, steps: tuple[Step, ...]) -> Iterator[None]:
    """Do the steps, and undo them in reverse in the end.

    Raises:
        LabError: a command failed, or the lab does not recover.
    """
    http = None if lab.without_api else lab.http()
    with contextlib.ExitStack() as undoing:
        if http is not None:
            undoing.callback(http.close)
        if any(isinstance(step, Shell | Bird) for step in steps):
            undoing.callback(_recovered, lab)
        for step in steps:
            if isinstance(step, Shell):
                undoing.callback(_run, lab, step.machine, step.undo)
                _run(lab, step.machine, step.do)
            elif isinstance(step, Bird):
                undoing.callback(_configure, lab, step, "$directory/bird6.conf" if step.family == 6 else "")
                _configure(lab, step, _BROKEN)
            elif http is None:
                raise LabError(f"the lab has no API server: {lab.without_api}")
            else:
                undoing.enter_context(_object_changed(http, step))
        yield


def _run(lab: Lab, machine: str, command: str) -> None:
    if not command:
        return
    if machine == UNDERLAY and lab.saved.kernel == "uml":
        # The bridges are in the guest, where every machine is root.
        lab.machines[0].run(f"nsenter --net={guest.UNDERLAY} sh -ec {shlex.quote(command)}")
        return
    if machine == UNDERLAY:
        words = ["nsenter", f"--net=/run/netns/calitui-lab-{lab.name}-underlay", "sh", "-ec", command]
        done = lab.run(words)
        if done.returncode:
            raise LabError(f"{machine}: `{command}` ended with {done.returncode}: {done.stderr.strip()}")
        return
    found = _machine(lab, machine)
    found.run(f"set -e; directory={shlex.quote(str(found.directory))} socket={SOCKET}; {command}")


def _configure(lab: Lab, step: Bird, path: str) -> None:
    daemon, socket = ("bird6", SOCKET6) if step.family == 6 else ("bird", SOCKET)
    own = f"$directory/{daemon}.conf"
    write = ""
    if path == _BROKEN:
        made = f"printf %s {shlex.quote(step.text)}" if step.text else f"sed -E {shlex.quote(step.edit)} {own}"
        write = f"{made} >{_BROKEN}; "
    words = f'configure \\"{path or own}\\"'
    _run(
        lab,
        step.machine,
        f'{write}said=$(birdc -s {socket} "{words}"); echo "$said" >&2; echo "$said" | grep -q Reconf',
    )


def _machine(lab: Lab, name: str) -> Machine:
    return next(machine for machine in lab.machines if machine.name == name)


def _recovered(lab: Lab) -> None:
    """Wait until every node has its sessions and routes."""
    if families(lab.spec):
        with ThreadPoolExecutor() as threads:
            list(threads.map(lambda node: node.wait_until_routed(), lab.nodes))


@contextlib.contextmanager
def _object_changed(http: Http, step: Patch | Create | Delete) -> Iterator[None]:
    if isinstance(step, Create):
        http.json("POST", step.path, step.body)
        name = step.body["metadata"]["name"]
        try:
            yield
        finally:
            http.json("DELETE", f"{step.path}/{name}?gracePeriodSeconds=0")
        return
    before = http.json("GET", step.path)
    if isinstance(step, Delete):
        http.json("DELETE", step.path)
        kept = {name: value for name, value in before["metadata"].items() if name in ("name", "namespace", "labels")}
        try:
            yield
        finally:
            collection = step.path.rpartition("/")[0]
            http.json("POST", collection, before | {"metadata": kept})
        return
    http.json("PATCH", step.path, step.body, _MERGE)
    try:
        yield
    finally:
        http.json("PATCH", step.path, inverse(step.body, before), _MERGE)


def inverse(patch: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """The merge patch that brings back what `patch` changes in an object that was `before`.

    >>> inverse({"a": 1, "b": {"c": None}}, {"b": {"c": 2, "d": 3}})
    {'a': None, 'b': {'c': 2}}
    """
    return {
        name: inverse(value, before[name])
        if isinstance(value, dict) and isinstance(before.get(name), dict)
        else before.get(name)
        for name, value in patch.items()
    }


def is_answered(lab: Lab, source: str, destination: str, size: int | None = None, seconds: float = 2) -> bool:
    """Whether a ping from a pod is answered; `size` is that of the whole packet, which may not be fragmented then."""
    node, pod = lab.spec.find(source)
    header = 48 if ":" in destination else 28
    sized = f"-M do -s {size - header}" if size else ""
    ping = f"ping -n -c 1 -W {seconds:g} {sized} {destination}"
    if pod.ip is None:
        return lab.node(node.name).run(ping, check=False).returncode == 0
    return lab.pod(source).run(ping, check=False).returncode == 0
