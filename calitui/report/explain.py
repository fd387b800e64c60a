"""The catalogue of causes for a person who has met a code and wants to know what it means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec
from rich.text import Text

from calitui.diagnosis.entry import Entry
from calitui.report.escaping import prose, span
from calitui.report.findings import STYLE
from calitui.report.page import Page

SCHEMA: Final = "calitui.explain/1"


def entries_json(entries: Sequence[Entry]) -> bytes:
    """`{"schema", "codes": [{"code", "severity", "title", ...}]}`, indented, ending in a newline."""
    codes = [
        {
            "code": entry.code,
            "severity": entry.severity.value,
            "title": entry.title,
            "background": entry.background,
            "remedy": entry.remedy,
            "reference": entry.reference,
            "steps": [step.value for step in entry.steps],
            "explains": sorted(entry.explains),
        }
        for entry in entries
    ]
    return msgspec.json.format(msgspec.json.encode({"schema": SCHEMA, "codes": codes}), indent=2) + b"\n"


def entry_text(entry: Entry, width: int, colour: bool) -> str:
    """One code: its name, the paragraph behind it, what mends it, what follows from it, where the facts are from."""
    page = Page(width, colour)
    page.line(Text(entry.code, "bold"), Text("  "), Text(entry.severity.value, STYLE[entry.severity]))
    page.prose("", _sentence(entry.title), 0)
    page.line()
    page.prose("", entry.background, 0)
    page.line()
    page.prose("mended by", entry.remedy, 0)
    if entry.steps:
        page.prose("shows at", ", ".join(step.value for step in entry.steps), 0)
    if entry.explains:
        page.prose("explains", ", ".join(sorted(entry.explains)), 0)
    page.prose("reference", entry.reference, 0)
    return page.text()


def entry_markdown(entry: Entry) -> str:
    """The same as a section of Markdown."""
    blocks = [
        f"## {span(entry.code)}",
        f"**{entry.severity.value}**: {prose(_sentence(entry.title))}",
        prose(entry.background),
        f"**What mends it:** {prose(entry.remedy)}",
    ]
    if entry.explains:
        blocks.append(f"**Explains:** {', '.join(span(code) for code in sorted(entry.explains))}")
    return "\n\n".join([*blocks, f"Reference: {prose(entry.reference)}"]) + "\n"


def entries_markdown(entries: Sequence[Entry]) -> str:
    """All codes as a table."""
    rows = [f"| {span(entry.code)} | {entry.severity.value} | {prose(entry.title)} |" for entry in entries]
    return "\n".join(["| code | severity | meaning |", "|---|---|---|", *rows]) + "\n"


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:].rstrip(".") + "."
