"""What a live proof of a trace will do: which packets are sent from where, what is watched, and how long at the most.

Nothing is done here. The sentences of a plan are what a person reads before she agrees, so they name every command.
"""

from __future__ import annotations

import ipaddress
import re
import shlex
from collections.abc import Iterable

import msgspec

from calitui.facts.cluster import Cluster
from calitui.facts.node import NodeFacts
from calitui.proof import filters, words
from calitui.proof.sizing import SizeQuestion, question
from calitui.proof.token import VXLAN_PORT, Token
from calitui.trace.fabric import Fabric
from calitui.trace.path import Disposition, Endpoint, Trace
from calitui.trace.sizes import path_mtu

MOST_PROBES = 10
MOST_CAPTURED = 200
SNAPLEN = 192
SECONDS = 20
PROTOCOLS = ("icmp", "tcp", "udp")
PAYLOAD = 56
"""Bytes behind the ICMP header of a probe, as ping sends them unless told otherwise."""
_NETNS = re.compile(r"/run/netns/(?!\.{1,2}$)[A-Za-z0-9._-]+|/proc/[0-9]{1,7}/ns/net")


class ProofRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked for: `count` packets of `protocol`, to `port` unless it is ICMP."""

    protocol: str = "icmp"
    port: int | None = None
    count: int = 3


class PlannedProbe(msgspec.Struct, frozen=True, kw_only=True):
    """The packets to send: on `node`, in the network namespace `namespace` (a path, "" for the node's own), which holds
    the address `holds`; or in the pod `pod` itself (`namespace/name`), where its namespace can't be entered.

    `payload` is in bytes, `pattern` what it is filled with.
    """

    node: str
    namespace: str = ""
    holds: str | None = None
    pod: str | None = None
    source: str
    destination: str
    protocol: str = "icmp"
    port: int | None = None
    count: int = 3
    payload: int = PAYLOAD
    pattern: bytes = b""


class PlannedWatch(msgspec.Struct, frozen=True, kw_only=True):
    """One capture: on all interfaces of `node`'s own namespace, or of the container with the address `container`.

    It keeps `length` bytes of at most `count` packets that `filter` lets through, for at most `seconds`.
    """

    node: str
    filter: str
    namespace: str = ""
    container: str | None = None
    count: int = MOST_CAPTURED
    length: int = SNAPLEN
    seconds: int = SECONDS


class ProofPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Exactly what will be done. `notes` say what it can't show, `sizes` is None where no sizes are tried.

    `vxlan_ports` are the UDP ports whose packets captures have to be read as VXLAN.
    """

    probe: PlannedProbe
    watches: tuple[PlannedWatch, ...]
    token: Token
    sizes: SizeQuestion | None = None
    vxlan_ports: tuple[int, ...] = (VXLAN_PORT,)
    sentences: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class CannotProve(msgspec.Struct, frozen=True):
    """Why there is no plan: a sentence each, with what to try."""

    reasons: tuple[str, ...]


def plan(
    trace: Trace,
    nodes: Iterable[NodeFacts],
    cluster: Cluster,
    request: ProofRequest,
    pattern: bytes,
    *,
    exec_in_pods: bool = False,
) -> ProofPlan | CannotProve:
    """What to do to prove a trace by packets.

    `pattern` are 16 random bytes by which its packets are known. With `exec_in_pods` a source pod whose namespace can't
    be entered is asked to send the packets itself.
    """
    fabric = Fabric(cluster, nodes)
    source, destination = trace.source, trace.destination
    reasons = [*_wrong(request), *_unfit(trace, fabric)]
    sender = None if reasons else _sender(fabric, source, exec_in_pods=exec_in_pods)
    if isinstance(sender, str):
        reasons.append(sender)
    if reasons or not isinstance(sender, _Sender) or source.ip is None or destination.ip is None:
        return CannotProve(tuple(reasons))
    probe = PlannedProbe(
        node=source.node or "?",
        namespace=sender.namespace,
        holds=source.ip if sender.namespace else None,
        pod=sender.pod,
        source=source.ip,
        destination=destination.ip,
        protocol=request.protocol,
        port=request.port,
        count=request.count,
        pattern=pattern,
    )
    vxlan_port = _vxlan_port(fabric)
    watches, notes = _watches(trace, fabric, probe, vxlan_port)
    sizes = _sizes(trace) if request.protocol == "icmp" and not sender.pod else None
    made = ProofPlan(
        probe=probe,
        watches=watches,
        token=Token(
            protocol=request.protocol,
            source=source.ip,
            destination=destination.ip,
            pattern=b"" if request.protocol == "tcp" else pattern,
            # Size probes carry the same bytes the other way round.
            size_pattern=pattern[::-1] if sizes is not None else b"",
            port=request.port,
            carriers=frozenset(_carriers(trace, fabric)),
        ),
        sizes=sizes,
        vxlan_ports=tuple(dict.fromkeys((vxlan_port, VXLAN_PORT))),
        notes=notes,
    )
    return msgspec.structs.replace(made, sentences=tuple(_sentences(made, trace)))


def _wrong(request: ProofRequest) -> Iterable[str]:
    if request.protocol not in PROTOCOLS:
        yield f"packets of {request.protocol!r} can't be sent: choose icmp, tcp or udp"
    if not 1 <= request.count <= MOST_PROBES:
        yield f"{request.count} packets are asked for: it can be 1 to {MOST_PROBES}"
    if request.protocol == "icmp" and request.port is not None:
        yield "ICMP has no ports: add --protocol tcp or udp"
    if request.protocol in ("tcp", "udp") and (request.port is None or not 0 < request.port < 65536):
        yield f"{request.protocol.upper()} needs the port to send to: add --port"


def _unfit(trace: Trace, fabric: Fabric) -> Iterable[str]:
    source, destination = trace.source, trace.destination
    if source.kind == "external":
        yield f"{source.label} is outside of the cluster: nothing can be sent from there; trace the other way round"
    elif source.node is None or source.ip is None:
        yield f"{source.label} has no address or no node yet"
    elif (facts := fabric.facts(source.node)) is None or facts.host is None:
        yield f"nothing can be sent from {source.label}: {fabric.why_not_read(source.node)}"
    elif facts.via == "files":
        yield f"{source.node} was read from files: there is nobody to send a packet; read it by SSH"
    if destination.ip is None:
        yield f"{destination.label} has no address to send to"
    elif source.ip is not None and _version(source.ip) != _version(destination.ip):
        yield f"{source.ip} and {destination.ip} are of two families: a packet has both addresses of one"


class _Sender(msgspec.Struct, frozen=True):
    namespace: str = ""
    pod: str | None = None


def _sender(fabric: Fabric, source: Endpoint, *, exec_in_pods: bool) -> _Sender | str:
    """Where the packets are sent from, or why that can't be."""
    if source.kind != "pod":
        return _Sender()
    path, why = _entered(fabric, source)
    if path:
        return _Sender(namespace=path)
    if exec_in_pods:
        return _Sender(pod=source.label)
    return (
        f"the network namespace of {source.label} on {source.node} can't be entered: {why}; it needs root there, "
        "try --sudo"
    )


def _entered(fabric: Fabric, end: Endpoint) -> tuple[str, str]:
    """The path of a pod's network namespace, or why there is none."""
    node, ip = end.node or "?", end.ip or "?"
    inside = fabric.container(node, ip)
    if inside is None:
        return "", fabric.why_not_read(node, f"container {ip}")
    found = inside[1].found_by
    path = f"/proc/{found}/ns/net" if found.isascii() and found.isdecimal() else found
    if not _NETNS.fullmatch(path):
        return "", f"where it is was not told ({found or 'nothing'})"
    return path, ""


def _watches(
    trace: Trace, fabric: Fabric, probe: PlannedProbe, vxlan_port: int
) -> tuple[tuple[PlannedWatch, ...], tuple[str, ...]]:
    ends = (probe.source, probe.destination)
    carriers = tuple(_carriers(trace, fabric))
    outer_six = any(":" in ip for ip in _outer_addresses(trace))
    near = filters.plain(probe.protocol, ends, probe.port)
    far = filters.plain(probe.protocol, ends, probe.port, carriers)
    far += f" or {filters.tunnelled(probe.protocol, ends, probe.port, vxlan_port, outer_six=outer_six)}"
    watches: list[PlannedWatch] = []
    notes: list[str] = []
    crossed = (hop.node for way in trace.directions for hop in way.hops)
    for name in dict.fromkeys(name for name in (trace.source.node, *crossed, trace.destination.node) if name):
        facts = fabric.facts(name)
        if facts is None or facts.host is None or facts.via == "files":
            why = "it was read from files" if facts is not None and facts.host else fabric.why_not_read(name)
            notes.append(f"{name} is not watched: {why}")
        else:
            watches.append(PlannedWatch(node=name, filter=far))
    for end in (trace.source, trace.destination):
        if end.kind != "pod" or end.node not in {one.node for one in watches}:
            continue
        path, why = _entered(fabric, end)
        if path:
            watches.append(PlannedWatch(node=end.node, namespace=path, container=end.ip, filter=near))
        else:
            notes.append(f"the inside of {end.label} is not watched: {why}")
    if trace.destination.kind == "external":
        notes.append(f"{trace.destination.label} is outside of the cluster: what happens there is not watched")
    return tuple(watches), tuple(notes)


def _outer_addresses(trace: Trace) -> Iterable[str]:
    for way in trace.directions:
        for hop in way.hops:
            for header in hop.packet[:-1]:
                yield from (header.src, header.dst)


def _carriers(trace: Trace, fabric: Fabric) -> list[str]:
    """The nodes' addresses between which a tunnel's packets go: those of the path, else those that the API tells."""
    found = [ip for ip in _outer_addresses(trace) if _version(ip)]
    for name in (trace.source.node, trace.destination.node):
        node = fabric.node(name) if name else None
        told = (*node.internal_ips, node.bgp_address, node.bgp_address6) if node is not None else ()
        found += [ip for one in told if one and _version(ip := one.partition("/")[0])]
    return list(dict.fromkeys(found))


def _sizes(trace: Trace) -> SizeQuestion | None:
    if trace.forward.disposition not in (Disposition.DELIVERED, Disposition.UNKNOWN) or trace.source.kind != "pod":
        return None
    return question(path_mtu(trace.forward))


def _vxlan_port(fabric: Fabric) -> int:
    said = next((one.spec.get("vxlanPort", "") for one in fabric.cluster.felix if one.name == "default"), "")
    return int(said) if said.isascii() and said.isdecimal() and 0 < int(said[:6]) < 65536 else VXLAN_PORT


def _version(ip: str) -> int:
    try:
        return ipaddress.ip_address(ip).version
    except ValueError:
        return 0


def _sentences(made: ProofPlan, trace: Trace) -> Iterable[str]:
    probe = made.probe
    yield words.sending(probe.count, probe.protocol, probe.port, trace.source.label, trace.destination.label)
    yield f"  {_place(probe.node, probe.namespace, probe.pod)}{shlex.join(probe_command(probe))}"
    yield words.watching(made.watches[0].count, made.watches[0].seconds) if made.watches else words.UNWATCHED
    for text in dict.fromkeys(watch.filter for watch in made.watches):
        alike = [watch for watch in made.watches if watch.filter == text]
        places = ", ".join(f"{one.node} in {one.namespace}" if one.namespace else one.node for one in alike)
        yield f"  {places}: {shlex.join(watch_command(alike[0]))}"
    if made.sizes is not None:
        yield words.sizing(made.sizes.most, made.sizes.sends)
    yield words.COUNTING
    yield words.LEAVES
    yield from made.notes


def _place(node: str, namespace: str, pod: str | None) -> str:
    if pod is not None:
        namespace, _, name = pod.partition("/")
        return f"kubectl exec -n {shlex.quote(namespace)} {shlex.quote(name)} -- "
    return f"{node}: {f'nsenter --net={namespace} ' if namespace else ''}"


def probe_command(probe: PlannedProbe, size: int | None = None) -> tuple[str, ...]:
    """The command that sends the packets, as a person would type it; with a payload of `size` bytes, one that may not
    be fragmented. What is run is the same in the words of the program that is there.
    """
    if probe.protocol == "icmp" or size is not None:
        amount = ("-c", str(probe.count), "-s", str(probe.payload)) if size is None else ("-c", "1", "-s", str(size))
        return ("ping", "-n", *amount, *(() if size is None else ("-M", "do")), probe.destination)
    return ("nc", "-z", "-w", "2", *(("-u",) if probe.protocol == "udp" else ()), probe.destination, str(probe.port))


def watch_command(watch: PlannedWatch) -> tuple[str, ...]:
    """The command of a capture, as a person would type it."""
    bounded = ("timeout", str(watch.seconds), "tcpdump", "-i", "any", "-n", "-p")
    return (*bounded, "-c", str(watch.count), "-s", str(watch.length), "-w", "-", watch.filter)
