"""What a node's daemons, packet filter and services printed, and everything that can be in the way of it."""

from __future__ import annotations

import pytest

from calitui.facts.bird import Bird
from calitui.facts.node import Counters, ManagedDevice, NodeFacts
from tests.nodes.script.test_output import RECORDED, mark, read, reasons, replaced

SOCKET = "/var/run/calico/bird.ctl"
REFUSED = b"Unable to connect to server control socket (/var/run/calico/bird.ctl): Connection refused"


def without(section: str, output: bytes = RECORDED) -> bytes:
    """The output without one section."""
    start = output.index(mark(f"section {section}\n"))
    return output[:start] + output[output.index(b"=== ", output.index(mark("status "), start) + 4) :]


def bird(facts: NodeFacts) -> Bird:
    assert facts.birds is not None
    (one,) = facts.birds
    return one


def test_everything_around_is_a_fact() -> None:
    facts = read(RECORDED)
    one = bird(facts)
    assert (one.family, one.socket, one.command) == (4, SOCKET, f"birdcl -r -s {SOCKET}")
    assert (one.error, one.complete) == ("", True)
    assert one.answer is not None
    assert (one.answer.version, one.answer.router_id) == ("v0.3.3+birdv1.6.8", "10.173.32.23")
    assert [protocol.name for protocol in one.answer.protocols] == ["direct1", "Mesh_10_173_32_26"]
    assert [route.prefix for route in one.answer.routes] == ["10.173.32.0/24", "192.168.210.128/26"]
    assert facts.processes == ("confd", "bird", "calico-node")
    assert facts.pod_mtu == 1450
    assert facts.packet_filter is not None
    chains = {(chain.backend, chain.table, chain.name): chain.policy for chain in facts.packet_filter.chains}
    assert chains["iptables-nft", "filter", "FORWARD"] == "drop"
    assert chains["nft", "mine", "forward"] == "accept"
    assert facts.packet_filter.read == ("iptables-nft", "ip6tables-nft", "nft")


def test_counters_of_devices() -> None:
    host = read(RECORDED).host
    assert host is not None
    assert "counters" in host.complete
    counters = {one.device: one for one in host.counters}
    assert len(counters) == 6
    eth0 = counters["eth0"]
    assert (eth0.rx_packets, eth0.rx_errors, eth0.rx_dropped) == (18, 0, 2)
    assert (counters["vxlan.calico"].tx_dropped, counters["cali3683f65394b"].tx_packets) == (9, 15)
    assert eth0.text.startswith("eth0: 1612 18 0 2") or eth0.text.startswith("eth0:    1612")


@pytest.mark.parametrize(
    "line", ["eth0: 1 2 3", "eth0 " + "0 " * 16, "eth0: " + "x " * 16, "eth0: " + "-1 " * 16, ": " + "0 " * 16]
)
def test_counters_that_no_grammar_covers(line: str) -> None:
    facts = read(replaced("counters", line.encode(), 0))
    assert facts.host is not None
    assert facts.host.counters == ()
    assert "counters" not in facts.host.complete
    assert reasons(facts)["counters"].startswith("1 of its lines in a form that is not known")


def test_old_kernels_print_a_count_right_behind_the_name() -> None:
    line = b"eth0:70291867520319 20319 1 2 0 0 0 0 1357781 12502 3 4 0 0 0 0"
    facts = read(replaced("counters", line, 0))
    assert facts.host is not None
    assert facts.host.counters == (Counters("eth0", 20319, 1, 2, 12502, 3, 4, line.decode()),)


class TestBird:
    def test_no_socket_is_no_bird(self) -> None:
        facts = read(replaced("processes", b"/proc/1/comm:calico-node", 0).replace(f"4 {SOCKET} ".encode(), b"x "))
        assert facts.birds == ()
        assert "BIRD" not in reasons(facts)

    def test_a_bird_without_a_socket_to_see_is_not_read(self) -> None:
        facts = read(replaced("birds", b"", 0))
        assert facts.birds is None
        assert reasons(facts)["BIRD"] == "it runs, but its control socket is not to be seen from here"

    def test_a_socket_that_nobody_listens_on(self) -> None:
        facts = read(without("bird4 routes", without("bird4 protocols", replaced("bird4 status", b"", 1, REFUSED))))
        one = bird(facts)
        assert (one.answer, one.error, one.complete) == (None, REFUSED.decode(), False)
        assert "BIRD" not in reasons(facts)

    def test_one_that_hangs(self) -> None:
        facts = read(without("bird4 routes", without("bird4 protocols", replaced("bird4 status", b"", 124))))
        assert (bird(facts).answer, bird(facts).error) == (None, "it did not answer in time")

    @pytest.mark.parametrize(
        ("said", "status", "reason"),
        [
            (b"Unable to connect to server control socket (x): Permission denied", 1, "needs root: run with --sudo"),
            (b"nsenter: reassociate to namespace 'ns/mnt' failed: \x1b[2J", 1, "nsenter: reassociate to namespace"),
            (b"sh: birdcl: not found", 127, "sh: birdcl: not found"),
        ],
    )
    def test_one_that_could_not_be_asked_is_not_read(self, said: bytes, status: int, reason: str) -> None:
        facts = read(replaced("bird4 status", b"", status, said))
        assert facts.birds is None
        assert reason in reasons(facts)["BIRD"]
        assert "\x1b" not in reasons(facts)["BIRD"]

    def test_no_client(self) -> None:
        facts = read(replaced("birds", f"4 {SOCKET} ".encode(), 0))
        assert facts.birds is None
        assert reasons(facts)["BIRD"].startswith("neither birdcl nor birdc is on this node")

    def test_a_directory_that_only_root_may_look_into(self) -> None:
        facts = read(replaced("birds", b"closed /var/run/calico", 0))
        assert facts.birds is None
        assert reasons(facts)["BIRD"] == "/var/run/calico can't be looked into (needs root: run with --sudo)"

    def test_two_families(self) -> None:
        six = b"6 /var/run/calico/bird6.ctl birdcl -r -s /var/run/calico/bird6.ctl"
        output = replaced("birds", f"4 {SOCKET} birdcl -r -s {SOCKET}\n".encode() + six, 0)
        gone = mark("section bird6 status\n") + mark("stderr\n") + REFUSED + b"\n" + mark("status 1\n")
        facts = read(output.replace(mark("end"), gone + mark("end")))
        assert facts.birds is not None
        assert [(one.family, one.answer is None) for one in facts.birds] == [(4, False), (6, True)]
        assert "BIRD" not in reasons(facts)

    @pytest.mark.parametrize(
        ("output", "reason"),
        [
            (replaced("bird4 routes", b"10.0.0.0/8 \x1b[2Jvia rainbow", 0), "1 of its lines in a form that is not"),
            (replaced("bird4 protocols", b"", 124), "its protocols did not come in time"),
            (replaced("bird4 routes", b"", 1, b"Connection closed by server"), "its routes: Connection closed"),
            (RECORDED[: RECORDED.index(b"192.168.210.128/26 via 10.173.32.26 on")], "its routes: the output was cut"),
        ],
    )
    def test_half_of_its_words_are_kept_and_not_complete(self, output: bytes, reason: str) -> None:
        facts = read(output)
        one = bird(facts)
        assert one.answer is not None
        assert one.answer.router_id == "10.173.32.23"
        assert not one.complete
        assert reasons(facts)["BIRD"].startswith(reason)


class TestProcesses:
    def test_none_of_them_runs(self) -> None:
        assert read(replaced("processes", b"", 0)).processes == ()

    def test_names_of_others_are_none_of_calicos(self) -> None:
        facts = read(replaced("processes", b"/proc/1/comm:bird\n/proc/x/comm:bird6\n/proc/2/comm:a b", 0))
        assert facts.processes == ("bird",)

    def test_a_proc_that_hides_others_is_not_read(self) -> None:
        said = b"hidepid hides the processes of others (needs root: run with --sudo)"
        facts = read(replaced("processes", b"", 1, said))
        assert facts.processes is None
        assert reasons(facts)["processes"].startswith("hidepid hides the processes of others")


class TestPacketFilter:
    def test_none_is_a_filter_without_chains(self) -> None:
        facts = read(without("iptables-nft", without("ip6tables-nft", without("nft"))))
        assert facts.packet_filter is not None
        assert (facts.packet_filter.chains, facts.packet_filter.read) == ((), ())
        assert "packet filter" not in reasons(facts)

    @pytest.mark.parametrize(
        ("output", "reason"),
        [
            (replaced("packet-filter", b"", 1, b"needs root: run with --sudo"), "needs root: run with --sudo"),
            (replaced("nft", b"table inet x {", 124), "`nft` took too long"),
            (
                replaced("iptables-nft", b"", 1, b"iptables-nft-save: \x1b[1m"),
                "`iptables-nft-save`: iptables-nft-save:",
            ),
            (replaced("ip6tables-nft", b"", 127), "`ip6tables-nft-save` is not installed there"),
            (RECORDED[: RECORDED.index(mark("section packet-filter"))], "the output was cut off"),
        ],
    )
    def test_a_part_that_failed_leaves_nothing(self, output: bytes, reason: str) -> None:
        facts = read(output)
        assert facts.packet_filter is None
        assert reasons(facts)["packet filter"].startswith(reason)
        assert "\x1b" not in reasons(facts)["packet filter"]

    def test_without_nft_iptables_is_told_and_the_rest_is_missing(self) -> None:
        facts = read(replaced("nft", b"", 127, b"sh: nft: not found"))
        assert facts.packet_filter is not None
        assert facts.packet_filter.read == ("iptables-nft", "ip6tables-nft")
        assert reasons(facts)["packet filter"].startswith("`nft` is not installed there")

    def test_without_any_program_nothing_is_known(self) -> None:
        output = without("iptables-nft", without("ip6tables-nft", replaced("nft", b"", 127, b"sh: nft: not found")))
        facts = read(output)
        assert facts.packet_filter is None
        assert "packet filter" in reasons(facts)


class TestServices:
    def test_devices_by_their_numbers(self) -> None:
        facts = read(RECORDED)
        line = "/run/systemd/netif/links/4:ADMIN_STATE=configuring"
        assert facts.managed_devices == (ManagedDevice("systemd-networkd", "vxlan.calico", line),)
        assert facts.foreign_routes == ("/etc/systemd/networkd.conf:ManageForeignRoutes=no",)

    def test_network_manager(self) -> None:
        body = b"/run/NetworkManager/devices/5:managed=true\n/run/NetworkManager/devices/6:managed=false\n"
        facts = read(replaced("host", body + b"/run/NetworkManager/devices/99:managed=true\n", 0))
        assert facts.managed_devices == (
            ManagedDevice("NetworkManager", "cali3683f65394b", "/run/NetworkManager/devices/5:managed=true"),
        )
        assert facts.foreign_routes == ()

    def test_a_host_without_such_services(self) -> None:
        facts = read(replaced("host", b"", 2))
        assert (facts.managed_devices, facts.foreign_routes) == ((), ())

    def test_inside_calico_node_nothing_is_said(self) -> None:
        facts = read(without("host"))
        assert (facts.managed_devices, facts.foreign_routes) == (None, None)
        assert not {"managed devices", "foreign routes"} & set(reasons(facts))

    @pytest.mark.parametrize("body", [b"", b"x", b"0", b"-5", b"1450\n1460", b"0x5aa", b"99999999"])
    def test_an_mtu_that_is_none(self, body: bytes) -> None:
        assert read(replaced("mtu", body, 0)).pod_mtu is None

    def test_checksums(self) -> None:
        body = (
            b"Features for vxlan.calico:\ntx-checksumming: on\n\ttx-checksum-ipv4: off [fixed]\n"
            b"\ttx-checksum-ip-generic: on\nscatter-gather: on\n"
        )
        section = mark("section offloads vxlan.calico\n") + body + mark("status 0\n")
        facts = read(RECORDED.replace(mark("section sysctls"), section + mark("section sysctls")))
        assert facts.offloads is not None
        assert [(one.device, one.feature, one.on) for one in facts.offloads] == [
            ("vxlan.calico", "tx-checksumming", True),
            ("vxlan.calico", "tx-checksum-ipv4", False),
            ("vxlan.calico", "tx-checksum-ip-generic", True),
        ]
        assert facts.offloads[2].text == "tx-checksum-ip-generic: on"
        assert read(RECORDED).offloads is None
