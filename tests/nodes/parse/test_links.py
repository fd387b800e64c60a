from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calitui.facts.node import Address, Link
from calitui.nodes.parse import parse_links

VETH = (
    "9: cali3683f65394b@if4: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1480 qdisc noqueue state UP mode DEFAULT group "
    "default qlen 1000\\    link/ether ee:ee:ee:ee:ee:ee brd ff:ff:ff:ff:ff:ff link-netnsid 3 promiscuity 0 "
    "minmtu 68 maxmtu 65535 \\    veth addrgenmode eui64 numtxqueues 2 numrxqueues 2 gso_max_size 65536 "
)
TUNL0 = (
    "4: tunl0@NONE: <NOARP,UP,LOWER_UP> mtu 1480 qdisc noqueue state UNKNOWN mode DEFAULT group default qlen 1000\\    "
    "link/ipip 0.0.0.0 brd 0.0.0.0 promiscuity 0 minmtu 0 maxmtu 0 \\    ipip any remote any local any ttl inherit "
    "nopmtudisc addrgenmode eui64 numtxqueues 1 numrxqueues 1 "
)
VXLAN = (
    "4: vxlan.calico: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1450 qdisc noqueue state UNKNOWN mode DEFAULT group "
    "default qlen 1000\\    link/ether 66:31:3a:fa:51:89 brd ff:ff:ff:ff:ff:ff promiscuity 0 \\    vxlan id 4096 local "
    "192.168.56.11 dev eth1 srcport 0 0 dstport 4789 nolearning ttl auto ageing 300 udpcsum addrgenmode eui64 "
)


def _one(text: str) -> Link:
    parsed = parse_links(text)
    assert parsed.unparsed == ()
    (link,) = parsed.items
    return link


def _read(link: Link, *fields: str) -> tuple[object, ...]:
    return tuple(getattr(link, field) for field in fields)


def test_a_veth_and_where_its_other_end_is() -> None:
    link = _one(VETH)
    assert _read(link, "index", "name", "kind", "peer_index", "peer_namespace", "mtu", "state", "mac") == (
        9,
        "cali3683f65394b",
        "veth",
        4,
        "3",
        1480,
        "UP",
        "ee:ee:ee:ee:ee:ee",
    )
    assert link.flags == ("BROADCAST", "MULTICAST", "UP", "LOWER_UP")
    assert link.is_up
    assert link.text.startswith("9: cali3683f65394b@if4: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1480")


def test_a_named_namespace_is_kept_by_its_name() -> None:
    assert _one(VETH.replace("link-netnsid 3", "link-netns cni-de752fd4")).peer_namespace == "cni-de752fd4"


def test_the_ipip_device_has_no_ends_of_its_own() -> None:
    link = _one(TUNL0)
    assert _read(link, "name", "kind", "mac", "tunnel_local", "tunnel_remote", "parent", "peer_index") == (
        "tunl0",
        "ipip",
        None,
        None,
        None,
        None,
        None,
    )


def test_a_tunnel_with_two_ends() -> None:
    text = TUNL0.replace("remote any local any", "remote 10.0.0.9 local 10.0.0.1").replace(
        "0.0.0.0 brd 0.0.0.0", "10.0.0.1 peer 10.0.0.9"
    )
    assert _read(_one(text), "tunnel_local", "tunnel_remote") == ("10.0.0.1", "10.0.0.9")
    plain = text.partition("\\    ipip")[0]
    assert _read(_one(plain), "kind", "tunnel_local", "tunnel_remote") == ("", "10.0.0.1", "10.0.0.9")


def test_a_vxlan_device() -> None:
    link = _one(VXLAN)
    assert _read(link, "kind", "vni", "port", "parent", "tunnel_local", "tunnel_remote") == (
        "vxlan",
        4096,
        4789,
        "eth1",
        "192.168.56.11",
        None,
    )
    external = _one(VXLAN.replace("vxlan id 4096 local 192.168.56.11 dev eth1", "vxlan external id 0"))
    assert _read(external, "kind", "vni", "tunnel_local", "parent") == ("vxlan", None, None, None)


def test_what_a_bridge_port_is_part_of_is_not_its_kind() -> None:
    link = _one(
        "5: eth0: <BROADCAST,UP> mtu 1500 master br0 state UP \\    link/ether 02:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff "
        "promiscuity 1 \\    bridge_slave state forwarding priority 32 addrgenmode eui64 \\    altname enp0s8"
    )
    assert _read(link, "kind", "master", "state") == ("", "br0", "UP")


@pytest.mark.parametrize("alias", ["vxlan id 5", "\\    vxlan id 5 local 6.6.6.6"])
def test_an_alias_is_no_kind(alias: str) -> None:
    link = _one(f"5: eth0: <UP> mtu 1500\\    link/ether 02:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff \\    alias {alias}")
    assert _read(link, "kind", "vni", "tunnel_local") == ("", None, None)


def test_the_same_pair_in_one_namespace_and_a_vlan() -> None:
    links = parse_links(
        "2: a@b: <UP> mtu 1500\\    link/ether 02:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff\n"
        "3: b@a: <UP> mtu 1500\\    link/ether 02:00:00:00:00:02 brd ff:ff:ff:ff:ff:ff\n"
        "4: b.7@b: <UP> mtu 1500\\    link/ether 02:00:00:00:00:02 brd ff:ff:ff:ff:ff:ff \\    vlan id 7\n"
    ).items
    assert [(link.name, link.peer_index, link.parent) for link in links] == [
        ("a", 3, None),
        ("b", 2, None),
        ("b.7", None, "b"),
    ]


def test_what_people_paste() -> None:
    parsed = parse_links(
        "3: eth1: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc fq_codel state UP group default qlen 1000\n"
        "    link/ether 08:00:27:c8:72:ad brd ff:ff:ff:ff:ff:ff\n"
        "    altname enp0s8\n"
        "    inet 192.168.56.11/24 brd 192.168.56.255 scope global eth1\n"
        "       valid_lft forever preferred_lft forever\n"
        "    inet6 fe80::a00:27ff:fec8:72ad/64 scope link \n"
        "       valid_lft forever preferred_lft forever\n"
        "7: cali3c73a6b29ba@if2: <NO-CARRIER,BROADCAST,MULTICAST,UP> mtu 1450 qdisc noqueue state LOWERLAYERDOWN\n"
        "    link/ether ee:ee:ee:ee:ee:ee brd ff:ff:ff:ff:ff:ff link-netns cni-de752fd4\n"
    )
    assert parsed.unparsed == ()
    eth1, cali = parsed.items
    assert eth1.addresses == (Address("192.168.56.11", 24), Address("fe80::a00:27ff:fec8:72ad", 64, "link"))
    assert (cali.peer_index, cali.peer_namespace, cali.is_up) == (2, "cni-de752fd4", False)


def test_links_and_addresses_of_two_commands_become_one() -> None:
    parsed = parse_links(
        f"{VETH}\n{TUNL0}\n"
        "4: tunl0    inet 192.168.97.0/32 scope global tunl0\\       valid_lft forever preferred_lft forever\n"
        "4: tunl0    inet 10.9.9.1 peer 10.9.9.2/31 scope global secondary tunl0:1\\       valid_lft forever\n"
        "4: tunl0    inet 10.9.9.3 scope host tunl0\\       valid_lft forever\n"
        "9: cali3683f65394b    inet6 fe80::ecee:eeff:feee:eeee/64 scope link \\       valid_lft forever\n"
    )
    assert parsed.unparsed == ()
    cali, tunl0 = parsed.items
    assert tunl0.addresses == (
        Address("192.168.97.0", 32),
        Address("10.9.9.1", 31, "global", "10.9.9.2"),
        Address("10.9.9.3", 32, "host"),
    )
    assert cali.addresses == (Address("fe80::ecee:eeff:feee:eeee", 64, "link"),)


def test_an_address_alone_tells_a_name_and_no_state() -> None:
    link = _one("4: tunl0    inet 192.168.97.0/32 scope global tunl0\\       valid_lft forever")
    assert _read(link, "index", "name", "flags", "text") == (4, "tunl0", (), "")


def test_what_is_no_link_is_kept() -> None:
    parsed = parse_links("b \\    vxlan id 5\n2: lo: <UP> mtu 5\n    inet nonsense/8 scope host lo\nDump terminated\n")
    assert parsed.unparsed == ("b \\    vxlan id 5", "inet nonsense/8 scope host lo", "Dump terminated")


@given(st.text())
def test_no_text_raises(text: str) -> None:
    parse_links(text)
    parse_links(f"{VETH}{text}\n    {text}")
