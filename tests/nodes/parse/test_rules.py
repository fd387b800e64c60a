from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calitui.facts.node import Rule
from calitui.nodes.parse import parse_rules

RULES = [
    ("0:\tfrom all lookup local ", Rule(0, table="local")),
    ("32766:\tfrom all lookup 254", Rule(32766, table="main")),
    (
        "99:     not from all fwmark 0x200000/0x200000 lookup 1  <-- The Magic Rule",
        Rule(99, mark=0x200000, mask=0x200000, table="1", inverted=True),
    ),
    ("100:\tfrom all fwmark 0x1 lookup 100", Rule(100, mark=1, table="100")),
    (
        "100:\tfrom all to 10.5.0.0/16 iif br0 blackhole",
        Rule(100, destination="10.5.0.0/16", input_device="br0", action="blackhole"),
    ),
    (
        "101:\tfrom all iif nosuch [detached] oif x [detached] lookup main suppress_prefixlength 0 proto 80",
        Rule(101, input_device="nosuch", output_device="x", table="main", suppress_prefix_length=0),
    ),
    (
        "102:\tfrom 10.1.1.1 ipproto tcp sport 80 dport 1-100 prohibit",
        Rule(102, source="10.1.1.1/32", action="prohibit", other=("ipproto tcp", "sport 80", "dport 1-100")),
    ),
    ("103:\tfrom all goto 32766", Rule(103, action="goto", table="32766")),
    ("103:\tfrom all goto 5000 [unresolved]", Rule(103, action="nop")),
    ("103:\tfrom all goto none", Rule(103, action="nop")),
    ("104:\tfrom all nop", Rule(104, action="nop")),
    ("105:\tfrom all unreachable", Rule(105, action="unreachable")),
    ("105:\tfrom all lookup [l3mdev-table]", Rule(105, table="[l3mdev-table]", other=("l3mdev",))),
    ("106:\tfrom all uidrange 0-10 lookup 5", Rule(106, table="5", other=("uidrange 0-10",))),
    (
        "107:\tfrom 10.0.0.0/8 tos 0x10 lookup 6 realms 4",
        Rule(107, source="10.0.0.0/8", table="6", other=("tos 0x10",)),
    ),
    ("108:\tfrom all lookup 6 quantum", Rule(108, table="6", other=("quantum",))),
    ("100:\tfrom all to 10.5.0.0/16 lookup unspec blackhole", Rule(100, destination="10.5.0.0/16", action="blackhole")),
]


@pytest.mark.parametrize(("line", "rule"), RULES, ids=[line for line, _ in RULES])
def test_one_line_is_one_rule(line: str, rule: Rule) -> None:
    parsed = parse_rules(line)
    assert parsed.unparsed == ()
    (found,) = parsed.items
    assert found.text.split() == line.split()
    fields = {name: getattr(rule, name) for name in rule.__struct_fields__}
    assert found == Rule(**(fields | {"text": found.text}))


def test_the_family_is_the_askers() -> None:
    (rule,) = parse_rules("32766:\tfrom fd00::/8 lookup main", 6).items
    assert (rule.family, rule.source) == (6, "fd00::/8")


@pytest.mark.parametrize(
    "line",
    [
        "from all lookup main",
        "7:\tfrom",
        "7:\tfrom all",
        "7:\tfrom nowhere lookup 1",
        "x:\tfrom all lookup 1",
        "7:\tfrom all fwmark many lookup 1",
        "7: lo: <UP>",
    ],
)
def test_what_is_no_rule_is_kept(line: str) -> None:
    parsed = parse_rules(line)
    assert (parsed.items, len(parsed.unparsed)) == ((), 1)


@given(st.text())
def test_no_text_raises(text: str) -> None:
    parse_rules(text)
    parse_rules(f"7:\tfrom all {text} lookup 1", 6)
