"""Calico's chains by their names, and which rules counted while probes were under way."""

from __future__ import annotations

import msgspec
import pytest

from calitui.facts.cluster import PolicyRef
from calitui.facts.packet_filter import FilterChain, FilterRule, PacketFilter
from calitui.proof.chains import limited, owner
from calitui.proof.counting import risen
from tests.trace import seed

CLUSTER = msgspec.structs.replace(
    seed.cluster("Always"),
    policies=(
        PolicyRef("NetworkPolicy", "deny-all", "huang2"),
        PolicyRef("CalicoNetworkPolicy", "default.deny-a-lot-of-things-in-here", "huang2"),
        PolicyRef("GlobalNetworkPolicy", "default.no-egress-to-anywhere-at-all"),
    ),
)


@pytest.mark.parametrize(
    ("name", "longest", "expected"),
    [
        ("1234", 10, "felix1234"),
        ("123456", 11, "felix123456"),
        ("_2345", 10, "felix_kMQI"),
        ("12345678910", 13, "felix_Y2QCZIS"),
    ],
)
def test_names_are_shortened_as_felix_does(name: str, longest: int, expected: str) -> None:
    assert limited("felix", name, longest) == expected


@pytest.mark.parametrize(
    ("chain", "expected"),
    [
        ("cali-tw-cali5ce61eb6bc2", "pod huang2/hhh-6897d64fcd-kqsj4"),
        ("filter-cali-fw-cali3683f65394b", "pod huang1/huangtest-69d9fddd97-2b8hr"),
        ("cali-tw-cali00000000000", "interface cali00000000000"),
        (limited("cali-pi-", "knp/huang2/deny-all", 28), "policy huang2/deny-all"),
        (limited("cali-pi-", "huang2/knp.default.deny-all", 28), "policy huang2/deny-all"),
        (limited("cali-po-", "default/huang2/knp.default.deny-all", 28), "policy huang2/deny-all"),
        (
            limited("cali-pi-", "huang2/default.deny-a-lot-of-things-in-here", 28),
            "policy huang2/default.deny-a-lot-of-things-in-here",
        ),
        (
            limited("cali-po-", "default/default.no-egress-to-anywhere-at-all", 28),
            "policy default.no-egress-to-anywhere-at-all",
        ),
        ("filter-cali-pi-np/huang2/unknown-to-us", "policy huang2/unknown-to-us"),
        ("cali-pri-kns.huang2", "profile kns.huang2"),
        ("cali-pi-_AbCdEfGhIjKlMnOpQr", ""),
        ("FORWARD", ""),
        ("KUBE-FORWARD", ""),
    ],
)
def test_chains_are_mapped_back_to_their_owners(chain: str, expected: str) -> None:
    assert owner(chain, CLUSTER) == expected


@pytest.mark.parametrize(
    "comment",
    [
        '-A cali-pi-_x -m comment --comment "Policy huang2/knp.default.deny-all ingress" -j DROP',
        'counter packets 1 bytes 84 drop comment "cali:abc; NetworkPolicy huang2/deny-all ingress"',
    ],
)
def test_the_comment_of_a_policys_first_rule_names_it(comment: str) -> None:
    assert owner("cali-pi-_AbCdEfGhIjKlMnOpQr", seed.cluster("Always"), [comment]) == "policy huang2/deny-all"


def table(
    *counts: tuple[str, int | None], policy: str = "", text: str = "", backend: str = "iptables-nft"
) -> PacketFilter:
    rules = tuple(
        FilterRule(f"[{packets}:{(packets or 0) * 84}] {words}" if backend != "nft" else words, packets)
        for words, packets in counts
    )
    hook = "forward" if policy else ""
    name = "FORWARD" if policy else "cali-tw-cali5ce61eb6bc2"
    return PacketFilter((FilterChain(backend, "ip", "filter", name, hook=hook, policy=policy, rules=rules, text=text),))


def test_rules_that_counted_more_are_told_with_their_verdict_and_owner() -> None:
    chain = "-A cali-tw-cali5ce61eb6bc2"
    before = table((f"{chain} -j DROP", 4), (f"{chain} -j cali-pi-x", 2), (f"{chain} -j ACCEPT", 9))
    after = table((f"{chain} -j DROP", 7), (f"{chain} -j cali-pi-x", 5), (f"{chain} -j ACCEPT", 9))
    found = risen("n", before, after, CLUSTER)
    assert [(one.packets, one.verdict) for one in found] == [(3, "drop"), (3, "")]
    assert found[0].policy == "pod huang2/hhh-6897d64fcd-kqsj4"
    assert found[0].chain == "filter cali-tw-cali5ce61eb6bc2"


def test_a_comment_is_no_verdict() -> None:
    line = '-A cali-tw-cali5ce61eb6bc2 -m comment --comment "x -j DROP" -j RETURN'
    (one,) = risen("n", table((line, 1)), table((line, 2)), CLUSTER)
    assert one.verdict == ""


def test_rules_of_nftables() -> None:
    found = risen(
        "n",
        table(("counter packets 1 bytes 84 drop", 1), ("counter packets 1 bytes 84 masquerade", 1), backend="nft"),
        table(("counter packets 3 bytes 252 drop", 3), ("counter packets 2 bytes 168 masquerade", 2), backend="nft"),
        CLUSTER,
    )
    assert [(one.packets, one.verdict) for one in found] == [(2, "drop"), (1, "snat")]


def test_the_policy_of_a_base_chain_counts_too() -> None:
    found = risen(
        "n",
        table(policy="drop", text=":FORWARD DROP [4:336]"),
        table(policy="drop", text=":FORWARD DROP [7:588]"),
        CLUSTER,
    )
    assert [(one.packets, one.verdict, one.text) for one in found] == [(3, "drop", ":FORWARD DROP [7:588]")]


def test_a_chain_that_was_rewritten_says_nothing() -> None:
    assert risen("n", table(("-j DROP", 1)), table(("-j DROP", 3), ("-j ACCEPT", 1)), CLUSTER) == ()
    assert risen("n", table(("-s 10.0.0.1 -j DROP", 1)), table(("-s 10.0.0.2 -j DROP", 3)), CLUSTER) == ()
    assert risen("n", table(("-j DROP", 5)), table(("-j DROP", 1)), CLUSTER) == ()
    assert risen("n", PacketFilter(), table(("-j DROP", 1)), CLUSTER) == ()
