"""What the walk says of a packet: rule by rule for both grammars, and what it leaves open."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calitui.diagnosis.firewall.packet import Packet
from calitui.diagnosis.firewall.walk import Outcome, Verdict, Walk
from calitui.nodes.parse.packet_filter import parse_packet_filter

SENT = Packet(
    family=4,
    protocol=6,
    source="10.1.0.2",
    destination="10.2.0.3",
    in_device="cali0a",
    out_device="eth1",
    source_port=40000,
    port=80,
)


def nft(*rules: str, policy: str = "accept", family: str = "inet", more: str = "", priority: str = "filter") -> str:
    head = f"type filter hook forward priority {priority}; policy {policy};"
    lines = "".join(f"\t\t{rule}\n" for rule in rules)
    return f"table {family} t{len(rules)} {{\n{more}\tchain f {{\n\t\t{head}\n{lines}\t}}\n}}\n"


def saved(*rules: str, policy: str = "ACCEPT", more: str = "") -> str:
    return f"*filter\n:FORWARD {policy} [0:0]\n{more}" + "".join(f"-A {rule}\n" for rule in rules) + "COMMIT\n"


def judge(packet: Packet = SENT, **sections: str) -> Verdict:
    read = parse_packet_filter({name.replace("_", "-"): text for name, text in sections.items()})
    assert read.unparsed == ()
    return Walk(read).judge(packet, "forward")


YES, NO, OPEN = Outcome.DROPPED, Outcome.ACCEPTED, Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("match", "outcome"),
    [
        ("", YES),
        ("-s 10.1.0.0/16", YES),
        ("! -s 10.1.0.0/255.255.0.0", NO),
        ("-d 10.9.0.0/16", NO),
        ("-d 10.2.0.3/32 -p tcp", YES),
        ("-d 10.2.0.4/32 -p tcp", NO),
        ("-i cali+ -o eth1", YES),
        ("-i cali1", NO),
        ("-p udp", NO),
        ("-p 6", YES),
        ("-p tcp -m tcp --dport 80", YES),
        ("-p tcp -m tcp --dport 81:90", NO),
        ("-p tcp -m tcp ! --sport 1:1023", YES),
        ("-p tcp -m multiport --dports 22,70:80", YES),
        ("-p tcp -m multiport ! --dports 22,70:80", NO),
        ("-p tcp -m multiport --ports 80", OPEN),
        ("-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN", OPEN),
        ('-m comment --comment "a -j ACCEPT \\" b"', YES),
        ("-m conntrack --ctstate NEW", YES),
        ("-m conntrack --ctstate RELATED,ESTABLISHED,DNAT", NO),
        ("-m state ! --state INVALID", YES),
        ("-m conntrack --ctorigdst 10.0.0.1", OPEN),
        ("-m set --match-set cali40all src", OPEN),
        ("-m set ! --match-set cali40all src", OPEN),
        ("-m set --match-set cali40all src -p udp", NO),
        ("-m mark --mark 0x0", YES),
        ("-m mark --mark 0x10000/0x10000", NO),
        ("-m mark ! --mark 0x10000/0x10000", YES),
        ("-m connmark --mark 0x0", OPEN),
        ("-m addrtype --dst-type LOCAL", NO),
        ("-m addrtype ! --dst-type LOCAL --limit-iface-in", OPEN),
        ("-m iprange --src-range 10.1.0.1-10.1.0.9", YES),
        ("-m socket", OPEN),
        ("-m limit --limit 5/min --limit-burst 7", OPEN),
        ("-f", OPEN),
    ],
)
def test_matches_of_iptables(match: str, outcome: Outcome) -> None:
    rule = " ".join(["FORWARD", *match.split(), "-j", "DROP"]) if '"' not in match else f"FORWARD {match} -j DROP"
    assert judge(iptables_nft=saved(rule)).outcome is outcome


@pytest.mark.parametrize(
    ("match", "outcome"),
    [
        ("", YES),
        ("ip saddr 10.1.0.0/16", YES),
        ("ip saddr != 10.1.0.0/16", NO),
        ("ip daddr { 10.2.0.1-10.2.0.9, 192.0.2.1 }", YES),
        ("ip6 saddr != fd00::/8", NO),
        ("ip protocol tcp", YES),
        ("meta l4proto { icmp, udp }", NO),
        ("meta nfproto ipv6", NO),
        ('iifname "cali*"', YES),
        ('iifname "cali\\*"', NO),
        ('oifname { "eth0", "eth1" }', YES),
        ('iif "cali0a"', YES),
        ("iif 7", OPEN),
        ("tcp dport 80", YES),
        ("tcp dport != { 22, 443 }", YES),
        ("tcp dport 100-200", NO),
        ("tcp dport > 79", OPEN),
        ("tcp sport 1024-65535", YES),
        ("udp dport != 53", NO),
        ("th dport 80", YES),
        ("meta l4proto . th dport { tcp . 80, udp . 53 }", YES),
        ("ip saddr . tcp dport @pairs", YES),
        ("ip saddr @nets", YES),
        ("ip saddr != @nets", NO),
        ("ip saddr @counted", OPEN),
        ("ip saddr @nowhere", OPEN),
        ("ct state new", YES),
        ("ct state established,related", NO),
        ("ct state { established, new }", YES),
        ("ct state ! established,related", OPEN),
        ("ct status dnat", NO),
        ("ct direction original", YES),
        ("meta mark 0x00000000", YES),
        ("meta mark & 0x00010000 == 0x00010000", NO),
        ("meta mark & 0x00010000 != 0x00010000", YES),
        ("fib daddr type local", NO),
        ("fib daddr . iif type local", OPEN),
        ("icmp type echo-request", NO),
        ("limit rate 10/second", OPEN),
        ("ip saddr & 255.255.0.0 == 10.1.0.0", OPEN),
        ("tcp flags syn / syn,ack", OPEN),
        ('log prefix "accept " level info', YES),
        ("counter packets 3 bytes 4", YES),
        ('xt match "comment"', OPEN),
    ],
)
def test_matches_of_nft(match: str, outcome: Outcome) -> None:
    sets = (
        '\tset nets {\n\t\ttype ipv4_addr\n\t\tflags interval\n\t\telements = { 10.1.0.0/24 comment "a" }\n\t}\n'
        "\tset pairs {\n\t\ttype ipv4_addr . inet_service\n\t\telements = { 10.1.0.2 . 80 }\n\t}\n"
        "\tset counted {\n\t\ttype ipv4_addr\n\t\tflags dynamic\n\t\telements = { 10.1.0.2 }\n\t}\n"
    )
    assert judge(nft=nft(f"{match} drop".strip(), more=sets)).outcome is outcome


@pytest.mark.parametrize(
    ("rules", "outcome"),
    [
        (("tcp dport vmap { 22 : accept, 80 : drop }",), YES),
        (("tcp dport vmap @verdicts",), YES),
        (("tcp dport vmap { 22 : drop }",), NO),
        (("tcp dport vmap { * : drop, 80 : accept }",), NO),
        (("ct state vmap { invalid : drop, established : accept, related : accept }",), NO),
        (("numgen random mod 2 vmap { 0 : accept, 1 : drop }",), OPEN),
        (("tcp dport 80 jump own",), YES),
        (("udp dport 80 jump own",), NO),
        (("goto empty", "drop"), NO),
        (("jump empty", "drop"), YES),
        (("jump empty", "return", "drop"), NO),
        (("jump gone",), OPEN),
        (("jump loop", "drop"), OPEN),
        (("queue num 1",), OPEN),
        (("reject with icmpx admin-prohibited",), YES),
        (("reject with tcp reset",), YES),
        (("reject with icmpv6 addr-unreachable",), NO),
        (("meta mark set 0x2", "meta mark 0x2 drop"), YES),
        (("limit rate 1/second meta mark set 0x2", "meta mark 0x2 drop"), OPEN),
        (("limit rate 1/second meta mark set 0x2", "meta mark & 0x1 == 0x0 drop"), YES),
        (("meta mark set meta mark | 0x4 ", "meta mark & 0x4 == 0x4 drop"), YES),
        (("meta mark set ct mark", "meta mark 0x0 drop"), OPEN),
        (("limit rate 1/second drop", "drop"), YES),
        (("limit rate 1/second accept", "drop"), OPEN),
        (("tcp dport 80 jump { ip saddr 10.1.0.2 accept }", "drop"), OPEN),
    ],
)
def test_verdicts_of_nft(rules: tuple[str, ...], outcome: Outcome) -> None:
    more = (
        "\tmap verdicts {\n\t\ttype inet_service : verdict\n\t\telements = { 22 : accept, 80 : jump own }\n\t}\n"
        "\tchain own {\n\t\tdrop\n\t}\n\tchain empty {\n\t}\n\tchain loop {\n\t\tjump loop\n\t}\n"
    )
    assert judge(nft=nft(*rules, more=more)).outcome is outcome


@pytest.mark.parametrize(
    ("rules", "outcome"),
    [
        (("FORWARD -j MARK --set-xmark 0x10000/0x10000", "FORWARD -m mark --mark 0x10000/0x10000 -j DROP"), YES),
        (
            ("FORWARD -m set --match-set s src -j MARK --set-xmark 0x1/0x1", "FORWARD -m mark --mark 0x1/0x1 -j DROP"),
            OPEN,
        ),
        (
            ("FORWARD -m set --match-set s src -j MARK --set-xmark 0x1/0x1", "FORWARD -m mark --mark 0x0/0x2 -j DROP"),
            YES,
        ),
        (
            ("FORWARD -j CONNMARK --restore-mark --nfmask 0xff --ctmask 0xff", "FORWARD -m mark --mark 0x1 -j DROP"),
            OPEN,
        ),
        (("FORWARD -j own", "own -j RETURN", "own -j DROP"), NO),
        (("FORWARD -g own", "FORWARD -j DROP", "own -p udp -j DROP"), NO),
        (("FORWARD -j NFQUEUE --queue-num 1",), OPEN),
        (("FORWARD -j HMARK --hmark-tuple src", "FORWARD -j DROP"), OPEN),
        (("FORWARD -j LOG --log-prefix x", "FORWARD -j TCPMSS --clamp-mss-to-pmtu", "FORWARD -j REJECT"), YES),
    ],
)
def test_verdicts_of_iptables(rules: tuple[str, ...], outcome: Outcome) -> None:
    assert judge(iptables_legacy=saved(*rules, more=":own - [0:0]\n")).outcome is outcome


def test_every_base_chain_has_to_accept() -> None:
    accepting, dropping = saved("FORWARD -j ACCEPT"), nft("tcp dport 80 drop", "accept", priority="filter + 10")
    verdict = judge(iptables_nft=accepting, nft=dropping)
    assert verdict.outcome is YES
    (drop,) = verdict.drops
    assert drop.lines("n1") == (
        "n1 nft list ruleset: chain inet t2 f: type filter hook forward priority filter + 10; policy accept;",
        "n1 nft list ruleset: chain inet t2 f: tcp dport 80 drop",
    )
    # An open chain elsewhere saves nobody from a certain drop.
    assert judge(iptables_nft=saved("FORWARD -m set --match-set s src -j ACCEPT"), nft=dropping).outcome is YES
    assert judge(iptables_nft=accepting, nft=nft("limit rate 1/second drop")).outcome is OPEN


def test_marks_are_carried_from_hook_to_hook() -> None:
    text = "*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -i cali+ -j MARK --set-xmark 0x40000/0x40000\nCOMMIT\n"
    text += saved("FORWARD -m mark --mark 0x40000/0x40000 -j DROP")
    assert judge(iptables_nft=text).outcome is YES
    assert judge(msgspec.structs.replace(SENT, in_device="eth0"), iptables_nft=text).outcome is NO
    assert judge(msgspec.structs.replace(SENT, in_device="tunl0", mark=None), iptables_nft=text).outcome is OPEN


def test_what_is_kept_out_of_connection_tracking_is_not_new() -> None:
    rule = "FORWARD -m conntrack --ctstate NEW -j DROP"
    for untracked in ("NOTRACK", "CT --notrack"):
        raw = f"*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -j {untracked}\nCOMMIT\n"
        assert judge(iptables_nft=raw + saved(rule)).outcome is NO
    maybe = "*raw\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -m set --match-set s src -j NOTRACK\nCOMMIT\n"
    assert judge(iptables_nft=maybe + saved(rule)).outcome is OPEN


def test_what_may_be_sent_elsewhere_by_nat_is_left_open() -> None:
    nat = "*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING {}-j DNAT --to-destination 10.9.9.9\nCOMMIT\n"
    dropping = saved("FORWARD -j DROP")
    assert judge(iptables_nft=nat.format("") + dropping).outcome is OPEN
    assert judge(iptables_nft=nat.format("-d 10.96.0.1/32 ") + dropping).outcome is YES
    assert judge(iptables_nft=nat.format("-m addrtype --dst-type LOCAL ") + dropping).outcome is YES


def test_a_packet_that_stands_for_many() -> None:
    every = msgspec.structs.replace(SENT, protocol=None, port=None, source="10.1.0.0/24", source_port=None)
    assert judge(every, iptables_nft=saved(policy="DROP")).outcome is YES
    assert judge(every, iptables_nft=saved("FORWARD -p icmp -j ACCEPT", policy="DROP")).outcome is OPEN
    assert judge(every, iptables_nft=saved("FORWARD -s 10.1.0.128/25 -j ACCEPT", policy="DROP")).outcome is OPEN
    assert judge(every, iptables_nft=saved("FORWARD -s 10.1.0.0/16 -j ACCEPT", policy="DROP")).outcome is NO
    assert judge(every, nft=nft("udp dport != 53 accept", policy="drop")).outcome is OPEN


def test_families() -> None:
    six = Packet(
        family=6, protocol=17, source="fd00:1::2", destination="fd00:2::/122", in_device="c", out_device="e", port=53
    )
    assert judge(six, nft=nft("ip6 daddr fd00:2::/64 udp dport 53 drop")).outcome is YES
    assert judge(six, nft=nft("drop", family="ip")).outcome is NO
    assert judge(six, ip6tables_nft=saved("FORWARD -d fd00:2::/64 -p udp -m udp --dport 53 -j DROP")).outcome is YES
    assert judge(six, iptables_nft=saved("FORWARD -j DROP")).outcome is NO
    assert judge(six, nft=nft("ip6 nexthdr tcp drop")).outcome is OPEN
    assert judge(six, nft=nft("ip saddr != 10.0.0.0/8 drop")).outcome is NO


def test_input_and_output_have_one_device() -> None:
    text = nft('oifname != "eth1" drop').replace("hook forward", "hook input")
    assert Walk(parse_packet_filter({"nft": text})).judge(SENT, "input").outcome is NO
    text = nft('iifname "cali*" drop').replace("hook forward", "hook output")
    assert Walk(parse_packet_filter({"nft": text})).judge(SENT, "output").outcome is NO


def test_lines_that_were_not_understood_leave_everything_open() -> None:
    read = parse_packet_filter({"nft": nft("drop") + "table ip x {\n what\n}\n"})
    assert Walk(read).judge(SENT, "forward") == Verdict(OPEN)


def test_chains_before_the_hooks_leave_an_accept_open() -> None:
    ingress = 'table netdev t {\n chain i {\n  type filter hook ingress device "eth0" priority 0; policy drop;\n }\n}\n'
    assert judge(nft=ingress).outcome is OPEN


def test_chains_that_call_each_other_twice_over_are_given_up() -> None:
    chains = "".join(
        f"\tchain c{number} {{\n\t\tmeta mark set meta mark | {1 << number % 31:#x}\n"
        f"\t\tlimit rate 1/second meta mark set meta mark & {~(1 << number % 31) & 0xFFFFFFFF:#x}\n"
        f"\t\tjump c{number + 1}\n\t\tmeta mark set 0x{number}\n\t\tjump c{number + 1}\n\t}}\n"
        for number in range(60)
    )
    assert judge(nft=nft("jump c0", "drop", more=chains + "\tchain c60 {\n\t}\n")).outcome in (OPEN, YES)


def test_a_rule_that_was_cut_is_left_open() -> None:
    many = ", ".join(f"10.{number // 250}.{number % 250}.1" for number in range(2000))
    assert judge(nft=nft(f"ip saddr {{ {many} }} accept", "drop")).outcome is OPEN


@given(
    st.lists(
        st.sampled_from(
            [
                "ip",
                "saddr",
                "meta",
                "mark",
                "set",
                "&",
                "==",
                "0x1",
                "{",
                "}",
                ",",
                ".",
                ":",
                "vmap",
                "@s",
                "jump",
                "goto",
                "x",
                "drop",
                "accept",
                "!",
                "!=",
                "dport",
                "tcp",
                "log",
            ]
        )
    )
)
def test_no_row_of_words_raises(words: list[str]) -> None:
    text = " ".join(words)
    for sections in ({"nft": nft(text)}, {"iptables-nft": saved(f"FORWARD {text}")}):
        Walk(parse_packet_filter(sections)).judge(SENT, "forward")
