"""The route lookup: against a scan of all routes that says the same in the plainest words, and case by case."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calitui.facts.node import NetworkNamespace, NextHop, Route, Rule
from calitui.nodes.parse import parse_routes, parse_rules
from calitui.trace.fib import Fib, table_name

REFUSING = ("blackhole", "unreachable", "prohibit", "throw")
USUAL = "0: from all lookup local\n32766: from all lookup main\n32767: from all lookup default\n"
USUAL6 = "0: from all lookup local\n32766: from all lookup main\n"
BASES = {4: int(ipaddress.IPv4Address("10.0.0.0")), 6: int(ipaddress.IPv6Address("2001:db8::"))}
WIDTHS = {4: 32, 6: 128}


def fib(routes: str = "", rules: str = USUAL, routes6: str = "", rules6: str = USUAL6) -> Fib:
    """A namespace from what `ip` prints."""
    read = (parse_routes(routes), parse_routes(routes6, 6))
    ruled = (parse_rules(rules), parse_rules(rules6, 6))
    assert not any(part.unparsed for part in (*read, *ruled))
    return Fib(NetworkNamespace(routes=read[0].items + read[1].items, rules=ruled[0].items + ruled[1].items))


def found(table: Fib, *question: str, **more: object) -> str:
    """The text of the route or rule that decides."""
    match = table.lookup(*question, **more)  # type: ignore[arg-type]
    return "no route" if match is None else match.route.text if match.route else match.rule.text


# Against the scan.


@st.composite
def prefixes(draw: st.DrawFn, family: int) -> str:
    """Prefixes around one base, so that most of them nest."""
    width = WIDTHS[family]
    length = draw(st.one_of(st.integers(width - 6, width), st.sampled_from([0, 1, 8, width // 2])))
    value = BASES[family] + draw(st.integers(0, 63))
    first = value >> (width - length) << (width - length)
    return f"{ipaddress.IPv4Address(first) if family == 4 else ipaddress.IPv6Address(first)}/{length}"


@st.composite
def routes(draw: st.DrawFn, family: int) -> Route:
    kind = draw(st.sampled_from(["unicast", "unicast", "unicast", "local", *REFUSING]))
    hops = draw(
        st.lists(
            st.builds(NextHop, st.none(), st.sampled_from(["a", "b"]), flags=st.sampled_from([(), ("dead",)])),
            min_size=1,
            max_size=3,
        )
    )
    return Route(
        draw(prefixes(family)),
        kind,
        device=None if kind != "unicast" or len(hops) > 1 else hops[0].device,
        flags=hops[0].flags if kind == "unicast" and len(hops) == 1 else (),
        next_hops=tuple(hops) if kind == "unicast" and len(hops) > 1 else (),
        table=draw(st.sampled_from(["main", "main", "254", "local", "5", "default"])),
        metric=draw(st.integers(0, 2)),
        tos=draw(st.sampled_from([0, 0, 0, 16])) if family == 4 else 0,
    )


@st.composite
def rules(draw: st.DrawFn, family: int) -> Rule:
    action = draw(st.sampled_from(["lookup"] * 6 + ["goto", "nop", "blackhole", "unreachable", "prohibit"]))
    table = {
        "lookup": draw(st.sampled_from(["main", "254", "local", "5", "default", "9"])),
        "goto": str(draw(st.integers(1, 12))),
    }.get(action)
    marked = draw(st.booleans())
    return Rule(
        draw(st.integers(0, 10)),
        source=draw(st.none() | prefixes(family)),
        destination=draw(st.none() | prefixes(family)),
        input_device=draw(st.sampled_from([None, None, "a", "lo"])),
        mark=draw(st.integers(0, 3)) if marked else None,
        mask=draw(st.integers(0, 3)) if marked else None,
        table=table,
        action=action,
        inverted=draw(st.booleans()),
        suppress_prefix_length=draw(st.sampled_from([None, None, 0, 26])) if action == "lookup" else None,
        family=family,
    )


def scan(namespace: NetworkNamespace, family: int, packet: dict[str, object]) -> tuple[Route | None, str] | None:
    """Rule by rule and route by route: the deciding route, or None and the refusing rule's action."""
    ordered = sorted((rule for rule in namespace.rules if rule.family == family), key=lambda rule: rule.priority)
    position = 0
    while position < len(ordered):
        rule = ordered[position]
        position += 1
        if matches(rule, packet) == rule.inverted or rule.action == "nop":
            continue
        if rule.action == "goto":
            targets = [at for at, target in enumerate(ordered) if str(target.priority) == rule.table]
            position = max([position, *targets[:1]])
            continue
        if rule.action != "lookup":
            return None, rule.action
        route = longest(namespace.routes, table_name(rule.table or "main"), packet)
        if route is None or route.kind == "throw":
            continue
        shortest = -1 if rule.suppress_prefix_length is None else rule.suppress_prefix_length
        if route.kind in REFUSING or ipaddress.ip_network(route.prefix).prefixlen > shortest:
            return route, route.kind
    return None


def matches(rule: Rule, packet: dict[str, object]) -> bool:
    destination, source = packet["destination"], packet["source"]
    assert isinstance(destination, ipaddress.IPv4Address | ipaddress.IPv6Address)
    if rule.destination is not None and destination not in ipaddress.ip_network(rule.destination):
        return False
    if rule.source is not None:
        network = ipaddress.ip_network(rule.source)
        if source is None and destination.version == 6:
            if network.prefixlen:
                return False
        elif (source or ipaddress.IPv4Address(0)) not in network:
            return False
    if rule.input_device is not None and rule.input_device != (packet["input_device"] or "lo"):
        return False
    mark = packet["mark"]
    assert isinstance(mark, int)
    return rule.mark is None or mark & (rule.mask or 0) == rule.mark & (rule.mask or 0)


def longest(routes: tuple[Route, ...], table: str, packet: dict[str, object]) -> Route | None:
    best: Route | None = None
    rank: tuple[int, int, int] | None = None
    for route in routes:
        network = ipaddress.ip_network(route.prefix)
        hops = route.next_hops or (NextHop(device=route.device, flags=route.flags),)
        if table_name(route.table) != table or packet["destination"] not in network:
            continue
        if route.tos not in (0, packet["tos"]) or all("dead" in hop.flags for hop in hops):
            continue
        here = (-network.prefixlen, -route.tos, route.metric)
        if rank is None or here < rank:
            best, rank = route, here
    return best


@pytest.mark.parametrize("family", [4, 6])
@settings(max_examples=150, deadline=None, derandomize=True)
@given(data=st.data())
def test_lookup_is_the_scan(family: int, data: st.DataObject) -> None:
    listed = data.draw(
        st.lists(
            routes(family),
            max_size=25,
            unique_by=lambda route: (route.prefix, table_name(route.table), route.tos, route.metric),
        )
    )
    # A rule that a kernel does not begin with keeps local and main apart.
    ruled = [Rule(11, table="main", family=family), *data.draw(st.lists(rules(family), max_size=8))]
    namespace = NetworkNamespace(routes=tuple(listed), rules=tuple(ruled))
    built = Fib(namespace)
    for _ in range(4):
        destination = ipaddress.ip_address(BASES[family] + data.draw(st.integers(-2, 66)))
        source = data.draw(st.none() | st.integers(0, 63))
        packet: dict[str, object] = {
            "destination": destination,
            "source": None if source is None else ipaddress.ip_address(BASES[family] + source),
            "input_device": data.draw(st.sampled_from([None, "a", "b"])),
            "mark": data.draw(st.integers(0, 3)),
            "tos": data.draw(st.sampled_from([0, 16])) if family == 4 else 0,
        }
        match = built.lookup(
            str(destination),
            None if source is None else str(packet["source"]),
            packet["input_device"],  # type: ignore[arg-type]
            mark=packet["mark"],  # type: ignore[arg-type]
            tos=packet["tos"],  # type: ignore[arg-type]
        )
        expected = scan(namespace, family, packet)
        assert (None if match is None else (match.route, match.kind)) == expected


# Case by case.


def test_local_and_main_are_one_table_until_there_is_a_rule() -> None:
    held = "local 10.96.0.0/12 dev lo table local\n10.96.7.0/24 dev eth0\n"
    assert found(fib(held), "10.96.7.1") == "10.96.7.0/24 dev eth0"
    assert found(fib(held, ""), "10.96.7.1") == "10.96.7.0/24 dev eth0"
    assert found(fib(held, USUAL + "100: from all lookup 9\n"), "10.96.7.1") == "local 10.96.0.0/12 dev lo table local"
    by_number = USUAL.replace("main", "254").replace("local", "255")
    match = fib(held, by_number).lookup("10.96.7.1")
    assert match is not None
    assert match.rule.priority == 32766


def test_local_and_main_of_ipv6_are_apart() -> None:
    held = "local fd00::/16 dev lo table local\nfd00:7::/32 dev eth0\n"
    assert found(fib(routes6=held), "fd00:7::1") == "local fd00::/16 dev lo table local"


def test_without_rules_of_the_users_the_default_table_is_last() -> None:
    held = "throw 10.1.0.0/16\n10.0.0.0/8 dev eth0\n10.1.0.0/16 dev eth1 table default\nblackhole 10.2.0.0/16\n"
    held += "10.2.0.0/16 dev eth1 table default\n192.0.2.0/24 dev eth1 table default\n"
    assert found(fib(held), "10.1.0.1") == "10.1.0.0/16 dev eth1 table default"
    assert found(fib(held), "10.2.0.1") == "blackhole 10.2.0.0/16"
    assert found(fib(held), "192.0.2.1") == "192.0.2.0/24 dev eth1 table default"
    assert found(fib(held), "198.51.100.1") == "no route"


def test_a_refusal_is_not_suppressed() -> None:
    rules = "10: from all lookup 5 suppress_prefixlength 8\n" + USUAL
    held = "default via 192.0.2.1 dev a table 5\nblackhole 10.0.0.0/8 table 5\ndefault dev b\n"
    assert found(fib(held, rules), "8.8.8.8") == "default dev b"
    assert found(fib(held, rules), "10.0.0.1") == "blackhole 10.0.0.0/8 table 5"


def test_a_dead_next_hop_is_passed_by() -> None:
    held = (
        "10.0.0.0/24\n\tnexthop via 10.9.0.1 dev a weight 1 dead linkdown\n\tnexthop via 10.9.0.2 dev b weight 1\n"
        "10.0.1.0/24\n\tnexthop via 10.9.0.1 dev a weight 1 dead linkdown\n\tnexthop dev c weight 1 dead\n"
        "10.0.0.0/8 via 10.9.0.3 dev b\n10.0.2.0/24 dev c dead linkdown\n10.0.3.0/24 dev c linkdown\n"
    )
    match = fib(held).lookup("10.0.0.1")
    assert match is not None
    assert match.next_hops == (NextHop("10.9.0.2", "b"),)
    assert found(fib(held), "10.0.1.1") == "10.0.0.0/8 via 10.9.0.3 dev b"
    assert found(fib(held), "10.0.2.1") == "10.0.0.0/8 via 10.9.0.3 dev b"
    assert found(fib(held), "10.0.3.1") == "10.0.3.0/24 dev c linkdown"


def test_type_of_service() -> None:
    held = "10.0.0.0/24 tos 0x10 dev a metric 9\n10.0.0.0/24 dev b\n10.0.0.0/25 tos 0x08 dev c\n"
    assert found(fib(held), "10.0.0.1") == "10.0.0.0/24 dev b"
    assert found(fib(held), "10.0.0.1", tos=0x10) == "10.0.0.0/24 tos 0x10 dev a metric 9"
    assert found(fib(held), "10.0.0.1", tos=0x08) == "10.0.0.0/25 tos 0x08 dev c"


def test_a_source_that_is_not_chosen_yet() -> None:
    # fib4_rule_match compares it as 0.0.0.0, fib6_rule_match does not let it match.
    rules = "10: from 0.0.0.0/1 lookup 5\n" + USUAL
    assert found(fib("10.0.0.0/8 dev a table 5\n", rules), "10.0.0.1") == "10.0.0.0/8 dev a table 5"
    rules6 = "10: from ::/1 lookup 5\n" + USUAL6
    table6 = fib(routes6="fd00::/8 dev a table 5\n", rules6=rules6)
    assert found(table6, "fd00::1") == "no route"
    assert found(table6, "fd00::1", "::") == "no route"
    assert found(table6, "fd00::1", "2001:db8::1") == "fd00::/8 dev a table 5"


def test_goto() -> None:
    held = "default dev a table 5\ndefault dev b table 6\ndefault dev c\n"
    assert found(fib(held, "1: from all goto 3\n2: from all lookup 5\n3: from all lookup 6\n"), "10.0.0.1").endswith(
        "6"
    )
    # Without its target a goto is passed by, in whatever words it is printed.
    for line in ("1: from all goto 4 [unresolved]\n", "1: from all goto 4\n"):
        assert found(fib(held, line + "2: from all lookup 5\n3: from all lookup 6\n"), "10.0.0.1").endswith("table 5")


def test_several_default_routes_of_one_metric() -> None:
    held = "default via 10.0.0.1 dev a\ndefault via 10.0.0.2 dev a\ndefault via 10.0.0.3 dev a metric 5\n"
    mine, forwarded = fib(held).lookup("8.8.8.8"), fib(held).lookup("8.8.8.8", "10.0.0.9", "b")
    assert mine is not None
    assert forwarded is not None
    assert [hop.gateway for hop in mine.next_hops] == ["10.0.0.1", "10.0.0.2"]
    assert [hop.gateway for hop in forwarded.next_hops] == ["10.0.0.1"]
    held += "default tos 0x10 via 10.0.0.4 dev a metric 9\ndefault tos 0x10 via 10.0.0.5 dev a metric 10\n"
    marked = fib(held).lookup("8.8.8.8", tos=0x10)
    assert marked is not None
    assert [hop.gateway for hop in marked.next_hops] == ["10.0.0.4", "10.0.0.1", "10.0.0.2"]


def test_next_hops_that_are_printed_as_routes() -> None:
    held = "fd00::/64 via fe80::1 dev a metric 1024\nfd00::/64 via fe80::2 dev b metric 1024\n"
    held += "fd00::/64 via fe80::3 dev b metric 2000\nfd00:1::/64 dev a metric 9\nfd00:1::/64 dev b metric 9\n"
    match = fib(routes6=held).lookup("fd00::1")
    assert match is not None
    assert [hop.gateway for hop in match.next_hops] == ["fe80::1", "fe80::2"]
    single = fib(routes6=held).lookup("fd00:1::1")
    assert single is not None
    assert [hop.device for hop in single.next_hops] == ["a"]


def test_among_equal_metrics_preference_and_then_the_device_it_came_in_on() -> None:
    held = "fd00::/64 dev a metric 9 pref medium\nfd00::/64 dev b metric 9 pref medium\n"
    assert found(fib(routes6=held), "fd00::1", "fd01::1", "b").split()[2] == "b"
    held += "fd00::/64 dev c metric 9 pref high\n"
    assert found(fib(routes6=held), "fd00::1", "fd01::1", "b").split()[2] == "c"


def test_a_link_local_destination_stays_on_its_link() -> None:
    held = "fe80::/64 dev a metric 256\nfe80::/64 dev b metric 256\ndefault via fe80::1 dev c metric 1024\n"
    assert found(fib(routes6=held), "fe80::9", "fe80::8", "b").split()[2] == "b"
    assert found(fib(routes6=held), "fe80::9", "fe80::8", "d") == "no route"
    assert found(fib(routes6=held), "fe80::9").split()[2] == "a"


def test_a_sender_bound_to_a_device() -> None:
    held = "10.0.0.0/24 dev a\n10.0.0.0/8\n\tnexthop via 10.9.0.1 dev a weight 1\n\tnexthop dev b weight 1\n"
    match = fib(held).lookup("10.0.0.1", output_device="b")
    assert match is not None
    assert match.next_hops == (NextHop(None, "b"),)
    rules = "5: from all oif b blackhole\n" + USUAL
    assert found(fib(held, rules), "10.0.0.1", output_device="b") == "5: from all oif b blackhole"
    assert found(fib(held, rules), "10.0.0.1") == "10.0.0.0/24 dev a"


def test_rules_that_can_not_be_judged_are_passed_by_and_named() -> None:
    held = "10.0.0.0/24 dev a\n10.0.0.0/8 dev b table 5\n192.0.2.0/24 dev c\n"
    doubtful = "9: from all ipproto tcp lookup 5"
    rules = f"{doubtful}\n10: from 192.0.2.0/24 tos 0x10 blackhole\n" + USUAL
    assert found(fib(held, rules), "10.0.0.1") == "10.0.0.0/24 dev a"
    assert [rule.text for rule in fib(held, rules).unjudged("10.0.0.1")] == [doubtful]
    assert len(fib(held, rules).unjudged("10.0.0.1", "192.0.2.7", "c")) == 2
    # Its table has nothing for this destination.
    assert fib(held, rules).unjudged("192.0.2.1") == ()
    # What comes after the decision is of no matter.
    assert fib(held, USUAL + "32768: from all ipproto tcp lookup 5\n").unjudged("10.0.0.1") == ()


def test_a_rule_for_the_other_family_matches_nothing() -> None:
    ruled = (Rule(1, destination="::/0", action="blackhole"), Rule(2, table="main"))
    namespace = NetworkNamespace(routes=(Route("10.0.0.0/8", device="a"),), rules=ruled)
    match = Fib(namespace).lookup("10.0.0.1")
    assert match is not None
    assert match.kind == "unicast"


def test_what_is_no_address() -> None:
    with pytest.raises(ValueError, match="nowhere"):
        fib().lookup("nowhere")
    with pytest.raises(ValueError, match="two families"):
        fib().lookup("10.0.0.1", "fd00::1")
