"""Calico's selector language: what it selects, and what it is not."""

from __future__ import annotations

import pytest

from calitui.diagnosis.bgp.selectors import parse

NODE = {"role": "edge", "rack": "rack-12", "kubernetes.io/hostname": "worker-1", "empty": ""}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "all()",
        "has(role)",
        "has( kubernetes.io/hostname )",
        "has(empty)",
        "!has(zone)",
        "! ! has(role)",
        "role == 'edge'",
        'role=="edge"',
        "role != 'core'",
        "zone != 'a'",
        "role in {'core', 'edge'}",
        "role in{'edge',}",
        "role not in {'core'}",
        "zone not in {'a', 'b'}",
        "role not in {}",
        "rack contains '-1'",
        "rack starts with 'rack-'",
        "rack ends with '12'",
        "has(zone) || role == 'edge'",
        "role == 'core' || role == 'edge' && has(rack)",
        "!(role == 'core' && has(rack))",
        "!(role == 'core') && ((has(rack)))",
        "empty == ''",
    ],
)
def test_selects(text: str) -> None:
    assert parse(text)(NODE)


@pytest.mark.parametrize(
    "text",
    [
        "!all()",
        "has(zone)",
        "!has(role)",
        "role == 'Edge'",
        "role != 'edge'",
        "zone == ''",
        "role in {}",
        "zone in {'a', ''}",
        "role not in {'edge'}",
        "zone contains ''",
        "zone starts with ''",
        "rack starts with '12'",
        "rack ends with 'rack'",
        "has(role) && has(zone)",
        "(role == 'core' || role == 'edge') && has(zone)",
        "!(has(role) || has(zone))",
    ],
)
def test_does_not_select(text: str) -> None:
    assert not parse(text)(NODE)


@pytest.mark.parametrize(
    "text",
    [
        "role",
        "role = 'edge'",
        "role == edge",
        "role == 'edge",
        "role like 'edge'",
        "role starts 'e'",
        "role in 'edge'",
        "role in {'edge'",
        "role in {'edge' 'core'}",
        "has()",
        "has(role",
        "all",
        "(has(role)",
        "has(role))",
        "has(role) &&",
        "has(role) & has(rack)",
        "&& has(role)",
        "!",
        "has(role) has(rack)",
        "rôle == 'edge'",
        "(" * 5000 + "all()" + ")" * 5000,
        "!" * 20_000,
    ],
)
def test_is_no_selector(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(text)
