"""The walkthrough's texts in a language: all of them stand in `texts/LANGUAGE.toml`, none in code.

Sections of a file: `title` and `text` are a slide's, by key; `ui`, `keys`, `help`, `legend`, `station` and `evidence`
are the screen's. Every file has the keys and the placeholders of `en.toml`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from enum import StrEnum
from importlib import resources

import msgspec

from calitui.facts.text import clean
from calitui.walkthrough.slides import Words


class Language(StrEnum):
    """A language that there are texts in; the value is the file's name and what `--lang` takes."""

    EN = "en"
    ZH = "zh"

    @property
    def other(self) -> Language:
        """The next one."""
        known = list(Language)
        return known[(known.index(self) + 1) % len(known)]


class Texts(msgspec.Struct, frozen=True):
    """One file. Values that fill placeholders come from a cluster: they are made harmless here once more."""

    title: dict[str, str]
    text: dict[str, str]
    ui: dict[str, str]
    keys: dict[str, str]
    help: dict[str, str]
    legend: dict[str, str]
    station: dict[str, str]
    evidence: dict[str, str]

    def titled(self, words: Words) -> str:
        """A slide's title."""
        return _filled(self.title[words.key], words.values)

    def told(self, words: Words) -> str:
        """A paragraph."""
        return _filled(self.text[words.key], words.values)

    def of_screen(self, key: str, **values: object) -> str:
        """A word of the screen."""
        return _filled(self.ui[key], {name: str(value) for name, value in values.items()})


def texts(language: Language) -> Texts:
    """The texts in `language`."""
    file = resources.files("calitui.walkthrough").joinpath("texts", f"{language.value}.toml")
    return msgspec.convert(tomllib.loads(file.read_text("utf-8")), Texts)


def language(wanted: str | None, environment: Mapping[str, str]) -> Language:
    """The language `wanted`, else the locale's (`LC_ALL` over `LC_MESSAGES` over `LANG`, as POSIX has it).

    Raises:
        ValueError: there are no texts in `wanted`.
    """
    if wanted:
        return Language(wanted)
    locale = next((value for name in ("LC_ALL", "LC_MESSAGES", "LANG") if (value := environment.get(name))), "")
    return Language.ZH if locale.lower().startswith("zh") else Language.EN


def _filled(template: str, values: Mapping[str, str]) -> str:
    return template.format_map({name: clean(value) for name, value in values.items()})
