"""What else lives on a node and gets in Calico's way: the connection table, NetworkManager, systemd-networkd."""

from __future__ import annotations

from collections.abc import Iterator

from calitui.diagnosis.calico_node import restart
from calitui.diagnosis.devices.used import named, shown
from calitui.diagnosis.entry import Entry
from calitui.diagnosis.scene import Scene, address, network
from calitui.facts.bird import BirdRoute
from calitui.facts.node import ManagedDevice, NodeFacts
from calitui.trace.fabric import Place
from calitui.trace.finding import Finding, Severity, Unchecked
from calitui.trace.path import Step

FULL = Entry(
    code="conntrack-full",
    severity=Severity.WARNING,
    title="the node's connection table is full",
    background=(
        "The kernel remembers every connection that passes a node, for NAT and for network policy, in a table of "
        "limited size (net.netfilter.nf_conntrack_max). Every pod's connection is in it, wrapped ones a second time "
        "with their outer header. When it is full the kernel drops the first packet of each new connection and writes "
        "`nf_conntrack: table full, dropping packet` to its log, while existing connections go on: some requests fail, "
        "others don't. Many short connections, a scan, or DNS without a cache fill it."
    ),
    remedy="Raise net.netfilter.nf_conntrack_max (kube-proxy's conntrack settings) and find who opens so many.",
    reference="Linux Documentation/networking/nf_conntrack-sysctl.rst",
    steps=(Step.ROUTE,),
)
SERVICE = Entry(
    code="routes-removed-by-host-service",
    severity=Severity.INFO,
    title="a service of the host takes Calico's devices for its own",
    background=(
        "NetworkManager and systemd-networkd keep the devices they manage as their own configuration says and remove "
        "addresses and routes that they don't know. If they manage `cali*`, `tunl0` or `vxlan.calico`, or if networkd "
        "manages the card without ManageForeignRoutes=no, Calico's routes vanish with their next restart or lease. "
        "Felix puts its own back after a while, BIRD does not notice at once; pods' connections break in between. It "
        "shows after updates of the distribution, when such a service is restarted on many nodes."
    ),
    remedy="Tell NetworkManager to leave cali*, tunl*, vxlan.calico and wireguard.cali unmanaged, and networkd to keep "
    "foreign routes (ManageForeignRoutes=no).",
    reference="docs.tigera.io Configure NetworkManager; networkd.conf(5); projectcalico/calico#4779",
    steps=(Step.ROUTE,),
)
_NO = ("no", "false", "0", "off")
_TUNNELS = ("tunl0", "vxlan.calico", "vxlan-v6.calico", "wireguard.cali", "wg-v6.cali")


def conntrack(scene: Scene) -> Iterator[Finding | Unchecked]:
    """Connection tables that are, or soon will be, full."""
    for place in scene.read(FULL, "sysctls"):
        if isinstance(place, Unchecked):
            yield place
            continue
        count, most = (_number(place.sysctl(f"netfilter/nf_conntrack_{what}")) for what in ("count", "max"))
        if count is None or not most or count < most * 0.95:
            continue
        name, full = place.node, count >= most
        words = "new connections are dropped" if full else "soon new connections are dropped"
        yield FULL.found(
            name,
            f"The connection table of {name} holds {count} of at most {most} entries: {words}.",
            subject="conntrack",
            evidence=[
                scene.line(name, "sysctl", f"net.netfilter.nf_conntrack_count = {count}"),
                scene.line(name, "sysctl", f"net.netfilter.nf_conntrack_max = {most}"),
            ],
            fix=[
                f"ssh {name} sudo sysctl -w net.netfilter.nf_conntrack_max={most * 2}",
                "# kube-proxy sets it again: conntrack.maxPerCore in its configuration",
            ],
            severity=Severity.ERROR if full else None,
        )


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 20 else None


def removed_routes(scene: Scene) -> Iterator[Finding | Unchecked]:
    """Services that manage Calico's devices, and whether routes that BIRD has are missing in the kernel."""
    for name in scene.nodes:
        facts, place = scene.facts.get(name), scene.place(name)
        if facts is None or place is None:
            continue
        if facts.managed_devices is None:
            yield SERVICE.unchecked(name, scene.why_unread(name, "managed devices"))
            continue
        allowed = tuple(scene.fabric.prefixes)
        keeps = any(_says_no(line) for line in facts.foreign_routes or ())
        removing = ("NetworkManager",) if keeps else ("NetworkManager", "systemd-networkd")
        claimed = [one for one in facts.managed_devices if one.service in removing]
        ours = [one for one in claimed if one.device in _TUNNELS or one.device.startswith(allowed)]
        lost = _lost(scene, facts, place)
        # A card is the service's own business: it is suspect only where routes by it are gone.
        gone_by = [one for one in claimed if lost and one.device in {route.device for route in lost}]
        told = list(dict.fromkeys([*ours, *gone_by]))
        if told:
            yield _found(scene, facts, told, lost)


def _says_no(line: str) -> bool:
    key, _, value = line.rpartition("=")
    return key.rstrip().endswith("ManageForeignRoutes") and value.strip().lower() in _NO


def _lost(scene: Scene, facts: NodeFacts, place: Place) -> list[BirdRoute]:
    """Block routes that BIRD has selected and the kernel does not hold, both read whole."""
    if not place.read("routes"):
        return []
    held = {route.prefix for route in place.namespace.routes}
    found = []
    for bird in facts.birds or ():
        if bird.answer is None or not bird.complete or bird.family != 4:
            continue
        for route in bird.answer.routes:
            learned = not route.protocol.startswith(("kernel", "static", "direct", "device"))
            around = network(route.prefix)
            if route.mark != "*" or not learned or around is None or route.kind not in ("via", "multipath", "unicast"):
                continue
            pool = scene.fabric.pool_of(str(around.network_address))
            if pool is not None and _in_question(scene, route.prefix) and str(around) not in held:
                found.append(route)
    return found


def _in_question(scene: Scene, prefix: str) -> bool:
    if scene.trace is None:
        return True
    around = network(prefix)
    ends = [address(end.ip) for end in (scene.trace.source, scene.trace.destination)]
    return around is not None and any(ip is not None and ip.version == around.version and ip in around for ip in ends)


def _found(scene: Scene, facts: NodeFacts, told: list[ManagedDevice], lost: list[BirdRoute]) -> Finding:
    name = facts.name
    services = list(dict.fromkeys(one.service for one in told))
    devices = named(one.device for one in told)
    gone = f" {len(lost)} routes that BIRD has are missing in the kernel already." if lost else ""
    spare = ["# /etc/NetworkManager/conf.d/calico.conf, then systemctl reload NetworkManager:", "[keyfile]"]
    spare.append("unmanaged-devices=interface-name:cali*;interface-name:tunl*;interface-name:vxlan.calico;"
                 "interface-name:vxlan-v6.calico;interface-name:wireguard.cali;interface-name:wg-v6.cali")  # fmt: skip
    keep = ["# /etc/systemd/networkd.conf.d/calico.conf, then systemctl restart systemd-networkd:", "[Network]"]
    keep += ["ManageForeignRoutes=no", "ManageForeignRoutingPolicyRules=no"]
    return SERVICE.found(
        name,
        f"{named(services)} on {name} manages {devices} and may remove Calico's routes with its next restart.{gone}",
        subject=services[0],
        evidence=[
            *shown((scene.line(name, one.service, one.text or one.device) for one in told), 4),
            *shown((scene.line(name, "birdcl show route", route.text) for route in lost), 4),
        ],
        fix=[
            *(spare if "NetworkManager" in services else ()),
            *(keep if "systemd-networkd" in services else ()),
            *(restart(scene, name) if lost else ()),
        ],
        severity=Severity.WARNING if lost else None,
    )


ENTRIES = (SERVICE, FULL)
CHECKS = (conntrack, removed_routes)
