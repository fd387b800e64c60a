"""Prose in lines of a number of cells, in languages with blanks between words and in those without.

Chinese breaks between any two characters, but no line begins with a mark that closes or ends with one that opens (the
kinsoku rules). This module must not know widgets.
"""

from __future__ import annotations

from collections.abc import Iterator

from rich.cells import cell_len, chop_cells

_CLOSING = frozenset("，。；：、！？）】」』”’》〉…·,.;:!?)")
_OPENING = frozenset("（【「『“‘《〈(")


def flow(text: str, width: int, indent: str = "") -> list[str]:
    """Lines of at most `width` cells, later ones behind `indent`. Never empty; a word that is too long is cut."""
    room = max(8, width)
    lines: list[str] = []
    line = ""
    for piece in _pieces(text):
        if cell_len(line + piece.rstrip()) <= room:
            line += piece
            continue
        if line.strip():
            lines.append(line.rstrip())
        *full, rest = _cut(piece.lstrip(), room, len(indent))
        lines += [indent + one if lines else one for one in full]
        line = (indent if lines else "") + rest
    return [*lines, line.rstrip()] if line.strip() or not lines else lines


def _cut(piece: str, room: int, indent: int) -> list[str]:
    """A piece in parts that fit; mostly it is one."""
    if cell_len(piece.rstrip()) <= room - indent:
        return [piece]
    parts = chop_cells(piece, room - indent) or [""]
    if len(parts) > 1 and not parts[-1].strip("".join(_CLOSING)):
        parts[-2:] = [parts[-2][:-1], parts[-2][-1] + parts[-1]]
    return parts


def _pieces(text: str) -> Iterator[str]:
    """What may not be broken: a word with the blanks before it, or a wide character with its marks."""
    piece = ""
    for mark in text:
        if piece and _may_break(piece, mark):
            yield piece
            piece = ""
        piece += mark
    if piece:
        yield piece


def _may_break(piece: str, mark: str) -> bool:
    last = piece[-1]
    if mark == " ":
        return last != " "
    if last == " " or mark in _CLOSING or last in _OPENING:
        return False
    return cell_len(last) > 1 or cell_len(mark) > 1
