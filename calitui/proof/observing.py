"""What was seen of a direction's packets at each of its hops.

A hop on an interface is matched by node, network namespace, device and the way a packet crosses it. A hop between two
interfaces, such as a route decision, was passed if the interfaces before and after it saw the packet. Not having seen
counts only where somebody watched all the time.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from calitui.facts.node import Counters
from calitui.facts.proof import Carried, Proof, Sighting, Watch
from calitui.trace.path import Direction, Endpoint, Hop, Observed, Step

OUTWARDS = {
    Step.CONTAINER_OUT: True,
    Step.VETH_IN: False,
    Step.TUNNEL_OUT: True,
    Step.NIC_OUT: True,
    Step.NIC_IN: False,
    Step.TUNNEL_IN: False,
    Step.VETH_OUT: True,
    Step.CONTAINER_IN: False,
}
"""The steps that are on an interface, and whether the packet leaves its namespace by it."""

_NICS = (Step.NIC_OUT, Step.NIC_IN)
_INSIDE = (Step.CONTAINER_OUT, Step.CONTAINER_IN)


class Scene(msgspec.Struct, frozen=True):
    """A direction with its ends, and what a proof says of the packets that took it: `kind` is `request` or `reply`."""

    direction: Direction
    source: Endpoint
    destination: Endpoint
    proof: Proof
    kind: str

    @property
    def sightings(self) -> tuple[Sighting, ...]:
        """This direction's packets, without those of size probes."""
        return tuple(one for one in self.proof.sightings if one.kind == self.kind and one.size is None)

    def watch(self, node: str | None, container: str | None = None) -> Watch | None:
        """How a place was watched."""
        found = (one for one in self.proof.watches if (one.node, one.container) == (node, container))
        return next(found, None)

    def inside(self, end: Endpoint) -> Watch | None:
        """How the inside of a pod was watched."""
        return next((one for ip in _ips(end) if (one := self.watch(end.node, ip)) is not None), None)

    @property
    def arrived(self) -> tuple[Sighting, ...]:
        """The packets that came in to the destination's own network namespace."""
        if self.destination.kind != "pod":
            return ()
        ips = _ips(self.destination)
        return tuple(
            one
            for one in self.sightings
            if one.node == self.destination.node and one.container in ips and one.outgoing is not True
        )


def _ips(end: Endpoint) -> tuple[str, ...]:
    return tuple(dict.fromkeys(ip for ip in (end.ip, *end.ips) if ip))


def observe(scene: Scene) -> tuple[Observed, ...]:
    """What was seen at each hop, in the order of the hops."""
    hops = scene.direction.hops
    own = [_on_interface(scene, hop) if hop.step in OUTWARDS else None for hop in hops]
    return tuple(one if one is not None else _between(scene, own, place) for place, one in enumerate(own))


def _on_interface(scene: Scene, hop: Hop) -> Observed:
    container: str | None = None
    watch = scene.watch(hop.node)
    if hop.step in _INSIDE:
        end = scene.source if hop.step is Step.CONTAINER_OUT else scene.destination
        watch = scene.inside(end)
        container = watch.container if watch is not None else end.ip
    if any((header.detail or "").startswith("WireGuard") for header in hop.packet[:-1]) and hop.step in _NICS:
        return Observed(seen=None, reason="the packet is encrypted here: which one it is can't be seen")
    here = [one for one in scene.sightings if one.node == hop.node and one.container == container]
    found = [one for one in here if _crosses(one, hop) and one.device == hop.device]
    if not found and hop.device is None:
        found = [one for one in here if _is_elsewhere(one, hop, scene)]
    if found:
        return Observed(
            seen=True,
            count=counted(found),
            headers=found[0].headers,
            device=found[0].device if hop.device is None else None,
        )
    where = f"the inside of {container}" if container is not None else (hop.node or "this place")
    if watch is None:
        return Observed(seen=None, reason=f"{where} was not watched")
    if watch.how != "tcpdump":
        return _by_counters(scene, hop, watch)
    if not watch.complete:
        return Observed(seen=None, reason=f"{where} was not watched all the time: {watch.reason or 'why was not told'}")
    other = next((one for one in here if _is_elsewhere(one, hop, scene)), None)
    if other is not None:
        reason = f"seen on {other.device}, not on {hop.device}"
        return Observed(seen=False, headers=other.headers, device=other.device, reason=reason)
    return Observed(seen=False, reason=f"no packet was seen on {hop.device or 'any device'}")


def counted(found: Sequence[Sighting]) -> int:
    """How many packets these are: one that is seen twice in a place counts once."""
    numbers = [one.sequence for one in found]
    return len(set(numbers)) if None not in numbers else len(numbers)


def _crosses(one: Sighting, hop: Hop) -> bool:
    return one.outgoing is None or one.outgoing is OUTWARDS[hop.step]


def _is_elsewhere(one: Sighting, hop: Hop, scene: Scene) -> bool:
    """Whether a packet crossed the node at the same point of its way, by a device that no other hop is on."""
    if hop.step in _INSIDE or not _crosses(one, hop) or one.outgoing is None:
        return False
    taken = {
        other.device
        for other in scene.direction.hops
        if other.node == hop.node and OUTWARDS.get(other.step) is OUTWARDS[hop.step] and other is not hop
    }
    if one.device in taken:
        return False
    # A packet goes out of a NIC with its tunnel's header and into the tunnel without.
    return hop.step not in _NICS or len(one.headers) == max(len(hop.packet), 1) or not hop.packet


def _by_counters(scene: Scene, hop: Hop, watch: Watch) -> Observed:
    """What a device's counters tell; on a network card other packets are counted with the probe's."""
    found = next((one for one in scene.proof.carried if one.node == hop.node), None)
    sent = scene.proof.probe.count
    if hop.step in _INSIDE or found is None or hop.device is None:
        return Observed(seen=None, reason=watch.reason or "nothing was read here that counts packets")
    more = _more(found, hop.device, out=OUTWARDS[hop.step])
    if more is None:
        return Observed(seen=None, reason=f"the counters of {hop.device} were not read")
    words = f"{hop.device} counted {more} {'packet' if more == 1 else 'packets'} more"
    if more <= 0:
        return Observed(seen=False, reason=f"{hop.device} counted no packet more")
    if hop.step in _NICS:
        return Observed(seen=None, count=more, reason=f"{words}: whether the probe's are among them can't be told")
    if more < sent:
        return Observed(seen=None, count=more, reason=f"{words} while {sent} were sent")
    return Observed(seen=True, count=more, reason=f"{words}, whose they are was not seen")


def _more(found: Carried, device: str, *, out: bool) -> int | None:
    pair = [_counters(rows, device) for rows in (found.before, found.after)]
    if pair[0] is None or pair[1] is None:
        return None
    return pair[1].tx_packets - pair[0].tx_packets if out else pair[1].rx_packets - pair[0].rx_packets


def _counters(rows: tuple[Counters, ...], device: str) -> Counters | None:
    return next((one for one in rows if one.device == device), None)


def _between(scene: Scene, own: Sequence[Observed | None], place: int) -> Observed:
    """A hop that no interface is at, by its neighbours that are."""
    hop = scene.direction.hops[place]
    before = next((one for one in reversed(own[:place]) if one is not None), None)
    after = next((one for one in own[place + 1 :] if one is not None), None)
    if after is not None:
        if after.seen is None or (before is not None and before.seen is None):
            return Observed(seen=None, reason="what is before or behind was not watched")
        if before is not None and not passed(before):
            return Observed(seen=False, reason="no packet came here")
        if not passed(after):
            return Observed(seen=False, reason="packets came in here and did not go on")
        return Observed(seen=True, count=after.count)
    if before is None or before.seen is None:
        return Observed(seen=None, reason="what is before was not watched")
    if not passed(before):
        return Observed(seen=False, reason="no packet came here")
    replied = any(one.kind == "reply" and one.node == hop.node and one.size is None for one in scene.proof.sightings)
    if scene.kind == "request" and (replied or scene.proof.probe.answered):
        return Observed(seen=True, count=before.count, reason=f"{hop.node} answered")
    if scene.kind == "reply" and scene.proof.probe.answered:
        return Observed(seen=True, count=before.count, reason="the sender got the replies")
    return Observed(seen=None, reason=f"packets came in to {hop.node}; what it did with them has no interface to see")


def passed(one: Observed) -> bool:
    """Whether a packet passed here, be it by another device."""
    return bool(one.seen) or one.device is not None
