"""What BIRD 1.6.8 printed when this was recorded, and lines in the forms of Calico's own build, printed back."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calitui.facts.bird import BirdNextHop, BirdProtocol, BirdRoute
from calitui.nodes.parse.bird import parse_bird, render_bird_protocol, render_bird_route

RECORDED = """\
BIRD 1.6.8 ready.
0.0.0.0/0          via 10.0.0.254 on eth0 [kernel1 19:25:26] * (10)
10.0.0.0/24        dev eth0 [direct1 19:25:26] * (240)
10.65.4.0/26       prohibited [static1 19:25:26] * (200)
10.65.2.0/26       multipath [static1 19:25:26] * (200)
\tvia 10.0.0.12 on eth0 weight 2
\tvia 10.0.0.13 on eth0 weight 1
10.65.3.0/26       unreachable [static1 19:25:26] * (200)
10.65.1.0/26       blackhole [static1 19:25:26] * (200)
"""

PROTOCOLS = """\
BIRD 1.6.8 ready.
name     proto    table    state  since       info
device1  Device   master   up     19:25:26    \n\
static1  Static   master   up     19:25:26    \n\
Mesh_10_0_0_12 BGP      master   start  19:25:26    Connect       \n\
Passive_one BGP      master   start  19:25:26    Passive       \n\
Far      BGP      master   down   19:25:26    \n\
"""

CALICO = """\
BIRD v0.3.3+birdv1.6.8 ready.
bird> show route
10.65.2.0/26       via 10.0.0.12 on eth1 [Mesh_10_0_0_12 11:49:17] * (100/0) [i]
                   via 10.0.0.12 on eth1 [Mesh_10_0_0_13 11:49:18 from 10.0.0.13] (100/0) [i]
                   via 10.0.0.12 on eth1 [kernel1 2020-11-25] (10)
10.65.5.0/26       via 192.0.2.1 on em0 [Global_192_0_2_1 20:11:00] ! (100/?) [AS65001?]
10.65.6.7/32       dev cali0123456789a [kernel1 11:49:13] * (10)
fd00:65::/122      via fe80::1 on eth0 [Mesh_fd00_10__20 11:49:13] * (100/0) [i]
"""

SOCKET = """\
0001 BIRD v0.3.3+birdv1.6.8 ready.
1007-0.0.0.0/0          via 10.0.0.254 on eth0 [kernel1 20:10:57] * (10)
 10.65.2.0/26       via 10.0.0.12 on eth0 [Mesh_10_0_0_12 20:10:57] * (100/0) [i]
                    via 10.0.0.12 on em0 [Global_10_0_0_12 20:11:00] (100/?) [AS65001?]
 10.65.3.0/26       multipath [static1 20:11:00] * (200)
 \tvia 10.0.0.12 on eth0 weight 2
0000
"""


DETAILS = """\
BIRD 1.6.8 ready.
Access restricted
name     proto    table    state  since       info
kernel1  Kernel   master   up     21:36:38    \n\
  Preference:     10
  Input filter:   ACCEPT
  Output filter:  ACCEPT
  Routes:         1 imported, 3 exported, 0 preferred
  Route change stats:     received   rejected   filtered    ignored   accepted
    Import updates:              1          0          0          0          1
    Import withdraws:            0          0        ---          0          0
    Export updates:              4          1          0        ---          3
    Export withdraws:            0        ---        ---        ---          0

Mesh_10_0_0_12 BGP      master   start  21:36:38    Connect       Socket: No route to host
  Description:    Connection to BGP peer
  Preference:     100
  Input filter:   ACCEPT
  Output filter:  (unnamed)
  Routes:         0 imported, 0 exported, 0 preferred
  Route change stats:     received   rejected   filtered    ignored   accepted
    Import updates:              0          0          0          0          0
    Export withdraws:            0        ---        ---        ---          0
  BGP state:          Connect
    Neighbor address: 10.0.0.12
    Neighbor AS:      64513
    Last error:       Socket: No route to host

Mesh_10_0_0_2 BGP      master   up     21:36:39    Established   \n\
  Preference:     100
  Input filter:   ACCEPT
  Output filter:  (unnamed)
  Routes:         5 imported, 2 filtered, 1 exported, 3 preferred
  BGP state:          Established
    Neighbor address: 10.0.0.2
    Neighbor AS:      64512
    Neighbor ID:      10.0.0.2
    Neighbor caps:    refresh enhanced-refresh restart-aware llgr-aware AS4 add-path-rx add-path-tx
    Session:          internal multihop AS4 add-path-rx add-path-tx
    Source address:   10.0.0.1
    Hold timer:       206/240
    Keepalive timer:  59/80

"""

BIRD2 = """\
BIRD 2.0.12 ready.
Name       Proto      Table      State  Since         Info
device1    Device     ---        up     2024-03-01    \n\
upstream   BGP        ---        up     21:36:39.123  Established   \n\
  BGP state:          Established
    Neighbor address: fe80::1%eth0
    Neighbor AS:      4200000001
    Local AS:         64512
    Neighbor ID:      10.0.0.2
    Local capabilities
      Multiprotocol
        AF announced: ipv4 ipv6
    Session:          external AS4
    Source address:   fe80::2
    Hold timer:       170.123/240
  Channel ipv4
    State:          UP
    Table:          master4
    Routes:         7 imported, 0 filtered, 2 exported, 7 preferred
    BGP Next hop:   10.0.0.1
  Channel ipv6
    State:          UP
    Routes:         1 imported, 4 exported, 1 preferred

Table master4:
10.65.2.0/26         unicast [upstream 21:36:39.123] * (100) [AS4200000001i]
\tvia 10.0.0.12 on eth0
"""


def printed(text: str) -> list[str]:
    return [line for line in text.splitlines() if "[" in line or line.startswith("\t")]


@pytest.mark.parametrize("text", [RECORDED, CALICO])
def test_routes_are_printed_back_as_they_were(text: str) -> None:
    answer = parse_bird(text)
    assert answer.unparsed == ()
    assert [line for route in answer.routes for line in render_bird_route(route)] == printed(text)


def test_routes() -> None:
    routes = parse_bird(CALICO).routes
    assert routes[1] == BirdRoute(
        prefix="10.65.2.0/26",
        kind="via",
        gateway="10.0.0.12",
        device="eth1",
        protocol="Mesh_10_0_0_13",
        since="11:49:18",
        learned_from="10.0.0.13",
        preference=100,
        metric="0",
        origin="i",
        repeated=True,
        text="via 10.0.0.12 on eth1 [Mesh_10_0_0_13 11:49:18 from 10.0.0.13] (100/0) [i]",
    )
    assert [(route.mark, route.preference, route.metric, route.origin) for route in routes[2:5]] == [
        ("", 10, None, None),
        ("!", 100, "?", "AS65001?"),
        ("*", 10, None, None),
    ]
    assert {route.kind for route in parse_bird(RECORDED).routes} == {
        "via",
        "dev",
        "blackhole",
        "unreachable",
        "prohibited",
        "multipath",
    }


def test_equal_next_hops() -> None:
    route = next(route for route in parse_bird(RECORDED).routes if route.kind == "multipath")
    assert route.next_hops == (BirdNextHop("10.0.0.12", "eth0", 2), BirdNextHop("10.0.0.13", "eth0", 1))


def test_the_socket_says_the_same_with_codes() -> None:
    answer = parse_bird(SOCKET)
    assert (answer.version, answer.unparsed) == ("v0.3.3+birdv1.6.8", ())
    assert [route.prefix for route in answer.routes] == ["0.0.0.0/0", "10.65.2.0/26", "10.65.2.0/26", "10.65.3.0/26"]
    assert answer.routes[3].next_hops == (BirdNextHop("10.0.0.12", "eth0", 2),)
    told = [line for route in answer.routes for line in render_bird_route(route)]
    assert told == printed(SOCKET.replace("1007-", "").replace("\n ", "\n"))
    # `birdc -v` indents the lines that go on as far as the code is long.
    verbose = SOCKET.replace("\n ", "\n     ")
    assert [route.prefix for route in parse_bird(verbose).routes] == [route.prefix for route in answer.routes]


def test_protocols() -> None:
    told = PROTOCOLS + "Mesh_10_0_0_13 BGP      master   start  2020-11-25  Active        Socket: Connection refused\n"
    answer = parse_bird(told)
    assert answer.unparsed == ()
    assert [(one.name, one.kind, one.state, one.info) for one in answer.protocols] == [
        ("device1", "Device", "up", ""),
        ("static1", "Static", "up", ""),
        ("Mesh_10_0_0_12", "BGP", "start", "Connect"),
        ("Passive_one", "BGP", "start", "Passive"),
        ("Far", "BGP", "down", ""),
        ("Mesh_10_0_0_13", "BGP", "start", "Active"),
    ]
    assert answer.protocols[5] == BirdProtocol(
        "Mesh_10_0_0_13",
        "BGP",
        "master",
        "start",
        "2020-11-25",
        "Active",
        "Socket: Connection refused",
        text="Mesh_10_0_0_13 BGP      master   start  2020-11-25  Active        Socket: Connection refused",
    )
    shown = [line.rstrip() for line in told.splitlines()[2:]]
    assert [render_bird_protocol(one) for one in answer.protocols] == shown


def test_details_of_protocols() -> None:
    answer = parse_bird(DETAILS)
    assert answer.unparsed == ()
    kernel, refused, up = answer.protocols
    assert (kernel.neighbour, kernel.neighbour_as, kernel.source) == (None, None, None)
    assert (kernel.imported, kernel.exported, kernel.last_error) == (1, 3, "")
    assert (refused.neighbour, refused.neighbour_as, refused.source) == ("10.0.0.12", 64513, None)
    assert (refused.imported, refused.exported, refused.last_error) == (0, 0, "Socket: No route to host")
    assert (up.neighbour, up.neighbour_as, up.source) == ("10.0.0.2", 64512, "10.0.0.1")
    assert (up.imported, up.exported, up.last_error) == (5, 1, "")


def test_with_details_protocols_are_what_they_are_without() -> None:
    lines = [line for line in DETAILS.splitlines() if not line.startswith(" ")]
    plain = parse_bird("\n".join(lines)).protocols
    bare = {"neighbour": None, "neighbour_as": None, "source": None, "last_error": "", "imported": None}
    found = [msgspec.structs.replace(one, exported=None, **bare) for one in parse_bird(DETAILS).protocols]
    assert tuple(found) == plain
    assert plain[1].detail == "Socket: No route to host"


def test_what_follows_details_is_no_detail() -> None:
    answer = parse_bird(DETAILS + CALICO)
    assert answer.unparsed == ()
    assert answer.routes == parse_bird(CALICO).routes
    assert parse_bird(DETAILS.replace("  BGP state:", "nonsense\n  BGP state:")).unparsed[0] == "nonsense"


def test_bird2_says_it_for_each_channel() -> None:
    answer = parse_bird(BIRD2)
    assert answer.unparsed == ()
    assert answer.version == "2.0.12"
    upstream = answer.protocols[1]
    assert (upstream.neighbour, upstream.neighbour_as, upstream.source) == ("fe80::1", 4200000001, "fe80::2")
    assert (upstream.imported, upstream.exported) == (8, 6)
    assert (upstream.info, upstream.since) == ("Established", "21:36:39.123")
    (route,) = answer.routes
    assert (route.prefix, route.kind, route.next_hops) == (
        "10.65.2.0/26",
        "unicast",
        (BirdNextHop("10.0.0.12", "eth0"),),
    )


@pytest.mark.parametrize(
    "line",
    [
        "    Neighbor AS:      1e9",
        "    Neighbor AS:      99999999999999999999",
        "    Neighbor AS:      ²",
        "    Neighbor address: nowhere",
        "    Source address:   ",
        "  Routes:         many imported, -1 exported",
        "  Last error",
    ],
)
def test_details_that_say_nothing(line: str) -> None:
    (told,) = parse_bird(f"Mesh_10_0_0_12 BGP      master   start  21:36:38    Connect\n{line}\n").protocols
    assert (told.neighbour, told.neighbour_as, told.source) == (None, None, None)
    assert (told.imported, told.exported, told.last_error) == (None, None, "")


def test_a_peers_words_are_made_harmless() -> None:
    told = "Mesh_10_0_0_12 BGP      master   start  21:36:38    Active        Received: \x1b[2Jno\n"
    (one,) = parse_bird(told + "    Last error:       Received: Administrative shutdown: \x1b[31mno\n").protocols
    assert one.last_error == "Received: Administrative shutdown: \\x1b[31mno"
    assert "\x1b" not in one.detail + one.text


def test_status() -> None:
    answer = parse_bird("BIRD 1.6.8 ready.\nBIRD 1.6.8\nRouter ID is 10.0.0.1\nDaemon is up and running\n")
    assert (answer.version, answer.router_id) == ("1.6.8", "10.0.0.1")
    assert answer.status == ("BIRD 1.6.8", "Daemon is up and running")


@pytest.mark.parametrize(
    "line",
    [
        "10.65.2.0/26       via nowhere on eth1 [Mesh_10_0_0_12 11:49:17] * (100/0) [i]",
        "                   via 10.0.0.12 on eth1 [kernel1 11:49:13] (10)",
        "10.65.2.0/99       dev eth1 [direct1 11:49:17] * (240)",
        "\tvia 10.0.0.12 on eth0 weight 2",
        "Unable to connect to server control socket (/var/run/calico/bird.ctl): No such file or directory",
    ],
)
def test_what_is_no_route_is_kept(line: str) -> None:
    answer = parse_bird(line)
    assert (answer.routes, answer.protocols, answer.unparsed) == ((), (), (line.strip(),))


def test_no_escape_sequence_gets_through() -> None:
    answer = parse_bird("10.65.6.7/32       dev \x1b[31mx [ke\x1brnel1 1\x1b1] * (10)\n\x1b[2J\n")
    assert "\x1b" not in repr(answer).replace("\\\\x1b", "")
    assert answer.routes[0].device == "\\x1b[31mx"


@given(st.text())
def test_no_text_raises(text: str) -> None:
    parse_bird(text)
    parse_bird(f"1007-10.0.0.0/8 {text}\n {text}")
    parse_bird(f"direct1  Direct   master   up     10:02:11\n  Routes: {text}\n    Neighbor AS: {text}\n  {text}")
