"""What each kind of hop means: title and paragraphs, chosen by the hop's own facts.

A step that ends the direction is told as what should have happened: nothing here claims what the trace does not say.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from calitui.trace.path import Disposition, Encapsulation, Evidence, Hop, Step
from calitui.trace.veth import veth_name
from calitui.walkthrough.decisions import decision
from calitui.walkthrough.routes import read_route
from calitui.walkthrough.scene import Scene, is_lost, words
from calitui.walkthrough.slides import Words

_POD_GATEWAY = "169.254.1.1"
_HASH = 11
"""Hex digits at the end of a veth's name."""
_MAC = re.compile(r"\blladdr ([0-9a-f:]{17})\b")
_OVERHEADS = {(Encapsulation.IPIP, False): 20, (Encapsulation.VXLAN, False): 50, (Encapsulation.VXLAN, True): 70}
"""Bytes that the outer headers take, by the outer family being IPv6 (RFC 2003, RFC 7348)."""

Told = tuple[Words, list[Words]]


def tell(scene: Scene, index: int) -> Told:
    """Title and paragraphs of the hop at `index`."""
    hop = scene.direction.hops[index]
    if hop.evidence is Evidence.NOT_READ and not hop.route and not hop.device:
        return words("not-read", node=hop.node), [words("not-read", node=hop.node)]
    return _TELLERS[hop.step](scene, index)


def _container_out(scene: Scene, index: int) -> Told:
    hop = scene.direction.hops[index]
    route = read_route(hop.route)
    title = words("pod-out")
    pod = scene.sender.label
    if is_lost(hop):
        return title, [words("pod-out.fails", pod=pod)]
    gateway = route.gateway if route is not None else None
    values = {"pod": pod, "device": hop.device, "gateway": gateway}
    if gateway == _POD_GATEWAY:
        return title, [
            words("pod-out.gateway", **values),
            words("pod-out.slash32"),
            words("pod-out.scope-link", device=hop.device),
        ]
    if gateway is not None and gateway.startswith("fe80:"):
        return title, [words("pod-out.gateway6", **values), words("pod-out.slash128")]
    return title, [words("pod-out.other", pod=pod, device=hop.device)]


def _veth_in(scene: Scene, index: int) -> Told:
    hop = scene.direction.hops[index]
    if is_lost(hop):
        said = [words("veth-in.fails", device=hop.device, node=hop.node), *_name(scene, hop.device)]
        return words("veth-in.fails", device=hop.device), [*said, words("veth-in.gateway-wanted")]
    title = words("veth-in", device=hop.device)
    said = [words("veth-in.cable", device=hop.device, node=hop.node), *_name(scene, hop.device)]
    if hop.packet and ":" in hop.packet[-1].src:
        return title, [*said, words("veth-in.link-local", device=hop.device)]
    return title, [*said, words("veth-in.proxy-arp", device=hop.device)]


def _name(scene: Scene, device: str | None) -> list[Words]:
    pod = scene.sender
    if pod.namespace is None or pod.name is None or device is None or len(device) <= _HASH:
        return []
    prefix = device[:-_HASH]
    if veth_name(pod.namespace, pod.name, prefix) != device:
        return []
    return [words("veth-in.name", device=device, prefix=prefix, namespace=pod.namespace, pod=pod.name)]


def _tunnel_out(scene: Scene, index: int) -> Told:
    hop = scene.direction.hops[index]
    kind = scene.direction.encapsulation
    if is_lost(hop) and hop.ends is not Disposition.LOOP:
        return words("wrap.fails", device=hop.device), [words("wrap.fails", device=hop.device)]
    outer = hop.packet[0]
    values = {"device": hop.device, "src": outer.src, "dst": outer.dst}
    if kind is Encapsulation.VXLAN:
        route = read_route(hop.route)
        vtep = route.gateway if route is not None else None
        said = [
            words("wrap.vxlan-search", device=hop.device, vtep=vtep, dst=outer.dst),
            words("wrap.vxlan", src=outer.src, dst=outer.dst, detail=outer.detail),
        ]
    elif kind is Encapsulation.WIREGUARD:
        said = [words("wrap.wireguard", **values)]
    else:
        said = [words("wrap.ipip", **values), words("wrap.protocol-4")]
    said.append(words("wrap.why"))
    overhead = _OVERHEADS.get((kind, ":" in outer.dst))
    if overhead is not None and hop.mtu is not None:
        said.append(words("wrap.mtu", bytes=overhead, device=hop.device, mtu=hop.mtu))
    return words("wrap", device=hop.device), said


def _nic_out(scene: Scene, index: int) -> Told:
    hop = scene.direction.hops[index]
    title = words("nic-out", device=hop.device, node=hop.node)
    outer = hop.packet[0] if hop.packet else None
    dst = outer.dst if outer is not None else None
    if is_lost(hop):
        return title, [words("nic-out.fails", device=hop.device, dst=dst)]
    wrapped = len(hop.packet) > 1
    said = [words("nic-out.wrapped", node=hop.node, dst=dst)] if wrapped else []
    said += _handed_on(scene, hop, index, wrapped=wrapped)
    before, after = scene.pictures[index]
    if before and after and before[-1].src != after[-1].src:
        said.append(words("nic-out.snat", src=before[-1].src, address=after[-1].src))
    if scene.receiver.kind == "external" and hop.ends is not None:
        said.append(words("nic-out.leaves"))
    return title, said


def _handed_on(scene: Scene, hop: Hop, index: int, *, wrapped: bool) -> list[Words]:
    """To the router or straight to the other machine, as the route for the next hop says."""
    route = read_route(hop.route)
    if route is None:
        return [words("nic-out.device", device=hop.device)]
    if route.next_hops > 1:
        return [words("nic-out.device", device=hop.device)]
    if route.gateway is not None:
        if scene.router is not None or wrapped or scene.receiver.kind == "external":
            return [words("nic-out.gateway", gateway=route.gateway, device=hop.device)]
        return [words("nic-out.neighbour-gateway", gateway=route.gateway, device=hop.device)]
    asks = "nic-out.ndp" if hop.packet and ":" in hop.packet[0].dst else "nic-out.arp"
    target = hop.packet[0].dst if wrapped and hop.packet else _gateway_before(scene, index) or hop.packet[0].dst
    said = [words("nic-out.link", prefix=route.prefix, device=hop.device), words(asks, target=target)]
    mac = next((found.group(1) for line in hop.lines if target in line and (found := _MAC.search(line))), None)
    return [*said, words("nic-out.mac", target=target, mac=mac)] if mac else said


def _gateway_before(scene: Scene, index: int) -> str | None:
    """The next hop of the decision that led to a NIC."""
    previous = scene.hop(index - 1)
    if previous is None or previous.step is not Step.ROUTE:
        return None
    chosen = next((choice.gateway for choice in previous.next_hops if choice.chosen), None)
    route = read_route(previous.route)
    return chosen or (route.gateway if route is not None else None)


def _nic_in(scene: Scene, index: int) -> Told:
    hop = scene.direction.hops[index]
    title = words("nic-in", node=hop.node)
    dst = hop.packet[0].dst if hop.packet else None
    if is_lost(hop):
        return title, [words("nic-in.fails", node=hop.node, dst=dst)]
    if scene.sender.kind == "external" and index == 0:
        return title, [words("nic-in.outside", node=hop.node)]
    if len(hop.packet) > 1:
        return title, [words("nic-in.wrapped", node=hop.node, device=hop.device, dst=dst)]
    if scene.receiver.kind == "pod":
        return title, [words("nic-in.plain", node=hop.node, device=hop.device, dst=dst)]
    return title, [words("nic-in.own", node=hop.node, device=hop.device)]


def _tunnel_in(scene: Scene, index: int) -> Told:
    hop = scene.direction.hops[index]
    if is_lost(hop):
        return words("unwrap.fails", node=hop.node), [words("unwrap.fails", node=hop.node)]
    kind = scene.direction.encapsulation
    inner = hop.packet[-1] if hop.packet else None
    said = [words(f"unwrap.{kind.value}", device=hop.device)]
    if inner is not None:
        said.append(words("unwrap.inner", src=inner.src, dst=inner.dst))
    return words("unwrap", device=hop.device), said


def _veth_out(scene: Scene, index: int) -> Told:
    hop = scene.direction.hops[index]
    title = words("veth-out", device=hop.device)
    key = "veth-out.fails" if is_lost(hop) else "veth-out"
    return title, [words(key, device=hop.device, pod=scene.receiver.label)]


def _container_in(scene: Scene, index: int) -> Told:
    hop = scene.direction.hops[index]
    dst = hop.packet[-1].dst if hop.packet else None
    key = "pod-in.fails" if is_lost(hop) else "pod-in"
    return words("pod-in"), [words(key, pod=scene.receiver.label, device=hop.device, dst=dst)]


def _host_out(scene: Scene, index: int) -> Told:
    hop = scene.direction.hops[index]
    said = [words("host-out", node=hop.node)]
    if scene.number == 0 and hop.packet:
        said.append(words("host-out.source", src=hop.packet[-1].src))
    return words("host-out", node=hop.node), said


def _host_in(scene: Scene, index: int) -> Told:
    hop = scene.direction.hops[index]
    dst = hop.packet[-1].dst if hop.packet else None
    return words("host-in", node=hop.node), [words("host-in", node=hop.node, dst=dst)]


_TELLERS: dict[Step, Callable[[Scene, int], Told]] = {
    Step.CONTAINER_OUT: _container_out,
    Step.VETH_IN: _veth_in,
    Step.ROUTE: decision,
    Step.TUNNEL_OUT: _tunnel_out,
    Step.NIC_OUT: _nic_out,
    Step.NIC_IN: _nic_in,
    Step.TUNNEL_IN: _tunnel_in,
    Step.VETH_OUT: _veth_out,
    Step.CONTAINER_IN: _container_in,
    Step.HOST_OUT: _host_out,
    Step.HOST_IN: _host_in,
}
