"""Every key there is, once: bindings, footer, help and command palette are made from this table.

This module must not know what the actions do; screens have a method `action_NAME` for each of theirs.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from textual.binding import Binding, BindingType


class Action(msgspec.Struct, frozen=True):
    """A key and what it is for.

    `keys` as Textual names them, comma-separated; `shown` is how a person writes them. `name` is the action, with its
    namespace (`app.`) where the screen is not its owner. `label` is the footer's word, `help` the help screen's
    sentence; empty keeps it out. `command` puts it into the palette, as `title` where the label says too little.
    """

    keys: str
    shown: str
    name: str
    label: str
    help: str
    command: bool = True
    title: str = ""


EVERYWHERE = (
    Action("question_mark,f1", "?", "app.help", "help", "Show this help."),
    Action("colon,ctrl+p", ": ctrl+p", "app.command_palette", "", "Commands by name.", command=False),
    Action("t", "t", "app.toggle_theme", "", "Switch between the dark and the light theme."),
    Action("q", "q", "app.quit", "quit", "Leave calitui."),
)

LIST = (
    Action("up,k", "↑ ↓ j k", "cursor(-1)", "", "Up and down; PgUp and PgDn a page.", command=False),
    Action("down,j", "↓ j", "cursor(1)", "", "", command=False),
    Action("g,home", "g G", "first", "", "To the first and to the last.", command=False),
    Action("G,end", "G", "last", "", "", command=False),
    Action("ctrl+u", "ctrl+u/d", "page(-0.5)", "", "Half a page up and down.", command=False),
    Action("ctrl+d", "ctrl+d", "page(0.5)", "", "", command=False),
    Action("pageup,ctrl+b", "PgUp", "page(-1.0)", "", "", command=False),
    Action("pagedown,ctrl+f", "PgDn", "page(1.0)", "", "", command=False),
)

HOME = (
    Action("enter", "Enter", "mark", "mark", "Mark the source, then the destination: the trace opens.", command=False),
    Action("slash", "/", "filter", "filter", "Filter the list; the grammar is below."),
    Action("escape", "Esc", "back", "undo", "Clear the filter, else take back a mark.", command=False),
    Action("n", "n", "namespace", "namespace", "Only the namespace under the cursor."),
    Action("0", "0", "all_namespaces", "all", "All namespaces."),
    Action("m", "m", "mesh", "mesh", "Audit: which node can't reach which, and why.", title="Mesh: audit of all nodes"),
    Action("u", "u", "unread", "unread", "Everything that could not be read, and why."),
    Action("r", "r", "again", "", "Connect again after an error."),
)

TRACE = (
    Action("up,k", "↑ ↓ j k", "hop(-1)", "", "Previous and next hop.", command=False),
    Action("down,j", "↓ j", "hop(1)", "", "", command=False),
    Action("g,home", "g G", "first", "", "First and last hop.", command=False),
    Action("G,end", "G", "last", "", "", command=False),
    Action("tab,f", "Tab f", "direction", "return", "Switch between forward and return."),
    Action("enter", "Enter", "detail", "detail", "The selected hop on the whole screen, and back.", command=False),
    Action("ctrl+u,pageup", "ctrl+u/d", "scroll(-0.5)", "", "Scroll the detail; PgUp and PgDn too.", command=False),
    Action("ctrl+d,pagedown", "ctrl+d", "scroll(0.5)", "", "", command=False),
    Action("d", "d", "why", "why", "Why: all findings with evidence and what to type, and what could not be checked."),
    Action("w", "w", "walkthrough", "walk", "Walkthrough: the packet step by step, and why.", title="Walkthrough"),
    Action(
        "p", "p", "prove", "prove", "Proof by packet: send a few along the path, after asking.", title="Proof by packet"
    ),
    Action("x", "x", "swap", "swap", "Swap source and destination."),
    Action("r", "r", "again", "read again", "Read the nodes again; what changed is said and marked."),
    Action("c", "c", "changes", "", "Everything that changed since the reading before."),
    Action("escape", "Esc", "back", "back", "Stop reading, leave the detail, or go back to the pods.", command=False),
    Action("y", "y", "copy", "copy", "Copy the trace as Markdown (OSC 52: the terminal must allow it)."),
    Action("e", "e", "export", "export", "Write the trace to a file: .md, .json or .txt; its packets: .pcap."),
    Action("u", "u", "unread", "unread", "Everything that could not be read, and why."),
    Action("6", "6", "family", "IPv6", "The same pair over the other IP family, where both have addresses of it."),
)

FINDINGS = (
    Action("enter", "Enter", "detail", "whole text", "The text on the whole screen, and back.", command=False),
    Action("y", "y", "copy_fix", "copy fix", "Copy what to type (OSC 52: the terminal must allow it)."),
    Action("p", "p", "show_hop", "show hop", "Back to the path, at the hop that the finding belongs to."),
    Action("space", "Space b", "scroll(0.5)", "", "Scroll the text, back with b.", command=False),
    Action("b,pageup,ctrl+u", "b", "scroll(-0.5)", "", "", command=False),
    Action("pagedown,ctrl+d", "PgDn", "scroll(0.5)", "", "", command=False),
    Action("up,k", "↑ k", "line(-1)", "", "", command=False),
    Action("down,j", "↓ j", "line(1)", "", "", command=False),
    Action("escape,d", "Esc", "back", "back", "Leave the whole text, or go back.", command=False),
)

MESH = (
    Action("up,k", "↑ ↓ ← →", "move(-1,0)", "", "Another pair of nodes; h j k l too, PgUp and PgDn.", command=False),
    Action("down,j", "↓ j", "move(1,0)", "", "", command=False),
    Action("left,h", "← h", "move(0,-1)", "", "", command=False),
    Action("right,l", "→ l", "move(0,1)", "", "", command=False),
    Action("pageup,ctrl+u", "PgUp", "page(-1)", "", "", command=False),
    Action("pagedown,ctrl+d", "PgDn", "page(1)", "", "", command=False),
    Action("g,home", "g G", "first", "", "To the first node and to the last.", command=False),
    Action("G,end", "G", "last", "", "", command=False),
)
"""Keys of the matrix itself."""

AUDIT = (
    Action(
        "enter",
        "Enter",
        "open",
        "trace",
        "On a pair: trace between a pod of each. On a finding: all about it.",
        command=False,
    ),
    Action("tab", "Tab", "other_pane", "findings", "Between the nodes and the findings.", command=False),
    Action(
        "n",
        "n",
        "next_trouble",
        "next broken",
        "To the next broken pair, or to the next unknown one where none is broken.",
    ),
    Action("d", "d", "why", "why", "Why: all findings with evidence and what to type, and what could not be checked."),
    Action("r", "r", "again", "read again", "Read all nodes again."),
    Action("escape", "Esc", "back", "back", "Stop reading, or go back to the pods.", command=False),
    Action("y", "y", "copy", "copy", "Copy the audit as Markdown (OSC 52: the terminal must allow it)."),
    Action("e", "e", "export", "export", "Write the audit to a file: .md, .json or .txt."),
    Action("u", "u", "unread", "unread", "Everything that could not be read, and why."),
)

WALKTHROUGH = (
    Action("right,space,enter,n", "→", "step(1)", "next", "The next step; Space, Enter and n too.", command=False),
    Action("left,backspace,p", "←", "step(-1)", "back", "The step before; Backspace and p too.", command=False),
    Action("tab,f", "Tab", "direction", "return", "To the other direction: forward or return."),
    Action("l", "l", "language", "中文", "The same texts in the other language."),
    Action("g,home", "g G", "first", "", "The first and the last step.", command=False),
    Action("G,end", "G", "last", "", "", command=False),
    Action("down,j", "↑ ↓ j k", "scroll(0.2)", "", "Scroll a long page; PgUp and PgDn too.", command=False),
    Action("up,k", "↑ k", "scroll(-0.2)", "", "", command=False),
    Action("pagedown,ctrl+d", "PgDn", "scroll(0.8)", "", "", command=False),
    Action("pageup,ctrl+u", "PgUp", "scroll(-0.8)", "", "", command=False),
    Action("escape,w", "Esc", "back", "leave", "Back to the trace, at the hop that was shown.", command=False),
)


def bindings(*groups: Iterable[Action]) -> list[BindingType]:
    """Textual bindings of `groups`."""
    return [
        Binding(action.keys, action.name, action.label, show=bool(action.label), key_display=action.shown)
        for group in groups
        for action in group
    ]
