"""What a routing decision means: which route wins, who wrote it, what its words say."""

from __future__ import annotations

from calitui.trace.path import Disposition, Encapsulation, Hop, Step
from calitui.walkthrough.headers import is_translation
from calitui.walkthrough.routes import RouteWords, read_route
from calitui.walkthrough.scene import Scene, words
from calitui.walkthrough.slides import Words

_VXLAN_DEVICES = ("vxlan.calico", "vxlan-v6.calico")
_REFUSALS = (
    Disposition.BLACKHOLE,
    Disposition.UNREACHABLE,
    Disposition.PROHIBITED,
    Disposition.NO_ROUTE,
    Disposition.DROPPED,
)


def decision(scene: Scene, index: int) -> tuple[Words, list[Words]]:
    """Title and paragraphs of a routing decision that was read or inferred."""
    hop = scene.direction.hops[index]
    node = hop.node
    before, after = scene.pictures[index]
    dst = before[-1].dst if before else None
    if is_translation(scene.direction, index):
        restored = after[-1].dst if after else None
        return words("route.un-snat"), [words("route.un-snat", node=node, address=dst, restored=restored)]
    route = read_route(hop.route)
    if hop.ends in _REFUSALS:
        return words("route.refused", node=node), _refused(hop, route, dst)
    following = scene.hop(index + 1)
    if following is not None and following.step is Step.HOST_IN:
        return words("route.local", node=node), [words("route.local", node=node, dst=dst)]
    if following is not None and following.step is Step.VETH_OUT:
        return words("route.pod", node=node), _to_pod(scene, hop, dst)
    return words("route", node=node), _onwards(scene, index, route, dst)


def _refused(hop: Hop, route: RouteWords | None, dst: str | None) -> list[Words]:
    if hop.ends is Disposition.BLACKHOLE and route is not None:
        return [
            words("route.match", node=hop.node, dst=dst, prefix=route.prefix),
            words("route.blackhole-purpose"),
        ]
    if route is None or not route.prefix:
        return [words("route.lookup-only", node=hop.node, dst=dst)]
    said = [words("route.match", node=hop.node, dst=dst, prefix=route.prefix)]
    unresolved = hop.ends is Disposition.UNREACHABLE and route.protocol == "bird"
    return [*said, words("route.unreachable-purpose")] if unresolved else said


def _to_pod(scene: Scene, hop: Hop, dst: str | None) -> list[Words]:
    said = [words("route.same-node", node=hop.node)] if scene.is_local else []
    said.append(words("route.pod", node=hop.node, dst=dst, device=hop.device))
    return [*said, words("route.scope-link"), words("route.blackhole-wins")]


def _onwards(scene: Scene, index: int, route: RouteWords | None, dst: str | None) -> list[Words]:
    hop = scene.direction.hops[index]
    if route is None:
        return [words("route.lookup-only", node=hop.node, dst=dst), *_choices(hop)]
    said = [_match(hop, route, dst)]
    if route.next_hops > 1:
        said += _choices(hop)
    elif hop.ends is None:
        said += _next_hop(scene, index, route)
    elif route.gateway is not None:
        said.append(words("route.next-hop", gateway=route.gateway, device=route.device))
    said += _author(route)
    if route.onlink and route.gateway:
        tunnelled = _is_tunnelled(scene, index)
        key = "route.onlink" if tunnelled else "route.onlink-anyway"
        said.append(words(key, gateway=route.gateway, device=route.device))
    return said


def _match(hop: Hop, route: RouteWords, dst: str | None) -> Words:
    if route.is_default:
        return words("route.default", node=hop.node, dst=dst)
    if route.is_host:
        return words("route.host", node=hop.node, dst=dst)
    return words("route.match", node=hop.node, dst=dst, prefix=route.prefix)


def _choices(hop: Hop) -> list[Words]:
    if len(hop.next_hops) < 2:
        return []
    addresses = ", ".join(choice.gateway or choice.device or "?" for choice in hop.next_hops)
    said = [words("route.ecmp", count=len(hop.next_hops), addresses=addresses)]
    chosen = next((choice.gateway or choice.device for choice in hop.next_hops if choice.chosen), None)
    return [*said, words("route.ecmp-chosen", address=chosen) if chosen else words("route.ecmp-open")]


def _is_tunnelled(scene: Scene, index: int) -> bool:
    following = scene.hop(index + 1)
    return following is not None and following.step is Step.TUNNEL_OUT


def _next_hop(scene: Scene, index: int, route: RouteWords) -> list[Words]:
    following = scene.next_node(index)
    values = {"gateway": route.gateway, "device": route.device, "node": following}
    if _is_tunnelled(scene, index):
        kind = scene.direction.encapsulation
        if kind is Encapsulation.WIREGUARD:
            return [words("route.wireguard", device=route.device)]
        if route.gateway is None:
            return [words("route.device", device=route.device)]
        return [words("route.vtep" if kind is Encapsulation.VXLAN else "route.tunnel", **values)]
    if route.gateway is None:
        return [words("route.device", device=route.device)]
    if scene.router is not None or scene.receiver.kind == "external":
        return [words("route.router", gateway=route.gateway, device=route.device)]
    return [words("route.direct", **values)]


def _author(route: RouteWords) -> list[Words]:
    if route.protocol == "bird":
        return [words("route.bird")]
    if route.protocol == "80":
        return [words("route.felix")]
    if route.protocol is None and route.device in _VXLAN_DEVICES:
        return [words("route.felix-silent")]
    return []
