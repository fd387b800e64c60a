from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calitui.facts.node import NextHop, Route
from calitui.nodes.parse import parse_answer, parse_routes, render_route
from calitui.nodes.parse.routes import FLAGS

ONE_ROUTE = [
    # line, family, the route without its text
    ("default via 10.0.0.1 dev eth0 ", 4, Route("0.0.0.0/0", gateway="10.0.0.1", device="eth0")),
    (
        "default via 10.0.0.1 dev eth0  proto static ",
        4,
        Route("0.0.0.0/0", "unicast", "10.0.0.1", "eth0", "main", "static"),
    ),
    (
        "10.0.0.0/24 dev eth0  proto kernel  scope link  src 10.0.0.10  metric 100 ",
        4,
        Route("10.0.0.0/24", device="eth0", protocol="kernel", scope="link", source="10.0.0.10", metric=100),
    ),
    (
        "    172.27.174.0/26 via 10.77.20.196 dev tunl0 proto bird onlink",
        4,
        Route("172.27.174.0/26", gateway="10.77.20.196", device="tunl0", protocol="bird", flags=("onlink",)),
    ),
    (
        "10.65.2.0/26 via 10.0.0.12 dev tunl0 proto 12 onlink",
        4,
        Route("10.65.2.0/26", gateway="10.0.0.12", device="tunl0", protocol="bird", flags=("onlink",)),
    ),
    (
        "10.65.2.0/26 via 10.0.0.12 dev tunl0 proto 80 onlink mtu 1480 ",
        4,
        Route("10.65.2.0/26", gateway="10.0.0.12", device="tunl0", protocol="80", flags=("onlink",), mtu=1480),
    ),
    (
        "10.2.0.0/26 via 10.0.0.2 dev br0 proto 80 src 10.0.0.1 metric 5 onlink mtu lock 1450 ",
        4,
        Route("10.2.0.0/26", "unicast", "10.0.0.2", "br0", "main", "80", "", 5, "10.0.0.1", 1450, 0, ("onlink",)),
    ),
    (
        "10.65.1.5 dev cali0123456789a scope link metric 1024 ",
        4,
        Route("10.65.1.5/32", device="cali0123456789a", scope="link", metric=1024),
    ),
    ("blackhole 10.65.1.0/26 proto bird ", 4, Route("10.65.1.0/26", "blackhole", protocol="bird")),
    ("unreachable 10.65.1.0/26 proto bird", 4, Route("10.65.1.0/26", "unreachable", protocol="bird")),
    ("prohibit 10.7.0.0/26 table 33 proto 80 ", 4, Route("10.7.0.0/26", "prohibit", table="33", protocol="80")),
    ("throw 10.6.0.0/26 table 1 ", 4, Route("10.6.0.0/26", "throw", table="1")),
    (
        "local 10.0.0.1 dev br0 table 255 proto kernel scope host src 10.0.0.1 ",
        4,
        Route("10.0.0.1/32", "local", None, "br0", "local", "kernel", "host", 0, "10.0.0.1"),
    ),
    (
        "broadcast 10.0.0.255 dev br0 table local proto kernel scope link src 10.0.0.1 ",
        4,
        Route("10.0.0.255/32", "broadcast", None, "br0", "local", "kernel", "link", 0, "10.0.0.1"),
    ),
    (
        "anycast fd00:: dev eth0 table local proto kernel metric 0 pref medium",
        6,
        Route("fd00::/128", "anycast", None, "eth0", "local", "kernel"),
    ),
    (
        "multicast ff00::/8 dev eth0 table local proto kernel metric 256 pref medium",
        6,
        Route("ff00::/8", "multicast", None, "eth0", "local", "kernel", metric=256),
    ),
    ("unicast 10.1.0.0/24 dev br0 proto boot scope global ", 4, Route("10.1.0.0/24", device="br0")),
    ("10.3.0.0/26 via inet6 fd00::2 dev br0 ", 4, Route("10.3.0.0/26", gateway="fd00::2", device="br0")),
    ("default via inet6 fe80::1 dev br0 ", 4, Route("0.0.0.0/0", gateway="fe80::1", device="br0")),
    (
        "10.4.0.0/26  encap ip id 7 src 0.0.0.0 dst 10.0.0.9 ttl 0 tos 0 dev br0 scope link ",
        4,
        Route("10.4.0.0/26", device="br0", scope="link"),
    ),
    (
        "10.4.0.0/26  encap mpls  100/200 via 10.0.0.3 dev br0 ",
        4,
        Route("10.4.0.0/26", gateway="10.0.0.3", device="br0"),
    ),
    ("10.8.0.0/26 tos 0x10 dev br0 scope link ", 4, Route("10.8.0.0/26", device="br0", scope="link", tos=16)),
    ("10.8.0.0/26 tos AF11 dev br0 scope link ", 4, Route("10.8.0.0/26", device="br0", scope="link", tos=0x28)),
    ("10.8.0.0/26 tos lowdelay dev br0 scope link ", 4, Route("10.8.0.0/26", device="br0", scope="link", tos=16)),
    ("10.11.0.0/26 nhid 5 via 10.0.0.2 dev br0 ", 4, Route("10.11.0.0/26", gateway="10.0.0.2", device="br0")),
    (
        "172.17.0.0/16 dev docker0 proto kernel scope link src 172.17.0.1 linkdown",
        4,
        Route(
            "172.17.0.0/16", device="docker0", protocol="kernel", scope="link", source="172.17.0.1", flags=("linkdown",)
        ),
    ),
    (
        "10.9.0.0/16 via 10.0.0.9 dev eth1 dead linkdown ",
        4,
        Route("10.9.0.0/16", gateway="10.0.0.9", device="eth1", flags=("dead", "linkdown")),
    ),
    (
        "default via fe80::1 dev eth0 proto ra metric 1024 expires 1799sec hoplimit 64 pref medium",
        6,
        Route("::/0", gateway="fe80::1", device="eth0", protocol="ra", metric=1024),
    ),
    (
        "unreachable default dev lo  table unspec  proto kernel  metric 4294967295  error -101",
        6,
        Route("::/0", "unreachable", None, "lo", "unspec", "kernel", metric=4294967295),
    ),
    (
        "blackhole 1100::a828:9d50:a951:cd71:d740/122 dev lo proto bird metric 1024 pref medium",
        6,
        Route("1100::a828:9d50:a951:cd71:d740/122", "blackhole", None, "lo", "main", "bird", metric=1024),
    ),
    (
        "fd00::5 dev cali0123456789a metric 1024 pref medium",
        6,
        Route("fd00::5/128", device="cali0123456789a", metric=1024),
    ),
    ("10.0.0.9/24 dev eth0", 4, Route("10.0.0.0/24", device="eth0")),
    # A device may be named like a keyword.
    ("10.0.0.0/24 dev via proto bird", 4, Route("10.0.0.0/24", device="via", protocol="bird")),
    ("10.0.0.0/24 dev nexthop scope link", 4, Route("10.0.0.0/24", device="nexthop", scope="link")),
    # A word that some later iproute2 may print.
    (
        "10.0.0.0/24 via 10.1.0.1 dev eth0 proto bird shiny brilliance 5 onlink",
        4,
        Route("10.0.0.0/24", gateway="10.1.0.1", device="eth0", protocol="bird", flags=("onlink",)),
    ),
    # A remark behind the line.
    (
        "172.30.6.80 dev cali8a4e22773c7 scope link       <--- Local pod via x",
        4,
        Route("172.30.6.80/32", device="cali8a4e22773c7", scope="link"),
    ),
]


@pytest.mark.parametrize(("line", "family", "route"), ONE_ROUTE, ids=[line.strip() for line, _, _ in ONE_ROUTE])
def test_one_line_is_one_route_with_its_text(line: str, family: int, route: Route) -> None:
    parsed = parse_routes(line + "\n", family)
    assert parsed.unparsed == ()
    (found,) = parsed.items
    assert found.text == line.strip()
    assert found == _with_text(route, line.strip())


MULTIPATH = Route(
    "10.1.0.0/26",
    protocol="bird",
    next_hops=(NextHop("10.0.0.2", "br0", 1), NextHop("10.0.0.3", "br1", 3, ("onlink", "linkdown"))),
    text=(
        "10.1.0.0/26 proto bird nexthop via 10.0.0.2 dev br0 weight 1 "
        "nexthop via 10.0.0.3 dev br1 weight 3 onlink linkdown"
    ),
)


@pytest.mark.parametrize(
    ("before", "after"),
    [(" \n\t", " "), (" \\\t", " "), (" \n        ", ""), (" ", ""), ("\r\n\t", "\r")],
    ids=["lines", "-o", "pasted", "ip route add", "carriage returns"],
)
def test_next_hops_belong_to_the_route_above_them(before: str, after: str) -> None:
    hops = ("nexthop via 10.0.0.2 dev br0 weight 1", "nexthop via 10.0.0.3 dev br1 weight 3 onlink linkdown")
    parsed = parse_routes(f"10.1.0.0/26 proto bird{before}{hops[0]}{before}{hops[1]}{after}\n10.9.0.0/16 dev eth0\n")
    assert parsed.items[0] == MULTIPATH
    assert parsed.items[1].prefix == "10.9.0.0/16"
    assert parsed.unparsed == ()


def test_multipath_of_ipv6_in_one_line() -> None:
    hops = "\\\tnexthop via fd00::2 dev br0 weight 2 \\\tnexthop via fd00::3 dev br0 weight 1 "
    (route,) = parse_routes(f"fd01::/64 metric 1024 pref medium{hops}", 6).items
    assert route.next_hops == (NextHop("fd00::2", "br0", 2), NextHop("fd00::3", "br0", 1))
    assert route.metric == 1024


def test_default_of_ipv6_is_told_by_its_line() -> None:
    # `ip route show table all` without a family prints both.
    parsed = parse_routes("default via 10.0.0.1 dev eth0\ndefault via fe80::1 dev eth0 metric 1024 pref medium\n")
    assert [route.prefix for route in parsed.items] == ["0.0.0.0/0", "::/0"]


@pytest.mark.parametrize(
    "text",
    [
        "default via  ----  dev eth1 onlink",  # a gateway that a person made unreadable
        "default from 2001:db8::/64 via fe80::1 dev eth0 metric 1024 pref medium",  # only for some sources
        "10.1.0.0/26",  # BusyBox's way to print a multipath route
        "10.1.0.0/26 via 10.0.0.1",
        "10.1.0.0/26 dev",
        "10.1.0.0/26 dev eth0 metric much",
        "10.1.0.0/33 dev eth0",
        "999.1.0.0/16 dev eth0",
        "10.1.0.0/26 dev eth0 src nowhere",
        "10.1.0.0/26 tos whatever dev eth0",
        "10.1.0.0/26 via fe80::1%eth0 dev eth0",
        "blackhole",
        "10.48.231.1/32     dev caliaeaa173109d [kernel1 18:13:35] * (10)",  # BIRD's own table
        "10.48.180.192/26   via 10.0.0.10 on eth0 [Mesh_10_0_0_10 18:13:34] * (100/0) [i]",
        "192.168.97.1 is the pod that sits on dev eth0",
        "### master1: ip -c route",
        "RTNETLINK answers: Operation not permitted",
        "	nexthop via 10.0.0.2 dev br0 weight 1",
        "$ ip route",
        "10.1.0.0/26 dev " + "x" * 100_000,
    ],
)
def test_what_no_grammar_covers_is_kept_and_is_no_route(text: str) -> None:
    parsed = parse_routes(text)
    assert parsed.items == ()
    assert len(parsed.unparsed) == 1
    assert parsed.unparsed[0].rstrip("…") in text.replace("\t", " ")


def test_a_next_hop_that_makes_no_sense_costs_the_whole_route() -> None:
    text = "10.1.0.0/26 proto bird \n\tnexthop via 10.0.0.2 dev br0 weight 1\n\tnexthop via ???? dev br0 weight 1\n"
    parsed = parse_routes(text)
    assert parsed.items == ()
    assert len(parsed.unparsed) == 3


def test_device_names_can_neither_draw_nor_pass_for_two_words() -> None:
    parsed = parse_routes("10.0.0.0/24 dev a\x1cvia\x1c6.6.6.6 scope link\n10.0.1.0/24 dev \x1b[31mred scope link\n")
    assert [route.device for route in parsed.items] == ["a\\x1cvia\\x1c6.6.6.6", "\\x1b[31mred"]
    assert all(route.gateway is None and route.text.isprintable() for route in parsed.items)


def _answer(output: str, error: str = "", destination: str = "192.168.210.129") -> tuple[Route | None, str]:
    answer = parse_answer(output, destination=destination, error=error, command="ip route get x")
    assert answer.command == "ip route get x"
    return answer.route, answer.error


def test_an_answer_is_a_route_to_the_one_destination() -> None:
    route, error = _answer(
        "192.168.210.129 from 192.168.97.1 via 10.173.32.26 dev tunl0 \n    cache mtu 1480 iif cali3683f65394b \n"
    )
    assert error == ""
    assert route == Route(
        "192.168.210.129/32",
        gateway="10.173.32.26",
        device="tunl0",
        mtu=1480,
        text="192.168.210.129 from 192.168.97.1 via 10.173.32.26 dev tunl0",
    )


@pytest.mark.parametrize(
    ("output", "route"),
    [
        (
            "local 10.0.0.1 dev lo table local src 10.0.0.1 uid 0 \n    cache <local> \n",
            Route("10.0.0.1/32", "local", None, "lo", "local", source="10.0.0.1"),
        ),
        (
            "10.0.0.1 dev cali1 src 10.1.1.1 uid 0 \n    cache \n",
            Route("10.0.0.1/32", device="cali1", source="10.1.1.1"),
        ),
        (
            "10.0.0.1 from 10.0.0.77 via 10.0.0.2 dev br0 \\    cache <redirect> mtu 1400 iif br0 ",
            Route("10.0.0.1/32", gateway="10.0.0.2", device="br0", mtu=1400),
        ),
        (
            "10.0.0.1 via 10.0.0.3 dev br0  src 10.0.0.1 \n",
            Route("10.0.0.1/32", gateway="10.0.0.3", device="br0", source="10.0.0.1"),
        ),
        (
            "fd00::55 from :: dev br0 proto kernel src fd00::1 metric 256 pref medium\n",
            Route("fd00::55/128", device="br0", protocol="kernel", source="fd00::1", metric=256),
        ),
        (
            "unreachable fd00::9 from :: dev lo table unspec proto kernel src fd00::1 metric 4294967295 error -101\n",
            Route("fd00::9/128", "unreachable", None, "lo", "unspec", "kernel", source="fd00::1", metric=4294967295),
        ),
    ],
)
def test_answers_of_all_iproute2s(output: str, route: Route) -> None:
    found, error = _answer(output, destination=route.prefix.partition("/")[0])
    assert error == ""
    assert found is not None
    assert found == _with_text(route, found.text)


@pytest.mark.parametrize(
    "words",
    [
        "RTNETLINK answers: No route to host",
        "RTNETLINK answers: Network is unreachable",
        "RTNETLINK answers: Invalid argument",
        "RTNETLINK answers: Invalid cross-device link",
        "ip: RTNETLINK answers: Permission denied",
        "Error: ipv4: FIB table does not exist.",
    ],
)
def test_a_refusal_keeps_the_kernels_words(words: str) -> None:
    assert _answer("", f"{words}\n") == (None, words)


def test_an_answer_in_an_unknown_form_is_no_route() -> None:
    assert _answer("all is well\n") == (None, "the answer is in no form that is known")
    assert _answer("") == (None, "no answer was printed")


def _with_text(route: Route, text: str) -> Route:
    return Route(**{name: getattr(route, name) for name in route.__struct_fields__ if name != "text"}, text=text)


_DEVICES = st.from_regex(r"[a-z][a-z0-9.@_-]{0,14}", fullmatch=True)
_NUMBERS = st.integers(min_value=0, max_value=2**32 - 1)
_FLAGS = st.lists(st.sampled_from(sorted(FLAGS)), unique=True, max_size=3).map(tuple)


def _routes(family: int) -> st.SearchStrategy[Route]:
    addresses = st.ip_addresses(v=4 if family == 4 else 6).map(str)
    lengths = st.integers(min_value=0, max_value=32 if family == 4 else 128)
    prefixes = st.builds(lambda ip, bits: str(ipaddress.ip_network(f"{ip}/{bits}", strict=False)), addresses, lengths)
    gateways = st.none() | addresses
    hops = st.builds(NextHop, gateways, _DEVICES, st.integers(min_value=1, max_value=256), _FLAGS)
    common = {
        "prefix": prefixes,
        "table": st.sampled_from(["main", "local", "default", "1", "250"]),
        "protocol": st.sampled_from(["", "bird", "kernel", "80", "static"]),
        "scope": st.sampled_from(["", "link", "host"]),
        "metric": _NUMBERS,
        "source": gateways,
        "mtu": st.none() | _NUMBERS,
        "tos": st.integers(min_value=0, max_value=255),
    }
    single = st.builds(Route, gateway=gateways, device=_DEVICES, flags=_FLAGS, **common)
    multipath = st.builds(Route, next_hops=st.lists(hops, min_size=1, max_size=4).map(tuple), **common)
    kinds = st.sampled_from(["blackhole", "unreachable", "prohibit", "throw"])
    return single | multipath | st.builds(Route, kind=kinds, **common)


@given(_routes(4) | _routes(6))
def test_a_rendered_route_is_read_back(route: Route) -> None:
    text = render_route(route)
    parsed = parse_routes(text, 6 if ":" in route.prefix else 4)
    assert parsed.unparsed == ()
    assert parsed.items == (_with_text(route, text),)


@given(st.text())
def test_no_text_raises(text: str) -> None:
    parsed = parse_routes(text)
    assert all(line.isprintable() for line in parsed.unparsed if line.isascii())
    parse_answer(text, destination="10.0.0.1", error=text)


def test_the_articles_lines_are_rendered_as_they_were_printed() -> None:
    text = (
        "default via 10.173.32.1 dev eth0 proto static\n"
        "10.173.32.0/24 dev eth0 proto kernel scope link src 10.173.32.23\n"
        "192.168.97.1 dev cali3683f65394b scope link\n"
        "blackhole 192.168.97.0/26 proto bird\n"
        "192.168.210.128/26 via 10.173.32.26 dev tunl0 proto bird onlink\n"
    )
    assert "".join(f"{render_route(route)}\n" for route in parse_routes(text).items) == text
