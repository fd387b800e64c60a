"""Small packet filters out of a seeded generator: nftables and both backends of iptables, alone and together."""

from __future__ import annotations

import random

import msgspec

SOURCES, DESTINATIONS = ("10.1.0", "10.1.1", "10.1.2"), ("10.2.0", "10.2.1", "10.2.2")
PORTS = (22, 53, 80, 4789)


class Ruleset(msgspec.Struct, frozen=True):
    """What `nft -f` reads, and what each `iptables-...-restore` does."""

    nft: str = ""
    iptables: tuple[tuple[str, str], ...] = ()


def ruleset(seed: int) -> Ruleset:
    """One packet filter: the same for the same seed."""
    pick = random.Random(seed)  # noqa: S311
    kinds = pick.choice((("nft",), ("nft",), ("iptables-nft",), ("iptables-legacy",), ("nft", "iptables-nft")))
    nft = "".join(_table(pick, f"t{number}") for number in range(pick.choice((1, 1, 2)))) if "nft" in kinds else ""
    return Ruleset(nft, tuple((kind, _saved(pick)) for kind in kinds if kind != "nft"))


def _prefix(pick: random.Random, of: tuple[str, ...]) -> str:
    return pick.choice((f"{of[0][:5]}0.0/16", f"{pick.choice(of)}.0/24", f"{pick.choice(of)}.0/25"))


# nftables


def _table(pick: random.Random, name: str) -> str:
    hooks = pick.sample(("forward", "input", "output", "prerouting"), pick.choice((1, 2, 3)))
    lines = [
        f"table {pick.choice(('inet', 'ip'))} {name} {{",
        f"set s {{ type ipv4_addr; flags interval; elements = {{ {_prefix(pick, SOURCES)}, 192.0.2.1-192.0.2.9 }}; }}",
        "set p { type inet_service; elements = { 22, 80 }; }",
        "map m { type inet_service : verdict; elements = { 80 : accept, 22 : drop, 53 : jump own1 }; }",
        f"set c {{ type ipv4_addr . inet_service; flags interval; elements = {{ {_prefix(pick, SOURCES)} . 80 }}; }}",
    ]
    lines += [f"chain own2 {{\n{_rules(pick, ())}}}", f"chain own1 {{\n{_rules(pick, ('own2',))}}}"]
    for hook in hooks:
        priority = pick.choice(("raw", "mangle", "filter", "filter + 10", "-5", "security"))
        policy = pick.choice(("accept", "accept", "drop"))
        head = f"type filter hook {hook} priority {priority}; policy {policy};"
        lines.append(f"chain {hook}base {{\n{head}\n{_rules(pick, ('own1', 'own2'))}}}")
    return "\n".join([*lines, "}\n"])


def _rules(pick: random.Random, chains: tuple[str, ...]) -> str:
    return "".join(f"{_nft_rule(pick, chains)}\n" for _ in range(pick.randint(1, 4)))


def _nft_rule(pick: random.Random, chains: tuple[str, ...]) -> str:
    matches = (
        f"ip saddr {pick.choice(('', '!= '))}{_prefix(pick, SOURCES)}",
        f"ip daddr {_prefix(pick, DESTINATIONS)}",
        f"ip daddr {{ {_prefix(pick, DESTINATIONS)}, 192.0.2.0/24 }}",
        f"ip saddr {pick.choice(('', '!= '))}@s",
        "ip saddr . tcp dport @c",
        "meta l4proto . th dport { tcp . 80, udp . 53 }",
        f"tcp dport {pick.choice(('80', '!= 80', '{ 22, 80 }', '20-100', '@p', '!= @p'))}",
        f"udp dport {pick.choice(('53', '4000-5000', '!= { 53, 4789 }'))}",
        "meta l4proto { tcp, udp } th dport 53",
        f"meta l4proto {pick.choice(('tcp', 'udp', 'icmp', '4', '!= tcp'))}",
        f"ip protocol {pick.choice(('tcp', '4', '{ udp, icmp }'))}",
        "iifname " + pick.choice(("cali0a", '"cali*"', "!= cali0a", "{ eth0, eth1 }")),
        "oifname " + pick.choice(("eth1", '"eth*"', "!= eth1", '"cali*"')),
        f"ct state {pick.choice(('new', 'established,related', 'invalid', '{ new, established }', '!= new'))}",
        "ip6 saddr fd00::/8",
        "meta nfproto ipv4",
        f"meta mark {pick.choice(('0x1', '!= 0x1', '& 0x3 == 0x1', '& 0x2 != 0x0'))}",
        "ct status dnat",
        f"fib daddr type {pick.choice(('local', 'unicast', '{ local, broadcast }'))}",
        "icmp type echo-request",
        "limit rate 1000/second",
    )
    verdicts = ["accept", "accept", "drop", "drop", "reject", "return", "continue", "counter drop", "log drop"]
    verdicts += [f"{how} {chain}" for chain in chains for how in ("jump", "jump", "goto")]
    verdicts += [
        "meta mark set 0x1",
        "meta mark set meta mark | 0x2",
        "meta mark set meta mark & 0xfffffffe",
        "notrack",
    ]
    if pick.random() < 0.08 and chains and "own1" in chains:
        return pick.choice(("tcp dport vmap @m", "ct state vmap { established : accept, new : jump own2 }"))
    several = pick.sample(matches, pick.choice((0, 1, 1, 1, 2)))
    several.sort(key=lambda one: not one.startswith(("tcp", "udp")))
    if sum(one.startswith(("tcp", "udp", "icmp", "meta l4", "ip protocol", "ip saddr . tcp")) for one in several) > 1:
        several = several[:1]
    return f"{' '.join(several)} {pick.choice(verdicts)}".strip()


# iptables


def _saved(pick: random.Random) -> str:
    tables = []
    for table, hooks in (("mangle", ("PREROUTING", "FORWARD")), ("filter", ("INPUT", "FORWARD", "OUTPUT"))):
        lines = [f"*{table}"]
        lines += [f":{hook} {pick.choice(('ACCEPT', 'ACCEPT', 'DROP'))} [0:0]" for hook in hooks]
        lines += [":cali-own1 - [0:0]", ":cali-own2 - [0:0]"]
        for hook in (*hooks, "cali-own1", "cali-own2"):
            deeper = {"cali-own1": ("cali-own2",), "cali-own2": ()}.get(hook, ("cali-own1", "cali-own2"))
            for _ in range(pick.randint(0, 3)):
                lines.append(f"-A {hook} {_iptables_rule(pick, hook, deeper, table)}")
        tables.append("\n".join([*lines, "COMMIT\n"]))
    return "".join(tables)


def _iptables_rule(pick: random.Random, hook: str, chains: tuple[str, ...], table: str) -> str:
    matches = [
        f"{pick.choice(('', '! '))}-s {_prefix(pick, SOURCES)}",
        f"-d {_prefix(pick, DESTINATIONS)}",
        f"{pick.choice(('', '! '))}-p {pick.choice(('tcp', 'udp', 'icmp', '4'))}",
        f"-p tcp -m tcp {pick.choice(('', '! '))}--dport {pick.choice(('80', '20:100'))}",
        "-p udp -m udp --dport 53",
        f"-p {pick.choice(('tcp', 'udp'))} -m multiport {pick.choice(('', '! '))}--dports 22,50:60,4789",
        f"-m conntrack {pick.choice(('', '! '))}--ctstate {pick.choice(('NEW', 'RELATED,ESTABLISHED', 'INVALID,NEW'))}",
        "-m state --state ESTABLISHED",
        f"-m mark {pick.choice(('', '! '))}--mark {pick.choice(('0x1', '0x1/0x3', '0x0/0x2'))}",
        '-m comment --comment "cali:abc -j ACCEPT"',
        f"-m addrtype {pick.choice(('', '! '))}--dst-type {pick.choice(('LOCAL', 'UNICAST', 'LOCAL,BROADCAST'))}",
        "-m iprange --src-range 10.1.0.0-10.1.1.255",
        "-m limit --limit 1000/sec",
        "-p tcp -m tcp --tcp-flags SYN,ACK SYN",
    ]
    if hook in ("FORWARD", "INPUT", "PREROUTING"):
        matches += [f"{pick.choice(('', '! '))}-i {pick.choice(('cali+', 'eth1', 'cali0a'))}"]
    if hook in ("FORWARD", "OUTPUT"):
        matches += [f"{pick.choice(('', '! '))}-o {pick.choice(('eth1', 'eth+', 'cali+'))}"]
    targets = ["-j ACCEPT", "-j ACCEPT", "-j DROP", "-j DROP", "-j RETURN", "-j LOG"]
    targets += ["-j REJECT"] if table == "filter" else []
    targets += [f"{how} {chain}" for chain in chains for how in ("-j", "-j", "-g")]
    if table == "mangle":
        targets += ["-j MARK --set-xmark 0x1/0xffffffff", "-j MARK --set-xmark 0x2/0x2", "-j MARK --set-xmark 0x3/0x0"]
    several = pick.sample(matches, pick.choice((0, 1, 1, 1, 2)))
    if sum("-p " in one for one in several) > 1:
        several = several[:1]
    several.sort(key=lambda one: "-m" in one)
    return f"{' '.join(several)} {pick.choice(targets)}".strip()
