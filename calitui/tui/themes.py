"""calitui's own dark and light theme: sober, with every text at a contrast of 4.5 or more on its ground.

Colour only repeats what a word or a glyph says. Styles name theme variables (`$dim`, `$good`), never colours.
"""

from __future__ import annotations

from textual.theme import Theme

DARK = "calitui-dark"
LIGHT = "calitui-light"

_DARK = {
    "dim": "#8f9baa",
    "good": "#86cf93",
    "warn": "#e6b866",
    "bad": "#ff8080",
    "link": "#7fb8f0",
    "cursor-ground": "#2b3a4d",
    "bar-ground": "#1d242d",
}
_LIGHT = {
    "dim": "#5d6570",
    "good": "#17692c",
    "warn": "#835200",
    "bad": "#b3202a",
    "link": "#0b54a0",
    "cursor-ground": "#cfe0f5",
    "bar-ground": "#e9e8e2",
}

VARIABLES = _DARK
"""Values of calitui's own variables in a theme that does not define them and is dark."""
LIGHT_VARIABLES = _LIGHT
"""The same for a light one."""

THEMES = (
    Theme(
        name=DARK,
        primary="#7fb8f0",
        secondary="#9aa7b8",
        accent="#e6b866",
        success="#86cf93",
        warning="#e6b866",
        error="#ff8080",
        foreground="#dbe1e8",
        background="#12161b",
        surface="#171c22",
        panel="#1d242d",
        dark=True,
        variables=_DARK | {"scrollbar": "#3a4552", "scrollbar-background": "#171c22"},
    ),
    Theme(
        name=LIGHT,
        primary="#0b54a0",
        secondary="#4b5563",
        accent="#835200",
        success="#17692c",
        warning="#835200",
        error="#b3202a",
        foreground="#1f2429",
        background="#fbfaf7",
        surface="#f4f3ee",
        panel="#e9e8e2",
        dark=False,
        variables=_LIGHT | {"scrollbar": "#b5b8bd", "scrollbar-background": "#eeede8"},
    ),
)
