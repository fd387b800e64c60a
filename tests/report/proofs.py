"""Live proofs for reports and screens to show, made by hand on the seed's IPIP example: what each interface saw.

A packet of 84 bytes is an echo request as ping makes it: 20 of IP, 8 of ICMP and 56 of payload.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import dpkt
from msgspec.structs import replace

from calitui.facts.missing import Missing
from calitui.facts.proof import Carried, Probe, Proof, RuleCount, SeenHeader, Sighting, SizeProbe, Watch
from calitui.proof.analysis import prove
from calitui.trace.path import Direction, Step, Trace
from tests.trace import seed

TAKEN_AT = 1_700_000_000.25
SENT = 3
IDENTIFIER = 4711
_OUTWARDS = {Step.CONTAINER_OUT, Step.TUNNEL_OUT, Step.NIC_OUT, Step.VETH_OUT}
_INTERFACES = _OUTWARDS | {Step.VETH_IN, Step.NIC_IN, Step.TUNNEL_IN, Step.CONTAINER_IN}
_INSIDE = {Step.CONTAINER_OUT, Step.CONTAINER_IN}
_FILTER = "(icmp and (icmp[0]=8 or icmp[0]=0)) and (host 192.168.97.1 or host 192.168.210.129)"


def inner(kind: str, number: int, ttl: int, ends: tuple[str, str]) -> SeenHeader:
    """The pods' own packet."""
    return SeenHeader(
        protocol="icmp",
        src=ends[0],
        dst=ends[1],
        ttl=ttl,
        length=84,
        dont_fragment=True,
        detail=f"echo {kind}, id {IDENTIFIER}, seq {number}",
    )


def outer(ends: tuple[str, str]) -> SeenHeader:
    """What IPIP puts around it."""
    return SeenHeader(protocol="ipip", src=ends[0], dst=ends[1], ttl=63, length=104, dont_fragment=True)


def frame(headers: tuple[SeenHeader, ...]) -> bytes:
    """The bytes of a packet with these headers."""
    data: bytes | dpkt.ip.IP = struct.pack("!BBHHH", 8, 0, 0, IDENTIFIER, 1) + b"calitui!" * 7
    for header in reversed(headers):
        data = dpkt.ip.IP(
            src=bytes(int(part) for part in header.src.split(".")),
            dst=bytes(int(part) for part in header.dst.split(".")),
            p=4 if header.protocol == "ipip" else 1,
            ttl=header.ttl or 64,
            data=data,
        )
        data.len = len(data)
    return bytes(data)


def sightings(way: Direction, kind: str, start: float, last: int = 99) -> Iterator[Sighting]:
    """The packets of a direction, at every interface up to hop `last`."""
    ttl = 64
    for hop in way.hops:
        if hop.step is Step.ROUTE:
            ttl -= 1
        if hop.step not in _INTERFACES or hop.number > last:
            continue
        for number in range(1, SENT + 1):
            ends = [(header.src, header.dst) for header in hop.packet]
            own = inner(kind, number, ttl, ends[-1])
            # The tunnel's device carries the packet before it is wrapped, and after it was unwrapped.
            wrapped = len(ends) > 1 and hop.step not in (Step.TUNNEL_OUT, Step.TUNNEL_IN)
            headers = (outer(ends[0]), own) if wrapped else (own,)
            yield Sighting(
                node=hop.node or "?",
                device=hop.device or "?",
                time=start + number - 1 + hop.number * 20e-6,
                kind=kind,
                headers=headers,
                container=ends[-1][0 if hop.step is Step.CONTAINER_OUT else 1] if hop.step in _INSIDE else None,
                outgoing=hop.step in _OUTWARDS,
                sequence=number,
                frame=frame(headers),
            )


def watches() -> tuple[Watch, ...]:
    """Both nodes and both containers, all the time."""
    command = f"timeout 20 tcpdump -i any -n -p -c 200 -s 192 -w - '{_FILTER}'"
    return tuple(
        Watch(node=node, how="tcpdump", container=container, complete=True, command=command)
        for node, ip in (("k8s-calico2", "192.168.97.1"), ("k8s-calico3", "192.168.210.129"))
        for container in (None, ip)
    )


def proof(found: tuple[Sighting, ...], answered: int, sizes: tuple[SizeProbe, ...] = ()) -> Proof:
    """Three pings from the seed's source."""
    lines = [f"64 bytes from 192.168.210.129: icmp_seq={number} ttl=62 time=0.3 ms" for number in range(1, 4)]
    return Proof(
        taken_at=TAKEN_AT,
        probe=Probe(
            node="k8s-calico2",
            source="192.168.97.1",
            destination="192.168.210.129",
            count=SENT,
            answered=answered,
            output=(*lines[:answered], f"{SENT} packets transmitted, {answered} received"),
            command="nsenter --net=/proc/4711/ns/net ping -n -c 3 -s 56 192.168.210.129",
        ),
        watches=watches(),
        sightings=found,
        sizes=sizes,
    )


def _delivered() -> Trace:
    trace = seed.run("ipip")
    found = (
        *sightings(trace.forward, "request", TAKEN_AT),
        *sightings(trace.back, "reply", TAKEN_AT + 0.0005),
    )
    sizes = (
        SizeProbe(1440, True),
        SizeProbe(1441, False, "ping: local error: message too long, mtu=1440"),
    )
    return prove(trace, proof(found, SENT, sizes), seed.cluster("Always"))


def _lost() -> Trace:
    trace = seed.run("ipip")
    found = tuple(sightings(trace.forward, "request", TAKEN_AT, last=5))
    made = proof(found, 0)
    made = replace(
        made,
        watches=(*made.watches[:3], replace(made.watches[3], complete=False, reason="the pod was deleted meanwhile")),
        carried=(Carried(node="k8s-calico3", before=(), after=(), reverse_path_drops=2),),
        rules=(
            RuleCount(
                node="k8s-calico2",
                chain="filter cali-po-_abc",
                text="-A cali-po-_abc -j DROP",
                packets=3,
                verdict="drop",
                policy="huang1/deny",
            ),
        ),
        missing=(Missing("container 192.168.210.129", "the pod is gone", "k8s-calico3"),),
    )
    return prove(trace, made, seed.cluster("Always"))


DELIVERED = _delivered()
LOST = _lost()
