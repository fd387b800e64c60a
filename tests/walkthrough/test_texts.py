"""The languages say the same things about the same values, and nothing that nobody asks for."""

from __future__ import annotations

import ast
import re
import string
from importlib import resources
from pathlib import Path

import pytest
from rich.cells import cell_len

import calitui
from calitui.trace.path import Disposition, Encapsulation, Evidence, Step, Verdict
from calitui.walkthrough.slides import ChangeKind, Words
from calitui.walkthrough.wording import Language, Texts, language, texts

SECTIONS = Texts.__struct_fields__
KNOWN = texts(Language.EN)
NO_KEYS = {"calitui.walkthrough", "vxlan.calico", "vxlan-v6.calico"}
"""Literals of the code that look like keys."""


def placeholders(text: str) -> list[str]:
    return sorted(name for _, name, _, _ in string.Formatter().parse(text) if name is not None)


@pytest.mark.parametrize("other", [one for one in Language if one is not Language.EN])
@pytest.mark.parametrize("section", SECTIONS)
def test_every_language_has_the_same_keys_and_placeholders(section: str, other: Language) -> None:
    original, translated = getattr(KNOWN, section), getattr(texts(other), section)
    assert translated.keys() == original.keys()
    for key, text in original.items():
        assert set(placeholders(translated[key])) == set(placeholders(text)), key


@pytest.mark.parametrize("one", Language)
def test_a_text_is_one_clean_paragraph(one: Language) -> None:
    for section in SECTIONS:
        for key, text in getattr(texts(one), section).items():
            assert text.strip(), (section, key)
            assert text == text.strip() or key in ("outer", "inner"), (section, key)
            assert "\n" not in text, (section, key)
            assert "  " not in text, (section, key)
            assert all(name.isidentifier() for name in placeholders(text)), (section, key)


def test_chinese_is_chinese() -> None:
    for key, text in texts(Language.ZH).text.items():
        assert re.search(r"[\u4e00-\u9fff]", text), key
        assert not re.search(r"[\u4e00-\u9fff][,;:!?]", text), f"{key}: a half-width mark after Chinese"


@pytest.mark.parametrize("one", Language)
def test_a_paragraph_is_short(one: Language) -> None:
    for key, text in texts(one).text.items():
        sentences = re.split(r"[。！？]|(?<=[a-z)}])[.?!](?: |$)", text)
        assert len([sentence for sentence in sentences if sentence.strip()]) <= 5, key
        assert cell_len(text) <= 400, key


@pytest.mark.parametrize("one", Language)
def test_labels_of_stations_fit_between_them(one: Language) -> None:
    assert all(cell_len(label) <= 5 for label in texts(one).station.values())


def test_what_is_counted_by_kind_has_a_word_for_each() -> None:
    assert KNOWN.station.keys() == {step.value for step in Step}
    assert KNOWN.evidence.keys() == {evidence.value for evidence in Evidence}
    ends = {one.value for one in Disposition} - {"delivered", "unknown"}
    assert {key.removeprefix("lost.") for key in KNOWN.text if key.startswith("lost.")} == ends
    for verdict in Verdict:
        assert f"closing.{verdict.value}" in KNOWN.text
        assert f"closing.{verdict.value}" in KNOWN.title
    for kind in Encapsulation:
        assert f"mode.{kind.value}" in KNOWN.text
        assert kind is Encapsulation.NONE or f"unwrap.{kind.value}" in KNOWN.text
    assert {"put-on", "taken-off"} <= KNOWN.ui.keys()
    assert {kind.value for kind in ChangeKind} == {"put-on", "taken-off", "rewritten"}


def strings_of_code(folder: str) -> set[str]:
    """Every literal of the code, formatted ones by their constant start."""
    found: set[str] = set()
    for file in Path(calitui.__file__).parent.joinpath(folder).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr) and isinstance(node.values[0], ast.Constant):
                found.add(str(node.values[0].value) + "*")
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                found.add(node.value)
    return found


def is_used(key: str, literals: set[str]) -> bool:
    return key in literals or any(one.endswith(".*") and key.startswith(one[:-1]) for one in literals)


def test_every_text_is_used_and_every_key_in_code_has_a_text() -> None:
    literals = strings_of_code("walkthrough")
    for section in (KNOWN.title, KNOWN.text):
        assert [key for key in section if not is_used(key, literals)] == []
    keys = {one for one in literals if re.fullmatch(r"[a-z]+[a-z0-9-]*\.[a-z0-9-]+", one)}
    assert {key for key in keys if key not in KNOWN.text and key not in KNOWN.title} <= NO_KEYS
    screen = strings_of_code("tui/walkthrough")
    words = {*KNOWN.ui} - {"forward", "return", *(kind.value for kind in ChangeKind)}
    assert [key for key in words if key not in screen] == []


def test_texts_are_part_of_the_package() -> None:
    folder = resources.files("calitui.walkthrough").joinpath("texts")
    assert {file.name for file in folder.iterdir() if file.name.endswith(".toml")} == {
        f"{one}.toml" for one in Language
    }


def test_values_are_made_harmless_and_are_no_templates() -> None:
    words = Words("wrap", {"device": "tunl0\x1b[31m{node}[bold]"})
    assert KNOWN.titled(words) == "tunl0\\x1b[31m{node}[bold] wraps the packet"


@pytest.mark.parametrize(
    ("wanted", "environment", "expected"),
    [
        (None, {}, Language.EN),
        (None, {"LANG": "zh_CN.UTF-8"}, Language.ZH),
        (None, {"LANG": "de_DE.UTF-8"}, Language.EN),
        (None, {"LANG": "en_US.UTF-8", "LC_MESSAGES": "zh_TW.UTF-8"}, Language.ZH),
        (None, {"LANG": "zh_CN.UTF-8", "LC_ALL": "C.UTF-8"}, Language.EN),
        (None, {"LANG": "zh_CN.UTF-8", "LC_ALL": ""}, Language.ZH),
        ("en", {"LANG": "zh_CN.UTF-8"}, Language.EN),
        ("zh", {}, Language.ZH),
    ],
)
def test_the_language_is_the_flags_else_the_locales(
    wanted: str | None, environment: dict[str, str], expected: Language
) -> None:
    assert language(wanted, environment) is expected


def test_there_is_no_other_language() -> None:
    with pytest.raises(ValueError, match="tlh"):
        language("tlh", {})
