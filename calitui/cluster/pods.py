"""A pod of the API as a fact: its addresses as Calico sees them, its status as kubectl shows it."""

from __future__ import annotations

import ipaddress
import socket
from datetime import datetime
from typing import Final

import msgspec

from calitui.facts.cluster import Pod
from calitui.facts.text import clean


class Annotations(
    msgspec.Struct,
    gc=False,
    rename={"pod_ips": "cni.projectcalico.org/podIPs", "pod_ip": "cni.projectcalico.org/podIP"},
):
    """What Calico's CNI plugin writes, before the kubelet writes the status."""

    pod_ips: str | None = None
    pod_ip: str | None = None


class Metadata(msgspec.Struct, gc=False, rename="camel"):
    """Who a pod is."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    creation_timestamp: datetime | None = None
    deletion_timestamp: str | None = None
    labels: dict[str, str] | None = None
    annotations: Annotations | None = None


class InitContainer(msgspec.Struct, gc=False, rename="camel"):
    """Of a pod's spec; with the restart policy `Always` it is a sidecar."""

    name: str = ""
    restart_policy: str | None = None


class Spec(msgspec.Struct, gc=False, rename="camel"):
    """What was asked for."""

    node_name: str | None = None
    host_network: bool | None = None
    init_containers: list[InitContainer] | None = None


class Waiting(msgspec.Struct, gc=False):
    """Why a container does not run yet."""

    reason: str | None = None


class Terminated(msgspec.Struct, gc=False, rename="camel"):
    """How a container ended."""

    exit_code: int = 0
    signal: int | None = None
    reason: str | None = None


class Running(msgspec.Struct, gc=False):
    """Present when a container runs."""


class State(msgspec.Struct, gc=False):
    """One of the three is there."""

    waiting: Waiting | None = None
    running: Running | None = None
    terminated: Terminated | None = None


class ContainerStatus(msgspec.Struct, gc=False):
    """How a container is."""

    name: str = ""
    ready: bool | None = None
    started: bool | None = None
    state: State | None = None


class PodIP(msgspec.Struct, gc=False):
    """One of a pod's addresses."""

    ip: str | None = None


class Condition(msgspec.Struct, gc=False):
    """Of a pod: `Ready`, `Initialized`, `PodScheduled` ..."""

    type: str = ""
    status: str = ""
    reason: str | None = None


class Status(
    msgspec.Struct,
    gc=False,
    rename={"pod_ip": "podIP", "pod_ips": "podIPs"}
    | {"init_container_statuses": "initContainerStatuses", "container_statuses": "containerStatuses"},
):
    """What the kubelet says."""

    phase: str | None = None
    reason: str | None = None
    pod_ip: str | None = None
    pod_ips: list[PodIP] | None = None
    conditions: list[Condition] | None = None
    init_container_statuses: list[ContainerStatus] | None = None
    container_statuses: list[ContainerStatus] | None = None


class RawPod(msgspec.Struct, gc=False):
    """The parts of a pod that are read at all."""

    metadata: Metadata = msgspec.field(default_factory=Metadata)
    spec: Spec = msgspec.field(default_factory=Spec)
    status: Status = msgspec.field(default_factory=Status)


class Words(dict[str, str]):
    """Cleaned strings by the string they come from; node names and labels are cleaned, and kept, once."""

    MOST: Final = 50_000

    def __missing__(self, word: str) -> str:
        """Clean `word` and remember it."""
        if len(self) >= self.MOST:
            self.clear()
        self[word] = cleaned = clean(word)
        return cleaned


_FINISHED = ("Succeeded", "Failed")
_NO_LABELS: Final[dict[str, str]] = {}


def pod(raw: RawPod, words: Words) -> Pod:
    """The fact for a pod. Its `name` is empty if the object had none: such a thing can't be named to anybody."""
    metadata, status = raw.metadata, raw.status
    phase = words[status.phase or ""]
    created = metadata.creation_timestamp
    return Pod(
        words[metadata.namespace],
        clean(metadata.name),
        words[raw.spec.node_name or ""],
        () if phase in _FINISHED else addresses(metadata.annotations, status),
        phase,
        words[column(raw)],
        bool(raw.spec.host_network),
        created.timestamp() if created is not None else None,
        {words[key]: words[value] for key, value in metadata.labels.items()} if metadata.labels else _NO_LABELS,
        clean(metadata.uid),
    )


def addresses(annotations: Annotations | None, status: Status) -> tuple[str, ...]:
    """A pod's addresses: what the CNI plugin wrote if it did, else the status. Text that is no address is left out."""
    if annotations is not None:
        written = annotations.pod_ips or annotations.pod_ip
        if written:
            return tuple(ip for part in written[:1000].split(",") if (ip := _address(part.split("/")[0].strip())))
    if status.pod_ips:
        return tuple(ip for item in status.pod_ips[:16] if (ip := _address(item.ip or "")))
    ip = _address(status.pod_ip or "")
    return (ip,) if ip else ()


def _address(text: str) -> str:
    """`text` as an address is usually written, or "" if it is none."""
    try:
        socket.inet_pton(socket.AF_INET, text)
    except (OSError, ValueError):
        try:
            return "" if "%" in text else str(ipaddress.IPv6Address(text))
        except ValueError:
            return ""
    return text


def column(raw: RawPod) -> str:
    """Kubectl's STATUS column.

    Source: `printPod` in kubernetes `pkg/printers/internalversion/printers.go`; the API server computes it there for
    the table that kubectl shows.
    """
    status = raw.status
    reason = status.reason or status.phase or ""
    if status.conditions and any(
        condition.type == "PodScheduled" and condition.reason == "SchedulingGated" for condition in status.conditions
    ):
        reason = "SchedulingGated"
    initializing = _init_reason(raw) if status.init_container_statuses else ""
    if not initializing or _is_true(status, "Initialized"):
        reason = _container_reason(status, initializing or reason)
    else:
        reason = initializing
    if raw.metadata.deletion_timestamp is not None:
        if status.reason == "NodeLost":
            return "Unknown"
        if status.phase not in _FINISHED:
            return "Terminating"
    return reason


def _init_reason(raw: RawPod) -> str:
    """`Init:...` of the first init container that is not through, or ""."""
    asked = raw.spec.init_containers or []
    sidecars = {container.name for container in asked if container.restart_policy == "Always"}
    for number, container in enumerate(raw.status.init_container_statuses or ()):
        state = container.state or State()
        ended = state.terminated
        if (ended is not None and ended.exit_code == 0) or (container.name in sidecars and container.started):
            continue
        if ended is not None:
            return f"Init:{_end(ended)}"
        if state.waiting is not None and state.waiting.reason and state.waiting.reason != "PodInitializing":
            return f"Init:{state.waiting.reason}"
        return f"Init:{number}/{len(asked)}"
    return ""


def _container_reason(status: Status, reason: str) -> str:
    running = False
    for container in reversed(status.container_statuses or ()):
        state = container.state
        if state is None:
            continue
        if state.waiting is not None and state.waiting.reason:
            reason = state.waiting.reason
        elif state.terminated is not None:
            reason = _end(state.terminated)
        elif container.ready and state.running is not None:
            running = True
    if reason == "Completed" and running:
        return "Running" if _is_true(status, "Ready") else "NotReady"
    return reason


def _end(ended: Terminated) -> str:
    if ended.reason:
        return ended.reason
    return f"Signal:{ended.signal}" if ended.signal else f"ExitCode:{ended.exit_code}"


def _is_true(status: Status, condition_type: str) -> bool:
    return any(item.type == condition_type and item.status == "True" for item in status.conditions or ())
