from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calitui.facts.node import LookupAnswer, NodeFacts, RenderedPool, Route
from calitui.nodes.script import LARGEST_OUTPUT, parse_output

RECORDED = Path(__file__).with_name("recorded.txt").read_bytes()
"""What the script printed in the namespaces of `namespaces.py`; host name, kernel and namespace names were changed.

What services and daemons say was recorded elsewhere and given the addresses of this node.
"""

NONCE = RECORDED.split(b"\n")[1].split()[-1]
CONTAINERS = ("192.168.97.1", "192.168.97.2", "10.173.32.23")
HOST = {"links", "addresses", "routes", "routes6", "rules", "rules6", "neighbours", "sysctls", "counters"}
AROUND = {"BIRD", "packet filter", "processes"}
WHOLE = HOST | {"fdb"}


def read(output: bytes, containers: tuple[str, ...] = CONTAINERS, *, truncated: bool = False) -> NodeFacts:
    return parse_output(
        output,
        node="k8s-calico2",
        via="ssh",
        target="root@10.173.32.23:22",
        address_source="InternalIP",
        read_at=12.5,
        containers_asked=containers,
        truncated=truncated,
    )


def reasons(facts: NodeFacts) -> dict[str, str]:
    assert {one.node for one in facts.missing} <= {"k8s-calico2"}
    return {one.what: one.reason for one in facts.missing}


def mark(words: str) -> bytes:
    return b"=== " + NONCE + b" " + words.encode()


def replaced(section: str, body: bytes, status: int, said: bytes = b"") -> bytes:
    """The recorded output with another body and end of one section."""
    start = RECORDED.index(mark(f"section {section}\n")) + len(mark(f"section {section}\n"))
    end = RECORDED.index(mark("status "), start)
    rest = RECORDED.index(b"\n", end)
    told = mark("stderr\n") + said + b"\n" if said else b""
    return RECORDED[:start] + body + b"\n" + told + mark(f"status {status}") + RECORDED[rest:]


def test_everything_that_was_printed_is_a_fact() -> None:
    facts = read(RECORDED)
    assert (facts.name, facts.via, facts.target, facts.address_source, facts.read_at) == (
        "k8s-calico2",
        "ssh",
        "root@10.173.32.23:22",
        "InternalIP",
        12.5,
    )
    assert (facts.hostname, facts.kernel) == ("k8s-calico2", "6.1.0-13-amd64")
    assert facts.host is not None
    assert facts.host.complete == WHOLE
    assert facts.host.unparsed == ()
    assert facts.host.sysctls["ipv4/ip_forward"] == "1"
    assert facts.host.sysctls["ipv4/conf/cali3683f65394b/proxy_arp"] == "0"
    assert reasons(facts) == {"container 10.173.32.23": "it is an address of the node itself"}
    assert [(one.ip, one.found_by) for one in facts.containers] == [
        ("192.168.97.1", "/run/netns/cni-de752fd4"),
        ("192.168.97.2", "/proc/4711/ns/net"),
    ]
    assert facts.containers[0].namespace.complete == HOST - {"sysctls", "counters"}
    assert "default via 169.254.1.1 dev eth0" in {route.text for route in facts.containers[0].namespace.routes}


def test_answers_carry_their_question_and_command() -> None:
    answers = {answer.command: answer for answer in read(RECORDED).answers}
    assert list(answers) == [
        "ip route get 192.168.97.1",
        "ip route get 192.168.210.129 from 192.168.97.1 iif cali3683f65394b",
        "ip route get 10.173.32.26",
        "ip route get 192.168.97.9 from 192.168.97.1 iif cali3683f65394b",
    ]
    assert answers["ip route get 192.168.210.129 from 192.168.97.1 iif cali3683f65394b"] == LookupAnswer(
        "192.168.210.129",
        "192.168.97.1",
        "cali3683f65394b",
        Route(
            "192.168.210.129/32",
            gateway="10.173.32.26",
            device="eth0",
            text="192.168.210.129 from 192.168.97.1 via 10.173.32.26 dev eth0",
        ),
        "",
        "ip route get 192.168.210.129 from 192.168.97.1 iif cali3683f65394b",
        "192.168.210.129 from 192.168.97.1 via 10.173.32.26 dev eth0 cache iif cali3683f65394b",
    )
    refused = answers["ip route get 192.168.97.9 from 192.168.97.1 iif cali3683f65394b"]
    assert (refused.route, refused.error) == (None, "RTNETLINK answers: Invalid argument")


@pytest.mark.parametrize("noise", [b"Welcome!\n", b"\x1b[2Jmotd without an end", b"=== calitui 1 \n", b"\xff\xfe\n"])
def test_what_a_login_shell_prints_first_is_ignored(noise: bytes) -> None:
    assert read(noise + RECORDED) == read(RECORDED)


def test_a_terminal_in_between_changes_nothing() -> None:
    assert read(RECORDED.replace(b"\n", b"\r\n")) == read(RECORDED)


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (b"", "the script did not run and said nothing"),
        (b"sudo: a password is required\n", "the script did not run: sudo: a password is required"),
        (b"motd\n\x1b[31mThis account is not available.\n\n", "the script did not run: \\x1b[31mThis account is not"),
        (b"\n=== calitui 2 0\n", "the script did not run: === calitui 2 0"),
    ],
)
def test_no_script_is_a_node_that_was_not_read(output: bytes, reason: str) -> None:
    facts = read(output)
    assert facts.host is None
    assert (facts.containers, facts.answers) == ((), ())
    assert set(reasons(facts)) == HOST | AROUND | {"lookups"} | {f"container {ip}" for ip in CONTAINERS}
    assert all(found.startswith(reason) for found in reasons(facts).values())


def test_a_refusal_says_so() -> None:
    facts = read(b"\n=== calitui 1 0\n=== 0 refused usage: SOURCE DESTINATION\n")
    assert set(reasons(facts).values()) == {"the script refused its arguments: usage: SOURCE DESTINATION"}


def test_cut_anywhere_only_what_was_printed_to_its_end_is_complete() -> None:
    # Every position of the node's own rules, routes and neighbours, and the ends of all other lines.
    dense = range(RECORDED.index(mark("section rules\n")), RECORDED.index(mark("section sysctls\n")), 3)
    line_ends = {position for position, byte in enumerate(RECORDED) if byte == ord("\n")}
    whole = read(RECORDED)
    assert whole.host is not None
    for position in sorted({*dense, *line_ends}):
        cut = RECORDED[:position]
        facts = read(cut)
        if facts.host is None:
            continue
        for section in WHOLE:
            shown = "fdb vxlan.calico" if section == "fdb" else section
            start = RECORDED.index(mark(f"section {shown}\n"))
            ended = RECORDED.index(b"\n", RECORDED.index(mark("status "), start)) < position
            assert (section in facts.host.complete) == ended
            # Whether there is a VXLAN device at all is not known before the links are.
            if section != "fdb" or "links" in facts.host.complete:
                assert (section in reasons(facts)) != ended
        assert set(facts.host.routes) <= set(whole.host.routes)
        assert set(facts.host.rules) <= set(whole.host.rules)
        assert set(facts.host.neighbours) <= set(whole.host.neighbours)
        assert set(facts.host.fdb) <= set(whole.host.fdb)
        assert set(facts.answers) <= set(whole.answers)
        assert facts.host.unparsed == ()


def test_a_section_that_was_not_printed() -> None:
    start = RECORDED.index(mark("section routes\n"))
    facts = read(RECORDED[:start] + RECORDED[RECORDED.index(mark("section routes6\n")) :])
    assert reasons(facts)["routes"] == "the script did not print it"
    assert facts.host is not None
    assert facts.host.complete == WHOLE - {"routes"}


@pytest.mark.parametrize(
    ("status", "said", "reason"),
    [
        (127, b"sh: 61: ip: not found", "`ip` is not installed on this node, or not in its PATH"),
        (2, b"Dump terminated\nmore", "Dump terminated"),
        (1, b"", "the command ended with status 1"),
        (2, b"RTNETLINK answers: \x1b[31mno", "RTNETLINK answers: \\x1b[31mno"),
    ],
)
def test_a_command_that_failed_says_why(status: int, said: bytes, reason: str) -> None:
    facts = read(replaced("routes", b"blackhole 192.168.97.0/26 proto bird", status, said))
    assert reasons(facts)["routes"] == reason
    assert facts.host is not None
    assert facts.host.complete == WHOLE - {"routes"}
    assert "blackhole 192.168.97.0/26 proto bird" in {route.text for route in facts.host.routes}


def test_no_bridge_command_is_said() -> None:
    facts = read(replaced("fdb vxlan.calico", b"", 127, b"sh: 61: bridge: not found"))
    assert reasons(facts)["fdb"] == "`bridge` is not there, as in the image of calico-node (vxlan.calico)"
    assert facts.host is not None
    assert facts.host.complete == HOST


def test_a_forwarding_entry_that_no_grammar_covers() -> None:
    facts = read(replaced("fdb vxlan.calico", b"66:35:31:bd:3e:3a dst nowhere self", 0))
    assert facts.host is not None
    assert facts.host.unparsed == ("66:35:31:bd:3e:3a dst nowhere self",)
    assert "fdb" not in facts.host.complete
    assert reasons(facts)["fdb"].startswith("1 of its lines in a form that is not known, the first: 66:35")


def test_without_links_nobody_knows_which_devices_are_vxlan() -> None:
    facts = read(replaced("links", b"", 1))
    assert facts.host is not None
    assert "fdb" not in facts.host.complete
    assert len(facts.host.fdb) == 2
    assert reasons(facts)["fdb"].startswith("the links were not read")


def test_a_kernel_without_ipv6_has_no_ipv6_routes() -> None:
    facts = read(replaced("routes6", b"", 2, b"RTNETLINK answers: Address family not supported by protocol"))
    assert facts.host is not None
    assert "routes6" in facts.host.complete
    assert not [route for route in facts.host.routes if ":" in route.prefix]


def test_a_line_that_no_grammar_covers_leaves_its_section_incomplete() -> None:
    facts = read(replaced("routes", b"default via 10.0.0.1 dev eth0\nrainbow \x1b[1m 10.1.0.0/16", 0))
    assert facts.host is not None
    assert facts.host.unparsed == ("rainbow \\x1b[1m 10.1.0.0/16",)
    assert "routes" not in facts.host.complete
    assert reasons(facts)["routes"].startswith("1 of its lines in a form that is not known, the first: rainbow")


def test_busyboxs_rules_are_not_trusted() -> None:
    busybox = replaced("version", b"", 1, b"BusyBox v1.35.0 multi-call binary.")
    assert reasons(read(busybox))["rules"] == "this node's ip is BusyBox's, which leaves parts of a rule out"
    assert "rules6" not in reasons(read(busybox))


def test_an_ip_that_could_not_be_asked_gave_no_answer() -> None:
    output = RECORDED.replace(
        b"192.168.97.1 dev cali3683f65394b src 10.173.32.23 uid 0 \n    cache \n" + mark("status 0"),
        b"sh: 61: ip: not found\n" + mark("status 127"),
    )
    assert output != RECORDED
    facts = read(output)
    assert reasons(facts)["lookup of 192.168.97.1"] == "sh: 61: ip: not found"
    assert "ip route get 192.168.97.1" not in {answer.command for answer in facts.answers}


def with_pools(body: bytes, end: str = "status 0") -> bytes:
    sysctls = RECORDED.index(mark("section sysctls\n"))
    return RECORDED[:sysctls] + mark("section pools\n") + body + b"\n" + mark(end) + b"\n" + RECORDED[sysctls:]


def test_the_pools_that_confd_rendered() -> None:
    statement = b'if (net ~ 10.65.0.0/16) then { krt_tunnel="tunl0"; accept; }'
    facts = read(with_pools(b"filter calico_kernel_programming {\n  " + statement + b"\n}"))
    assert facts.rendered_pools == (RenderedPool("10.65.0.0/16", "tunl0", text=statement.decode()),)
    assert "rendered pools" not in reasons(facts)


def test_outside_calico_node_no_pools_are_missed() -> None:
    facts = read(RECORDED)
    assert facts.rendered_pools is None
    assert "rendered pools" not in reasons(facts)


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (with_pools(b"router id 1.2.3.4;"), "the files of confd are in a form that is not known"),
        (with_pools(b"", "stderr\ncat: \x1b[2J: I/O error\n" + mark("status 1").decode()), "cat: \\x1b[2J: I/O error"),
        (with_pools(b"filter calico_ipip {").partition(b"ipip {")[0], "the output was cut off"),
    ],
    ids=["another file", "unreadable", "cut"],
)
def test_pools_that_could_not_be_read_are_missing(output: bytes, reason: str) -> None:
    facts = read(output)
    assert facts.rendered_pools is None
    assert reasons(facts)["rendered pools"] == reason


def test_names_can_not_forge_a_section() -> None:
    forged = b"=== calitui 1 0\n=== 0 section routes\ndefault via 6.6.6.6 dev eth0\n=== 0 status 0\n=== 0 end\n"
    facts = read(replaced("links", b"5: eth0: <UP> mtu 1500\\    alias x\n" + forged, 0))
    assert facts.host is not None
    assert "6.6.6.6" not in {route.gateway for route in facts.host.routes}
    assert "links" not in facts.host.complete


def test_an_output_beyond_the_limit_is_not_read_to_its_end() -> None:
    body = b"10.1.0.0/16 dev " + b"x" * 1_000_000 + b"\n"
    facts = read(replaced("routes", body * 52, 0))
    found = reasons(facts)
    assert {"routes", "routes6", "neighbours", "sysctls"} <= set(found)
    assert found["routes6"] == f"the output is larger than {LARGEST_OUTPUT // 2**20} MiB and was not read further"
    assert facts.host is not None
    assert facts.host.complete == {"links", "addresses", "rules", "rules6"}
    assert max(len(line) for line in facts.host.unparsed) < 5000


def test_a_reader_that_stopped_early_says_so() -> None:
    facts = read(RECORDED[: RECORDED.index(mark("section routes\n"))], truncated=True)
    assert "is larger than" in reasons(facts)["routes"]


@given(st.binary(), st.integers(min_value=0, max_value=len(RECORDED)))
def test_no_bytes_raise(noise: bytes, position: int) -> None:
    read(noise)
    read(RECORDED[:position] + noise + RECORDED[position:])


@given(st.lists(st.sampled_from([*RECORDED.split(b"\n"), b"\x1b[2J", b"=== x"]), max_size=30))
def test_no_order_of_lines_raises(lines: list[bytes]) -> None:
    facts = read(b"\n".join([b"=== calitui 1 " + NONCE, *lines]))
    shown = [one.reason for one in facts.missing] + [one.text for one in facts.answers] + [facts.hostname]
    assert all("\x1b" not in text for text in shown)
