"""Dialogs for what a connection asks: is this the host's key, and secrets.

What a server says is drawn as plain text and never gets more room than the dialog.
"""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from calitui.facts.text import clean
from calitui.session import HostKeyQuestion, SecretQuestion

_CSS = """
    NAME { align: center middle; background: $background 60%; }
    NAME > VerticalScroll {
        width: 90%; max-width: 90; height: auto; max-height: 90%; border: round $warn; background: $surface;
        padding: 0 1; border-title-color: $warn; border-title-style: bold; border-subtitle-color: $foreground;
        scrollbar-size-vertical: 1;
    }
    NAME Input { border: none; height: 1; padding: 0; background: $panel; background-tint: transparent; }
"""


class HostKeyScreen(ModalScreen[bool]):
    """Shows the fingerprint; only `y` accepts, because Enter may have been meant for something else."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "dismiss(True)", "accept"),
        Binding("n,escape", "dismiss(False)", "refuse"),
    ]
    DEFAULT_CSS = _CSS.replace("NAME", "HostKeyScreen")

    def __init__(self, question: HostKeyQuestion) -> None:
        """`question` says which key of which host."""
        super().__init__()
        self.question = question

    def compose(self) -> ComposeResult:
        """What ssh would say."""
        asked = self.question
        box = VerticalScroll(can_focus=False)
        box.border_title = Content("Unknown host key")
        box.border_subtitle = Content("y accepts and remembers · n or Esc refuses")
        rows = [
            ("node", asked.node),
            ("host", asked.name if asked.name == asked.address else f"{asked.name} ({asked.address})"),
            ("key", asked.key_type),
            ("fingerprint", asked.fingerprint),
            ("remembered in", asked.file),
        ]
        text = Content("\n").join(
            [Content.assemble((label.ljust(15), "$dim"), (clean(value), "bold")) for label, value in rows]
        )
        with box:
            yield Static(
                "Nobody has vouched for this key yet. Compare the fingerprint before you accept.", markup=False
            )
            if asked.known_types:
                known = clean(", ".join(asked.known_types))
                yield Static(
                    Content.styled(f"▲ Another key of this host is known ({known}): be careful.", "bold $bad"),
                    markup=False,
                )
            yield Static(text, markup=False)


class SecretScreen(ModalScreen[tuple[str, ...] | None]):
    """One field for each thing that is asked; Enter goes to the next, then answers."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss(None)", "refuse")]
    DEFAULT_CSS = _CSS.replace("NAME", "SecretScreen")
    TITLES: ClassVar[dict[str, str]] = {
        "passphrase": "Passphrase of a key",
        "password": "Password",
        "keyboard-interactive": "The server asks",
    }

    def __init__(self, question: SecretQuestion) -> None:
        """`question` says who asks for what."""
        super().__init__()
        self.question = question

    def compose(self) -> ComposeResult:
        """The server's words, then the fields."""
        asked = self.question
        box = VerticalScroll(can_focus=False)
        box.border_title = Content(self.TITLES[asked.kind])
        box.border_subtitle = Content("Enter answers · Esc refuses")
        with box:
            yield Static(
                Content.assemble((clean(asked.target), "bold"), f" for node {clean(asked.node)}"), markup=False
            )
            if asked.attempt > 1:
                yield Static(
                    Content.styled(f"▲ The last answer was wrong (attempt {asked.attempt})", "bold $bad"), markup=False
                )
            for words in (asked.title, asked.instructions):
                if words:
                    yield Static(Content(clean(words)), markup=False)
            for field in asked.fields:
                yield Static(Content.styled(clean(field.label), "$dim"), markup=False)
                typed = Input(password=not field.echo, compact=True, select_on_focus=False)
                typed.cursor_blink = False
                yield typed

    def on_mount(self) -> None:
        """Nothing to type is an answer too."""
        if not self.question.fields:
            self.dismiss(())

    @on(Input.Submitted)
    def _submitted(self, message: Input.Submitted) -> None:
        fields = list(self.query(Input))
        place = fields.index(message.input)
        if place + 1 < len(fields):
            fields[place + 1].focus()
        else:
            self.dismiss(tuple(field.value for field in fields))
