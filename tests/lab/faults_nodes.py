"""Faults of a node's kernel: a pod's own route and veth, forwarding, proxy ARP, packet filter. No encapsulation."""

from __future__ import annotations

from tests.lab.breaking import Fault, Shell
from tests.lab.clusters import BGP
from tests.lab.faults_bgp import DESTINATION, FAR, GATEWAY, HERE, OWN, SOURCE, THERE, bgp_fault
from tests.lab.spec import PodSpec

_SOURCE, _TARGET = BGP.find(SOURCE)[1], BGP.find(DESTINATION)[1]
_POD_ROUTE = f"{_TARGET.ip}/32 dev {_TARGET.veth} scope link"
_FORGET = f"ip -n {_SOURCE.netns} neigh flush all"
"""A container asks anew who has 169.254.1.1."""


def _inside(pod: PodSpec, command: str) -> str:
    return f"ip -n {pod.netns} {command}"


_ROUTES_INSIDE = (
    f"{_inside(_SOURCE, 'route add 169.254.1.1 dev eth0 scope link')}; "
    f"{_inside(_SOURCE, 'route add default via 169.254.1.1 dev eth0')}"
)
_FORWARD_DROP = "add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }"
_POLICY = f"cali-tw-{_TARGET.veth}"
_POLICY_DROP = (
    f"add table ip filter; add chain ip filter {_POLICY}; add rule ip filter {_POLICY} counter drop comment "
    '"cali:aBcDeFgHiJkLmNoP Drop if no policies passed packet"; '
    "add chain ip filter FORWARD { type filter hook forward priority 0; policy accept; }; "
    f'add rule ip filter FORWARD oifname "{_TARGET.veth}" counter jump {_POLICY}'
)
"""A policy of Calico that lets nothing in to the pod, as Felix writes it."""
_OLD_RULES = (
    "add table ip filter; add chain ip filter cali-FORWARD; add rule ip filter cali-FORWARD counter accept; "
    "add chain ip filter FORWARD { type filter hook forward priority 0; policy accept; }; "
    "add rule ip filter FORWARD counter jump cali-FORWARD"
)
_ARP_DROP = (
    "add table arp filter; add chain arp filter input { type filter hook input priority 0; }; "
    f"add rule arp filter input arp saddr ip {OWN.address} drop"
)
_WRONG_MAC = "52:54:00:00:00:99"

NODE_FAULTS: tuple[Fault, ...] = (
    bgp_fault(
        "no-pod-route", "pod-route-missing", Shell(THERE, f"ip route del {_POD_ROUTE}", f"ip route add {_POD_ROUTE}")
    ),
    bgp_fault(
        "pod-route-on-a-stale-veth",
        "pod-route-wrong-device",
        Shell(
            THERE,
            "ip link add cali00000000bad type veth peer name old0; ip link set old0 up; "
            "ip link set cali00000000bad up; "
            f"ip route replace {_TARGET.ip}/32 dev cali00000000bad scope link",
            f"ip link del cali00000000bad; ip route add {_POD_ROUTE}",
        ),
    ),
    bgp_fault(
        "veth-renamed",
        "pod-veth-missing",
        Shell(
            THERE,
            f"ip link set {_TARGET.veth} down; ip link set {_TARGET.veth} name old0; ip link set old0 up",
            f"ip link set old0 down; ip link set old0 name {_TARGET.veth}; ip link set {_TARGET.veth} up; "
            f"ip route add {_POD_ROUTE}",
        ),
    ),
    bgp_fault(
        "container-device-down",
        "container-device-down",
        Shell(
            HERE,
            _inside(_SOURCE, "link set eth0 down"),
            f"{_inside(_SOURCE, 'link set eth0 up')}; {_ROUTES_INSIDE}",
        ),
    ),
    bgp_fault(
        "container-without-default-route",
        "container-no-default-route",
        Shell(
            HERE,
            _inside(_SOURCE, "route del default"),
            _inside(_SOURCE, "route add default via 169.254.1.1 dev eth0"),
        ),
    ),
    bgp_fault(
        "ip-forward-off",
        "ip-forward-off",
        Shell(THERE, "echo 0 >/proc/sys/net/ipv4/ip_forward", "echo 1 >/proc/sys/net/ipv4/ip_forward"),
    ),
    bgp_fault(
        "device-forwarding-off",
        "device-forwarding-off",
        Shell(
            THERE,
            "echo 0 >/proc/sys/net/ipv4/conf/eth0/forwarding",
            "echo 1 >/proc/sys/net/ipv4/conf/eth0/forwarding",
        ),
    ),
    bgp_fault(
        "rp-filter-loose",
        "rp-filter-loose",
        Shell(
            HERE,
            "echo 2 >/proc/sys/net/ipv4/conf/all/rp_filter",
            "echo 1 >/proc/sys/net/ipv4/conf/all/rp_filter",
        ),
        lost=False,
    ),
    Fault(
        name="container-without-address",
        cluster="bgp",
        undetectable="a container is found by its address: that nobody has it is told as not checked",
        steps=(
            Shell(
                HERE,
                # With a device's last address the kernel removes its routes.
                f"{_inside(_SOURCE, f'addr del {_SOURCE.ip}/32 dev eth0')}; {_ROUTES_INSIDE}",
                f"{_inside(_SOURCE, f'addr add {_SOURCE.ip}/32 dev eth0')}",
            ),
        ),
        source=SOURCE,
        destination=DESTINATION,
    ),
    bgp_fault(
        "proxy-arp-off",
        "proxy-arp-off",
        Shell(
            HERE,
            f"echo 0 >/proc/sys/net/ipv4/conf/{_SOURCE.veth}/proxy_arp; {_FORGET}",
            f"echo 1 >/proc/sys/net/ipv4/conf/{_SOURCE.veth}/proxy_arp; {_FORGET}",
        ),
    ),
    bgp_fault(
        "no-default-route",
        "no-default-route",
        Shell(
            HERE,
            f"ip route del default via {GATEWAY} dev eth0; {_FORGET}",
            f"ip route add default via {GATEWAY} dev eth0; {_FORGET}",
        ),
    ),
    bgp_fault(
        "forward-policy-drop",
        "firewall-drops-forwarded",
        Shell(THERE, f"nft '{_FORWARD_DROP}'", "nft delete table ip filter"),
    ),
    Fault(
        name="policy-drops",
        cluster="bgp",
        code="policy-drops-counted",
        steps=(Shell(THERE, f"nft '{_POLICY_DROP}'", "nft delete table ip filter"),),
        source=SOURCE,
        destination=DESTINATION,
        in_audit=False,
    ),
    Fault(
        name="rules-in-two-backends",
        cluster="bgp",
        code="firewall-two-backends",
        steps=(
            Shell(
                THERE,
                f"nft '{_OLD_RULES}'; iptables-legacy -A FORWARD -s 203.0.113.0/24 -j DROP",
                "nft delete table ip filter; iptables-legacy -F FORWARD",
            ),
        ),
        source=SOURCE,
        destination=DESTINATION,
        lost=False,
        needs=("iptables-legacy",),
    ),
    bgp_fault(
        "neighbour-does-not-answer",
        "next-hop-no-neighbour",
        Shell(THERE, f"nft '{_ARP_DROP}'", "nft delete table arp filter"),
        Shell(
            HERE,
            f"ip neigh flush {FAR.address} dev eth0; ping -n -c 1 -W 1 {FAR.address} >/dev/null || :",
            f"ip neigh flush {FAR.address} dev eth0",
        ),
    ),
    Fault(
        name="neighbour-has-a-wrong-mac",
        cluster="bgp",
        undetectable="no node knows another's MAC address but by asking on the wire",
        steps=(
            Shell(
                HERE,
                f"ip neigh replace {FAR.address} lladdr {_WRONG_MAC} dev eth0 nud reachable",
                f"ip neigh del {FAR.address} dev eth0",
            ),
        ),
        source=SOURCE,
        destination=DESTINATION,
    ),
)
