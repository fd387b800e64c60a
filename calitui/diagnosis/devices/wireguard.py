"""WireGuard on some nodes and not on others.

Keys of IPv6 (`wireguardEnabledV6`) and the peers that a device knows are not read, so nothing is said of them.
"""

from __future__ import annotations

from collections.abc import Iterator

from calitui.diagnosis.calico_node import restart
from calitui.diagnosis.devices.used import named, shown
from calitui.diagnosis.entry import Entry
from calitui.diagnosis.scene import Scene
from calitui.facts.node import Link
from calitui.trace.fabric import Place
from calitui.trace.fib import table_name
from calitui.trace.finding import Finding, Severity, Unchecked
from calitui.trace.path import Step

PARTIAL = Entry(
    code="wireguard-partial",
    severity=Severity.WARNING,
    title="WireGuard does not work on every node",
    background=(
        "With `wireguardEnabled` Felix makes a device `wireguard.cali` on every node, publishes its public key in an "
        "annotation of the Node, and adds a policy rule that sends pods' packets through it. The others encrypt to a "
        "node as soon as they see its key. A node without a key gets its packets in the clear, which goes unnoticed; "
        "a node that has published a key but lost the device gets encrypted packets that it can't open; and without "
        "the rule a node answers in the clear, which the other side's reverse path filter may drop. It happens where "
        "the kernel has no WireGuard, or where the device or the rule was removed by a network service."
    ),
    remedy="Load WireGuard's kernel module on the node and restart calico-node there.",
    reference="felix/wireguard/wireguard.go; projectcalico/calico#9751, #5095",
    steps=(Step.TUNNEL_OUT, Step.TUNNEL_IN, Step.ROUTE),
    explains=frozenset({"tunnel-packets-not-received", "rp-filter-strict"}),
)


def partial(scene: Scene) -> Iterator[Finding | Unchecked]:
    """Nodes that should encrypt and can't, or that others encrypt to in vain."""
    if scene.trace is not None and scene.trace.source.node == scene.trace.destination.node:
        return
    wanted = [name for name in scene.nodes if _is_on(scene, name)]
    if not wanted:
        return
    yield from _keyless(scene, [name for name in wanted if scene.node(name).wireguard_key is None])
    for name in wanted:
        place = scene.place(name)
        if scene.node(name).wireguard_key is None:
            continue
        if place is None or not place.read("links") or not place.read("rules"):
            what = "node" if place is None else "links" if not place.read("links") else "rules"
            yield PARTIAL.unchecked(name, f"{what}: {scene.why_unread(name, what)}")
            continue
        device = _device(scene, name)
        link = place.link(device)
        if link is None or "UP" not in link.flags:
            yield _without_device(scene, place, device, link)
        elif not _has_rule(place, device):
            yield _without_rule(scene, place, device)


def _is_on(scene: Scene, node: str) -> bool:
    known = scene.node(node)
    on = (scene.felix(node, "wireguardEnabled") or "").lower() == "true"
    return on and known.bgp_address is not None and known.labels.get("kubernetes.io/os") != "windows"


def _device(scene: Scene, node: str) -> str:
    return scene.felix(node, "wireguardInterfaceName") or "wireguard.cali"


def _keyless(scene: Scene, names: list[str]) -> Iterator[Finding]:
    if not names:
        return
    one = names[0]
    what = "has no public key" if len(names) == 1 else "have no public key"
    yield PARTIAL.found(
        one if len(names) == 1 else None,
        f"WireGuard is on, but {named(names)} {what}: packets to pods there go in the clear.",
        subject="key",
        evidence=[
            f"API FelixConfiguration: wireguardEnabled {scene.felix(one, 'wireguardEnabled')}",
            *shown(f"API Node {name}: no annotation projectcalico.org/WireguardPublicKey" for name in names),
        ],
        fix=[f"ssh {one} sudo modprobe wireguard  # fails where the kernel has none", *restart(scene, one)],
        affected=names if len(names) > 1 else (),
    )


def _without_device(scene: Scene, place: Place, device: str, link: Link | None) -> Finding:
    name = place.node
    state = f"{device} is down" if link is not None else f"there is no device {device}"
    seen = ", ".join(each.name for each in place.namespace.links)
    return PARTIAL.found(
        name,
        f"{name} has published a WireGuard key, but {state}: packets that others encrypt for it are lost.",
        subject=device,
        evidence=[
            f"API Node {name} projectcalico.org/WireguardPublicKey: {scene.node(name).wireguard_key}",
            scene.link_line(place, link)
            if link is not None
            else scene.line(name, "ip link", f"no {device} among {seen}"),
        ],
        fix=[f"ssh {name} sudo modprobe wireguard", *restart(scene, name)],
        severity=Severity.ERROR,
    )


def _has_rule(place: Place, device: str) -> bool:
    """Whether a rule leads unmarked packets to a table with routes into the device (wireguard.go)."""
    tables = {table_name(route.table) for route in place.namespace.routes if route.device == device}
    return any(
        rule.family == 4 and rule.inverted and rule.mark is not None and table_name(rule.table or "main") in tables
        for rule in place.namespace.rules
    )


def _without_rule(scene: Scene, place: Place, device: str) -> Finding:
    name = place.node
    rules = [rule.text for rule in place.namespace.rules if rule.family == 4]
    return PARTIAL.found(
        name,
        f"No policy rule on {name} leads to a table with routes into {device}: it sends pods' packets in the clear.",
        subject="rule",
        evidence=shown(scene.line(name, "ip rule", text) for text in rules),
        fix=restart(scene, name),
    )


ENTRIES = (PARTIAL,)
CHECKS = (partial,)
