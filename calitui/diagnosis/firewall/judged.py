"""What a rule does to one packet, as far as its words tell."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from calitui.diagnosis.firewall.packet import Changes


class Does(StrEnum):
    """What a rule decides."""

    NOTHING = "nothing"
    ACCEPT = "accept"
    DROP = "drop"
    RETURN = "return"
    JUMP = "jump"
    GOTO = "goto"
    ANYTHING = "anything"
    """It can't be told: the packet may be accepted, dropped, or go on to the next rule."""


class Judged(msgspec.Struct, frozen=True):
    """Whether a rule matches (None: can't be told), what it does then, the chain it jumps to, and what the packet is
    like behind it.
    """

    matches: bool | None
    does: Does
    changes: Changes
    target: str = ""
