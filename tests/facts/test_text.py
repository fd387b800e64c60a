"""Text of strangers becomes one printable line."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calitui.facts.text import LONGEST_LINE, clean


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("192.168.0.0/26 via 10.0.0.1 dev tunl0", "192.168.0.0/26 via 10.0.0.1 dev tunl0"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("a\nb\tc", "a\\x0ab\\x09c"),
        ("\x9b31mred", "\\x9b31mred"),
        ("abc\u202edef", "abc\\u202edef"),
        ("名前 ünïcode ✔", "名前 ünïcode ✔"),
        ("[bold]markup stays[/bold]", "[bold]markup stays[/bold]"),
        ("\ud800", "\\ud800"),
    ],
)
def test_what_moves_a_cursor_or_hides_text_becomes_visible(text: str, shown: str) -> None:
    assert clean(text) == shown


def test_absurdly_long_lines_are_cut() -> None:
    assert len(clean("x" * 10_000_000)) == LONGEST_LINE


@given(st.text())
def test_nothing_that_controls_a_terminal_is_left(text: str) -> None:
    shown = clean(text)
    assert not [character for character in shown if unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")]
    assert clean(shown) == shown
    shown.encode()
