"""Routes as people paste them: prompts, colours, remarks, several commands, old iproute2, table main alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calitui.facts.node import NetworkNamespace, NodeFacts
from calitui.nodes.files.pasted import OTHER, sections
from calitui.nodes.parse import parse_routes, render_route
from calitui.session.folder import read_folder
from tests.nodes.files import diags

OLD = """\
root@node1:~# ip r
default via 10.0.0.1 dev eth0  proto static  metric 100 \n\
10.0.0.0/24 dev eth0  proto kernel  scope link  src 10.0.0.9 \n\
10.65.1.5 dev cali0123456789a  scope link                 <--- Local pod
blackhole 10.65.1.0/26  proto bird \n\
10.65.2.0/26 via 10.0.0.12 dev tunl0  proto bird onlink   <-- the other node
10.65.3.0/26  proto bird \n\
\tnexthop via 10.0.0.13  dev eth0 weight 1
\tnexthop via 10.0.0.14  dev eth0 weight 1
172.17.0.0/16 dev docker0  proto kernel  scope link  src 172.17.0.1 linkdown
root@node1:~#
"""
LOOKED_FOR = [
    "default via 10.0.0.1 dev eth0 proto static metric 100",
    "10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.9",
    "10.65.1.5 dev cali0123456789a scope link",
    "blackhole 10.65.1.0/26 proto bird",
    "10.65.2.0/26 via 10.0.0.12 dev tunl0 proto bird onlink",
    "10.65.3.0/26 proto bird nexthop via 10.0.0.13 dev eth0 weight 1 nexthop via 10.0.0.14 dev eth0 weight 1",
    "172.17.0.0/16 dev docker0 proto kernel scope link src 172.17.0.1 linkdown",
]
COLOURED = (
    "/etc/calico # ip -c route\n\x1b[36m10.65.2.0/26\x1b[0m via \x1b[35m10.0.0.12 \x1b[0mdev \x1b[36mtunl0 \x1b[0m"
    "proto bird onlink \r\n\x1b[0m"
)
SEVERAL = """\
# what the node says
$ ip rule
0:\tfrom all lookup local
99:\tnot from all fwmark 0x200000/0x200000 lookup 1  <-- The rule
32766:\tfrom all lookup main
[admin@node1 ~]$ sudo ip route show table 1
10.65.2.0/26 dev wireguard.cali scope link  <-- remote pods
throw 10.65.3.0/26
$ ip -6 r
fd00:65::/122 via fd00::12 dev eth0 proto bird metric 1024 pref medium
node1:~> ip neigh
10.0.0.12 dev eth0 lladdr 02:00:00:00:00:12 REACHABLE
$ calicoctl node status
Calico process is running.
"""


def node(tmp_path: Path, **texts: str) -> NodeFacts:
    """A node of which only these files are there, named without `.txt` and with `_` for `-`."""
    content = {f"nodes/n/{name.replace('_', '-')}.txt": text for name, text in texts.items()}
    (found,) = read_folder(diags.folder(tmp_path / "x", content)).nodes
    return found


def host(facts: NodeFacts) -> NetworkNamespace:
    assert facts.host is not None
    return facts.host


def test_nothing_of_a_pasted_table_is_lost() -> None:
    parsed = parse_routes(sections(OLD, "routes")["routes"].text)
    assert parsed.unparsed == ()
    assert [render_route(route) for route in parsed.items] == LOOKED_FOR
    assert parsed.items[2].text.endswith("<--- Local pod")


def test_colours_are_no_text() -> None:
    parsed = parse_routes(sections(COLOURED, "routes")["routes"].text)
    assert [route.text for route in parsed.items] == ["10.65.2.0/26 via 10.0.0.12 dev tunl0 proto bird onlink"]
    assert parsed.unparsed == ()


def test_each_command_has_its_section() -> None:
    found = sections(SEVERAL, "rules")
    assert {name: len(saved.text.splitlines()) for name, saved in found.items()} == {
        "rules": 3,
        "routes": 2,
        "routes6": 1,
        "neighbours": 1,
        OTHER: 1,
    }
    assert found["routes"].text == (
        "10.65.2.0/26 dev wireguard.cali scope link table 1 <-- remote pods\nthrow 10.65.3.0/26 table 1"
    )


def test_several_commands_in_one_file(tmp_path: Path) -> None:
    facts = node(tmp_path, ip_rule=SEVERAL)
    assert [(route.prefix, route.table) for route in host(facts).routes] == [
        ("10.65.2.0/26", "1"),
        ("10.65.3.0/26", "1"),
        ("fd00:65::/122", "main"),
    ]
    assert len(host(facts).rules) == 3
    assert host(facts).unparsed == ()


@pytest.mark.parametrize(
    ("command", "section"),
    [
        ("ip r", "routes"),
        ("ip -4 route show table all", "routes"),
        ("ip -6 ro", "routes6"),
        ("ip -c -6 route | cat", "routes6"),
        ("ip -f inet6 rule", "rules6"),
        ("ip ru", "rules"),
        ("ip -d -o link", "links"),
        ("ip a", "addresses"),
        ("bridge fdb show", "fdb"),
        ("ip neighbour", "neighbours"),
    ],
)
@pytest.mark.parametrize("prompt", ["", "$ ", "# ", "root@n:~# ", "### node1: ", "[a@b ~]$ sudo ", "/etc/x # "])
def test_commands_with_and_without_a_prompt(command: str, section: str, prompt: str) -> None:
    assert sections(f"{prompt}{command}\nx\n", "pasted")[section].text == "x"


def test_own_addresses_are_taken_from_ip_addr(tmp_path: Path) -> None:
    addresses = "1: lo: <LOOPBACK,UP> mtu 65536\n    inet 127.0.0.1/8 scope host lo\n"
    addresses += "2: eth0: <BROADCAST,UP> mtu 1500\n    inet 10.0.0.9/24 scope global eth0\n"
    facts = node(tmp_path, ip_route=OLD, ip_addr=addresses)
    local = [route for route in host(facts).routes if route.table == "local"]
    assert [(route.prefix, route.kind, route.device) for route in local] == [
        ("127.0.0.0/8", "local", "lo"),
        ("10.0.0.9/32", "local", "eth0"),
    ]
    assert all(route.text.endswith("(as the kernel makes it for an address of the node)") for route in local)
    assert "routes" in host(facts).complete
    reasons = {one.what: one.reason for one in facts.missing}
    assert reasons["table local of routes"].endswith("it is made from the addresses that were read")


def test_without_ip_addr_the_routes_tell_some_of_the_own_addresses(tmp_path: Path) -> None:
    facts = node(tmp_path, ip_route=OLD)
    assert {route.prefix for route in host(facts).routes if route.kind == "local"} == {"10.0.0.9/32", "172.17.0.1/32"}
    reasons = {one.what: one.reason for one in facts.missing}
    assert reasons["table local of routes"].endswith("there may be other addresses")


def test_routes_that_tell_no_own_address_are_not_complete(tmp_path: Path) -> None:
    facts = node(tmp_path, ip_route="10.65.2.0/26 via 10.0.0.12 dev tunl0 proto bird onlink\n")
    assert "routes" not in host(facts).complete
    reasons = {one.what: one.reason for one in facts.missing}
    assert reasons["routes"].startswith("only table main was printed, and no address of the node is known")


def test_a_table_that_a_rule_leads_to_and_nobody_printed(tmp_path: Path) -> None:
    rules = (
        "0:\tfrom all lookup local\n99:\tnot from all fwmark 0x200000/0x200000 lookup 1\n32766:\tfrom all lookup main\n"
    )
    facts = node(tmp_path, ip_route=OLD, ip_rule=rules)
    assert "routes" not in host(facts).complete
    reasons = {one.what: one.reason for one in facts.missing}
    assert "table 1, which a rule leads to, is not there: `ip route show table all`" in reasons["routes"]


def test_all_tables_are_left_as_they_are(tmp_path: Path) -> None:
    text = "default via 10.0.0.1 dev eth0\nlocal 10.0.0.9 dev eth0 table local proto kernel scope host src 10.0.0.9\n"
    facts = node(tmp_path, ip_route=text)
    assert len(host(facts).routes) == 2
    assert "table local of routes" not in {one.what for one in facts.missing}


def test_forwarding_databases_and_pools_beside_the_usual_files(tmp_path: Path) -> None:
    links = "4: vxlan.calico: <BROADCAST,UP> mtu 1450\n    link/ether 66:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff\n"
    facts = node(tmp_path, ip_link=links)
    assert "fdb" in {one.what for one in facts.missing}
    facts = node(
        tmp_path / "with",
        ip_link=links,
        bridge_fdb="33:33:00:00:00:01 dev eth0 self permanent\n66:00:00:00:00:02 dev vxlan.calico dst 10.0.0.12 self\n",
    )
    assert [(one.device, one.destination) for one in host(facts).fdb] == [("vxlan.calico", "10.0.0.12")]
    assert "fdb" in host(facts).complete
    pools = 'filter calico_kernel_programming {\n  if (net ~ 10.65.0.0/16) then { krt_tunnel="tunl0"; accept; }\n}\n'
    snapshot = read_folder(diags.folder(tmp_path / "pools", {"nodes/n/bird_ipam.cfg": pools}))
    assert [one.cidr for one in snapshot.nodes[0].rendered_pools or ()] == ["10.65.0.0/16"]


@given(st.text())
def test_no_text_raises(text: str) -> None:
    for usual in ("routes", "links"):
        sections(text, usual)
    sections(f"$ ip route\n{text}", "rules")
